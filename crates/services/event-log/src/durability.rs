//! When an append counts as done.

/// What an acknowledgement promises. The caller chooses it, in plain sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Durability {
    /// Written to the operating system: survives the end of the process, not a loss of power.
    Buffered,
    /// On the disk (`fdatasync`): survives both.
    #[default]
    Synced,
}
