//! Account ids and balances.

use domain::{AccountId, AccountIds, Balance, MAX_ACCOUNT_IDS};

fn refusal(id: &str) -> String {
    AccountId::new(id.to_owned()).unwrap_err().to_string()
}

#[test]
fn an_id_is_1_to_255_characters_without_nul() {
    for id in ["0.0.100000", "a", " ", "a/b,c", "ü", &"ü".repeat(255)] {
        assert_eq!(AccountId::new(id.to_owned()).unwrap().as_str(), id);
    }
    assert_eq!(refusal(""), "id must not be empty");
    assert_eq!(
        refusal(&"a".repeat(256)),
        "id must be at most 255 characters"
    );
    assert!(
        refusal("a\0").starts_with("id must not contain"),
        "{}",
        refusal("a\0")
    );
}

#[test]
fn the_first_fault_of_a_list_is_named_by_its_place() {
    let list = |ids: &[&str]| AccountIds::new(ids.iter().map(|&id| id.to_owned()).collect());
    let order: Vec<String> = list(&["b", "a", "b"])
        .unwrap()
        .into_iter()
        .map(AccountId::into_string)
        .collect();
    assert_eq!(order, ["b", "a", "b"]);
    for (ids, message) in [
        (&[][..], "ids must hold 1 to 1000 account ids"),
        (&["a", "", ""], "ids[1] must not be empty"),
        (&[""], "ids[0] must not be empty"),
        (
            &["a"; MAX_ACCOUNT_IDS + 1],
            "ids must hold 1 to 1000 account ids",
        ),
    ] {
        assert_eq!(list(ids).unwrap_err().to_string(), message);
    }
    assert_eq!(
        list(&["a"; MAX_ACCOUNT_IDS]).unwrap().as_slice().len(),
        1000
    );
}

#[test]
fn a_time_is_always_rfc_3339() {
    for (microseconds, text) in [
        (0, "1970-01-01T00:00:00Z"),
        (1_735_689_600_000_000, "2025-01-01T00:00:00Z"),
        (1_735_689_600_120_000, "2025-01-01T00:00:00.12Z"),
        (1_735_689_600_123_456, "2025-01-01T00:00:00.123456Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (i64::MAX, "9999-12-31T23:59:59.999999Z"),
        (i64::MIN, "0000-01-01T00:00:00Z"),
    ] {
        assert_eq!(Balance::new(1, microseconds).timestamp(), text);
    }
    assert_eq!(Balance::new(i64::MIN, 0).tinybar(), i64::MIN);
}
