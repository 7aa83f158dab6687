//! Dates in their three forms.

use domain::date::{MAX_MILLISECONDS, parse_number, parse_text};
use proptest::prelude::*;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

fn milliseconds(date: OffsetDateTime) -> i128 {
    date.unix_timestamp_nanos() / 1_000_000
}

#[test]
fn the_three_forms_name_the_same_instant() {
    let expected = Some(1_705_314_605_000);
    for text in [
        "1705314605000",
        "2024-01-15T10:30:05Z",
        "2024-01-15T16:00:05.000+05:30",
    ] {
        assert_eq!(parse_text(text).map(milliseconds), expected, "{text}");
    }
    for number in [
        "1705314605000",
        "1705314605000.0",
        "1.705314605e12",
        "17053146050000E-1",
    ] {
        assert_eq!(parse_number(number).map(milliseconds), expected, "{number}");
    }
}

#[test]
fn the_range_of_milliseconds_has_hard_ends() {
    for (number, valid) in [
        ("0", true),
        ("-0", true),
        ("-1", false),
        ("253402300799999", true),
        ("253402300800000", false),
        ("253402300799999.5", false),
        ("1e308", false),
        ("1e309", false),
    ] {
        assert_eq!(parse_number(number).is_some(), valid, "{number}");
    }
}

#[test]
fn years_are_those_of_rfc_3339() {
    for (text, valid) in [
        ("0000-01-01T00:00:00Z", true),
        ("9999-12-31T23:59:59.999999999-23:59", true),
        ("10000-01-01T00:00:00Z", false),
        ("-001-01-01T00:00:00Z", false),
        ("1969-12-31T23:59:59Z", true),
        ("2016-12-31T23:59:60Z", true),
        ("2016-12-31T22:59:60Z", false),
    ] {
        assert_eq!(parse_text(text).is_some(), valid, "{text}");
    }
}

proptest! {
    #[test]
    fn a_number_and_its_digits_are_the_same_instant(ms in 0..=MAX_MILLISECONDS) {
        let text = ms.to_string();
        prop_assert_eq!(parse_text(&text).map(milliseconds), Some(i128::from(ms)));
        prop_assert_eq!(parse_number(&text), parse_text(&text));
    }

    #[test]
    fn every_instant_survives_rfc_3339(ms in 0..=MAX_MILLISECONDS - 86_400_000, minutes in -1439..=1439_i32) {
        let offset = UtcOffset::from_whole_seconds(minutes * 60).unwrap();
        let instant = parse_number(&ms.to_string()).unwrap();
        prop_assume!(instant.checked_to_offset(offset).is_some_and(|local| local.year() >= 0));
        let text = instant.to_offset(offset).format(&Rfc3339).unwrap();
        prop_assert_eq!(parse_text(&text).map(milliseconds), Some(i128::from(ms)), "{}", text);
        prop_assert_eq!(parse_text(&text.to_lowercase()), Some(instant));
        // Without its zone it is no date.
        prop_assert_eq!(parse_text(&text[..19]), None);
    }

    #[test]
    fn nothing_out_of_range_is_taken(ms in prop_oneof![i64::MIN..0, MAX_MILLISECONDS + 1..i64::MAX]) {
        prop_assert_eq!(parse_text(&ms.to_string()), None);
        prop_assert_eq!(parse_number(&ms.to_string()), None);
    }

    #[test]
    fn no_text_breaks_the_parser(text in ".{0,40}") {
        std::hint::black_box((parse_text(&text), parse_number(&text)));
    }
}
