//! Where messages begin and end in the bytes of a call (gRPC over HTTP/2, "Length-Prefixed-Message"). Pure.

/// A flag and the length.
const PREFIX: usize = 5;

/// Follows the bytes of a call.
#[derive(Debug, Default)]
pub(super) struct Framing {
    prefix: [u8; PREFIX],
    prefix_bytes: usize,
    /// Bytes of the message that came, without the prefix.
    came: usize,
}

impl Framing {
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.prefix_bytes < PREFIX {
                let length = bytes.len().min(PREFIX - self.prefix_bytes);
                self.prefix[self.prefix_bytes..][..length].copy_from_slice(&bytes[..length]);
                self.prefix_bytes += length;
                bytes = &bytes[length..];
            }
            if self.prefix_bytes == PREFIX {
                let [_, a, b, c, d] = self.prefix;
                let whole = u32::from_be_bytes([a, b, c, d]) as usize;
                let length = bytes.len().min(whole - self.came);
                self.came += length;
                bytes = &bytes[length..];
                if self.came == whole {
                    (self.prefix_bytes, self.came) = (0, 0);
                }
            }
        }
    }

    /// Bytes of a message that has not come whole; 0: none is under way.
    pub(super) fn part(&self) -> usize {
        self.prefix_bytes + self.came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_followed_in_any_pieces() {
        let messages = [
            &[0, 0, 0, 0, 3, 1, 2, 3][..],
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 1, 0],
            &[7; 256],
        ]
        .concat();
        for piece in [1, 2, 3, 5, 8, 13, messages.len()] {
            let mut framing = Framing::default();
            for piece in messages.chunks(piece) {
                framing.follow(piece);
            }
            assert_eq!(framing.part(), 0, "{piece}");
        }
        let mut framing = Framing::default();
        framing.follow(&messages[..messages.len() - 1]);
        assert_eq!(framing.part(), 260);
        framing.follow(&[7, 0]);
        assert_eq!(framing.part(), 1);
    }
}
