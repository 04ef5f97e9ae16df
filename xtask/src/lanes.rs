//! Lanes: the parts of a test run, each with what its runner counted. The summary adds them up.
//! A runner that fails without counting a failure counts as one, so that no failure is lost.

use std::fmt::{self, Write as _};
use std::ops::AddAssign;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Result, process, workspace};

/// What a runner counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The closing line, in the form that test dashboards read.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 {
            write!(f, ", {} skipped", self.skipped)?;
        }
        Ok(())
    }
}

/// Whose closing line is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Runner {
    /// `cargo test`: one `test result:` line for each binary.
    Cargo,
    /// `cargo nextest run`: a `Summary` line.
    Nextest,
    /// `pytest`: its last line.
    Pytest,
    /// `node --test` with the spec reporter: one line for each word.
    Node,
    /// A script of ours, which closes with the line that [`Counts`] prints.
    Script,
    /// A program that tells only by its exit code: one test.
    Plain,
}

impl Runner {
    fn count(self, heard: &str) -> Counts {
        match self {
            Self::Cargo => sum(heard, |line| line.starts_with("test result:")),
            Self::Nextest => sum(heard, |line| line.contains(" tests run: ")),
            Self::Pytest => heard.lines().rev().find(|line| is_pytest_end(line)).map_or_else(
                Counts::default,
                |line| {
                    let mut counts = words_after_numbers(line);
                    counts.failed += number_before(line, "error");
                    counts
                },
            ),
            Self::Node => Counts {
                passed: node_count(heard, "pass"),
                failed: node_count(heard, "fail"),
                skipped: node_count(heard, "skipped"),
            },
            Self::Script => heard.lines().next_back().map(words_after_numbers).unwrap_or_default(),
            Self::Plain => Counts { passed: 1, ..Counts::default() },
        }
    }
}

fn sum(heard: &str, is_closing: impl Fn(&str) -> bool) -> Counts {
    let mut all = Counts::default();
    heard.lines().filter(|line| is_closing(line.trim_start())).for_each(|line| {
        all += words_after_numbers(line);
    });
    all
}

fn words_after_numbers(line: &str) -> Counts {
    Counts {
        passed: number_before(line, "passed"),
        failed: number_before(line, "failed"),
        skipped: number_before(line, "skipped") + number_before(line, "ignored"),
    }
}

/// The number in front of a word such as `passed`, which punctuation or a plural may follow.
fn number_before(line: &str, word: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let pair = words.windows(2).find(|pair| pair[1].starts_with(word));
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

fn is_pytest_end(line: &str) -> bool {
    let counted = ["passed", "failed", "error", "skipped", "deselected", "no tests ran"];
    line.contains(" in ") && counted.iter().any(|word| line.contains(word))
}

fn node_count(heard: &str, word: &str) -> u64 {
    let closing = |line: &str| {
        let rest = line.trim_start_matches(['ℹ', '#', ' ']);
        rest.strip_prefix(word)?.trim().parse::<u64>().ok()
    };
    heard.lines().rev().find_map(closing).unwrap_or(0)
}

enum Outcome {
    Ran(Counts),
    Skipped(String),
    Broken(String),
}

/// All lanes of a run, in the order in which they were run.
#[derive(Default)]
pub(crate) struct Lanes {
    lanes: Vec<(String, Outcome, Duration)>,
}

impl Lanes {
    /// Runs a test runner as a lane and shows what it says.
    pub(crate) fn run(&mut self, name: &str, runner: Runner, command: &mut Command) {
        self.add(name, || {
            let (succeeded, heard) = process::tee(command)?;
            let mut counts = runner.count(&heard);
            if !succeeded && counts.failed == 0 {
                counts = Counts { failed: 1, ..counts };
                if matches!(runner, Runner::Plain) {
                    counts.passed = 0;
                }
            }
            Ok(counts)
        });
    }

    /// Adds a lane that does its own counting; an error is a failure of the lane.
    pub(crate) fn add(&mut self, name: &str, work: impl FnOnce() -> Result<Counts>) {
        eprintln!("\n== {name}");
        let start = Instant::now();
        let outcome = work().map_or_else(Outcome::Broken, Outcome::Ran);
        if let Outcome::Broken(why) = &outcome {
            eprintln!("{name}: {why}");
        }
        self.lanes.push((name.to_owned(), outcome, start.elapsed()));
    }

    /// Notes that a lane could not be run, and why. In an automated run that is a failure.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        eprintln!("\n== {name}: skipped: {why}");
        self.lanes.push((name.to_owned(), Outcome::Skipped(why.to_owned()), Duration::ZERO));
    }

    /// Prints what every lane came to, then the sum alone on the last line.
    /// Whether nothing failed and something passed.
    pub(crate) fn conclude(&self) -> bool {
        let (table, total) = self.summary(workspace::in_ci());
        println!("\n{table}{total}");
        total.failed == 0 && total.passed > 0
    }

    fn summary(&self, in_ci: bool) -> (String, Counts) {
        let mut table = String::new();
        let mut total = Counts::default();
        for (name, outcome, took) in &self.lanes {
            let (counts, remark) = match outcome {
                Outcome::Ran(counts) => (*counts, String::new()),
                Outcome::Skipped(why) if in_ci => {
                    (Counts { failed: 1, ..Counts::default() }, format!("not run: {why}"))
                }
                Outcome::Skipped(why) => {
                    (Counts { skipped: 1, ..Counts::default() }, format!("skipped: {why}"))
                }
                Outcome::Broken(why) => {
                    let first = why.lines().next().unwrap_or_default();
                    (Counts { failed: 1, ..Counts::default() }, format!("broken: {first}"))
                }
            };
            total += counts;
            let said = if remark.is_empty() { counts.to_string() } else { remark };
            let _ = writeln!(table, "{name:<38} {:>6.1} s  {said}", took.as_secs_f64());
        }
        (table, total)
    }
}

#[cfg(test)]
mod tests;
