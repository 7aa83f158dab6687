//! Memory of large bodies is given back to the system once they have gone.
//!
//! mimalloc keeps what is freed for 10 ms, and looks for what it has kept for longer only when something large is freed
//! again. A service that has become quiet would keep the memory of its last busy moment: of 100 bodies of 5 MB, up to 120 MiB.

/// Bytes of unfinished bodies that are worth it.
const LARGE: usize = 4 * 1024 * 1024;
/// Looks after which the allocator has noticed.
const LOOKS: u8 = 4;

/// Sees to it that memory is given back.
#[derive(Debug, Default)]
pub(super) struct GivenBack {
    owed: u8,
}

impl GivenBack {
    /// Notes that `bytes` are in use now. Call it a few times a second.
    pub(super) fn watch(&mut self, bytes: usize) {
        if bytes > LARGE {
            self.owed = LOOKS;
        }
        if let Some(owed) = self.owed.checked_sub(1) {
            self.owed = owed;
            // Never touched, so it takes no memory; freeing it makes the allocator look.
            drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE)));
        }
    }
}
