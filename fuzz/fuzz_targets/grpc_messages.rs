//! The load generator's gRPC: length-prefixed messages from a server that means ill.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use load_engine::protocol::grpc::{PREFIX, next_message};
use load_stream::event::SeenTransaction;

fuzz_target!(|bytes: &[u8]| {
    let mut buffer = BytesMut::from(bytes);
    let mut seen = SeenTransaction::default();
    let mut taken = 0;
    while let Some(message) = next_message(&mut buffer) {
        taken += PREFIX + message.len();
        let _read = seen.read(&message);
    }
    assert_eq!(taken + buffer.len(), bytes.len());
});
