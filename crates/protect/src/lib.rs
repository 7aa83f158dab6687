//! Protects a service: TLS, principals with rights, limits. Off unless set.
//!
//! In reading order:
//!
//! - [`rights`]: what a principal may do (pure)
//! - [`principals`]: who calls: the principals file, tokens, certificates, JSON Web Tokens
//! - [`limits`]: how much one caller may ask for
//! - [`refusal`]: why a call is refused, in the same words on both faces
//! - [`caller`]: who makes a call, as handlers see it
//! - [`access`]: what a call needs before its body is read (pure)
//! - [`protection`]: decides about every call, in one place
//! - [`config`]: the settings
//! - [`client`]: how our own clients come to a protected service
//! - [`tls`]: what servers show and ask for, what clients believe
//! - [`files`]: files that settings name, and their changes

pub mod access;
pub mod caller;
pub mod client;
pub mod config;
pub mod files;
pub mod limits;
pub mod principals;
pub mod protection;
pub mod refusal;
pub mod rights;
pub mod tls;

pub use caller::Caller;
pub use client::ClientArgs;
pub use config::ProtectionConfig;
pub use protection::{Admitted, Protection, ProtectionError};
pub use refusal::Refusal;
pub use rights::Verb;
