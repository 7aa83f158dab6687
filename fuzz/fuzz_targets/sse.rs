//! Server-sent events in a chunked body: however the bytes are cut, the same events come out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load_engine::protocol::http1::answer::Body;
use load_stream::chunks::Unframer;
use load_stream::sse::SseParser;

/// Events and errors of a body that comes in pieces of `size` bytes.
fn read(body: &[u8], framing: Body, size: usize) -> (Vec<Option<u64>>, bool) {
    let mut unframer = Unframer::new(framing);
    let mut parser = SseParser::default();
    let mut seen = Vec::new();
    for piece in body.chunks(size) {
        let fed = unframer.feed(piece, |text| {
            parser.feed(text, |event| seen.push(event.ok().map(|event| event.sequence)));
        });
        if fed.is_err() {
            return (seen, false);
        }
    }
    (seen, true)
}

fuzz_target!(|body: &[u8]| {
    let whole = read(body, Body::UntilClose, body.len().max(1));
    for size in [1, 7] {
        assert_eq!(read(body, Body::UntilClose, size), whole);
    }
    let chunked = read(body, Body::Chunked, body.len().max(1));
    let cut = read(body, Body::Chunked, 3);
    if chunked.1 && cut.1 {
        assert_eq!(cut, chunked);
    }
});
