//! The history as one page that needs neither network nor script.

use anyhow::Result;

use super::History;
use crate::{html, render};

/// The text of the page.
///
/// # Errors
/// The template names something that is not there.
pub fn page(history: &History) -> Result<String> {
    render::history(history, html::STYLE)
}
