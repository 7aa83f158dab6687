//! The cases of balance, and its client: one account, and several in one request.

use anyhow::{Context, Result, bail, ensure};
use api::benchmark::{BalanceRequest, BalanceResponse, BatchBalanceRequest, BatchBalanceResponse};
use http::StatusCode;
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target};
use prost::Message;
use serde_json::Value;
use service_client::ClientChannel;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::Code;

use super::finding::Finding;
use super::wire::{LIMIT, connect, health, unary_on};
use crate::application_db::{Account, ApplicationDb};
use crate::http::get;

/// The first and the last of the accounts that `weir seed` makes, and one between.
const KNOWN: [&str; 3] = ["0.0.100000", "0.0.104711", "0.0.109999"];

/// An account that is never there.
const UNKNOWN: &str = "weir-verify-nobody";

/// How often an update is made and asked for at once.
const UPDATES: i64 = 20;

/// Where batches are asked for over REST.
const BATCH_PATH: &str = "/api/v1/accounts/balances";

/// What came back for one account or for several.
#[derive(Clone, Debug, PartialEq)]
enum Answer<T> {
    Found(T),
    /// 404 or NOT_FOUND.
    Unknown,
    /// 400 or INVALID_ARGUMENT.
    Invalid,
    /// Anything else, in words.
    Other(String),
}

/// The balances of a batch; `missing` where the protocol names those that are not there.
#[derive(Clone, Debug, PartialEq)]
struct Batch {
    balances: Vec<Account>,
    missing: Option<Vec<String>>,
}

/// A client of one target, on a connection of its own where the protocol keeps one.
pub(crate) enum BalanceClient {
    Rest {
        at: Endpoint,
        /// The path before and after the account's id.
        path: (String, String),
    },
    Grpc {
        channel: ClientChannel,
        service: String,
        method: String,
    },
}

impl BalanceClient {
    pub(crate) async fn connect(target: &Target, at: &Endpoint) -> Result<Self> {
        if target.protocol == Protocol::Rest {
            let path = &target.rest.as_ref().context("[target.rest]")?.path;
            let (before, after) = path.split_once("{id}").with_context(|| {
                format!("rest.path {path}: {{id}} must stand in the account's place")
            })?;
            return Ok(Self::Rest {
                at: at.clone(),
                path: (before.into(), after.into()),
            });
        }
        let grpc = target.grpc.as_ref().context("[target.grpc]")?;
        Ok(Self::Grpc {
            channel: connect(at).await?,
            service: grpc.service.clone(),
            method: grpc.method.clone(),
        })
    }

    /// The balance of an account that is there.
    pub(crate) async fn balance(&self, id: &str) -> Result<Account> {
        Ok(self.sized_balance(id).await?.0)
    }

    /// The same, and the bytes of the answer without headers and framing.
    pub(crate) async fn sized_balance(&self, id: &str) -> Result<(Account, usize)> {
        match self.one(id).await? {
            (Answer::Found(account), bytes) => Ok((account, bytes)),
            (other, _) => bail!("{id} was answered with {}", self.words(&other)),
        }
    }

    /// The answer, and the bytes of its body or message.
    async fn one(&self, id: &str) -> Result<(Answer<Account>, usize)> {
        match self {
            Self::Rest { at, path } => {
                let path = format!("{}{id}{}", path.0, path.1);
                let (status, body) = get(at, &path, &[], LIMIT).await?;
                let bytes = body.len();
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                let answer = match status {
                    StatusCode::OK => Answer::Found(account_of(&body)?),
                    other => refusal(other, &body),
                };
                Ok((answer, bytes))
            }
            Self::Grpc {
                channel,
                service,
                method,
            } => {
                let question = BalanceRequest {
                    account_id: id.into(),
                };
                let path = format!("/{service}/{method}");
                match unary_on::<_, BalanceResponse>(channel, &path, question).await? {
                    Ok(found) => {
                        let bytes = found.encoded_len();
                        Ok((Answer::Found(account_from(found)?), bytes))
                    }
                    Err(status) => Ok((refused(&status), 0)),
                }
            }
        }
    }

    async fn many(&self, ids: &[&str]) -> Result<Answer<Batch>> {
        match self {
            Self::Rest { at, .. } => {
                let path = format!("{BATCH_PATH}?ids={}", ids.join(","));
                let (status, body) = get(at, &path, &[], LIMIT).await?;
                let body: Value = serde_json::from_slice(&body).unwrap_or_default();
                if status != StatusCode::OK {
                    return Ok(refusal(status, &body));
                }
                let all = body["balances"]
                    .as_array()
                    .context("there is no \"balances\"")?;
                let missing = body["missing"]
                    .as_array()
                    .context("there is no \"missing\"")?;
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                Ok(Answer::Found(Batch {
                    balances: all.iter().map(account_of).collect::<Result<_>>()?,
                    missing: Some(missing.iter().map(text).collect()),
                }))
            }
            Self::Grpc {
                channel, service, ..
            } => {
                let question = BatchBalanceRequest {
                    account_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
                };
                let path = format!("/{service}/GetBalances");
                match unary_on::<_, BatchBalanceResponse>(channel, &path, question).await? {
                    Ok(found) => {
                        let balances = found.balances.into_iter().map(account_from);
                        Ok(Answer::Found(Batch {
                            balances: balances.collect::<Result<_>>()?,
                            missing: None,
                        }))
                    }
                    Err(status) => Ok(refused(&status)),
                }
            }
        }
    }

    fn words<T>(&self, answer: &Answer<T>) -> String {
        let rest = matches!(self, Self::Rest { .. });
        match answer {
            Answer::Found(_) => "a balance".into(),
            Answer::Unknown if rest => "404".into(),
            Answer::Unknown => "NOT_FOUND".into(),
            Answer::Invalid if rest => "400".into(),
            Answer::Invalid => "INVALID_ARGUMENT".into(),
            Answer::Other(what) => what.clone(),
        }
    }

    /// An error where `answer` is not `expected`.
    fn expect<T: PartialEq>(&self, answer: &Answer<T>, expected: &Answer<T>) -> Result<()> {
        ensure!(
            answer == expected,
            "answered with {}, not with {}",
            self.words(answer),
            self.words(expected)
        );
        Ok(())
    }
}

/// Runs every case. Without `database` balances are not compared with the table.
pub(super) async fn cases(
    target: &Target,
    at: &Endpoint,
    database: Option<&ApplicationDb>,
) -> Result<Vec<Finding>> {
    let client = match BalanceClient::connect(target, at).await {
        Ok(client) => client,
        Err(error) => return Ok(vec![Finding::of("health answers", Err(error))]),
    };
    Ok(vec![
        Finding::of("health answers", health(target, at).await),
        Finding::of(
            "known accounts are answered as the table has them",
            known(&client, database).await,
        ),
        Finding::of(
            "an unknown account is told apart",
            expect_one(&client, UNKNOWN, Answer::Unknown).await,
        ),
        Finding::of(
            "an id that is too long is refused",
            expect_one(&client, &"x".repeat(256), Answer::Invalid).await,
        ),
        Finding::of(
            "a batch comes in the order asked, without those that are not there",
            batch(&client).await,
        ),
        Finding::of(
            "an account asked for twice is given twice",
            repeated(&client).await,
        ),
        Finding::of("more than 1,000 ids are refused", too_many(&client).await),
        Finding::of(
            "an update that was committed before the request is in its answer",
            fresh(&client, database).await,
        ),
    ])
}

async fn known(client: &BalanceClient, database: Option<&ApplicationDb>) -> Result<()> {
    let stored = match database {
        Some(database) => database.accounts(&KNOWN).await?,
        None => Vec::new(),
    };
    for id in KNOWN {
        let found = client.balance(id).await?;
        ensure!(
            found.id == id,
            "{id} was answered with the account {}",
            found.id
        );
        if database.is_some() {
            let row = stored.iter().find(|row| row.id == id);
            let row = row.with_context(|| format!("{id} is not in the table: run weir seed"))?;
            ensure!(
                found == *row,
                "{found:?} was answered, the table has {row:?}"
            );
        }
    }
    Ok(())
}

async fn expect_one(client: &BalanceClient, id: &str, expected: Answer<Account>) -> Result<()> {
    client.expect(&client.one(id).await?.0, &expected)
}

async fn batch(client: &BalanceClient) -> Result<()> {
    let asked = [KNOWN[2], UNKNOWN, KNOWN[0], KNOWN[1]];
    let found = match client.many(&asked).await? {
        Answer::Found(found) => found,
        other => bail!("answered with {}", client.words(&other)),
    };
    let ids: Vec<&str> = found
        .balances
        .iter()
        .map(|account| account.id.as_str())
        .collect();
    ensure!(
        ids == [KNOWN[2], KNOWN[0], KNOWN[1]],
        "{ids:?} came for {asked:?}"
    );
    if let Some(missing) = found.missing {
        ensure!(missing == [UNKNOWN], "missing is {missing:?}");
    }
    Ok(())
}

async fn repeated(client: &BalanceClient) -> Result<()> {
    match client.many(&[KNOWN[0], KNOWN[0]]).await? {
        Answer::Found(found) => {
            let count = found.balances.len();
            ensure!(
                count == 2 && found.balances[0] == found.balances[1],
                "{count} came"
            );
            Ok(())
        }
        other => bail!("answered with {}", client.words(&other)),
    }
}

async fn too_many(client: &BalanceClient) -> Result<()> {
    let ids = vec![KNOWN[0]; 1001];
    client.expect(&client.many(&ids).await?, &Answer::Invalid)
}

/// Changes an account of its own again and again, and asks at once each time: a cache would show itself.
async fn fresh(client: &BalanceClient, database: Option<&ApplicationDb>) -> Result<()> {
    let Some(database) = database else {
        return Ok(());
    };
    let id = format!("weir-verify-{}", uuid::Uuid::new_v4());
    let mut outcome = Ok(());
    for balance in 1..=UPDATES {
        database.put_account(&id, balance).await?;
        outcome = match client.balance(&id).await {
            Ok(found) if found.balance == balance => Ok(()),
            Ok(found) => Err(anyhow::anyhow!(
                "the balance was set to {balance}, and {} was answered after that",
                found.balance
            )),
            Err(error) => Err(error),
        };
        if outcome.is_err() {
            break;
        }
    }
    database.remove_account(&id).await?;
    outcome
}

fn account_of(value: &Value) -> Result<Account> {
    let text = |key: &str| {
        let found = value[key].as_str();
        found.with_context(|| format!("\"{key}\" is missing or no text in {value}"))
    };
    Ok(Account {
        id: text("account")?.into(),
        balance: value["balance"]
            .as_i64()
            .with_context(|| format!("\"balance\" is no whole number in {value}"))?,
        updated_at: OffsetDateTime::parse(text("timestamp")?, &Rfc3339)
            .with_context(|| format!("\"timestamp\" is no RFC 3339 time in {value}"))?,
    })
}

fn account_from(found: BalanceResponse) -> Result<Account> {
    Ok(Account {
        updated_at: OffsetDateTime::parse(&found.timestamp, &Rfc3339)
            .with_context(|| format!("timestamp {:?} is no RFC 3339 time", found.timestamp))?,
        id: found.account_id,
        balance: found.balance_tinybar,
    })
}

fn refusal<T>(status: StatusCode, body: &Value) -> Answer<T> {
    match status {
        StatusCode::NOT_FOUND => Answer::Unknown,
        StatusCode::BAD_REQUEST => Answer::Invalid,
        other => Answer::Other(format!("{other} {body}")),
    }
}

fn refused<T>(status: &tonic::Status) -> Answer<T> {
    match status.code() {
        Code::NotFound => Answer::Unknown,
        Code::InvalidArgument => Answer::Invalid,
        code => Answer::Other(format!("{code:?}: {}", status.message())),
    }
}
