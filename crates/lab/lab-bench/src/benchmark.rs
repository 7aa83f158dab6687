//! One run of the lab's own generator, `benchmark`.

use std::path::{Path, PathBuf};

use lab_host::environment::cores;
use lab_model::access::{Access, Tls, Token};

/// What to run.
#[derive(Clone, Debug)]
pub struct BenchmarkJob {
    /// Arguments of the program, but for where its result goes and what names files of TLS.
    pub arguments: Vec<String>,
    /// Variables of its environment, which no command line shows.
    pub env: Vec<(String, String)>,
    /// How the target is come to.
    pub access: Access,
    /// It inserts into the application database.
    pub inserts: bool,
    /// Where it writes its result, a path on this machine; none: nowhere.
    pub result: Option<PathBuf>,
    /// Where its output goes.
    pub log: PathBuf,
    /// Unique among what runs at a time.
    pub name: String,
}

impl BenchmarkJob {
    /// All arguments, with the result at `result` as the process sees it.
    pub(crate) fn all_arguments(&self, result: Option<&str>) -> Vec<String> {
        let mut all = self.arguments.clone();
        all.extend(tls_arguments(&self.access));
        all.extend(result.map(|path| format!("--json={path}")));
        all
    }

    /// The options that name files of TLS, with those files.
    pub(crate) fn tls_files(&self) -> Vec<(&'static str, &Path)> {
        tls_files(&self.access)
    }

    /// The token, which goes through the environment, never into a command line.
    pub(crate) fn token(&self) -> Option<&str> {
        self.access.token.as_ref().map(Token::reveal)
    }
}

fn tls_files(access: &Access) -> Vec<(&'static str, &Path)> {
    let Some(Tls { ca, identity }) = &access.tls else {
        return Vec::new();
    };
    let mut all: Vec<(&'static str, &Path)> = Vec::new();
    all.extend(ca.as_deref().map(|ca| ("--tls-ca", ca)));
    if let Some((cert, key)) = identity {
        all.push(("--tls-cert", cert));
        all.push(("--tls-key", key));
    }
    all
}

/// The arguments that name files of TLS.
#[must_use]
pub fn tls_arguments(access: &Access) -> Vec<String> {
    let files = tls_files(access).into_iter();
    files
        .map(|(option, path)| format!("{option}={}", path.display()))
        .collect()
}

/// Threads that make the load: half the machine's cores, so that what is measured has the others.
#[must_use]
pub fn threads() -> usize {
    (cores() / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_arguments_and_the_token_is_none() {
        let mut access = Access::secure(Some("/tls/ca.pem".into()));
        access.token = Some(Token::new("s3cret"));
        let job = BenchmarkJob {
            arguments: vec!["--scenario=balance".into()],
            env: Vec::new(),
            access,
            inserts: false,
            result: None,
            log: "/tmp/benchmark.log".into(),
            name: "weir-benchmark-1".into(),
        };
        let line = job.all_arguments(Some("/results/a.json")).join(" ");
        assert_eq!(
            line,
            "--scenario=balance --tls-ca=/tls/ca.pem --json=/results/a.json"
        );
        assert!(!format!("{job:?}").contains("s3cret"));
        assert_eq!(job.token(), Some("s3cret"));
    }
}
