//! What is asked, and of which verdict: a file, standard input, a session of the metrics database, or two CSV files.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lab_gate::VerdictFile;

use super::args::GateArgs;
use crate::TOOL;
use crate::judge::verdict_of_csv;
use crate::report;
use crate::usage::UsageError;

/// A verdict and the two of its targets that are asked about.
pub(super) struct Asked {
    pub(super) file: VerdictFile,
    pub(super) baseline: String,
    pub(super) candidate: String,
}

/// Reads the verdict that the arguments name.
pub(super) async fn read(args: &GateArgs, root: Result<PathBuf>) -> Result<Asked> {
    let named = |file| Asked {
        file,
        baseline: args.baseline.clone(),
        candidate: args.candidate.clone(),
    };
    let parse = |text: &str, name: &str| {
        parse(text, &args.higher_is_better).with_context(|| name.to_owned())
    };
    match args.verdict.as_deref() {
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.context("standard input")?;
            parse(&text, "standard input").map(named)
        }
        Some(name) if Path::new(name).is_file() || looks_like_a_file(name) => {
            let text = std::fs::read_to_string(name).with_context(|| name.to_owned())?;
            parse(&text, name).map(named)
        }
        Some(session) => of_session(args, root, Some(session)).await.map(named),
        None if Path::new(&args.baseline).is_file() && Path::new(&args.candidate).is_file() => {
            of_two_files(args)
        }
        None => of_session(args, root, None).await.map(named),
    }
}

/// A session's id has neither a folder nor an ending.
fn looks_like_a_file(name: &str) -> bool {
    name.contains(['/', '.'])
}

/// JSON is a verdict file; anything else must be a CSV file.
fn parse(text: &str, higher_is_better: &[String]) -> Result<VerdictFile> {
    if text.trim_start().starts_with('{') {
        return Ok(VerdictFile::parse(text)?);
    }
    verdict_of_csv(text, higher_is_better, TOOL)
}

async fn of_session(
    args: &GateArgs,
    root: Result<PathBuf>,
    session: Option<&str>,
) -> Result<VerdictFile> {
    let store = lab_bench::metrics::connect(&root?, &args.metrics).await?;
    let session = match session {
        Some(session) => session.to_owned(),
        None => report::newest(&store).await?,
    };
    report::verdict(&store, &session).await
}

/// The trials of each side in a file of its own: one target each, paired by the names of their rounds.
fn of_two_files(args: &GateArgs) -> Result<Asked> {
    let (old, new) = (Side::read(&args.baseline)?, Side::read(&args.candidate)?);
    if old.header != new.header {
        return Err(UsageError::plain(format!(
            "--candidate: {} has the columns {}, and {} has {}; both need the same",
            args.candidate,
            new.header.join(","),
            args.baseline,
            old.header.join(","),
        ))
        .into());
    }
    let (mut baseline, mut candidate) = (old.target.clone(), new.target.clone());
    if baseline == candidate {
        (baseline, candidate) = ("baseline".to_owned(), "candidate".to_owned());
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&old.header)?;
    for (side, name) in [(&old, &baseline), (&new, &candidate)] {
        for row in &side.rows {
            let cells = row.iter().enumerate();
            writer.write_record(cells.map(|(place, cell)| match place == side.place {
                true => name.as_str(),
                false => cell,
            }))?;
        }
    }
    let text = String::from_utf8(writer.into_inner()?)?;
    Ok(Asked {
        file: verdict_of_csv(&text, &args.higher_is_better, TOOL)?,
        baseline,
        candidate,
    })
}

/// A CSV file with the trials of one target.
struct Side {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
    /// Column of the target's name.
    place: usize,
    target: String,
}

impl Side {
    fn read(name: &str) -> Result<Self> {
        let text = std::fs::read_to_string(name).with_context(|| name.to_owned())?;
        if text.trim_start().starts_with('{') {
            return Err(UsageError::plain(format!(
                "{name}: two verdict files have no rounds in common: measure both builds as two targets of one session, and \
                 name its verdict file first: weir gate verdict.json --baseline TARGET --candidate TARGET"
            ))
            .into());
        }
        // Wrong numbers are found with their line before the two are put together.
        verdict_of_csv(&text, &[], TOOL).with_context(|| name.to_owned())?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>()?;
        let place = header.iter().position(|column| column == "target");
        let place = place.with_context(|| format!("{name}: no column \"target\""))?;
        let mut targets: Vec<&str> = rows.iter().filter_map(|row| row.get(place)).collect();
        targets.sort_unstable();
        targets.dedup();
        let [target] = targets[..] else {
            bail!(
                "{name}: holds the targets {}; a file for --baseline or --candidate holds one",
                targets.join(", ")
            );
        };
        Ok(Self {
            target: target.to_owned(),
            header,
            rows,
            place,
        })
    }
}
