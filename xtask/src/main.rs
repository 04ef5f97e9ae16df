//! The project's chores: `cargo xtask up | test | check | bench | conformance`.
//!
//! Depends on nothing but the standard library, so that it is built within seconds on a fresh
//! machine. It installs what a chore needs, starts what a chore watches and stops all of it again.
//! It knows the program `awan` only from outside: its command line, `cloud.json` and its ports.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a chore talks to a person on the terminal and its trade is to run other programs"
)]

mod args;
mod bench;
mod check;
mod cloud;
mod conformance;
mod json;
mod lanes;
mod peer;
mod postgres;
mod process;
mod setup;
mod test;
mod tidy;
mod up;
mod workspace;

use std::process::ExitCode;

use args::Args;
use workspace::Workspace;

/// What went wrong, as a sentence for the person at the terminal.
type Result<T> = std::result::Result<T, String>;

/// Whether everything that the chore judges was found good.
type Verdict = Result<bool>;

const HELP: &str = "\
The project's chores. Each installs what it needs and is missing.

Usage: cargo xtask <COMMAND> [OPTIONS]

Commands:
  up      Build the cloud, start it and run its demonstration; it stays up
  test    Run everything that must pass: Rust, both databases, outside clients
  check   Format, lint and tidiness
  bench   Measure a release build beside a peer in the same run
  conformance
          Run a suite that others wrote, and compare with what passed before
  help    Show this text

`cargo xtask <COMMAND> --help` tells the options of a command.

Environment:
  AWAN_CACHE        where outside clients and peers are installed
                    [default: $XDG_CACHE_HOME/awan or ~/.cache/awan]
  CARGO_TARGET_DIR  where builds go [default: target/ of that folder]
  CI=true           what cannot be installed is a failure instead of a skip
";

fn main() -> ExitCode {
    match dispatch(Args::from_env()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(mut args: Args) -> Verdict {
    let command = args.word().unwrap_or_else(|| "help".to_owned());
    let (help, run): (&str, fn(&Workspace, Args) -> Verdict) = match command.as_str() {
        "up" => (up::HELP, up::run),
        "test" => (test::HELP, test::run),
        "check" => (check::HELP, check::run),
        "bench" => (bench::HELP, bench::run),
        "conformance" => (conformance::HELP, conformance::run),
        "help" | "--help" | "-h" => return show(HELP),
        other => return Err(format!("there is no command `{other}`; see `cargo xtask help`")),
    };
    if args.flag("--help") || args.flag("-h") {
        return show(help);
    }
    run(&Workspace::find()?, args)
}

fn show(text: &str) -> Verdict {
    print!("{text}");
    Ok(true)
}
