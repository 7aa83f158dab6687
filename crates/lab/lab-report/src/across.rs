//! Sessions of different environments side by side: in each, every target against the reference of its own session. Figures of
//! two machines are never compared with each other; whether both machines tell the targets apart in the same direction is.

use lab_verdict::Outcome;

use super::model::{Across, AcrossRow, Comparison, Report};

/// One entry for each target, payload and figure that at least two of these reports compare with `reference`.
pub fn of(reports: &[Report], reference: &str) -> Vec<Across> {
    let mut all: Vec<Across> = Vec::new();
    for report in reports {
        let session = report.sessions.first();
        let session = session.map_or_else(String::new, |session| session.id.clone());
        let name = |target: usize| report.targets[target].name.as_str();
        for pair in &report.comparisons {
            // Above 1: the target has more than its reference.
            let (target, turned) = match (name(pair.higher), name(pair.lower)) {
                (target, of) if of == reference => (target, false),
                (of, target) if of == reference => (target, true),
                _ => continue,
            };
            let row = row(&session, pair, turned);
            let like = |one: &&mut Across| {
                one.target == target && one.payload == pair.payload && one.metric == pair.metric
            };
            match all.iter_mut().find(like) {
                Some(known) => known.rows.push(row),
                None => all.push(Across {
                    target: target.to_owned(),
                    payload: pair.payload.clone(),
                    metric: pair.metric,
                    rows: vec![row],
                    agree: None,
                }),
            }
        }
    }
    all.retain(|one| one.rows.len() > 1);
    for one in &mut all {
        one.agree = agree(&one.rows);
    }
    all
}

fn row(session: &str, pair: &Comparison, turned: bool) -> AcrossRow {
    let interval = match turned {
        true => pair.interval.map(|interval| interval.inverted()),
        false => pair.interval,
    };
    AcrossRow {
        session: session.to_owned(),
        ratio: if turned { 1.0 / pair.ratio } else { pair.ratio },
        interval,
        level: pair.level,
        rounds: pair.rounds,
        outcome: pair.outcome,
    }
}

/// Whether all sessions found a difference in the same direction, or all found none beyond the margin; none where one of them
/// has not decided.
fn agree(rows: &[AcrossRow]) -> Option<bool> {
    let said = rows.iter().map(|row| match row.outcome? {
        Outcome::Open => None,
        Outcome::Equal => Some(0),
        Outcome::Different => Some(if row.ratio > 1.0 { 1 } else { -1 }),
    });
    let said: Vec<i32> = said.collect::<Option<_>>()?;
    Some(said.windows(2).all(|pair| pair[0] == pair[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::build;
    use crate::invented::{GRPC, Plan, REST, invent};
    use crate::tests::rows;

    #[test]
    fn each_session_stands_against_its_own_reference() {
        let session = |id: &str, targets: &'static [crate::invented::Ability]| {
            let mut invented = invent(&Plan {
                mode: "compare",
                targets,
                trials: 12,
                cores: 16.0,
                scale: 1.0,
                ..Plan::default()
            });
            invented.session.id = id.into();
            build(&rows(&invented), &Options::default())
        };
        let reports = [session("a", &[REST, GRPC]), session("b", &[GRPC, REST])];
        let reference = reports[0].targets[0].name.clone();
        let found = of(&reports, &reference);
        assert!(!found.is_empty());
        for one in &found {
            assert_ne!(one.target, reference);
            let sessions: Vec<&str> = one.rows.iter().map(|row| row.session.as_str()).collect();
            assert_eq!(sessions, ["a", "b"]);
            // The order of the targets in a session changes nothing.
            let (a, b) = (&one.rows[0], &one.rows[1]);
            assert_eq!(a.ratio > 1.0, b.ratio > 1.0, "{a:?} {b:?}");
        }
        // A target of one session alone stands in none.
        assert!(of(&reports[..1], &reference).is_empty());
    }

    #[test]
    fn sessions_agree_where_all_say_the_same() {
        let row = |ratio: f64, outcome| AcrossRow {
            session: "s".into(),
            ratio,
            interval: None,
            level: None,
            rounds: 12,
            outcome,
        };
        let different = Some(Outcome::Different);
        assert_eq!(
            agree(&[row(1.2, different), row(1.5, different)]),
            Some(true)
        );
        assert_eq!(
            agree(&[row(1.2, different), row(0.8, different)]),
            Some(false)
        );
        assert_eq!(
            agree(&[row(1.2, different), row(1.0, Some(Outcome::Equal))]),
            Some(false)
        );
        assert_eq!(
            agree(&[row(1.2, different), row(1.1, Some(Outcome::Open))]),
            None
        );
        assert_eq!(agree(&[row(1.2, different), row(1.1, None)]), None);
    }
}
