//! Settings of protection for the other tests.

use clap::Parser;

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    protection: protect::ProtectionConfig,
}

/// Nothing is set.
pub(crate) fn off() -> protect::ProtectionConfig {
    Settings::parse_from(["test"]).protection
}
