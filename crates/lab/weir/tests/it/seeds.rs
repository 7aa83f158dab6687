//! The words of the earlier systems, typed as docs/guides/seeds.md has them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lab_contract::http;
use lab_host::port::free_port;
use lab_model::endpoint::Endpoint;

use crate::checkout::{Checkout, read_until, repository, text};

/// The rows of the guide's tables: what was typed, and what the guide says of it.
fn rows() -> Vec<(String, String)> {
    let guide = fs::read_to_string(repository().join("docs/guides/seeds.md")).unwrap();
    let rows = guide.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.trim_matches('|').split(" | ").collect::<Vec<_>>());
    let rows: Vec<_> = cells
        .map(|cells| {
            (
                cells[0].trim().to_owned(),
                cells[cells.len() - 1].trim().to_owned(),
            )
        })
        .collect();
    assert!(rows.len() > 25, "{rows:?}");
    rows
}

/// The commands of a cell: what stands between backticks.
fn commands(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn in_repository(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(repository());
    command
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn shell(line: &str) -> Output {
    let path = Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap();
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(repository())
        .env("PATH", path);
    command.output().unwrap()
}

#[test]
fn the_front_door_takes_the_old_names() {
    let mut typed = 0;
    for (then, _) in rows() {
        for line in commands(&then) {
            let Some((_, arguments)) = line.split_once("run-sequential-throughput-tests.sh") else {
                continue;
            };
            let output = shell(&format!("weir plan {arguments}"));
            assert!(output.status.success(), "{line}: {}", text(&output));
            typed += 1;
        }
    }
    assert_eq!(typed, 3);
    let output =
        shell("weir plan smoke producer-api-rust-rest,producer-api-go-grpc default --json");
    let plan = text(&output);
    assert!(
        plan.contains("producer-rest") && plan.contains("producer-go-grpc"),
        "{plan}"
    );
    // The same target under both names is one target.
    let output = shell("weir plan smoke producer-rest,producer-api-rust-rest");
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
    assert!(text(&output).contains("named twice"));
}

#[test]
fn a_script_that_is_gone_says_what_it_is_called_now() {
    let mut typed = 0;
    for (then, now) in rows() {
        for line in commands(&then) {
            let Some(rest) = line.strip_prefix("python3 metrics_") else {
                continue;
            };
            let output = shell(&format!("cd load-test/shared && python3 metrics_{rest}"));
            assert_eq!(output.status.code(), Some(64), "{}", text(&output));
            assert!(
                text(&output).contains(commands(&now)[0]),
                "{now}: {}",
                text(&output)
            );
            // The command of today takes these flags.
            let words: Vec<&str> = commands(&now)[0].split(' ').take(3).collect();
            let help = text(&shell(&format!("{} --help", words.join(" "))));
            for flag in commands(&now)[0]
                .split(' ')
                .filter(|word| word.starts_with("--"))
            {
                assert!(help.contains(flag), "{now}: {help}");
            }
            typed += 1;
        }
    }
    assert_eq!(typed, 5);
}

#[test]
fn make_knows_the_old_words() {
    if Command::new("make").arg("--version").output().is_err() {
        testkit::left_out("there is no make");
        return;
    }
    let mut typed = 0;
    for (then, _) in rows() {
        for line in commands(&then) {
            for word in line
                .split(" && ")
                .filter_map(|one| one.strip_prefix("make "))
            {
                let output = in_repository("make", &["--dry-run", word]);
                assert!(output.status.success(), "{word}: {}", text(&output));
                typed += 1;
            }
        }
    }
    assert_eq!(typed, 6);
}

#[test]
fn compose_has_the_old_profiles_and_services() {
    let compose = Command::new("docker").args(["compose", "version"]).output();
    if !compose.is_ok_and(|said| said.status.success()) {
        testkit::left_out("there is no docker compose");
        return;
    }
    let mut typed = 0;
    for (then, _) in rows() {
        for line in commands(&then) {
            let words: Vec<&str> = line.split(' ').collect();
            let at = |word: &str| words.iter().position(|one| *one == word);
            let Some(up) = at("up").filter(|_| line.starts_with("docker")) else {
                continue;
            };
            // A service that is named starts whatever its profile; a profile alone must be there.
            let output = in_repository(
                "docker",
                &["compose", "--profile", "*", "config", "--services"],
            );
            assert!(output.status.success(), "{line}: {}", text(&output));
            let compose = fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
            for pair in words.windows(2).filter(|pair| pair[0] == "--profile") {
                let profile = [
                    format!("[{}]", pair[1]),
                    format!("[{},", pair[1]),
                    format!(", {}", pair[1]),
                ];
                let known = profile.iter().any(|written| {
                    compose.contains(&format!("profiles: {written}")) || compose.contains(written)
                });
                assert!(known, "{line}: there is no profile {}", pair[1]);
            }
            let services = text(&output);
            for service in words[up + 1..].iter().filter(|word| !word.starts_with('-')) {
                assert!(
                    services.lines().any(|one| one == *service),
                    "{line}: {services}"
                );
            }
            typed += 1;
        }
    }
    assert_eq!(typed, 5);
    // Earlier systems wrote `k6 run`, the image's own entrypoint wants `run`: both reach k6 the same way.
    let config = in_repository(
        "docker",
        &[
            "compose",
            "--profile",
            "k6-test",
            "config",
            "--format",
            "json",
        ],
    );
    let config: serde_json::Value = serde_json::from_slice(&config.stdout).unwrap();
    let entrypoint = config["services"]["k6-throughput"]["entrypoint"]
        .as_array()
        .unwrap();
    let script = entrypoint[2]
        .as_str()
        .unwrap()
        .replace("$$", "$")
        .replace("exec k6", "echo k6");
    for arguments in [
        &["k6", "run", "a.js", "-e", "HOST=x"][..],
        &["run", "a.js", "-e", "HOST=x"],
    ] {
        let output = Command::new("sh")
            .args(["-c", &script, "k6"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(text(&output).trim(), "k6 run a.js -e HOST=x");
    }
}

#[test]
fn both_databases_are_asked_without_docker() {
    let Some(checkout) = Checkout::fresh() else {
        return;
    };
    let (status, said) = checkout.run(&["db", "psql", "metrics", "-c", "select 1"]);
    assert_eq!(status, 64, "{said}");
    assert!(said.contains("'weir db up' starts it"), "{said}");
    let (status, said) = checkout.run(&["db", "up"]);
    assert_eq!(status, 0, "{said}");
    let url = said
        .lines()
        .find_map(|line| line.strip_prefix("postgres-large: "))
        .unwrap();
    // `make seed` does the same.
    let output = checkout
        .weir(&["seed", "--database-url", url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    one_pair_of_ports(url);
    let mut typed = 0;
    for (_, now) in rows() {
        for line in commands(&now) {
            let Some((database, sql)) = line
                .strip_prefix("weir db psql ")
                .and_then(|rest| rest.split_once(" -c "))
            else {
                continue;
            };
            // The entities' table is made by the first producer that starts.
            let sql = sql.trim_matches('"').replace("car_entities", "accounts");
            let (status, said) = checkout.run(&["db", "psql", database, "-c", &sql]);
            assert_eq!(status, 0, "{line}: {said}");
            typed += 1;
        }
    }
    assert_eq!(typed, 4);
    let (status, said) = checkout.run(&["db", "down"]);
    assert_eq!(status, 0, "{said}");
    assert!(checkout.databases_stopped());
}

/// Balances and transactions behind one REST port and one gRPC port, by nginx.
fn one_pair_of_ports(database: &str) {
    if Command::new("nginx").arg("-v").output().is_err() {
        testkit::left_out("there is no nginx: scripts/one-pair.sh is not tried");
        return;
    }
    let (rest, grpc) = (free_port(None).unwrap(), free_port(None).unwrap());
    let mut pair = Command::new(repository().join("scripts/one-pair.sh"))
        .env("DATABASE_URL", database)
        .env(
            "BIN_DIR",
            Path::new(env!("CARGO_BIN_EXE_weir")).parent().unwrap(),
        )
        .env("REST_PORT", rest.to_string())
        .env("GRPC_PORT", grpc.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    read_until(&mut pair, "Ctrl-C ends both", Duration::from_secs(120));
    let get = |path: &str| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let asking = async {
            let limit = Duration::from_secs(10);
            let at = Endpoint::local(rest);
            // nginx may open its ports a moment after it was started.
            loop {
                match http::get(&at, path, &[], limit).await {
                    Err(_) => tokio::task::yield_now().await,
                    Ok(answer) => break answer,
                }
            }
        };
        let asked =
            runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), asking).await });
        let (status, body) = asked.unwrap();
        assert!(status.is_success(), "{path}: {status}");
        String::from_utf8(body.to_vec()).unwrap()
    };
    let balance = get("/api/v1/accounts/0.0.100000/balance");
    assert!(balance.contains("0.0.100000"), "{balance}");
    let events = get("/api/v1/transactions/stream?since=2020-01-01T00:00:00Z&limit=2");
    assert!(
        events.starts_with("id: 1") && events.contains("id: 2"),
        "{events}"
    );
    // The gRPC port has its own face: HTTP/1.1 is not answered there.
    assert!(std::net::TcpStream::connect(("127.0.0.1", grpc)).is_ok());
    let id = nix::unistd::Pid::from_raw(i32::try_from(pair.id()).unwrap());
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(pair.wait().unwrap().code(), Some(143));
}
