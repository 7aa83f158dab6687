//! What is written to.

use std::io;

/// The file behind a partition. One thread at a time calls it.
pub trait Sink: Send + 'static {
    /// What is appended.
    type Item: Send + 'static;
    /// The answer to one item: where it was written.
    type Answer: Send + 'static;

    /// Appends `batch` with one write and pushes one answer for each item, in order; leaves `batch` empty.
    ///
    /// # Errors
    /// The write failed. Items that were answered are written, the others are not. If the reason was a lack of room
    /// ([`is_out_of_room`](crate::is_out_of_room)), the sink is written to again after [`take_back`](Self::take_back); for
    /// any other reason never.
    fn write(
        &mut self,
        batch: &mut Vec<Self::Item>,
        answers: &mut Vec<Self::Answer>,
    ) -> io::Result<()>;

    /// Brings all that was written to the disk. Called once after a write if one of its items asked for it.
    ///
    /// # Errors
    /// The sync failed: nobody knows what is on the disk, and a second try would not tell. The sink is not written to again.
    fn sync(&mut self) -> io::Result<()>;

    /// Cuts what a failed write left behind the last item that was answered, and goes on from there. Called before the next
    /// write, and again each time it fails for lack of room.
    ///
    /// # Errors
    /// What is left cannot be cut.
    fn take_back(&mut self) -> io::Result<()>;

    /// Whether a write of `item` goes into the operating system's memory and does nothing else: no file is made, opened or
    /// removed. Then a task writes it itself.
    fn is_quick(&self, _item: &Self::Item) -> bool {
        true
    }

    /// Whether the sink is closed on purpose, so that a refusal is not a fault of the store.
    fn is_closed(&self) -> bool {
        false
    }
}
