//! A process that may open no more files: what needs one is refused, and goes on as soon as one is free.

use std::process::Command;

use testkit::http::{self, Connection};
use testkit::process::Service;

use crate::support::serve;

const RECORDS: &str = "/api/v1/topics/t/records";

fn open_files(service: &Service) -> usize {
    let folder = format!("/proc/{}/fd", service.pid());
    std::fs::read_dir(folder).unwrap().count()
}

fn limit(service: &Service, files: usize) {
    let set = Command::new("prlimit")
        .args(["--pid", &service.pid().to_string()])
        .arg(format!("--nofile={files}:"))
        .status()
        .expect("prlimit of util-linux");
    assert!(set.success());
}

#[tokio::test]
async fn a_segment_that_cannot_be_opened_is_an_error_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let service = serve(folder.path(), &[]);
    let address = service.http();
    // Segments of a record or two, so that a new file is needed all the time.
    let topic = r#"{"name":"t","numPartitions":1,"configs":{"segment.bytes":"1048576"}}"#;
    let made = http::post_json(address, "/api/v1/topics", topic).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let value = "v".repeat(600_000);
    let records = format!(r#"{{"records":[{{"value":"{value}","partition":0}}],"acks":-1}}"#);
    let mut connection = Connection::open(address).await;
    assert_eq!(connection.post_json(RECORDS, &records).await.status, 200);

    // From descriptor 3 on none is free.
    limit(&service, 3);
    for _ in 0..3 {
        let refused = connection.post_json(RECORDS, &records).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
    }
    limit(&service, 1024);
    testkit::eventually("records are taken again", async || {
        http::post_json(address, RECORDS, &records).await.status == 200
    })
    .await;
    assert_eq!(http::get(address, "/health").await.status, 200);
    assert!(open_files(&service) < 1024);
    // Offsets are dense.
    let mut next = 0;
    loop {
        let path = format!("/api/v1/topics/t/partitions/0/records?offset={next}&maxBytes=1");
        let page = http::get(address, &path).await.json();
        for record in page["records"].as_array().unwrap() {
            assert_eq!(record["offset"], next);
            next += 1;
        }
        if page["highWatermark"] == next {
            break;
        }
    }
    assert!(next >= 2, "{next}");
}
