//! Services of a user's own: an empty folder outside the checkout, the `weir` binary alone, and a `weir.toml`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lab_host::tools::Tools;
use tempfile::TempDir;

use crate::checkout::{Turn, repository, text, turn};

/// Two settings of a server that nobody here wrote, and two requests: 25 lines.
const FILES: &str = r#"[[target]]
name = "files-1.0"
protocol = "rest"
command = ["python3", "-m", "http.server", "{port}", "--bind", "127.0.0.1", "-d", "public"]
ready = "/"

[[target]]
name = "files-1.1"
protocol = "rest"
command = "python3 -m http.server $PORT -b 127.0.0.1 -d public -p HTTP/1.1"
port_env = "PORT"
ready = "/"

[[scenario]]
name = "read"
[[scenario.request]]
weight = 3
path = "/item.json?n={{counter}}"
headers = { Authorization = "Bearer {{env FILES_TOKEN}}" }
expect = { status = 200, json = { "/id" = 7 }, within = "2s" }
[[scenario.request]]
path = "/{{choice gone lost}}"
expect = { status = 404 }

[load]
rate = 40
"#;

/// A folder with a `weir.toml` and a copy of `weir` elsewhere, without anything beside it.
struct Folder {
    dir: TempDir,
    bin: TempDir,
    tools: Tools,
    _turn: Turn,
}

impl Folder {
    /// None, with a word on standard error, where k6, PostgreSQL or Python is missing.
    fn new(file: &str) -> Option<Self> {
        let Some(tools) = Tools::find(&repository()) else {
            testkit::left_out("there is no k6 or no PostgreSQL: run scripts/native-tools.sh first");
            return None;
        };
        let python = Command::new("python3").arg("--version").output();
        if !python.is_ok_and(|said| said.status.success()) {
            testkit::left_out("there is no python3, whose server is measured");
            return None;
        }
        let turn = turn();
        let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("public")).unwrap();
        fs::write(
            dir.path().join("public/item.json"),
            "{\"id\": 7, \"name\": \"a\"}\n",
        )
        .unwrap();
        fs::write(dir.path().join("weir.toml"), file).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_weir"), bin.path().join("weir")).unwrap();
        Some(Self {
            dir,
            bin,
            tools,
            _turn: turn,
        })
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn weir(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bin.path().join("weir"));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("WEIR_K6", &self.tools.k6)
            .env("WEIR_PG_BIN", &self.tools.pg_bin)
            .env("FILES_TOKEN", "s3cret-t0ken")
            .env("PHASE_SCALE", "0.05")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.weir(arguments).output().unwrap();
        (output.status.code().unwrap_or(-1), text(&output))
    }

    /// Every file below the folder whose bytes hold `word`, but for programs and databases.
    fn files_with(&self, word: &str) -> Vec<PathBuf> {
        let output = Command::new("grep")
            .args(["-rl", "--", word])
            .arg(self.dir.path())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(PathBuf::from).collect()
    }
}

#[test]
fn two_settings_of_somebody_else_s_server_are_compared_with_weir_alone() {
    assert!(FILES.lines().filter(|line| !line.is_empty()).count() <= 25);
    let Some(folder) = Folder::new(FILES) else {
        return;
    };
    let (status, text) = folder.run(&["check"]);
    assert_eq!(status, 0, "{text}");
    for said in [
        "files-1.0 read",
        "files-1.1 read",
        "ok      GET /item.json?n={{counter}}: 200 in",
        "{\"id\": 7, \"name\": \"a\"}",
        "GET /{{choice gone lost}}: 404 in",
    ] {
        assert!(text.contains(said), "{said} is missing in\n{text}");
    }

    let (status, text) = folder.run(&["run", "compare", "--trials", "8", "--seed", "5"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("16 runs completed."), "{text}");
    assert!(text.contains("not audited"), "{text}");
    let page = text
        .lines()
        .find_map(|line| line.strip_prefix("Report:   "));
    let page = Path::new(page.unwrap());
    assert!(page.starts_with(folder.path("weir-results").canonicalize().unwrap()));
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("files-1.1") && html.contains("not audited"));
    let report = fs::read_to_string(page.with_extension("md")).unwrap();
    for said in [
        // The verdict, whatever it is: the method had enough rounds to give one.
        "| read | service CPU | files-1",
        "weir run compare --trials 8 --seed 5",
        "16 of 16 runs not audited",
        "same contract, verified before each run",
    ] {
        assert!(report.contains(said), "{said} is missing in\n{report}");
    }
    // A trial that the machine disturbed is not ranked, and the page says so.
    let disturbed = report.contains("trials not ranked");
    assert!(disturbed || !report.contains("are needed"), "{report}");
    // The token went to the server and nowhere else.
    assert_eq!(folder.files_with("s3cret-t0ken"), Vec::<PathBuf>::new());

    // What was recorded can be looked at, and reported again, from the same folder.
    let (status, text) = folder.run(&["runs", "list"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("files-1.0"), "{text}");
}

#[test]
fn an_answer_that_is_not_as_expected_is_shown_and_is_not_measured() {
    let wrong = FILES.replace("\"/id\" = 7", "\"/id\" = 8");
    let Some(folder) = Folder::new(&wrong) else {
        return;
    };
    let (status, text) = folder.run(&["check", "files-1.0"]);
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("FAILED  GET /item.json"), "{text}");
    assert!(text.contains("/id is 7, expected 8"), "{text}");
    assert!(!text.contains("files-1.1"), "{text}");

    let (status, text) = folder.run(&["run", "smoke", "files-1.0"]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("answered as expected: GET /item.json"),
        "{text}"
    );
}

#[test]
fn what_is_wrong_with_the_file_is_said_before_anything_starts() {
    let wrong = FILES.replace("status = 404", "status = \"many\"");
    let Some(folder) = Folder::new(&wrong) else {
        return;
    };
    for command in [&["check"][..], &["run", "smoke"], &["targets"]] {
        let (status, text) = folder.run(command);
        assert_eq!(status, 64, "{text}");
        let said = "weir.toml:23: scenario read: request 2: expect.status: is \"many\"; write a status such as 200";
        assert!(text.contains(said), "{text}");
    }
    fs::write(folder.path("weir.toml"), FILES).unwrap();
    let mut without = folder.weir(&["check", "files-1.0"]);
    let output = without.env_remove("FILES_TOKEN").output().unwrap();
    let text = text(&output);
    assert!(
        text.contains("the environment variable FILES_TOKEN is not set"),
        "{text}"
    );
    let (status, text) = folder.run(&["run", "smoke", "--runtime", "docker"]);
    assert_eq!(status, 64, "{text}");
    assert!(
        text.contains("weir.toml says how each target is started"),
        "{text}"
    );
}
