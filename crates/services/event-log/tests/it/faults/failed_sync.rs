//! A sync that fails. `/dev/null` stands for the disk: it takes every write, and cannot be synced.

use std::fs;
use std::os::unix::fs::symlink;

use testkit::http;

use crate::support::serve;

#[tokio::test]
async fn after_a_failed_sync_its_partition_refuses_and_health_is_not_green_until_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let service = serve(folder.path(), &[]);
    let address = service.http();
    let topic = r#"{"name":"t","numPartitions":2}"#;
    assert_eq!(
        http::post_json(address, "/api/v1/topics", topic)
            .await
            .status,
        201
    );
    let partition = folder.path().join("topics/logs/t/0");
    fs::create_dir(&partition).unwrap();
    let segment = partition.join("00000000000000000000.log");
    symlink("/dev/null", &segment).unwrap();
    let produce = async |partition: u32| {
        let body = format!(r#"{{"records":[{{"value":"v","partition":{partition}}}],"acks":-1}}"#);
        http::post_json(address, "/api/v1/topics/t/records", body)
            .await
            .status
    };
    assert_eq!(http::get(address, "/health").await.status, 200);
    // A second try would succeed, and prove nothing.
    for _ in 0..2 {
        assert_eq!(produce(0).await, 500);
        assert_eq!(http::get(address, "/health").await.status, 503);
    }
    assert_eq!(produce(1).await, 200);
    drop(service);
    fs::remove_dir_all(partition).unwrap();
    let service = serve(folder.path(), &[]);
    assert_eq!(http::get(service.http(), "/health").await.status, 200);
}
