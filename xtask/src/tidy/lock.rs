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
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> String {
        let sourced = packages.iter().map(|(name, version)| {
            format!(
                "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry\"\n\n"
            )
        });
        let ours = "[[package]]\nname = \"oss\"\nversion = \"0.1.0\"\n".to_owned();
        std::iter::once("version = 4\n\n".to_owned()).chain(sourced).chain([ours]).collect()
    }

    fn check_rules(packages: &[(&str, &str)], expect: &[&str]) {
        let findings = check(&lock(packages), 3);
        let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, expect, "{packages:?}");
    }

    #[test]
    fn growth_second_stacks_and_heavy_duplicates_are_found() {
        check_rules(&[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0")], &[]);
        check_rules(
            &[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0"), ("d", "1.0.0")],
            &["dependencies"],
        );
        check_rules(&[("openssl-sys", "0.9.1")], &["banned"]);
        check_rules(&[("rustls", "0.22.4"), ("rustls", "0.23.1")], &["duplicate"]);
        check_rules(&[("tokio", "1.40.0"), ("tokio", "1.54.0")], &[]);
        check_rules(&[("light", "1.0.0"), ("light", "2.0.0")], &[]);
    }

    #[test]
    fn majors_follow_the_rule_of_leading_zeros() {
        for (version, expect) in
            [("1.2.3", "1"), ("0.23.4", "0.23"), ("0.0.4", "0.0.4"), ("0.0.0", "0.0.0")]
        {
            assert_eq!(major(version), expect);
        }
    }
}
