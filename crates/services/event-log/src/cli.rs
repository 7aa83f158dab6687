//! The command line: the server, and one command for each thing that can be done to a chain, on a directory or over the
//! network.
//!
//! - `command`: what can be said; `answer`: what is asked and answered
//! - `anchored_by`: the anchors that a directory's chain is compared with
//! - `any_place`: a directory (`local`) or a server (`remote`)
//! - `output`: standard output

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context;
use protect::principals::tokens::{self, TokenHash};

use crate::chain_service::rest::{AppendedAnswer, VerifiedAnswer};

mod anchored_by;
mod answer;
mod any_place;
mod command;
mod local;
mod output;
mod remote;

use answer::Wanted;
use any_place::AnyPlace;
pub use command::{AnchoredBy, ChainCommand, Cli, Command, DirectoryOrServer, Place, TokenCommand};
use output::{print, write};

/// Prints a new token and its hash. The token is stored nowhere.
///
/// # Errors
/// There are no random bytes, or nobody reads.
pub fn new_token() -> anyhow::Result<ExitCode> {
    let token = tokens::generate()?;
    let hash = TokenHash::of(token.as_bytes()).to_hex();
    write(format!("{token}\ntoken_sha256 = [\"{hash}\"]\n").as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Runs one command.
///
/// # Errors
/// It was refused, or the directory or the server cannot be used.
pub async fn run(command: ChainCommand) -> anyhow::Result<ExitCode> {
    let place = AnyPlace::open(command.place().clone(), &command).await?;
    match command {
        ChainCommand::Append {
            partition, data, ..
        } => {
            let appended = place.append(partition, input(data)?).await?;
            print(&AppendedAnswer {
                seq: appended.seq,
                ts: &appended.ts,
                hash: &appended.hash,
            })?;
        }
        ChainCommand::Read {
            start,
            limit,
            partition,
            ..
        } => {
            place
                .print(partition, Wanted::From { start, limit })
                .await?
        }
        ChainCommand::Tail {
            follow,
            last,
            start,
            partition,
            ..
        } => {
            let start = match last {
                Some(count) => Some(place.next_seq(&partition).await?.saturating_sub(count)),
                None => start,
            };
            let wanted = if follow {
                Wanted::Follow { start }
            } else {
                Wanted::From { start, limit: None }
            };
            place.print(partition, wanted).await?;
        }
        ChainCommand::Verify {
            partition,
            anchored,
            ..
        } => {
            let anchors = anchored_by::open(*anchored).await?;
            let found = place.verify(partition, anchors).await?;
            print(&VerifiedAnswer {
                valid: found.valid,
                entries_verified: found.entries,
                final_hash: &found.final_hash,
                error: Some(&*found.error).filter(|error| !error.is_empty()),
            })?;
            if !found.valid {
                return Ok(ExitCode::FAILURE);
            }
        }
        ChainCommand::List { .. } => {
            let mut names = place.list().await?.join("\n");
            if !names.is_empty() {
                names.push('\n');
            }
            write(names.as_bytes())?;
        }
        ChainCommand::Last { partition, .. } => {
            let last = place.last(partition).await?;
            let mut line = last.context("the partition has no entry")?;
            line.push(b'\n');
            write(&line)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The argument, or standard input for `-`.
fn input(data: String) -> anyhow::Result<String> {
    if data != "-" {
        return Ok(data);
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .context("standard input")?;
    Ok(text)
}
