//! What a target of a user's own file is told: its arguments and variables, with the port and the secrets filled in.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab_host::port::{free_port, is_free};
use lab_model::targets::Native;
use tokio::process::Command;

/// What the lab has chosen for one start.
pub(super) struct Told<'a> {
    /// Free on this machine.
    pub(super) port: u16,
    /// The lab's own PostgreSQL.
    pub(super) database_url: &'a str,
}

/// A free port: the one of the file where it is free. A target of a user's own that nobody tells its port listens where it
/// always does.
///
/// # Errors
/// Somebody else listens there.
pub(super) fn port_of(wanted: Option<u16>, native: &Native) -> Result<u16> {
    let mut texts = native.args.iter().chain(native.env.values());
    let told = native.port_env.is_some() || texts.any(|text| text.contains("{port}"));
    match (wanted, &native.dir) {
        (Some(port), Some(_)) if !told => {
            ensure!(
                is_free(port),
                "port {port} is in use, and the target listens there alone: stop what has it, or write {{port}} into the command"
            );
            Ok(port)
        }
        (wanted, _) => free_port(wanted),
    }
}

impl Told<'_> {
    /// Sets arguments, variables and the working directory. The caller's home is its home, so that toolchains find what
    /// they have kept there.
    ///
    /// # Errors
    /// A variable of the environment that the file names is not set.
    pub(super) fn prepare(
        &self,
        command: &mut Command,
        native: &Native,
        dir: &Path,
        given: impl Fn(&str) -> Option<String>,
    ) -> Result<()> {
        for argument in &native.args {
            command.arg(self.filled(argument, &given)?);
        }
        for (name, value) in &native.env {
            let value = self.filled(value, &given);
            command.env(name, value.with_context(|| format!("env.{name}"))?);
        }
        if let Some(name) = &native.port_env {
            command.env(name, self.port.to_string());
        }
        if let Some(home) = given("HOME") {
            command.env("HOME", home);
        }
        command.current_dir(dir);
        Ok(())
    }

    /// The text with `{port}`, `{database_url}` and `{{env NAME}}` replaced by what they stand for.
    fn filled(&self, text: &str, given: impl Fn(&str) -> Option<String>) -> Result<String> {
        let mut rest = text;
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once("{{env ") {
            let (name, after) = after
                .split_once("}}")
                .with_context(|| format!("'{text}': write {{{{env NAME}}}}"))?;
            let name = name.trim();
            let value = given(name).with_context(|| {
                format!("the environment variable {name} is not set: export it before weir runs")
            })?;
            filled += &self.placed(before);
            filled += &value;
            rest = after;
        }
        Ok(filled + &self.placed(rest))
    }

    fn placed(&self, text: &str) -> String {
        text.replace("{port}", &self.port.to_string())
            .replace("{database_url}", self.database_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_nobody_tells_its_port_has_that_one_or_none() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let mut native = Native {
            binary: "a".into(),
            build: Vec::new(),
            args: Vec::new(),
            env: Default::default(),
            port_env: None,
            dir: Some(".".into()),
            container: None,
        };
        let error = port_of(Some(port), &native).unwrap_err().to_string();
        assert!(error.contains("is in use"), "{error}");
        native.args = vec!["--port={port}".into()];
        assert_ne!(port_of(Some(port), &native).unwrap(), port);
    }

    #[test]
    fn the_port_and_secrets_are_filled_in_at_the_start_alone() {
        let told = Told {
            port: 4711,
            database_url: "postgresql://x",
        };
        let given = |name: &str| (name == "TOKEN").then(|| "{port}s3cret".to_owned());
        let filled = |text: &str| told.filled(text, given);
        assert_eq!(
            filled("--addr=127.0.0.1:{port}").unwrap(),
            "--addr=127.0.0.1:4711"
        );
        // What a secret holds is not looked at again.
        assert_eq!(
            filled("{database_url}?t={{env TOKEN}}&p={port}").unwrap(),
            "postgresql://x?t={port}s3cret&p=4711"
        );
        let error = filled("{{env GONE}}").unwrap_err().to_string();
        assert!(error.contains("GONE is not set"), "{error}");
    }
}
