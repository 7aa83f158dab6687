//! Hash-chained partitions.

#[cfg(feature = "kafka")]
mod anchors;
mod commands;
mod crash;
mod limits;
mod parity;
mod stopping;
mod tails;
