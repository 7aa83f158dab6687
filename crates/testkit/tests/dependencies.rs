//! The direction of dependencies, held over `cargo metadata`.
//!
//! `domain <- api <- {ingest, services}`, `domain <- runtime <- every binary`, `ingest <- producers`,
//! `group-commit <- hash-chain, topics <- event-log, benchmark`; nobody links a service. The rules are a function over a small graph, so that each is also shown
//! to fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What measures, stores or shows results; nothing else may know the metrics database.
const LAB: &[&str] = &["benchmark", "stats-sidecar", "weir"];
/// Binaries: nobody's library.
const BINARIES: &[&str] = &[
    "balance",
    "benchmark",
    "event-log",
    "producer-grpc",
    "producer-rest",
    "stats-sidecar",
    "stream",
    "weir",
];
/// The store's libraries, and who may be built from them: the generator runs them in its own process, to show what the
/// network costs.
const LOG: &[(&str, &[&str])] = &[
    (
        "group-commit",
        &["benchmark", "event-log", "hash-chain", "topics"],
    ),
    ("hash-chain", &["benchmark", "event-log"]),
    ("topics", &["benchmark", "event-log"]),
];
/// Crates of faces, command lines and metrics, which the store's libraries do without.
const FACES: &[&str] = &["actix-web", "clap", "prometheus", "tonic"];
/// What starts programs of this machine.
const STARTERS: &[&str] = &["benchmark", "testkit", "weir"];
/// The faces of `ingest`.
const PRODUCERS: &[&str] = &["producer-grpc", "producer-rest"];
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
        ("wakeups", &[][..]),
        ("runtime", &["domain", "wakeups"][..]),
        ("group-commit", &["wakeups"][..]),
        ("hash-chain", &["domain", "group-commit"][..]),
        ("topics", &["domain", "group-commit"][..]),
        ("metrics-db", &["domain"][..]),
        ("ingest", &["api", "domain", "runtime"][..]),
        ("local-tools", &[][..]),
        ("testkit", &["local-tools"][..]),
    ] {
        for to in graph.built_from(layer) {
            if graph.members.contains(to) && !below.contains(&to) {
                found.push(format!("{layer} must not depend on {to}"));
            }
        }
    }
    for to in graph.built_from("domain") {
        if IO.contains(&to) || SQL.contains(&to) {
            found.push(format!("domain is pure and must not depend on {to}"));
        }
    }
    for to in graph.built_from("api") {
        if SQL.contains(&to) || to == "tokio" {
            found.push(format!("api only converts and must not depend on {to}"));
        }
    }
    for binary in BINARIES {
        for from in graph.built_into(binary) {
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
        if !PRODUCERS.contains(&from) {
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
    for from in graph.built_into("local-tools") {
        if !STARTERS.contains(&from) {
            found.push(format!("{from} must not depend on local-tools"));
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
        (
            "stream",
            "local-tools",
            "stream must not depend on local-tools",
        ),
        (
            "benchmark",
            "event-log",
            "benchmark must not depend on the binary event-log",
        ),
        ("stream", "topics", "stream must not depend on topics"),
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

/// The part of `deny.toml` that is held here.
struct Policy {
    licences: Vec<spdx::Licensee>,
    registries: Vec<String>,
    banned: Vec<String>,
}

impl Policy {
    fn read() -> Self {
        let file = read_toml(&root().join("deny.toml"));
        let list = |section: &str, key: &str| -> Vec<String> {
            let values = file[section][key].as_array().expect("a list");
            let text = |v: &toml::Value| v.get("name").unwrap_or(v).as_str().map(str::to_owned);
            values.iter().map(|v| text(v).expect("a name")).collect()
        };
        let licence = |l: &String| spdx::Licensee::parse(l).expect("a known licence");
        Self {
            licences: list("licenses", "allow").iter().map(licence).collect(),
            registries: list("sources", "allow-registry"),
            banned: list("bans", "deny"),
        }
    }

    /// Why a package is not acceptable.
    fn refusal(&self, name: &str, licence: Option<&str>, source: Option<&str>) -> Option<String> {
        let allowed = |text: &str| {
            spdx::Expression::parse_mode(text, spdx::ParseMode::LAX).is_ok_and(|expression| {
                expression.evaluate(|need| self.licences.iter().any(|l| l.satisfies(need)))
            })
        };
        let known = |source: &str| {
            self.registries
                .iter()
                .any(|r| source.strip_prefix("registry+") == Some(r.as_str()))
        };
        if !licence.is_some_and(allowed) {
            return Some(format!("{name}: licence {licence:?} is not allowed"));
        }
        if let Some(source) = source.filter(|s| !known(s)) {
            return Some(format!("{name}: source {source} is not allowed"));
        }
        let banned = self.banned.iter().any(|b| b == name);
        banned.then(|| format!("{name} is banned"))
    }
}

#[test]
fn packages_keep_to_the_policy_of_deny_toml() {
    let policy = Policy::read();
    let refusal = |p: &Package| {
        let source = p.source.as_ref().map(|s| s.repr.as_str());
        policy.refusal(p.name.as_str(), p.license.as_deref(), source)
    };
    let refused: Vec<String> = metadata().packages.iter().filter_map(refusal).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn the_policy_is_able_to_refuse() {
    let policy = Policy::read();
    let crates_io = Some("registry+https://github.com/rust-lang/crates.io-index");
    let elsewhere = Some("git+https://example.org/repository?rev=1#1");
    for (name, licence, source, accepted) in [
        ("good", Some("MIT OR Apache-2.0"), crates_io, true),
        ("old notation", Some("MIT/Apache-2.0"), crates_io, true),
        (
            "a choice",
            Some("MIT OR LGPL-2.1-or-later"),
            crates_io,
            true,
        ),
        ("no choice", Some("MIT AND GPL-3.0-only"), crates_io, false),
        ("no licence", None, crates_io, false),
        ("elsewhere", Some("MIT"), elsewhere, false),
        ("openssl", Some("Apache-2.0"), crates_io, false),
    ] {
        assert_eq!(
            policy.refusal(name, licence, source).is_none(),
            accepted,
            "{name}"
        );
    }
}
