//! Offers to change the protocol (`Upgrade: h2c`, `Upgrade: websocket`) that no face takes up.
//!
//! A server may ignore the offer (RFC 9110, section 7.8), and the connection goes on. actix-http 3.20 closes it instead, so
//! the offer is taken out of the head before it is parsed. The length stays: `upgrade` becomes `ignored`.

const OFFER: &[u8] = b"upgrade";
const IGNORED: &[u8] = b"ignored";

/// Takes offers out of the head that `bytes` begin with. What follows the head is left as it is.
pub(super) fn ignore_offers(bytes: &mut [u8]) {
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let (line, following) = rest.split_at_mut(end + 1);
        match line.first() {
            // The empty line: the end of the head.
            Some(b'\r' | b'\n') => return,
            Some(b'c' | b'C') => ignore_in_connection(line),
            Some(b'u' | b'U') if begins_with(line, b"upgrade:") => {
                line[..OFFER.len()].copy_from_slice(IGNORED);
            }
            _ => {}
        }
        rest = following;
    }
}

/// Takes the option `upgrade` out of a line that may be `connection: ...`.
fn ignore_in_connection(line: &mut [u8]) {
    const NAME: &[u8] = b"connection:";
    if !begins_with(line, NAME) {
        return;
    }
    for option in line[NAME.len()..].split_mut(|byte| *byte == b',') {
        let blank = option.iter().take_while(|byte| byte.is_ascii_whitespace());
        let blank = blank.count();
        let option = option[blank..].trim_ascii_end_mut();
        if option.eq_ignore_ascii_case(OFFER) {
            option.copy_from_slice(IGNORED);
        }
    }
}

fn begins_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(name))
}

trait TrimEnd {
    fn trim_ascii_end_mut(&mut self) -> &mut [u8];
}

impl TrimEnd for [u8] {
    fn trim_ascii_end_mut(&mut self) -> &mut [u8] {
        let length = self.trim_ascii_end().len();
        &mut self[..length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without_offers(head: &str) -> String {
        let mut bytes = head.as_bytes().to_vec();
        ignore_offers(&mut bytes);
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn offers_are_ignored_and_nothing_else_changes() {
        for (sent, kept) in [
            (
                "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n\r\n",
                "GET / HTTP/1.1\r\nConnection: ignored, HTTP2-Settings\r\nignored: h2c\r\nHTTP2-Settings: AAM\r\n\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nCONNECTION:keep-alive,upgrade \r\nupgrade: websocket\r\n\r\n",
                "GET / HTTP/1.1\r\nCONNECTION:keep-alive,ignored \r\nignored: websocket\r\n\r\n",
            ),
            (
                "GET /upgrade HTTP/1.1\r\nconnection: close\r\nupgrade-insecure-requests: 1\r\nx: upgrade\r\n\r\n",
                "GET /upgrade HTTP/1.1\r\nconnection: close\r\nupgrade-insecure-requests: 1\r\nx: upgrade\r\n\r\n",
            ),
            (
                "POST / HTTP/1.1\r\nhost: x\r\n\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
                "POST / HTTP/1.1\r\nhost: x\r\n\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n",
            ),
            ("connection: upgrade", "connection: upgrade"),
            ("connection: \r\n", "connection: \r\n"),
            ("", ""),
        ] {
            assert_eq!(without_offers(sent), kept);
        }
    }
}
