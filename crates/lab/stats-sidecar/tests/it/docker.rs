//! A container through a real engine; left out with the reason where none answers.

use std::time::{Duration, Instant};

use metrics_db::{Probe, Role, Sampling};
use stats_sidecar::probe::Counters;
use stats_sidecar::probe::cgroup::Cgroup;
use stats_sidecar::probe::docker::{Container, Engine};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::{Lab, of, us_from_now};

const MIB: i64 = 1024 * 1024;

/// A container of a small image that burns one CPU-second by its own account and then waits.
async fn burner() -> Option<ContainerAsync<GenericImage>> {
    let script = "perl -e 'do { $n++ for 1..10000; ($user, $system) = times } while $user + $system < 1'; \
                  exec sleep 120";
    let request = GenericImage::new("debian", "bookworm-slim")
        .with_cmd(["sh", "-c", script])
        .with_host_config_modifier(|host| host.memory = Some(256 * MIB));
    match request.start().await {
        Ok(container) => Some(container),
        Err(error) => {
            testkit::left_out(&format!("no container can be started: {error}"));
            None
        }
    }
}

#[tokio::test]
async fn a_known_cpu_time_in_a_container_is_measured() {
    let Some(container) = burner().await else {
        return;
    };
    let lab = Lab::start(None).await;
    let sampling = Sampling {
        target: Some(Probe::Container {
            name: container.id().into(),
        }),
        measured_from_us: Some(us_from_now(Duration::from_millis(700))),
        boundaries_s: vec![0.0, 1.3],
        ..Default::default()
    };
    let run = lab.run("container", &sampling).await;
    let used = |samples: &[metrics_db::ResourceSample]| {
        of(samples, Role::Target)
            .last()
            .map_or(0.0, |sample| sample.cpu_seconds)
    };
    let samples = lab
        .samples_until(run, |samples| {
            let boundary = of(samples, Role::Target)
                .iter()
                .any(|s| s.boundary == Some(1));
            boundary && used(samples) > 0.96
        })
        .await;
    let cpu = used(&samples);
    // The start of the shell and of its child comes on top.
    assert!((0.96..1.3).contains(&cpu), "{cpu}");
    let target = of(&samples, Role::Target);
    // Through the kernel's files, or an engine that reads at once, boundaries are exact. Old engines without those
    // files give what their collector has read within the last two seconds.
    let exact = Cgroup::of_container(container.id()).is_some();
    for (k, due) in [0.0, 1.3].into_iter().enumerate() {
        let hit = target
            .iter()
            .find(|s| s.boundary == i32::try_from(k).ok())
            .expect("boundary");
        let off = (hit.elapsed_seconds - due).abs();
        println!("boundary {k} missed by {off} s (kernel's files: {exact})");
        assert!(
            off < if exact { 0.2 } else { 2.0 },
            "boundary {k} missed by {off}"
        );
    }
    let last = target.last().expect("sampled");
    assert!(
        last.memory_used_mb
            .is_some_and(|mb| (0.02..50.0).contains(&mb)),
        "{last:?}"
    );
    assert!(
        last.memory_limit_mb
            .is_none_or(|mb| (mb - 256.0).abs() < 1.0),
        "{last:?}"
    );
    assert!(last.network_rx_bytes.is_some(), "{last:?}");
    lab.stop().await;
}

#[tokio::test]
async fn no_sample_waits_long_and_a_stopped_container_keeps_its_counters() {
    let Some(container) = burner().await else {
        return;
    };
    let engine = Engine::default();
    let mut probe = Container::new(container.id());
    let mut readings = Vec::new();
    let mut slowest = Duration::ZERO;
    while readings.len() < 4 {
        let begun = Instant::now();
        readings.extend(probe.read(&engine, None).await.expect("figures"));
        slowest = slowest.max(begun.elapsed());
        // The pace of a sampler, which the engine's own caching must keep up with.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("slowest reading: {slowest:?}");
    assert!(slowest < Duration::from_millis(1_000), "{slowest:?}");
    assert!(readings.is_sorted_by_key(|(at, _)| *at), "{readings:?}");
    assert!(
        readings.is_sorted_by(|(_, a), (_, b)| a.cpu_seconds <= b.cpu_seconds),
        "{readings:?}"
    );
    let (_, before) = readings[readings.len() - 1];
    assert!(before.cpu_seconds > 0.0);

    container.stop_with_timeout(Some(0)).await.expect("stopped");
    let after = last_of(&mut probe, &engine).await;
    assert!(after.cpu_seconds >= before.cpu_seconds, "{after:?}");
    container.rm().await.expect("removed");
    assert_eq!(
        last_of(&mut probe, &engine).await.cpu_seconds,
        after.cpu_seconds
    );

    let mut unknown = Container::new("no-such-container-of-this-name");
    let error = unknown.read(&engine, None).await.expect_err("never there");
    assert!(error.to_string().contains("no-such-container"), "{error}");
}

/// The counters once the container is seen to have ended.
async fn last_of(probe: &mut Container, engine: &Engine) -> Counters {
    let begun = Instant::now();
    loop {
        let readings = probe.read(engine, None).await.expect("the last figures");
        match readings.last() {
            Some((_, counters)) if counters.memory_used_mb.is_none() => return *counters,
            _ => assert!(
                begun.elapsed() < Duration::from_secs(20),
                "still running: {readings:?}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The API alone, as where the kernel's files cannot be seen, against those files.
#[tokio::test]
async fn the_api_and_the_kernels_files_agree() {
    let Some(container) = burner().await else {
        return;
    };
    let Some(group) = Cgroup::of_container(container.id()) else {
        testkit::left_out("the engine's cgroups are not to be seen from here");
        return;
    };
    let engine = Engine::default();
    let mut api = Container::through_the_api(container.id());
    let begun = Instant::now();
    loop {
        let before = group.read(None).expect("running").cpu_seconds;
        if before > 1.0 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "burns too slowly: {before}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // It waits from now on: both see the same once the engine has looked again.
    let begun = Instant::now();
    let (through_api, direct) = loop {
        let readings = api.read(&engine, None).await.expect("figures");
        let direct = group.read(None).expect("running");
        match readings.last() {
            Some((_, counters)) if (counters.cpu_seconds - direct.cpu_seconds).abs() < 0.02 => {
                break (*counters, direct);
            }
            _ => assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{readings:?} {direct:?}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(through_api.memory_limit_mb, direct.memory_limit_mb);
    let (a, b) = (through_api.memory_used_mb, direct.memory_used_mb);
    assert!(
        a.zip(b).is_none_or(|(a, b)| (a - b).abs() < 1.0),
        "{through_api:?} {direct:?}"
    );
}
