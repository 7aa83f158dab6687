//! Server-sent events, read by bytes (WHATWG HTML, 9.2.6).

use crate::event::{Event, number, read_json};

/// The state between two reads.
#[derive(Debug, Default)]
pub struct SseParser {
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    data: Vec<u8>,
    id: Option<u64>,
    /// The event has another name than `transaction`.
    foreign: bool,
}

impl SseParser {
    /// Reads on; `on` is given each transaction, or what is wrong with it.
    pub fn feed(&mut self, mut text: &[u8], mut on: impl FnMut(Result<Event<'_>, &'static str>)) {
        while let Some(end) = memchr::memchr(b'\n', text) {
            let (line, rest) = (&text[..end], &text[end + 1..]);
            if self.partial.is_empty() {
                self.line(line, &mut on);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(line);
                self.line(&whole, &mut on);
                // Its memory is used again.
                whole.clear();
                self.partial = whole;
            }
            text = rest;
        }
        self.partial.extend_from_slice(text);
    }

    fn line(&mut self, line: &[u8], on: &mut impl FnMut(Result<Event<'_>, &'static str>)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.dispatch(on);
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"data" => {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"id" => self.id = number(value),
            b"event" => self.foreign = value != b"transaction",
            // A comment has no name before its colon; other fields mean nothing here.
            _ => {}
        }
    }

    fn dispatch(&mut self, on: &mut impl FnMut(Result<Event<'_>, &'static str>)) {
        let (id, foreign) = (self.id.take(), std::mem::take(&mut self.foreign));
        if !self.data.is_empty() && !foreign {
            let read = read_json(&self.data, |event| match id {
                // A client that resumes would ask for another event than it had.
                Some(id) if id != event.sequence => on(Err("id is not the sequence")),
                _ => on(Ok(event)),
            });
            if let Err(wrong) = read {
                on(Err(wrong));
            }
        }
        self.data.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = concat!(
        ": heartbeat\n\n",
        "id: 7\nevent: transaction\ndata: {\"tx_id\":\"a\",\"sequence\":7,\"emitted_at_us\":1}\n\n",
        "id: 8\r\nevent: transaction\r\ndata:{\"tx_id\":\"b\",\r\ndata:\"sequence\":8}\r\n\r\n",
        "event: other\ndata: x\n\n",
        "id: 9\ndata: {\"tx_id\":\"c\",\"sequence\":10}\n\n",
        "data: broken\n\n",
        "id: 11\n",
    );

    fn read(pieces: &[&[u8]]) -> Vec<Result<u64, &'static str>> {
        let mut parser = SseParser::default();
        let mut seen = Vec::new();
        for piece in pieces {
            parser.feed(piece, |event| seen.push(event.map(|event| event.sequence)));
        }
        seen
    }

    #[test]
    fn events_are_read_wherever_the_text_is_cut() {
        let expected = [
            Ok(7),
            Ok(8),
            Err("id is not the sequence"),
            Err("unreadable event"),
        ];
        let bytes = TEXT.as_bytes();
        assert_eq!(read(&[bytes]), expected);
        for cut in 0..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read(&[first, second]), expected, "cut at {cut}");
        }
    }
}
