//! Files of other hands: an independent verifier and writer, in Python.

use std::path::Path;
use std::process::Command;

use super::{fixture, verify};

/// The rule as someone else would write it down: verifies a file, or writes one.
const PYTHON: &str = r#"
import hashlib, json, sys
from datetime import datetime, timezone
compact = dict(separators=(',', ':'))
def digest(entry):
    return hashlib.sha256(json.dumps(entry, sort_keys=True, **compact).encode()).hexdigest()
what, path, partition = sys.argv[1:]
before = '0' * 64
if what == 'verify':
    count = 0
    for number, line in enumerate(open(path)):
        entry = json.loads(line)
        assert list(entry) == ['seq', 'ts', 'partition', 'prev_hash', 'data', 'hash'], entry
        assert line == json.dumps(entry, **compact) + '\n', line
        found = entry.pop('hash')
        assert (entry['seq'], entry['partition'], entry['prev_hash']) == (number, partition, before), entry
        assert datetime.fromisoformat(entry['ts']).utcoffset().total_seconds() == 0
        before = digest(entry)
        assert found == before, number
        count += 1
    print(count, before)
else:
    with open(path, 'w') as file:
        values = [0, -0.0, 1e16, 1e-5, 600000000000000.2, 10**40, 'é€😀\x7f/\\"\n', None, True, [], {},
                  {'b': 1, 'a': {'é': 1, '😀': 2, '～': 3, 'z': [1.0, 1e300]}}]
        for number, data in enumerate(values * 100):
            entry = dict(seq=number, ts=datetime.now(timezone.utc).isoformat(timespec='microseconds'),
                         partition=partition, prev_hash=before, data=data)
            entry['hash'] = before = digest(entry)
            file.write(json.dumps(entry, **compact) + '\n')
    print(len(values) * 100, before)
"#;

fn python(what: &str, path: &Path, partition: &str) -> Option<String> {
    let ran = Command::new("python3")
        .args(["-c", PYTHON, what])
        .arg(path)
        .arg(partition)
        .output();
    let Ok(ran) = ran else {
        eprintln!("no python3: not compared");
        return None;
    };
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    Some(
        String::from_utf8(ran.stdout)
            .expect("text")
            .trim()
            .to_owned(),
    )
}

#[test]
fn python_verifies_our_files() {
    let fixture = fixture();
    for data in [
        "{\"z\":1,\"a\":[1.0,1e16,0.00001,-0,-0.0,123456789012345678901234567890]}",
        "\"\u{7f}é😀\\u0000\\/\"",
        "{\"😀\":1,\"～\":{\"b\":0.1,\"a\":1E5},\"z\":600000000000000.2,\"z\":3}",
        "null",
    ] {
        fixture.append("käse 😀", data).expect("an append");
    }
    if let Some(found) = python("verify", &fixture.file("käse__"), "käse 😀") {
        let last = fixture
            .log
            .last_blocking("käse 😀")
            .expect("p")
            .expect("an entry");
        assert_eq!(found, format!("4 {}", last.hash()));
    }
}

#[test]
fn we_verify_pythons_files_and_go_on_with_them() {
    let fixture = fixture();
    let Some(written) = python("write", &fixture.file("other"), "other") else {
        return;
    };
    let found = verify(&fixture.log, "other");
    assert_eq!(found.error, None);
    assert_eq!(
        format!("{} {}", found.entries_verified, found.final_hash),
        written
    );
    fixture.append("other", "{\"ours\":1}").expect("an append");
    python("verify", &fixture.file("other"), "other");
}
