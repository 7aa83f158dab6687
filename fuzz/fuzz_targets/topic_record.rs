//! Records of a topic's segment: parsed one after the other, never a panic, and none takes more than there is.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use topics::record;

fuzz_target!(|segment: &[u8]| {
    let mut rest = Bytes::copy_from_slice(segment);
    while let Some((record, size)) = record::parse(&rest) {
        assert!(size > 0 && size <= rest.len());
        drop(format!("{record:?}"));
        rest = rest.slice(size..);
    }
});
