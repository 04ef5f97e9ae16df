//! The nodes of this machine: a process and a directory for each data centre.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use engine::files::write_whole;
use engine::server::authority::{Authority, Purpose};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Places;

/// How long a node may take to start.
const START: Duration = Duration::from_secs(15);
/// How long the nodes may take to stop all their servers.
const STOP: Duration = Duration::from_secs(60);
/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

/// What a node says of itself when it is ready.
#[derive(Clone, Deserialize)]
struct Ready {
    address: String,
    pid: i32,
}

/// The nodes that were started here or found.
pub(super) struct Local {
    places: Places,
    authority: Arc<Authority>,
    /// By data centre. A node that starts holds up who asks for it, and nobody who asks for another.
    running: std::sync::Mutex<HashMap<String, Slot>>,
}

/// The node of a data centre, where one runs that is known of.
type Slot = Arc<Mutex<Option<Running>>>;

struct Running {
    ready: Ready,
    /// `None` for one that an earlier process of ours started.
    child: Option<Child>,
}

impl Running {
    /// Whether the process lives. One of ours that ended is reaped by this.
    fn is_alive(&mut self, dir: &Path) -> bool {
        if let Some(child) = &mut self.child
            && !matches!(child.try_wait(), Ok(None))
        {
            return false;
        }
        is_node(self.ready.pid, dir)
    }
}

impl Local {
    pub(super) fn new(places: Places, authority: Arc<Authority>) -> Self {
        Self { places, authority, running: std::sync::Mutex::default() }
    }

    fn dir(&self, site: &str) -> PathBuf {
        self.places.home.join(site)
    }

    fn slot(&self, site: &str) -> Slot {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(running.entry(site.to_owned()).or_default())
    }

    /// Where the node of a data centre listens; it is started where it does not run.
    pub(super) async fn address(&self, site: &str) -> Result<String, String> {
        let dir = self.dir(site);
        let slot = self.slot(site);
        let mut running = slot.lock().await;
        if let Some(node) = &mut *running {
            if node.is_alive(&dir) {
                return Ok(node.ready.address.clone());
            }
            *running = None;
        }
        let found = ready(&dir).filter(|ready| is_node(ready.pid, &dir));
        let node = match found {
            Some(ready) => Running { ready, child: None },
            None => self.start(site, &dir).await?,
        };
        let address = node.ready.address.clone();
        *running = Some(node);
        Ok(address)
    }

    /// Whether the node of a data centre runs. One that is just being started is waited for.
    pub(super) async fn runs(&self, site: &str) -> bool {
        let dir = self.dir(site);
        let slot = self.slot(site);
        let mut running = slot.lock().await;
        match &mut *running {
            Some(node) => node.is_alive(&dir),
            None => ready(&dir).is_some_and(|ready| is_node(ready.pid, &dir)),
        }
    }

    async fn start(&self, site: &str, dir: &Path) -> Result<Running, String> {
        self.prepare(site, dir).map_err(|error| format!("prepare {}: {error}", dir.display()))?;
        let mut child = self.spawn(dir).map_err(|error| format!("start a node: {error}"))?;
        let until = Instant::now() + START;
        loop {
            let own = ready(dir).filter(|ready| u32::try_from(ready.pid) == Ok(child.id()));
            if let Some(ready) = own {
                return Ok(Running { ready, child: Some(child) });
            }
            if let Ok(Some(status)) = child.try_wait() {
                let log = dir.join("node.log");
                return Err(format!(
                    "the node of {site} ended ({status}); {} says why",
                    log.display()
                ));
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the node of {site} did not start within {START:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Servers run as users of their own where we are root, and have to pass the directories above their own. Whatever
    /// else stands beside those is made private first.
    fn let_servers_pass(&self) -> std::io::Result<()> {
        let above = self.places.home.parent().filter(|_| rustix::process::geteuid().is_root());
        let Some(above) = above else { return Ok(()) };
        for entry in fs::read_dir(above)? {
            let entry = entry?;
            let (path, mode) = (entry.path(), entry.metadata()?.permissions().mode());
            let passed = path == self.places.home || path == self.places.store;
            let wanted = if passed { 0o711 } else { mode & 0o700 };
            if mode & 0o777 != wanted && !entry.file_type()?.is_symlink() {
                fs::set_permissions(&path, fs::Permissions::from_mode(wanted))?;
            }
        }
        fs::set_permissions(above, fs::Permissions::from_mode(0o711))
    }

    /// Writes what the node reads at its start.
    fn prepare(
        &self,
        site: &str,
        dir: &Path,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        fs::create_dir_all(dir)?;
        self.let_servers_pass()?;
        let names = [format!("{site}.node.awan"), "localhost".to_owned(), "127.0.0.1".to_owned()];
        let issued = self.authority.issue(&names, Purpose::Server)?;
        write_whole(&dir.join("node-cert.pem"), issued.certificate.as_bytes(), 0o644)?;
        write_whole(&dir.join("node-key.pem"), issued.key.expose().as_bytes(), 0o600)?;
        let config = serde_json::json!({
            "name": site,
            "site": site,
            "listen": "127.0.0.1:0",
            "advertise": self.places.address,
            "ca": fs::canonicalize(&self.authority.certificate)?,
            "cert": dir.join("node-cert.pem"),
            "key": dir.join("node-key.pem"),
            "engines": self.places.engines,
            "uid_range": self.places.users(site),
            "store": self.places.store,
        });
        write_whole(&dir.join("node-config.json"), config.to_string().as_bytes(), 0o600)?;
        match fs::remove_file(dir.join("node.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "this is where the nodes of this machine are started"
    )]
    fn spawn(&self, dir: &Path) -> std::io::Result<Child> {
        let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("node.log"))?;
        std::process::Command::new(&self.places.program)
            .args(["serve", "--role", "db-node", "--data-dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // An interrupt at the terminal is for the cloud, which then stops its nodes itself.
            .process_group(0)
            .spawn()
    }

    /// Asks all nodes of this machine to stop, also those that an earlier process started, and waits for it.
    pub(super) async fn stop(&self) {
        let mut sites: HashSet<String> = {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.keys().cloned().collect()
        };
        let entries = fs::read_dir(&self.places.home).into_iter().flatten().flatten();
        sites.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        let mut stopping = Vec::new();
        for site in sites {
            let dir = self.dir(&site);
            // Held to the end: nobody starts it again meanwhile.
            let mut slot = self.slot(&site).lock_owned().await;
            let found = || ready(&dir).filter(|ready| is_node(ready.pid, &dir));
            let known = slot.take();
            let node = known.or_else(|| found().map(|ready| Running { ready, child: None }));
            if let Some(node) = node {
                signal(node.ready.pid, Signal::TERM);
                stopping.push((site, node, slot));
            }
        }
        let until = Instant::now() + STOP;
        for (site, mut node, _slot) in stopping {
            let dir = self.dir(&site);
            while node.is_alive(&dir) && Instant::now() < until {
                tokio::time::sleep(LOOK).await;
            }
            if node.is_alive(&dir) {
                tracing::error!(site, "a node did not stop in time; it is left to itself");
            }
        }
    }

    /// Kills every process that works in an instance's directory. True where none is left.
    pub(super) fn kill(&self, site: &str, id: &str) -> bool {
        let Ok(dir) = fs::canonicalize(self.dir(site).join("instances").join(id)) else {
            return true;
        };
        for _ in 0..50 {
            let mut left = processes_in(&dir);
            if left.is_empty() {
                return true;
            }
            for pid in left.drain(..) {
                signal(pid, Signal::KILL);
            }
            std::thread::sleep(LOOK);
        }
        false
    }
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid)
        && let Err(error) = kill_process(pid, signal)
    {
        tracing::debug!(%error, "signal a process");
    }
}

fn ready(dir: &Path) -> Option<Ready> {
    serde_json::from_slice(&fs::read(dir.join("node.json")).ok()?).ok()
}

/// Whether that process is the node of that directory, and not another that got its number.
fn is_node(pid: i32, dir: &Path) -> bool {
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let dir = dir.as_os_str().as_encoded_bytes();
    line.split(|byte| *byte == 0).any(|argument| argument == dir)
}

/// The processes whose working directory is there or below: the servers of an instance have theirs in its data.
fn processes_in(dir: &Path) -> Vec<i32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<i32>().ok();
    all.filter_map(number)
        .filter(|pid| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(dir))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_node_that_takes_its_time_to_start_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("never-ready");
        fs::write(&program, "#!/bin/sh\nexec sleep 2\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let authority = Authority::open(dir.path(), Arc::new(base::SystemClock)).unwrap();
        let home = dir.path().join("rds");
        let places = Places { home, program, ..Places::default() };
        let local = Arc::new(Local::new(places, Arc::new(authority)));
        let starting = tokio::spawn({
            let local = Arc::clone(&local);
            async move { local.address("slow").await }
        });
        let began = Instant::now();
        while local.slot("slow").try_lock().is_ok() {
            assert!(began.elapsed() < START, "it does not begin to start");
            tokio::time::sleep(LOOK).await;
        }
        assert!(!local.runs("other").await);
        assert!(!starting.is_finished(), "the other waited for it");
        assert!(starting.await.unwrap().is_err(), "it never said that it is ready");
    }
}
