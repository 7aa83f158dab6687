//! TLS by rustls: what servers show and ask for, what clients believe. TLS 1.2 and 1.3.
//!
//! - [`pem`]: certificates and keys out of files, with errors that say what is wrong with which
//! - [`ServerTls`]: a server's side, replaced when its files change
//! - [`ClientTls`]: a client's side

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

mod client;
pub mod pem;
mod server;

pub use client::{ClientTls, NamedFile, Roots, Verify};
pub use server::{ClientAuth, ServerTls, ServerTlsFiles};

/// What does the cryptography, everywhere in the process.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}
