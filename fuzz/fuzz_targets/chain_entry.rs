//! A line of a partition's file: an entry or no entry, never a panic.
#![no_main]

use bytes::Bytes;
use hash_chain::Entry;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    if let Ok(entry) = Entry::parse(Bytes::copy_from_slice(line)) {
        drop(format!("{entry:?}"));
    }
});
