//! The client verbs of `awan`. They know the cloud only through its public protocols: whatever they can
//! do, any client can.
//!
//! | module | owns |
//! |---|---|
//! | [`profile`] | where the cloud is and who asks |
//! | [`http`] | the one HTTP agent |
//! | [`api`] | a signed control-API call |
//! | [`object`] | object storage in both dialects, with checksums |
//! | [`call`] [`oss`] [`rds`] [`status`] [`usage`] [`audit`] [`configure`] | a verb each |
//! | [`agreement`] [`access`] | the agreement, and leave to read a tenant's data |
//! | [`bill`] | what things cost, and why |
//! | [`receipt`] [`verify`] | proofs from the public log, and checking them without trust |
//! | [`witness`] [`mirror`] | what anybody may run beside a log: cosigning it, copying it |
//! | [`demo`] | the demonstration on the 2024 election data |
//! | [`load`] | the load generator of the benchmarks |
//! | [`output`] [`progress`] [`error`] | what a person or a program reads |
//! | [`parallel`] | threads for the above |
//!
//! Deliberately absent: code per API action (`awan call` sends whatever it is given), an async runtime
//! (threads and blocking I/O are enough for a client; only the witness, which serves, has one), and any
//! power that a server's file gives.

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

pub mod access;
pub mod agreement;
pub mod api;
pub mod audit;
pub mod bill;
pub mod call;
pub mod configure;
pub mod demo;
pub mod error;
pub mod http;
pub mod load;
pub mod mirror;
pub mod object;
pub mod oss;
pub mod output;
pub mod parallel;
pub mod profile;
pub mod progress;
pub mod rds;
pub mod receipt;
pub mod status;
pub mod usage;
pub mod verify;
pub mod witness;

pub use error::report;

/// The client verbs, to be flattened into the program's own.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Call any API action: awan call PRODUCT Action --Name value …
    Call(call::CallArgs),
    /// Store, list and read objects
    Oss(oss::OssArgs),
    /// Make, reach, back up and restore databases
    Rds(rds::RdsArgs),
    /// Show what of a cloud on this machine runs
    Status(status::StatusArgs),
    /// Check the public transparency log without trusting its operator
    Verify(verify::VerifyArgs),
    /// Watch a log for everybody: cosign its checkpoints as long as it only grows
    Witness(witness::WitnessArgs),
    /// Keep a verified copy of a whole log and of the documents that it names
    Mirror(mirror::MirrorArgs),
    /// Get the proof that a request was recorded in the public log
    Receipt(receipt::ReceiptArgs),
    /// Make, read, sign and change the agreement between provider and tenant
    Agreement(agreement::AgreementArgs),
    /// Leave for the provider's people to read a tenant's data: ask, grant, end
    Access(access::AccessArgs),
    /// Show what the account's use costs, and why
    Bill(bill::BillArgs),
    /// Show what the account used
    Usage(usage::UsageArgs),
    /// Show what was done in the account, newest first
    Audit(audit::AuditArgs),
    /// Keep where a cloud is and who asks
    Configure(configure::ConfigureArgs),
    /// Show the cloud at work on real data
    Demo(demo::DemoArgs),
    /// Put load on a cloud and measure
    #[command(hide = true)]
    Load(load::LoadArgs),
}

/// Does what the verb says. The caller shows an error with [`report`].
///
/// # Errors
/// What went wrong, with advice where there is any. A reader of our output that went away is no error.
pub fn run(command: Command) -> Result<ExitCode> {
    let done = match command {
        Command::Call(args) => call::run(args).map(|()| ExitCode::SUCCESS),
        Command::Oss(args) => oss::run(&args),
        Command::Rds(args) => rds::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Status(args) => status::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Witness(args) => witness::run(&args),
        Command::Mirror(args) => mirror::run(&args),
        Command::Receipt(args) => receipt::run(&args),
        Command::Agreement(args) => agreement::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Access(args) => access::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Bill(args) => bill::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Usage(args) => usage::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Audit(args) => audit::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Configure(args) => configure::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Demo(args) => demo::run(&args),
        Command::Load(args) => load::run(&args).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Err(error) if is_closed_pipe(&error) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

/// `awan oss ls … | head` closes our output early, which is how it is meant to be used.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let from =
        |cause: &(dyn std::error::Error + 'static)| match cause.downcast_ref::<error::Error>() {
            Some(error::Error::Local { source, .. }) => Some(source.kind()),
            Some(_) => None,
            None => cause.downcast_ref::<io::Error>().map(io::Error::kind),
        };
    // The outermost cause that says anything decides: a broken connection to the cloud is an error.
    error
        .chain()
        .take_while(|cause| !matches!(cause.downcast_ref(), Some(error::Error::Transport { .. })))
        .find_map(from)
        == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "awan")]
    struct Program {
        #[command(subcommand)]
        _command: Command,
    }

    #[test]
    fn the_verbs_are_well_formed_and_each_has_an_example() {
        fn check(command: &clap::Command) {
            let subcommands: Vec<_> = command.get_subcommands().collect();
            if subcommands.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("Example"), "{} has no example", command.get_name());
            }
            subcommands.into_iter().for_each(check);
        }
        let command = Program::command();
        command.clone().debug_assert();
        check(&command);
    }

    #[test]
    fn flags_of_place_are_taken_after_every_verb() {
        for line in [
            "awan status --data-dir d",
            "awan oss ls oss://b --data-dir d",
            "awan oss --data-dir d ls",
            "awan demo pemilu --data-dir d",
            "awan verify --trail --data-dir d",
            "awan load put --data-dir d",
            "awan rds list --data-dir d",
        ] {
            Program::try_parse_from(line.split(' ')).unwrap();
        }
        assert!(Program::try_parse_from(["awan", "status", "--access-key-secret", "s"]).is_err());
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(is_closed_pipe(&anyhow::Error::from(pipe()).context("list")));
        assert!(is_closed_pipe(&error::Error::Local { context: "write", source: pipe() }.into()));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
        let source = Box::new(ureq::Error::Io(pipe()));
        assert!(!is_closed_pipe(&error::Error::Transport { url: String::new(), source }.into()));
    }
}
