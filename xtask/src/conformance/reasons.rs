//! Why tests of a suite fail that are to fail: one line for each, its name, a tab, and the reason. A failing test
//! without one is open: work to be done.

use std::collections::BTreeMap;
use std::path::Path;

use super::junit::{Outcome, Report};
use crate::Result;
use crate::workspace::{read, write};

/// Reasons by the test's name.
pub(super) type Reasons = BTreeMap<String, String>;

/// Reads a list of reasons; there are none where there is no list.
///
/// # Errors
/// A line without a reason, and a test with two.
pub(super) fn load(path: &Path) -> Result<Reasons> {
    let mut reasons = Reasons::new();
    if !path.exists() {
        return Ok(reasons);
    }
    for (number, line) in read(path)?.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let refused = |why: &str| format!("{}:{}: {why}", path.display(), number + 1);
        let (name, reason) = line.split_once('\t').unwrap_or((line, ""));
        if name.trim().is_empty() || reason.trim().is_empty() {
            return Err(refused(
                "a line must be a test's name, a tab, and the reason why it fails",
            ));
        }
        if reasons.insert(name.to_owned(), reason.to_owned()).is_some() {
            return Err(refused("there is a reason for this test already"));
        }
    }
    Ok(reasons)
}

/// How a run differs from the reasons.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Tests with a reason to fail that pass, or that there are not any more.
    pub(super) wrong: Vec<String>,
    /// Tests that fail without a reason.
    pub(super) open: Vec<String>,
}

/// Compares. A test with a reason that was not run at all is wrong only if `whole`, that is, if all were to run.
pub(super) fn compare(reasons: &Reasons, report: &Report, whole: bool) -> Judged {
    let wrong = |name: &&String| match report.get(*name) {
        Some(outcome) => *outcome == Outcome::Passed,
        None => whole,
    };
    let fails = |outcome: Outcome| matches!(outcome, Outcome::Failed | Outcome::Error);
    let failing = report.iter().filter(|(_, outcome)| fails(**outcome)).map(|(name, _)| name);
    Judged {
        wrong: reasons.keys().filter(wrong).cloned().collect(),
        open: failing.filter(|name| !reasons.contains_key(*name)).cloned().collect(),
    }
}

/// Takes these tests off the list at `path`.
pub(super) fn remove(path: &Path, reasons: &Reasons, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let kept = reasons.iter().filter(|(name, _)| !names.contains(name));
    write(path, kept.map(|(name, reason)| format!("{name}\t{reason}\n")).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;
    use crate::workspace::{Scratch, Workspace};

    fn of(text: &str) -> Result<Reasons> {
        let scratch = Scratch::new("reasons-test")?;
        let path = scratch.path().join("suite.reasons");
        write(&path, text)?;
        load(&path)
    }

    #[test]
    fn a_line_is_a_name_and_a_reason_once() {
        let reasons = of("m::a\tThe client.\n\nm::b[x y]\tThat\tone.\n").unwrap();
        assert_eq!(reasons["m::a"], "The client.");
        assert_eq!(reasons["m::b[x y]"], "That\tone.");
        for (text, line) in [("m::a\tx\nm::b\n", ":2: "), ("m::a\t \n", ":1: "), ("\tx", ":1: ")] {
            assert!(of(text).unwrap_err().contains(line), "{text:?}");
        }
        assert!(of("m::a\tx\nm::a\ty\n").unwrap_err().contains("already"));
        assert_eq!(load(Path::new("/nowhere/suite.reasons")), Ok(Reasons::new()));
    }

    #[test]
    fn a_reason_of_a_test_that_passes_is_wrong_and_a_failure_without_one_is_open() {
        let reasons = of("m::gone\tx\nm::fails\tx\nm::passes\tx\nm::skipped\tx\n").unwrap();
        let report: Report = [
            ("m::fails", Outcome::Failed),
            ("m::passes", Outcome::Passed),
            ("m::skipped", Outcome::Skipped),
            ("m::new", Outcome::Passed),
            ("m::open", Outcome::Error),
        ]
        .map(|(name, outcome)| (name.to_owned(), outcome))
        .into();
        let judged = compare(&reasons, &report, true);
        assert_eq!(judged.wrong, ["m::gone", "m::passes"]);
        assert_eq!(judged.open, ["m::open"]);
        assert_eq!(compare(&reasons, &report, false).wrong, ["m::passes"]);
    }

    #[test]
    fn a_test_is_taken_off_the_list() {
        let scratch = Scratch::new("reasons-test").unwrap();
        let path = scratch.path().join("suite.reasons");
        let reasons = of("m::b\tx\nm::a\ty\n").unwrap();
        remove(&path, &reasons, &[]).unwrap();
        assert!(!path.exists());
        remove(&path, &reasons, &["m::a".to_owned()]).unwrap();
        assert_eq!(read(&path).unwrap(), "m::b\tx\n");
    }

    #[test]
    fn every_list_of_this_repository_reads_and_no_test_of_it_is_said_to_pass() {
        let lists = Workspace::find().unwrap().root.join("tests/conformance");
        for suite in super::super::Suite::ALL {
            let path = lists.join(format!("{}.passes", suite.name()));
            let passes = super::super::golden::load(&path).unwrap();
            let reasons = load(&path.with_extension("reasons")).unwrap();
            let both: Vec<_> = reasons.keys().filter(|name| passes.contains(*name)).collect();
            assert!(both.is_empty(), "{}: {both:?}", suite.name());
        }
    }
}
