//! One list of cases through both faces.

use api::takhin::{
    CreateTopicRequest, DeleteConsumerGroupRequest, DeleteTopicRequest, GetTopicRequest,
    ProduceMessageRequest,
};
use serde_json::{Value, json};
use testkit::http::{self, Connection, Response};

use super::support::{Backend, Client, Fixture, eventually, from, message, next};

async fn request(fixture: &Fixture, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let headers = [("content-type", "application/json")];
    let mut connection = Connection::open(fixture.service.http()).await;
    connection
        .request(method, path, &headers, body.as_bytes())
        .await
}

/// The message of an error, whose body must be as that of ingestion.
fn refusal(response: &Response, status: u16) -> String {
    let body = response.json();
    assert_eq!(response.status, status, "{body}");
    assert_eq!(body["success"], false);
    body["message"].as_str().unwrap().to_owned()
}

pub(super) async fn topics_are_made_and_refused_alike(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    let long = "x".repeat(250);
    for (draft, status) in [
        (
            json!({"name": "good", "numPartitions": 2, "configs": {"retention.ms": "1000000"}}),
            201,
        ),
        (json!({"name": "good"}), 409),
        (json!({"name": ""}), 400),
        (json!({"name": ".."}), 400),
        (json!({"name": "a/b"}), 400),
        (json!({"name": long}), 400),
        (json!({"name": "n", "numPartitions": -1}), 400),
        (json!({"name": "n", "numPartitions": 10001}), 400),
        (json!({"name": "n", "replicationFactor": 2}), 400),
        (
            json!({"name": "n", "configs": {"retention.ms": "soon"}}),
            400,
        ),
        (json!({"name": "n", "configs": {"segment.bytes": "0"}}), 400),
        (json!({"name": "n", "configs": {"other": "1"}}), 400),
    ] {
        let response = request(&fixture, "POST", "/api/v1/topics", &draft).await;
        let number = |name: &str| i32::try_from(draft[name].as_i64().unwrap_or(0)).unwrap();
        let configs = draft["configs"].as_object().cloned().unwrap_or_default();
        let grpc = CreateTopicRequest {
            name: draft["name"].as_str().unwrap().to_owned(),
            num_partitions: number("numPartitions"),
            replication_factor: number("replicationFactor"),
            configs: configs
                .into_iter()
                .map(|(name, value)| (name, value.as_str().unwrap().to_owned()))
                .collect(),
        };
        let answer = client
            .0
            .clone()
            .create_topic(grpc)
            .await
            .unwrap()
            .into_inner();
        // Over gRPC the good one is there already.
        assert!(!answer.success && !answer.error.is_empty());
        if status == 201 {
            let body = response.json();
            assert_eq!(response.status, 201, "{body}");
            assert_eq!(
                (&body["name"], &body["numPartitions"]),
                (&json!("good"), &json!(2))
            );
        } else {
            assert_eq!(refusal(&response, status), answer.error, "{draft}");
        }
    }
    let list = request(&fixture, "GET", "/api/v1/topics", &Value::Null).await;
    assert_eq!(list.json(), json!({"topics": ["good"]}));
}

pub(super) async fn what_is_not_there_is_told_alike(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    let mut grpc = client.0.clone();
    let none = "none".to_owned();
    let described = grpc
        .get_topic(GetTopicRequest { name: none.clone() })
        .await
        .unwrap()
        .into_inner();
    let deleted = grpc
        .delete_topic(DeleteTopicRequest { name: none.clone() })
        .await
        .unwrap()
        .into_inner();
    let group = client.describe("none").await;
    let ungrouped = grpc.delete_consumer_group(DeleteConsumerGroupRequest { group_id: none });
    let ungrouped = ungrouped.await.unwrap().into_inner();
    for (method, path, error) in [
        ("GET", "/api/v1/topics/none", described.error),
        ("DELETE", "/api/v1/topics/none", deleted.error),
        ("GET", "/api/v1/groups/none", group.error),
        ("DELETE", "/api/v1/groups/none", ungrouped.error),
    ] {
        let response = request(&fixture, method, path, &Value::Null).await;
        assert_eq!(refusal(&response, 404), error, "{method} {path}");
    }
    for (path, consume) in [
        (
            "/api/v1/topics/none/partitions/0/records",
            from("none", 0, -1),
        ),
        ("/api/v1/topics/t/partitions/3/records", from("t", 3, -1)),
        (
            "/api/v1/topics/t/partitions/0/records?offset=9",
            from("t", 0, 9),
        ),
        (
            "/api/v1/topics/t/partitions/0/records?offset=-3",
            from("t", 0, -3),
        ),
    ] {
        let status = client.consume(consume).await.expect_err("refused");
        let response = request(&fixture, "GET", path, &Value::Null).await;
        let expected = if status.code() == tonic::Code::NotFound {
            404
        } else {
            400
        };
        assert_eq!(refusal(&response, expected), status.message(), "{path}");
    }
}

async fn produce_both(
    fixture: &Fixture,
    client: &Client,
    record: Value,
    acks: i32,
    grpc: ProduceMessageRequest,
) -> (Response, String) {
    let body = json!({"records": [record], "acks": acks});
    let path = format!("/api/v1/topics/{}/records", grpc.topic);
    let response = request(fixture, "POST", &path, &body).await;
    let grpc = ProduceMessageRequest {
        required_acks: acks,
        ..grpc
    };
    (response, client.produce(grpc).await.unwrap().error)
}

pub(super) async fn records_are_taken_and_refused_alike(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 2).await;
    let mut negative = message("t", 0, "v");
    negative.record.as_mut().unwrap().timestamp = -1;
    for (record, acks, grpc, status) in [
        (json!({"value": "v"}), 1, message("none", -1, "v"), 404),
        (
            json!({"value": "v", "partition": 2}),
            1,
            message("t", 2, "v"),
            404,
        ),
        (
            json!({"value": "v", "partition": -2}),
            1,
            message("t", -2, "v"),
            404,
        ),
        (json!({"value": "v", "timestamp": -1}), 1, negative, 400),
    ] {
        let (response, error) = produce_both(&fixture, &client, record.clone(), acks, grpc).await;
        // Over REST there may be many.
        let error = error.replacen("record.", "records[0].", 1);
        assert_eq!(refusal(&response, status), error, "{record}");
    }
    for body in [
        json!([]),
        json!({}),
        json!({"records": []}),
        json!({"records": [{}]}),
        json!({"records": [{"value": "a", "valueBase64": "YQ=="}]}),
        json!({"records": [{"valueBase64": "?"}]}),
        json!({"records": [{"value": "v"}], "acks": 2}),
        json!({"records": [{"value": "v", "partition": "1"}]}),
    ] {
        let response = request(&fixture, "POST", "/api/v1/topics/t/records", &body).await;
        refusal(&response, 400);
    }
    // One bad record: none is stored.
    let body = json!({"records": [{"value": "v", "partition": 0}, {"value": "v", "partition": 7}]});
    let response = request(&fixture, "POST", "/api/v1/topics/t/records", &body).await;
    refusal(&response, 404);
    assert_eq!(client.offsets("t", 0).await, (0, 0));
}

pub(super) async fn what_one_face_takes_the_other_gives(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 2).await;
    let body = json!({"records": [
        {"partition": 0, "key": "k", "value": "tü", "headers": [{"key": "h", "value": "1"}, {"key": "b", "valueBase64": "/w=="}], "timestamp": 5},
        {"partition": 0, "keyBase64": "/w==", "valueBase64": "/wA="},
        {"partition": 1, "value": ""},
    ], "acks": -1});
    let response = request(&fixture, "POST", "/api/v1/topics/t/records", &body).await;
    let produced = response.json();
    assert_eq!(response.status, 200, "{produced}");
    assert_eq!(
        produced["records"][0],
        json!({"partition": 0, "offset": 0, "timestamp": 5})
    );
    assert_eq!(
        (
            &produced["records"][1]["offset"],
            &produced["records"][2]["offset"]
        ),
        (&json!(1), &json!(0))
    );
    let mut stream = client.consume(from("t", 0, -1)).await.unwrap();
    let records = next(&mut stream, 2).await;
    assert_eq!(
        (&records[0].key[..], &records[0].value[..]),
        (&b"k"[..], "tü".as_bytes())
    );
    assert_eq!(records[0].headers[1].value[..], [0xff]);
    assert_eq!(
        (&records[1].key[..], &records[1].value[..]),
        (&[0xff][..], &[0xff, 0][..])
    );
    let path = "/api/v1/topics/t/partitions/0/records?offset=0&maxBytes=1000&maxWaitMs=0";
    let fetched = http::get(fixture.service.http(), path).await.json();
    assert_eq!(fetched["highWatermark"], 2);
    let mut first = body["records"][0].clone();
    first["offset"] = json!(0);
    assert_eq!(fetched["records"][0], first);
    assert_eq!(fetched["records"][1]["valueBase64"], "/wA=");
    assert_eq!(fetched["records"][1]["keyBase64"], "/w==");

    // Waits for what comes.
    let path = "/api/v1/topics/t/partitions/1/records?offset=1&maxWaitMs=30000";
    let address = fixture.service.http();
    let waiting = tokio::spawn(async move { http::get(address, path).await.json() });
    client.put("t", 1, "late").await;
    assert_eq!(waiting.await.unwrap()["records"][0]["value"], "late");
    let path = "/api/v1/topics/t/partitions/1/records?offset=2&maxWaitMs=50";
    assert_eq!(
        http::get(address, path).await.json(),
        json!({"highWatermark": 2, "records": []})
    );
}

pub(super) async fn groups_are_the_same_on_both_faces(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 2).await;
    let commit =
        |offset: i64| json!({"offsets": [{"topic": "t", "partition": 1, "offset": offset}]});
    let path = "/api/v1/groups/g%20%2F1/offsets";
    let response = request(&fixture, "PUT", path, &commit(3)).await;
    assert_eq!(response.status, 200);
    assert_eq!(client.describe("g /1").await.state, "Empty");
    let refused = request(&fixture, "PUT", path, &commit(-1)).await;
    assert_eq!(
        refusal(&refused, 400),
        client.commit("g /1", "t", 1, -1).await
    );
    let group = request(&fixture, "GET", "/api/v1/groups/g%20%2F1", &Value::Null)
        .await
        .json();
    assert_eq!(group["groupId"], "g /1");
    assert_eq!(group["offsets"], commit(3)["offsets"]);
    let _member = client.join("m", "c", from("t", -1, -1)).await.unwrap();
    // Kafka takes a moment to let a member in.
    let groups = eventually(async || {
        let path = "/api/v1/groups";
        let groups = request(&fixture, "GET", path, &Value::Null).await.json();
        (groups["groups"][1]["memberCount"] == 1).then_some(groups)
    })
    .await;
    assert_eq!(groups["groups"][0]["groupId"], "g /1");
    let refused = request(&fixture, "DELETE", "/api/v1/groups/m", &Value::Null).await;
    assert!(refusal(&refused, 409).contains("has members"));
    let deleted = request(&fixture, "DELETE", "/api/v1/groups/g%20%2F1", &Value::Null).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(
        client.describe("g /1").await.error,
        "no such consumer group: g /1"
    );
}
