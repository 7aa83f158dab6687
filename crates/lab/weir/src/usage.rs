//! Wrong arguments: what was wrong, and what would have been right. The process then exits with 64.

use std::fmt;

use lab_model::error::RequestError;
use lab_model::modes::Modes;
use lab_model::plan::ALL_SCENARIOS;
use lab_model::scenario::Scenario;
use lab_model::targets::Targets;

pub use usage_error::EXIT_USAGE;

/// A wrong argument or setting. The user sees its text, and below it the usage of `weir run` where that helps.
#[derive(Debug)]
pub struct UsageError {
    problem: String,
    /// Whether the values that `weir run` knows are to be shown.
    pub lists_values: bool,
}

impl UsageError {
    /// An error of `weir run`, shown with the values that it knows.
    pub fn for_run(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            lists_values: true,
        }
    }

    /// An error whose text is `problem` alone.
    pub fn plain(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            lists_values: false,
        }
    }
}

/// The wrong argument or setting that an error is, of `weir` or of one of its libraries; none where it is another error.
pub fn wrong_usage(error: &anyhow::Error) -> Option<UsageError> {
    if let Some(UsageError {
        problem,
        lists_values,
    }) = error.downcast_ref()
    {
        return Some(UsageError {
            problem: problem.clone(),
            lists_values: *lists_values,
        });
    }
    let of_library = error.downcast_ref::<usage_error::Usage>()?;
    Some(UsageError::plain(of_library.to_string()))
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for UsageError {}

impl From<RequestError> for UsageError {
    fn from(error: RequestError) -> Self {
        Self::plain(error.to_string())
    }
}

/// The usage text of `weir run` with the valid values of its arguments.
pub fn run_usage(modes: &Modes, targets: &Targets) -> String {
    let of = |scenario: Scenario| {
        let members = targets.iter().filter(|t| t.scenario == scenario);
        let names: Vec<String> = members
            .map(|t| match t.default {
                true => t.name.clone(),
                false => format!("{} (when named)", t.name),
            })
            .collect();
        names.join(", ")
    };
    let scenarios = Scenario::ALL.iter();
    let scenarios: Vec<&str> = scenarios
        .filter(|s| targets.iter().any(|t| t.scenario == **s))
        .map(|s| s.as_str())
        .collect();
    let mut lines = vec![
        "Usage: weir run MODE [TARGET[,TARGET]] [PAYLOAD[,PAYLOAD]] [OPTIONS]".to_owned(),
        format!("  modes:      {}", modes.names().join(", ")),
        format!(
            "  --scenario  {}, {ALL_SCENARIOS}; left out: that of the targets named, else ingest",
            scenarios.join(", ")
        ),
        "  targets:    '' or none: those of the scenario".to_owned(),
    ];
    if !modes.workloads().is_empty() {
        let workloads = modes.workloads().join(", ");
        lines.insert(
            2,
            format!("  workloads:  {workloads}; each of one scenario, with criteria"),
        );
    }
    for scenario in Scenario::ALL {
        let names = of(scenario);
        if !names.is_empty() {
            lines.push(format!("    {:<9} {names}", format!("{scenario}:")));
        }
    }
    lines.push(format!("  payloads:   {}", modes.payloads.join(", ")));
    lines.push(format!(
        "              none: all of them for ingest; the others have {} alone",
        modes.payloads[0]
    ));
    lines.push("See 'weir run --help' for the options.".to_owned());
    lines.join("\n")
}

/// The usage text of the front-door script `name`, which hands its arguments over to `weir run`.
pub fn front_door_usage(name: &str, modes: &Modes, targets: &Targets) -> String {
    let names: Vec<&str> = targets.iter().map(|t| t.name.as_str()).collect();
    let scenarios = Scenario::ALL
        .iter()
        .filter(|s| targets.iter().any(|t| t.scenario == **s));
    let scenarios: Vec<&str> = scenarios
        .map(|s| s.as_str())
        .chain([ALL_SCENARIOS])
        .collect();
    format!(
        "\
Usage: {name} MODE [TARGET[,TARGET]] [PAYLOAD[,PAYLOAD]] [OPTIONS]

  MODE      {}
            or a workload of one scenario, with criteria: {}
  TARGET    {}; '' or none: the default ones
  PAYLOAD   {}; none: all sizes, of balance, stream and log default alone

  --scenario NAME                whose default targets are meant: {}
                                 (default: that of the targets named, else ingest)
  --runtime docker|native|auto   where the services run (default auto: Docker where it works)
  --trials N                     number of rounds: trials of each target and payload, in random order
                                 (compare: 8, or 12 where several payloads are compared)
  --driver k6|benchmark          what makes the load (default: saturation benchmark, else k6)
  --until-decided                judge after 8, 10, 12, ... rounds and end once all is decided
  --max-rounds N                 with --until-decided: rounds at the last look (default: 20)
  --margin PERCENT               ratios within this margin of 1 count as equal (default: 3%)
  --primary rate|cpu|p99         the figure that decides; the others describe
  --reference TARGET             compare the other targets with this one only
  --aa                           measure one target under two names: a test of the instrument
  --rate N                       arrivals a second, in mode compare
  --seed N                       of payloads and order
  --resume [SESSION]             only the runs that an unfinished session has left (default: the newest)
  --keep                         leave the databases running at the end
  --json                         print the outcome as JSON
  -h, --help                     this text

  PHASE_SCALE=0.05 shortens the phases for a trial run.

Examples: smoke              all default targets, all sizes: does it work?
          smoke producer-rest 8k
          full '' 32k
          smoke --scenario all
          compare producer-rest,producer-grpc default --rate 500",
        modes.names().join(" "),
        modes.workloads().join(" "),
        names.join(" "),
        modes.payloads.join(" "),
        scenarios.join(" "),
    )
}
