//! The result: tables with the bound beside each figure, as Markdown and as JSON.
//!
//! - `rows`: what stands in the tables
//! - `content`: all of it, as JSON shows it
//! - `tables`, `rate_table`: how the tables look; `figure`: what is drawn

mod content;
mod figure;
mod rate_table;
mod rows;
mod tables;

pub(crate) use content::Report;
