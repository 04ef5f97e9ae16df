//! What holds a server to its limits from outside: control groups, version 1 or 2, where we may make them. Where
//! we may not, nothing but its own settings does, and [`Confinement::word`] says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Pid;

use super::api::{Figures, Limits};
use super::error::{Error, Result};

/// Where the kernel's tree of control groups is.
const ROOT: &str = "/sys/fs/cgroup";
/// Controllers of version 1 that limit; a group without them is no confinement.
const LIMITING: [&str; 3] = ["cpu", "memory", "pids"];
/// Controllers of version 1 that only count.
const COUNTING: [&str; 2] = ["cpuacct", "blkio"];
/// Processes of a server besides those of its sessions.
const PIDS_BESIDES: u32 = 128;

/// The control groups of one instance.
#[derive(Clone, Debug)]
pub enum Confinement {
    /// One directory for each controller.
    V1 {
        /// The name of the group in each.
        name: String,
    },
    /// One directory.
    V2 {
        /// It.
        group: PathBuf,
    },
    /// None.
    Advisory,
}

impl Confinement {
    /// Makes the groups of that name and sets their limits, as far as this machine has them.
    pub fn make(name: &str, limits: Limits) -> Self {
        let v1 = LIMITING.iter().all(|controller| {
            fs::create_dir_all(Path::new(ROOT).join(controller).join(name)).is_ok()
        });
        if v1 && Path::new(ROOT).join("memory/cgroup.procs").exists() {
            for controller in COUNTING {
                let dir = Path::new(ROOT).join(controller);
                if dir.join("cgroup.procs").exists() {
                    let _ = fs::create_dir(dir.join(name));
                }
            }
            let made = Self::V1 { name: name.to_owned() };
            if made.limit(limits) {
                return made;
            }
        }
        let made = Self::V2 { group: Path::new(ROOT).join(name) };
        if Path::new(ROOT).join("cgroup.controllers").exists() {
            let _ = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+cpu +memory +pids");
            let _ = fs::create_dir(Path::new(ROOT).join(name));
            if made.limit(limits) {
                return made;
            }
        }
        for half in [made, Self::V1 { name: name.to_owned() }] {
            if let Err(error) = half.remove() {
                tracing::warn!(%error, "remove what could not be limited");
            }
        }
        Self::Advisory
    }

    /// The groups of that name that there may be from before.
    pub fn leftover(name: &str) -> Self {
        if Path::new(ROOT).join("cgroup.controllers").exists() {
            return Self::V2 { group: Path::new(ROOT).join(name) };
        }
        Self::V1 { name: name.to_owned() }
    }

    /// Sets other limits. False where that cannot be.
    pub fn limit(&self, limits: Limits) -> bool {
        let period = 100_000;
        let quota = limits.cpu_milli.max(10) * period / 1000;
        let memory = limits.memory_mib << 20;
        let pids = limits.connections.saturating_add(PIDS_BESIDES);
        let settings = match self {
            Self::V1 { .. } => vec![
                ("cpu", "cpu.cfs_period_us", period.to_string()),
                ("cpu", "cpu.cfs_quota_us", quota.to_string()),
                ("memory", "memory.limit_in_bytes", memory.to_string()),
                ("pids", "pids.max", pids.to_string()),
            ],
            Self::V2 { .. } => vec![
                ("", "cpu.max", format!("{quota} {period}")),
                ("", "memory.max", memory.to_string()),
                ("", "pids.max", pids.to_string()),
            ],
            Self::Advisory => return false,
        };
        let set = |(controller, file, value): (&str, &str, String)| {
            self.dir(controller).is_some_and(|dir| fs::write(dir.join(file), value).is_ok())
        };
        settings.into_iter().all(set)
    }

    fn dir(&self, controller: &str) -> Option<PathBuf> {
        match self {
            Self::V1 { name } => Some(Path::new(ROOT).join(controller).join(name)),
            Self::V2 { group } => Some(group.clone()),
            Self::Advisory => None,
        }
    }

    fn controllers(&self) -> Vec<&'static str> {
        match self {
            Self::V1 { .. } => LIMITING.into_iter().chain(COUNTING).collect(),
            Self::V2 { .. } => vec![""],
            Self::Advisory => Vec::new(),
        }
    }

    /// Puts a process into it; what that process starts is then in it too.
    pub fn admit(&self, pid: Pid) {
        for dir in self.controllers().into_iter().filter_map(|controller| self.dir(controller)) {
            if dir.is_dir()
                && let Err(error) =
                    fs::write(dir.join("cgroup.procs"), pid.as_raw_nonzero().to_string())
            {
                tracing::warn!(%error, group = %dir.display(), "confine a server");
            }
        }
    }

    /// Removes the groups. The server has ended; what it left behind is killed, so that nobody who gets its user next
    /// meets it. The kernel may take a moment to see that they are gone.
    ///
    /// # Errors
    /// Where something goes on.
    pub fn remove(&self) -> Result<()> {
        for dir in self.controllers().into_iter().filter_map(|controller| self.dir(controller)) {
            let mut gone = (0..50).map(|_| {
                let removed = fs::remove_dir(&dir).is_ok() || !dir.exists();
                if !removed {
                    kill_all(&dir);
                    std::thread::sleep(Duration::from_millis(10));
                }
                removed
            });
            if !gone.any(|gone| gone) {
                return Err(Error::Failed(format!("{} still has processes", dir.display())));
            }
        }
        Ok(())
    }

    /// How [`super::api::Observed::confinement`] says it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::V1 { .. } => "cgroup v1",
            Self::V2 { .. } => "cgroup v2",
            Self::Advisory => "advisory",
        }
    }

    /// Fills in what the groups have counted.
    pub fn count(&self, figures: &mut Figures) {
        let number = |controller: &str, file: &str| {
            let text = fs::read_to_string(self.dir(controller)?.join(file)).ok()?;
            text.trim().parse::<u64>().ok()
        };
        match self {
            Self::V1 { .. } => {
                figures.cpu_us = number("cpuacct", "cpuacct.usage").unwrap_or_default() / 1000;
                figures.memory_bytes =
                    number("memory", "memory.usage_in_bytes").unwrap_or_default();
            }
            Self::V2 { group } => {
                let stat = fs::read_to_string(group.join("cpu.stat")).unwrap_or_default();
                figures.cpu_us = field(&stat, "usage_usec ");
                figures.memory_bytes = number("", "memory.current").unwrap_or_default();
            }
            Self::Advisory => {}
        }
    }
}

/// Kills the processes of a group.
fn kill_all(group: &Path) {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in listed.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)) {
        // One that has ended by now is none.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// The number after that word at the beginning of a line.
pub(super) fn field(text: &str, word: &str) -> u64 {
    let number = text.lines().find_map(|line| line.strip_prefix(word));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_the_word_that_its_line_begins_with() {
        let stat = "nr_usage_usec 3\nusage_usec 42\nuser_usec 40\n";
        assert_eq!(field(stat, "usage_usec "), 42);
        assert_eq!(field(stat, "none "), 0);
    }
}
