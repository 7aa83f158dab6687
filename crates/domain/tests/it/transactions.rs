//! Timestamps, and what a subscriber may ask for.

use domain::{Start, Subscription, SubscriptionDraft, Timestamp, Transaction};

fn draft() -> SubscriptionDraft {
    SubscriptionDraft {
        since: ("since", String::new()),
        rate: ("rate", 0),
        account: ("account", String::new()),
        after: None,
        limit: 0,
    }
}

fn since(text: &str) -> Option<i64> {
    let asked = Subscription::new(SubscriptionDraft {
        since: ("since", text.into()),
        ..draft()
    });
    asked.unwrap().since().map(Timestamp::micros)
}

fn transaction(from: &str, to: &str, timestamp_us: i64) -> Transaction {
    Transaction {
        tx_id: "t".into(),
        from_account: from.into(),
        to_account: to.into(),
        amount_tinybar: 1,
        tx_type: "transfer".into(),
        timestamp: Timestamp::from_micros(timestamp_us),
    }
}

#[test]
fn timestamps_are_written_as_rfc_3339_whatever_they_are() {
    for (microseconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_705_314_600_500_000, "2024-01-15T10:30:00.5Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (i64::MAX, "9999-12-31T23:59:59.999999Z"),
        (i64::MIN, "0000-01-01T00:00:00Z"),
    ] {
        assert_eq!(Timestamp::from_micros(microseconds).to_string(), text);
    }
}

#[test]
fn since_is_rounded_up_to_what_the_database_can_tell_apart() {
    for (text, microseconds) in [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01t01:00:01.000002+01:00", 1_000_002),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.9999999Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("0000-01-01T00:00:00+14:00", -62_167_269_600_000_000),
        (
            "9999-12-31T23:59:59.999999999-12:00",
            253_402_344_000_000_000,
        ),
    ] {
        assert_eq!(since(text), Some(microseconds), "{text}");
    }
    assert_eq!(since(""), None);
}

#[test]
fn faults_are_told_by_the_name_that_the_face_has() {
    let wrong = |draft: SubscriptionDraft| Subscription::new(draft).unwrap_err().to_string();
    for text in [
        "x",
        "2024-01-15 10:30:00Z",
        "2024-01-15T10:30:00",
        "2024-01-15",
        "0",
        " ",
    ] {
        let since = ("since_timestamp", text.to_owned());
        let told = wrong(SubscriptionDraft { since, ..draft() });
        assert!(
            told.starts_with("since_timestamp must be an RFC 3339 date"),
            "{text}: {told}"
        );
    }
    for rate in [-1, i64::MIN, i64::from(i32::MAX) + 1] {
        let rate = ("rate_limit", rate);
        let told = wrong(SubscriptionDraft { rate, ..draft() });
        assert_eq!(
            told,
            "rate_limit must be a whole number from 0 to 2147483647"
        );
    }
    for account in ["\0".to_owned(), "ü".repeat(256)] {
        let account = ("filter_account", account);
        let told = wrong(SubscriptionDraft { account, ..draft() });
        assert!(told.starts_with("filter_account "), "{told}");
    }
}

#[test]
fn after_wins_over_since() {
    let since = ("since", "2024-01-15T10:30:00Z".to_owned());
    let asked = SubscriptionDraft { since, ..draft() };
    let both = SubscriptionDraft {
        after: Some(0),
        ..asked.clone()
    };
    assert!(matches!(
        Subscription::new(asked).unwrap().start(),
        Start::Since(_)
    ));
    let both = Subscription::new(both).unwrap();
    assert_eq!(both.start(), Start::After(0));
    assert_eq!(both.since(), None);
    assert!(both.wants(&transaction("a", "b", i64::MIN)));
    assert_eq!(Subscription::new(draft()).unwrap().start(), Start::Live);
}

#[test]
fn what_is_wanted() {
    let asked = Subscription::new(SubscriptionDraft {
        since: ("since", "1970-01-01T00:00:01Z".into()),
        account: ("account", "a".into()),
        ..draft()
    });
    let asked = asked.unwrap();
    for (from, to, at, wanted) in [
        ("a", "b", 1_000_000, true),
        ("b", "a", 1_000_000, true),
        ("a", "a", i64::MAX, true),
        ("a", "b", 999_999, false),
        ("b", "c", 1_000_000, false),
        ("aa", "", 1_000_000, false),
    ] {
        assert_eq!(
            asked.wants(&transaction(from, to, at)),
            wanted,
            "{from} {to} {at}"
        );
    }
}
