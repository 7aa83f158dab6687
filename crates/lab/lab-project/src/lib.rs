//! A user's own services: `weir.toml`, read and checked, and the requests that it describes, prepared for the generators.
//! Reads the file and the files that it names, and nothing else: no network, no clock but the one that it is given.
//!
//! In reading order:
//!
//! - [`problem`], [`place`]: what is wrong, in which line, and what to write instead
//! - [`mod@file`]: the file as it is written; [`project`]: what it means, checked
//! - [`template`]: texts with values in them; [`json`]: the same inside JSON; [`rows`]: values out of a CSV or JSONL file
//! - [`requests`]: the prepared requests, as both generators read them; [`draw`]: the values in them
//! - [`proto`]: the calls of a proto file; [`init`]: a first file out of a description
//! - [`lab`]: the same targets and scenarios as the lab's own model reads them

pub mod draw;
pub mod file;
pub mod init;
pub mod json;
pub mod lab;
pub mod place;
pub mod problem;
pub mod project;
pub mod proto;
pub mod requests;
pub mod rows;
pub mod template;

/// The file's name.
pub const FILE: &str = "weir.toml";
