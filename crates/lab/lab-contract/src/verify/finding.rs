//! One case of a contract and how it ended.

use anyhow::Result;
use serde::Serialize;

/// One case and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// What is asked of the target.
    pub case: &'static str,
    /// Whether it does it.
    pub passed: bool,
    /// What it did instead; empty where it passed.
    pub detail: String,
}

/// Most characters of a finding's detail: an answer with a thousand ids must not become a line of ten kilobytes.
const DETAIL_CHARACTERS: usize = 400;

impl Finding {
    /// A case that somebody else has tried; `wrong` is empty where it passed.
    #[must_use]
    pub fn tried(case: &'static str, wrong: &str) -> Self {
        Self {
            case,
            passed: wrong.is_empty(),
            detail: shortened(wrong, DETAIL_CHARACTERS),
        }
    }

    pub(super) fn of(case: &'static str, outcome: Result<()>) -> Self {
        Self {
            case,
            passed: outcome.is_ok(),
            detail: outcome.err().map_or_else(String::new, |error| {
                shortened(&format!("{error:#}"), DETAIL_CHARACTERS)
            }),
        }
    }
}

/// The text with its middle left out where it has more than `most` characters; beginning and end stay.
fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most * 2 / 3).collect();
    let tail: String = text.chars().skip(count - most / 3).collect();
    format!(
        "{head} [... {} characters left out ...] {tail}",
        count - head.chars().count() - tail.chars().count()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_is_shortened_to_its_ends() {
        let ids: Vec<String> = (0..1001).map(|n| format!("0.0.{}", 100_000 + n)).collect();
        let long = format!("GET /balances?ids={} answered 500", ids.join(","));
        let finding = Finding::of("1,001 ids", Err(anyhow::anyhow!("{long}")));
        assert!(!finding.passed && long.len() > 10_000);
        assert!(finding.detail.chars().count() < 460, "{}", finding.detail);
        assert!(finding.detail.starts_with("GET /balances?ids=0.0.100000,"));
        assert!(finding.detail.ends_with("0.0.101000 answered 500"));
        assert!(finding.detail.contains("characters left out"));
        // Characters, not bytes: no letter is cut in two.
        assert_eq!(shortened("äöü", 3), "äöü");
        assert!(shortened(&"ä".repeat(500), 30).starts_with("ää"));
    }
}
