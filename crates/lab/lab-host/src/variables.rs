//! Environment variables: what processes are given, and how that is recorded and repeated.

use std::collections::BTreeMap;

use serde_json::Value;

/// What stands for a value that nobody may read.
const HIDDEN: &str = "***";

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

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

/// A value as one word of a shell.
#[must_use]
pub fn quoted(value: &str) -> String {
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
