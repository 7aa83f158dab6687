//! Groups of targets by protocol, language and framework with places inside each, and the two protocols of one stack.

use super::model::{
    Comparison, Group, GroupRow, Grouping, ProtocolPair, RankedTarget, Report, Target,
};
use super::ranking::Judged;

/// A grouping for each ranking and property by which at least one group has two targets and there are two groups.
pub fn groupings(report: &Report) -> Vec<Grouping> {
    type Property = fn(&Target) -> Option<&str>;
    let properties: [(&'static str, Property); 3] = [
        ("protocol", |target| Some(&target.protocol)),
        ("language", |target| target.language.as_deref()),
        ("framework", |target| target.framework.as_deref()),
    ];
    let mut groupings = Vec::new();
    for ranking in &report.ranking {
        let Some(judged) = Judged::of(report, &ranking.payload) else {
            continue;
        };
        for (by, property) in properties {
            // Rows are best first, so the groups stand in the order of their best target.
            let mut groups: Vec<(&str, Vec<&RankedTarget>)> = Vec::new();
            for row in &ranking.rows {
                let Some(name) = property(&report.targets[row.target]) else {
                    continue;
                };
                match groups.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, rows)) => rows.push(row),
                    None => groups.push((name, vec![row])),
                }
            }
            let says_more = groups.len() > 1 && groups.iter().any(|(_, rows)| rows.len() > 1);
            if says_more {
                groupings.push(Grouping {
                    payload: ranking.payload.clone(),
                    metric: ranking.metric,
                    by,
                    groups: groups
                        .into_iter()
                        .map(|(name, rows)| group(name, &rows, &judged))
                        .collect(),
                });
            }
        }
    }
    groupings
}

fn group(name: &str, rows: &[&RankedTarget], judged: &Judged<'_>) -> Group {
    let members: Vec<usize> = rows
        .iter()
        .filter(|row| row.places.is_some())
        .map(|row| row.target)
        .collect();
    let first = members.first().copied();
    let rows = rows.iter().map(|row| {
        let is_ranked = row.places.is_some();
        let to_first = first
            .filter(|first| is_ranked && *first != row.target)
            .and_then(|first| judged.turned(row.target, first));
        GroupRow {
            target: row.target,
            places: judged
                .places_among(row.target, &members)
                .filter(|_| is_ranked),
            figure: row.figure,
            ratio: to_first.map(|found| found.0),
            interval: to_first.and_then(|found| found.1),
            level: to_first.and_then(|found| found.2),
        }
    });
    Group {
        name: name.to_owned(),
        rows: rows.collect(),
    }
}

/// The comparisons of two targets of one stack under two protocols, in scenarios of more than two targets.
pub fn protocol_pairs(report: &Report) -> Vec<ProtocolPair> {
    let is_ranked = |pair: &&Comparison| {
        let mut scenarios = report.scenarios.iter();
        scenarios
            .any(|scenario| scenario.targets.len() > 2 && scenario.targets.contains(&pair.higher))
    };
    let pairs = report.comparisons.iter().filter(is_ranked);
    pairs
        .filter_map(|pair| {
            let (a, b) = (&report.targets[pair.higher], &report.targets[pair.lower]);
            let is_turned = match (a.protocol == "grpc", b.protocol == "grpc") {
                (true, false) => false,
                (false, true) => true,
                _ => return None,
            };
            if a.language != b.language || stem(a) != stem(b) {
                return None;
            }
            let (grpc, http) = match is_turned {
                true => (pair.lower, pair.higher),
                false => (pair.higher, pair.lower),
            };
            Some(ProtocolPair {
                payload: pair.payload.clone(),
                metric: pair.metric,
                http,
                grpc,
                ratio: if is_turned {
                    1.0 / pair.ratio
                } else {
                    pair.ratio
                },
                interval: pair.interval.map(|interval| match is_turned {
                    true => interval.inverted(),
                    false => interval,
                }),
                level: pair.level,
                outcome: pair.outcome,
            })
        })
        .collect()
}

/// The name without its protocol: `producer-go` of `producer-go-rest`.
fn stem(target: &Target) -> String {
    let parts = target.name.split('-');
    let parts: Vec<&str> = parts.filter(|part| *part != target.protocol).collect();
    parts.join("-")
}
