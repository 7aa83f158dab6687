//! Rounds to cells: which targets a round compares, in which order each of its trials runs them, and where rounds are
//! repeated.

use lab_verdict::order::balanced;
use lab_verdict::random::mix;

use serde::Serialize;

use crate::judging::Repeat;
use crate::scenario::Scenario;
use crate::targets::Target;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Cell {
    /// Place in the session, from 1.
    pub order: u32,
    /// Trial, from 1.
    pub trial: u32,
    /// Payload name.
    pub payload: String,
    /// What is measured.
    #[serde(serialize_with = "name_only")]
    pub target: Target,
}

fn name_only<S: serde::Serializer>(target: &Target, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&target.name)
}

/// The targets of one scenario under one payload: what a round compares.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are measured at.
    pub scenario: Scenario,
    /// Under which payload.
    pub payload: String,
    /// The targets.
    pub members: Vec<Target>,
    /// The order of the targets in each trial.
    orders: Vec<Vec<usize>>,
}

/// All rounds of a session.
#[derive(Clone, Debug)]
pub struct Layout {
    /// In the order in which a trial runs them.
    pub groups: Vec<Group>,
    /// Planned trials of each.
    pub trials: u32,
}

impl Layout {
    /// Draws the orders from `seed`.
    pub fn new(groups: Vec<(Scenario, String, Vec<Target>)>, trials: u32, seed: u64) -> Self {
        let groups = groups
            .into_iter()
            .zip(0_u64..)
            .map(|((scenario, payload, members), number)| {
                let orders = if trials == 1 {
                    vec![(0..members.len()).collect()]
                } else {
                    balanced(members.len(), trials as usize, mix(seed ^ mix(number)))
                };
                Group {
                    scenario,
                    payload,
                    members,
                    orders,
                }
            })
            .collect();
        Self { groups, trials }
    }

    /// The cells in their running order. A repeated round runs its targets in the order of the round that it stands for, so
    /// that the intact rounds stay balanced.
    pub fn cells(&self, repeats: &[Repeat]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for trial in 1..=self.trials {
            for group in &self.groups {
                group.push(trial, trial, &mut cells);
            }
            for (repeat, number) in repeats.iter().zip(self.trials + 1..) {
                if repeat.after == trial
                    && let Some(group) = self.groups.iter().find(|group| group.is_of(repeat))
                {
                    group.push(number, repeat.of, &mut cells);
                }
            }
        }
        cells
    }
}

impl Group {
    /// True where `repeat` repeats one of its rounds.
    pub fn is_of(&self, repeat: &Repeat) -> bool {
        self.scenario == repeat.scenario && self.payload == repeat.payload
    }

    /// A round under the number `trial`, in the order of the planned trial `like`.
    fn push(&self, trial: u32, like: u32, cells: &mut Vec<Cell>) {
        let Some(order) = self.orders.get(like as usize - 1) else {
            return;
        };
        for place in order {
            let order = u32::try_from(cells.len() + 1).unwrap_or(u32::MAX);
            cells.push(Cell {
                order,
                trial,
                payload: self.payload.clone(),
                target: self.members[*place].clone(),
            });
        }
    }
}
