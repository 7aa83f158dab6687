//! The contract checks of balance and stream must find a broken target, in each protocol.

use std::process::Command;

use lab_contract::application_db::ApplicationDb;
use lab_contract::verify::verify;
use lab_model::targets::Targets;

use crate::broken::{Fault, grpc, rest, world};
use crate::checkout::repository;

async fn seeded() -> testkit::Database {
    let database = testkit::Database::fresh().await;
    let seed = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["seed", "--database-url", database.url()])
        .output()
        .unwrap();
    assert!(seed.status.success(), "{seed:?}");
    database
}

/// The cases that fail, without that of the health service, which the broken gRPC targets do not have.
async fn failed(name: &str, fault: Fault, database: &testkit::Database) -> Vec<&'static str> {
    let world = world(database, fault).await;
    let rest_target = name == "balance-rest" || name == "stream-sse";
    let endpoint = if rest_target {
        rest(world).await
    } else {
        grpc(world).await
    };
    let target = Targets::load(&repository())
        .unwrap()
        .get(name)
        .unwrap()
        .clone();
    let connection = ApplicationDb::connect(database.url()).await.unwrap();
    let findings = verify(&target, &endpoint, Some(&connection)).await.unwrap();
    let failed = findings.iter().filter(|finding| !finding.passed);
    let failed = failed.inspect(|finding| eprintln!("{name} {fault:?}: {finding:?}"));
    failed
        .map(|finding| finding.case)
        .filter(|case| rest_target || *case != "health answers")
        .collect()
}

#[tokio::test]
async fn a_broken_balance_fails_in_each_protocol() {
    let database = seeded().await;
    for name in ["balance-rest", "balance-grpc"] {
        for (fault, cases) in [
            (Fault::None, &[][..]),
            (
                Fault::Cached,
                &["an update that was committed before the request is in its answer"],
            ),
            (
                Fault::AcceptsAll,
                &[
                    "an unknown account is told apart",
                    "an id that is too long is refused",
                    "a batch comes in the order asked, without those that are not there",
                    "more than 1,000 ids are refused",
                ],
            ),
            (
                Fault::Loses,
                &[
                    "a batch comes in the order asked, without those that are not there",
                    "an account asked for twice is given twice",
                ],
            ),
            (
                Fault::Repeats,
                &["an account asked for twice is given twice"],
            ),
        ] {
            assert_eq!(
                failed(name, fault, &database).await,
                cases,
                "{name} {fault:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_broken_stream_fails_in_each_protocol() {
    let database = seeded().await;
    let whole = "a replay has every transaction since a time, in order, and ends at its limit";
    let account = "an account's stream has its transactions alone";
    for name in ["stream-sse", "stream-grpc"] {
        assert!(
            failed(name, Fault::None, &database).await.is_empty(),
            "{name}"
        );
        for fault in [Fault::Loses, Fault::Repeats] {
            let cases = failed(name, fault, &database).await;
            assert!(cases.contains(&whole), "{name} {fault:?}: {cases:?}");
        }
        let lenient = failed(name, Fault::AcceptsAll, &database).await;
        assert_eq!(
            lenient,
            [
                account,
                "a wrong time is refused",
                "a wrong rate is refused"
            ],
            "{name}"
        );
    }
}
