//! A peer to measure beside: SeaweedFS, an S3 store on one machine, from the binary that its Python
//! package carries. It runs as it comes: it does *not* wait for the disk before it answers a write,
//! as Awan does. The table says so.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Running, wait_for};
use crate::workspace::{Scratch, Workspace, make_dir, write};
use crate::{Result, cloud, setup};

/// Its ports. It uses each plus 10,000 as well, so they are far from the usual ones.
const MASTER: u16 = 21_333;
const VOLUME: u16 = 21_080;
const FILER: u16 = 21_888;
const S3: u16 = 21_433;

/// What the load generator signs with.
const KEY_ID: &str = "peerkey0000000000000";
const KEY_SECRET: &str = "peersecret00000000000000000000";

const KEY_FILE: &str = "key.json";

/// How it is set, for the table.
pub(crate) const SETTINGS: &str = "SeaweedFS 4.48, one volume server, no fsync per write (default)";

/// A running peer. Ended and removed when dropped.
pub(crate) struct Peer {
    // Field order is drop order: the server ends before its folder goes.
    running: Running,
    scratch: Scratch,
}

impl Peer {
    /// Installs it if needed, starts it on an empty folder and waits until it answers.
    pub(crate) fn start(workspace: &Workspace) -> Result<Self> {
        let requirements = workspace.root.join("tests/clients/requirements-peer.txt");
        let weed = find_weed(setup::python(workspace, &requirements)?)?;
        let scratch = Scratch::new("peer")?;
        let data = scratch.path().join("data");
        make_dir(&data)?;
        let config = scratch.path().join("s3.json");
        let identity = format!(
            r#"{{"identities": [{{"name": "bench", "actions": ["Admin"],
                "credentials": [{{"accessKey": "{KEY_ID}", "secretKey": "{KEY_SECRET}"}}]}}]}}"#
        );
        write(&config, identity)?;
        let key = format!(r#"{{"AccessKeyId": "{KEY_ID}", "AccessKeySecret": "{KEY_SECRET}"}}"#);
        write(&scratch.path().join(KEY_FILE), key)?;
        let log_path = scratch.path().join("log");
        let log =
            fs::File::create(&log_path).map_err(|e| format!("{}: {e}", log_path.display()))?;
        let log_too = log.try_clone().map_err(|e| format!("{}: {e}", log_path.display()))?;
        let mut command = Command::new(weed);
        command.arg("server").arg(format!("-dir={}", data.display()));
        command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"]);
        command.args(["-volume.max=20", "-master.volumeSizeLimitMB=1024"]);
        command.arg(format!("-master.port={MASTER}")).arg(format!("-volume.port={VOLUME}"));
        command.arg(format!("-filer.port={FILER}")).arg(format!("-s3.port={S3}"));
        command.arg(format!("-s3.config={}", config.display()));
        let mut running = Running::start(command.stdout(log).stderr(log_too))?;
        wait_for("SeaweedFS", Duration::from_secs(60), || {
            running.check_alive()?;
            Ok(cloud::status(&endpoint(), "/").map(drop))
        })?;
        Ok(Self { running, scratch })
    }

    /// A file with the key that it knows, as Awan's clients read keys.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.scratch.path().join(KEY_FILE)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Asked to end, it hangs; and nothing of it is kept.
        self.running.kill();
    }
}

/// Where it answers.
pub(crate) fn endpoint() -> String {
    format!("http://127.0.0.1:{S3}")
}

/// The package installs either a launcher or the program itself inside the package.
fn find_weed(venv: PathBuf) -> Result<PathBuf> {
    let launcher = venv.join("bin/weed");
    if launcher.is_file() {
        return Ok(launcher);
    }
    Err(format!("the package brought no {}", launcher.display()))
}
