//! Peers to measure beside, each a server of its own on an empty folder of the same disk, started as its
//! package brings it. How each is set, and what it promises when it answers a write, goes into the table.

mod nginx;
mod s3s;
mod seaweed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Running, wait_for};
use crate::workspace::{Scratch, Workspace, make_dir, write};
use crate::{Result, cloud};

/// What the load generator signs with.
const KEY_ID: &str = "peerkey0000000000000";
const KEY_SECRET: &str = "peersecret00000000000000000000";

const START_WAIT: Duration = Duration::from_secs(60);

/// Which peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// SeaweedFS through its S3 gateway.
    SeaweedFs,
    /// The file-system server of the `s3s` project.
    S3sFs,
    /// The same on a folder whose files are written synchronously.
    S3sFsSync,
    /// nginx with plain files: what reading costs where nobody asks who reads.
    Nginx,
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::SeaweedFs, Self::S3sFs, Self::S3sFsSync, Self::Nginx];

    /// Its name, on the command line and in the table.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SeaweedFs => "seaweedfs",
            Self::S3sFs => "s3s-fs",
            Self::S3sFsSync => "s3s-fs-sync",
            Self::Nginx => "nginx",
        }
    }

    /// How it is set, for the table.
    pub(crate) const fn settings(self) -> &'static str {
        match self {
            Self::SeaweedFs => {
                "SeaweedFS 4.48, one volume server, `fsync` of each write by its path configuration (its index of names is not synced)"
            }
            Self::S3sFs => "s3s-fs 0.14.1, one file an object, never syncs",
            Self::S3sFsSync => {
                "s3s-fs 0.14.1 on a folder of which every write is synchronous (`chattr +S`)"
            }
            Self::Nginx => "nginx of Debian, plain files, `sendfile`, no signatures, reads only",
        }
    }

    /// Whether it only serves files.
    pub(crate) const fn reads_only(self) -> bool {
        matches!(self, Self::Nginx)
    }

    /// Installs it if needed, starts it on an empty folder and waits until it answers.
    pub(crate) fn start(self, workspace: &Workspace) -> Result<Peer> {
        let scratch = Scratch::new(self.name())?;
        let data = scratch.path().join("data");
        make_dir(&data)?;
        let key = format!(r#"{{"AccessKeyId": "{KEY_ID}", "AccessKeySecret": "{KEY_SECRET}"}}"#);
        write(&key_path(&scratch), key)?;
        match self {
            Self::SeaweedFs => seaweed::start(workspace, scratch, &data),
            Self::S3sFs => s3s::start(workspace, scratch, &data),
            Self::S3sFsSync => s3s::start_synced(workspace, scratch, &data),
            Self::Nginx => nginx::start(scratch, &data),
        }
    }
}

/// A running peer. Ended and removed when dropped.
pub(crate) struct Peer {
    // Field order is drop order: the server ends before its folder goes.
    running: Running,
    scratch: Scratch,
    kind: Kind,
    endpoint: String,
}

impl Peer {
    /// Starts its program, whose talk goes to a file in its folder, and waits until `port` answers.
    fn launch(kind: Kind, scratch: Scratch, mut command: Command, port: u16) -> Result<Self> {
        let log_path = scratch.path().join("log");
        let log =
            fs::File::create(&log_path).map_err(|e| format!("{}: {e}", log_path.display()))?;
        let log_too = log.try_clone().map_err(|e| format!("{}: {e}", log_path.display()))?;
        let mut running = Running::start(command.stdout(log).stderr(log_too))?;
        let endpoint = format!("http://127.0.0.1:{port}");
        wait_for(kind.name(), START_WAIT, || {
            running.check_alive()?;
            Ok(cloud::status(&endpoint, "/").map(drop))
        })?;
        Ok(Self { running, scratch, kind, endpoint })
    }

    /// Which one it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it answers.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A file with the key that it knows, as Awan's clients read keys.
    pub(crate) fn key_file(&self) -> PathBuf {
        key_path(&self.scratch)
    }

    /// Where a peer that only reads has its files.
    pub(crate) fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // nginx would leave its workers behind; SeaweedFS, asked to end, hangs, and nothing of it is kept.
        match self.kind {
            Kind::Nginx => drop(self.running.stop()),
            Kind::SeaweedFs | Kind::S3sFs | Kind::S3sFsSync => self.running.kill(),
        }
    }
}

fn key_path(scratch: &Scratch) -> PathBuf {
    scratch.path().join("key.json")
}

/// A file of this program's, as the argument of an option.
fn option(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}
