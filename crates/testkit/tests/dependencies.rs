//! The direction of dependencies, held over `cargo metadata`.
//!
//! `domain <- api <- {ingest, services}`, `domain <- runtime <- every binary`, `ingest <- producers`,
//! `group-commit <- hash-chain, topics <- event-log, load-log`; `kafka-client, topics <- topics-kafka <- event-log`;
//! `load-engine <- load-log, load-stream <- benchmark, ratios`; `load-engine <- campaign`;
//! `lab-host <- lab-bench <- weir`; nobody links a service or another program. The rules are a function over a small graph,
//! so that each is also shown to fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What measures, stores or shows results; nothing else may know the metrics database.
const LAB: &[&str] = &[
    "benchmark",
    "lab-bench",
    "lab-queries",
    "lab-report",
    "lab-trial",
    "lab-words",
    "stats-sidecar",
    "weir",
];
/// Binaries: nobody's library.
const BINARIES: &[&str] = &[
    "balance",
    "benchmark",
    "campaign",
    "event-log",
    "null-target",
    "producer-grpc",
    "producer-rest",
    "ratios",
    "sink",
    "stats-sidecar",
    "stream",
    "weir",
];
/// The store's libraries, and who may be built from them: the loads of the log run them in their own process, to show what
/// the network costs.
const LOG: &[(&str, &[&str])] = &[
    (
        "group-commit",
        &["event-log", "hash-chain", "load-log", "topics"],
    ),
    ("hash-chain", &["event-log", "load-log"]),
    ("topics", &["event-log", "load-log", "topics-kafka"]),
    ("topics-kafka", &["event-log"]),
];
/// Who may know the client of Kafka, so that another could take its place.
const KAFKA: &[&str] = &["events-kafka", "kafka-client", "sink", "topics-kafka"];
/// Crates of faces, command lines and metrics, which the store's libraries do without.
const FACES: &[&str] = &["actix-web", "clap", "prometheus", "tonic"];
/// The libraries of loads, and the programs that make loads with them.
const LOADS: &[&str] = &["load-engine", "load-log", "load-stream"];
const LOADERS: &[&str] = &["benchmark", "campaign", "ratios"];
/// What starts programs of this machine, or records which machine it is.
const STARTERS: &[&str] = &[
    "benchmark",
    "campaign",
    "lab-bench",
    "lab-queries",
    "ratios",
    "stats-sidecar",
    "testkit",
    "weir",
];
/// What plans, drives or shows a measurement.
const MODEL_READERS: &[&str] = &[
    "benchmark",
    "database-link",
    "lab-bench",
    "lab-contract",
    "lab-queries",
    "lab-report",
    "lab-trial",
    "lab-words",
    "load-engine",
    "load-stream",
    "ratios",
    "weir",
];
/// The faces of `ingest`.
const PRODUCERS: &[&str] = &["producer-grpc", "producer-rest"];
/// Who stores events with `ingest`.
const MERGERS: &[&str] = &["producer-grpc", "producer-rest", "sink"];
/// What computes and neither reads nor writes.
const PURE: &[&str] = &["domain", "lab-gate", "lab-verdict"];
/// Crates that speak SQL.
const SQL: &[&str] = &[
    "deadpool-postgres",
    "diesel",
    "postgres",
    "postgres-types",
    "refinery",
    "sqlx",
    "tokio-postgres",
];
/// Crates that do I/O or schedule it.
const IO: &[&str] = &[
    "actix-rt",
    "actix-web",
    "async-std",
    "futures-util",
    "hyper",
    "mio",
    "nix",
    "reqwest",
    "socket2",
    "tokio",
    "tonic",
];

/// One direct dependency of a workspace member.
#[derive(Clone, Debug)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
}

/// The direct dependencies of all members, external ones too.
#[derive(Clone, Debug)]
struct Graph {
    members: BTreeSet<String>,
    edges: Vec<Edge>,
}

impl Graph {
    fn of(metadata: &Metadata) -> Self {
        let packages = metadata.workspace_packages();
        let edges = |p: &&Package| {
            let from = p.name.to_string();
            let edge = move |d: &cargo_metadata::Dependency| Edge {
                from: from.clone(),
                to: d.name.clone(),
                kind: d.kind,
            };
            p.dependencies.iter().map(edge).collect::<Vec<_>>()
        };
        Self {
            members: packages.iter().map(|p| p.name.to_string()).collect(),
            edges: packages.iter().flat_map(edges).collect(),
        }
    }

    /// The dependencies that go into what is shipped: normal ones and those of build scripts.
    fn shipped(&self) -> impl Iterator<Item = &Edge> {
        self.edges
            .iter()
            .filter(|e| e.kind != DependencyKind::Development)
    }

    /// What a crate is built from.
    fn built_from(&self, from: &str) -> BTreeSet<&str> {
        self.shipped()
            .filter(|e| e.from == from)
            .map(|e| e.to.as_str())
            .collect()
    }

    /// Which members are built from a crate.
    fn built_into(&self, to: &str) -> BTreeSet<&str> {
        self.shipped()
            .filter(|e| e.to == to)
            .map(|e| e.from.as_str())
            .collect()
    }

    /// Every member below another.
    fn members_below(&self, top: &str) -> BTreeSet<&str> {
        let mut below = BTreeSet::new();
        let mut next = self.built_from(top);
        while let Some(at) = next.pop_first() {
            if self.members.contains(at) && below.insert(at) {
                next.extend(self.built_from(at));
            }
        }
        below
    }
}

/// What breaks the rules; empty when the graph keeps them.
fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();

    // The lower layers know what is below them and nothing beside or above.
    for (layer, below) in [
        ("domain", &[][..]),
        ("api", &["domain"][..]),
        ("database-link", &["lab-model"][..]),
        ("env-file", &[][..]),
        ("usage-error", &[][..]),
        ("wakeups", &[][..]),
        ("protect", &["domain"][..]),
        ("service-client", &["protect"][..]),
        (
            "runtime",
            &[
                "domain",
                "env-file",
                "protect",
                "service-client",
                "usage-error",
                "wakeups",
            ][..],
        ),
        ("group-commit", &["wakeups"][..]),
        ("hash-chain", &["domain", "group-commit"][..]),
        ("kafka-client", &[][..]),
        ("topics", &["domain", "group-commit"][..]),
        ("topics-kafka", &["domain", "kafka-client", "topics"][..]),
        ("metrics-db", &["domain"][..]),
        ("events-kafka", &["domain", "kafka-client"][..]),
        (
            "ingest",
            &["api", "domain", "events-kafka", "kafka-client", "runtime"][..],
        ),
        (
            "lab-bench",
            &[
                "lab-contract",
                "lab-host",
                "lab-model",
                "lab-output",
                "metrics-db",
            ][..],
        ),
        ("lab-output", &["lab-verdict"][..]),
        (
            "lab-trial",
            &["lab-contract", "lab-model", "lab-words", "metrics-db"][..],
        ),
        (
            "lab-queries",
            &[
                "lab-bench",
                "lab-gate",
                "lab-host",
                "lab-model",
                "lab-output",
                "lab-report",
                "lab-verdict",
                "lab-words",
                "metrics-db",
                "usage-error",
            ][..],
        ),
        (
            "campaign",
            &[
                "api",
                "database-link",
                "lab-host",
                "lab-verdict",
                "load-engine",
                "usage-error",
            ][..],
        ),
        (
            "lab-contract",
            &[
                "api",
                "database-link",
                "lab-model",
                "protect",
                "service-client",
            ][..],
        ),
        ("lab-model", &["lab-verdict"][..]),
        (
            "load-engine",
            &[
                "api",
                "lab-model",
                "lab-project",
                "lab-verdict",
                "protect",
                "service-client",
                "usage-error",
            ][..],
        ),
        ("lab-project", &["lab-verdict"][..]),
        (
            "load-log",
            &[
                "api",
                "group-commit",
                "hash-chain",
                "load-engine",
                "service-client",
                "topics",
            ][..],
        ),
        (
            "load-stream",
            &[
                "api",
                "database-link",
                "lab-model",
                "lab-verdict",
                "load-engine",
            ][..],
        ),
        ("lab-host", &["env-file"][..]),
        (
            "lab-report",
            &[
                "lab-gate",
                "lab-model",
                "lab-verdict",
                "lab-words",
                "metrics-db",
            ][..],
        ),
        ("lab-gate", &["lab-verdict"][..]),
        ("lab-verdict", &[][..]),
        ("lab-words", &["lab-model", "lab-verdict", "metrics-db"][..]),
        ("testkit", &["lab-host"][..]),
    ] {
        for to in graph.built_from(layer) {
            if graph.members.contains(to) && !below.contains(&to) {
                found.push(format!("{layer} must not depend on {to}"));
            }
        }
    }
    for pure in PURE {
        for to in graph.built_from(pure) {
            if IO.contains(&to) || SQL.contains(&to) {
                found.push(format!("{pure} is pure and must not depend on {to}"));
            }
        }
    }
    for to in graph.built_from("api") {
        if SQL.contains(&to) || to == "tokio" {
            found.push(format!("api only converts and must not depend on {to}"));
        }
    }
    for binary in BINARIES {
        // Beside a user's `weir.toml` weir is the one program that there is, and samples by itself.
        let alone = |from: &&str| *from == "weir" && *binary == "stats-sidecar";
        for from in graph
            .built_into(binary)
            .into_iter()
            .filter(|from| !alone(from))
        {
            found.push(format!("{from} must not depend on the binary {binary}"));
        }
    }
    // Not even through another crate.
    for member in &graph.members {
        let knows = graph.members_below(member).contains("metrics-db");
        if knows && !LAB.contains(&member.as_str()) {
            found.push(format!("{member} must not know metrics-db"));
        }
    }
    for from in graph.built_into("ingest") {
        if !MERGERS.contains(&from) {
            found.push(format!("{from} must not depend on ingest"));
        }
    }
    for producer in PRODUCERS {
        for to in graph.built_from(producer) {
            if SQL.contains(&to) {
                found.push(format!("{producer} is a face and must not depend on {to}"));
            }
        }
    }
    for (library, users) in LOG {
        for from in graph.built_into(library) {
            if !users.contains(&from) {
                found.push(format!("{from} must not depend on {library}"));
            }
        }
        for to in graph.built_from(library) {
            if FACES.contains(&to) {
                found.push(format!(
                    "{library} is a library of the store and must not depend on {to}"
                ));
            }
        }
    }
    for from in graph.built_into("krafka") {
        if !KAFKA.contains(&from) {
            found.push(format!("{from} must not depend on krafka"));
        }
    }
    for library in LOADS {
        for from in graph.built_into(library) {
            if !LOADERS.contains(&from) && !LOADS.contains(&from) {
                found.push(format!("{from} must not depend on {library}"));
            }
        }
    }
    for from in graph.built_into("lab-host") {
        if !STARTERS.contains(&from) {
            found.push(format!("{from} must not depend on lab-host"));
        }
    }
    for from in graph.built_into("lab-model") {
        if !MODEL_READERS.contains(&from) {
            found.push(format!("{from} must not depend on lab-model"));
        }
    }
    for from in graph.built_into("lab-bench") {
        if !["lab-queries", "weir"].contains(&from) {
            found.push(format!("{from} must not depend on lab-bench"));
        }
    }
    for from in graph.built_into("testkit") {
        found.push(format!("{from} may use testkit in dev-dependencies only"));
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml"));
    command.exec().expect("cargo metadata runs")
}

fn read_toml(path: &Path) -> toml::Table {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn dependencies_point_one_way() {
    let found = violations(&Graph::of(&metadata()));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_rule_is_able_to_fail() {
    let good = Graph::of(&metadata());
    let with = |from: &str, to: &str, kind| {
        let mut graph = good.clone();
        graph.edges.push(Edge {
            from: from.into(),
            to: to.into(),
            kind,
        });
        violations(&graph)
    };
    for (from, to, message) in [
        ("domain", "api", "domain must not depend on api"),
        (
            "domain",
            "tokio",
            "domain is pure and must not depend on tokio",
        ),
        ("api", "runtime", "api must not depend on runtime"),
        (
            "api",
            "refinery",
            "api only converts and must not depend on refinery",
        ),
        ("runtime", "ingest", "runtime must not depend on ingest"),
        (
            "runtime",
            "metrics-db",
            "producer-rest must not know metrics-db",
        ),
        ("weir", "ingest", "weir must not depend on ingest"),
        ("stream", "lab-host", "stream must not depend on lab-host"),
        (
            "lab-bench",
            "lab-report",
            "lab-bench must not depend on lab-report",
        ),
        (
            "benchmark",
            "lab-bench",
            "benchmark must not depend on lab-bench",
        ),
        (
            "lab-contract",
            "metrics-db",
            "lab-contract must not depend on metrics-db",
        ),
        (
            "lab-model",
            "metrics-db",
            "lab-model must not depend on metrics-db",
        ),
        (
            "balance",
            "lab-model",
            "balance must not depend on lab-model",
        ),
        (
            "benchmark",
            "event-log",
            "benchmark must not depend on the binary event-log",
        ),
        (
            "ratios",
            "benchmark",
            "ratios must not depend on the binary benchmark",
        ),
        (
            "load-engine",
            "load-log",
            "load-engine must not depend on load-log",
        ),
        (
            "load-log",
            "load-stream",
            "load-log must not depend on load-stream",
        ),
        (
            "load-stream",
            "load-log",
            "load-stream must not depend on load-log",
        ),
        (
            "load-stream",
            "metrics-db",
            "load-stream must not depend on metrics-db",
        ),
        ("weir", "load-engine", "weir must not depend on load-engine"),
        ("ratios", "metrics-db", "ratios must not know metrics-db"),
        ("stream", "topics", "stream must not depend on topics"),
        ("event-log", "krafka", "event-log must not depend on krafka"),
        (
            "topics",
            "hash-chain",
            "topics must not depend on hash-chain",
        ),
        (
            "group-commit",
            "runtime",
            "group-commit must not depend on runtime",
        ),
        (
            "hash-chain",
            "tonic",
            "hash-chain is a library of the store and must not depend on tonic",
        ),
        (
            "weir",
            "producer-rest",
            "weir must not depend on the binary producer-rest",
        ),
        (
            "producer-grpc",
            "sqlx",
            "producer-grpc is a face and must not depend on sqlx",
        ),
        (
            "ingest",
            "testkit",
            "ingest may use testkit in dev-dependencies only",
        ),
    ] {
        for kind in [DependencyKind::Normal, DependencyKind::Build] {
            let found = with(from, to, kind);
            assert!(
                found.iter().any(|v| v == message),
                "{from} -> {to} ({kind}): {found:?}"
            );
        }
    }
    let in_tests = with("ingest", "testkit", DependencyKind::Development);
    assert_eq!(in_tests, violations(&good), "tests may use testkit");
}

#[test]
fn a_crate_is_named_as_its_folder() {
    for package in metadata().workspace_packages() {
        let folder = package
            .manifest_path
            .parent()
            .expect("a manifest is in a folder");
        assert!(folder.ends_with(&*package.name), "{folder}");
    }
}

#[test]
fn versions_stand_in_the_root_manifest_alone() {
    for package in metadata().workspace_packages() {
        let manifest = read_toml(package.manifest_path.as_std_path());
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let listed = manifest.get(section).and_then(toml::Value::as_table);
            for (name, value) in listed.into_iter().flatten() {
                let own = value.is_str() || value.get("version").is_some();
                assert!(
                    !own,
                    "{}: {section}.{name} has a version of its own",
                    package.name
                );
            }
        }
    }
}

/// Whether a comment below `folder` holds an example in Rust.
fn has_examples(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    paths.any(|path| match path.is_dir() {
        true => has_examples(&path),
        false => {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let comments = text.lines().filter_map(|line| {
                let line = line.trim_start();
                line.strip_prefix("///").or(line.strip_prefix("//!"))
            });
            let fences = comments.filter_map(|comment| comment.trim().strip_prefix("```"));
            // Every other one ends a block.
            let mut languages = fences.step_by(2);
            let rust = [
                "",
                "rust",
                "no_run",
                "should_panic",
                "compile_fail",
                "ignore",
            ];
            languages.any(|language| rust.contains(&language.split(',').next().unwrap_or("")))
        }
    })
}

/// rustdoc takes a second for each crate that it is asked about, whether there are examples or not.
#[test]
fn examples_in_comments_are_tested_where_there_are_some() {
    for package in metadata().workspace_packages() {
        let Some(library) = package.targets.iter().find(|target| target.is_lib()) else {
            continue;
        };
        let folder = package.manifest_path.with_file_name("src");
        let has_some = has_examples(folder.as_std_path());
        assert_eq!(
            library.doctest, has_some,
            "{}: doctest = {has_some} belongs into [lib] of its Cargo.toml",
            package.name
        );
    }
}
