use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn records() -> impl Strategy<Value = NewRecord> {
    let header = (".*", vec(any::<u8>(), 0..20)).prop_map(|(key, value)| Header {
        key,
        value: value.into(),
    });
    (
        vec(any::<u8>(), 0..50),
        vec(any::<u8>(), 0..2000),
        vec(header, 0..5),
        0..i64::MAX,
    )
        .prop_map(|(key, value, headers, timestamp)| NewRecord {
            key: key.into(),
            value: value.into(),
            headers,
            timestamp,
        })
}

fn encoded(record: &NewRecord) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(17, 1234, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(record in records(), rest in vec(any::<u8>(), 0..10)) {
        let mut bytes = encoded(&record);
        prop_assert_eq!(bytes.len(), record.disk_bytes());
        bytes.extend_from_slice(&rest);
        let Found::Record(stored, size) = decode(&bytes.clone().into()) else {
            return Err(TestCaseError::fail("no record"));
        };
        prop_assert_eq!(size, record.disk_bytes());
        prop_assert_eq!((stored.offset, stored.append_time), (17, 1234));
        let timestamp = if record.timestamp == 0 { 1234 } else { record.timestamp };
        prop_assert_eq!(stored.timestamp, timestamp);
        prop_assert_eq!((stored.key, stored.value), (record.key, record.value));
        prop_assert_eq!(stored.headers, record.headers);
        prop_assert_eq!(frame(&bytes), Found::Record(Frame { offset: 17, append_time: 1234 }, size));
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(record in records(), at in any::<prop::sample::Index>(), flip in 1..=255u8) {
        let mut bytes = encoded(&record);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let found = decode(&bytes.into());
        // A length that grew asks for bytes that are not there.
        prop_assert!(!matches!(found, Found::Record(..)), "{at}: {found:?}");
    }

    #[test]
    fn a_part_of_a_record_is_incomplete(record in records(), length in any::<prop::sample::Index>()) {
        let bytes = encoded(&record);
        let length = length.index(bytes.len());
        let wanted = if length < 8 { HEAD_BYTES } else { bytes.len() };
        prop_assert_eq!(frame(&bytes[..length]), Found::Incomplete(wanted));
    }

    #[test]
    fn other_bytes_are_no_record(bytes in vec(any::<u8>(), 44..200)) {
        prop_assert!(!matches!(decode(&bytes.into()), Found::Record(..)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_can_be_parsed(bytes in vec(any::<u8>(), 0..300), counts in vec(0..40u32, 3), is_whole in any::<bool>()) {
        let mut bytes = bytes;
        if is_whole && bytes.len() >= HEAD_BYTES {
            // Of another format, with the right length and checksum, and lengths that may fit.
            let length = (bytes.len() - PREFIX_BYTES) as u32;
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            for (at, count) in (32..44).step_by(4).zip(&counts) {
                bytes[at..at + 4].copy_from_slice(&count.to_le_bytes());
            }
            let crc = crc32c::crc32c(&bytes[4..]);
            bytes[..4].copy_from_slice(&crc.to_le_bytes());
        }
        let bytes = Bytes::from(bytes);
        if let Some((record, size)) = parse(&bytes) {
            prop_assert_eq!(size, bytes.len());
            let again = NewRecord {
                key: record.key,
                value: record.value,
                headers: record.headers,
                timestamp: record.timestamp,
            };
            prop_assert_eq!(again.disk_bytes(), size);
        }
    }
}

#[test]
fn zeros_are_no_record() {
    // What a file system may leave at the end of a file after a loss of power.
    assert_eq!(frame(&[0; 100]), Found::Damaged);
}
