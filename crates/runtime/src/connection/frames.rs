//! How many control frames an HTTP/2 client sends. Each costs the server work and the client next to nothing: a flood of them
//! ends the connection (CVE-2019-9512, 9515, 9518 and CVE-2023-44487).
//!
//! Frames have a price that is paid from a credit. Bodies and what the server sends earn credit, since clients answer it with
//! window updates and pings; a little comes with time.

/// Frames that may come at once.
const CREDIT: u64 = 2000;
/// Frames that may come each second.
const CREDIT_A_SECOND: u64 = 200;
/// Bytes sent to the client that allow it one frame more.
const BYTES_SENT_A_FRAME: u64 = 40;
/// Length of a frame's head (RFC 9113, section 4.1).
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// The frames of one client, followed through the bytes that it sends.
#[derive(Debug)]
pub(super) struct Frames {
    /// Bytes of the preface that are still to come.
    preface: usize,
    head: [u8; HEAD],
    head_bytes: usize,
    /// Bytes of the frame that are still to come.
    rest: usize,
    credit: u64,
    as_of_ms: u64,
    sent: u64,
    has_begun: bool,
}

impl Frames {
    /// Before the first byte, whose client sends a preface of `preface` bytes first.
    pub(super) fn new(preface: usize, now_ms: u64) -> Self {
        Self {
            preface,
            head: [0; HEAD],
            head_bytes: 0,
            rest: 0,
            credit: CREDIT,
            as_of_ms: now_ms,
            sent: 0,
            has_begun: false,
        }
    }

    /// Whether the head of a frame has come.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Notes bytes sent to the client.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// Follows bytes from the client. Whether its control frames are within bounds.
    #[must_use]
    pub(super) fn follow(&mut self, mut bytes: &[u8], now_ms: u64) -> bool {
        self.earn(now_ms);
        while !bytes.is_empty() {
            let skipped = if self.preface > 0 {
                &mut self.preface
            } else {
                &mut self.rest
            };
            if *skipped > 0 {
                let length = bytes.len().min(*skipped);
                *skipped -= length;
                bytes = &bytes[length..];
                continue;
            }
            let length = bytes.len().min(HEAD - self.head_bytes);
            self.head[self.head_bytes..][..length].copy_from_slice(&bytes[..length]);
            self.head_bytes += length;
            bytes = &bytes[length..];
            if self.head_bytes == HEAD && !self.pay() {
                return false;
            }
        }
        true
    }

    fn earn(&mut self, now_ms: u64) {
        let passed = now_ms.saturating_sub(self.as_of_ms);
        let by_time = passed * CREDIT_A_SECOND / 1000;
        if by_time > 0 {
            self.as_of_ms = now_ms;
        }
        let by_answers = self.sent / BYTES_SENT_A_FRAME;
        self.sent %= BYTES_SENT_A_FRAME;
        self.credit = (self.credit + by_time + by_answers).min(CREDIT);
    }

    /// The price of the frame whose head is complete.
    fn pay(&mut self) -> bool {
        self.has_begun = true;
        self.head_bytes = 0;
        let [a, b, c, kind, ..] = self.head;
        self.rest = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            DATA if self.rest > 0 => {
                self.credit = (self.credit + 1).min(CREDIT);
                true
            }
            HEADERS => true,
            _ => {
                let paid = self.credit.checked_sub(1);
                self.credit = paid.unwrap_or(0);
                paid.is_some()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        bytes.resize(HEAD + length as usize, 6);
        bytes
    }

    #[test]
    fn a_flood_is_out_of_bounds_in_any_pieces() {
        for piece in [1, 5, 17, 4096] {
            let mut frames = Frames::new(24, 0);
            let flood = [vec![0; 24], frame(PING, 8).repeat(CREDIT as usize)].concat();
            assert!(
                flood.chunks(piece).all(|piece| frames.follow(piece, 0)),
                "{piece}"
            );
            assert!(!frames.follow(&frame(PING, 8), 0), "{piece}");
        }
    }

    #[test]
    fn calls_and_their_window_updates_are_within_bounds() {
        let mut frames = Frames::new(0, 0);
        let call = [frame(HEADERS, 50), frame(DATA, 200), frame(8, 4)].concat();
        for _ in 0..10 * CREDIT {
            assert!(frames.follow(&call, 0));
        }
        // A client that reads a long stream.
        for _ in 0..10 * CREDIT {
            frames.sent(109);
            assert!(frames.follow(&frame(8, 4).repeat(2), 0));
        }
        let mut second = 0;
        for _ in 0..10 * CREDIT {
            second += 1000;
            assert!(frames.follow(&frame(PING, 8).repeat(CREDIT_A_SECOND as usize), second));
        }
    }

    #[test]
    fn empty_data_resets_and_settings_cost() {
        for (kind, length) in [(DATA, 0), (3, 4), (4, 0), (9, 10), (77, 1)] {
            let mut frames = Frames::new(0, 0);
            let flood = frame(kind, length).repeat(CREDIT as usize + 1);
            assert!(!frames.follow(&flood, 0), "{kind}");
        }
    }

    #[test]
    fn it_begins_with_the_head_of_a_frame() {
        let mut frames = Frames::new(24, 0);
        assert!(frames.follow(&[0; 24], 0) && !frames.has_begun());
        assert!(frames.follow(&frame(4, 0)[..8], 0) && !frames.has_begun());
        assert!(frames.follow(&[1], 0) && frames.has_begun());
    }
}
