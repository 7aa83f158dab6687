//! What is done to the services.
//!
//! - [`Kind`] (here): the scenarios by name; [`done`]: what was done in one
//! - [`kills`], [`network`], [`read_only`], [`rolling`]: processes, connections and PostgreSQL
//! - [`disk`], [`clocks`], [`damage`]: what the machine does to the event log
//! - [`fuzz`], [`floods`]: what clients do

mod clocks;
mod damage;
mod disk;
mod done;
mod floods;
mod fuzz;
mod kills;
mod network;
mod read_only;
mod rolling;

use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;
use lab_verdict::random::SplitMix64;

use crate::world::World;
pub(crate) use done::Done;

/// A scenario, by its name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// kill -9 of one service after the other
    KillServices,
    /// kill -9 of PostgreSQL
    KillPostgres,
    /// A fast shutdown of PostgreSQL, and a start
    RestartPostgres,
    /// The network to PostgreSQL freezes, breaks and slows down; streams of subscribers are cut
    Network,
    /// The event log's disk is full, and has room again
    FullDisk,
    /// The database takes no writes for a while
    ReadOnly,
    /// The clocks of the services jump by years and back
    Clocks,
    /// Files of an event log are damaged at random
    Damage,
    /// Requests and frames that nobody would send
    Fuzz,
    /// Connections, resets and slow clients by the hundred
    Floods,
    /// Rolling restarts of two producers
    Rolling,
}

impl Kind {
    /// What [`Done::acts`] counts.
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::KillServices | Self::KillPostgres => "kills",
            Self::RestartPostgres | Self::Rolling => "restarts",
            Self::Network => "failures of the network",
            Self::FullDisk => "full disks",
            Self::ReadOnly => "spells",
            Self::Clocks => "jumps",
            Self::Damage => "damaged files",
            Self::Fuzz => "requests and frames",
            Self::Floods => "connections",
        }
    }

    /// Goes on until `until`.
    ///
    /// # Errors
    /// The services cannot be brought back: the campaign ends.
    pub(crate) async fn run(
        self,
        world: &mut World,
        random: &mut SplitMix64,
        until: Instant,
        done: &mut Done,
    ) -> Result<()> {
        // At least once.
        loop {
            match self {
                Self::KillServices => kills::service(world, random, done).await?,
                Self::KillPostgres => kills::postgres(world, random, done).await?,
                Self::RestartPostgres => kills::restart_postgres(world, random, done).await?,
                Self::Network => network::fail(world, random, done).await?,
                Self::FullDisk => disk::fill(world, random, done).await?,
                Self::ReadOnly => read_only::spell(world, random, done).await?,
                Self::Clocks => clocks::jump(world, random, done).await?,
                Self::Damage => damage::damage(world, random, done).await?,
                Self::Fuzz => fuzz::send(world, random, done).await?,
                Self::Floods => floods::flood(world, random, done).await?,
                Self::Rolling => rolling::restart(world, random, done).await?,
            }
            if Instant::now() >= until || done.left_out.is_some() {
                return Ok(());
            }
        }
    }
}
