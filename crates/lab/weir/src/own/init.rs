//! `weir init`: a first `weir.toml`, out of a description, out of flags, or out of what the user answers.

use std::fs;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use lab_project::FILE;
use lab_project::init::{Draft, Request, grpc, openapi};
use lab_project::project::Project;
use lab_project::requests::{Proto, Protocol};

use crate::output;
use crate::usage::UsageError;

/// Write a first weir.toml, from an OpenAPI file, a proto file, or flags; on a terminal it asks for what is missing
#[derive(Args, Clone, Debug, Default)]
pub struct InitArgs {
    /// OpenAPI description, JSON or YAML: its operations become requests
    #[arg(long, value_name = "FILE", conflicts_with = "proto")]
    openapi: Option<PathBuf>,
    /// Proto file: its calls become requests
    #[arg(long, value_name = "FILE")]
    proto: Option<PathBuf>,
    /// Folder of the proto file's imports
    #[arg(long, value_name = "FOLDER", requires = "proto")]
    include: Vec<PathBuf>,
    /// What is measured: NAME=URL of what runs already, or NAME=COMMAND with {port} where the port stands
    #[arg(long, value_name = "NAME=REACH")]
    target: Vec<String>,
    /// How the targets are spoken to [default: rest, with --proto or --call grpc]
    #[arg(long, value_enum)]
    protocol: Option<ProtocolArg>,
    /// A path that answers when a target is ready, or tcp, or grpc (the standard health service)
    #[arg(long, value_name = "WHEN")]
    ready: Option<String>,
    /// A request over REST: a path, or METHOD and path, e.g. 'GET /items/{{integer 1 100}}'
    #[arg(long, value_name = "REQUEST")]
    request: Vec<String>,
    /// A call over gRPC: package.Service/Method, or with its message as JSON after a space
    #[arg(long, value_name = "CALL")]
    call: Vec<String>,
    /// Where the file is written
    #[arg(long, value_name = "FILE", default_value = FILE)]
    output: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

/// `--protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProtocolArg {
    /// HTTP
    Rest,
    /// gRPC
    Grpc,
}

/// Runs it.
///
/// # Errors
/// The description is wrong, something is missing and nobody can be asked, or the file is there already.
pub fn run(args: &InitArgs) -> Result<ExitCode> {
    let path = &args.output;
    if path.exists() && !args.force {
        let what = format!(
            "{} is there already: --force replaces it, --output names another file",
            path.display()
        );
        return Err(UsageError::plain(what).into());
    }
    let mut draft = described(args)?;
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    complete(&mut draft, args, asks.then_some(&mut Questions))?;
    let text = draft.text();
    // What is written must be readable: flags may hold anything.
    Project::parse(path, text.clone()).map_err(|problem| UsageError::plain(problem.to_string()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    output::line(&format!(
        "{} is written. Look at its targets and requests, then: weir check",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn described(args: &InitArgs) -> Result<Draft> {
    let wrong =
        |file: &Path, what: String| UsageError::plain(format!("{}: {what}", file.display()));
    if let Some(file) = &args.openapi {
        let text = fs::read_to_string(file).map_err(|error| wrong(file, error.to_string()))?;
        return Ok(openapi::draft(&text).map_err(|what| wrong(file, what))?);
    }
    let Some(file) = &args.proto else {
        return Ok(Draft::default());
    };
    // The project names the file relative to itself.
    let beside = args
        .output
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty());
    let from = std::path::absolute(beside.unwrap_or(Path::new(".")))?;
    let relative = |path: &Path| -> Result<String> {
        let full = std::path::absolute(path)?;
        let path = full.strip_prefix(&from).unwrap_or(&full);
        Ok(path.to_string_lossy().into_owned())
    };
    let folders = args.include.iter().map(|folder| relative(folder));
    let folders: Vec<String> = folders.collect::<Result<_>>()?;
    let named = if folders.is_empty() {
        relative(file)?
    } else {
        file.to_string_lossy().into_owned()
    };
    let proto = if folders.is_empty() {
        let folder = std::path::absolute(file)?.parent().map(Path::to_path_buf);
        Proto {
            file: file
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            include: vec![folder.unwrap_or_default().to_string_lossy().into_owned()],
        }
    } else {
        Proto {
            file: named.clone(),
            include: folders
                .iter()
                .map(|folder| from.join(folder).to_string_lossy().into_owned())
                .collect(),
        }
    };
    Ok(grpc::draft(&proto, &named, &folders).map_err(|what| wrong(file, what))?)
}

/// Adds what the flags say, and asks for what is missing.
fn complete(draft: &mut Draft, args: &InitArgs, mut asks: Option<&mut Questions>) -> Result<()> {
    let grpc = match args.protocol {
        Some(protocol) => protocol == ProtocolArg::Grpc,
        None => draft.protocol == Some(Protocol::Grpc) || !args.call.is_empty(),
    };
    draft.protocol = Some(if grpc { Protocol::Grpc } else { Protocol::Rest });
    for request in &args.request {
        draft.requests.push(rest_request(request));
    }
    for call in &args.call {
        draft.requests.push(grpc_request(call)?);
    }
    if !args.target.is_empty() {
        draft.targets = args
            .target
            .iter()
            .map(|one| target(one))
            .collect::<Result<_>>()?;
    } else if let Some(questions) = asks.as_deref_mut() {
        let usual = draft.targets.first().map(|(_, reach)| reach.clone());
        draft.targets = questions.targets(usual.as_deref())?;
    }
    if draft.targets.is_empty() {
        let what =
            "nothing is to be measured: give --target NAME=URL, or --target 'NAME=COMMAND {port}'";
        return Err(UsageError::plain(what).into());
    }
    if draft.requests.is_empty() {
        match asks {
            Some(questions) if grpc => draft.requests.push(grpc_request(
                &questions.ask("A call, package.Service/Method", "")?,
            )?),
            Some(questions) => draft
                .requests
                .push(rest_request(&questions.ask("A request", "GET /")?)),
            None => {
                let what = "nothing is asked: give --openapi FILE, --proto FILE, --request 'GET /path' or --call \
                            package.Service/Method";
                return Err(UsageError::plain(what).into());
            }
        }
    }
    draft.ready.clone_from(&args.ready);
    Ok(())
}

fn target(text: &str) -> Result<(String, String)> {
    let split = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty() && !name.contains(['/', ':', ' ']));
    let (name, reach) = split.ok_or_else(|| {
        UsageError::plain(format!(
            "--target '{text}': write NAME=URL, or NAME=COMMAND with {{port}} where the port stands"
        ))
    })?;
    Ok((name.to_owned(), reach.to_owned()))
}

fn rest_request(text: &str) -> Request {
    let (method, path) = match text.trim().split_once(' ') {
        Some((method, path)) if !method.starts_with('/') => (Some(method), path.trim()),
        _ => (None, text.trim()),
    };
    let mut keys = Vec::new();
    keys.extend(method.map(|method| ("method", method.to_uppercase().into())));
    keys.push(("path", path.into()));
    wanted(keys)
}

fn grpc_request(text: &str) -> Result<Request> {
    let (call, message) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let mut keys = vec![("call", call.into())];
    if !message.is_empty() {
        serde_json::from_str::<serde_json::Value>(message).map_err(|error| {
            UsageError::plain(format!("--call {call}: the message is no JSON: {error}"))
        })?;
        keys.push(("message", message.into()));
    }
    Ok(wanted(keys))
}

/// What a user names is sent, whatever it changes.
fn wanted(keys: Vec<(&'static str, toml::Value)>) -> Request {
    Request {
        about: String::new(),
        changes: false,
        keys,
    }
}

/// Asks on the terminal.
struct Questions;

impl Questions {
    fn ask(&mut self, question: &str, usual: &str) -> Result<String> {
        let hint = if usual.is_empty() {
            String::new()
        } else {
            format!(" [{usual}]")
        };
        let mut out = std::io::stdout().lock();
        write!(out, "{question}{hint}: ")?;
        out.flush()?;
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        let line = line.trim();
        Ok(if line.is_empty() {
            usual.to_owned()
        } else {
            line.to_owned()
        })
    }

    /// Two targets, or one.
    fn targets(&mut self, usual: Option<&str>) -> Result<Vec<(String, String)>> {
        let first = self.ask(
            "How is the first target reached: a URL, or a command with {port} where the port stands",
            usual.unwrap_or("http://127.0.0.1:8080"),
        )?;
        let second = self.ask("And the second, to compare it with (empty: none)", "")?;
        let mut all = vec![("first".to_owned(), first)];
        if !second.is_empty() {
            all.push(("second".to_owned(), second));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(args: InitArgs) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let args = InitArgs {
            output: path.clone(),
            ..args
        };
        run(&args)?;
        let again = run(&args).unwrap_err().to_string();
        assert!(again.contains("--force replaces it"), "{again}");
        Ok(fs::read_to_string(path)?)
    }

    #[test]
    fn flags_alone_make_a_file_that_is_valid() {
        let text = written(InitArgs {
            target: vec![
                "main=./shop --port {port}".into(),
                "other=http://127.0.0.1:9".into(),
            ],
            request: vec!["GET /items/{{integer 1 9}}".into(), "/health".into()],
            ready: Some("/health".into()),
            ..InitArgs::default()
        });
        let text = text.unwrap();
        for said in [
            "command = \"./shop --port {port}\"",
            "url = \"http://127.0.0.1:9\"",
            "method = \"GET\"\npath = \"/items/{{integer 1 9}}\"",
        ] {
            assert!(text.contains(said), "{said} is missing in\n{text}");
        }
        let text = written(InitArgs {
            target: vec!["a=http://127.0.0.1:9".into()],
            call: vec!["shop.v1.Shop/Get {\"id\": 1}".into()],
            ..InitArgs::default()
        });
        assert!(text.unwrap().contains("protocol = \"grpc\""));
    }

    #[test]
    fn what_is_missing_is_named_with_the_flag_that_gives_it() {
        let error = |args| written(args).unwrap_err().to_string();
        assert!(error(InitArgs::default()).contains("--target NAME=URL"));
        let target = vec!["a=http://127.0.0.1:9".to_owned()];
        let asked = InitArgs {
            target: target.clone(),
            ..InitArgs::default()
        };
        assert!(error(asked).contains("--openapi FILE"));
        let unnamed = InitArgs {
            target: vec!["http://127.0.0.1:9".into()],
            ..InitArgs::default()
        };
        assert!(error(unnamed).contains("write NAME=URL"));
        let wrong = InitArgs {
            target,
            request: vec!["items".into()],
            ..InitArgs::default()
        };
        assert!(error(wrong).contains("begin it with '/'"));
    }
}
