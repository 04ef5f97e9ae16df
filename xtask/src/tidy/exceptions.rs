//! The list of excused findings: `rule place # reason`, one a line. It can only shrink by itself:
//! an entry that excuses nothing is a finding.

use super::Finding;

/// Where the list is.
pub(super) const PATH: &str = "xtask/tidy.exceptions";

/// The findings that nothing excuses, and what is wrong with the list itself, sorted.
pub(super) fn apply(findings: Vec<Finding>, list: &str) -> Vec<Finding> {
    let mut left = findings;
    for line in list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (entry, reason) = line.split_once(" # ").unwrap_or((line, ""));
        if reason.trim().is_empty() {
            let message = format!("`{line}` gives no reason");
            left.push(Finding::new("exception", PATH, message));
        }
        let before = left.len();
        left.retain(|finding| entry.trim() != format!("{} {}", finding.rule, finding.place));
        if left.len() == before {
            left.push(Finding::new("exception", PATH, format!("`{entry}` excuses nothing")));
        }
    }
    left.sort();
    left
}

#[cfg(test)]
mod tests;
