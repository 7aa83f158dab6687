//! Hash-chained partitions.

mod commands;
mod crash;
mod limits;
mod parity;
mod stopping;
mod tails;
