//! `weir judge` as its users run it: files in, verdicts out.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Status, standard output and standard error of `weir judge` over `csv` on standard input.
fn judge(csv: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["judge", "-"])
        .args(options)
        // It needs neither the repository nor a database.
        .current_dir(std::env::temp_dir())
        .env_remove("WEIR_ROOT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = csv.as_bytes().to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn comparisons(csv: &str, options: &[&str]) -> Vec<Value> {
    let options: Vec<&str> = options.iter().copied().chain(["--json"]).collect();
    let (status, out, err) = judge(csv, &options);
    assert_eq!(status, Some(0), "{err}");
    let document: Value = serde_json::from_str(&out).unwrap();
    document["comparisons"].as_array().unwrap().clone()
}

fn close(found: &Value, expected: f64) -> bool {
    found
        .as_f64()
        .is_some_and(|found| (found / expected - 1.0).abs() < 1e-12)
}

/// CPU of two targets in twelve rounds.
const A: [f64; 12] = [
    71.2, 70.8, 73.1, 69.9, 72.4, 71.0, 74.2, 70.1, 71.7, 72.9, 70.5, 71.9,
];
const B: [f64; 12] = [
    80.1, 82.3, 79.8, 81.5, 68.0, 82.9, 81.0, 80.7, 79.2, 83.3, 80.2, 69.9,
];

fn two_targets() -> String {
    let mut csv = "round,target,cpu\n".to_owned();
    for (round, (a, b)) in A.iter().zip(B).enumerate() {
        write!(csv, "{round},one,{a}\n{round},two,{b}\n").unwrap();
    }
    csv
}

#[test]
fn the_figures_are_those_of_scipy() {
    let found = comparisons(&two_targets(), &[]);
    assert_eq!(found.len(), 1);
    let row = &found[0];
    // d = np.log(a / b); wilcoxon(d, method="exact").pvalue; w = sorted Walsh averages; exp(median(w)), exp(w[13]), exp(w[64])
    assert!(close(&row["p"], 0.00244140625), "{row}");
    assert!(close(&row["ratio"], 0.8910639372768296), "{row}");
    assert!(close(&row["low"], 0.8682947154423298), "{row}");
    assert!(close(&row["high"], 0.9570431914806755), "{row}");
    assert!(close(&row["level"], 0.95), "{row}");
    assert_eq!(row["p"], row["p_holm"]);
    assert_eq!(row["outcome"], "different");
    assert_eq!((&row["a"], &row["b"]), (&"one".into(), &"two".into()));
    assert_eq!(
        (&row["rounds"], &row["payload"]),
        (&12.into(), &Value::Null)
    );
    let mut keys: Vec<&str> = row
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    let fixed = [
        "a", "b", "figure", "high", "level", "low", "outcome", "p", "p_holm", "payload", "ratio",
        "rounds",
    ];
    assert_eq!(keys, fixed);
}

#[test]
fn missing_and_invalid_figures_leave_their_round_out() {
    let csv = two_targets()
        .replace("3,one,69.9", "3,one,")
        .replace("5,two,82.9", "5,two,0");
    assert_eq!(comparisons(&csv, &[])[0]["rounds"], 10);
    let invalid: String = two_targets()
        .lines()
        .map(|line| match line {
            "round,target,cpu" => "round,target,cpu,valid\n".to_owned(),
            line if line.starts_with("7,one") => format!("{line},false\n"),
            line => format!("{line},true\n"),
        })
        .collect();
    assert_eq!(comparisons(&invalid, &[])[0]["rounds"], 11);
}

#[test]
fn a_target_that_is_disturbed_clearly_more_often_gets_no_verdict() {
    let csv: String = two_targets()
        .lines()
        .map(|line| match line {
            "round,target,cpu" => "round,target,cpu,valid\n".to_owned(),
            line if ["0,two", "2,two", "6,two", "8,two"]
                .iter()
                .any(|at| line.starts_with(at)) =>
            {
                format!("{line},false\n")
            }
            line => format!("{line},true\n"),
        })
        .collect();
    assert_eq!(comparisons(&csv, &[])[0]["outcome"], "open");
    let (_, text, _) = judge(&csv, &[]);
    assert!(
        text.contains("no verdict on one and two: trials of two were marked invalid"),
        "{text}"
    );
}

#[test]
fn few_rounds_are_open_and_say_what_is_missing() {
    let csv = "round,target,cpu\n1,a,1\n1,b,2\n2,a,1.1\n2,b,2.1\n3,a,1.2\n3,b,2\n";
    let row = &comparisons(csv, &[])[0];
    assert_eq!(row["outcome"], "open");
    assert_eq!(
        (&row["low"], &row["high"], &row["level"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(row["p"], 0.25);
    let (_, text, _) = judge(csv, &[]);
    assert!(text.contains("a verdict needs at least 6 rounds"), "{text}");
    let nothing = comparisons("round,target,cpu\n1,a,1\n2,b,2\n", &[]);
    assert_eq!(nothing[0]["rounds"], 0);
    assert_eq!(
        (&nothing[0]["p"], &nothing[0]["ratio"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        comparisons("round,target,cpu\n1,a,1\n2,a,2\n", &[]),
        [] as [Value; 0]
    );
}

/// Three targets, two payloads, two figures; `slow` takes 20 % more of both, `other` is as `base`.
fn three_targets() -> String {
    let mut csv = "payload,round,target,rate,p99\n".to_owned();
    for payload in ["default", "4k"] {
        for round in 0..14 {
            let drift = 1.0 + f64::from(round) / 50.0;
            let wobble = |n: i32| 1.0 + f64::from((round * 7 + n * 5) % 11 - 5) / 1000.0;
            for (place, (name, factor)) in [("base", 1.0), ("other", 1.0), ("slow", 1.2)]
                .into_iter()
                .enumerate()
            {
                let of = factor * drift * wobble(place as i32);
                writeln!(csv, "{payload},{round},{name},{},{}", 1000.0 / of, 5.0 * of).unwrap();
            }
        }
    }
    csv
}

#[test]
fn pairs_payloads_and_figures_are_corrected_together_unless_named_beforehand() {
    let all = comparisons(&three_targets(), &[]);
    assert_eq!(all.len(), 3 * 2 * 2);
    let smallest = all
        .iter()
        .map(|row| row["p"].as_f64().unwrap())
        .fold(1.0, f64::min);
    let first = all.iter().find(|row| row["p"] == smallest).unwrap();
    assert!(close(&first["p_holm"], smallest * 12.0), "{first}");

    let one = comparisons(
        &three_targets(),
        &["--reference", "base", "--primary", "p99"],
    );
    let decides: Vec<&Value> = one.iter().filter(|row| row["figure"] == "p99").collect();
    assert_eq!(decides.len(), 4, "two targets, two payloads");
    for row in &decides {
        assert_eq!(row["b"], "base");
        let different = row["a"] == "slow";
        assert_eq!(
            row["outcome"],
            if different { "different" } else { "equal" },
            "{row}"
        );
        assert!(row["p_holm"].as_f64().unwrap() >= row["p"].as_f64().unwrap());
    }
    let slow = decides.iter().find(|row| row["a"] == "slow").unwrap();
    assert!(
        close(&slow["p_holm"], slow["p"].as_f64().unwrap() * 4.0),
        "{slow}"
    );
}

#[test]
fn which_is_better_follows_the_figure() {
    let (_, text, _) = judge(
        &three_targets(),
        &["--higher-is-better", "rate", "--reference", "base"],
    );
    let better: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("is better"))
        .collect();
    assert_eq!(better.len(), 4, "{text}");
    assert!(
        better.iter().all(|line| line.contains("base is better")),
        "{text}"
    );
    let (_, wrong_way, _) = judge(&three_targets(), &["--reference", "base"]);
    assert!(
        wrong_way.contains("rate (default): slow is better"),
        "{wrong_way}"
    );
    assert!(text.contains("are equal within 3 %"), "{text}");
}

#[test]
fn a_look_has_its_own_level() {
    let once = &comparisons(&two_targets(), &[])[0];
    let looked = &comparisons(&two_targets(), &["--look", "3/7"])[0];
    assert_eq!(once["p"], looked["p"]);
    assert!(close(&looked["level"], 1.0 - 0.0138), "{looked}");
    assert!(looked["low"].as_f64() < once["low"].as_f64());
}

#[test]
fn sessions_are_judged_alone_and_carry_their_name() {
    let mut csv = "session,round,target,cpu\n".to_owned();
    for (session, factor) in [("quiet", 1.0), ("loud", 1.5)] {
        for (round, (a, b)) in A.iter().zip(B).enumerate() {
            write!(
                csv,
                "{session},{round},one,{}\n{session},{round},two,{b}\n",
                a * factor
            )
            .unwrap();
        }
    }
    let rows = comparisons(&csv, &[]);
    let alone = &comparisons(&two_targets(), &[])[0];
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["session"], &rows[1]["session"]),
        (&"quiet".into(), &"loud".into())
    );
    for key in ["ratio", "low", "high", "p", "p_holm", "outcome"] {
        assert_eq!(rows[0][key], alone[key], "{key}");
    }
    assert!(rows[1]["ratio"].as_f64() > Some(1.2));
}

#[test]
fn a_wrong_file_ends_with_2_and_names_line_and_column() {
    let (status, out, err) = judge("round,target,cpu\n1,a,2\n1,b,fast\n", &["--json"]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert!(
        err.contains("standard input: line 3, column \"cpu\": \"fast\" is not a number"),
        "{err}"
    );
    let missing = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["judge", "/nonexistent/figures.csv"])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn wrong_options_are_usage_errors() {
    for (options, expected) in [
        (
            &["--primary", "p99"][..],
            "the file has no figure \"p99\"; it has cpu",
        ),
        (&["--higher-is-better", "x"], "the file has no figure \"x\""),
        (
            &["--reference", "three"],
            "the file has no target \"three\"; it has one, two",
        ),
        (&["--margin", "3"], "must be a share"),
        (&["--look", "8/7"], "must be K/N"),
    ] {
        let (status, _, err) = judge(&two_targets(), options);
        assert_eq!(status, Some(64), "{options:?}: {err}");
        assert!(err.contains(expected), "{options:?}: {err}");
    }
}

#[test]
fn markdown_has_rows_as_wide_as_their_head() {
    let (status, text, _) = judge(&three_targets(), &["--markdown"]);
    assert_eq!(status, Some(0));
    let widths: Vec<usize> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.matches('|').count())
        .collect();
    assert_eq!(widths.len(), 2 + 12, "{text}");
    assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
}

#[test]
fn the_place_in_a_round_is_told_where_the_file_shows_the_order() {
    let mut csv = "round,target,cpu\n".to_owned();
    for (round, (a, b)) in A.iter().zip(B).enumerate() {
        // The second in a round takes 5 % more.
        if round % 2 == 0 {
            write!(csv, "{round},one,{a}\n{round},two,{}\n", b * 1.05).unwrap();
        } else {
            write!(csv, "{round},two,{b}\n{round},one,{}\n", a * 1.05).unwrap();
        }
    }
    let (_, text, _) = judge(&csv, &[]);
    assert!(
        text.contains("Second place in a round to the first, cpu: 1.0"),
        "{text}"
    );
    let (_, sorted, _) = judge(&two_targets(), &[]);
    assert!(!sorted.contains("Second place"), "{sorted}");
}
