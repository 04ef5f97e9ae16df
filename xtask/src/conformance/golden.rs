//! The list that a repository keeps of a suite: the tests that passed, which may only become more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use super::junit::{Outcome, Report};
use crate::Result;
use crate::lanes::Counts;
use crate::workspace::{read, write};

/// The names of a list; none where there is no list yet.
pub(super) fn load(path: &Path) -> Result<BTreeSet<String>> {
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let names = read(path)?;
    Ok(names.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// How a run differs from the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Of the list, and no longer passing.
    pub(super) lost: Vec<String>,
    /// Passing, and not of the list.
    pub(super) gained: Vec<String>,
}

/// Compares. A listed test that was not run at all is lost only if `whole`, that is, if all were to run.
pub(super) fn compare(golden: &BTreeSet<String>, report: &Report, whole: bool) -> Difference {
    let lost = |name: &&String| match report.get(*name) {
        Some(outcome) => *outcome != Outcome::Passed,
        None => whole,
    };
    let passed = report.iter().filter(|(_, outcome)| **outcome == Outcome::Passed);
    Difference {
        lost: golden.iter().filter(lost).cloned().collect(),
        gained: passed.map(|(name, _)| name).filter(|n| !golden.contains(*n)).cloned().collect(),
    }
}

/// Adds what was gained to the list at `path`. Nothing is ever taken from it.
pub(super) fn update(path: &Path, golden: &BTreeSet<String>, report: &Report) -> Result<()> {
    let passed = report.iter().filter(|(_, outcome)| **outcome == Outcome::Passed);
    let all: BTreeSet<&String> = golden.iter().chain(passed.map(|(name, _)| name)).collect();
    let text: String = all.iter().map(|name| format!("{name}\n")).collect();
    write(path, text)
}

/// Counts of one kind of test.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) errors: u64,
    pub(super) skipped: u64,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.errors,
        };
        *count += 1;
    }
}

/// The counts of a lane: an error is a failure there.
impl From<Tally> for Counts {
    fn from(tally: Tally) -> Self {
        let failed = tally.failed + tally.errors;
        Self { passed: tally.passed, failed, skipped: tally.skipped }
    }
}

/// A table of all kinds, those with most to do first, and the sum.
pub(super) fn table(report: &Report) -> (String, Tally) {
    let mut sum = Tally::default();
    let mut kinds: BTreeMap<String, Tally> = BTreeMap::new();
    for (name, outcome) in report {
        kinds.entry(kind(name)).or_default().add(*outcome);
        sum.add(*outcome);
    }
    let mut rows: Vec<(String, Tally)> = kinds.into_iter().collect();
    rows.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.failed + tally.errors));
    let mut text = format!(
        "{:<44} {:>6} {:>6} {:>6} {:>7}\n",
        "kind", "passed", "failed", "errors", "skipped"
    );
    rows.push(("all".to_owned(), sum));
    for (kind, Tally { passed, failed, errors, skipped }) in rows {
        let _ = writeln!(text, "{kind:<44} {passed:>6} {failed:>6} {errors:>6} {skipped:>7}");
    }
    (text, sum)
}

/// What a test is about: its module, and, where one module holds a whole suite, the first two words of
/// its own name.
pub(super) fn kind(name: &str) -> String {
    let (class, test) = name.rsplit_once("::").unwrap_or(("", name));
    let module = class.split('.').find_map(|part| part.strip_prefix("test_")).unwrap_or(class);
    if !matches!(module, "s3" | "headers") {
        return module.to_owned();
    }
    let words = test.strip_prefix("test_").unwrap_or(test);
    let words = words.split('[').next().unwrap_or_default();
    words.split('_').take(2).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests;
