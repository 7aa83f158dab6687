//! Settings that make no sense.

use std::process::Command;

use crate::support::BINARY;

#[test]
fn zero_is_refused_at_the_start_with_the_range_where_it_makes_no_sense() {
    for (name, value, range) in [
        ("TOPICS_SYNC_INTERVAL", "0s", "10ms to 1h"),
        ("TOPICS_RETENTION_INTERVAL", "0s", "10ms to 10s"),
        ("REQUEST_TIMEOUT", "0s", "1ms to 1day"),
        ("QUEUE_CAPACITY", "0", "1.."),
        ("QUEUE_BYTES", "0", "1.."),
        ("TOPICS_OPEN_FILES", "0", "16..=1000000"),
        ("GRPC_KEEPALIVE_INTERVAL", "0s", "100ms"),
        ("GRPC_KEEPALIVE_TIMEOUT", "0s", "100ms"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ran = Command::new(BINARY)
            .arg("serve")
            .current_dir(folder.path())
            .env("EVENT_LOG_DIR", folder.path().join("data"))
            .env(name, value)
            .output()
            .unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{name}: {told}");
        assert!(told.contains(range), "{name}: {told}");
        assert!(!folder.path().join("data").exists());
    }
}
