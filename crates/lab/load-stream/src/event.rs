//! What is read of an event, and what of its encodings.

use std::borrow::Cow;

use memchr::memmem;
use prost::Message;
use serde::Deserialize;

/// A received transaction, as far as it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// As it was sent.
    pub tx_id: &'a [u8],
    /// 0: the event has none.
    pub sequence: u64,
    /// Microseconds since 1970; 0: the event has none.
    pub emitted_at_us: i64,
}

/// Reads the JSON of a server-sent event and hands it on. The order of the contract is read without a parser.
///
/// # Errors
/// It is no such JSON.
pub fn read_json<T>(data: &[u8], then: impl FnOnce(Event<'_>) -> T) -> Result<T, &'static str> {
    if let Some(event) = expected(data) {
        return Ok(then(event));
    }
    #[derive(Deserialize)]
    struct Json<'a> {
        #[serde(borrow)]
        tx_id: Cow<'a, str>,
        #[serde(default)]
        sequence: u64,
        #[serde(default)]
        emitted_at_us: i64,
    }
    let json: Json<'_> = serde_json::from_slice(data).map_err(|_| "unreadable event")?;
    Ok(then(Event {
        tx_id: json.tx_id.as_bytes(),
        sequence: json.sequence,
        emitted_at_us: json.emitted_at_us,
    }))
}

/// `{"tx_id":"...", ... ,"sequence":N,"emitted_at_us":N}`.
fn expected(data: &[u8]) -> Option<Event<'_>> {
    let rest = data.strip_prefix(b"{\"tx_id\":\"")?;
    let tx_id = &rest[..memchr::memchr2(b'"', b'\\', rest)?];
    if rest.get(tx_id.len()) != Some(&b'"') {
        return None;
    }
    // Both are at the end, where no text of the sender's can follow.
    let emitted_at = memmem::rfind(data, b",\"emitted_at_us\":")?;
    let (head, tail) = data.split_at(emitted_at);
    let sequence_at = memmem::rfind(head, b",\"sequence\":")?;
    let sequence = number(&head[sequence_at + b",\"sequence\":".len()..])?;
    let emitted = tail.strip_prefix(b",\"emitted_at_us\":")?;
    let emitted_at_us = number(emitted.strip_suffix(b"}")?)?;
    Some(Event {
        tx_id,
        sequence,
        emitted_at_us: i64::try_from(emitted_at_us).ok()?,
    })
}

/// Digits and nothing else.
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// The message `benchmark.Transaction` as far as it is looked at: prost passes over the other fields.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct SeenTransaction {
    #[prost(bytes = "vec", tag = "1")]
    tx_id: Vec<u8>,
    #[prost(uint64, tag = "7")]
    sequence: u64,
    #[prost(int64, tag = "8")]
    emitted_at_us: i64,
}

impl SeenTransaction {
    /// Reads a message in place of the one before, whose memory is used again.
    ///
    /// # Errors
    /// It is no such message.
    pub fn read(&mut self, message: &[u8]) -> Result<Event<'_>, &'static str> {
        self.clear();
        self.merge(message).map_err(|_| "unreadable event")?;
        Ok(Event {
            tx_id: &self.tx_id,
            sequence: self.sequence,
            emitted_at_us: self.emitted_at_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use api::benchmark::Transaction;

    use super::*;

    fn json(data: &str) -> Result<(String, u64, i64), &'static str> {
        read_json(data.as_bytes(), |event| {
            let tx_id = String::from_utf8(event.tx_id.to_vec()).unwrap();
            (tx_id, event.sequence, event.emitted_at_us)
        })
    }

    #[test]
    fn json_in_the_order_of_the_contract_and_in_any_other() {
        for (data, expected) in [
            (
                r#"{"tx_id":"a@1","from":"x","to":"y","amount":-5,"type":"t","timestamp":"z","sequence":7,"emitted_at_us":12}"#,
                ("a@1", 7, 12),
            ),
            (
                r#"{"tx_id":"a\"1","from":",\"sequence\":9","sequence":7,"emitted_at_us":12}"#,
                ("a\"1", 7, 12),
            ),
            (
                r#"{ "emitted_at_us": 12, "sequence": 7, "tx_id": "a" }"#,
                ("a", 7, 12),
            ),
            (r#"{"tx_id":"a"}"#, ("a", 0, 0)),
        ] {
            let (tx_id, sequence, emitted) = expected;
            assert_eq!(
                json(data),
                Ok((tx_id.to_owned(), sequence, emitted)),
                "{data}"
            );
        }
        for wrong in [
            "",
            "{}",
            "{\"tx_id\":\"a",
            "{\"tx_id\":\"a\",\"sequence\":-1}",
        ] {
            assert!(json(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn messages_as_prost_writes_them() {
        let message = Transaction {
            tx_id: "a@1".into(),
            from_account: "x".into(),
            to_account: "y".into(),
            amount_tinybar: -5,
            tx_type: "transfer".into(),
            timestamp: "z".into(),
            sequence: 1 << 40,
            emitted_at_us: 1_795_272_778_987_000,
        };
        let bytes = message.encode_to_vec();
        let mut seen = SeenTransaction::default();
        let event = seen.read(&bytes).unwrap();
        assert_eq!(event.tx_id, b"a@1");
        assert_eq!(event.sequence, 1 << 40);
        assert_eq!(event.emitted_at_us, 1_795_272_778_987_000);
        // A message that is cut anywhere within a field is no message.
        assert!(seen.read(&bytes[..bytes.len() - 1]).is_err());
        assert!(seen.read(&[0x0f]).is_err());
        // Nothing of the message before is left.
        let empty = Event {
            tx_id: b"",
            sequence: 0,
            emitted_at_us: 0,
        };
        assert_eq!(seen.read(&[]), Ok(empty));
    }
}
