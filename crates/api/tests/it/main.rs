//! Integration tests of `api`: requests become the same events, or the same refusals, as JSON does.

#![allow(clippy::unwrap_used)] // the lint knows test functions, not their helpers

mod cases;
mod descriptors;
mod parity;
mod requests;
