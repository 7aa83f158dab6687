//! The noise floor of a machine: what the newest A/A session found between the two names of its one target.

use anyhow::Result;
use lab_report::Options;
use lab_report::compare::noise_floors;
use lab_report::input::SessionRows;
use lab_report::model::NoiseFloor;
use metrics_db::{Session, Store};

use crate::session_rows;

/// How many sessions are looked through.
const RECENT: i64 = 100;

/// The floors that stand beside the differences of these sessions; none where they are an A/A session themselves, ran on
/// several machines, or none was measured on theirs.
pub(crate) async fn of(store: &Store, rows: &[SessionRows]) -> Result<Vec<NoiseFloor>> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let machine = first.session.environment.get("machine");
    let here = |session: &Session| session.environment.get("machine") == machine;
    let mut own = rows.iter().map(|rows| &rows.session);
    if machine.is_none() || own.any(|session| is_aa(session) || !here(session)) {
        return Ok(Vec::new());
    }
    for session in store.sessions(RECENT).await? {
        // One that still runs has not said all that it finds.
        if !is_aa(&session) || !here(&session) || session.completed_at.is_none() {
            continue;
        }
        let rows = session_rows::read(store, std::slice::from_ref(&session.id)).await?;
        let options = Options::named_beforehand(rows.iter().map(|rows| &rows.session));
        let floors = noise_floors(&lab_report::build(&rows, &options));
        if !floors.is_empty() {
            return Ok(floors);
        }
    }
    Ok(Vec::new())
}

fn is_aa(session: &Session) -> bool {
    let judging = session.plan.as_ref().and_then(|plan| plan.get("judging"));
    judging.is_some_and(|judging| judging.get("aa") == Some(&true.into()))
}
