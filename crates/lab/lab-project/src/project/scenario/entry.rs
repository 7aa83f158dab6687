//! One entry of the mix of a scenario.

use std::collections::BTreeSet;

use super::reading::Reading;
use crate::draw::Slot;
use crate::file;
use crate::problem::Problem;
use crate::requests::{Protocol, Request, Step};

/// One entry of the mix.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How often, beside the others.
    pub weight: u32,
    /// How it is sent.
    pub protocol: Protocol,
    /// Its steps.
    pub request: Request,
    /// What is drawn for it.
    pub(in crate::project) slots: Vec<Slot>,
}

/// More than this weight would leave others out of the sequence.
const MAX_WEIGHT: u32 = 1000;

impl Reading<'_> {
    /// An entry of the file with its steps.
    pub(super) fn entry(&self, raw: &file::Request) -> Result<Entry, Problem> {
        let place = self.place;
        let weight = raw.weight.unwrap_or(1);
        if !(1..=MAX_WEIGHT).contains(&weight) {
            return Err(place.problem(
                "weight",
                format!("is {weight}"),
                "write a number from 1 to 1000",
            ));
        }
        let mut slots = Vec::new();
        let mut known = BTreeSet::new();
        let mut steps: Vec<(Step, Protocol)> = Vec::new();
        if raw.step.is_empty() {
            steps.push(self.step(raw, place, &mut slots, &mut known)?);
        } else {
            if raw.path.is_some() || raw.call.is_some() {
                return Err(place.problem(
                    "step",
                    "stands beside a path or a call",
                    "move it into a step of its own",
                ));
            }
            for (number, one) in raw.step.iter().enumerate() {
                let place = self
                    .source
                    .place(one.span(), format!("{}: step {}", place.name(), number + 1));
                let one = one.get_ref();
                if one.weight.is_some() || !one.step.is_empty() {
                    return Err(place.problem(
                        "weight",
                        "belongs to the whole request, as steps do",
                        "move it there",
                    ));
                }
                steps.push(self.step(one, &place, &mut slots, &mut known)?);
            }
        }
        let protocol = steps[0].1;
        if steps.iter().any(|(_, other)| *other != protocol) {
            return Err(place.problem(
                "step",
                "has steps over REST and over gRPC",
                "a request goes to one target: use one protocol",
            ));
        }
        let steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
        let name = raw.name.clone().unwrap_or_else(|| {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            names.join(", then ")
        });
        Ok(Entry {
            weight,
            protocol,
            request: Request { name, steps },
            slots,
        })
    }
}
