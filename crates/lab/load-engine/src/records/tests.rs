//! Records and their answers.

use super::*;

fn source(protocol: Protocol, path: &str, worker: usize) -> RecordSource {
    let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
    let wording = Wording {
        protocol,
        endpoint: &endpoint,
        path,
    };
    let plan = RecordPlan { run_id: "r".into() };
    let set = RecordSet::prepare(plan, wording).unwrap();
    RecordSource::new(Arc::new(set), worker)
}

fn sent(source: &mut RecordSource) -> BytesMut {
    let mut buffer = BytesMut::new();
    source.next(&mut buffer);
    buffer
}

#[test]
fn records_are_those_of_the_k6_scripts() {
    let mut source = source(Protocol::Grpc, "/takhin.v1.TakhinService/ProduceMessage", 4);
    sent(&mut source);
    let second = sent(&mut source);
    let request = ProduceMessageRequest::decode(&second[5..]).unwrap();
    assert_eq!(
        (
            request.topic.as_str(),
            request.partition,
            request.required_acks
        ),
        ("r", 1, -1)
    );
    let value = request.record.unwrap().value;
    let record: serde_json::Value = serde_json::from_slice(&value).unwrap();
    assert_eq!(record["run"], "r");
    assert_eq!(
        (record["vu"].as_u64(), record["n"].as_u64()),
        (Some(5), Some(2))
    );
    // What `records.js` makes of the same.
    assert_eq!(value.len(), 395);
}

#[test]
fn over_rest_the_path_names_the_run() {
    let mut topic = source(Protocol::Rest, "/api/v1/topics/{topic}/records", 0);
    let text = String::from_utf8(sent(&mut topic).to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /api/v1/topics/r/records HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.ends_with(&format!("content-length: {}", body.len())),
        "{head}"
    );
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["acks"], -1);
    assert_eq!(body["records"][0]["partition"], 1);
    let mut chain = source(Protocol::Rest, "/api/v1/logs/{partition}", 0);
    let text = String::from_utf8(sent(&mut chain).to_vec()).unwrap();
    assert!(
        text.starts_with("POST /api/v1/logs/r HTTP/1.1\r\n"),
        "{text}"
    );
    assert!(
        text.contains("\r\n\r\n{\"run\":\"r\",\"vu\":1,\"n\":1,"),
        "{text}"
    );
}

#[test]
fn an_answer_places_the_record_after_the_one_before() {
    let mut topic = source(Protocol::Rest, "/api/v1/topics/{topic}/records", 0);
    let answer = |offset: i64| {
        format!("{{\"records\":[{{\"partition\":1,\"offset\":{offset},\"timestamp\":9}}]}}")
    };
    assert_eq!(topic.check(answer(7).as_bytes()), Ok(()));
    assert_eq!(
        topic.check(answer(7).as_bytes()),
        Err("stored before an earlier record")
    );
    assert!(topic.check(answer(-1).as_bytes()).is_err());
    let mut chain = source(
        Protocol::Grpc,
        "/immutablelog.ImmutableLogService/Append",
        0,
    );
    let mut answer = AppendResponse {
        success: true,
        seq: 3,
        ..AppendResponse::default()
    };
    assert_eq!(chain.check(&answer.encode_to_vec()), Ok(()));
    answer.success = false;
    assert_eq!(chain.check(&answer.encode_to_vec()), Err("success=false"));
}

#[test]
fn a_path_that_takes_no_records_is_refused() {
    let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
    let wording = Wording {
        protocol: Protocol::Rest,
        endpoint: &endpoint,
        path: "/api/v1/events",
    };
    let plan = RecordPlan { run_id: "r".into() };
    let error = RecordSet::prepare(plan, wording).unwrap_err().to_string();
    assert!(error.contains("{partition}"), "{error}");
}
