//! TLS by rustls: what servers show and ask for, what clients believe. TLS 1.2 and 1.3.
//!
//! - [`pem`]: certificates and keys out of files, with errors that say what is wrong with which
//! - [`names()`]: by what a certificate is known; [`provider()`]: what does the cryptography
//! - [`ServerTls`]: a server's side, replaced when its files change
//! - [`ClientTls`]: a client's side
//! - [`DatabaseTls`]: what a PostgreSQL connection string says

mod client;
mod database;
mod names;
pub mod pem;
mod provider;
mod server;

pub use client::{ClientTls, NamedFile, Roots, Verify};
pub use database::{DatabaseTls, SslMode};
pub use names::names;
pub use provider::provider;
pub use server::{ClientAuth, ServerTls, ServerTlsFiles};
