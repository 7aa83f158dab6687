//! Process trees: what is measured, and when.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use metrics_db::{Probe, ResourceSample, Role, RunStatus, Sampling, phase_usage};
use nix::sys::resource::{UsageWho, getrusage};

use crate::{Lab, of, us_from_now};

/// Names in its environment how long [`burn`] shall burn.
const BURN_SECONDS: &str = "WEIR_TEST_BURN_SECONDS";

/// No test: the body of a process that burns exactly so much CPU by its own account, then ends.
#[test]
#[ignore = "run by other tests as a process of its own"]
fn burn() {
    let Ok(seconds) = std::env::var(BURN_SECONDS) else {
        return;
    };
    let seconds: f64 = seconds.parse().expect("a number");
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage");
        [usage.user_time(), usage.system_time()]
            .iter()
            .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
            .sum::<f64>()
    };
    while used() < seconds {
        std::hint::black_box((0..100_000_u64).sum::<u64>());
    }
}

/// A process, killed when dropped.
struct Burner(Child);

impl Burner {
    /// Burns in four children of the root, one after the other, which it reaps; then it stays.
    fn in_children(cpu_seconds: f64) -> Self {
        let script =
            "for n in 1 2 3 4; do \"$0\" native::burn --exact --ignored; done; exec sleep 60";
        Self::spawn(script, cpu_seconds / 4.0)
    }

    /// Burns in the root itself, which so ends.
    fn in_the_root(cpu_seconds: f64) -> Self {
        Self::spawn("exec \"$0\" native::burn --exact --ignored", cpu_seconds)
    }

    fn spawn(script: &str, cpu_seconds: f64) -> Self {
        let own = std::env::current_exe().expect("this binary");
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(own)
            .env(BURN_SECONDS, cpu_seconds.to_string())
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("sh"))
    }

    fn shell(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().expect("sh"))
    }

    fn probe(&self) -> Option<Probe> {
        Some(Probe::Process { pid: self.0.id() })
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn cpu(samples: &[ResourceSample], role: Role) -> f64 {
    of(samples, role)
        .last()
        .map_or(0.0, |sample| sample.cpu_seconds)
}

#[tokio::test]
async fn a_known_cpu_time_is_measured() {
    let lab = Lab::start(None).await;
    let (target, mut generator) = (Burner::in_children(1.0), Burner::in_the_root(1.0));
    let sampling = Sampling {
        target: target.probe(),
        generator: generator.probe(),
        measured_from_us: Some(us_from_now(Duration::ZERO)),
        boundaries_s: vec![0.0],
        interval_s: 0.25,
        ..Default::default()
    };
    let run = lab.run("burn", &sampling).await;
    // Reaped as soon as it ends: its counters are gone then.
    let ended = tokio::task::spawn_blocking(move || {
        drop(generator.0.wait());
        generator
    });
    let samples = lab
        .samples_until(run, |samples| {
            cpu(samples, Role::Target) > 0.9 && quiet(samples)
        })
        .await;
    ended.await.expect("ended");

    let in_children = cpu(&samples, Role::Target);
    assert!(
        (0.97..1.06).contains(&in_children),
        "living and reaped children: {in_children}"
    );
    // The last reading before the end may be up to 100 ms old.
    let in_the_root = cpu(&samples, Role::Generator);
    assert!(
        (0.7..1.05).contains(&in_the_root),
        "an ended root: {in_the_root}"
    );

    let target = of(&samples, Role::Target);
    let peak = target
        .iter()
        .filter_map(|sample| sample.cpu_percent)
        .fold(0.0, f64::max);
    assert!(
        (1.0..150.0).contains(&peak),
        "one loop is at most one core: {peak}"
    );
    assert!(target.iter().all(|sample| {
        sample
            .memory_used_mb
            .is_some_and(|mb| (0.05..50.0).contains(&mb))
    }));
    let last = of(&samples, Role::Generator);
    assert_eq!(
        last.last().and_then(|sample| sample.memory_used_mb),
        None,
        "ended: no memory"
    );
    lab.stop().await;
}

/// Whether target and generator have used nothing over the last two samples.
fn quiet(samples: &[ResourceSample]) -> bool {
    [Role::Target, Role::Generator].into_iter().all(|role| {
        let counters: Vec<f64> = of(samples, role).iter().map(|s| s.cpu_seconds).collect();
        matches!(counters[..], [.., a, b, c] if a == c && b == c)
    })
}

/// None of them on the grid of one second.
const BOUNDARIES_S: [f64; 4] = [0.0, 0.7, 1.3, 2.45];

#[tokio::test]
async fn boundaries_are_hit_and_phases_come_out_of_them() {
    let lab = Lab::start(None).await;
    let target = Burner::shell("while :; do :; done");
    // A machine that is busy otherwise (other tests, a compiler) may hold up the sidecar itself.
    let mut worst = f64::MAX;
    for attempt in 0..3 {
        worst = worst.min(farthest_boundary(&lab, &target, attempt).await);
        if worst < 0.05 {
            break;
        }
    }
    assert!(worst < 0.05, "a boundary was missed by {worst} s");
    lab.stop().await;
}

/// Samples one run over all boundaries; answers by how much the worst was missed, in seconds.
async fn farthest_boundary(lab: &Lab, target: &Burner, attempt: u32) -> f64 {
    let sampling = Sampling {
        target: target.probe(),
        measured_from_us: Some(us_from_now(Duration::from_millis(1_200))),
        boundaries_s: BOUNDARIES_S.to_vec(),
        ..Default::default()
    };
    let run = lab.run(&format!("boundaries {attempt}"), &sampling).await;
    assert!(
        lab.store
            .await_boundary(run, 3, Duration::from_secs(20))
            .await
            .expect("asked")
    );
    lab.store
        .finish_run(run, RunStatus::Completed, None, None)
        .await
        .expect("finished");
    let samples = lab.store.samples(run).await.expect("samples");

    let mut worst: f64 = 0.0;
    for role in [Role::Target, Role::Host] {
        for (k, due) in BOUNDARIES_S.iter().enumerate() {
            let hits: Vec<f64> = of(&samples, role)
                .iter()
                .filter(|sample| sample.boundary == i32::try_from(k).ok())
                .map(|sample| sample.elapsed_seconds)
                .collect();
            assert_eq!(hits.len(), 1, "{role} boundary {k}");
            worst = worst.max((hits[0] - due).abs());
        }
    }
    assert!(
        samples.iter().any(|sample| sample.elapsed_seconds < -0.1),
        "sampled before the start"
    );
    let usage = phase_usage(&samples, &BOUNDARIES_S);
    assert_eq!(usage.len(), 3);
    for phase in &usage {
        assert!(phase.target.exact || worst > 0.05, "{phase:?}");
        // Never over a core; far less where the machine is busy with something else.
        let share = phase.target.cpu_avg_percent.expect("sampled");
        assert!((1.0..130.0).contains(&share), "{phase:?}");
        assert!(phase.host.steal_seconds.is_some());
    }
    worst
}

#[tokio::test]
async fn a_start_set_later_places_the_samples_before_it() {
    let lab = Lab::start(None).await;
    let target = Burner::shell("exec sleep 60");
    let unknown = Sampling {
        target: target.probe(),
        boundaries_s: vec![0.0, 0.5],
        interval_s: 0.2,
        ..Default::default()
    };
    let run = lab.run("later", &unknown).await;
    // Time itself is tested: samples of the warm-up are taken now, and held until their place is known.
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert!(lab.store.samples(run).await.expect("samples").is_empty());
    let known = Sampling {
        measured_from_us: Some(us_from_now(Duration::from_millis(500))),
        ..unknown
    };
    lab.store.set_sampling(run, &known).await.expect("sampling");
    let samples = lab
        .samples_until(run, |samples| {
            samples.iter().any(|sample| sample.boundary == Some(1))
        })
        .await;
    assert!(
        samples
            .iter()
            .filter(|sample| sample.elapsed_seconds < -0.6)
            .count()
            >= 2,
        "{samples:#?}"
    );
    lab.stop().await;
}

#[tokio::test]
async fn the_end_of_a_run_brings_a_last_sample_and_the_csv() {
    let directory = tempfile::tempdir().expect("temporary directory");
    let lab = Lab::start(Some(directory.path().into())).await;
    let target = Burner::shell("exec sleep 60");
    let sampling = Sampling {
        target: target.probe(),
        database: Some(Probe::Process { pid: u32::MAX - 1 }),
        measured_from_us: Some(us_from_now(Duration::ZERO)),
        boundaries_s: vec![0.0],
        interval_s: 60.0,
        ..Default::default()
    };
    let run = lab.run("csv", &sampling).await;
    lab.samples_until(run, |samples| !samples.is_empty()).await;
    lab.store
        .finish_run(run, RunStatus::Completed, None, None)
        .await
        .expect("finished");
    let samples = lab
        .samples_until(run, |samples| of(samples, Role::Target).len() >= 2)
        .await;
    assert!(
        of(&samples, Role::Database).is_empty(),
        "a process that is not there has no samples"
    );
    lab.stop().await;

    let folder = directory.path().join("producer-rest");
    let files: Vec<_> = std::fs::read_dir(&folder)
        .expect("folder of the target")
        .map(|entry| entry.expect("entry").path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0]
        .file_name()
        .and_then(|name| name.to_str())
        .expect("name");
    assert!(
        name.starts_with("producer-rest-smoke-2") && name.ends_with("Z-metrics.csv"),
        "{name}"
    );
    let text = std::fs::read_to_string(&files[0]).expect("CSV");
    assert_eq!(text.lines().count(), samples.len() + 1);
}

#[tokio::test]
async fn two_runs_at_once_and_a_broken_one_beside() {
    let lab = Lab::start(None).await;
    let target = Burner::shell("exec sleep 60");
    let sampling = Sampling {
        target: target.probe(),
        measured_from_us: Some(us_from_now(Duration::ZERO)),
        interval_s: 0.2,
        ..Default::default()
    };
    let nowhere = Sampling {
        target: Some(Probe::Process { pid: u32::MAX - 1 }),
        ..sampling.clone()
    };
    let broken = lab.run("broken", &nowhere).await;
    let (one, two) = (
        lab.run("one", &sampling).await,
        lab.run("two", &sampling).await,
    );
    for run in [one, two] {
        lab.samples_until(run, |samples| of(samples, Role::Target).len() >= 2)
            .await;
    }
    // The host is sampled all the same.
    lab.samples_until(broken, |samples| of(samples, Role::Host).len() >= 2)
        .await;
    lab.store
        .delete_runs(&[one])
        .await
        .expect("deleted while it runs");
    let before = lab.store.samples(two).await.expect("samples").len();
    lab.samples_until(two, |samples| samples.len() > before + 4)
        .await;
    lab.stop().await;
}
