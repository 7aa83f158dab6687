//! What a run of events sends.

use super::attributes::Payload;
use crate::usage::{Usage, require};
use lab_model::targets::AttributeForm;

/// Digits of the worker's number in an id.
pub(super) const WORKER_DIGITS: usize = 5;
/// Digits of the event's number, or the key, in an id.
pub(super) const ID_DIGITS: usize = 8;

/// What a run sends.
#[derive(Clone, Debug)]
pub struct EventPlan {
    /// Size of the events.
    pub payload: Payload,
    /// Carried by every event.
    pub run_id: String,
    /// Seed of ids, order and types.
    pub seed: u64,
    /// Fixed set of entities that events merge into; none: new ids, as the module's text says.
    pub keys: Option<u32>,
    /// Events in one request; none: each is a request of its own.
    pub batch: Option<u32>,
    /// How attributes are sent over gRPC.
    pub attributes: AttributeForm,
}

impl EventPlan {
    /// Checks it for `workers` concurrent workers.
    ///
    /// # Errors
    /// For more keys or workers than the fixed-width ids can name, or for repeating keys in another size than the
    /// default.
    pub fn check(&self, workers: usize) -> Result<(), Usage> {
        let most = 10_usize.pow(WORKER_DIGITS as u32) - 1;
        require(
            workers <= most,
            format_args!("--concurrency must be at most {most}"),
        )?;
        require(
            self.batch.is_none_or(|batch| batch > 0),
            "--batch must be at least 1",
        )?;
        let Some(keys) = self.keys else {
            return Ok(());
        };
        require(
            self.attributes == AttributeForm::Json,
            "--keys is for targets that take attributes_json: leave it out",
        )?;
        require(
            keys as usize >= workers,
            format_args!(
                "--keys {keys} is less than --concurrency {workers}: each worker needs a key of its own"
            ),
        )?;
        let most = 10_u32.pow(ID_DIGITS as u32) - 1;
        require(keys <= most, format_args!("--keys must be at most {most}"))?;
        require(
            self.payload == Payload::Default,
            "--keys works with the default payload only: leave out --payload",
        )
    }
}
