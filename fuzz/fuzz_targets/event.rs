//! An event or a bulk from anybody: parsed or refused, never a panic, and what is taken is JSON.
#![no_main]

use domain::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if Event::from_json(body).is_ok() {
        serde_json::from_slice::<&serde_json::value::RawValue>(body).expect("an event that was taken is JSON");
    }
    if let Ok(elements) = domain::parse_bulk(body) {
        for element in elements {
            drop(element.event());
        }
    }
});
