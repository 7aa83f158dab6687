//! Where a stream goes on, and what a read of it brought.

/// Where a stream goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct From {
    /// After this event; none: where the plan says.
    pub(super) after: Option<u64>,
    /// Events that it had already.
    pub(super) received: u64,
}

/// What a read of an open stream brought.
#[derive(Debug)]
pub(super) enum Read {
    More,
    /// The server ended the stream in good order.
    End,
}
