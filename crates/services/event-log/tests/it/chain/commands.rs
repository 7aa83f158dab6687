//! The command line, on a directory and over the network.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use group_commit::Directory;
use hash_chain::{Log, WriteOptions};

use crate::support::{BINARY, Fixture, serve};

struct Ran {
    code: i32,
    output: String,
    errors: String,
}

impl Ran {
    fn lines(&self) -> Vec<serde_json::Value> {
        let lines = self.output.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn seqs(&self) -> Vec<u64> {
        assert_eq!(self.code, 0, "{}", self.errors);
        self.lines()
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect()
    }
}

/// Where commands work: `--dir D` or `--addr A`.
#[derive(Clone)]
struct Place([String; 2]);

impl Place {
    fn directory(path: &Path) -> Self {
        Self(["--dir".to_owned(), path.display().to_string()])
    }

    fn server(service: &testkit::process::Service) -> Self {
        Self(["--addr".to_owned(), service.grpc().to_string()])
    }

    fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut ran = Command::new(BINARY);
        ran.arg(command).args(&self.0).args(arguments);
        ran
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Ran {
        self.run_with(command, arguments, "")
    }

    fn run_with(&self, command: &str, arguments: &[&str], input: &str) -> Ran {
        let mut process = self
            .command(command, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        // Most commands do not read it.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let ran = process.wait_with_output().unwrap();
        Ran {
            code: ran.status.code().unwrap(),
            output: String::from_utf8(ran.stdout).unwrap(),
            errors: String::from_utf8(ran.stderr).unwrap(),
        }
    }
}

/// The same commands give the same on a directory and over the network.
fn all_commands(place: &Place) {
    for (n, data) in ["{\"b\":1,\"a\":[1e5]}", "-7", "\"é\""].iter().enumerate() {
        let ran = place.run("append", &["p q", data]);
        assert_eq!(ran.seqs(), [n as u64]);
        let answer = &ran.lines()[0];
        let keys: Vec<_> = answer.as_object().unwrap().keys().collect();
        assert_eq!(keys.len(), 3, "{answer}");
        assert!(answer["ts"].is_string() && answer["hash"].is_string());
    }
    let large = format!("[\"{}\"]", "x".repeat(1_000_000));
    assert_eq!(place.run_with("append", &["p q", "-"], &large).seqs(), [3]);
    place.run("append", &["r", "1"]);

    assert_eq!(place.run("list", &[]).output, "p q\nr\n");
    assert_eq!(place.run("read", &["p q"]).seqs(), [0, 1, 2, 3]);
    assert_eq!(
        place
            .run("read", &["p q", "--start", "1", "--limit", "2"])
            .seqs(),
        [1, 2]
    );
    assert_eq!(place.run("tail", &["p q"]).seqs(), [0, 1, 2, 3]);
    assert_eq!(place.run("tail", &["p q", "-n", "2"]).seqs(), [2, 3]);
    assert_eq!(place.run("tail", &["p q", "-n", "9"]).seqs(), [0, 1, 2, 3]);
    assert_eq!(place.run("tail", &["p q", "--start", "3"]).seqs(), [3]);
    assert_eq!(place.run("last", &["p q"]).seqs(), [3]);
    let verified = place.run("verify", &["p q"]);
    assert_eq!(verified.code, 0);
    assert_eq!(verified.lines()[0]["entriesVerified"], 4);
    assert_eq!(verified.lines()[0]["valid"], true);

    for (command, arguments, message) in [
        ("append", &["p q", "NaN"][..], "data is no JSON"),
        (
            "append",
            &["p_q", "1"],
            "would share the file p_q.jsonl with 'p q'",
        ),
        ("append", &["", "1"], "partition must not be empty"),
        ("read", &["zz"], "no such partition: 'zz'"),
        ("tail", &["zz", "--follow"], "no such partition: 'zz'"),
        ("tail", &["zz", "-n", "1"], "no such partition"),
        ("last", &["zz"], "no such partition"),
    ] {
        let ran = place.run(command, arguments);
        assert_eq!((ran.code, &*ran.output), (1, ""), "{command}");
        assert!(
            ran.errors.starts_with("error: ") && ran.errors.contains(message),
            "{}",
            ran.errors
        );
    }
    let verified = place.run("verify", &["zz"]);
    assert_eq!(
        (verified.code, &verified.lines()[0]["valid"]),
        (1, &false.into())
    );
    for wrong in [&["p"][..], &["p", "1", "2"], &["p", "1", "--start", "1"]] {
        assert_eq!(place.run("append", wrong).code, 2);
    }
    follow(place);
    // Lines are those of the file, whose names are ASCII.
    place.run("append", &["käse", "1"]);
    let line = place.run("read", &["käse"]).output;
    assert!(line.contains(r#""partition":"k\u00e4se""#), "{line}");
}

fn follow(place: &Place) {
    let mut process = place
        .command("tail", &["r", "-n", "1", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    for expected in 1..4_u64 {
        let line: serde_json::Value =
            serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(
            (&line["seq"], &line["data"]),
            (&(expected - 1).into(), &expected.into())
        );
        place.run("append", &["r", &(expected + 1).to_string()]);
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn commands_work_on_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    all_commands(&Place::directory(folder.path()));
    let ran = Place::directory(&folder.path().join("none")).run("list", &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.errors.contains("no such directory"), "{}", ran.errors);
}

#[test]
fn commands_work_over_the_network() {
    let fixture = Fixture::start();
    all_commands(&Place::server(&fixture.service));
    let nobody = Place(["--addr".to_owned(), "127.0.0.1:1".to_owned()]).run("list", &[]);
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.errors.contains("no connection to 127.0.0.1:1"),
        "{}",
        nobody.errors
    );
}

#[test]
fn files_are_read_beside_a_server_and_not_written() {
    let fixture = Fixture::start();
    let (server, directory) = (
        Place::server(&fixture.service),
        Place::directory(fixture.folder.path()),
    );
    server.run("append", &["p", "1"]);
    assert_eq!(
        directory.run("read", &["p"]).output,
        server.run("read", &["p"]).output
    );
    assert_eq!(
        directory.run("last", &["p"]).output,
        server.run("last", &["p"]).output
    );
    let refused = directory.run("append", &["p", "2"]);
    assert_eq!(refused.code, 1);
    let told = format!("is in use by process {}", fixture.service.pid());
    assert!(refused.errors.contains(&told), "{}", refused.errors);
}

#[test]
fn a_broken_chain_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::directory(folder.path());
    for n in 0..3 {
        place.run("append", &["p", &n.to_string()]);
    }
    let file = folder.path().join("p.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, whole.replace("\"data\":1", "\"data\":9")).unwrap();
    let told = |place: &Place| {
        let ran = place.run("verify", &["p"]);
        let answer = &ran.lines()[0];
        assert_eq!((ran.code, &answer["entriesVerified"]), (1, &1.into()));
        let error = answer["error"].as_str().unwrap();
        assert!(
            error.starts_with("line 2: hash is ") && error.contains(", expected "),
            "{error}"
        );
    };
    told(&place);
    let server = serve(folder.path(), &[]);
    told(&Place::server(&server));
    drop(server);
    // A torn line is told apart, and only an append cuts it.
    std::fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    let ran = place.run("verify", &["p"]);
    let error = ran.lines()[0]["error"].as_str().unwrap().to_owned();
    assert_eq!(
        (ran.code, &ran.lines()[0]["entriesVerified"]),
        (1, &2.into())
    );
    assert!(
        error.starts_with("line 3 is torn") && error.contains("the 2 entries before it are whole"),
        "{error}"
    );
    assert_eq!(
        std::fs::metadata(&file).unwrap().len() as usize,
        whole.len() - 10
    );
    let ran = place.run("append", &["p", "7"]);
    assert_eq!(ran.seqs(), [2]);
    assert!(
        ran.errors.contains("cut a torn last line"),
        "{}",
        ran.errors
    );
    assert_eq!(place.run("verify", &["p"]).code, 0);
}

/// Entries that only a journal has after the machine failed: commands that read say so, `append` brings them back.
#[test]
fn entries_in_the_journal_alone_are_told() {
    let (writing, failed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = Log::open(
        Directory::lock(writing.path()).unwrap(),
        WriteOptions::default(),
    );
    let data = format!("\"{}\"", "x".repeat(100_000));
    for _ in 0..20 {
        log.append_blocking("p", data.as_bytes()).unwrap();
    }
    let journal = std::fs::read(writing.path().join("p.journal")).unwrap();
    let settled = u64::from_le_bytes(journal[8..16].try_into().unwrap()) as usize;
    let mut file = std::fs::read(writing.path().join("p.jsonl")).unwrap();
    let missing = file.split_off(settled).len();
    std::fs::write(failed.path().join("p.journal"), journal).unwrap();
    std::fs::write(failed.path().join("p.jsonl"), file).unwrap();
    let place = Place::directory(failed.path());
    for command in ["verify", "read", "last"] {
        let ran = place.run(command, &["p"]);
        assert_eq!(ran.code, 0);
        for told in ["in the partition's journal alone", &missing.to_string()] {
            assert!(ran.errors.contains(told), "{command}: {}", ran.errors);
        }
    }
    let ran = place.run("append", &["p", "1"]);
    assert_eq!(ran.seqs(), [20]);
    assert!(
        ran.errors.contains("brought back from the journal"),
        "{}",
        ran.errors
    );
    let ran = place.run("verify", &["p"]);
    assert_eq!((ran.code, &*ran.errors), (0, ""));
}

/// `tail --follow p | head -1`: the command ends with its reader, without another entry.
#[test]
fn a_tail_ends_when_its_reader_is_gone() {
    let fixture = Fixture::start();
    let (directory, server) = (
        Place::directory(fixture.folder.path()),
        Place::server(&fixture.service),
    );
    server.run("append", &["p", "1"]);
    for place in [&directory, &server] {
        for read_one in [true, false] {
            let mut process = place
                .command("tail", &["p", "--follow", "-n", "1"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut output = BufReader::new(process.stdout.take().unwrap());
            if read_one {
                let mut line = String::new();
                output.read_line(&mut line).unwrap();
                assert!(line.starts_with("{\"seq\":0,"), "{line}");
            }
            drop(output);
            let ended = ended_within(&mut process, Duration::from_secs(20));
            let errors = std::io::read_to_string(process.stderr.take().unwrap()).unwrap();
            assert_eq!((ended, &*errors), (Some(0), ""), "{:?} {read_one}", place.0);
        }
    }
}

/// A closed pipe is no panic, on standard output and standard error alike.
#[test]
fn no_command_minds_that_nobody_reads_its_output() {
    let fixture = Fixture::start();
    let places = [
        Place::directory(fixture.folder.path()),
        Place::server(&fixture.service),
    ];
    places[1].run("append", &["p", "1"]);
    for place in &places {
        for (command, arguments, code) in [
            ("read", &["p"][..], 0),
            ("tail", &["p"], 0),
            ("verify", &["p"], 0),
            ("list", &[], 0),
            ("last", &["p"], 0),
            ("read", &["zz"], 1),
            ("append", &["p"], 2),
        ] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut process = place
                .command(command, arguments)
                .stdout(writer.try_clone().unwrap())
                .stderr(writer)
                .spawn()
                .unwrap();
            let ended = ended_within(&mut process, Duration::from_secs(20));
            assert_eq!(ended, Some(code), "{command} {arguments:?} {:?}", place.0);
        }
    }
}

/// The exit code, or `None` after a kill for being too late.
fn ended_within(process: &mut std::process::Child, patience: Duration) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < patience {
        if let Some(status) = process.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    None
}
