//! `ProduceMessageStream`: many in flight, answers in order.

use api::takhin::{ProduceMessageRequest, Record};
use tokio_stream::StreamExt;
use tonic::Code;

use super::support::{Backend, Fixture, message, values};

pub(super) async fn answers_come_in_order_and_mistakes_end_nothing(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 3).await;
    client.create("u", 1).await;
    let sent: Vec<ProduceMessageRequest> = (0..5000)
        .map(|n| {
            let mut message = match n % 7 {
                0 => message("none", 0, "v"),
                1 => message("t", 9, "v"),
                2 => message("u", -1, &n.to_string()),
                _ => message("t", n % 3, &n.to_string()),
            };
            message.required_acks = if n % 11 == 0 { -1 } else { n % 2 };
            if n % 7 == 3 {
                message.required_acks = 5;
            }
            message
        })
        .collect();
    let requests = tokio_stream::iter(sent.clone());
    let answers = client
        .0
        .clone()
        .produce_message_stream(requests)
        .await
        .unwrap()
        .into_inner();
    let answers: Vec<_> = answers.map(Result::unwrap).collect().await;
    assert_eq!(answers.len(), sent.len());
    let mut next = std::collections::HashMap::new();
    for (n, (asked, answer)) in sent.iter().zip(&answers).enumerate() {
        assert_eq!(answer.topic, asked.topic);
        let problem = match n % 7 {
            0 => "no such topic: none",
            1 => "no such partition: 9 of topic t, which has 3",
            3 => "requiredAcks must be 0, 1 or -1",
            _ => "",
        };
        assert_eq!(answer.error, problem, "{n}");
        if problem.is_empty() {
            let place = next
                .entry((answer.topic.clone(), answer.partition))
                .or_insert(0);
            let unsaid = backend.answered(0, *place);
            // A batch of Kafka with acks 0 alone has no offsets.
            assert!([*place, unsaid].contains(&answer.offset), "{n}: {answer:?}");
            *place += 1;
        }
    }
    let records = client.read("t", 0, 0, 500).await;
    let numbers: Vec<i32> = values(&records)
        .iter()
        .map(|value| value.parse().unwrap())
        .collect();
    assert!(
        numbers.is_sorted(),
        "the order of sending is the order in the partition"
    );
}

pub(super) async fn each_message_is_answered_while_the_stream_is_open(backend: &Backend) {
    let fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = client
        .0
        .clone()
        .produce_message_stream(requests)
        .await
        .unwrap()
        .into_inner();
    for (offset, acks) in [0, 1, -1, 0].into_iter().enumerate() {
        sender
            .send(ProduceMessageRequest {
                required_acks: acks,
                ..message("t", 0, "v")
            })
            .await
            .unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        let answered = backend.answered(acks, offset as i64);
        assert_eq!((answer.offset, &*answer.error), (answered, ""));
    }
    // A record that is too large is one mistake; a message that cannot be taken in ends the stream.
    for (bytes, ends) in [(10 * 1024 * 1024 + 1, false), (11 * 1024 * 1024, true)] {
        let record = Some(Record {
            value: vec![0; bytes].into(),
            ..Record::default()
        });
        sender
            .send(ProduceMessageRequest {
                record,
                ..message("t", 0, "")
            })
            .await
            .unwrap();
        let answer = answers.message().await;
        if ends {
            assert_eq!(answer.expect_err("the end").code(), Code::ResourceExhausted);
        } else {
            let error = answer.unwrap().unwrap().error;
            assert!(error.contains("10485761 bytes"), "{error}");
        }
    }
}

pub(super) async fn a_stop_answers_what_was_taken_and_says_why_it_ends(backend: &Backend) {
    let mut fixture = Fixture::on(backend);
    let client = fixture.client().await;
    client.create("t", 1).await;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(receiver);
    let mut answers = client
        .0
        .clone()
        .produce_message_stream(requests)
        .await
        .unwrap()
        .into_inner();
    sender.send(message("t", 0, "v")).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().offset, 0);
    let mut consumer = client
        .consume(super::support::from("t", 0, -2))
        .await
        .unwrap();
    let consumed = tokio::spawn(async move { consumer.message().await });
    let begun = std::time::Instant::now();
    let status = tokio::task::spawn_blocking(move || fixture.service.terminate())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
    let end = answers.message().await.expect_err("the end");
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unavailable, "shutting down")
    );
    let end = consumed.await.unwrap().expect_err("the end");
    assert_eq!(
        (end.code(), end.message()),
        (Code::Unavailable, "shutting down")
    );
}
