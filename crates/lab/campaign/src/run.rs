//! The rounds of a campaign.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use lab_verdict::random::SplitMix64;
use tokio::signal::unix::{SignalKind, signal};

use crate::load::Load;
use crate::load::kept::Findings;
use crate::options::Options;
use crate::output::{say, show};
use crate::scenario::{Done, Kind};
use crate::table::{self, Row};
use crate::world::World;
use crate::world::health::Usage;

/// Load before the first look at memory and descriptors.
const WARM_UP: Duration = Duration::from_secs(5);
/// What a check takes beside a round, roughly: so that a short campaign gets to every scenario.
const CHECK: Duration = Duration::from_secs(3);

/// Runs the campaign. Whether every promise was kept.
pub(crate) async fn run(options: &Options) -> Result<bool> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = whole(options) => done,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

async fn whole(options: &Options) -> Result<bool> {
    let beside = std::env::current_exe()?;
    let folder = options.binaries.as_deref().or_else(|| beside.parent());
    let folder = folder.context("no folder of binaries")?;
    let binaries = folder
        .canonicalize()
        .with_context(|| format!("--binaries {}", folder.display()))?;
    let root = options.root.canonicalize();
    let root = root.with_context(|| format!("--root {}", options.root.display()))?;
    let temporary = match &options.keep {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("weir-campaign-")
                .tempdir()?,
        ),
    };
    let folder = match (&options.keep, &temporary) {
        (Some(folder), _) => {
            let made = fs::create_dir_all(folder).and_then(|()| folder.canonicalize());
            made.with_context(|| format!("--keep {}", folder.display()))?
        }
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => bail!("no folder"),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let seed = options.seed.unwrap_or(now.as_secs());
    say(&format!(
        "campaign: {} min, seed {seed}, in {}",
        options.minutes,
        folder.display()
    ));

    let mut world = World::start(&folder, &binaries, &root).await?;
    let begun = Instant::now();
    let played = rounds(options, &mut world, seed).await;
    let clean = played
        .as_ref()
        .is_ok_and(|(rows, _)| rows.iter().all(Row::is_clean));
    if let (false, Some(temporary)) = (clean, temporary) {
        let kept = temporary.keep();
        say(&format!(
            "campaign: data and logs are kept in {}",
            kept.display()
        ));
    }
    let (rows, resumed) = played?;
    world.stop().await?;
    for row in rows.iter().filter(|row| !row.is_clean()) {
        for what in row.findings.broken.iter().chain(&row.done.broken) {
            say(&format!("campaign: {}: {what}", row.name));
        }
    }
    let table = format!(
        "{}\n{resumed} streams were broken and resumed. {} min on {} cores, {} build, seed {seed}.",
        table::table(&rows),
        begun.elapsed().as_secs() / 60,
        std::thread::available_parallelism()?,
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        },
    );
    show(&table);
    if let Some(path) = &options.table {
        fs::write(path, &table).with_context(|| format!("--table {}", path.display()))?;
    }
    Ok(clean)
}

async fn rounds(options: &Options, world: &mut World, seed: u64) -> Result<(Vec<Row>, u64)> {
    let kinds: Vec<Kind> = match options.only.as_slice() {
        [] => Kind::value_variants().to_vec(),
        only => only.to_vec(),
    };
    let mut random = SplitMix64::of_stream(seed, 0);
    let mut load = Load::start(world).await?;
    let whole = Duration::from_secs(u64::from(options.minutes) * 60);
    let begun = Instant::now();
    let slice = (whole / u32::try_from(kinds.len())?).saturating_sub(CHECK);
    let round = slice.min(Duration::from_secs(options.round.into()));
    let mut rows: Vec<Row> = kinds.iter().map(|kind| row(*kind)).collect();

    tokio::time::sleep(WARM_UP).await;
    let first = load.check(world).await?;
    if !first.is_clean() {
        bail!("promises are broken before anything was done: {first:?}");
    }
    let mut watch = Watch::begin(world)?;
    'campaign: loop {
        for row in &mut rows {
            let played = play(row, round, world, &mut load, &mut random, &mut watch).await;
            played.with_context(|| format!("{} (round {})", row.name, row.rounds))?;
            if begun.elapsed() >= whole && row.rounds > 1 {
                break 'campaign;
            }
        }
        if begun.elapsed() >= whole {
            break;
        }
    }
    Ok((rows, load.streams_resumed()))
}

fn row(kind: Kind) -> Row {
    let name = kind
        .to_possible_value()
        .map(|value| value.get_name().to_owned());
    Row {
        kind,
        name: name.unwrap_or_default(),
        rounds: 0,
        done: Done::default(),
        acknowledged: 0,
        failed: 0,
        findings: Findings::default(),
    }
}

/// One round, and the check after it.
async fn play(
    row: &mut Row,
    length: Duration,
    world: &mut World,
    load: &mut Load,
    random: &mut SplitMix64,
    watch: &mut Watch,
) -> Result<()> {
    let counts = Arc::clone(&load.counts);
    counts.take();
    row.rounds += 1;
    let before = row.done.acts;
    row.kind
        .run(world, random, Instant::now() + length, &mut row.done)
        .await?;
    let found = load.check(world).await?;
    let (acknowledged, failed) = counts.take();
    let clean = found.is_clean();
    row.acknowledged += acknowledged;
    row.failed += failed;
    row.findings.lost += found.lost;
    row.findings.repeated += found.repeated;
    row.findings.broken.extend(found.broken);
    let seen = watch.look(world)?;
    say(&format!(
        "{:16} round {}: {} {}, {acknowledged} acknowledged, {failed} not{}",
        row.name,
        row.rounds,
        row.done.acts - before,
        row.kind.unit(),
        if clean && seen.is_empty() {
            ""
        } else {
            ": PROMISES BROKEN"
        }
    ));
    row.done.broken.extend(seen);
    Ok(())
}

/// What is looked at after each round beside the promises: memory, descriptors, panics.
struct Watch {
    warm: Vec<Usage>,
    /// How far each log was read.
    read: Vec<usize>,
}

impl Watch {
    fn begin(world: &World) -> Result<Self> {
        let usages: Result<Vec<_>> = world.services.iter().map(Usage::of).collect();
        Ok(Self {
            warm: usages?,
            read: vec![0; world.services.len()],
        })
    }

    fn look(&mut self, world: &World) -> Result<Vec<String>> {
        let mut seen = Vec::new();
        for (at, service) in world.services.iter().enumerate() {
            if let Some(leak) = Usage::of(service)?.leak_since(&self.warm[at]) {
                seen.push(format!("{}: {leak}", service.name()));
            }
            seen.extend(panics(service.log(), &mut self.read[at])?);
        }
        let mut damaged = 0;
        let log = world.folder.join("logs").join("damaged.log");
        if log.exists() {
            seen.extend(panics(&log, &mut damaged)?);
            fs::remove_file(log)?;
        }
        Ok(seen)
    }
}

/// Lines of a log since `read` that tell of a panic.
fn panics(log: &Path, read: &mut usize) -> Result<Vec<String>> {
    let bytes = fs::read(log)?;
    let new = String::from_utf8_lossy(bytes.get(*read..).unwrap_or_default()).into_owned();
    *read = bytes.len();
    let lines = new.lines().filter(|line| line.contains("panicked at"));
    Ok(lines
        .map(|line| format!("{}: {line}", log.display()))
        .collect())
}
