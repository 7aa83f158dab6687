//! The parts that live while measurements are made.

use std::time::Duration;

use database_link::Link;

use crate::postgres::Postgres;
use crate::setup::Setup;

/// Limit of a request, and until a stream begins.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// The parts that live while measurements are made.
pub(crate) struct Lab<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) postgres: &'a Postgres,
    pub(crate) database_url: String,
    pub(crate) client: Link,
}
