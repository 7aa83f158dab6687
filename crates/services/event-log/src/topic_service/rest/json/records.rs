//! Records in bodies.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::Invalid;
use serde::{Deserialize, Serialize};
use topics::{Acks, Delivery, Header, NewRecord, Produced, StoredRecord};

use super::object::{Object, or_default};

#[derive(Deserialize)]
pub(in crate::topic_service::rest) struct ProduceBody {
    records: Vec<Object<RecordBody>>,
    acks: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordBody {
    partition: Option<i64>,
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    headers: Vec<Object<HeaderBody>>,
    timestamp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeaderBody {
    key: String,
    value: Option<String>,
    value_base64: Option<String>,
}

impl ProduceBody {
    /// How many records it has.
    pub(in crate::topic_service::rest) fn count(&self) -> usize {
        self.records.len()
    }

    /// As over gRPC; left out it is 1.
    pub(in crate::topic_service::rest) fn acks(&self) -> Result<Acks, Invalid> {
        match self.acks.unwrap_or(1) {
            0 => Ok(Acks::None),
            1 => Ok(Acks::Leader),
            -1 => Ok(Acks::All),
            _ => Err(Invalid::new("acks", "must be 0, 1 or -1")),
        }
    }

    /// The records, each with its partition.
    pub(in crate::topic_service::rest) fn records(self) -> Result<Vec<(i64, NewRecord)>, Invalid> {
        if self.records.is_empty() {
            return Err(Invalid::new("records", "must not be empty"));
        }
        let records = self.records.into_iter().enumerate();
        records
            .map(|(at, Object(record))| record.read(at))
            .collect()
    }
}

impl RecordBody {
    fn read(self, at: usize) -> Result<(i64, NewRecord), Invalid> {
        let path = |name: &str| format!("records[{at}].{name}");
        let key = bytes(self.key, self.key_base64, || path("key"))?;
        let value = bytes(self.value, self.value_base64, || path("value"))?;
        let headers = self
            .headers
            .into_iter()
            .enumerate()
            .map(|(header, Object(body))| {
                let value = bytes(body.value, body.value_base64, || {
                    path(&format!("headers[{header}].value"))
                })?;
                Ok(Header {
                    key: body.key,
                    value: value.unwrap_or_default(),
                })
            });
        let timestamp = self.timestamp.unwrap_or(0);
        if timestamp < 0 {
            return Err(Invalid::new(path("timestamp"), "must not be negative"));
        }
        let record = NewRecord {
            key: key.unwrap_or_default(),
            value: value.ok_or_else(|| Invalid::new(path("value"), "is missing"))?,
            headers: headers.collect::<Result<_, Invalid>>()?,
            timestamp,
        };
        Ok((self.partition.unwrap_or(-1), record))
    }
}

/// Text or Base64.
fn bytes(
    text: Option<String>,
    base64: Option<String>,
    path: impl Fn() -> String,
) -> Result<Option<Bytes>, Invalid> {
    match (text, base64) {
        (Some(_), Some(_)) => {
            let problem = "must be given once, as text or as Base64";
            Err(Invalid::new(path(), problem))
        }
        (Some(text), None) => Ok(Some(text.into())),
        (None, Some(encoded)) => STANDARD
            .decode(encoded)
            .map(|bytes| Some(bytes.into()))
            .map_err(|_| Invalid::new(format!("{}Base64", path()), "is no Base64")),
        (None, None) => Ok(None),
    }
}

#[derive(Serialize)]
pub(in crate::topic_service::rest) struct ProducedBody {
    records: Vec<PlaceBody>,
}

#[derive(Serialize)]
struct PlaceBody {
    partition: u32,
    /// -1 where nobody said.
    offset: i64,
    timestamp: i64,
}

impl From<Vec<Produced>> for ProducedBody {
    fn from(produced: Vec<Produced>) -> Self {
        let records = produced.into_iter().map(|produced| PlaceBody {
            partition: produced.partition,
            offset: produced
                .offset
                .map_or(-1, |offset| i64::try_from(offset).unwrap_or(i64::MAX)),
            timestamp: produced.timestamp,
        });
        Self {
            records: records.collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::topic_service::rest) struct FetchedBody<'a> {
    high_watermark: u64,
    records: Vec<StoredBody<'a>>,
}

#[derive(Serialize)]
struct StoredBody<'a> {
    partition: u32,
    offset: u64,
    timestamp: i64,
    #[serde(flatten)]
    key: Option<KeyBody<'a>>,
    #[serde(flatten)]
    value: ValueBody<'a>,
    headers: Vec<StoredHeaderBody<'a>>,
}

/// As text where it is text.
#[derive(Serialize)]
enum KeyBody<'a> {
    #[serde(rename = "key")]
    Text(&'a str),
    #[serde(rename = "keyBase64")]
    Base64(String),
}

/// As text where it is text.
#[derive(Serialize)]
enum ValueBody<'a> {
    #[serde(rename = "value")]
    Text(&'a str),
    #[serde(rename = "valueBase64")]
    Base64(String),
}

#[derive(Serialize)]
struct StoredHeaderBody<'a> {
    key: Cow<'a, str>,
    #[serde(flatten)]
    value: ValueBody<'a>,
}

impl<'a> ValueBody<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Base64(STANDARD.encode(bytes)), Self::Text)
    }
}

impl<'a> From<&'a Delivery> for FetchedBody<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let records = delivery.records.iter();
        Self {
            high_watermark: delivery.high_watermark,
            records: records
                .map(|record| StoredBody::new(record, delivery.partition))
                .collect(),
        }
    }
}

impl<'a> StoredBody<'a> {
    fn new(record: &'a StoredRecord, partition: u32) -> Self {
        let key = match ValueBody::new(&record.key) {
            // Protocol Buffers do not tell an empty key from none.
            ValueBody::Text("") => None,
            ValueBody::Text(text) => Some(KeyBody::Text(text)),
            ValueBody::Base64(encoded) => Some(KeyBody::Base64(encoded)),
        };
        let headers = record.headers.iter().map(|header| StoredHeaderBody {
            key: header.key.as_str().into(),
            value: ValueBody::new(&header.value),
        });
        Self {
            partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key,
            value: ValueBody::new(&record.value),
            headers: headers.collect(),
        }
    }
}
