//! The template engine: minijinja with the report's filters. Templates are compiled into the binary.

use anyhow::{Context, Result};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

use super::model::Report;
use lab_words::words;

/// The page.
pub const PAGE: &str = "report.html";
/// Its Markdown twin.
pub const TWIN: &str = "report.md";

/// A test case a run.
pub const JUNIT: &str = "report.junit.xml";

/// What the templates see.
#[derive(Serialize)]
struct Seen<'a, T> {
    /// The report.
    r: &'a Report,
    verdict_text: String,
    #[serde(flatten)]
    more: T,
}

/// Renders one of the templates; `more` is what it needs besides the report.
///
/// # Errors
/// The template names something that the context does not have.
pub fn render(template: &str, report: &Report, more: impl Serialize) -> Result<String> {
    let environment = environment()?;
    let found = environment.get_template(template)?;
    let context = Seen {
        r: report,
        verdict_text: report.verdict.text(),
        more,
    };
    found
        .render(Serde(context))
        .with_context(|| format!("rendering {template}"))
}

/// The engine with the report's filters and templates.
pub(crate) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_auto_escape_callback(|name| {
        // Escaping for HTML is right for XML text and attributes too.
        if name.ends_with(".html") || name.ends_with(".xml") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.add_filter("count", |value: Value| {
        number(&value, |n| words::count(n.round() as i64))
    });
    environment.add_filter("fig", |value: Value| number(&value, words::figure));
    environment.add_filter("ratio", |value: Value| {
        number(&value, lab_verdict::words::ratio)
    });
    // A ratio and the ends of its interval, with the same decimals.
    environment.add_function("ratios", |ratio: f64, low: f64, high: f64| {
        lab_verdict::words::ratios([ratio, low, high]).to_vec()
    });
    environment.add_filter("percent", |value: Value| number(&value, words::percent));
    // A share of what may be used.
    environment.add_filter("of_allowed", |value: Value, allowed: Value| {
        let allowed = f64::try_from(allowed).ok().filter(|allowed| *allowed > 0.0);
        match allowed {
            Some(allowed) => number(&value, |used| words::percent(used / allowed)),
            None => Ok("–".to_owned()),
        }
    });
    environment.add_filter("truncated", |text: &str, most: usize| {
        text.chars().take(most).collect::<String>()
    });
    environment.add_filter("p", |value: Value| {
        number(&value, |p| lab_verdict::words::p_value(p).replace("p ", ""))
    });
    environment.add_filter("level", |value: Value| {
        number(&value, |level| lab_verdict::words::level(1.0 - level))
    });
    // A table cell of Markdown ends at a bar or a line's end.
    environment.add_filter("cell", |text: &str| {
        text.replace('|', "\\|").replace(['\n', '\r'], " ")
    });
    environment.add_template(PAGE, include_str!("../templates/report.html"))?;
    environment.add_template(TWIN, include_str!("../templates/report.md"))?;
    environment.add_template(JUNIT, include_str!("../templates/report.junit.xml"))?;
    Ok(environment)
}

/// A missing figure is a dash; what is no number is a mistake in a template.
fn number(value: &Value, words: impl Fn(f64) -> String) -> Result<String, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok("–".to_owned());
    }
    let number = f64::try_from(value.clone())
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("{value} is no number")))?;
    Ok(words(number))
}
