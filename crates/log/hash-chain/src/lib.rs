//! Hash-chained partitions: each entry holds the hash of the one before, in a JSONL file that needs no server.
//!
//! In reading order:
//!
//! - [`Log`] ([`log`]): the cheap `Clone` handle to all partitions of a folder
//! - [`name`]: names of partitions, and the files they have
//! - [`canonical`]: JSON as it is hashed; [`data`]: what is appended, checked and made ready
//! - [`entry`]: one line of a file, its hash
//! - `partition`: an open partition, where its chain ends, and the sink that writes; `file`: both ends of a file;
//!   `journal`: how a steady writer's lines come to the disk sooner
//! - `reader`, [`entries`]: entries in order, from any place on; [`verify`]: whether all of them are whole
//! - `recovery`: what a server does to the files before it appends
//! - [`error`]; [`counters`]: what was written, for whoever shows it

pub mod canonical;
pub mod counters;
pub mod data;
pub mod entries;
pub mod entry;
pub mod error;
mod file;
mod journal;
pub mod log;
pub mod name;
mod partition;
mod reader;
mod recovery;
pub mod verify;

pub use counters::Counters;
pub use entries::Entries;
pub use entry::{Appended, Entry, Hash, Timestamp};
pub use error::{ChainError, MAX_DATA_BYTES};
pub use journal::lines_kept;
pub use log::Log;
pub use name::PartitionName;
pub use partition::WriteOptions;
pub use reader::Chunk;
pub use verify::{Checks, Verification};

#[cfg(test)]
mod tests;
