//! The decision in the forms that other tools read: Markdown for a pull request, JUnit, a badge; and the figures of a
//! verdict file as Bencher Metric Format.

mod badge;
mod bmf;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, context};

pub use badge::{badge_endpoint, badge_svg};
pub use bmf::bmf;

use crate::decision::Decision;
use crate::verdict_file::VerdictFile;
use crate::words;

const MARKDOWN: &str = "gate.md";
const JUNIT: &str = "gate.junit.xml";

/// A comment for a pull request: the outcome and a line a figure; the rest folds away.
///
/// # Errors
/// The template names what is not there.
pub fn markdown(decision: &Decision, file: &VerdictFile) -> Result<String, Error> {
    render(
        MARKDOWN,
        include_str!("../templates/gate.md"),
        decision,
        file,
    )
}

/// A test case a figure: a regressed one is a failure, an open one is skipped.
///
/// # Errors
/// The template names what is not there.
pub fn junit(decision: &Decision, file: &VerdictFile) -> Result<String, Error> {
    render(
        JUNIT,
        include_str!("../templates/gate.junit.xml"),
        decision,
        file,
    )
}

fn render(
    name: &'static str,
    template: &'static str,
    decision: &Decision,
    file: &VerdictFile,
) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|name| match name.ends_with(".xml") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    // A cell of Markdown ends at a bar or a line's end; a name may hold what HTML reads.
    environment.add_filter("cell", |text: &str| {
        text.replace('|', "\\|")
            .replace(['\n', '\r'], " ")
            .replace('<', "&lt;")
    });
    environment.add_template(name, template)?;
    let rows: Vec<_> = decision
        .answers
        .iter()
        .map(|answer| {
            let unit = answer.unit.as_deref();
            context! {
                name => words::name(answer),
                outcome => words::outcome(answer.outcome),
                ratio => words::ratio_of(answer),
                interval => words::interval_of(answer),
                limit => words::limit_of(answer),
                baseline => words::figure(answer.baseline, unit),
                candidate => words::figure(answer.candidate, unit),
                rounds => answer.rounds,
                line => words::line(answer),
            }
        })
        .collect();
    environment.get_template(name)?.render(context! {
        d => Serde(decision),
        outcome => words::outcome(decision.outcome),
        rows => rows,
        file => Serde(file),
        text => words::text(decision),
    })
}
