//! What a subscriber spends on an event, over both protocols: `cargo bench -p load-stream`.

use api::benchmark::Transaction;
use divan::{Bencher, black_box};
use load_stream::event::SeenTransaction;
use load_stream::sse::SseParser;
use prost::Message;

fn main() {
    divan::main();
}

const EVENT: &[u8] = b"id: 4711\nevent: transaction\ndata: {\"tx_id\":\"550e8400-e29b-41d4-a716-446655440000\",\"from\":\"0.0.100000\",\"to\":\"0.0.100001\",\"amount\":123456789,\"type\":\"transfer\",\"timestamp\":\"2026-11-30T12:00:00.123456Z\",\"sequence\":4711,\"emitted_at_us\":1795272778987000}\n\n";

#[divan::bench]
fn over_sse(bencher: Bencher<'_, '_>) {
    let mut parser = SseParser::default();
    bencher.bench_local(|| {
        let mut sequence = 0;
        parser.feed(black_box(EVENT), |event| {
            sequence = event.map_or(0, |event| event.sequence);
        });
        assert_eq!(sequence, 4711, "the event is read");
    });
}

#[divan::bench]
fn over_grpc(bencher: Bencher<'_, '_>) {
    let message = Transaction {
        tx_id: "550e8400-e29b-41d4-a716-446655440000".into(),
        from_account: "0.0.100000".into(),
        to_account: "0.0.100001".into(),
        amount_tinybar: 123_456_789,
        tx_type: "transfer".into(),
        timestamp: "2026-11-30T12:00:00.123456Z".into(),
        sequence: 4711,
        emitted_at_us: 1_795_272_778_987_000,
    };
    let message = message.encode_to_vec();
    let mut seen = SeenTransaction::default();
    bencher.bench_local(|| {
        let sequence = seen
            .read(black_box(&message))
            .map_or(0, |event| event.sequence);
        assert_eq!(sequence, 4711, "the event is read");
    });
}
