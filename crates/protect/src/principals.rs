//! Who may call: principals, their credentials, their rights, their limits.
//!
//! - [`mod@file`]: the principals file, read with errors that name line, key and remedy
//! - [`tokens`]: bearer tokens by their SHA-256
//! - [`jwt`]: JSON Web Tokens by a key set
//! - [`Principals`]: all of them at one moment
//! - [`Directory`]: all of it, replaced as a whole when the files change

mod directory;
pub mod file;
pub mod jwt;
mod known;
pub mod tokens;

pub use directory::Directory;
pub use known::{Credentials, Identified, Principal, Principals};
