//! What a check found, in words, and how it is shown: each on one line, whatever is in it.

use std::process::ExitCode;

use anyhow::Result;
use terms::visible;

use crate::output;

/// Defects beyond this many are counted and not listed.
const DEFECTS_MAX: usize = 100;

/// What was found: how much was checked, what is thereby proven, and every defect in words.
#[derive(Debug, Default)]
pub struct Findings {
    /// Lines for a person: what was checked.
    pub checked: Vec<String>,
    /// What is proven where there is no defect.
    pub proven: Vec<String>,
    /// What is wrong; empty where all is well.
    pub defects: Vec<String>,
    unlisted: u64,
}

impl Findings {
    /// Adds a line of what was checked, under a label of at most nine letters.
    pub(crate) fn checked(&mut self, label: &str, what: impl std::fmt::Display) {
        self.checked.push(format!("{label:<10}{what}"));
    }

    /// Adds a defect; from some number on they are only counted.
    pub(crate) fn defect(&mut self, what: impl Into<String>) {
        if self.defects.len() < DEFECTS_MAX {
            self.defects.push(what.into());
        } else {
            self.unlisted += 1;
        }
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.defects.is_empty()
    }
}

/// Prints the findings; the exit code says whether all is well.
///
/// # Errors
/// Where stdout does not take it.
pub fn show(findings: &Findings) -> Result<ExitCode> {
    for line in &findings.checked {
        output::line(visible(line))?;
    }
    for defect in &findings.defects {
        output::line(format_args!("DEFECT    {}", visible(defect)))?;
    }
    if findings.unlisted > 0 {
        output::line(format_args!("DEFECT    and {} more", output::count(findings.unlisted)))?;
    }
    if findings.is_sound() {
        for line in &findings.proven {
            output::line(format_args!("verified  {}", visible(line)))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let count = u128::from(findings.unlisted) + findings.defects.len() as u128;
    let defects = if count == 1 { "defect" } else { "defects" };
    output::line(format_args!(
        "REFUSED   {} {defects}: this is not what was promised",
        output::count(count)
    ))?;
    Ok(ExitCode::FAILURE)
}
