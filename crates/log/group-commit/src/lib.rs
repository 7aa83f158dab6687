//! Group commit: whoever appends while nobody writes becomes the writer and takes all that waits, so that concurrent
//! appends share one write and one fsync. No thread a partition: an idle partition costs its files alone.
//!
//! In reading order:
//!
//! - [`GroupCommit`] ([`commit`]): appends to one [`Sink`], by threads and by tasks
//! - [`Sink`] ([`sink`]): what a partition does: encode and append, sync
//! - [`Durability`] ([`durability`]): what an acknowledgement promises
//! - [`Terms`] ([`terms`]): how much may wait; [`Budget`] ([`budget`]): the bytes in flight of all partitions together;
//!   [`Faults`] ([`faults`]): what keeps a store from being written to
//! - [`AppendError`] ([`error`]): why an append was not done
//! - `lead`: who writes next; `writer`: one turn of writing; `gate`: who is let in
//! - [`Directory`] ([`directory`]): the folder of a store, held by one process at a time

pub mod budget;
pub mod commit;
pub mod directory;
pub mod durability;
pub mod error;
pub mod faults;
mod gate;
mod lead;
pub mod sink;
pub mod terms;
mod writer;

pub use budget::Budget;
pub use commit::{GroupCommit, Pending};
pub use directory::{Directory, sync_names};
pub use durability::Durability;
pub use error::AppendError;
pub use faults::{Faults, is_out_of_files, is_out_of_room};
pub use sink::Sink;
pub use terms::Terms;

#[cfg(test)]
mod tests;
