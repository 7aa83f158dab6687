//! What protects a service: TLS, principals with rights, limits. Off unless set.
//!
//! In reading order:
//!
//! - [`rights`]: what a principal may do (pure)
//! - [`principals`]: who calls: the principals file, tokens, certificates, JSON Web Tokens
//! - [`limits`]: how much one caller may ask for
//! - [`refusal`]: why a call is refused, in the same words on both faces
//! - [`tls`]: what servers show and ask for, what clients believe
//! - [`files`]: files that settings name, and their changes

pub mod files;
pub mod limits;
pub mod principals;
pub mod refusal;
pub mod rights;
pub mod tls;

pub use refusal::Refusal;
pub use rights::Verb;
