//! Results against docs/reference/benchmark.schema.json.

use std::sync::LazyLock;

use serde_json::{Value, json};
use testkit::json_schema::Schema;

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    Schema::new(include_str!(
        "../../../../../docs/reference/benchmark.schema.json"
    ))
});

/// The first thing in `value` that the schema does not allow, with its place.
pub(crate) fn fault(value: &Value) -> Option<String> {
    SCHEMA.fault(value)
}

#[test]
fn what_does_not_fit_is_found() {
    let good = json!({"schema": "weir.benchmark-levels/1", "format": 2, "passed": true,
        "criteria": [{"what": "w", "bound": "b", "measured": "m", "met": true}], "levels": []});
    assert_eq!(fault(&good), None);
    let changed = |place: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap() = value;
        fault(&changed).unwrap()
    };
    assert!(changed("/schema", json!("weir.other/1")).contains("no shape"));
    assert!(changed("/format", json!(1)).contains("/format: not 2"));
    assert!(changed("/passed", json!("yes")).contains("/passed: not of type"));
    assert!(changed("/criteria/0", json!({})).contains("/criteria/0: without"));
    assert!(changed("/levels", json!([{}])).contains("/levels/0: without"));
    let mut more = good.clone();
    more["more"] = json!(1);
    assert_eq!(fault(&more).unwrap(), "/more: not in the schema");
}
