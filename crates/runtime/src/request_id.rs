//! The id of a request, in `x-request-id`: taken from the client or made here, given back, and in the log.

use std::cell::Cell;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// The name of the header, and of the metadata.
pub const NAME: &str = "x-request-id";

/// Longest id that is taken from a client, in bytes.
const LONGEST: usize = 128;
/// Bytes of an id that is made here.
const LENGTH: usize = 32;

thread_local! {
    /// What all ids of this thread begin with, and the number of the next.
    static NEXT: Cell<(u64, u64)> = Cell::new((RandomState::new().build_hasher().finish(), 0));
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
    use super::*;

    #[test]
    fn ids_differ_and_are_taken() {
        let ids = [make(), make(), std::thread::spawn(make).join().expect("id")];
        assert!(ids.iter().all(|id| is_taken(id)));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
        assert_eq!(ids[0][..16], ids[1][..16]);
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
