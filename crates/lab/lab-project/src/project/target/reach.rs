//! How a target is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The first port that is tried where the file names none.
pub(super) const PORT: u16 = 18_080;

/// How a target is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Reach {
    /// Somebody else runs it.
    Url(String),
    /// The lab starts it.
    Command {
        /// The program and its arguments, with `{port}`.
        words: Vec<String>,
        /// How it is built before; empty: not at all.
        build: Vec<String>,
        /// The folder of both.
        dir: PathBuf,
        /// Its variables; values may hold `{port}` and `{{env NAME}}`.
        env: BTreeMap<String, String>,
        /// The port that is tried first.
        port: u16,
        /// The variable that tells it its port.
        port_env: Option<String>,
        /// The container whose resources count, where the command is that of an engine.
        container: Option<String>,
    },
}
