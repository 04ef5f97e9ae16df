//! `cargo xtask bench keys`: start, listings and memory with very many keys. What is measured is `oss`'s own
//! benchmark, because it fills the tables itself.

use crate::args::Args;
use crate::process as program;
use crate::workspace::Workspace;
use crate::{Result, Verdict};

/// Builds and runs the benchmark, which prints its own figures.
pub(super) fn run(workspace: &Workspace, keys: &str) -> Verdict {
    println!("\nLoad average at the start: {}\n", super::load_average());
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--locked", "--package", "oss", "--bench", "keys"]);
    cargo.env("AWAN_BENCH_KEYS", keys);
    program::run(&mut cargo).map(|()| true)
}

/// How many keys are asked for.
pub(super) fn wanted(args: &mut Args) -> Result<String> {
    Ok(args.value("--keys")?.unwrap_or_else(|| "10000000".to_owned()))
}
