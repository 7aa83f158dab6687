//! The words of an audit, in the terms of its scenario. `lab_contract::audit` makes the facts.

use lab_model::scenario::Scenario;

use super::facts::Facts;

type Said = (String, String);

/// Figure and detail. An audit that was not made has no scenario.
pub(super) fn words(facts: &Facts<'_>) -> Option<Said> {
    let Some(name) = facts.text("scenario") else {
        let detail = "Nobody compared what the generator counted with what the target did.";
        return Some(("not made".into(), detail.into()));
    };
    let scenario = Scenario::parse(name)?;
    let counts = Counts::of(facts)?;
    let found = scenario.terms().found;
    let figure = match counts.stored {
        None if scenario == Scenario::Own => "not audited".to_owned(),
        Some(stored) => format!("{stored} of {} {found}", counts.acknowledged),
        None => format!("not {found}"),
    };
    if facts.flag("null") {
        return Some((
            format!("{} answered", counts.stored?),
            of_nothing(facts, &counts)?,
        ));
    }
    let detail = match scenario {
        Scenario::Ingest => {
            let events = of_events(counts.acknowledged, counts.in_doubt, counts.stored?);
            let said = match (facts.text("fault"), facts.whole("merges_acknowledged")) {
                (Some("lost_updates"), Some(merges)) => {
                    let lost = merges - facts.whole("merges_stored")?;
                    format!(
                        "Audit: updates were lost: of {merges} acknowledged events that changed one entity at the same time, \
                         {lost} are not in it. {events}"
                    )
                }
                _ => events,
            };
            said + &done_later(facts)
        }
        Scenario::Balance => of_balances(facts, &counts)?,
        Scenario::Stream => of_streams(facts, &counts)?,
        Scenario::Log => of_records(facts, &counts)?,
        Scenario::Own => of_own(facts, &counts)?,
    };
    Some((figure, detail))
}

/// What the generator counted, and what was found of it.
struct Counts {
    acknowledged: i64,
    in_doubt: i64,
    /// None where nobody knows what the target counted.
    stored: Option<i64>,
}

impl Counts {
    fn of(facts: &Facts<'_>) -> Option<Self> {
        Some(Self {
            acknowledged: facts.whole("acknowledged")?,
            in_doubt: facts.whole("in_doubt")?,
            stored: facts.whole("stored"),
        })
    }
}

/// The audit of ingestion as a sentence, from its counts alone.
pub fn of_events(acknowledged: i64, in_doubt: i64, stored: i64) -> String {
    if stored < acknowledged {
        let lost = acknowledged - stored;
        return format!(
            "Audit: {lost} of {acknowledged} acknowledged events are not in the database."
        );
    }
    if stored > acknowledged + in_doubt {
        return format!(
            "Audit: {stored} events are stored, but only {acknowledged} were acknowledged and {in_doubt} in doubt."
        );
    }
    if in_doubt == 0 {
        return format!("All {acknowledged} acknowledged events are in the database, once each.");
    }
    format!(
        "{acknowledged} events were acknowledged, {stored} are stored; {in_doubt} were sent without an \
         acknowledgement and may be stored."
    )
}

/// What acknowledged means for a target that does its work later, and how long the audit waited for that.
fn done_later(facts: &Facts<'_>) -> String {
    match facts.number("waited_s") {
        Some(seconds) => format!(
            " Acknowledged means in the log, not in the table: the audit waited {seconds:.1} s until the lag was zero."
        ),
        None => String::new(),
    }
}

/// The audit of a target that does nothing.
fn of_nothing(facts: &Facts<'_>, counts: &Counts) -> Option<String> {
    let (counted, in_doubt, answered) = (counts.acknowledged, counts.in_doubt, counts.stored?);
    Some(match facts.text("fault") {
        None => format!("The generator counted {counted} answers, and the null target {answered}."),
        Some("not_in_sequence") => format!(
            "Audit: of {counted} events received, {} before them were missed, {} came again and {} out of order.",
            facts.whole("missed")?,
            facts.whole("repeated")?,
            facts.whole("out_of_order")?
        ),
        Some(_) => format!(
            "Audit: the generator counted {counted} answers and {in_doubt} in doubt, and the null target {answered}."
        ),
    })
}

fn of_balances(facts: &Facts<'_>, counts: &Counts) -> Option<String> {
    let Counts {
        acknowledged: answered,
        in_doubt,
        stored,
    } = *counts;
    let sampled = facts.whole("sampled")?;
    if let Some(fault) = facts.text("fault") {
        return Some(match fault {
            "lost" => format!(
                "Audit: {answered} balances were answered, and the service counted {} requests that a read of its \
                 database answered.",
                stored?
            ),
            "surplus" => format!(
                "Audit: the service answered {} requests from its database, but only {answered} balances were received \
                 and {in_doubt} are in doubt.",
                stored?
            ),
            "differing" => format!(
                "Audit: {} of {sampled} accounts were answered after the run with other than the table has, {} the \
                 first.",
                facts.whole("differing")?,
                facts.text("first")?
            ),
            "none_sampled" => "Audit: none of the seeded accounts is in the table.".to_owned(),
            _ => return None,
        });
    }
    let counted = match stored {
        Some(stored) if in_doubt == 0 => format!(
            "{answered} balances were answered; the service counted {stored} requests answered from its database."
        ),
        Some(stored) => format!(
            "{answered} balances were answered, {in_doubt} requests are in doubt; the service counted {stored} answered \
             from its database."
        ),
        None => {
            format!("{answered} balances were answered; what the service counted is not known.")
        }
    };
    Some(format!(
        "{counted} After the run {sampled} accounts were asked for over the same protocol and compared with the table: \
         all are as it has them."
    ))
}

fn of_streams(facts: &Facts<'_>, counts: &Counts) -> Option<String> {
    let Counts {
        acknowledged: received,
        in_doubt,
        stored: sent,
    } = *counts;
    let complete = facts.whole("complete")?;
    if let Some(fault) = facts.text("fault") {
        return Some(match fault {
            "not_in_sequence" => format!(
                "Audit: of {received} events received, {} before them were missed, {} came again and {} out of order.",
                facts.whole("missed")?,
                facts.whole("repeated")?,
                facts.whole("out_of_order")?
            ),
            "incomplete" => format!(
                "Audit: {complete} streams of {} events were counted as complete, and {received} events as received.",
                facts.whole("per_stream")?
            ),
            "unequal" => format!(
                "Audit: {received} events were received and {in_doubt} are in doubt; the service sent {}.",
                sent?
            ),
            _ => return None,
        });
    }
    let side = match sent {
        Some(sent) if in_doubt == 0 => format!("the service sent {sent}"),
        Some(sent) => {
            format!("the service sent {sent}, {in_doubt} of streams that were cut off are in doubt")
        }
        None => "what the service sent is not known".to_owned(),
    };
    Some(format!(
        "{received} events of {complete} complete streams were received, none missed, none repeated, all in order; \
         {side}."
    ))
}

fn of_own(facts: &Facts<'_>, counts: &Counts) -> Option<String> {
    let (acknowledged, in_doubt) = (counts.acknowledged, counts.in_doubt);
    let Some(stored) = counts.stored else {
        let why = "Not audited: weir.toml has no [audit], so nobody looked behind the answers.";
        return Some(why.to_owned());
    };
    let how = facts.text("how")?;
    Some(match facts.text("fault") {
        None if in_doubt == 0 => {
            format!("{acknowledged} requests were answered as expected, and {how} found {stored}.")
        }
        None => format!(
            "{acknowledged} requests were answered as expected and {in_doubt} are in doubt; {how} found {stored}."
        ),
        Some("lost") => format!(
            "Audit: {acknowledged} requests were answered as expected, and {how} found {stored}: {} are lost.",
            acknowledged - stored
        ),
        Some("surplus") => format!(
            "Audit: {how} found {stored}, but only {acknowledged} requests were answered as expected and {in_doubt} are in \
             doubt."
        ),
        Some(_) => return None,
    })
}

fn of_records(facts: &Facts<'_>, counts: &Counts) -> Option<String> {
    let (acknowledged, in_doubt) = (counts.acknowledged, counts.in_doubt);
    let stored = counts.stored?;
    if let Some(fault) = facts.text("fault") {
        return Some(match fault {
            "unlinked" => "Audit: an entry does not hold the hash of the one before.".to_owned(),
            "unverified" => format!(
                "Audit: {} of {stored} entries verify.",
                facts.whole("verified")?
            ),
            "chain" => format!(
                "Audit: the chain does not verify: {}.",
                facts.text("error")?
            ),
            "foreign" => format!(
                "Audit: {} records of the run's partitions are not the run's.",
                facts.whole("foreign")?
            ),
            "disordered" => format!(
                "Audit: {} of {stored} records are there again, or not in the order in which they were sent.",
                facts.whole("disordered")?
            ),
            "lost" => format!(
                "Audit: {} of {acknowledged} acknowledged records are not in the log.",
                acknowledged - stored
            ),
            "surplus" => format!(
                "Audit: {stored} records are in the log, but only {acknowledged} were acknowledged and {in_doubt} are in \
                 doubt."
            ),
            _ => return None,
        });
    }
    let doubt = match in_doubt {
        0 => String::new(),
        some => format!(", {some} are in doubt"),
    };
    let verified = match facts.text("kind")? {
        "chain" => "The chain of hashes verifies.",
        _ => "Each has its offset, without gaps.",
    };
    Some(format!(
        "{acknowledged} records were acknowledged{doubt}; {stored} were read back, each once, those of a virtual user in \
         the order sent. {verified}"
    ))
}
