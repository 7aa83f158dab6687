//! A checkout of a test's own: the repository's data files under a root that ends with the test.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use lab_host::state::State;
use lab_host::tools::Tools;
use tempfile::TempDir;

/// A root with everything that `weir run` needs, its state and its results.
pub(crate) struct Checkout {
    root: TempDir,
    _turn: Turn,
}

/// The right to run a session, of one test at a time.
pub(crate) type Turn = MutexGuard<'static, ()>;

/// Waits until no other test runs a session: a session that measures wants the machine for itself.
pub(crate) fn turn() -> Turn {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Checkout {
    /// A root whose databases are there already, as a first session makes them. None, with a word on standard error, where k6
    /// or PostgreSQL is not set up.
    pub(crate) fn new() -> Option<Self> {
        Self::laid_out(true)
    }

    /// A root as a fresh clone is: its first session makes the databases.
    pub(crate) fn fresh() -> Option<Self> {
        Self::laid_out(false)
    }

    /// Builds the services and lays out the root.
    fn laid_out(with_databases: bool) -> Option<Self> {
        let repository = repository();
        let Some(tools) = Tools::find(&repository) else {
            testkit::left_out("there is no k6 or no PostgreSQL: run scripts/native-tools.sh first");
            return None;
        };
        let turn = turn();
        build_services();
        let root = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user where the test runs as root.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(root.path().join("load-test")).unwrap();
        for name in ["load-test/k6", "proto", "postgres"] {
            symlink(repository.join(name), root.path().join(name)).unwrap();
        }
        let targets = "load-test/targets.toml";
        fs::copy(repository.join(targets), root.path().join(targets)).unwrap();
        fs::create_dir(root.path().join(".tools")).unwrap();
        let env = format!(
            "WEIR_K6={}\nWEIR_PG_BIN={}\n",
            tools.k6.display(),
            tools.pg_bin.display()
        );
        fs::write(root.path().join(".tools/env"), env).unwrap();
        if with_databases {
            let state = State::open(root.path()).unwrap();
            for cluster in ["postgres-large", "postgres-metrics"] {
                testkit::postgres::data_directory(&state.dir.join(cluster), &tools.pg_bin);
            }
        }
        Some(Self { root, _turn: turn })
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// `weir` with these arguments, to be run in this checkout.
    pub(crate) fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
        command
            .args(arguments)
            .env("WEIR_ROOT", self.root.path())
            .env(
                "WEIR_BIN_DIR",
                Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap(),
            )
            .env_remove("DB_HOST")
            .env_remove("PHASE_SCALE")
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end; the text is standard output and standard error together.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.weir(arguments).output().unwrap();
        (output.status.code().unwrap_or(-1), text(&output))
    }

    /// Process ids that the session has noted.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let Ok(entries) = fs::read_dir(self.path(".weir/processes")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|e| e.file_name().to_string_lossy().parse().ok())
            .collect()
    }

    /// The HTML reports below the results.
    pub(crate) fn reports(&self) -> Vec<PathBuf> {
        let Ok(sessions) = fs::read_dir(self.path("load-test/results")) else {
            return Vec::new();
        };
        let pages = sessions
            .flatten()
            .map(|session| session.path().join("report.html"));
        pages.filter(|page| page.is_file()).collect()
    }

    /// True where neither database server is running.
    pub(crate) fn databases_stopped(&self) -> bool {
        ["postgres-large", "postgres-metrics"].iter().all(|name| {
            !self
                .path(".weir")
                .join(name)
                .join("postmaster.pid")
                .exists()
        })
    }
}

pub(crate) fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Reads a child's standard output until it contains `word`; answers what was read.
pub(crate) fn read_until(child: &mut Child, word: &str, patience: Duration) -> String {
    let deadline = Instant::now() + patience;
    let out = child.stdout.as_mut().unwrap();
    let mut read = Vec::new();
    let mut byte = [0];
    loop {
        assert!(
            out.read(&mut byte).unwrap() == 1 && Instant::now() < deadline,
            "'{word}' did not come:\n{}",
            String::from_utf8_lossy(&read)
        );
        read.push(byte[0]);
        if read.ends_with(word.as_bytes()) {
            return String::from_utf8_lossy(&read).into_owned();
        }
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../..")
        .canonicalize()
        .unwrap()
}

/// The binary of a service.
pub(crate) fn built(name: &str) -> PathBuf {
    build_services();
    Path::new(env!("CARGO_BIN_EXE_weir")).with_file_name(name)
}

/// Once a test process: the binaries beside weir's own, as new as their sources.
pub(crate) fn build_services() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        testkit::programs::build(&[
            "producer-rest",
            "producer-grpc",
            "balance",
            "stream",
            "event-log",
            "stats-sidecar",
            "benchmark",
            "ratios",
            "null-target",
            "campaign",
        ]);
    });
}
