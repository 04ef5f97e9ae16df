//! `cargo xtask bench log`: the public log by itself, without the program around it. What is measured
//! is `engine`'s own benchmark, because it looks into the log's files while they are written.

use crate::Verdict;
use crate::process as program;
use crate::workspace::Workspace;

/// Builds and runs the benchmark, which prints its own figures.
pub(super) fn run(workspace: &Workspace) -> Verdict {
    println!("\nLoad average at the start: {}\n", super::load_average());
    let mut cargo = workspace.cargo();
    cargo.args(["bench", "--locked", "--package", "engine", "--bench", "log"]);
    program::run(&mut cargo).map(|()| true)
}
