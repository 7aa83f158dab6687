//! What one event costs before it reaches a queue: `cargo bench -p domain`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use domain::Event;

fn main() {
    divan::main();
}

/// An event whose attributes are about as many bytes as named.
fn event(attribute_bytes: usize) -> Vec<u8> {
    let text = "x".repeat(attribute_bytes);
    format!(
        r#"{{"eventHeader":{{"uuid":"550e8400-e29b-41d4-a716-446655440000","eventName":"CarCreated","createdDate":"2024-01-15T10:30:00Z"}},"eventBody":{{"entities":[{{"entityType":"Car","entityId":"car-1","updatedAttributes":{{"year":2024,"price":24439.75,"text":"{text}"}}}}]}}}}"#
    )
    .into_bytes()
}

#[divan::bench(args = [400, 4_000, 64_000])]
fn parse(bencher: Bencher<'_, '_>, attribute_bytes: usize) {
    let body = event(attribute_bytes);
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| Event::from_json(black_box(&body)));
}

#[divan::bench(args = [64, 1_000])]
fn parse_bulk(bencher: Bencher<'_, '_>, events: usize) {
    let one = String::from_utf8(event(400)).unwrap_or_default();
    let body = format!("[{}]", vec![one; events].join(",")).into_bytes();
    bencher
        .counter(BytesCount::of_slice(&body))
        .bench_local(|| {
            let elements = domain::parse_bulk(black_box(&body))?;
            elements
                .into_iter()
                .map(domain::BulkElement::event)
                .collect::<Result<Vec<_>, _>>()
        });
}
