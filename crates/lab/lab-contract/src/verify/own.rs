//! When a target of a user's own file is ready: it accepts connections, or answers as the file says.

use anyhow::{Context, Result, ensure};
use http::Method;
use lab_model::endpoint::Endpoint;
use lab_model::targets::{Protocol, Target};
use tokio::net::TcpStream;

use super::wire::{self, LIMIT};
use crate::http::request;

/// An error where the target is not ready: over REST the path of `[target.rest] health` answers with less than 400; over gRPC
/// the standard health service is asked where `[target.grpc]` names it. Without either, a connection is enough.
pub(super) async fn ready(target: &Target, at: &Endpoint) -> Result<()> {
    match (target.protocol, &target.rest, &target.grpc) {
        (Protocol::Rest, Some(rest), _) => {
            let path = &rest.health;
            let (status, _) = request(at, Method::GET, path, None, LIMIT).await?;
            ensure!(status.as_u16() < 400, "GET {path} answered {status}");
        }
        (Protocol::Grpc, _, Some(_)) => wire::health(target, at).await?,
        _ => {
            let connecting = TcpStream::connect((at.host.as_str(), at.port));
            let connected = tokio::time::timeout(LIMIT, connecting).await;
            connected
                .context("no connection in time")?
                .with_context(|| format!("nobody accepts connections at {at}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use lab_model::scenario::Scenario;
    use lab_model::targets::Targets;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_listener_is_ready_where_the_file_asks_for_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("targets.toml");
        let text = "[[target]]\nname = \"a\"\nscenario = \"own\"\nprotocol = \"grpc\"\nscript = \"own-test.js\"\nurl = \"http://127.0.0.1:1\"\n";
        std::fs::write(&file, text).unwrap();
        let targets = Targets::read(&file).unwrap();
        let target = targets.get("a").unwrap();
        assert_eq!(target.scenario, Scenario::Own);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = Endpoint::local(listener.local_addr().unwrap().port());
        ready(target, &at).await.unwrap();
        drop(listener);
        let error = ready(target, &at).await.unwrap_err().to_string();
        assert!(error.contains("nobody accepts connections"), "{error}");
    }
}
