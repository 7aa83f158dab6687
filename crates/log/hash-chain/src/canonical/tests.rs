use super::*;

fn written(text: &str, order: KeyOrder) -> Result<String, Refused> {
    let mut out = b"before".to_vec();
    write(text.as_bytes(), order, &mut out)?;
    Ok(String::from_utf8(out.split_off(6)).expect("ASCII"))
}

#[track_caller]
fn sorted(text: &str, expected: &str) {
    assert_eq!(
        written(text, KeyOrder::Sorted).as_deref(),
        Ok(expected),
        "{text}"
    );
}

#[test]
fn floats_are_as_pythons_repr() {
    for (text, expected) in [
        ("1.0", "1.0"),
        ("1.50", "1.5"),
        ("0.1", "0.1"),
        ("-0.0", "-0.0"),
        ("-0e3", "-0.0"),
        ("0e0", "0.0"),
        ("1e0", "1.0"),
        ("1E2", "100.0"),
        ("1e15", "1000000000000000.0"),
        ("9999999999999998.0", "9999999999999998.0"),
        ("1e16", "1e+16"),
        ("12345678901234567890.0", "1.2345678901234567e+19"),
        ("1e22", "1e+22"),
        ("1.5e300", "1.5e+300"),
        ("0.0001", "0.0001"),
        ("0.00012345", "0.00012345"),
        ("0.00001", "1e-05"),
        ("0.0000123", "1.23e-05"),
        ("1e-7", "1e-07"),
        ("1e-100", "1e-100"),
        ("123456.789e3", "123456789.0"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("2.5", "2.5"),
        // Two shortest forms are equally near: the even one.
        ("600000000000000.2", "600000000000000.2"),
        ("123.0e-1", "12.3"),
    ] {
        sorted(text, expected);
    }
}

#[test]
fn integers_keep_their_digits() {
    for (text, expected) in [
        ("0", "0"),
        ("-0", "0"),
        ("-1", "-1"),
        ("9007199254740993", "9007199254740993"),
        (
            "123456789012345678901234567890",
            "123456789012345678901234567890",
        ),
    ] {
        sorted(text, expected);
    }
    let most = format!("-{}", "9".repeat(MAX_INTEGER_DIGITS));
    sorted(&most, &most);
    let text = format!("[{most}9]");
    let refused = written(&text, KeyOrder::Sorted);
    assert_eq!(refused, Err(Refused::IntegerTooLong { at: 1 }));
}

#[test]
fn strings_are_ascii_as_python_escapes() {
    for (text, expected) in [
        (r#""a/b\/c""#, r#""a/b/c""#),
        (r#""\b\t\n\f\r\"\\""#, r#""\b\t\n\f\r\"\\""#),
        (r#""\u0008\u0001\u001F""#, r#""\b\u0001\u001f""#),
        ("\"\x7f~ \"", r#""\u007f~ ""#),
        (r#""\u0041\u007f""#, r#""A\u007f""#),
        ("\"é€\"", r#""\u00e9\u20ac""#),
        ("\"😀\"", r#""\ud83d\ude00""#),
        (r#""\uD83D\uDE00""#, r#""\ud83d\ude00""#),
        ("\"\u{2028}\u{ffff}\"", r#""\u2028\uffff""#),
    ] {
        sorted(text, expected);
    }
}

#[test]
fn keys_are_sorted_by_code_point_at_every_level() {
    for (text, expected) in [
        (
            r#"{"b":1,"a":{"d":1,"c":[{"z":0,"y":0}]}}"#,
            r#"{"a":{"c":[{"y":0,"z":0}],"d":1},"b":1}"#,
        ),
        (r#"{"a":1,"B":2,"":3}"#, r#"{"":3,"B":2,"a":1}"#),
        // Code points, not UTF-16 units and not escapes: U+FF5E is before U+1F600, "é" behind "z".
        (
            "{\"😀\":1,\"～\":2,\"é\":3,\"z\":4,\"\\n\":5,\"\\\\\":6}",
            r#"{"\n":5,"\\":6,"z":4,"\u00e9":3,"\uff5e":2,"\ud83d\ude00":1}"#,
        ),
        (r#"{"aa":1,"a":2}"#, r#"{"a":2,"aa":1}"#),
        ("{}", "{}"),
        ("[]", "[]"),
        (
            " [ 1 , { \"a\" : null } , true , false ] ",
            r#"[1,{"a":null},true,false]"#,
        ),
    ] {
        sorted(text, expected);
    }
}

#[test]
fn of_repeated_keys_the_last_counts_in_the_place_of_the_first() {
    let text = r#"{"b":1,"a":2,"b":{"x":1,"x":2},"\u0061":4,"c":5}"#;
    assert_eq!(
        written(text, KeyOrder::Sent).as_deref(),
        Ok(r#"{"b":{"x":2},"a":4,"c":5}"#)
    );
    sorted(text, r#"{"a":4,"b":{"x":2},"c":5}"#);
}

#[test]
fn a_pass_tells_what_need_not_be_done_again() {
    let found = |text: &str| write(text.as_bytes(), KeyOrder::Sent, &mut Vec::new());
    let expected = |sorted, spaced| {
        Ok(Found {
            sorted,
            spaced,
            repeated: false,
        })
    };
    assert_eq!(found(r#"{"a":{"b":1,"c":2},"b":1}"#), expected(true, false));
    assert_eq!(
        found(r#"{"a":{"c":1,"b":2},"b":1}"#),
        expected(false, false)
    );
    for repeated in [r#"{"a":1,"a":2}"#, r#"[{"b":{"\u0061":1,"c":3,"a":2}}]"#] {
        let found = found(repeated).expect("a value");
        assert!(found.repeated && !found.sorted, "{repeated}");
    }
    assert_eq!(found(r#"{"a": " "}"#), expected(true, true));
}

#[test]
fn nesting_has_a_limit() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    sorted(&nested(MAX_NESTING), &nested(MAX_NESTING));
    let refused = written(&nested(MAX_NESTING + 1), KeyOrder::Sorted);
    assert_eq!(refused, Err(Refused::TooDeep));
    // Siblings do not add up.
    let wide = format!("[{}0]", "[],".repeat(1000));
    sorted(&wide, &wide);
}

#[test]
fn what_is_no_data_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "truE",
        "NaN",
        "Infinity",
        "-Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\t\"",
        "\"\0\"",
        "1 1",
        "'a'",
        "\u{feff}1",
        "\u{a0}1",
        "{\"a\":1}}",
    ] {
        let refused = written(text, KeyOrder::Sorted);
        assert!(
            matches!(refused, Err(Refused::Syntax { .. })),
            "{text}: {refused:?}"
        );
    }
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800\u0041""#,
        r#""\ud800a""#,
    ] {
        let refused = written(text, KeyOrder::Sorted);
        assert_eq!(refused, Err(Refused::LoneSurrogate { at: 1 }), "{text}");
    }
    for text in ["[1e400]", "[-1e309]", "[1e99999999999999999999]"] {
        let refused = written(text, KeyOrder::Sorted);
        assert_eq!(refused, Err(Refused::NumberTooLarge { at: 1 }), "{text}");
    }
    assert!(write(b"\"\xff\"", KeyOrder::Sent, &mut Vec::new()).is_err());
    assert!(write(b"\"\xed\xa0\x80\"", KeyOrder::Sent, &mut Vec::new()).is_err());
}
