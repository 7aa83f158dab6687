//! Environment variables: what processes are given, and how that is recorded and repeated.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// What stands for a value that nobody may read.
const HIDDEN: &str = "***";

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// What a child process sees of the caller's environment: where programs are, where temporary files go, and
/// the language. Everything else it is given by name. Proxies are not among them: a load must reach its target directly; nor library
/// paths, which `cargo run` changes: a target that needs one has it in its `env`.
pub const LET_THROUGH: [&str; 6] = ["LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "TZ"];

/// What is set of [`LET_THROUGH`], for the fingerprint of a session.
#[must_use]
pub fn let_through() -> Variables {
    let set = LET_THROUGH.into_iter();
    set.filter_map(|name| Some((name.to_owned(), inherited(name)?)))
        .collect()
}

/// Gives `command` a cleaned environment: what is set of [`LET_THROUGH`], and `home` as HOME, so that no settings file of
/// the caller's is found. Variables that the command is to be given are set after this.
pub fn clean(command: &mut Command, home: &Path) {
    command.env_clear().envs(let_through()).env("HOME", home);
}

/// A variable of this process.
#[must_use]
pub fn inherited(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Variables as the environment of a session holds them: without the database's address, which the lab gives and which
/// differs in each session, and without secrets.
#[must_use]
pub fn recorded(variables: &Variables) -> Value {
    let shown = variables
        .iter()
        .filter(|(name, _)| *name != "DATABASE_URL")
        .map(|(name, value)| {
            let value = if is_secret(name, value) {
                HIDDEN
            } else {
                value
            };
            (name.clone(), Value::from(value))
        });
    Value::Object(shown.collect())
}

/// Variables before a command line, for a shell; secrets are left out.
#[must_use]
pub fn to_shell(variables: &Variables) -> String {
    variables
        .iter()
        .filter(|(name, value)| !is_secret(name, value))
        .map(|(name, value)| format!("{name}={} ", quoted(value)))
        .collect()
}

/// True where a value is a secret by its variable's name, or holds a login.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words = [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "CREDENTIAL",
        "_KEY",
    ];
    // `user:password@host` of a URL, `password=` of PostgreSQL's other form.
    let login = value
        .split_once("://")
        .is_some_and(|(_, rest)| rest.contains('@'));
    name == "DATABASE_URL"
        || words.iter().any(|word| name.contains(word))
        || login
        || value.to_ascii_lowercase().contains("password")
}

fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:,@%=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_child_sees_nothing_of_the_caller_but_what_is_let_through() {
        let mut command = Command::new("env");
        // As if the caller had set them.
        command.envs([
            ("K6_NO_CONNECTION_REUSE", "true"),
            ("K6_ITERATIONS", "1"),
            ("TOPICS_SYNC_INTERVAL", "0s"),
            ("PGOPTIONS", "-c fsync=off"),
        ]);
        clean(&mut command, Path::new("/home-of-the-lab"));
        command.env("GIVEN", "1");
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut seen: Vec<&str> = text
            .lines()
            .filter_map(|l| Some(l.split_once('=')?.0))
            .collect();
        assert!(
            text.contains("HOME=/home-of-the-lab\n") && seen.contains(&"GIVEN"),
            "{text}"
        );
        seen.retain(|name| !LET_THROUGH.contains(name) && !["HOME", "GIVEN"].contains(name));
        assert!(seen.is_empty(), "{seen:?}");
        assert!(let_through().contains_key("PATH"));
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        owned.collect()
    }

    #[test]
    fn secrets_are_neither_recorded_nor_repeated() {
        let told = variables(&[
            (
                "DATABASE_URL",
                "postgresql://postgres:s3cret@db:5432/car_entities",
            ),
            ("API_TOKEN", "s3cret"),
            ("CACHE", "redis://me:s3cret@cache:6379"),
            ("DSN", "host=db password=s3cret"),
            ("PEER", "http://10.0.0.5:80"),
            ("GRPC_KEEPALIVE_TIMEOUT", "20s"),
        ]);
        assert_eq!(
            recorded(&told),
            json!({
                "API_TOKEN": "***",
                "CACHE": "***",
                "DSN": "***",
                "PEER": "http://10.0.0.5:80",
                "GRPC_KEEPALIVE_TIMEOUT": "20s",
            })
        );
        assert_eq!(
            to_shell(&told),
            "GRPC_KEEPALIVE_TIMEOUT=20s PEER=http://10.0.0.5:80 "
        );
    }

    #[test]
    fn values_are_quoted_for_a_shell() {
        let told = variables(&[("A", "info,tokio=warn"), ("B", "it's $HOME"), ("C", "")]);
        assert_eq!(
            to_shell(&told),
            r"A=info,tokio=warn B='it'\''s $HOME' C='' "
        );
    }
}
