//! SeaweedFS, from the binary that its Python package carries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{KEY_ID, KEY_SECRET, Kind, Peer, option};
use crate::process::{output, wait_for};
use crate::workspace::{Scratch, Workspace, write};
use crate::{Result, setup};

/// Its ports. It uses each plus 10,000 as well, so they are far from the usual ones.
const MASTER: u16 = 21_333;
const VOLUME: u16 = 21_080;
const FILER: u16 = 21_888;
const S3: u16 = 21_433;

/// What its shell is told: every write below this path is synced before it is answered.
const DURABLE: &str = "fs.configure -locationPrefix=/buckets/ -fsync=true -apply\n";

pub(super) fn start(workspace: &Workspace, scratch: Scratch, data: &Path) -> Result<Peer> {
    let requirements = workspace.root.join("tests/clients/requirements-peer.txt");
    let weed = find(&setup::python(workspace, &requirements)?)?;
    let config = scratch.path().join("s3.json");
    let identity = format!(
        r#"{{"identities": [{{"name": "bench", "actions": ["Admin"],
            "credentials": [{{"accessKey": "{KEY_ID}", "secretKey": "{KEY_SECRET}"}}]}}]}}"#
    );
    write(&config, identity)?;
    let mut command = Command::new(&weed);
    command.arg("server").arg(option("-dir", data));
    command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
    // What else it would serve has fixed ports, which others may have.
    command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
    // Each bucket takes several volumes.
    command.args(["-volume.max=500", "-master.volumeSizeLimitMB=1024"]);
    command.arg(format!("-master.port={MASTER}")).arg(format!("-volume.port={VOLUME}"));
    command.arg(format!("-filer.port={FILER}")).arg(format!("-s3.port={S3}"));
    command.arg(option("-s3.config", &config));
    let peer = Peer::launch(Kind::SeaweedFs, scratch, command, S3)?;
    let script = peer.data().with_file_name("durable");
    write(&script, DURABLE)?;
    wait_for("SeaweedFS to take its configuration", super::START_WAIT, || {
        Ok(configure(&weed, &script)?.contains("fsync").then_some(()))
    })?;
    Ok(peer)
}

/// Tells its shell what stands in the script; answers what the shell said.
fn configure(weed: &Path, script: &Path) -> Result<String> {
    let input = fs::File::open(script).map_err(|e| format!("{}: {e}", script.display()))?;
    let mut shell = Command::new(weed);
    shell.arg("shell").arg(format!("-master=127.0.0.1:{MASTER}"));
    shell.arg(format!("-filer=127.0.0.1:{FILER}"));
    let said = shell.stdin(input).stderr(Stdio::null()).output();
    let said = said.map_err(|e| format!("start the shell of SeaweedFS: {e}"))?;
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// The package installs a launcher beside the interpreter.
fn find(venv: &Path) -> Result<PathBuf> {
    let launcher = venv.join("bin/weed");
    if !launcher.is_file() {
        return Err(format!("the package brought no {}", launcher.display()));
    }
    output(Command::new(&launcher).arg("version"))?;
    Ok(launcher)
}
