//! s3s-fs, built from its crate into the cache folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{KEY_ID, KEY_SECRET, Kind, Peer};
use crate::Result;
use crate::process::run;
use crate::workspace::{Scratch, Workspace};

const VERSION: &str = "0.14.1";
const PORT: u16 = 21_534;
const PORT_SYNCED: u16 = 21_535;

pub(super) fn start(workspace: &Workspace, scratch: Scratch, data: &Path) -> Result<Peer> {
    launch(workspace, (Kind::S3sFs, PORT), scratch, data)
}

/// As [`start`], where each write is on the disk when it returns, which makes it as durable as others are.
pub(super) fn start_synced(workspace: &Workspace, scratch: Scratch, data: &Path) -> Result<Peer> {
    // What is made in the folder inherits it.
    run(Command::new("chattr").arg("+S").arg(data))?;
    launch(workspace, (Kind::S3sFsSync, PORT_SYNCED), scratch, data)
}

fn launch(
    workspace: &Workspace,
    (kind, port): (Kind, u16),
    scratch: Scratch,
    data: &Path,
) -> Result<Peer> {
    let mut command = Command::new(program(workspace)?);
    command.args(["--access-key", KEY_ID, "--secret-key", KEY_SECRET]);
    command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).arg(data);
    // It would otherwise tell of every request.
    command.env("RUST_LOG", "error");
    Peer::launch(kind, scratch, command, port)
}

/// Builds it where it is missing, which takes minutes.
fn program(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.cache.join(format!("s3s-fs-{VERSION}"));
    let program = root.join("bin/s3s-fs");
    if !program.is_file() {
        let mut cargo = workspace.cargo();
        // Not in the clone, whose settings are not its.
        cargo.current_dir(&workspace.cache).env("CARGO_TARGET_DIR", root.join("target"));
        cargo.args(["install", "s3s-fs", "--version", VERSION, "--features", "binary", "--locked"]);
        run(cargo.arg("--root").arg(&root))?;
        // Hundreds of megabytes that nobody needs any more; what is left of them harms nobody.
        let _ = std::fs::remove_dir_all(root.join("target"));
    }
    Ok(program)
}
