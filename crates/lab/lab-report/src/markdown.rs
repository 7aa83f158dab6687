//! The Markdown twin: the page's content in its order, for a pull request or a terminal.

use anyhow::Result;

use super::model::Report;
use super::render;

/// The text of report.md.
pub fn text(report: &Report) -> Result<String> {
    let text = render::render(render::TWIN, report, ())?;
    // Blocks that fall away leave their empty lines.
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidy.push_str(line.trim_end());
            tidy.push('\n');
        }
    }
    Ok(tidy.trim_start().trim_end().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use crate::invented::{Plan, invent};
    use crate::{build, tests::rows};

    #[test]
    fn of_several_sessions_each_trial_names_its_own() {
        for (mode, line) in [
            ("smoke", "| default | producer-rest | {session} | 5 | 0 |"),
            ("full", "| 1 | producer-rest | {session} | default | 1 |"),
        ] {
            let plan = Plan {
                mode,
                ..Plan::default()
            };
            let first = invent(&plan);
            let mut second = first.clone();
            second.session.id = "20261122T090000Z-0001".to_owned();
            second.session.seed = 5;
            let alone = super::text(&build::build(&rows(&first), 60, &Default::default())).unwrap();
            assert!(!alone.contains("| session |"), "{alone}");
            let both = build::build(
                &[rows(&first), rows(&second)].concat(),
                60,
                &Default::default(),
            );
            let text = super::text(&both).unwrap();
            for session in [&first.session.id, &second.session.id] {
                let line = line.replace("{session}", session);
                assert!(text.contains(&line), "{line}\n{text}");
            }
            assert!(
                text.contains(
                    "; 20261122T090000Z-0001, begun 2026-11-21 10:42 UTC, seed 5, native."
                ),
                "{text}"
            );
            // Rows are as wide as their heads.
            for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
                let widths: Vec<usize> = table.lines().map(|l| l.matches('|').count()).collect();
                assert!(widths.iter().all(|w| *w == widths[0]), "{table}");
            }
        }
    }
}
