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
mod tests {
    use super::*;

    #[test]
    fn an_entry_excuses_its_finding_and_no_other() {
        let findings =
            vec![Finding::new("file-length", "a.rs", "long"), Finding::new("owner", "a.rs", "who")];
        let left = apply(findings, "# comment\n\nfile-length a.rs # generated\n");
        assert_eq!(left, [Finding::new("owner", "a.rs", "who")]);
    }

    #[test]
    fn an_entry_without_use_or_reason_is_a_finding() {
        let findings = vec![Finding::new("owner", "a.rs", "who")];
        let left = apply(findings, "owner a.rs\nowner b.rs # moved\n");
        let messages: Vec<_> = left.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, ["`owner a.rs` gives no reason", "`owner b.rs` excuses nothing"]);
    }
}
