//! When an append counts as done.

/// What an acknowledgement promises. The caller chooses it, in plain sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Written to the operating system: survives the end of the process, not a loss of power.
    Buffered,
    /// On the disk (`fdatasync`): survives both.
    #[default]
    Synced,
}

impl Durability {
    /// All of them, the weakest first.
    pub const ALL: [Self; 2] = [Self::Buffered, Self::Synced];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Buffered => "buffered",
            Self::Synced => "synced",
        }
    }

    /// What it promises, for a help text.
    #[must_use]
    pub fn promise(self) -> &'static str {
        match self {
            Self::Buffered => {
                "Written to the operating system: survives the end of the process, not a loss of power"
            }
            Self::Synced => "On the disk (`fdatasync`): survives both",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}
