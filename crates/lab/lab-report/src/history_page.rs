//! The history as one page that needs neither network nor script.

use anyhow::{Context, Result};
use minijinja::value::Serde;

use crate::history::{History, short};
use crate::{html, render};

/// Its template.
const TEMPLATE: &str = "history.html";

/// The text of the page.
///
/// # Errors
/// The template names something that is not there.
pub fn page(history: &History) -> Result<String> {
    let mut environment = render::environment()?;
    environment.add_template(TEMPLATE, include_str!("../templates/history.html"))?;
    environment.add_function("short", |commit: Option<&str>| short(commit));
    let found = environment.get_template(TEMPLATE)?;
    let context = minijinja::context! { h => Serde(history), style => html::STYLE };
    found.render(context).context("rendering the history")
}
