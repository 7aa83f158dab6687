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

/// A shop that stores orders, or with `LOSE=1` answers for some that it does not store.
const SHOP: &str = r#"
import http.server, json, os, sys
orders = []
class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, {"orders": len(orders)})
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(201, {"id": order["number"]}, Location=f"/orders/{order['number']}")
    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if os.environ.get("LOSE") != "1" or len(orders) < 3:
            orders.append(self.path)
        self.answer(200, {"path": self.path})
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
"#;

const ORDERS: &str = r#"
[[target]]
name = "careful"
protocol = "rest"
command = ["python3", "shop.py", "{port}"]
ready = "/"
[[target]]
name = "careless"
protocol = "rest"
command = ["python3", "shop.py", "{port}"]
env = { LOSE = 1 }
ready = "/"
default = false

[[scenario]]
name = "order"
[[scenario.request]]
name = "place"
[[scenario.request.step]]
path = "/orders"
body = { number = "{{counter}}", customer = "{{uuid}}" }
expect = { status = 201 }
capture = { at = "header:location", id = "/id" }
[[scenario.request.step]]
method = "PUT"
path = "/orders/{{id}}"
body = { from = "{{at}}" }
expect = { status = 200, contains = "/orders/" }
[[scenario.request]]
path = "/"

[[scenario]]
name = "scripted"
script = "orders.js"
env = ["FILES_TOKEN"]

[[setup]]
command = "echo set up for $TARGET >> steps.log"
[[teardown]]
command = "echo torn down after $RUN_ID >> steps.log"
[audit]
path = "/"
json = "/orders"
of = ["place"]
"#;

/// It puts one order, and looks at the answer.
const SCRIPT: &str = r"
import http from 'k6/http';
export function setup() { return { path: '/orders/1' }; }
export default function ({ path }) {
  const answer = http.put(`http://${__ENV.HOST}:${__ENV.PORT}${path}`, '{}', { headers: { Authorization: __ENV.FILES_TOKEN } });
  return answer.status === 200 && answer.json('path') === path;
}
";

#[test]
fn steps_depend_on_each_other_and_an_audit_finds_what_was_lost() {
    let Some(folder) = Folder::new(ORDERS) else {
        return;
    };
    fs::write(folder.path("shop.py"), SHOP).unwrap();
    fs::write(folder.path("orders.js"), SCRIPT).unwrap();
    let (status, text) = folder.run(&["check", "careful", "order"]);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("place: PUT /orders/{{id}}: 200"), "{text}");

    let (status, text) = folder.run(&["run", "smoke", "careful", "order"]);
    assert_eq!(status, 0, "{text}");
    // Of the five requests those named `place` count, and each of them was found.
    let line = text
        .lines()
        .find(|line| line.contains("requests answered as expected"))
        .unwrap();
    let words: Vec<&str> = line
        .split([' ', ','])
        .filter(|word| word.parse::<u32>().is_ok())
        .collect();
    assert_eq!(words[0], words[1], "{line}");
    let steps = fs::read_to_string(folder.path("steps.log")).unwrap();
    let steps: Vec<&str> = steps.lines().collect();
    assert_eq!(steps[0], "set up for careful");
    assert!(
        steps[1].starts_with("torn down after ") && steps.len() == 2,
        "{steps:?}"
    );

    let (status, text) = folder.run(&["run", "smoke", "careless", "order"]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("GET / found 0") && text.contains("are lost"),
        "{text}"
    );

    let scripted = ORDERS.split("[audit]").next().unwrap();
    fs::write(folder.path("weir.toml"), scripted).unwrap();
    let (status, text) = folder.run(&["run", "smoke", "careful", "scripted"]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("requests answered as expected, p95"),
        "{text}"
    );
    fs::write(
        folder.path("orders.js"),
        SCRIPT.replace("=== path", "!== path"),
    )
    .unwrap();
    let (_, text) = folder.run(&["run", "smoke", "careful", "scripted"]);
    assert!(text.contains("5 errors"), "{text}");
}

/// The generator beside the copy of weir.
fn with_benchmark(folder: &Folder) {
    fs::copy(
        crate::checkout::built("benchmark"),
        folder.bin.path().join("benchmark"),
    )
    .unwrap();
}

#[test]
fn benchmark_sends_the_requests_of_the_file_and_holds_the_answers_against_them() {
    let Some(folder) = Folder::new(FILES) else {
        return;
    };
    with_benchmark(&folder);
    let arguments = ["run", "compare", "--trials", "1", "--driver", "benchmark"];
    let (status, text) = folder.run(&arguments);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("2 runs completed."), "{text}");
    // As many a second as the file asks for, each as expected.
    assert_eq!(text.matches(": 40 requests/s, ").count(), 2, "{text}");
    assert!(text.matches(" 0 errors").count() == 2, "{text}");
    assert_eq!(folder.files_with("s3cret-t0ken"), Vec::<PathBuf>::new());
}

#[test]
fn benchmark_takes_steps_and_an_audit_finds_what_was_lost() {
    let Some(folder) = Folder::new(ORDERS) else {
        return;
    };
    with_benchmark(&folder);
    fs::write(folder.path("shop.py"), SHOP).unwrap();
    fs::write(folder.path("orders.js"), SCRIPT).unwrap();
    let run =
        |target: &str| folder.run(&["run", "smoke", target, "order", "--driver", "benchmark"]);
    let (status, text) = run("careful");
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("requests answered as expected"), "{text}");
    let (status, text) = run("careless");
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("are lost"), "{text}");
    // A script is k6's.
    let scripted = [
        "run",
        "smoke",
        "careful",
        "scripted",
        "--driver",
        "benchmark",
    ];
    let (status, text) = folder.run(&scripted);
    assert_eq!(status, 64, "{text}");
    assert!(text.contains("scenario scripted is a k6 script"), "{text}");
}

#[test]
fn a_session_ends_once_its_question_is_decided() {
    let Some(folder) = Folder::new(FILES) else {
        return;
    };
    // The first opens a connection for each request: the difference in CPU is no small one.
    let arguments = [
        "run",
        "compare",
        "--until-decided",
        "--max-rounds",
        "12",
        "--primary",
        "cpu",
        "--seed",
        "5",
    ];
    let output = folder
        .weir(&arguments)
        .env("PHASE_SCALE", "0.1")
        .output()
        .unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("at most 24 runs"), "{text}");
    let decided = text.contains("Every comparison is decided: ");
    // A machine that disturbs most rounds leaves the question open at the last look, and says so.
    let open = text.contains("Not every comparison is decided.");
    assert!(decided || open, "{text}");
    if decided {
        assert!(text.contains("runs not needed."), "{text}");
        let page = text
            .lines()
            .find_map(|line| line.strip_prefix("Report:   "))
            .unwrap();
        let verdict = Path::new(page).with_file_name("verdict.json");
        let verdict: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(verdict).unwrap()).unwrap();
        assert!(!verdict["settings"]["look"].is_null(), "{verdict}");
    }
    let (status, said) = folder.run(&["run", "compare", "--max-rounds", "12"]);
    assert_eq!(status, 64, "{said}");
    let (status, said) = folder.run(&["run", "compare", "--until-decided", "--trials", "8"]);
    assert_eq!(status, 64, "{said}");
}

#[test]
fn a_distance_is_seen_in_the_latency_and_stands_in_the_fingerprint() {
    let Some(folder) = Folder::new(FILES) else {
        return;
    };
    let latency = |more: &[&str]| {
        let arguments = [
            &[
                "run",
                "compare",
                "files-1.1",
                "--trials",
                "1",
                "--seed",
                "5",
            ][..],
            more,
        ]
        .concat();
        let (status, text) = folder.run(&arguments);
        assert_eq!(status, 0, "{text}");
        let page = text
            .lines()
            .find_map(|line| line.strip_prefix("Report:   "))
            .unwrap()
            .to_owned();
        let (_, listed) = folder.run(&["runs", "list", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let run = listed[0].get("run").unwrap_or(&listed[0])["id"].to_string();
        let (_, shown) = folder.run(&["runs", "show", &run, "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let p50 = shown["phases"][0]["latency"]["p50"].as_f64();
        let p50 = p50
            .or(shown["phases"][0]["p50"].as_f64())
            .or(shown["phases"][0]["p50_ms"].as_f64());
        (p50.unwrap_or_else(|| panic!("{shown}")), page)
    };
    let (far, page) = latency(&["--delay", "25ms", "--jitter", "2ms", "--loss", "0.1%"]);
    assert!(far >= 46.0, "{far} ms");
    let report = fs::read_to_string(Path::new(&page).with_extension("md")).unwrap();
    for said in [
        "lab.distance.delay_ms",
        "--delay 25ms --jitter 2ms --loss 0.001",
    ] {
        assert!(report.contains(said), "{said} is missing in\n{report}");
    }
    let (near, _) = latency(&[]);
    assert!(near < 25.0, "{near} ms");
    let (status, said) = folder.run(&["run", "compare", "--delay", "1ms", "--jitter", "2ms"]);
    assert_eq!(status, 64, "{said}");
    assert!(said.contains("--jitter: must be at most --delay"), "{said}");
}
