//! What goes wrong around a server, and what it does then.

mod failed_sync;
#[cfg(target_os = "linux")]
mod full_disk;
mod set_aside;
mod settings;
mod verifying;
