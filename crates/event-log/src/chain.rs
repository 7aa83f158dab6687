//! Hash-chained partitions.
