//! What goes wrong around a server, and what it does then.

mod failed_sync;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod open_files;
mod set_aside;
mod settings;
mod verifying;
