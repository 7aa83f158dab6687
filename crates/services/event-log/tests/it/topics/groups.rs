//! Consumer groups.

use std::collections::BTreeMap;
use std::time::Duration;

use api::takhin::{
    CommitOffsetRequest, ConsumeMessagesResponse, DeleteConsumerGroupRequest,
    DescribeConsumerGroupResponse, ListConsumerGroupsRequest, TopicPartitionOffset,
};
use tonic::{Code, Streaming};

use super::support::{Backend, Client, Fixture, eventually, from, next, serve, values};

/// By client id, the partitions of each member; once the group is stable and has so many.
pub(super) async fn stable(
    client: &Client,
    group: &str,
    members: usize,
) -> BTreeMap<String, Vec<i32>> {
    eventually(async || {
        let described = client.describe(group).await;
        let settled = described.state == "Stable" && described.members.len() == members;
        settled.then(|| assignments(&described))
    })
    .await
}

fn assignments(described: &DescribeConsumerGroupResponse) -> BTreeMap<String, Vec<i32>> {
    let members = described.members.iter().map(|member| {
        let partitions = member
            .assignments
            .iter()
            .map(|assignment| assignment.partition);
        (member.client_id.clone(), partitions.collect())
    });
    members.collect()
}

/// Whether nothing comes for a while.
async fn is_silent(stream: &mut Streaming<ConsumeMessagesResponse>) -> bool {
    tokio::time::timeout(Duration::from_millis(300), stream.message())
        .await
        .is_err()
}

#[tokio::test]
async fn members_share_the_partitions_and_go_on_where_others_left() {
    let fixture = Fixture::start();
    let client = fixture.client().await;
    client.create("t", 4).await;
    for partition in 0..4 {
        for n in 0..3 {
            client
                .put("t", partition, &format!("{partition}-{n}"))
                .await;
        }
    }
    let mut one = client.join("g", "one", from("t", -1, -1)).await.unwrap();
    let mut first = next(&mut one, 12).await;
    first.sort_by_key(|record| (record.partition, record.offset));
    assert_eq!(first.len(), 12);
    assert_eq!(values(&first)[..4], ["0-0", "0-1", "0-2", "1-0"]);
    assert_eq!(stable(&client, "g", 1).await["one"], [0, 1, 2, 3]);

    // Of partitions 2 and 3 one record each is done.
    for partition in 0..4 {
        let next = if partition < 2 { 3 } else { 1 };
        assert_eq!(client.commit("g", "t", partition, next).await, "");
    }
    let mut two = client.join("g", "two", from("t", -1, -2)).await.unwrap();
    let shared = stable(&client, "g", 2).await;
    assert_eq!(
        (&*shared["one"], &*shared["two"]),
        (&[0, 1][..], &[2, 3][..])
    );
    let mut taken_over = next(&mut two, 4).await;
    taken_over.sort_by_key(|record| (record.partition, record.offset));
    assert_eq!(values(&taken_over), ["2-1", "2-2", "3-1", "3-2"]);
    // Who keeps a partition does not read it again.
    assert!(is_silent(&mut one).await);
    for partition in 0..4 {
        client.put("t", partition, "new").await;
    }
    let partitions = |records: Vec<api::takhin::Record>| {
        let mut partitions: Vec<i32> = records.iter().map(|record| record.partition).collect();
        partitions.sort_unstable();
        partitions
    };
    assert_eq!(partitions(next(&mut one, 2).await), [0, 1]);
    assert_eq!(partitions(next(&mut two, 2).await), [2, 3]);

    // Nothing was committed of the new ones: whoever is left gets those of the one who leaves again.
    drop(one);
    assert_eq!(stable(&client, "g", 1).await["two"], [0, 1, 2, 3]);
    let again = next(&mut two, 2).await;
    assert_eq!(values(&again), ["new", "new"]);
    assert_eq!(partitions(again), [0, 1]);
    assert!(is_silent(&mut two).await);
}

pub(super) async fn many_members_come_and_go_and_every_record_is_read(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 6).await;
    let mut members = Vec::new();
    for n in 0..8 {
        members.push(
            client
                .join("g", &format!("m{n}"), from("t", -1, -1))
                .await
                .unwrap(),
        );
    }
    let shared = stable(&client, "g", 8).await;
    let mut all: Vec<i32> = shared.values().flatten().copied().collect();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    assert!(shared.values().all(|partitions| partitions.len() <= 1));
    for n in 0..60 {
        client.put("t", n % 6, &n.to_string()).await;
    }
    // Five go; the three that stay get everything, since nothing was committed.
    members.truncate(3);
    stable(&client, "g", 3).await;
    let readers = members.into_iter().map(|mut stream| {
        tokio::spawn(async move {
            let mut values = Vec::new();
            while let Ok(Ok(Some(response))) =
                tokio::time::timeout(Duration::from_secs(2), stream.message()).await
            {
                let texts = response
                    .records
                    .iter()
                    .map(|record| String::from_utf8_lossy(&record.value).into_owned());
                values.extend(texts);
            }
            values
        })
    });
    let mut seen = Vec::new();
    for reader in readers.collect::<Vec<_>>() {
        seen.extend(reader.await.unwrap());
    }
    let mut seen: Vec<i32> = seen.iter().map(|value| value.parse().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn groups_exist_while_they_have_members_or_offsets() {
    let mut fixture = Fixture::start();
    let client = fixture.client().await;
    client.create("t", 2).await;
    assert_eq!(
        client.describe("g").await.error,
        "no such consumer group: g"
    );
    let stream = client.join("g", "c", from("t", -1, -1)).await.unwrap();
    assert_eq!(client.describe("g").await.state, "PreparingRebalance");
    stable(&client, "g", 1).await;
    let described = client.describe("g").await;
    assert_eq!(described.protocol_type, "consumer");
    let member = &described.members[0];
    assert_eq!(
        (&*member.client_id, &*member.client_host),
        ("c", "127.0.0.1")
    );
    assert!(member.member_id.starts_with("c-"), "{}", member.member_id);
    let groups = client
        .0
        .clone()
        .list_consumer_groups(ListConsumerGroupsRequest {})
        .await;
    let groups = groups.unwrap().into_inner().groups;
    assert_eq!(
        (
            &*groups[0].group_id,
            &*groups[0].state,
            groups[0].member_count
        ),
        ("g", "Stable", 1)
    );
    let delete = async |client: &Client| {
        let request = DeleteConsumerGroupRequest {
            group_id: "g".into(),
        };
        client
            .0
            .clone()
            .delete_consumer_group(request)
            .await
            .unwrap()
            .into_inner()
    };
    let refused = delete(&client).await;
    assert!(
        !refused.success && refused.error.contains("has members"),
        "{refused:?}"
    );
    drop(stream);
    // Without members and offsets it is gone.
    eventually(async || (!client.describe("g").await.error.is_empty()).then_some(())).await;

    assert_eq!(client.commit("g", "t", 1, 7).await, "");
    assert_eq!(client.describe("g").await.state, "Empty");
    // Neither a stop nor a crash loses what is committed.
    for crash in [false, true] {
        if crash {
            fixture.service.kill();
        } else {
            fixture.service.terminate();
        }
        fixture.service = serve(fixture.folder.path(), &[]);
        let client = fixture.client().await;
        assert_eq!(client.describe("g").await.state, "Empty", "{crash}");
        let path = "/api/v1/groups/g";
        let group = testkit::http::get(fixture.service.http(), path)
            .await
            .json();
        assert_eq!(group["offsets"][0]["offset"], 7, "{crash}");
    }
    let client = fixture.client().await;
    let deleted = delete(&client).await;
    assert!(deleted.success, "{}", deleted.error);
    assert_eq!(delete(&client).await.error, "no such consumer group: g");
}

pub(super) async fn bad_commits_change_nothing(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    for (group, topic, partition, offset, problem) in [
        ("", "t", 0, 0, "groupId must not be empty"),
        ("g", "u", 0, 0, "no such topic: u"),
        (
            "g",
            "t",
            1,
            0,
            "no such partition: 1 of topic t, which has 1",
        ),
        ("g", "t", 0, -1, "offsets[0].offset must not be negative"),
    ] {
        assert_eq!(
            client.commit(group, topic, partition, offset).await,
            problem
        );
    }
    let offset = |partition| TopicPartitionOffset {
        topic: "t".into(),
        partition,
        offset: 1,
    };
    let request = CommitOffsetRequest {
        group_id: "g".into(),
        offsets: vec![offset(0), offset(5)],
    };
    assert!(
        !client
            .0
            .clone()
            .commit_offset(request)
            .await
            .unwrap()
            .into_inner()
            .success
    );
    assert_ne!(client.describe("g").await.error, "");
    let status = client
        .join("g", "c", from("u", -1, -1))
        .await
        .expect_err("no topic");
    assert_eq!(status.code(), Code::NotFound);
}
