//! Where the lab's files are below the repository root.

/// The list of targets.
pub const TARGETS: &str = "load-test/targets.toml";

/// The modes and their phases, which the k6 scripts read too.
pub const MODES: &str = "load-test/k6/lib/modes.json";

/// The folder of the k6 scripts.
pub const SCRIPTS: &str = "load-test/k6";

/// The folder of the wire contracts.
pub const PROTOS: &str = "proto";

/// The folder of all that sessions leave: a folder with the report of each session, and [`SUMMARIES`].
pub const RESULTS: &str = "load-test/results";

/// The folder of the generators' summaries and of the sampler's CSV files.
pub const SUMMARIES: &str = "load-test/results/throughput-sequential";
