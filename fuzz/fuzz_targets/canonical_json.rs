//! Canonical JSON: what is written is JSON, and its own canonical form.
#![no_main]

use hash_chain::canonical::{self, KeyOrder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let mut once = Vec::new();
    if canonical::write(text, KeyOrder::Sorted, &mut once).is_ok() {
        assert!(once.is_ascii());
        let mut twice = Vec::new();
        canonical::write(&once, KeyOrder::Sorted, &mut twice).expect("its own form is valid");
        assert_eq!(once, twice);
    }
});
