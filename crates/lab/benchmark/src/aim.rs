//! What a run aims at: scenario, protocol, address and path, from the options and the list of targets.

use lab_model::scenario::Scenario as Kind;
use lab_model::targets::Target;

use crate::args::{Interface, LoadArgs, Scenario};
use crate::target;
use load_engine::protocol::{Endpoint, Protocol};
use load_engine::usage::{Usage, require};
use load_engine::work::Work;

/// The target of a run.
#[derive(Clone, Debug)]
pub struct Aim {
    /// What is asked of it.
    pub scenario: Scenario,
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it is.
    pub endpoint: Endpoint,
    /// The path of the calls.
    pub path: String,
    /// Its entry in the list, if it was asked for by name.
    pub target: Option<Target>,
    /// In this process: protocol, endpoint and path mean nothing.
    pub direct: bool,
}

impl Aim {
    /// Puts the options together.
    ///
    /// # Errors
    /// For options that contradict each other or the list, and an address that is not found.
    pub fn take(args: &LoadArgs) -> anyhow::Result<Self> {
        let target = match &args.target {
            Some(name) => {
                let file = match &args.targets {
                    Some(file) => file.clone(),
                    None => target::list()?,
                };
                Some(target::find(name, &file)?)
            }
            None => None,
        };
        let scenario = scenario(args, target.as_ref())?;
        let direct = args.protocol == Some(Interface::Direct);
        require(
            !direct || (scenario.log().is_some() && target.is_none() && args.url.is_none()),
            "--protocol=direct is the event log in this process: it goes with scenarios append, tail, verify and \
             produce, and without --target and --url",
        )?;
        let protocol = protocol(args, scenario, target.as_ref())?;
        let url = match (&args.url, &target) {
            (Some(url), _) => url.clone(),
            (None, Some(target)) => target::url(target)?,
            (None, None) => format!("http://127.0.0.1:{}", port(scenario, protocol)),
        };
        let path = target.as_ref().and_then(Target::path);
        let path = args.path.clone().or(path);
        let mut path = path.unwrap_or_else(|| default_path(scenario, protocol).into());
        if scenario == Scenario::Ingest && args.batch.is_some() {
            path = Work::batch_path(&path, protocol);
        }
        Ok(Self {
            scenario,
            protocol,
            endpoint: Endpoint::of_client(&url, &args.client, protocol)?,
            path,
            target,
            direct,
        })
    }

    /// What it is reached by, as results have it.
    pub fn interface(&self) -> &'static str {
        match self.direct {
            true => "direct",
            false => self.protocol.as_str(),
        }
    }

    /// The target's name, or its address.
    pub fn name(&self) -> String {
        if self.direct {
            return "in-process".into();
        }
        match &self.target {
            Some(target) => target.name.clone(),
            None => self.endpoint.authority.clone(),
        }
    }
}

fn scenario(args: &LoadArgs, target: Option<&Target>) -> Result<Scenario, Usage> {
    let of_target = match target {
        // A log's target is asked for one of several things, which is chosen by --scenario.
        Some(target) if target.scenario == Kind::Log => {
            let asked = args.scenario.filter(|asked| asked.is_of_log());
            Some(asked.ok_or_else(|| {
                Usage::new(format_args!(
                    "--target {} is an event log: give --scenario append, tail, verify, produce or log",
                    target.name
                ))
            })?)
        }
        Some(target) => Some(Scenario::parse(target.scenario.as_str()).ok_or_else(|| {
            Usage::new(format_args!(
                "--target {} is for scenario {}, which this command does not know",
                target.name, target.scenario
            ))
        })?),
        None => None,
    };
    let of_workload = args.workload().map(|workload| workload.scenario());
    let scenario = args.scenario.or(of_workload).or(of_target);
    let scenario = scenario.unwrap_or_default();
    if let Some((target, its)) = target.zip(of_target) {
        let asked = match args.scenario {
            Some(_) => "--scenario",
            None => "--workload",
        };
        require(
            its == scenario,
            format_args!(
                "--target {} is for scenario {}, not {}: change it or {asked}",
                target.name,
                its.name(),
                scenario.name()
            ),
        )?;
    }
    if let Some((workload, its)) = args.workload().zip(of_workload) {
        require(
            its == scenario,
            format_args!(
                "--workload {} is of scenario {}, not {}: leave out --scenario",
                workload.name(),
                its.name(),
                scenario.name()
            ),
        )?;
    }
    Ok(scenario)
}

fn protocol(
    args: &LoadArgs,
    scenario: Scenario,
    target: Option<&Target>,
) -> Result<Protocol, Usage> {
    let asked = args.protocol.and_then(Interface::protocol);
    let Some(target) = target else {
        let is_log = scenario.is_of_log();
        require(
            scenario.log().is_none() || asked != Some(Protocol::Rest),
            format_args!(
                "scenario {} has no --protocol rest: it goes over grpc or direct",
                scenario.name()
            ),
        )?;
        let usual = if is_log {
            Protocol::Grpc
        } else {
            Protocol::Rest
        };
        return Ok(asked.unwrap_or(usual));
    };
    let protocol = target.protocol;
    require(
        asked.is_none_or(|asked| asked == protocol),
        format_args!(
            "--target {} speaks {}: leave out --protocol",
            target.name,
            protocol.as_str()
        ),
    )?;
    Ok(protocol)
}

/// The default port of the service that answers.
fn port(scenario: Scenario, protocol: Protocol) -> u16 {
    match (scenario, protocol) {
        (Scenario::Ingest, Protocol::Rest) => 8081,
        (Scenario::Ingest, Protocol::Grpc) => 9090,
        (Scenario::Balance, Protocol::Rest) => 8080,
        (Scenario::Balance, Protocol::Grpc) => 50051,
        (Scenario::Stream, Protocol::Rest) => 8082,
        (Scenario::Stream, Protocol::Grpc) => 50052,
        (Scenario::Log, Protocol::Rest) => 8083,
        _ => 50053,
    }
}

fn default_path(scenario: Scenario, protocol: Protocol) -> &'static str {
    match (scenario, protocol) {
        (Scenario::Stream, Protocol::Rest) => "/api/v1/transactions/stream",
        (Scenario::Stream, Protocol::Grpc) => "/benchmark.TransactionService/StreamTransactions",
        // Each request has its own.
        (Scenario::Own, _) => "/",
        (scenario, protocol) => Work::default_path(scenario.name(), protocol),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    fn aim(options: &[&str]) -> anyhow::Result<Aim> {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../load-test/targets.toml"
        );
        let line = ["benchmark", "--targets", file];
        let line = line.iter().chain(options);
        Aim::take(&Cli::try_parse_from(line)?.load)
    }

    #[test]
    fn names_ports_and_paths_go_together() {
        for (options, scenario, port, path) in [
            (vec![], Scenario::Ingest, 8081, "/api/v1/events"),
            (
                vec!["--scenario=balance", "--protocol=grpc"],
                Scenario::Balance,
                50051,
                "/benchmark.BalanceService/GetBalance",
            ),
            (
                vec!["--workload=low"],
                Scenario::Stream,
                8082,
                "/api/v1/transactions/stream",
            ),
            (
                vec!["--target=balance-rest"],
                Scenario::Balance,
                8080,
                "/api/v1/accounts/{id}/balance",
            ),
            (
                vec!["--target=stream-grpc", "--workload=burst"],
                Scenario::Stream,
                50052,
                "/benchmark.TransactionService/StreamTransactions",
            ),
        ] {
            let aim = aim(&options).unwrap();
            assert_eq!(aim.scenario, scenario, "{options:?}");
            assert_eq!(aim.endpoint.address.port(), port, "{options:?}");
            assert_eq!(aim.path, path, "{options:?}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for options in [
            ["--target=balance-rest", "--scenario=ingest"],
            ["--target=balance-rest", "--workload=low"],
            ["--target=balance-rest", "--protocol=grpc"],
            ["--scenario=stream", "--criteria"],
            ["--scenario=ingest", "--protocol=direct"],
            ["--scenario=append", "--protocol=rest"],
            ["--target=event-log-chain", "--protocol=grpc"],
        ] {
            assert!(aim(&options).is_err(), "{options:?}");
        }
    }
}
