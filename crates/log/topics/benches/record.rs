//! What it costs to read a record of a topic back: `cargo bench -p topics`.

use bytes::Bytes;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use topics::record;

fn main() {
    divan::main();
}

/// A record as it stands on disk, without key and headers.
fn on_disk(value_bytes: usize) -> Bytes {
    let mut record = Vec::new();
    let size = 44 + value_bytes - 8;
    record.extend_from_slice(&[0; 4]);
    record.extend_from_slice(&u32::try_from(size).unwrap_or_default().to_le_bytes());
    // Offset, timestamp, time of the append.
    record.extend_from_slice(&[0; 24]);
    for length in [0, value_bytes, 0] {
        record.extend_from_slice(&u32::try_from(length).unwrap_or_default().to_le_bytes());
    }
    record.resize(44 + value_bytes, b'x');
    let checksum = crc32c::crc32c(&record[4..]);
    record[..4].copy_from_slice(&checksum.to_le_bytes());
    record.into()
}

#[divan::bench(args = [100, 1_000, 64_000])]
fn parse(bencher: Bencher<'_, '_>, value_bytes: usize) {
    let bytes = on_disk(value_bytes);
    let read = record::parse(&bytes).map(|(record, size)| (record.value.len(), size));
    assert_eq!(read, Some((value_bytes, bytes.len())), "it is a record");
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench_local(|| record::parse(black_box(&bytes)));
}
