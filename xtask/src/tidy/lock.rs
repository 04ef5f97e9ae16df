//! What `Cargo.lock` brings: how many third-party packages, which of them are not wanted, and
//! whether a heavy one is built twice.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;

/// One TLS stack and one crypto provider: `rustls` on `ring`. The others need a C library of the
/// system or minutes of CMake.
const BANNED: [&str; 4] = ["openssl-sys", "native-tls", "aws-lc-sys", "aws-lc-rs"];

/// Slow to build or large in the program, so that two versions hurt.
const HEAVY: [&str; 7] =
    ["hyper", "rustls", "tokio", "ring", "rusqlite", "serde_json", "quick-xml"];

/// Findings in the lock file, `max` being the number of third-party packages that is agreed on.
pub(super) fn check(lock: &str, max: usize) -> Vec<Finding> {
    let packages = third_party(lock);
    let mut findings = Vec::new();
    if packages.len() > max {
        let message = format!(
            "{} third-party packages are more than the {max} of xtask/dependencies.max; do without \
             the new one, or raise the number and say why in the commit",
            packages.len()
        );
        findings.push(Finding::new("dependencies", "Cargo.lock", message));
    }
    let mut majors: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, version) in &packages {
        if BANNED.contains(name) {
            findings.push(Finding::new("banned", *name, "no second TLS stack is wanted"));
        }
        if HEAVY.contains(name) {
            majors.entry(name).or_default().insert(major(version));
        }
    }
    for (name, majors) in majors.into_iter().filter(|(_, majors)| majors.len() > 1) {
        let majors = majors.into_iter().collect::<Vec<_>>().join(" and ");
        findings.push(Finding::new("duplicate", name, format!("built as {majors}")));
    }
    findings
}

/// Name and version of each package that has a source, which ours have not.
fn third_party(lock: &str) -> Vec<(&str, &str)> {
    let packages = lock.split("[[package]]").skip(1);
    let sourced = packages.filter(|package| value(package, "source").is_some());
    sourced
        .filter_map(|package| Some((value(package, "name")?, value(package, "version")?)))
        .collect()
}

fn value<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
    line.strip_suffix('"')
}

/// The part of a version that must be equal for two versions to be compatible: `1`, `0.23`, `0.0.4`.
fn major(version: &str) -> &str {
    let mut end = 0;
    for part in version.split('.') {
        end += part.len();
        if part != "0" {
            break;
        }
        end += 1;
    }
    &version[..end.min(version.len())]
}

#[cfg(test)]
mod tests;
