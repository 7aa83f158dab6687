//! The verdicts over a CSV file as the file `verdict.json`.

use lab_gate::verdict_file::{
    Better, Comparison, FORMAT, Kind, Settings, Source, Target, VerdictFile,
};
use lab_verdict::power::least_rounds;
use lab_verdict::{Outcome, words};

use super::comparisons::{self, Judged, Named};
use super::figures::{Session, Table};
use super::show;

/// The file of what was judged.
pub(super) fn verdict_file(
    table: &Table,
    judged: &[Judged],
    named: &Named,
    settings: &lab_verdict::Settings,
    tool: &str,
) -> VerdictFile {
    let sentences: Vec<String> = judged
        .iter()
        .flat_map(|session| {
            let under = session.session.as_ref();
            let under = under.map_or(String::new(), |name| format!("{name}: "));
            let all = session.comparisons.iter();
            all.map(move |pair| format!("{under}{}", show::sentence(pair, settings, named)))
        })
        .collect();
    VerdictFile {
        format: FORMAT.to_owned(),
        source: Source {
            tool: tool.to_owned(),
            ..Source::default()
        },
        kind: kind(judged),
        sentence: sentences.join("\n"),
        notes: judged.iter().flat_map(show::places).collect(),
        settings: Settings {
            alpha: settings.alpha,
            margin: settings.margin,
            reference: named.reference.clone(),
            primary: named.primary.clone(),
            look: settings.look.map(Into::into),
        },
        targets: targets(&table.sessions),
        comparisons: judged
            .iter()
            .flat_map(|session| {
                let all = session.comparisons.iter();
                all.map(|pair| comparison(session, pair, named, settings))
            })
            .collect(),
        checks: Vec::new(),
    }
}

/// Of the comparisons that decide: a difference where one is certain, equal where all are.
fn kind(judged: &[Judged]) -> Kind {
    let all = judged.iter().flat_map(|session| &session.comparisons);
    let outcomes: Vec<Outcome> = all
        .filter(|pair| pair.decides)
        .map(|pair| pair.found.outcome)
        .collect();
    match outcomes.as_slice() {
        [] => Kind::Seen,
        some if some.contains(&Outcome::Different) => Kind::Difference,
        some if some.iter().all(|outcome| *outcome == Outcome::Equal) => Kind::Equal,
        _ => Kind::Open,
    }
}

fn targets(sessions: &[Session]) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for session in sessions {
        for (index, name) in session.targets.iter().enumerate() {
            let rounds = session.payloads.iter().flat_map(|payload| &payload.rounds);
            let trials = rounds.flat_map(|round| &round.trials);
            let own: Vec<bool> = trials
                .filter(|trial| trial.target == index)
                .map(|trial| trial.valid)
                .collect();
            let place = targets.iter().position(|target| target.name == *name);
            let place = place.unwrap_or_else(|| {
                targets.push(Target {
                    name: name.clone(),
                    ..Target::default()
                });
                targets.len() - 1
            });
            let counted = own.iter().filter(|valid| **valid).count();
            targets[place].trials += own.len();
            targets[place].counted += counted;
            targets[place].disturbed += own.len() - counted;
        }
    }
    targets
}

fn comparison(
    session: &Judged,
    pair: &comparisons::Comparison,
    named: &Named,
    settings: &lab_verdict::Settings,
) -> Comparison {
    let found = &pair.found;
    let no_verdict = pair
        .disturbed
        .as_ref()
        .map(|who| format!("trials of {who} were marked invalid clearly more often"));
    let is_open = found.outcome == Outcome::Open && no_verdict.is_none();
    Comparison {
        session: session.session.clone(),
        scenario: None,
        payload: pair.payload.clone(),
        figure: pair.figure.clone(),
        unit: None,
        better: match named.more_is_better(&pair.figure) {
            true => Better::More,
            false => Better::Less,
        },
        a: pair.a.clone(),
        b: pair.b.clone(),
        decides: pair.decides,
        rounds: pair.rounds.clone(),
        rounds_needed: least_rounds(pair.family, settings.alpha),
        ratio: found.ratio,
        low: found.interval.map(|interval| interval.low),
        high: found.interval.map(|interval| interval.high),
        level: found.interval.map(|_| 1.0 - found.alpha),
        p: found.p,
        p_holm: found.p_holm,
        spread: found.spread,
        outcome: Some(found.outcome),
        no_verdict,
        next: is_open.then(|| words::what_would_decide(found, pair.family, settings)),
    }
}
