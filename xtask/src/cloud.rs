//! A cloud seen from outside: started by its command line, watched through `cloud.json` and its
//! ports.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::time::Duration;

use crate::Result;
use crate::json::Json;
use crate::process::{Running, wait_for};
use crate::workspace::{make_dir, read};

/// How long a start may take; a first start makes keys, certificates and tables.
const START_WAIT: Duration = Duration::from_secs(60);

/// Offsets from the port base that a cloud listens on.
const PORT_OFFSETS: [u16; 5] = [0, 1, 4, 5, 6];

/// Test clouds take their port bases from here, below the ports that systems hand out themselves.
const PORT_BASES: std::ops::Range<u16> = 20_000..30_000;

/// What a running cloud says of itself.
pub(crate) struct CloudFile {
    json: Json,
}

impl CloudFile {
    /// Reads `cloud.json` in a data folder.
    pub(crate) fn read(data_dir: &Path) -> Result<Self> {
        Ok(Self { json: Json::parse(&read(&data_dir.join("cloud.json"))?)? })
    }

    /// The address of an endpoint, such as `api`.
    pub(crate) fn endpoint(&self, name: &str) -> Result<&str> {
        let endpoint = self.json.get("endpoints").and_then(|all| all.get(name)?.text());
        endpoint.ok_or_else(|| format!("cloud.json names no endpoint `{name}`"))
    }

    /// The verifier key of its transparency log.
    pub(crate) fn log_key(&self) -> Result<&str> {
        let key = self.json.get("log_key").and_then(Json::text);
        key.ok_or_else(|| "cloud.json names no log_key".to_owned())
    }

    /// The region's id.
    pub(crate) fn region(&self) -> Result<&str> {
        let region = self.json.get("region").and_then(Json::text);
        region.ok_or_else(|| "cloud.json names no region".to_owned())
    }

    /// Where the certificate is that signs for this cloud.
    pub(crate) fn ca_cert(&self) -> Result<&str> {
        let path = self.json.get("ca_cert").and_then(Json::text);
        path.ok_or_else(|| "cloud.json names no ca_cert".to_owned())
    }

    /// Whether both front doors answer and the cloud calls itself healthy.
    pub(crate) fn is_ready(&self) -> bool {
        let answers = |name| self.endpoint(name).is_ok_and(|url| status(url, "/").is_some());
        let metrics = self.endpoint("metrics");
        let healthy = metrics.map_or(true, |url| status(url, "/health") == Some(200));
        answers("api") && answers("oss") && healthy
    }
}

/// The status of `GET path`, or nothing when nobody answers as an HTTP server does.
pub(crate) fn status(url: &str, path: &str) -> Option<u16> {
    let host = url.strip_prefix("http://")?.split('/').next()?;
    let address = host.to_socket_addrs().ok()?.next()?;
    let limit = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.1 ")?.parse().ok()
}

/// A port base whose ports are all free now.
pub(crate) fn free_port_base() -> Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    // Each process begins elsewhere, so that two runs at once seldom meet.
    let skip = usize::try_from(process::id()).unwrap_or_default() * 8 % PORT_BASES.len();
    let mut bases = PORT_BASES.cycle().skip(skip).step_by(8).take(PORT_BASES.len() / 8);
    bases
        .find(|base| PORT_OFFSETS.iter().all(|offset| free(base + offset)))
        .ok_or_else(|| format!("no free ports between {PORT_BASES:?}"))
}

/// How long a cloud is to live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// As long as this run: it shares the run's process group, so that Ctrl-C ends both.
    Run,
    /// Until somebody stops it: Ctrl-C at the terminal does not reach it.
    Stays,
}

/// A cloud that this run started. Ended when dropped.
pub(crate) struct Cloud {
    running: Running,
    data_dir: PathBuf,
}

impl Cloud {
    /// Starts `awan serve` on `data_dir` and waits until it is ready. `options` go to its command
    /// line; what it says goes to `awan.log` in `data_dir`.
    pub(crate) fn start(
        awan: &Path,
        data_dir: &Path,
        options: &[String],
        life: Life,
    ) -> Result<Self> {
        make_dir(data_dir)?;
        // A file of an earlier run would tell of ports that nobody listens on any more.
        let _ = fs::remove_file(data_dir.join("cloud.json"));
        let log_path = data_dir.join("awan.log");
        let log =
            fs::File::create(&log_path).map_err(|e| format!("{}: {e}", log_path.display()))?;
        let log_too = log.try_clone().map_err(|e| format!("{}: {e}", log_path.display()))?;
        let mut command = Command::new(awan);
        command.arg("serve").arg("--data-dir").arg(data_dir).args(options);
        if life == Life::Stays {
            command.process_group(0);
        }
        let running = Running::start(command.stdout(log).stderr(log_too))?;
        let mut cloud = Self { running, data_dir: data_dir.to_owned() };
        wait_for("the cloud", START_WAIT, || {
            cloud.running.check_alive()?;
            Ok(CloudFile::read(data_dir).ok().filter(CloudFile::is_ready))
        })
        .map_err(|e| format!("{e}\n{}", cloud.log_end()))?;
        Ok(cloud)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// What it says of itself.
    pub(crate) fn file(&self) -> Result<CloudFile> {
        CloudFile::read(&self.data_dir)
    }

    /// Where it keeps everything.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where its `cloud.json` is.
    pub(crate) fn file_path(&self) -> PathBuf {
        self.data_dir.join("cloud.json")
    }

    /// Lets it go on after this program ends.
    pub(crate) fn leave(self) {
        self.running.leave();
    }

    /// Stops it and gives its whole log; an error if it did not drain and end by itself.
    pub(crate) fn stop(mut self) -> Result<String> {
        self.running.check_alive()?;
        let ended_well = self.running.stop();
        let log = read(&self.data_dir.join("awan.log"))?;
        if ended_well { Ok(log) } else { Err("the cloud did not stop when asked to".to_owned()) }
    }

    /// The last lines of its log, for a person who must find out what happened.
    pub(crate) fn log_end(&self) -> String {
        let log = read(&self.data_dir.join("awan.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

#[cfg(test)]
mod tests;
