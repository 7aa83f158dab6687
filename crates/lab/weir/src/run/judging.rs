//! What is named before the first round: the options of `weir run` and `weir plan` that judge a session.

use clap::Args;
use lab_model::judging::Judging;

use crate::report::Primary;

/// How the session is judged.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = "Verdict")]
pub(super) struct JudgingArgs {
    /// Ratios within this margin of 1 count as equal [default: 3%]
    #[arg(long, value_name = "PERCENT", value_parser = crate::judge::share)]
    margin: Option<f64>,
    /// The figure that decides; the others are corrected separately and shown for information [default: all decide]
    #[arg(long, value_enum, value_name = "FIGURE")]
    primary: Option<Primary>,
    /// Compare the other targets with this one only [default: all pairs]
    #[arg(long, value_name = "TARGET")]
    reference: Option<String>,
    /// Judge after 8, 10, 12, ... rounds, and end once every comparison is decided
    #[arg(long)]
    until_decided: bool,
    /// With --until-decided: rounds at the last look [default: 20]
    #[arg(long, value_name = "N")]
    max_rounds: Option<u32>,
    /// A/A: measure the one target that is named under two names, which tests the instrument itself
    #[arg(long)]
    aa: bool,
}

impl JudgingArgs {
    /// One target under two names.
    pub(super) fn aa() -> Self {
        Self {
            aa: true,
            ..Self::default()
        }
    }

    /// As a plan stores it.
    pub(super) fn judging(&self) -> Judging {
        Judging {
            margin: self.margin,
            primary: self.primary.map(Primary::figure),
            reference: self.reference.clone(),
            until_decided: self.until_decided,
            max_rounds: self.max_rounds,
            aa: self.aa,
            ended_at_look: None,
        }
    }

    /// The options that repeat it, for a shell.
    pub(super) fn to_shell(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.margin.map(|margin| format!("--margin {margin}")));
        let primary = self.primary.map(|primary| primary.figure().as_str());
        words.extend(primary.map(|figure| format!("--primary {figure}")));
        words.extend(
            self.reference
                .as_ref()
                .map(|name| format!("--reference {name}")),
        );
        words.extend(self.until_decided.then(|| "--until-decided".to_owned()));
        words.extend(
            self.max_rounds
                .map(|rounds| format!("--max-rounds {rounds}")),
        );
        words.extend(self.aa.then(|| "--aa".to_owned()));
        words
    }

    /// Whether any of it was given.
    pub(super) fn is_given(&self) -> bool {
        *self != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use lab_model::judging::Figure;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        judging: JudgingArgs,
    }

    #[test]
    fn the_options_are_stored_and_can_be_repeated() {
        let words = "--margin 5% --primary cpu --reference a --until-decided --max-rounds 12 --aa";
        let given = Line::parse_from(["x"].into_iter().chain(words.split(' '))).judging;
        let stored = given.judging();
        assert_eq!(
            (stored.margin, stored.primary),
            (Some(0.05), Some(Figure::Cpu))
        );
        assert!(stored.until_decided && stored.aa && given.is_given());
        let again = given.to_shell().join(" ");
        let again = Line::parse_from(["x"].into_iter().chain(again.split(' '))).judging;
        assert_eq!(again, given);
        assert!(!Line::parse_from(["x"]).judging.is_given());
    }
}
