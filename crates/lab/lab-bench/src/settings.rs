//! The variables that services are told: what the lab chooses for a target, what the caller has set, and how both are
//! recorded.

use lab_host::variables::Variables;
use lab_model::targets::{AttributeForm, Target};

/// What the services take from the caller: natively they inherit it, in Docker the file passes it on. The list is that of
/// docker-compose.yml's `x-environment-*`, which a test holds it to.
const PASSED_ON: [&str; 44] = [
    "BODY_MIN_RATE",
    "BODY_TIMEOUT",
    "DATABASE_ACQUIRE_TIMEOUT",
    "DATABASE_POOL_SIZE",
    "EVENT_LOG_DURABILITY",
    "GROUP_REBALANCE_DELAY",
    "GRPC_KEEPALIVE_INTERVAL",
    "GRPC_KEEPALIVE_TIMEOUT",
    "GRPC_MAX_CONNECTION_AGE",
    "GRPC_MAX_CONNECTION_AGE_GRACE",
    "GRPC_MAX_CONNECTION_IDLE",
    "HEAD_TIMEOUT",
    "HEARTBEAT_INTERVAL",
    "IDLE_TIMEOUT",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOOK_INTERVAL",
    "MAX_BATCH_EVENTS",
    "MAX_BULK_BYTES",
    "MAX_CONNECTIONS",
    "MAX_EVENT_BYTES",
    "MAX_READ_ACCOUNTS",
    "MAX_STREAMS",
    "MAX_UNFINISHED_BYTES",
    "PEER_BYTES_PER_SECOND",
    "PEER_CONNECTIONS",
    "PEER_EVENTS_PER_SECOND",
    "PEER_STREAMS",
    "PERSISTED_COUNT_LOG_EVERY",
    "QUEUE_BYTES",
    "QUEUE_CAPACITY",
    "READERS",
    "READ_MODE",
    "REQUEST_TIMEOUT",
    "RING_EVENTS",
    "RUST_LOG",
    "SHUTDOWN_GRACE",
    "STALL_TIMEOUT",
    "TOPICS_OPEN_FILES",
    "TOPICS_RETENTION_INTERVAL",
    "TOPICS_SYNC_INTERVAL",
    "WORKER_THREADS",
    "WRITERS",
    "WRITE_MODE",
];

/// What k6's scripts take from the caller and the lab does not set itself.
const GENERATOR: [&str; 2] = ["STREAM_LIMIT", "WARMUP_ITERATIONS"];

/// The services' logs are files of the lab, whatever the caller would read.
const SET_NATIVELY: &str = "LOG_FORMAT";

/// What the lab sets for a target: its pool size, and of its own variables those that the caller has not set. `given`
/// answers what the caller has set.
pub(crate) fn chosen(target: &Target, given: impl Fn(&str) -> Option<String>) -> Variables {
    let native = target.native.iter();
    let mut all: Variables = native
        .flat_map(|native| native.env.clone())
        // What the caller has set on purpose goes before what the file proposes.
        .filter(|(name, _)| given(name).is_none())
        .collect();
    if let Some(size) = target.pool_size {
        all.insert("DATABASE_POOL_SIZE".into(), size.to_string());
    }
    all
}

/// What the caller has set of what the processes of `targets` and k6 inherit.
pub(crate) fn given_natively(
    targets: &[&Target],
    given: impl Fn(&str) -> Option<String>,
) -> Variables {
    let mut all = of_generator(&given);
    all.extend(given_to(targets, given));
    all
}

/// All that the process of a target is told, as far as the lab knows of it.
pub(crate) fn of_process(target: &Target, given: impl Fn(&str) -> Option<String>) -> Variables {
    let mut all = given_to(&[target], &given);
    all.extend(chosen(target, given));
    all
}

/// Notes what goes over the wire in another way than usual, for the fingerprint and the report.
pub(crate) fn note_wire(target: &Target, build: &mut serde_json::Value) {
    if target.tls {
        build["tls"] = true.into();
    }
    if let Some(batch) = target.batch {
        build["batch"] = batch.into();
    }
    let attributes = target.grpc.as_ref().map(|grpc| grpc.attributes);
    if let Some(other) = attributes.filter(|form| *form != AttributeForm::default()) {
        build["attributes"] = other.as_str().into();
    }
}

/// What the caller has set of what k6's scripts take.
pub(crate) fn of_generator(given: impl Fn(&str) -> Option<String>) -> Variables {
    values(GENERATOR, given)
}

/// What the caller has set of what the processes of `targets` inherit.
fn given_to(targets: &[&Target], given: impl Fn(&str) -> Option<String>) -> Variables {
    let own = targets
        .iter()
        .filter_map(|target| target.native.as_ref())
        .flat_map(|native| native.env.keys().map(String::as_str));
    let names = PASSED_ON.into_iter().chain(own);
    values(names.filter(|name| *name != SET_NATIVELY), given)
}

/// The variables of these names that are set.
fn values<'a>(
    names: impl IntoIterator<Item = &'a str>,
    given: impl Fn(&str) -> Option<String>,
) -> Variables {
    names
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), given(name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use lab_host::environment::fingerprint;
    use lab_host::variables::{recorded, to_shell};

    use super::*;
    use lab_model::targets::Targets;

    fn given(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        owned.collect()
    }

    fn root() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
    }

    #[test]
    fn the_list_is_that_of_the_compose_file() {
        let text = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
        let mut found = BTreeSet::new();
        let mut inside = false;
        for line in text.lines() {
            if !line.starts_with(' ') {
                inside = line.starts_with("x-environment-");
            }
            // A name without a value is passed on.
            let name = line.trim().strip_suffix(':');
            if let Some(name) = name.filter(|_| inside && line.starts_with(' ')) {
                found.insert(name);
            }
        }
        assert_eq!(found, BTreeSet::from(PASSED_ON));
    }

    #[test]
    fn what_the_caller_has_set_goes_before_what_a_target_proposes() {
        let targets = Targets::load(&root()).unwrap();
        let target = targets.get("producer-grpc").unwrap();
        let caller = given(&[
            ("WRITE_MODE", "single"),
            ("PERSISTED_COUNT_LOG_EVERY", "7"),
            ("DATABASE_POOL_SIZE", "99"),
            ("LOG_FORMAT", "json"),
            ("STREAM_LIMIT", "5"),
            ("EDITOR", "vi"),
        ]);
        assert_eq!(
            chosen(target, &caller),
            variables(&[("ADMIN_PORT", "0"), ("DATABASE_POOL_SIZE", "10")])
        );
        assert_eq!(
            of_process(target, &caller),
            variables(&[
                ("ADMIN_PORT", "0"),
                ("DATABASE_POOL_SIZE", "10"),
                ("PERSISTED_COUNT_LOG_EVERY", "7"),
                ("WRITE_MODE", "single"),
            ])
        );
        assert_eq!(of_generator(&caller), variables(&[("STREAM_LIMIT", "5")]));
        let before = given_natively(&[target], &caller);
        assert_eq!(
            to_shell(&before),
            "DATABASE_POOL_SIZE=99 PERSISTED_COUNT_LOG_EVERY=7 STREAM_LIMIT=5 WRITE_MODE=single "
        );
    }

    #[test]
    fn another_setting_is_another_fingerprint() {
        let targets = Targets::load(&root()).unwrap();
        let target = targets.get("producer-rest").unwrap();
        let print = |caller: &'static [(&str, &str)]| {
            fingerprint(&recorded(&of_process(target, given(caller))))
        };
        assert_eq!(print(&[]), print(&[("EDITOR", "vi")]));
        assert_ne!(print(&[]), print(&[("WRITERS", "4")]));
        assert_ne!(print(&[("WRITERS", "3")]), print(&[("WRITERS", "4")]));
        let mut changed = target.clone();
        let native = changed.native.as_mut().unwrap();
        native.env.insert("GOGC".into(), "200".into());
        assert_ne!(
            print(&[]),
            fingerprint(&recorded(&of_process(&changed, given(&[]))))
        );
    }
}
