//! A whole session over the producers in front of Apache Kafka: broker, sink and producer as processes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::checkout::{Checkout, repository, text};

/// Those that `KAFKA_BIN_DIR` names; else built into a folder of their own, unoptimised.
/// None, with a word, where Kafka's tools are missing.
fn binaries() -> Option<PathBuf> {
    for program in ["java", "mvn"] {
        if Command::new(program).arg("-version").output().is_err() {
            testkit::left_out(&format!("'{program}', which Kafka needs, is not installed"));
            return None;
        }
    }
    if let Some(built) = std::env::var_os("KAFKA_BIN_DIR") {
        return Some(built.into());
    }
    let script = repository().join("scripts/build-on-kafka.sh");
    let built = Command::new(script).arg("dev").output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    Some(repository().join("target/kafka/debug"))
}

#[test]
fn a_smoke_run_over_producers_on_kafka_waits_for_the_sink_and_counts_as_ever() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let Some(binaries) = binaries() else { return };
    symlink(repository().join("scripts"), checkout.path("scripts")).unwrap();
    let list = checkout.path("load-test/targets.toml");
    let targets = fs::read_to_string(&list).unwrap();
    let here = targets.replace("target/kafka/release", binaries.to_str().unwrap());
    assert_ne!(targets, here);
    fs::write(&list, here).unwrap();
    let named = "producer-rest-kafka,producer-grpc-kafka";
    let (status, said) = checkout.run(&["run", "smoke", named, "default", "--runtime", "native"]);
    assert_eq!(status, 0, "{said}");
    for target in named.split(',') {
        let done = format!("{target} default: 5 events acknowledged, 5 stored");
        assert!(said.contains(&done), "{said}");
    }
    let report = fs::read_to_string(&checkout.reports()[0]).unwrap();
    let meaning = "Acknowledged means in the log, not in the table: the audit waited ";
    assert!(
        report.contains(meaning),
        "the page does not say what was waited for"
    );
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());
    let left = fs::read_dir(checkout.path(".weir")).unwrap();
    let left = left.flatten().map(|entry| entry.file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with("kafka."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
