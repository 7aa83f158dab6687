//! A target by its name: the few keys of `targets.toml` that matter here (docs/reference/targets.md has all).

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use load_engine::events::AttributeForm;
use load_engine::protocol::Protocol;
use load_engine::usage::{Usage, require};

/// The list of targets, in the repository.
const LIST: &str = "load-test/targets.toml";

/// The list that `weir` takes as well: that of `WEIR_ROOT`, else the nearest above the working directory, else above
/// the binary.
///
/// # Errors
/// When there is none; the message says where it was looked for.
pub fn list() -> anyhow::Result<PathBuf> {
    let root = std::env::var_os("WEIR_ROOT").filter(|root| !root.is_empty());
    if let Some(root) = root {
        let file = Path::new(&root).join(LIST);
        require(
            file.is_file(),
            format_args!(
                "WEIR_ROOT={} has no {LIST}: correct it, or give --targets",
                Path::new(&root).display()
            ),
        )?;
        return Ok(file);
    }
    let here = std::env::current_dir().context("the working directory cannot be read")?;
    let mut starts = vec![here];
    starts.extend(std::env::current_exe().ok());
    Ok(nearest(&starts)?)
}

/// The list in the first of these folders that has one, or else a folder above it that has.
fn nearest(starts: &[PathBuf]) -> Result<PathBuf, Usage> {
    let lists = starts.iter().flat_map(|start| start.ancestors());
    let found = lists.map(|dir| dir.join(LIST)).find(|file| file.is_file());
    found.ok_or_else(|| {
        let starts: Vec<_> = starts.iter().map(|it| it.display().to_string()).collect();
        Usage::new(format_args!(
            "no {LIST} is found above {}: give --targets, or --url instead of --target",
            starts.join(" or ")
        ))
    })
}

/// An entry of `targets.toml`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Target {
    /// The name that it is asked for by.
    pub name: String,
    /// `ingest` and so on.
    pub scenario: String,
    /// `rest`, `grpc`.
    pub protocol: String,
    port: Option<u16>,
    url: Option<String>,
    /// It serves over TLS.
    #[serde(default)]
    tls: bool,
    /// For the record.
    pub language: Option<String>,
    /// For the record.
    pub framework: Option<String>,
    rest: Option<Rest>,
    grpc: Option<Grpc>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Rest {
    path: Option<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Grpc {
    service: Option<String>,
    method: Option<String>,
    #[serde(default)]
    attributes: AttributeForm,
}

#[derive(Deserialize)]
struct Targets {
    target: Vec<Target>,
}

impl Target {
    /// Finds `name` in the file.
    ///
    /// # Errors
    /// When the file cannot be read or has no such target; the message lists those that it has.
    pub fn find(name: &str, file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            Usage::new(format_args!(
                "--targets {}: cannot read it: {error}",
                file.display()
            ))
        })?;
        let list: Targets =
            toml::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
        let names = list
            .target
            .iter()
            .map(|target| target.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let found = list.target.into_iter().find(|target| target.name == name);
        let none = || {
            Usage::new(format_args!(
                "--target {name}: {} has none of this name; there are: {names}",
                file.display()
            ))
        };
        Ok(found.ok_or_else(none)?)
    }

    /// What it speaks.
    ///
    /// # Errors
    /// When that is neither REST nor gRPC.
    pub fn protocol(&self) -> anyhow::Result<Protocol> {
        match self.protocol.as_str() {
            "rest" => Ok(Protocol::Rest),
            "grpc" => Ok(Protocol::Grpc),
            other => anyhow::bail!("target {} speaks {other}; expected rest or grpc", self.name),
        }
    }

    /// The path of its calls, where the file names one: `/api/v1/events`, `/package.Service/Method`.
    pub fn path(&self) -> Option<String> {
        match self.protocol.as_str() {
            "grpc" => {
                let grpc = self.grpc.as_ref()?;
                Some(format!(
                    "/{}/{}",
                    grpc.service.as_ref()?,
                    grpc.method.as_ref()?
                ))
            }
            _ => self.rest.as_ref()?.path.clone(),
        }
    }

    /// How it takes an event's attributes over gRPC.
    pub fn attributes(&self) -> AttributeForm {
        self.grpc
            .as_ref()
            .map_or_else(AttributeForm::default, |grpc| grpc.attributes)
    }

    /// Where it is: its URL, or its port on this machine.
    ///
    /// # Errors
    /// When it has neither.
    pub fn url(&self) -> anyhow::Result<String> {
        match (&self.url, self.port) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(port)) => {
                let scheme = if self.tls { "https" } else { "http" };
                Ok(format!("{scheme}://127.0.0.1:{port}"))
            }
            (None, None) => anyhow::bail!("target {} has neither url nor port", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_list_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (outer, inner) = (folder.path().join("a"), folder.path().join("a/b/c"));
        let put = |dir: &Path| {
            std::fs::create_dir_all(dir.join("load-test")).unwrap();
            std::fs::write(dir.join(LIST), "").unwrap();
            dir.join(LIST)
        };
        let below = inner.join("d/e");
        let elsewhere = folder.path().join("elsewhere");
        let error = nearest(&[below.clone(), elsewhere.clone()]).unwrap_err();
        let (first, second) = (below.display(), elsewhere.display());
        let looked = format!("{first} or {second}");
        assert!(error.to_string().contains(&looked), "{error}");
        let far = put(&outer);
        assert_eq!(nearest(std::slice::from_ref(&below)), Ok(far.clone()));
        assert_eq!(nearest(&[elsewhere.clone(), below.clone()]), Ok(far));
        let near = put(&inner);
        let other = put(&elsewhere);
        assert_eq!(nearest(&[below, elsewhere.clone()]), Ok(near));
        assert_eq!(nearest(&[elsewhere]), Ok(other));
    }

    #[test]
    fn the_lab_s_own_list_is_understood() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../load-test/targets.toml");
        let target = Target::find("producer-grpc", &file).unwrap();
        assert_eq!(target.protocol().unwrap(), Protocol::Grpc);
        assert_eq!(target.url().unwrap(), "http://127.0.0.1:9090");
        let path = "/com.example.grpc.EventService/ProcessEvent";
        assert_eq!(target.path().as_deref(), Some(path));
        for name in ["balance-rest", "balance-grpc", "stream-sse", "stream-grpc"] {
            let target = Target::find(name, &file).unwrap();
            assert!(target.path().is_some() && target.url().is_ok(), "{name}");
        }
        let error = Target::find("nobody", &file).unwrap_err().to_string();
        assert!(error.contains("producer-rest"), "{error}");
    }
}
