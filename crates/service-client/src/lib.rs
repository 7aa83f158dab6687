//! How our own programs come to a service: in the clear or over TLS, with or without a token.
//!
//! - [`access`]: what a client shows and believes; connections over TLS
//! - [`channel`]: tonic channels on top of it

pub mod access;
pub mod channel;

pub use access::Access;
pub use channel::{ClientChannel, Token, connect, connect_as};
