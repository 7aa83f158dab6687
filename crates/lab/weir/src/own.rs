//! Services of a user's own: `weir.toml` in any folder, without a checkout of this repository.
//!
//! - [`assets`]: the lab's files inside this binary; [`home`]: where they are laid out beside a `weir.toml`
//! - [`service`]: the project of such a home, and the requests that its scenarios send
//! - [`init`]: a first file; [`around`]: before and after a trial, and its audit
//! - [`tried`]: each request sent once; [`check`]: the same as a command

pub mod around;
pub mod assets;
pub mod check;
pub mod home;
pub mod init;
pub mod service;
pub mod tried;
