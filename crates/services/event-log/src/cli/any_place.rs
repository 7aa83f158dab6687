//! A directory or a server: the same commands on both.

use std::path::PathBuf;

use anyhow::Context;
use tokio::sync::mpsc;

use super::answer::{Appended, Verified, Wanted};
use super::command::{ChainCommand, Place};
use super::local::Local;
use super::output::{BLOCKS_AHEAD, reader_gone, write};
use super::remote::Remote;
use crate::anchors::Anchors;

pub(super) enum AnyPlace {
    Local(Local),
    Remote(Box<Remote>),
}

impl AnyPlace {
    /// What `place` says, ready for `command`.
    pub(super) async fn open(place: Place, command: &ChainCommand) -> anyhow::Result<Self> {
        if let Some(addr) = place.at.addr {
            let remote = Remote::connect(&addr, &place.client).await?;
            return Ok(Self::Remote(Box::new(remote)));
        }
        let dir: PathBuf = place.at.dir.context("--dir or --addr is required")?;
        Ok(Self::Local(Local::new(dir, command)?))
    }

    pub(super) async fn append(&self, partition: String, data: String) -> anyhow::Result<Appended> {
        match self {
            Self::Local(local) => local.append(&partition, data.as_bytes()).await,
            Self::Remote(remote) => remote.append(partition, data).await,
        }
    }

    /// A server compares with anchors of its own.
    pub(super) async fn verify(
        &self,
        partition: String,
        anchors: Option<Anchors>,
    ) -> anyhow::Result<Verified> {
        match self {
            Self::Local(local) => local.verify(partition, anchors).await,
            Self::Remote(remote) => remote.verify(partition).await,
        }
    }

    pub(super) async fn list(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Local(local) => local.list().await,
            Self::Remote(remote) => remote.list().await,
        }
    }

    /// The last entry's line.
    pub(super) async fn last(&self, partition: String) -> anyhow::Result<Option<Vec<u8>>> {
        Ok(match self {
            Self::Local(local) => local.last(&partition).await?.map(|(_, line)| line),
            Self::Remote(remote) => remote.last(partition).await?.map(|(_, line)| line),
        })
    }

    /// The number that the next entry will have.
    pub(super) async fn next_seq(&self, partition: &str) -> anyhow::Result<u64> {
        let last = match self {
            Self::Local(local) => local.last(partition).await?,
            Self::Remote(remote) => remote.last(partition.to_owned()).await?,
        };
        Ok(last.map_or(0, |(seq, _)| seq + 1))
    }

    /// Prints entries as they come. That nobody reads them any more is no error.
    pub(super) async fn print(&self, partition: String, wanted: Wanted) -> anyhow::Result<()> {
        let (lines, mut printed) = mpsc::channel::<Vec<u8>>(BLOCKS_AHEAD);
        let printing = tokio::task::spawn_blocking(move || {
            while let Some(block) = printed.blocking_recv() {
                if !write(&block)? {
                    break;
                }
            }
            anyhow::Ok(())
        });
        let follows = matches!(wanted, Wanted::Follow { .. });
        let read = async {
            match self {
                Self::Local(local) => local.read(&partition, wanted, lines).await,
                Self::Remote(remote) => remote.read(partition, wanted, lines).await,
            }
        };
        let read = tokio::select! {
            read = read => read,
            // The next write would tell, which may never come.
            () = reader_gone(), if follows => Ok(()),
        };
        printing.await??;
        read
    }
}
