//! What is named beforehand: margin, reference, primary figure; and how often the session was judged while it grew.

use lab_model::judging::{Figure, Judging};
use lab_verdict::Look;
use metrics_db::Session;

use super::model::{Metric, NoiseFloor};

/// How the report judges.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Ratios within `1 / (1 + margin) ..= 1 + margin` count as equal.
    pub margin: f64,
    /// Name of the target with which the others are compared; `None`: all pairs.
    pub reference: Option<String>,
    /// The figure that decides; the others are corrected among themselves and describe. `None`: all decide.
    pub primary: Option<Metric>,
    /// The session was judged while its rounds came in, and this is the last time; `None`: it is judged once.
    pub look: Option<Look>,
    /// The session measured one target under two names.
    pub aa: bool,
    /// How far apart two equal targets seemed to be, by the newest A/A session of this machine.
    pub noise: Vec<NoiseFloor>,
    /// Sessions of different environments stand side by side, each target against the reference of its own session.
    pub across_machines: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            margin: 0.03,
            reference: None,
            primary: None,
            look: None,
            aa: false,
            noise: Vec::new(),
            across_machines: false,
        }
    }
}

impl From<Figure> for Metric {
    fn from(figure: Figure) -> Self {
        match figure {
            Figure::Rate => Self::Rate,
            Figure::Cpu => Self::Cpu,
            Figure::P99 => Self::P99,
        }
    }
}

impl Options {
    /// What was named before the first round of these sessions. Sessions that named different things are judged by the
    /// defaults.
    pub fn named_beforehand<'a>(sessions: impl IntoIterator<Item = &'a Session>) -> Self {
        let mut named = sessions.into_iter().map(|session| {
            let judging = session.plan.as_ref().and_then(|plan| plan.get("judging"));
            judging
                .and_then(|judging| serde_json::from_value::<Judging>(judging.clone()).ok())
                .unwrap_or_default()
        });
        let Some(first) = named.next() else {
            return Self::default();
        };
        if named.any(|other| other != first) {
            return Self::default();
        }
        Self::of(&first)
    }

    /// As a plan says it.
    #[must_use]
    pub fn of(judging: &Judging) -> Self {
        Self {
            margin: judging.margin.unwrap_or(Self::default().margin),
            reference: judging.reference.clone(),
            primary: judging.primary.map(Metric::from),
            look: judging.look(),
            aa: judging.aa,
            noise: Vec::new(),
            across_machines: false,
        }
    }

    /// Sentences that a reader of the verdict needs.
    pub(crate) fn notes(&self) -> Vec<String> {
        let look = self.look.map(|look| {
            format!(
                "The session was judged while its rounds came in: this is look {} of at most {}, and the levels are those of this look.",
                look.number(),
                look.of()
            )
        });
        let aa = self.aa.then(|| {
            "Both names are one target (A/A): what differs is the instrument's own, and a difference that it names is a false one."
                .to_owned()
        });
        look.into_iter().chain(aa).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use time::OffsetDateTime;

    fn session(judging: serde_json::Value) -> Session {
        Session {
            id: "s".into(),
            command: String::new(),
            seed: 7,
            runtime: "native".into(),
            git_commit: None,
            environment: json!({}),
            fingerprint: "a".into(),
            started_at: OffsetDateTime::UNIX_EPOCH,
            completed_at: None,
            plan: Some(json!({ "judging": judging })),
        }
    }

    #[test]
    fn a_session_is_judged_by_what_it_named() {
        let named = json!({"margin": 0.05, "primary": "cpu", "reference": "a", "until_decided": true, "ended_at_look": 2});
        let options = Options::named_beforehand([&session(named.clone())]);
        assert_eq!(options.margin, 0.05);
        assert_eq!(options.primary, Some(Metric::Cpu));
        assert_eq!(options.reference.as_deref(), Some("a"));
        assert_eq!(options.look, Look::new(2, 7));
        assert!(options.notes()[0].contains("look 2 of at most 7"));
        let two = [&session(named.clone()), &session(named)];
        assert_eq!(Options::named_beforehand(two).margin, 0.05);
    }

    #[test]
    fn what_was_named_differently_or_not_at_all_is_the_default() {
        let old = session(serde_json::Value::Null);
        assert_eq!(Options::named_beforehand([&old]), Options::default());
        assert_eq!(Options::named_beforehand([]), Options::default());
        let other = session(json!({"margin": 0.1}));
        assert_eq!(
            Options::named_beforehand([&old, &other]),
            Options::default()
        );
        assert!(Options::default().notes().is_empty());
    }
}
