//! Wrong arguments: what was wrong, and what would have been right. The process then exits with 64.

use std::fmt;

use lab_model::error::RequestError;
use lab_model::modes::Modes;
use lab_model::plan::ALL_SCENARIOS;
use lab_model::scenario::Scenario;
use lab_model::targets::Targets;

/// Exit status of wrong arguments (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// A wrong argument or setting. The user sees its text alone.
#[derive(Debug)]
pub struct UsageError(String);

impl UsageError {
    /// An error whose text is `problem` and the arguments that `weir run` knows.
    pub fn for_run(problem: &str, modes: &Modes, targets: &Targets) -> Self {
        Self(format!("{problem}\n\n{}", run_usage(modes, targets)))
    }

    /// An error whose text is `problem` alone.
    pub fn plain(problem: impl Into<String>) -> Self {
        Self(problem.into())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

impl From<RequestError> for UsageError {
    fn from(error: RequestError) -> Self {
        Self(error.to_string())
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
    let scenarios: Vec<&str> = Scenario::ALL.iter().map(|s| s.as_str()).collect();
    let mut lines = vec![
        "Usage: weir run MODE [TARGET[,TARGET]] [PAYLOAD[,PAYLOAD]] [OPTIONS]".to_owned(),
        format!("  modes:      {}", modes.names().join(", ")),
        format!(
            "  --scenario  {}, {ALL_SCENARIOS}; left out: that of the targets named, else ingest",
            scenarios.join(", ")
        ),
        "  targets:    '' or none: those of the scenario".to_owned(),
    ];
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
