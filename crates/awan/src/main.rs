//! The program: `awan serve` runs the cloud; every other verb is a client of it.

mod config;
mod databases;
mod doors;
mod engines;
mod lock;
mod nodes;
mod ready;
mod roles;
mod serve;
mod wiring;
mod witnesses;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A sovereign cloud that anyone can run, and that proves what it does.
#[derive(Parser)]
#[command(name = "awan", version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Awan {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  awan serve --data-dir ./cloud               run a cloud; its root key goes to ./cloud/root-key.json
  awan status --data-dir ./cloud              where it answers, and whether it is well
  awan demo pemilu --data-dir ./cloud         Indonesia's 2024 election data through both storage dialects
  awan oss ls oss:// --data-dir ./cloud       list buckets";

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, for as long as the program runs")]
enum Verb {
    /// Run the cloud
    Serve(serve::ServeArgs),
    /// Read the configuration and print what is in effect
    #[command(after_help = "Example:\n  awan check-config --config /etc/awan.toml")]
    CheckConfig(config::ConfigArgs),
    /// Install, list and remove the programs of database engines
    #[command(subcommand, after_help = engines::EXAMPLES)]
    Engine(engines::EngineCommand),
    /// Prepare nodes of databases on other machines
    #[command(subcommand, after_help = nodes::EXAMPLES)]
    Node(nodes::NodeCommand),
    #[command(flatten)]
    Client(cli::Command),
}

fn main() -> ExitCode {
    let result = match Awan::parse().verb {
        Verb::Serve(args) => serve::run(&args).map(|()| ExitCode::SUCCESS),
        Verb::CheckConfig(args) => check_config(&args),
        Verb::Engine(command) => engines::run(&command).map(|()| ExitCode::SUCCESS),
        Verb::Node(command) => nodes::run(&command).map(|()| ExitCode::SUCCESS),
        Verb::Client(command) => cli::run(command),
    };
    result.unwrap_or_else(|error| {
        cli::report(&error);
        ExitCode::FAILURE
    })
}

fn check_config(args: &config::ConfigArgs) -> anyhow::Result<ExitCode> {
    let config = config::Config::load(args)?;
    write!(std::io::stdout(), "{}", config.describe()?)?;
    Ok(ExitCode::SUCCESS)
}
