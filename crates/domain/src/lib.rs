//! Types in which invalid values cannot exist, and the rules that make them so. No I/O, no async.
//!
//! In reading order:
//! - [`Event`], [`EntityUpdate`]: what ingestion stores
//! - [`EventDraft`] and its parts: an event before the check; JSON and Protocol Buffers both end here
//! - [`parse_bulk`], [`BulkElement`]: a JSON array into its events
//! - [`attributes`]: the checks and the folding of attributes as raw JSON text
//! - [`date`]: the three ways to write a date
//! - [`AccountId`], [`AccountIds`], [`Balance`]: what balance is asked and answers
//! - [`Transaction`], [`Timestamp`], [`Subscription`]: what the stream carries, and what its subscribers ask for
//! - [`Invalid`], [`Kind`]: what is said when a rule is broken

mod account;
pub mod attributes;
mod bulk;
pub mod date;
mod draft;
mod event;
mod fault;
mod invalid;
mod json;
mod kind;
mod numeric;
mod scan;
mod transaction;

pub use account::{AccountId, AccountIds, Balance, MAX_ACCOUNT_IDS};
pub use bulk::{BulkElement, parse_bulk};
pub use draft::{Attributes, BodyDraft, EntityDraft, EventDraft, Field, HeaderDraft, Part};
pub use event::{EntityUpdate, Event};
pub use invalid::Invalid;
pub use kind::Kind;
pub use transaction::{Start, Subscription, SubscriptionDraft, Timestamp, Transaction};
