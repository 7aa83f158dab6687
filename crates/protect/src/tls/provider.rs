//! The one provider of cryptography.

use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

/// What does the cryptography, everywhere in the process.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}
