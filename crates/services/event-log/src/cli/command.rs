//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use group_commit::Durability;
use protect::ClientArgs;

use crate::config::{Config, durability};

/// Topics with consumer groups and hash-chained partitions: a server, and a client for its chains and their files.
#[derive(Clone, Debug, Parser)]
#[command(name = "event-log", version)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Serve topics and chains over gRPC and REST
    Serve(Box<Config>),
    /// Exit with 0 if the service with these settings serves, with 1 if not
    Health(Box<Config>),
    /// What is done to a chain.
    #[command(flatten)]
    Chain(ChainCommand),
    /// Tokens of principals
    #[command(subcommand)]
    Token(TokenCommand),
}

/// Tokens of principals.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum TokenCommand {
    /// Print a new token, once, and the line token_sha256 for the principals file
    New,
}

/// What is done to a chain. Exit code 0; 1 where a chain is broken or something is refused; 2 for a wrong command line.
#[derive(Clone, Debug, Subcommand)]
pub enum ChainCommand {
    /// Append an entry; prints its seq, ts and hash
    Append {
        /// Where the chain is.
        #[command(flatten)]
        place: Place,
        /// When the append counts as done; a server has its own setting
        #[arg(long, value_parser = durability(), default_value = "synced", conflicts_with = "addr")]
        durability: Durability,
        /// The partition
        partition: String,
        /// JSON text; - reads it from standard input
        #[arg(allow_hyphen_values = true)]
        data: String,
    },
    /// Print entries, a line each as in the file
    Read {
        /// Where the chain is.
        #[command(flatten)]
        place: Place,
        /// The first entry to print
        #[arg(long, value_name = "SEQ")]
        start: Option<u64>,
        /// How many to print
        #[arg(long, value_name = "N")]
        limit: Option<u64>,
        /// The partition
        partition: String,
    },
    /// Print the last entries, or all; with --follow those to come
    Tail {
        /// Where the chain is.
        #[command(flatten)]
        place: Place,
        /// Print entries as they come, until it is interrupted; without -n and --start no others
        #[arg(long, short)]
        follow: bool,
        /// How many of the last entries to print
        #[arg(short = 'n', long = "lines", value_name = "N")]
        last: Option<u64>,
        /// The first entry to print
        #[arg(long, value_name = "SEQ", conflicts_with = "last")]
        start: Option<u64>,
        /// The partition
        partition: String,
    },
    /// Check every entry and link; prints what was found
    Verify {
        /// Where the chain is.
        #[command(flatten)]
        place: Place,
        /// What the chain is compared with.
        #[command(flatten)]
        anchored: Box<AnchoredBy>,
        /// The partition
        partition: String,
    },
    /// Print the names of all partitions
    List {
        /// Where the chains are.
        #[command(flatten)]
        place: Place,
    },
    /// Print the last entry
    Last {
        /// Where the chain is.
        #[command(flatten)]
        place: Place,
        /// The partition
        partition: String,
    },
}

/// The anchors that a chain in a directory is compared with. A server compares with those of its own setting.
#[derive(Args, Clone, Debug)]
pub struct AnchoredBy {
    /// Compare the files with the anchors in this Kafka topic too; needs a program built with --features kafka
    #[arg(long, value_name = "TOPIC", conflicts_with = "addr")]
    pub anchor_topic: Option<String>,

    /// Kafka, which has the topic.
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    pub kafka: kafka_client::KafkaConfig,
}

/// A directory, or a server and how it is reached.
#[derive(Args, Clone, Debug)]
pub struct Place {
    /// One of both.
    #[command(flatten)]
    pub at: DirectoryOrServer,
    /// TLS and the token, for a server.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// A directory or a server.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub struct DirectoryOrServer {
    /// Work on the files in this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Ask the server at this address (its gRPC port); https://HOST:PORT connects over TLS
    #[arg(long, value_name = "HOST:PORT")]
    pub addr: Option<String>,
}

impl ChainCommand {
    pub(super) fn place(&self) -> &Place {
        match self {
            Self::Append { place, .. }
            | Self::Read { place, .. }
            | Self::Tail { place, .. }
            | Self::Verify { place, .. }
            | Self::List { place }
            | Self::Last { place, .. } => place,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_the_flags_of_the_other_commands() {
        let flags = [
            "event-log",
            "serve",
            "--dir",
            "d",
            "--durability",
            "buffered",
        ];
        let parsed = Cli::try_parse_from(flags).expect("settings");
        let Command::Serve(config) = parsed.command else {
            panic!("another command");
        };
        assert_eq!(config.store.event_log_dir, std::path::Path::new("d"));
        assert_eq!(config.store.event_log_durability, Durability::Buffered);
    }

    #[test]
    fn a_directory_or_an_address_is_required() {
        for (arguments, is_right) in [
            (vec!["list", "--dir", "d"], true),
            (vec!["list", "--addr", "h:1"], true),
            (vec!["list"], false),
            (vec!["list", "--dir", "d", "--addr", "h:1"], false),
            (
                vec![
                    "list",
                    "--addr",
                    "https://h:1",
                    "--tls-ca",
                    "c",
                    "--token-file",
                    "t",
                ],
                true,
            ),
            (vec!["list", "--addr", "h:1", "--tls-cert", "c"], false),
            (vec!["append", "--dir", "d", "p", "-1"], true),
            (vec!["append", "--dir", "d", "p", "-"], true),
            (vec!["append", "--dir", "d", "p"], false),
            (vec!["tail", "--dir", "d", "-n", "3", "--follow", "p"], true),
            (
                vec!["tail", "--dir", "d", "-n", "3", "--start", "1", "p"],
                false,
            ),
        ] {
            let parsed = Cli::try_parse_from([vec!["event-log"], arguments.clone()].concat());
            assert_eq!(parsed.is_ok(), is_right, "{arguments:?}: {parsed:?}");
        }
    }
}
