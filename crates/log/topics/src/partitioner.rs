//! Which partition a record goes to where the producer names none. Pure.

use std::sync::atomic::{AtomicU32, Ordering};

/// By the key's hash, as Apache Kafka's clients choose by default, so that a key stays where they would put it; records
/// without a key go round.
#[derive(Debug, Default)]
pub struct Partitioner {
    next: AtomicU32,
}

impl Partitioner {
    /// A partition below `partitions`, which must not be 0.
    #[must_use]
    pub fn choose(&self, key: &[u8], partitions: u32) -> u32 {
        let number = if key.is_empty() {
            self.next.fetch_add(1, Ordering::Relaxed)
        } else {
            murmur2(key) & 0x7fff_ffff
        };
        number % partitions
    }
}

/// Murmur2, 32 bits, with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Kafka's own UtilsTest.testMurmur2.
    #[test]
    fn the_hash_is_that_of_kafka() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn a_key_stays_and_records_without_one_go_round() {
        let partitioner = Partitioner::default();
        let with_key: Vec<u32> = (0..5).map(|_| partitioner.choose(b"k", 7)).collect();
        assert!(with_key.iter().all(|partition| *partition == with_key[0]));
        let without: Vec<u32> = (0..5).map(|_| partitioner.choose(b"", 3)).collect();
        assert_eq!(without, [0, 1, 2, 0, 1]);
    }
}
