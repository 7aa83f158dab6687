//! The reads of scenario `balance`: one of the seeded accounts at a time, drawn uniformly. Requests are prepared
//! once and patched, answers compared byte by byte where they look as expected, and decoded where they do not.

use std::sync::Arc;

use anyhow::Context;
use api::benchmark::{BalanceRequest, BalanceResponse};
use bytes::BytesMut;
use prost::Message;
use serde::Deserialize;

use crate::protocol::grpc::framed;
use crate::protocol::{Protocol, Wording};
use crate::random::Random;
use crate::usage::{Usage, require};

/// The number of the first account that `weir seed` makes: `0.0.100000`.
const FIRST: u32 = 100_000;
/// How many it makes.
pub const SEEDED: u32 = 10_000;
/// Digits of an account's number.
const DIGITS: usize = 6;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct AccountPlan {
    /// The label of the run.
    pub run_id: String,
    /// Seed of the order.
    pub seed: u64,
    /// The accounts: so many from the first of the seeded ones, each as likely as the others.
    pub accounts: u32,
}

impl AccountPlan {
    /// Checks it.
    ///
    /// # Errors
    /// For more accounts than six digits name.
    pub fn check(&self) -> Result<(), Usage> {
        require(
            (1..=900_000).contains(&self.accounts),
            "--accounts must be 1 to 900000",
        )
    }
}

/// The prepared request of a run.
#[derive(Debug)]
pub struct AccountSet {
    plan: AccountPlan,
    protocol: Protocol,
    /// The request for the first account.
    request: Vec<u8>,
    /// Where its digits are.
    digits_at: usize,
}

impl AccountSet {
    /// Prepares the request.
    ///
    /// # Errors
    /// Those of [`AccountPlan::check`], and for a path without `{id}`.
    pub fn prepare(plan: AccountPlan, wording: Wording<'_>) -> anyhow::Result<Self> {
        plan.check()?;
        let id = id(FIRST);
        let request = match wording.protocol {
            Protocol::Rest => {
                let (before, after) = wording
                    .path
                    .split_once("{id}")
                    .with_context(|| format!("the path {} has no {{id}}", wording.path))?;
                let lines = wording.endpoint.head_lines();
                format!("GET {before}{id}{after} HTTP/1.1\r\n{lines}\r\n").into_bytes()
            }
            Protocol::Grpc => {
                let message = BalanceRequest {
                    account_id: id.clone(),
                };
                framed(&message.encode_to_vec()).into()
            }
        };
        let at =
            memchr::memmem::find(&request, id.as_bytes()).context("a request without an id")?;
        Ok(Self {
            plan,
            protocol: wording.protocol,
            request,
            digits_at: at + id.len() - DIGITS,
        })
    }
}

/// One worker's sequence of accounts.
#[derive(Debug)]
pub struct AccountSource {
    set: Arc<AccountSet>,
    random: Random,
    /// The account that was asked for last.
    id: String,
}

impl AccountSource {
    /// The sequence of `worker`.
    pub fn new(set: Arc<AccountSet>, worker: usize) -> Self {
        let random = Random::new(set.plan.seed, worker as u64);
        Self {
            set,
            random,
            id: id(FIRST),
        }
    }

    /// Appends the next request.
    pub fn next(&mut self, buffer: &mut BytesMut) {
        let set = &self.set;
        let number = FIRST as usize + self.random.below(set.plan.accounts as usize);
        let mut digits = [0; DIGITS];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let from = buffer.len();
        buffer.extend_from_slice(&set.request);
        buffer[from + set.digits_at..][..DIGITS].copy_from_slice(&digits);
        self.id.truncate(self.id.len() - DIGITS);
        self.id.extend(digits.map(char::from));
    }

    /// Whether the answer is a balance of the account that was asked for last.
    ///
    /// # Errors
    /// What it is instead.
    pub fn check(&self, answer: &[u8]) -> Result<(), &'static str> {
        let id = self.id.as_str();
        match self.set.protocol {
            Protocol::Rest => match looks_right(answer, id) {
                true => Ok(()),
                false => decode_json(answer, id),
            },
            Protocol::Grpc => {
                let answer = BalanceResponse::decode(answer).map_err(|_| "unreadable answer")?;
                right(answer.account_id == id && !answer.timestamp.is_empty())
            }
        }
    }
}

fn id(number: u32) -> String {
    format!("0.0.{number}")
}

fn right(account: bool) -> Result<(), &'static str> {
    if account {
        Ok(())
    } else {
        Err("answer for another account")
    }
}

/// `{"account":"<id>","balance":<digit...}`, as the contract has it and most servers write it.
fn looks_right(answer: &[u8], id: &str) -> bool {
    let rest = answer.strip_prefix(b"{\"account\":\"");
    let rest = rest.and_then(|rest| rest.strip_prefix(id.as_bytes()));
    let rest = rest.and_then(|rest| rest.strip_prefix(b"\",\"balance\":"));
    rest.is_some_and(|rest| {
        rest.first()
            .is_some_and(|digit| digit.is_ascii_digit() || *digit == b'-')
            && rest.ends_with(b"\"}")
    })
}

fn decode_json(answer: &[u8], id: &str) -> Result<(), &'static str> {
    #[derive(Deserialize)]
    struct Account<'a> {
        #[serde(borrow)]
        account: std::borrow::Cow<'a, str>,
        #[expect(dead_code, reason = "has to be there, and a whole number")]
        balance: i64,
    }
    let answer: Account<'_> = serde_json::from_slice(answer).map_err(|_| "unreadable answer")?;
    right(answer.account == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Endpoint;

    fn source(protocol: Protocol) -> AccountSource {
        let endpoint = Endpoint::parse("http://127.0.0.1:1").unwrap();
        let plan = AccountPlan {
            run_id: "t".into(),
            seed: 1,
            accounts: SEEDED,
        };
        let wording = Wording {
            protocol,
            endpoint: &endpoint,
            path: crate::work::Work::default_path("balance", protocol),
        };
        AccountSource::new(Arc::new(AccountSet::prepare(plan, wording).unwrap()), 0)
    }

    #[test]
    fn all_accounts_are_asked_for_about_equally_often() {
        let mut source = source(Protocol::Rest);
        let mut counts = vec![0_u32; SEEDED as usize];
        for _ in 0..100 * SEEDED {
            let mut buffer = BytesMut::new();
            source.next(&mut buffer);
            let text = std::str::from_utf8(&buffer).unwrap();
            let path = text.strip_prefix("GET /api/v1/accounts/0.0.").unwrap();
            let number: usize = path[..DIGITS].parse().unwrap();
            assert!(path[DIGITS..].starts_with("/balance HTTP/1.1\r\nhost: 127.0.0.1:1\r\n\r\n"));
            counts[number - FIRST as usize] += 1;
        }
        // Binomial with mean 100 and deviation 10: six deviations are beyond chance.
        assert!(counts.iter().all(|count| (40..=160).contains(count)));
    }

    #[test]
    fn only_the_balance_of_that_account_is_right() {
        let mut rest = source(Protocol::Rest);
        rest.next(&mut BytesMut::new());
        let id = rest.id.clone();
        for (answer, expected) in [
            (
                format!(r#"{{"account":"{id}","balance":12,"timestamp":"t"}}"#),
                Ok(()),
            ),
            (format!(r#"{{ "balance": -1, "account": "{id}" }}"#), Ok(())),
            (
                r#"{"account":"0.0.1","balance":12,"timestamp":"t"}"#.into(),
                Err("answer for another account"),
            ),
            (
                format!(r#"{{"account":"{id}","balance":"12"}}"#),
                Err("unreadable answer"),
            ),
            (format!(r#"{{"account":"{id}"}}"#), Err("unreadable answer")),
            (String::new(), Err("unreadable answer")),
        ] {
            assert_eq!(rest.check(answer.as_bytes()), expected, "{answer}");
        }
    }

    #[test]
    fn over_grpc_too() {
        let mut grpc = source(Protocol::Grpc);
        let mut buffer = BytesMut::new();
        grpc.next(&mut buffer);
        let asked = BalanceRequest::decode(&buffer[5..]).unwrap();
        assert_eq!(asked.account_id, grpc.id);
        let mut answer = BalanceResponse {
            account_id: asked.account_id,
            balance_tinybar: 0,
            timestamp: "2025-01-01T00:00:00Z".into(),
        };
        assert_eq!(grpc.check(&answer.encode_to_vec()), Ok(()));
        answer.account_id = "0.0.1".into();
        assert!(grpc.check(&answer.encode_to_vec()).is_err());
    }
}
