//! `cargo xtask check`: what can be judged without running the program.

use crate::Verdict;
use crate::args::Args;
use crate::process::run_ok;
use crate::tidy;
use crate::workspace::Workspace;

pub(crate) const HELP: &str = "\
Judge what can be judged without running the program: format, lint, and the rules of the house
(`xtask/src/tidy.rs` says which; `xtask/tidy.exceptions` lists the exceptions with their reasons).

Usage: cargo xtask check [OPTIONS]

Options:
  --only fmt|tidy|clippy   only one of them
";

/// Judges one thing.
type Check = fn(&Workspace) -> Verdict;

/// The quick ones first.
const CHECKS: [(&str, Check); 3] = [("fmt", fmt), ("tidy", tidy::run), ("clippy", clippy)];

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let only = args.choice("--only", &["fmt", "tidy", "clippy"])?;
    args.finish()?;
    // All of them, so that one run shows everything.
    let mut bad = Vec::new();
    for (name, check) in CHECKS {
        if only.as_deref().is_none_or(|only| only == name) && !check(workspace)? {
            bad.push(name);
        }
    }
    if bad.is_empty() {
        println!("check: good");
    } else {
        println!("check: not good: {}", bad.join(", "));
    }
    Ok(bad.is_empty())
}

fn fmt(workspace: &Workspace) -> Verdict {
    run_ok(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Verdict {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    run_ok(&mut cargo)
}
