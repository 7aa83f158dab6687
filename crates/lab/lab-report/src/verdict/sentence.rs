//! Sentences of words and names.

use crate::model::{Level, Report, Span, Verdict, VerdictKind};

/// Builds a sentence of words and names.
pub(super) struct Sentence(Vec<Span>);

impl Sentence {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn say(mut self, words: &str) -> Self {
        match self.0.last_mut() {
            Some(span) if span.target.is_none() => span.text.push_str(words),
            _ => self.0.push(Span {
                text: words.to_owned(),
                target: None,
            }),
        }
        self
    }

    pub(super) fn name(mut self, report: &Report, target: usize) -> Self {
        self.0.push(Span {
            text: report.targets[target].name.clone(),
            target: Some(target),
        });
        self
    }

    /// `a`, `a and b`, `a, b and c`.
    pub(super) fn names(mut self, report: &Report, targets: &[usize]) -> Self {
        for (place, target) in targets.iter().enumerate() {
            if place > 0 {
                self = self.say(if place + 1 == targets.len() {
                    " and "
                } else {
                    ", "
                });
            }
            self = self.name(report, *target);
        }
        self
    }

    pub(super) fn end(self, kind: VerdictKind, level: Level) -> Verdict {
        let sentence = self
            .0
            .into_iter()
            .filter(|span| !span.text.is_empty())
            .collect();
        Verdict {
            kind,
            level,
            sentence,
            notes: Vec::new(),
        }
    }
}
