//! The load generator's HTTP/1.1: an answer of a server that means ill, whole and cut off anywhere.
#![no_main]

use load_engine::protocol::http1::answer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    std::hint::black_box(answer::parse(bytes, false));
    std::hint::black_box(answer::parse(bytes, true));
});
