//! Integration tests of `domain`: its public interface alone.

#![allow(clippy::unwrap_used)] // the lint knows test functions, not their helpers

mod accounts;
mod attributes;
mod bulk;
mod dates;
mod events;
mod syntax;
mod transactions;
