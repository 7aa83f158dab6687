//! Steps, headers and what counts.

use lab_project::requests::{Capture, Expect, Fill, Form, Part, Request};

use super::*;

pub(super) fn step(method: &str, path: Vec<Part>) -> Step {
    serde_json::from_value(serde_json::json!({
        "name": "s", "method": method, "path": path, "headers": [], "expect": Expect::default(), "timeout_ms": 1000,
    }))
    .unwrap()
}

fn set(steps: Vec<Step>) -> Arc<OwnSet> {
    let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
    Arc::new(OwnSet {
        plan: OwnPlan {
            run_id: "r".into(),
            file: PathBuf::new(),
            counter_base: 10_000_000,
            counted: vec![0],
            seed: 1,
        },
        file: RequestFile {
            schema: SCHEMA.into(),
            scenario: "s".into(),
            protocol: FileProtocol::Rest,
            proto: None,
            env: Vec::new(),
            requests: vec![Request {
                name: "a".into(),
                steps,
            }],
            sequence: vec![Drawn {
                request: 0,
                values: vec!["7".into()],
            }],
        },
        variables: BTreeMap::new(),
        head_lines: endpoint.head_lines(),
        endpoint,
        calls: None,
    })
}

/// Answers each request with the next of these, and keeps what was sent.
struct Answers {
    answers: Vec<(u16, &'static str)>,
    sent: Vec<String>,
}

impl Caller for Answers {
    async fn call(
        &mut self,
        _: &mut BytesMut,
        _: impl FnMut(&[u8]) -> Result<(), &'static str> + Send,
    ) -> RequestOutcome {
        RequestOutcome::NotSent("not asked for".into())
    }

    async fn ask(
        &mut self,
        request: &Outgoing,
        mut judge: impl FnMut(&Incoming<'_>) -> Result<(), String> + Send,
    ) -> RequestOutcome {
        let Outgoing::Http { bytes, .. } = request else {
            return RequestOutcome::NotSent("no http".into());
        };
        self.sent.push(String::from_utf8(bytes.to_vec()).unwrap());
        let (status, body) = self.answers.remove(0);
        let incoming = Incoming {
            status,
            headers: crate::protocol::Headers::Lines(b""),
            body: body.as_bytes(),
            messages: 1,
        };
        match judge(&incoming) {
            Ok(()) => RequestOutcome::Acknowledged,
            Err(wrong) => RequestOutcome::Failed(wrong),
        }
    }
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn filled(fill: Fill, name: &str) -> Part {
    Part::Filled {
        fill,
        name: name.into(),
        r#as: Form::Path,
    }
}

#[tokio::test]
async fn steps_that_depend_on_each_other_count_as_one() {
    let mut login = step("POST", vec![text("/login")]);
    login.expect.status = vec![(200, 299)];
    login.capture = vec![Capture {
        name: "id".into(),
        header: String::new(),
        pointer: "/id".into(),
    }];
    let path = vec![
        text("/items/"),
        filled(Fill::Captured, "id"),
        text("?n="),
        filled(Fill::Counter, ""),
    ];
    let mut look = step("GET", path);
    look.expect.status = vec![(200, 200)];
    let mut source = OwnSource::new(set(vec![login, look]), 0);
    let mut answers = Answers {
        answers: vec![(201, r#"{"id":"a b"}"#), (200, ""), (500, ""), (201, "{}")],
        sent: Vec::new(),
    };
    assert_eq!(
        source.exchange(&mut answers).await,
        RequestOutcome::Acknowledged
    );
    assert!(
        answers.sent[0]
            .starts_with("POST /login HTTP/1.1\r\nhost: 127.0.0.1:1\r\ncontent-length: 0\r\n\r\n"),
        "{}",
        answers.sent[0]
    );
    assert!(
        answers.sent[1].starts_with("GET /items/a%20b?n=10000001 HTTP/1.1\r\n"),
        "{}",
        answers.sent[1]
    );
    assert_eq!(source.counted().unwrap().len(), 1);
    // The second request ends with its first step.
    assert_eq!(
        source.exchange(&mut answers).await,
        RequestOutcome::Failed("status 500".into())
    );
    assert_eq!(
        source.exchange(&mut answers).await,
        RequestOutcome::Failed("nothing at /id".into())
    );
    assert_eq!(answers.sent.len(), 4);
}

#[test]
fn a_header_of_the_user_s_own_takes_precedence() {
    let mut one = step("PUT", vec![text("/"), Part::Drawn { v: 0 }]);
    one.headers = vec![("host".into(), vec![text("shop.example")])];
    one.body = Some(vec![text("{}")]);
    let set = set(vec![one]);
    let mut random = SplitMix64::new(1);
    let mut moment = Moment {
        counter: 1,
        run: "r",
        variables: &BTreeMap::new(),
        captured: &BTreeMap::new(),
        random: &mut random,
    };
    let drawn = &set.file.sequence[0];
    let Outgoing::Http { bytes, .. } = set.http(&set.file.requests[0].steps[0], drawn, &mut moment)
    else {
        panic!("no http")
    };
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        "PUT /7 HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 2\r\n\r\n{}"
    );
}
