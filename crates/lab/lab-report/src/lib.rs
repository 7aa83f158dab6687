//! The comparison report of sessions: one HTML page, its Markdown twin, and exports of the same data.
//!
//! A pure function of stored rows: it connects to nothing and reads no file of today's checkout.
//!
//! - [`input`], [`options`]: the rows that a report is built from, and what was named beforehand
//! - [`mod@build`]: rows to [`model::Report`], a pure function over the modules below
//!   - [`mod@scenarios`] what belongs together, [`trial`] one run, [`cell`] the trials of one target and payload, [`compare`] pairs and ranks
//!   - [`generator`] was the generator the limit, [`series`] samples over time
//!   - [`mod@grouping`] targets by protocol, language and framework, [`places`] does the place in a round matter, [`scaling`] rate by number of VUs, [`generators`] what each of several made of the load
//!   - [`verdict`] the first sentence, [`head`] the answers at a glance, [`ranking`] the same for more than two targets, [`badges`] why to believe it, [`limits`] what is not shown,
//!     [`environment`] settings side by side
//! - [`mod@verdict_file`]: what the first sentence says, as a file for gates
//! - [`mod@history`]: a figure of a target over its sessions, and where it changed; [`history_page`] the same as a page
//! - [`html`], [`markdown`], [`export`]: the model as files; `detail` what a large page leaves out; [`render`] the template engine; figures and checks in words are the crate `lab-words`

pub mod across;
pub mod badges;
pub mod build;
pub mod cell;
pub mod compare;
mod detail;
pub mod environment;
pub mod export;
pub mod generator;
pub mod generators;
pub mod grouping;
pub mod head;
mod heading;
pub mod history;
pub mod history_page;
pub mod html;
pub mod input;
pub mod limits;
pub mod markdown;
pub mod model;
pub mod options;
pub mod places;
pub mod ranking;
pub mod render;
pub mod scaling;
mod scenarios;
pub mod series;
mod targets;
pub mod trial;
pub mod verdict;
pub mod verdict_file;

#[cfg(test)]
mod fairness_tests;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod invented;
#[cfg(test)]
mod overview_tests;
#[cfg(test)]
mod ranking_tests;
#[cfg(test)]
mod scenario_tests;
#[cfg(test)]
mod size_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod verdict_tests;

use self::input::SessionRows;
use self::model::Report;
pub use self::options::Options;

/// Points of a time series; the page has fewer where it would grow past its limit.
pub const POINTS: usize = 300;

/// Builds the report of these sessions.
pub fn build(rows: &[SessionRows], options: &Options) -> Report {
    build::build(rows, POINTS, options)
}
