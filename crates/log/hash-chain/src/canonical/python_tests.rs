//! The same values through Python's own `json`, where python3 is there.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use proptest::prelude::*;

use super::*;

/// Answers each line of hexadecimal with both forms, or `-` where the text is no data of the log.
const PYTHON: &str = r#"
import json, sys
def refuse(name): raise ValueError(name)
def members(pairs):
    # What a later key overrides is checked too.
    json.dumps(pairs, ensure_ascii=False, allow_nan=False).encode('utf-8')
    return dict(pairs)
for line in sys.stdin:
    try:
        value = json.loads(bytes.fromhex(line.strip()).decode('utf-8'), parse_constant=refuse, object_pairs_hook=members)
        json.dumps(value, ensure_ascii=False).encode('utf-8')
        compact = dict(separators=(',', ':'), allow_nan=False)
        print(json.dumps(value, **compact), json.dumps(value, sort_keys=True, **compact), sep='\t', flush=True)
    except ValueError:
        print('-', flush=True)
"#;

struct Python {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Option<Self> {
        let mut process = Command::new("python3")
            .args(["-c", PYTHON])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        Some(Self {
            input: process.stdin.take()?,
            output: BufReader::new(process.stdout.take()?),
            process,
        })
    }

    fn forms(&mut self, text: &str) -> Option<(String, String)> {
        let mut line = String::new();
        for byte in text.bytes() {
            write!(line, "{byte:02x}").expect("memory");
        }
        writeln!(self.input, "{line}").expect("python3 reads");
        line.clear();
        self.output.read_line(&mut line).expect("python3 answers");
        let (sent, sorted) = line.trim_end_matches('\n').split_once('\t')?;
        Some((sent.to_owned(), sorted.to_owned()))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.process.kill().expect("a process");
        self.process.wait().expect("a process");
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,40})",
        "-?(0|[1-9][0-9]{0,20})\\.[0-9]{1,25}",
        "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?[eE][+-]?[0-9]{1,3}",
        any::<f64>().prop_map(|n| format!("{n:e}")),
        (any::<f64>(), 0_usize..20).prop_map(|(n, digits)| format!("{:.*}", digits, n % 1e20)),
    ]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -!#-\\[\\]-~]{0,6}",
        any::<char>()
            .prop_filter("escaped", |c| *c >= ' ' && *c != '"' && *c != '\\')
            .prop_map(String::from),
        "\\\\[\"\\\\/bfnrt]",
        "\\\\u[0-9a-fA-F]{4}",
        "\\\\u[dD][89abAB][0-9a-f]{2}\\\\u[dD][c-fC-F][0-9a-f]{2}",
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        number(),
        string(),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("NaN".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let comma = prop_oneof![Just(","), Just(" , "), Just(",\n")];
        let few_keys = prop_oneof![string(), "\"[ab]\""];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6)
                .prop_map(|items| format!("[{}]", items.join(","))),
            (proptest::collection::vec((few_keys, inner), 0..6), comma).prop_map(
                |(members, comma)| {
                    let members = members.iter().map(|(key, value)| format!("{key}:{value}"));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(comma))
                }
            ),
        ]
    })
}

#[test]
fn every_value_is_written_as_python_writes_it() {
    let Some(python) = Python::start() else {
        eprintln!("no python3: not compared");
        return;
    };
    let python = std::cell::RefCell::new(python);
    let cases = ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // A value, and the same with a piece cut out or doubled: mostly no JSON any more.
    let text = (json(), any::<prop::sample::Index>(), 0_u8..8).prop_map(|(text, at, how)| {
        let at = at.index(text.chars().count());
        let damaged = text.chars().enumerate().flat_map(|(n, char)| {
            let times = if n != at { 1 } else { how };
            std::iter::repeat_n(char, usize::from(times.min(2)))
        });
        if how > 1 {
            text.clone()
        } else {
            damaged.collect()
        }
    });
    proptest!(cases, |(text in text)| {
        let forms = [KeyOrder::Sent, KeyOrder::Sorted].map(|order| {
            let mut out = Vec::new();
            write(text.as_bytes(), order, &mut out).map(|_| String::from_utf8(out).expect("ASCII"))
        });
        match python.borrow_mut().forms(&text) {
            Some((sent, sorted)) => prop_assert_eq!(forms, [Ok(sent), Ok(sorted)]),
            None => prop_assert!(forms.iter().all(Result::is_err), "python3 refuses {}: {:?}", text, forms),
        }
    });
}
