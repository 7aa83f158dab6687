//! The result: tables with the bound beside each figure, as Markdown and as JSON.
//!
//! - `rows`: what stands in the tables
//! - `content`: all of it, as JSON shows it
//! - `tables`: how the tables look

mod content;
mod rows;
mod tables;

pub(crate) use content::Report;
