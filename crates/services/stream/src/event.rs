//! A numbered transaction, encoded at most once for each face.

use std::sync::OnceLock;

use bytes::BufMut;
use domain::Transaction;
use prost::Message;
use serde::Serialize;

/// A numbered transaction. Subscribers share it, and with it what is the same in all that they are sent: everything but
/// the time of sending, which comes last in both encodings.
#[derive(Debug)]
pub struct Event {
    sequence: u64,
    written_in: u64,
    transaction: Transaction,
    sse: OnceLock<Box<[u8]>>,
    grpc: OnceLock<Box<[u8]>>,
}

/// Greatest number of bytes that an encoding of the sending time adds.
const SENDING_TIME_BYTES: usize = 24;

impl Event {
    /// `written_in` is the id of the database transaction that inserted it.
    pub(crate) fn new(sequence: u64, written_in: u64, transaction: Transaction) -> Self {
        Self {
            sequence,
            written_in,
            transaction,
            sse: OnceLock::new(),
            grpc: OnceLock::new(),
        }
    }

    /// From 1, without gaps.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What was inserted.
    #[must_use]
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    pub(crate) fn written_in(&self) -> u64 {
        self.written_in
    }

    /// About how much memory it takes when both encodings are made.
    pub(crate) fn size_bytes(&self) -> usize {
        // Each text stands in three places, with names and numbers around it.
        size_of::<Self>() + 3 * self.transaction.text_bytes() + 250
    }

    /// Bytes that [`Self::write_sse`] writes at most.
    pub(crate) fn sse_bytes(&self) -> usize {
        self.sse().len() + SENDING_TIME_BYTES
    }

    /// Appends the event as `text/event-stream` has it.
    pub(crate) fn write_sse(&self, emitted_at_us: i64, out: &mut impl BufMut) {
        out.put_slice(self.sse());
        let mut digits = [0; 20];
        out.put_slice(decimal(emitted_at_us, &mut digits));
        out.put_slice(b"}\n\n");
    }

    /// Appends the message `benchmark.Transaction`, without a length.
    pub(crate) fn write_grpc(&self, emitted_at_us: i64, out: &mut impl BufMut) {
        /// Field 8, a varint.
        const EMITTED_AT_US: u8 = 8 << 3;
        out.put_slice(self.grpc());
        out.put_u8(EMITTED_AT_US);
        prost::encoding::encode_varint(emitted_at_us.cast_unsigned(), out);
    }

    fn sse(&self) -> &[u8] {
        self.sse.get_or_init(|| {
            let transaction = &self.transaction;
            let json = Json {
                tx_id: &transaction.tx_id,
                from: &transaction.from_account,
                to: &transaction.to_account,
                amount: transaction.amount_tinybar,
                r#type: &transaction.tx_type,
                timestamp: transaction.timestamp.to_string(),
                sequence: self.sequence,
            };
            // Texts and numbers always serialize.
            let json = serde_json::to_string(&json).unwrap_or_default();
            let open = json.strip_suffix('}').unwrap_or_default();
            let sequence = self.sequence;
            let text =
                format!("id: {sequence}\nevent: transaction\ndata: {open},\"emitted_at_us\":");
            text.into_bytes().into()
        })
    }

    fn grpc(&self) -> &[u8] {
        self.grpc.get_or_init(|| {
            let transaction = &self.transaction;
            let message = api::benchmark::Transaction {
                tx_id: transaction.tx_id.clone(),
                from_account: transaction.from_account.clone(),
                to_account: transaction.to_account.clone(),
                amount_tinybar: transaction.amount_tinybar,
                tx_type: transaction.tx_type.clone(),
                timestamp: transaction.timestamp.to_string(),
                sequence: self.sequence,
                // 0 is not on the wire.
                emitted_at_us: 0,
            };
            message.encode_to_vec().into()
        })
    }
}

/// The event as JSON, in the order of the contract; `emitted_at_us` follows.
#[derive(Serialize)]
struct Json<'a> {
    tx_id: &'a str,
    from: &'a str,
    to: &'a str,
    amount: i64,
    r#type: &'a str,
    timestamp: String,
    sequence: u64,
}

/// The digits of a number that is not negative.
fn decimal(number: i64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number.unsigned_abs();
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            return &digits[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use api::benchmark;
    use domain::Timestamp;

    use super::*;

    fn event() -> Event {
        Event::new(
            7,
            3,
            Transaction {
                tx_id: "0.0.1@1\n\"2\"".into(),
                from_account: "0.0.100000".into(),
                to_account: String::new(),
                amount_tinybar: -5,
                tx_type: "transfer".into(),
                timestamp: Timestamp::from_micros(1_705_314_600_000_000),
            },
        )
    }

    #[test]
    fn sse_has_one_line_of_json() {
        let event = event();
        let mut text = Vec::new();
        event.write_sse(1_795_272_778_987_000, &mut text);
        assert!(text.len() <= event.sse_bytes());
        let text = String::from_utf8(text).expect("text");
        assert_eq!(
            text,
            concat!(
                "id: 7\nevent: transaction\n",
                r#"data: {"tx_id":"0.0.1@1\n\"2\"","from":"0.0.100000","to":"","amount":-5,"type":"transfer","#,
                r#""timestamp":"2024-01-15T10:30:00Z","sequence":7,"emitted_at_us":1795272778987000}"#,
                "\n\n"
            )
        );
    }

    #[test]
    fn grpc_is_what_prost_reads() {
        let mut bytes = Vec::new();
        event().write_grpc(1_795_272_778_987_000, &mut bytes);
        let message = benchmark::Transaction::decode(&bytes[..]).expect("a message");
        assert_eq!(message.tx_id, "0.0.1@1\n\"2\"");
        assert_eq!(message.amount_tinybar, -5);
        assert_eq!(message.timestamp, "2024-01-15T10:30:00Z");
        assert_eq!(message.sequence, 7);
        assert_eq!(message.emitted_at_us, 1_795_272_778_987_000);
    }

    #[test]
    fn digits() {
        let mut digits = [0; 20];
        assert_eq!(decimal(0, &mut digits), b"0");
        assert_eq!(decimal(i64::MAX, &mut digits), b"9223372036854775807");
    }
}
