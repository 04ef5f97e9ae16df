//! What the instances of a node share: builds, drivers, programs, numbers of users, ports.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Pid;

use super::api::{Figures, Spec};
use super::confinement::field;
use super::driver::Driver;
use super::error::{Error, Result};
use super::home::Home;
use super::process::{Programs, User, tree};
use crate::engines::Build;
use crate::model::Engine;

/// Where the servers of a node are met, and whom they trust.
#[derive(Clone, Debug)]
pub struct Network {
    /// The address that they listen on.
    pub address: IpAddr,
    /// The certificate of the cloud's authority, PEM; empty where the servers need not know it.
    pub authority: Arc<str>,
}

impl Default for Network {
    /// Nobody but this machine, and no authority.
    fn default() -> Self {
        Self { address: IpAddr::from([127, 0, 0, 1]), authority: Arc::from("") }
    }
}

impl Network {
    /// What the server of an instance listens on.
    pub fn listen(&self, spec: &Spec) -> Vec<IpAddr> {
        if spec.listen.is_empty() { vec![self.address] } else { spec.listen.clone() }
    }
}

/// Finds the builds of a machine.
pub type Find = Arc<dyn Fn() -> Vec<Build> + Send + Sync>;

fn newest(builds: &[Build], engine: Engine, major: &str) -> Option<Build> {
    let fits = |build: &&Build| build.engine == engine && build.major == major;
    let parts = |build: &&Build| -> Vec<u32> {
        build.version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
    };
    builds.iter().filter(fits).max_by_key(parts).cloned()
}

/// See the module.
pub struct Pool {
    /// The node's directory.
    pub home: Home,
    /// Finds what runs here. Asked again for what was not found: it may have been installed since.
    find: Find,
    /// What was found last.
    builds: Mutex<Vec<Build>>,
    /// Who knows how.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// Starts programs.
    pub programs: Programs,
    /// Where servers are met.
    pub network: Network,
    /// Numbers for users of servers; empty where all run as whoever we are.
    pub uids: Range<u32>,
    /// Who has which number.
    taken: Mutex<BTreeMap<u32, String>>,
    /// One at a time makes templates.
    pub warming: tokio::sync::Mutex<()>,
}

impl Pool {
    /// A pool of these.
    pub fn new(
        home: Home,
        find: Find,
        drivers: Vec<Arc<dyn Driver>>,
        programs: Programs,
        network: Network,
        uids: Range<u32>,
    ) -> Self {
        let uids = if rustix::process::geteuid().is_root() { uids } else { 0..0 };
        Self {
            home,
            builds: Mutex::new(find()),
            find,
            drivers,
            programs,
            network,
            uids,
            taken: Mutex::default(),
            warming: tokio::sync::Mutex::default(),
        }
    }

    /// What runs here, as found last.
    pub fn builds(&self) -> Vec<Build> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest build of that engine and major version.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none.
    pub fn build(&self, engine: Engine, major: &str) -> Result<Build> {
        if let Some(known) = newest(&self.builds(), engine, major) {
            return Ok(known);
        }
        let found = (self.find)();
        let build = newest(&found, engine, major);
        *self.builds.lock().unwrap_or_else(PoisonError::into_inner) = found;
        build.ok_or_else(|| Error::Unknown(format!("there is no {} {major} here", engine.as_str())))
    }

    /// The driver of that engine.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none.
    pub fn driver(&self, engine: Engine) -> Result<Arc<dyn Driver>> {
        let found = self.drivers.iter().find(|driver| driver.engine() == engine);
        found
            .cloned()
            .ok_or_else(|| Error::Unknown(format!("{} is not kept here", engine.as_str())))
    }

    /// A user for an instance: the one that it had (`had` not 0), or a free one. `None`: whoever we are.
    ///
    /// # Errors
    /// Where no number is free.
    pub fn user(&self, id: &str, had: u32) -> Result<Option<User>> {
        if self.uids.is_empty() {
            return Ok(None);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let found = taken.iter().find(|(_, of)| *of == id).map(|(uid, _)| *uid);
        let mut free = self.uids.clone().filter(|uid| !taken.contains_key(uid));
        let uid = if had != 0 { Some(had) } else { found.or_else(|| free.next()) };
        let uid = uid.ok_or_else(|| Error::Failed("no user is free".to_owned()))?;
        taken.insert(uid, id.to_owned());
        Ok(Some(User { uid, gid: uid }))
    }

    /// The instance has gone: its number is free.
    pub fn release(&self, id: &str) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, of| of != id);
    }
}

/// A port that is free on that address now.
///
/// # Errors
/// Where none is.
pub fn free_port(address: Option<&IpAddr>) -> Result<u16> {
    let address = address.copied().unwrap_or(IpAddr::from([127, 0, 0, 1]));
    Ok(TcpListener::bind((address, 0))?.local_addr()?.port())
}

/// Whether a server could listen on that port of all these addresses now.
pub fn is_free(addresses: &[IpAddr], port: u16) -> bool {
    addresses.iter().all(|address| TcpListener::bind((*address, port)).is_ok())
}

/// Counts what a server's processes have used that still run.
pub fn count_processes(pid: u32, figures: &mut Figures) {
    let Some(root) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    for pid in tree(root) {
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{}/{file}", pid.as_raw_nonzero()))
                .unwrap_or_default()
        };
        let io = read("io");
        figures.read_bytes += field(&io, "read_bytes: ");
        figures.write_bytes += field(&io, "write_bytes: ");
        figures.reads += field(&io, "syscr: ");
        figures.writes += field(&io, "syscw: ");
        // Shared memory counts once; it is in every process's share of it (proportional set size).
        let pss = read("smaps_rollup");
        let kib = pss.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = kib.and_then(|kib| kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        figures.memory_bytes += kib.unwrap_or_default() << 10;
        // Hundredths of a second, after the name in parentheses: fields 14 and 15 of the line.
        let stat = read("stat");
        let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ').skip(11).take(2));
        let ticks: u64 =
            fields.into_iter().flatten().filter_map(|text| text.parse::<u64>().ok()).sum();
        figures.cpu_us += ticks * 10_000;
    }
}
