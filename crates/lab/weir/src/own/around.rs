//! Around a trial of a user's own service: steps before and after it, and the number that its audit looks for.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use database_link::Link;
use http::Method;
use lab_contract::http::request;
use lab_host::variables::inherited;
use lab_model::endpoint::Endpoint;
use lab_project::project::{Action, Fill, Look};
use serde_json::Value;
use tokio::process::Command;
use tokio_postgres::SimpleQueryMessage;

/// What the steps of a trial are told.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The label of the run.
    pub run: String,
    /// The target's name.
    pub target: String,
    /// The scenario's name.
    pub scenario: String,
    /// Where the target listens; none before it has started and after it has stopped.
    pub at: Option<Endpoint>,
}

/// How long the target may take to answer an audit.
const LIMIT: Duration = Duration::from_secs(30);

/// Most characters of a statement or a command in words.
const SHOWN: usize = 80;

/// Does the steps one after the other.
///
/// # Errors
/// The first that fails.
pub async fn all(actions: &[Action], trial: &Trial) -> Result<()> {
    for action in actions {
        one(action, trial).await.with_context(|| words(action))?;
    }
    Ok(())
}

async fn one(action: &Action, trial: &Trial) -> Result<String> {
    match action {
        Action::Sql { text, database } => {
            let fill = Fill {
                run: &trial.run,
                env: &inherited,
            };
            let filled = |template| fill.text(template).map_err(anyhow::Error::msg);
            first_value(&connect(&filled(database)?).await?, &filled(text)?).await
        }
        Action::Command { words, dir } => {
            let mut command = Command::new(&words[0]);
            command
                .args(&words[1..])
                .current_dir(dir)
                .kill_on_drop(true);
            command
                .env("RUN_ID", &trial.run)
                .env("TARGET", &trial.target)
                .env("SCENARIO", &trial.scenario);
            if let Some(at) = &trial.at {
                command
                    .env("HOST", &at.host)
                    .env("PORT", at.port.to_string());
            }
            let output = command.output().await.context("cannot be started")?;
            ensure!(
                output.status.success(),
                "{}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.trim().lines().last().unwrap_or_default().to_owned())
        }
    }
}

/// The number of an audit at this moment, and where it comes from.
///
/// # Errors
/// It cannot be had, or is none.
pub async fn number(look: &Look, trial: &Trial) -> Result<(i64, String)> {
    let (text, how) = match look {
        Look::Action(action) => {
            let how = words(action);
            (one(action, trial).await.with_context(|| how.clone())?, how)
        }
        Look::Http { path, pointer } => {
            let at = trial.at.as_ref().context("the target does not run")?;
            let how = format!("GET {path}");
            let (status, body) = request(at, Method::GET, path, None, LIMIT).await?;
            ensure!(status.is_success(), "{how} answered {status}");
            let text = if pointer.is_empty() {
                String::from_utf8_lossy(&body).into_owned()
            } else {
                let value: Value =
                    serde_json::from_slice(&body).with_context(|| format!("{how}: no JSON"))?;
                let found = value.pointer(pointer);
                let found = found.with_context(|| format!("{how}: the answer has no {pointer}"))?;
                found
                    .as_str()
                    .map_or_else(|| found.to_string(), ToOwned::to_owned)
            };
            (text, how)
        }
    };
    match text.trim().parse() {
        Ok(number) => Ok((number, how)),
        Err(_) => bail!("{how}: '{}' is no whole number", text.trim()),
    }
}

async fn connect(url: &str) -> Result<Link> {
    let config: tokio_postgres::Config = url.parse().context("database: no URL of PostgreSQL")?;
    Link::connect(&config).await.context("database")
}

/// The first value of the last row of the statements, as text; empty where there is none.
async fn first_value(client: &Link, sql: &str) -> Result<String> {
    let messages = client.simple_query(sql).await.map_err(|error| {
        let by_server = error.downcast_ref::<tokio_postgres::Error>();
        let said = by_server.and_then(|error| Some(error.as_db_error()?.message().to_owned()));
        said.map_or(error, anyhow::Error::msg)
    })?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(rows.last().unwrap_or_default().to_owned())
}

fn words(action: &Action) -> String {
    let text = match action {
        Action::Sql { text, .. } => {
            let pieces = text.pieces.iter().map(|piece| match piece {
                lab_project::template::Piece::Text(text) => text.as_str(),
                lab_project::template::Piece::Value(_) => "...",
            });
            format!("the statement '{}'", pieces.collect::<String>())
        }
        Action::Command { words, .. } => format!("the command '{}'", words.join(" ")),
    };
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Trial {
        Trial {
            run: "r-1".into(),
            target: "shop".into(),
            scenario: "browse".into(),
            at: None,
        }
    }

    fn command(text: &str) -> Action {
        Action::Command {
            words: ["sh", "-c", text].map(Into::into).into(),
            dir: ".".into(),
        }
    }

    #[tokio::test]
    async fn a_command_is_told_the_trial_and_gives_a_number_on_its_last_line() {
        let look = Look::Action(command("echo $RUN_ID $TARGET $SCENARIO; echo 42"));
        let (number, how) = number(&look, &trial()).await.unwrap();
        assert_eq!(number, 42);
        assert!(how.starts_with("the command 'sh -c echo"), "{how}");
        let error = super::number(&Look::Action(command("echo many")), &trial()).await;
        assert!(format!("{:#}", error.unwrap_err()).contains("'many' is no whole number"));
        let failed = all(
            &[command("true"), command("echo no space >&2; exit 3")],
            &trial(),
        )
        .await;
        let failed = format!("{:#}", failed.unwrap_err());
        assert!(
            failed.contains("no space") && failed.contains("exit 3"),
            "{failed}"
        );
    }
}
