//! What the generator spends on an answer: `cargo bench -p load-engine`.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use load_engine::protocol::http1::answer::{self, Progress};

fn main() {
    divan::main();
}

const SHORT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 56\r\ncontent-type: application/json\r\ndate: Mon, 30 Nov 2026 12:00:00 GMT\r\n\r\n{\"success\":true,\"message\":\"Event processed successfully\"}";
const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n38\r\n{\"success\":true,\"message\":\"Event processed successfully\"}\r\n0\r\n\r\n";

#[divan::bench(args = [SHORT, CHUNKED])]
fn parse(bencher: Bencher<'_, '_>, bytes: &[u8]) {
    let whole = matches!(answer::parse(bytes, false), Progress::Complete(_));
    assert!(whole, "it is a whole answer");
    bencher
        .counter(BytesCount::of_slice(bytes))
        .bench_local(|| answer::parse(black_box(bytes), false));
}
