//! The journal of a chained partition: what counts goes on where the record before it ended, whatever the bytes are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|journal: &[u8]| {
    if let Some((place, lines)) = hash_chain::lines_kept(journal) {
        assert!(lines.len() < journal.len());
        assert!(place.checked_add(lines.len() as u64).is_some());
    }
});
