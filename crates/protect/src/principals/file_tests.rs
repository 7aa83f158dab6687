use super::*;
use crate::rights::Verb;

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn acme() -> String {
    format!(
        r#"
[[principal]]
name = "acme"
token_sha256 = ["{HASH}"]
certificate = ["acme.example"]
rights = ["ingest:write", "topics:produce:acme.*"]
limits = {{ events_per_second = 1000, bytes_per_second = 1_048_576, streams = 0x0A }}
[jwt]
keys = "jwks.json"
issuer = "https://issuer.example"
audience = "weir"
"#
    )
}

#[test]
fn the_form_of_the_contract_is_read() {
    let contents = parse(&acme()).expect("valid");
    let [acme] = &contents.principals[..] else {
        panic!("{contents:?}");
    };
    assert_eq!(acme.name, "acme");
    assert_eq!(acme.tokens, [TokenHash::of(b"test")]);
    assert_eq!(acme.certificates, ["acme.example"]);
    assert!(acme.rights.allow(Verb::TopicsProduce, "acme.x"));
    assert_eq!(acme.limits.events_per_second, NonZeroU32::new(1000));
    assert_eq!(acme.limits.bytes_per_second, NonZeroU32::new(1_048_576));
    assert_eq!(acme.limits.streams, NonZeroU32::new(10));
    let jwt = contents.jwt.expect("[jwt]");
    assert_eq!(
        (jwt.keys.as_str(), jwt.expected.leeway_seconds),
        ("jwks.json", 30)
    );
    let least = parse("[[principal]]\nname = \"x\"\n").expect("nothing else is needed");
    assert_eq!(least.principals[0].limits, Limits::default());
}

#[test]
fn each_problem_names_its_line_its_key_and_the_remedy() {
    let acme = acme();
    let other = format!("[[principal]]\nname = \"b\"\ntoken_sha256 = [\"{HASH}\"]\n");
    for (text, line, parts) in [
        (
            String::new(),
            1,
            &["no [[principal]]", "name at least one"][..],
        ),
        ("principal = []\n".into(), 1, &["empty"]),
        ("\nprincipal = 5\n".into(), 2, &["[[principal]]"]),
        (
            "[[principal]]\n".into(),
            1,
            &["name is missing", "add name"],
        ),
        (
            acme.replace("name =", "nmae ="),
            3,
            &["unknown key 'nmae'", "name, token_sha256"],
        ),
        (
            acme.replace("\"acme\"", "7"),
            3,
            &["name", "text in quotes"],
        ),
        (
            acme.replace("\"acme\"", "\"\""),
            3,
            &["name", "1 to 128 bytes"],
        ),
        (
            acme.replace(HASH, "my-own-secret-token"),
            4,
            &["token_sha256", "64 lower-case", "event-log token new"],
        ),
        (acme.replace(HASH, &HASH.to_uppercase()), 4, &["lower-case"]),
        (
            acme.replace(&format!("[\"{HASH}\"]"), "\"my-own-secret-token\""),
            4,
            &["token_sha256", "a list of texts"],
        ),
        (
            acme.replace("[\"acme.example\"]", "[\"\"]"),
            5,
            &["certificate", "empty"],
        ),
        (
            acme.replace("ingest:write", "ingest:wrote"),
            6,
            &["rights: unknown right 'ingest:wrote'", "one of"],
        ),
        (
            acme.replace("1000", "0"),
            7,
            &["limits.events_per_second", "from 1 to 4294967295"],
        ),
        (acme.replace("1000", "-1"), 7, &["limits.events_per_second"]),
        (
            acme.replace("1000", "1.5"),
            7,
            &["limits.events_per_second"],
        ),
        (
            acme.replace("streams", "streems"),
            7,
            &["unknown key 'streems' in limits"],
        ),
        (
            acme.replace("issuer = \"https://issuer.example\"\n", ""),
            8,
            &["issuer is missing"],
        ),
        (
            acme.replace("audience = \"weir\"", "audience = \"\""),
            11,
            &["jwt.audience"],
        ),
        (
            acme.clone() + "leeway_seconds = 301\n",
            12,
            &["jwt.leeway_seconds", "0 to 300"],
        ),
        (other.clone() + &acme, 7, &["token_sha256: used twice"]),
        (
            "[[principal]]\nname = \"acme\"\n".to_owned() + &acme,
            5,
            &["name: 'acme' is used twice"],
        ),
        (
            acme.replace("name = \"acme\"", "name = \"acme"),
            3,
            &["not TOML"],
        ),
        (
            acme.replace("\"acme\"", "my-own-secret-token"),
            3,
            &["not TOML"],
        ),
    ] {
        let problem = parse(&text).expect_err(&text);
        assert_eq!(problem.line, line, "{problem}\n{text}");
        for part in parts {
            assert!(problem.problem.contains(part), "{problem} lacks {part}");
        }
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\[\\]a-z\"=\\n{}., 0-9#:*]{0,120}") {
        drop(parse(&text));
    }
}
