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
