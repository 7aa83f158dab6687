//! The id of a request, in `x-request-id`: taken from the client or made here, given back, and in the log.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};

use tokio::task::futures::TaskLocalFuture;

/// The name of the header, and of the metadata.
pub const NAME: &str = "x-request-id";

/// Longest id that is taken from a client, in bytes.
const LONGEST: usize = 128;
/// Bytes of an id that is made here.
const LENGTH: usize = 32;

thread_local! {
    /// The prefix of all ids of this thread, and the number of the next id.
    static NEXT: Cell<(u64, u64)> = Cell::new((RandomState::new().build_hasher().finish(), 0));
}

tokio::task_local! {
    /// The id of the request that the task works on while it is polled.
    static CURRENT: RequestId;
}

/// An id as log lines need it. It holds no pointer, so that a request costs no allocation for lines that nobody writes.
#[derive(Clone, Copy)]
pub struct RequestId {
    length: usize,
    bytes: [u8; LONGEST],
}

impl RequestId {
    /// Stores an id that was accepted from a client or made here; a longer one is cut.
    pub fn of(id: &[u8]) -> Self {
        let length = id.len().min(LONGEST);
        let mut bytes = [0; LONGEST];
        bytes[..length].copy_from_slice(&id[..length]);
        Self { length, bytes }
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// `work` for the request `id`: each line that it logs carries the id, also while it is dropped.
pub fn scope<F: Future>(id: RequestId, work: F) -> TaskLocalFuture<RequestId, F> {
    CURRENT.scope(id, work)
}

/// [`scope`] for work that awaits nothing.
pub fn sync_scope<R>(id: RequestId, work: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(id, work)
}

/// The id of the request that this task works on now.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(|id| *id).ok()
}

/// Whether an id that a client sent is taken: 1 to 128 visible ASCII characters.
pub fn is_taken(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// A new id: 32 hexadecimal digits, the first half random for each thread, the second one counted.
pub fn make() -> [u8; LENGTH] {
    let (thread, number) = NEXT.get();
    NEXT.set((thread, number.wrapping_add(1)));
    let id = u128::from(thread) << 64 | u128::from(number);
    let mut digits = [0; LENGTH];
    for (digit, place) in digits.iter_mut().rev().zip((0..).step_by(4)) {
        *digit = b"0123456789abcdef"[(id >> place) as usize & 15];
    }
    digits
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn ids_differ_and_are_taken() {
        let ids = [make(), make(), std::thread::spawn(make).join().expect("id")];
        assert!(ids.iter().all(|id| is_taken(id)));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0][..16], ids[1][..16]);
    }

    #[tokio::test]
    async fn work_knows_its_request_until_it_is_dropped() {
        struct AtTheEnd<'a>(&'a Cell<bool>);
        impl Drop for AtTheEnd<'_> {
            fn drop(&mut self) {
                self.0.set(current().is_some_and(|id| id.as_str() == "b"));
            }
        }
        let seen = scope(RequestId::of(b"a"), async {
            tokio::task::yield_now().await;
            current().expect("an id").as_str().to_owned()
        });
        assert_eq!(seen.await, "a");
        let knew = Cell::new(false);
        let mut aborted = Box::pin(scope(RequestId::of(b"b"), async {
            let _end = AtTheEnd(&knew);
            std::future::pending::<()>().await;
        }));
        assert!((&mut aborted).now_or_never().is_none());
        assert!(current().is_none());
        drop(aborted);
        assert!(knew.get());
        assert_eq!(RequestId::of(&[b'x'; 200]).as_str(), "x".repeat(128));
    }

    #[test]
    fn what_could_break_a_log_line_is_not_taken() {
        for taken in ["a", "0af7651916cd43dd8448eb211c80319c", "A-b_c.d:e/f=="] {
            assert!(is_taken(taken.as_bytes()), "{taken}");
        }
        let long = "x".repeat(129);
        for refused in ["", "a b", "a\tb", "é", "a\u{7f}", &long] {
            assert!(!is_taken(refused.as_bytes()), "{refused}");
        }
    }
}
