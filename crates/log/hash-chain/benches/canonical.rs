//! What an entry of a chain costs: `cargo bench -p hash-chain`.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use hash_chain::Entry;
use hash_chain::canonical::{self, KeyOrder};

fn main() {
    divan::main();
}

const DATA: &[u8] = br#"{"user":"u-1","action":"login","when":"2026-11-30T12:00:00Z","ip":"10.0.0.1","details":{"agent":"Mozilla/5.0","score":0.25,"tags":["a","b",null,true]},"note":"M\u00fcller"}"#;

#[divan::bench]
fn canonical_json(bencher: Bencher<'_, '_>) {
    let mut out = Vec::with_capacity(2 * DATA.len());
    bencher.counter(BytesCount::of_slice(DATA)).bench_local(|| {
        out.clear();
        canonical::write(black_box(DATA), KeyOrder::Sorted, &mut out).is_ok()
    });
}

#[divan::bench]
fn parse_entry(bencher: Bencher<'_, '_>) {
    let zeros = "0".repeat(64);
    let data = String::from_utf8_lossy(DATA);
    let line = Bytes::from(format!(
        r#"{{"seq":0,"ts":"2026-11-30T12:00:00.000000+00:00","partition":"p","prev_hash":"{zeros}","data":{data},"hash":"{zeros}"}}"#
    ));
    assert!(Entry::parse(line.clone()).is_ok(), "the line is an entry");
    bencher
        .counter(BytesCount::of_slice(&line))
        .bench_local(|| Entry::parse(black_box(line.clone())));
}
