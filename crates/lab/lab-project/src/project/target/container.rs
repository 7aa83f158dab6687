//! Targets in containers: an image, or a service of a compose file, started by Docker's own command. The lab sees the command
//! as it sees any other, and samples the container.

use std::path::Path;

use super::reach::{PORT, Reach};
use crate::file;
use crate::place::Place;
use crate::problem::Problem;

/// `docker run` of an image. What an earlier session has left under the name is removed first.
const RUN: &str = "docker rm --force \"$0\" >/dev/null 2>&1; exec docker run \"$@\"";

pub(super) fn of_image(
    raw: &file::Target,
    image: &str,
    place: &Place<'_>,
    dir: &Path,
) -> Result<Reach, Problem> {
    let Some(inside) = raw.container_port else {
        return Err(place.problem(
            "image",
            "has no port",
            "name the port on which it listens inside: container_port = 8080",
        ));
    };
    if raw.port_env.is_some() {
        return Err(place.problem(
            "port_env",
            "belongs to a command",
            "an image listens on its container_port: set the variable in env",
        ));
    }
    let name = format!("weir-{}", raw.name);
    let mut words: Vec<String> = ["sh", "-c", RUN, &name, "--rm", "--init", "--name", &name]
        .map(Into::into)
        .into();
    words.extend(["--publish".into(), format!("127.0.0.1:{{port}}:{inside}")]);
    if let Some(limits) = &raw.limits {
        if let Some(cpus) = limits.cpus {
            if cpus <= 0.0 {
                return Err(place.problem(
                    "limits",
                    format!("has cpus = {cpus}"),
                    "write a number above 0",
                ));
            }
            words.extend(["--cpus".into(), cpus.to_string()]);
        }
        if let Some(memory) = &limits.memory {
            words.extend(["--memory".into(), memory.clone()]);
        }
    }
    let env = env(raw);
    // By name alone: a value in the arguments could be read by everybody on the machine.
    for name in env.keys() {
        words.extend(["--env".into(), name.clone()]);
    }
    words.push(image.into());
    words.extend(raw.args.iter().cloned());
    Ok(Reach::Command {
        words,
        build: Vec::new(),
        dir: dir.to_path_buf(),
        env,
        port: raw.port.unwrap_or(PORT),
        port_env: None,
        container: Some(name),
    })
}

pub(super) fn of_compose(
    raw: &file::Target,
    compose: &file::Compose,
    place: &Place<'_>,
    dir: &Path,
) -> Result<Reach, Problem> {
    let Some(port) = raw.port else {
        return Err(place.problem(
            "compose",
            "has no port",
            "name the port of this machine that the service publishes: port = 8080",
        ));
    };
    if raw.limits.is_some() {
        return Err(place.problem(
            "limits",
            "belongs to an image",
            "write the limits of a service into its compose file",
        ));
    }
    let project = format!("weir-{}", raw.name.to_lowercase().replace('.', "-"));
    let mut words: Vec<String> = ["docker", "compose", "--project-name", &project]
        .map(Into::into)
        .into();
    if let Some(file) = &compose.file {
        if !dir.join(file).is_file() {
            return Err(place.problem(
                "compose",
                format!("{file} is no file"),
                "name it relative to weir.toml",
            ));
        }
        words.extend(["--file".into(), file.clone()]);
    }
    words.extend(
        [
            "up",
            "--no-log-prefix",
            "--abort-on-container-exit",
            &compose.service,
        ]
        .map(Into::into),
    );
    Ok(Reach::Command {
        words,
        build: Vec::new(),
        dir: dir.to_path_buf(),
        env: env(raw),
        port,
        port_env: None,
        container: Some(format!("{project}-{}-1", compose.service)),
    })
}

fn env(raw: &file::Target) -> std::collections::BTreeMap<String, String> {
    let env = raw.env.iter();
    env.map(|(name, value)| (name.clone(), value.to_text()))
        .collect()
}
