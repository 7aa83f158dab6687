//! Loads that several generators make together: on this machine, and in network namespaces as on machines of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::checkout::{Checkout, text};

/// A session of one trial of a null target by the generators of a file.
fn session(checkout: &Checkout, target: &str, file: &str, rate: &str) -> (Option<i32>, String) {
    let path = checkout.path("generators.toml");
    fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    let arguments = [
        "run",
        "compare",
        target,
        "default",
        "--trials",
        "1",
        "--rate",
        rate,
        "--generators",
        path,
        "--runtime",
        "native",
    ];
    let output = checkout
        .weir(&arguments)
        .env("PHASE_SCALE", "0.1")
        .env("WEIR_ALLOW_DEBUG_BUILD", "1")
        .output()
        .unwrap();
    (output.status.code(), text(&output))
}

/// The newest run, as `weir runs show` gives it.
fn newest(checkout: &Checkout) -> Value {
    let (status, listed) = checkout.run(&["runs", "list", "--json"]);
    assert_eq!(status, 0, "{listed}");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let run = listed[0].get("run").unwrap_or(&listed[0])["id"].to_string();
    let (status, shown) = checkout.run(&["runs", "show", &run, "--json"]);
    assert_eq!(status, 0, "{shown}");
    serde_json::from_str(&shown).unwrap()
}

fn check<'a>(run: &'a Value, id: &str) -> &'a Value {
    let checks = run["run"]["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["id"] == id);
    found.unwrap_or_else(|| panic!("no check {id} in {checks:?}"))
}

/// What every load by several generators must show, at `rate` a second for three seconds.
fn must_be_whole(checkout: &Checkout, rate: f64, names: &[&str]) {
    let run = newest(checkout);
    let audit = &run["run"]["audit"];
    assert_eq!(audit["acknowledged"], audit["stored"], "{audit}");
    assert_eq!(check(&run, "audit")["status"], "ok");
    let performance = &run["performance"];
    let reached = performance["throughput_per_sec"].as_f64().unwrap();
    assert!((reached / rate - 1.0).abs() < 0.02, "{reached} of {rate}/s");
    assert!(
        performance["latency"]["p99"].as_f64().is_some(),
        "{performance}"
    );
    let each = run["run"]["scenario_stats"]["generators"]
        .as_array()
        .unwrap();
    let named: Vec<_> = each
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(named, names);
    let together: f64 = each
        .iter()
        .map(|one| one["per_second"].as_f64().unwrap())
        .sum();
    assert!(
        (together / reached - 1.0).abs() < 0.01,
        "{together} of {reached}"
    );
    for one in each {
        assert!(one["cpu_share"].as_f64() > Some(0.0), "{one}");
    }
    assert_eq!(
        check(&run, "generator_missed")["context"]["generators"],
        names.len()
    );
    let skew = check(&run, "clock_skew");
    assert!(skew["value"].as_f64() < Some(100.0), "{skew}");
    let page = fs::read_to_string(checkout.reports().last().unwrap()).unwrap();
    assert!(
        page.contains("Several generators"),
        "the report has no table of them"
    );
}

#[test]
fn two_generators_make_one_load_and_no_identity_is_two() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let file = "[[generator]]\nname = \"one\"\n\n[[generator]]\nname = \"three\"\nshare = 3\n";
    for target in ["producer-rest", "producer-grpc"] {
        let (status, said) = session(&checkout, target, file, "400");
        assert_eq!(status, Some(0), "{said}");
        // Events of two workers with one id would be one row: the audit finds each event once.
        must_be_whole(&checkout, 400.0, &["one", "three"]);
        let run = newest(&checkout);
        let each = &run["run"]["scenario_stats"]["generators"];
        let rate = |number: usize| each[number]["per_second"].as_f64().unwrap();
        assert!((rate(1) / rate(0) - 3.0).abs() < 0.1, "{each}");
    }
    let reports = checkout.reports();
    let report = fs::read_to_string(reports[0].with_extension("md")).unwrap();
    assert!(report.contains("lab.generators"), "{report}");
    assert!(checkout.databases_stopped() && checkout.processes().is_empty());
}

#[test]
fn a_generator_that_dies_ends_the_trial_and_is_named() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    // Everything before the measurement works; the load is killed two seconds after it began.
    let script = checkout.path("frail.sh");
    let lines = "#!/bin/sh\ncase \"$*\" in *--steps=*) exec timeout -s KILL 2 \"$@\" ;; *) exec \"$@\" ;; esac\n";
    program(&script, lines);
    let file = format!(
        "[[generator]]\nname = \"steady\"\n\n[[generator]]\nname = \"frail\"\nprefix = [\"{}\"]\n",
        script.display()
    );
    let (status, said) = session(&checkout, "null-rest", &file, "200");
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("generator frail failed"), "{said}");
    assert_eq!(generators_left(), Vec::<String>::new());
}

#[test]
fn a_clock_that_is_off_and_a_build_of_another_version_are_refused() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let ahead = checkout.path("ahead.sh");
    let lines = "#!/bin/bash\ncase \"$*\" in\n*clock) while read -r line; do echo $(( $(date +%s%N) / 1000 + 2000000 )); done ;;\n\
                 *) exec \"$@\" ;;\nesac\n";
    program(&ahead, lines);
    let of = |script: &Path| {
        format!(
            "[[generator]]\nname = \"right\"\n\n[[generator]]\nname = \"wrong\"\nprefix = [\"{}\"]\n",
            script.display()
        )
    };
    let (status, said) = session(&checkout, "null-rest", &of(&ahead), "200");
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("the clock of generator wrong may be off by 20") && said.contains("NTP"),
        "{said}"
    );
    // A clock that is off by less than the file allows moves its start, and nothing is lost.
    let allowed = format!("max_skew_ms = 5000\n{}", of(&ahead));
    let (status, said) = session(&checkout, "null-rest", &allowed, "200");
    assert_eq!(status, Some(0), "{said}");
    let run = newest(&checkout);
    let offset = check(&run, "clock_skew")["context"]["offset_ms"]
        .as_f64()
        .unwrap();
    assert!((offset - 2000.0).abs() < 50.0, "{offset} ms");
    let seconds = run["phases"][0]["duration_seconds"].as_f64().unwrap();
    assert!((seconds - 3.0).abs() < 0.2, "{seconds} s");

    let old = checkout.path("old.sh");
    program(
        &old,
        "#!/bin/sh\ncase \"$*\" in *--version) echo benchmark 0.0.1 ;; *) exec \"$@\" ;; esac\n",
    );
    let (status, said) = session(&checkout, "null-rest", &of(&old), "200");
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("generator wrong runs 'benchmark 0.0.1'"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_divided_is_a_usage_error() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    let file = checkout.path("generators.toml");
    let two = "[[generator]]\nname = \"a\"\n\n[[generator]]\nname = \"b\"\n";
    let refused = |content: &str, more: &[&str], named: &str| {
        fs::write(&file, content).unwrap();
        let arguments = [more, &["--generators", file.to_str().unwrap()]].concat();
        let (status, said) = checkout.run(&arguments);
        assert_eq!(status, 64, "{said}");
        assert!(said.contains(named), "{named} is missing in\n{said}");
    };
    refused(
        two,
        &["run", "smoke", "producer-rest"],
        "has no phases of a length",
    );
    refused(two, &["run", "full", "stream-sse"], "is a stream");
    refused(
        two,
        &["run", "compare", "producer-rest", "--driver", "k6"],
        "made by k6",
    );
    refused(
        two,
        &["run", "compare", "producer-rest", "--delay", "1ms"],
        "leave out --delay",
    );
    refused(
        two,
        &["run", "compare", "producer-rest", "--runtime", "docker"],
        "--generators work natively",
    );
    refused(
        "[[generator]]\nname = \"a\"\nshares = 2\n",
        &["run", "compare", "producer-rest"],
        "shares",
    );
}

/// Network namespaces that end with the test, each with a way to one address of this machine.
struct Namespaces {
    bridge: String,
    address: String,
    names: Vec<String>,
}

impl Namespaces {
    /// None, with a word, where this user may make none.
    fn new(count: u8) -> Option<Self> {
        let id = std::process::id() % 10_000;
        let bridge = format!("weir{id}b{count}");
        let network = format!("10.{}.{}", 200 + count, id % 250);
        let made = Self {
            address: format!("{network}.1"),
            names: (0..count).map(|n| format!("weir{id}n{count}{n}")).collect(),
            bridge,
        };
        match made.lay_out(&network) {
            Ok(()) => Some(made),
            Err(why) => {
                testkit::left_out(&format!("no network namespaces: {why}"));
                None
            }
        }
    }

    fn lay_out(&self, network: &str) -> Result<(), String> {
        let bridge = &self.bridge;
        ip(&format!("link add {bridge} type bridge"))?;
        ip(&format!("addr add {}/24 dev {bridge}", self.address))?;
        ip(&format!("link set {bridge} up"))?;
        for (number, name) in self.names.iter().enumerate() {
            let (near, far) = (format!("{bridge}v{number}"), format!("{bridge}w{number}"));
            ip(&format!("netns add {name}"))?;
            ip(&format!(
                "link add {near} type veth peer name {far} netns {name}"
            ))?;
            ip(&format!("link set {near} master {bridge} up"))?;
            let there = format!("-n {name}");
            ip(&format!(
                "{there} addr add {network}.{}/24 dev {far}",
                10 + number
            ))?;
            ip(&format!("{there} link set {far} up"))?;
            ip(&format!("{there} link set lo up"))?;
        }
        Ok(())
    }

    /// The file that names a generator in each.
    fn file(&self) -> String {
        let each = self.names.iter().map(|name| {
            format!(
                "\n[[generator]]\nname = \"{name}\"\nprefix = [\"ip\", \"netns\", \"exec\", \"{name}\"]\ntarget_host = \"{}\"\n",
                self.address
            )
        });
        format!(
            "listen = \"{}\"\n{}",
            self.address,
            each.collect::<String>()
        )
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // What was not made cannot be removed.
        for name in &self.names {
            ip(&format!("netns del {name}")).ok();
        }
        ip(&format!("link del {}", self.bridge)).ok();
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let words = arguments.split_whitespace();
    let output = Command::new("ip").args(words).output();
    let output = output.map_err(|error| format!("ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("ip {arguments}: {said}"))
}

#[test]
fn two_and_four_machines_measure_what_one_does() {
    let Some(checkout) = Checkout::new() else {
        return;
    };
    for count in [2, 4] {
        let Some(machines) = Namespaces::new(count) else {
            return;
        };
        let target = if count == 2 {
            "producer-rest"
        } else {
            "event-log-topics"
        };
        let (status, said) = session(&checkout, target, &machines.file(), "400");
        assert_eq!(status, Some(0), "{said}");
        let names: Vec<&str> = machines.names.iter().map(String::as_str).collect();
        must_be_whole(&checkout, 400.0, &names);
    }
}

/// The command lines of generators that still run.
fn generators_left() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines =
        processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines
        .filter(|line| line.contains("\0--stop-on-eof\0"))
        .collect()
}

/// A program that anybody may run.
fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
