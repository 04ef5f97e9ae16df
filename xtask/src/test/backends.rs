//! Clouds whose bytes are in stores that others made: the scripts in `tests/backends` start such a store, put a
//! cloud on it, break both, and count what is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lanes::{Lanes, Runner};
use crate::postgres::Postgres;
use crate::workspace::{Scratch, Workspace, write};
use crate::{Result, setup};

/// The second store is built from source, in minutes, by the benchmarks; where they have not run, one is enough.
const S3S_FS: &str = "s3s-fs-0.14.1/bin/s3s-fs";

/// Runs the scripts on each store that is there.
pub(super) fn run(
    workspace: &Workspace,
    lanes: &mut Lanes,
    awan: &Path,
    python: &Result<PathBuf>,
    (postgres, filter): (Option<&Postgres>, &[String]),
) {
    let pins = workspace.root.join("tests/clients/requirements-peer.txt");
    let weed = python.clone().and_then(|_| setup::python(workspace, &pins));
    let weed = weed.map(|venv| venv.join("bin/weed"));
    let mut stores = vec![("SeaweedFS", "seaweedfs", weed)];
    let second = workspace.cache.join(S3S_FS);
    if second.is_file() {
        stores.push(("s3s-fs", "s3s-fs", Ok(second)));
    }
    for (name, kind, program) in stores {
        let mut run = |name: &str, database: Option<&Path>| {
            let store = (name, kind, program.clone());
            lane(workspace, lanes, store, awan, python, (database, filter));
        };
        run(name, None);
        let Some(server) = postgres else { continue };
        match database(server, kind) {
            Ok(scratch) => {
                run(&format!("{name} and PostgreSQL"), Some(&scratch.path().join(CONNINFO)));
            }
            Err(why) => lanes.add(&format!("storage backend, {name} and PostgreSQL"), || Err(why)),
        }
    }
}

/// The file with the connection string.
const CONNINFO: &str = "conninfo";

/// An empty database, and a folder with the file that says how to connect to it.
fn database(server: &Postgres, kind: &str) -> Result<Scratch> {
    let name = format!("awan_backends_{}", kind.replace('-', "_"));
    server.create_database(&name)?;
    let scratch = Scratch::new("backends")?;
    write(&scratch.path().join(CONNINFO), server.conninfo(&name))?;
    Ok(scratch)
}

fn lane(
    workspace: &Workspace,
    lanes: &mut Lanes,
    (name, kind, program): (&str, &str, Result<PathBuf>),
    awan: &Path,
    python: &Result<PathBuf>,
    (postgres, filter): (Option<&Path>, &[String]),
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
    command.envs(postgres.map(|conninfo| ("POSTGRES", conninfo)));
    lanes.run(&name, Runner::Pytest, command.current_dir(workspace.root.join("tests/backends")));
}
