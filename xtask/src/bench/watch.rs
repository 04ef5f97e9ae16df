//! What a server costs, from `/proc`: the CPU time and the memory of a process and of all that it started.

use std::collections::HashMap;
use std::fs;

use crate::Result;

/// What a process and its children have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    /// User and system time, microseconds.
    pub(super) cpu_us: f64,
    /// The most memory that was resident since [`forget_peak`], bytes; of several processes, the sum.
    pub(super) peak_bytes: f64,
}

/// What the process tree that begins with `root` has used so far.
///
/// # Errors
/// Where it is not there any more.
pub(super) fn cost(root: u32) -> Result<Cost> {
    let mut cost = Cost::default();
    for pid in tree(root)? {
        // One that has ended meanwhile is counted by its parent, which waited for it.
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // The kernel counts in 1/100 s on every Linux that a person meets.
        const TICK_US: f64 = 10_000.0;
        let ticks = ticks(&stat).ok_or_else(|| format!("/proc/{pid}/stat is not understood"))?;
        cost.cpu_us += ticks * TICK_US;
        cost.peak_bytes += peak_kib(&status).unwrap_or(0.0) * 1024.0;
    }
    Ok(cost)
}

/// Begins anew to look for the most memory that is resident.
pub(super) fn forget_peak(root: u32) -> Result<()> {
    for pid in tree(root)? {
        // "5" resets the high-water mark (proc(5)). Where that is refused, the peak is that of its whole life.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
    Ok(())
}

/// A process and its descendants.
pub(super) fn tree(root: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let processes = fs::read_dir("/proc").map_err(|e| format!("read /proc: {e}"))?;
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for pid in pids {
        let parent = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
        if let Some(parent) = parent.as_deref().and_then(parent_of) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        let born = children.remove(pid).unwrap_or_default();
        found.extend(born);
        next += 1;
    }
    Ok(found)
}

/// The fields of a `/proc/<pid>/stat` from the third on. The program's name, in parentheses, may hold anything.
fn fields(stat: &str) -> Option<std::str::SplitWhitespace<'_>> {
    stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace())
}

fn parent_of(stat: &str) -> Option<u32> {
    fields(stat)?.nth(1)?.parse().ok()
}

/// utime, stime, and those of the children that it waited for.
fn ticks(stat: &str) -> Option<f64> {
    let mut numbers = fields(stat)?.skip(11).map(str::parse::<f64>);
    (0..4).try_fold(0.0, |sum, _| Some(sum + numbers.next()?.ok()?))
}

/// `VmHWM` of a `/proc/<pid>/status`, KiB.
fn peak_kib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_behind_any_program_name() {
        let stat = "42 (a ) b) S 7 1 1 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 5 0 100 1 1";
        assert_eq!(ticks(stat), Some(315.0));
        assert_eq!(parent_of(stat), Some(7));
        assert_eq!((ticks("nonsense"), parent_of("nonsense")), (None, None));
    }

    #[test]
    fn the_peak_is_read_among_the_other_lines() {
        let status = "Name:\tx\nVmPeak:\t  99 kB\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_kib(status), Some(12345.0));
        assert_eq!(peak_kib("Name: x"), None);
    }

    #[test]
    fn this_process_costs_memory() {
        let cost = cost(std::process::id()).expect("this process is there");
        assert!(cost.peak_bytes > 0.0);
        assert!(super::cost(u32::MAX).is_ok_and(|none| none.peak_bytes == 0.0));
    }
}
