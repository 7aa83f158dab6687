//! SIGKILL under load, and what a failing machine does to files besides: what was acknowledged is there, in order, once.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::immutable_log::{AppendResponse, VerifyRequest};
use tempfile::TempDir;

use crate::support::{Client, serve};

const SENDERS: u64 = 50;
const PARTITIONS: u64 = 3;
/// Text that makes entries so long that each partition gets a journal.
const PADDING: usize = 2000;

/// What one sender was told: its data and the answer.
type Acknowledged = Vec<(String, AppendResponse)>;

async fn send_until_it_breaks(
    client: Client,
    sender: u64,
    round: u64,
    count: Arc<AtomicU64>,
) -> Acknowledged {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let padding = "x".repeat(PADDING);
        let data = format!("[{round},{sender},{n},\"{padding}\"]");
        match client
            .append(&format!("p{}", sender % PARTITIONS), &data)
            .await
        {
            Ok(appended) => {
                assert!(appended.success, "{}", appended.error);
                count.fetch_add(1, Ordering::Relaxed);
                acknowledged.push((data, appended));
            }
            Err(_) => break,
        }
    }
    acknowledged
}

async fn audit(client: &Client, partition: u64, acknowledged: &[(u64, Acknowledged)]) {
    let partition_name = format!("p{partition}");
    let request = VerifyRequest {
        partition: partition_name.clone(),
    };
    let verified = client.0.clone().verify(request).await.unwrap().into_inner();
    assert!(verified.valid, "{}", verified.error);
    let entries = client.read(&partition_name, None, None).await.unwrap();
    assert_eq!(entries.len() as u64, verified.entries_verified);
    let mut places = HashMap::new();
    for (n, entry) in entries.iter().enumerate() {
        assert_eq!(entry.seq, n as u64);
        assert_eq!(
            places.insert(&*entry.data, n),
            None,
            "{} is there twice",
            entry.data
        );
    }
    let ours = acknowledged
        .iter()
        .filter(|(sender, _)| sender % PARTITIONS == partition);
    for (_, acknowledged) in ours {
        for (data, appended) in acknowledged {
            let entry = &entries[*places
                .get(&**data)
                .unwrap_or_else(|| panic!("{data} is lost"))];
            assert_eq!((entry.seq, &entry.hash), (appended.seq, &appended.hash));
        }
        assert!(acknowledged.is_sorted_by_key(|(_, appended)| appended.seq));
    }
}

/// Leaves the files as a crash of the machine would: one with half a line behind the last, one without all that was not on
/// the disk in it when its journal began.
fn fail_the_machine(folder: &Path) {
    let mut torn = OpenOptions::new();
    let mut torn = torn.append(true).open(folder.join("p0.jsonl")).unwrap();
    torn.write_all(b"{\"seq\":12").unwrap();
    let journal = std::fs::read(folder.join("p1.journal")).unwrap();
    let settled = u64::from_le_bytes(journal[8..16].try_into().unwrap());
    let mut short = OpenOptions::new();
    let short = short.write(true).open(folder.join("p1.jsonl")).unwrap();
    assert!(settled < short.metadata().unwrap().len());
    short.set_len(settled).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut all = Vec::new();
    for round in 0..3 {
        let mut service = serve(folder.path(), &[]);
        let count = Arc::new(AtomicU64::new(0));
        let mut senders = Vec::new();
        for sender in 0..SENDERS {
            let client = Client::connect(&service).await;
            let sending = send_until_it_breaks(client, sender, round, Arc::clone(&count));
            senders.push((sender, tokio::spawn(sending)));
        }
        testkit::eventually("3000 entries are acknowledged", async || {
            count.load(Ordering::Relaxed) >= 3000
        })
        .await;
        service.kill();
        for (sender, sending) in senders {
            all.push((sender, sending.await.unwrap()));
        }
        fail_the_machine(folder.path());
        let service = serve(folder.path(), &[]);
        for repair in ["cut a torn last line", "brought back from the journal"] {
            assert!(service.log().contains(repair), "{}", service.log());
        }
        let client = Client::connect(&service).await;
        for partition in 0..PARTITIONS {
            audit(&client, partition, &all).await;
        }
    }
}
