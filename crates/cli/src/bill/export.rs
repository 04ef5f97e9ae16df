//! `awan bill export`: what a month's bill is made of, as files for other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use clap::Args;
use serde::Serialize;

use super::month::Month;
use super::{Account, books};
use crate::api;
use crate::output;

/// Arguments of `awan bill export`.
#[derive(Clone, Debug, Args)]
#[group(id = "files", required = true, multiple = true, args = ["focus", "usage", "lines"])]
pub(super) struct ExportArgs {
    /// The month; the current one unless given
    #[arg(long, value_name = "MONTH", value_parser = Month::parse)]
    month: Option<Month>,
    /// The bill as FOCUS 1.2 rows (CSV)
    #[arg(long, value_name = "FILE")]
    focus: Option<PathBuf>,
    /// What was used, by hour, resource and meter (JSON)
    #[arg(long, value_name = "FILE")]
    usage: Option<PathBuf>,
    /// The bill, its lines and the daily commitments to them (JSON)
    #[arg(long, value_name = "FILE")]
    lines: Option<PathBuf>,
}

/// Writes the files.
///
/// # Errors
/// Where the cloud refuses, or a file cannot be written.
pub(super) fn run(args: &ExportArgs, account: &Account) -> Result<()> {
    let month = args.month.clone().unwrap_or_else(|| Month::of(SystemClock.now()));
    let written = |file: &Path, what: &str, count: usize| {
        let count = output::count(count as u64);
        output::talk(format_args!(
            "{count} {what} of {} are in {}",
            month.as_str(),
            file.display()
        ));
    };
    if let Some(file) = &args.usage {
        let usage = books::usage(&account.api, &month)?;
        write_json(file, &usage)?;
        written(file, "usage lines", usage.len());
    }
    if let Some(file) = &args.lines {
        let bill = books::fetch(&account.api, &month)?;
        write_json(file, &bill)?;
        written(file, "bill lines", bill.lines.len());
    }
    if let Some(file) = &args.focus {
        let rows = focus(account, &month, file)?;
        written(file, "FOCUS rows", rows);
    }
    Ok(())
}

/// Writes the pages of the CSV one after the other; answers how many rows there are.
fn focus(account: &Account, month: &Month, file: &Path) -> Result<usize> {
    let mut out = create(file)?;
    let (mut rows, mut wrote) = (0, Ok(()));
    let params = [("Month", month.as_str())];
    let read = api::pages(&account.api, api::AWAN, "ExportFocus", &params, |page| {
        let csv = page["Csv"].as_str().unwrap_or_default();
        rows += csv.lines().count();
        wrote = out.write_all(csv.as_bytes());
        if wrote.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    read.context("export the bill")?;
    wrote.and_then(|()| out.flush()).with_context(|| format!("write {}", file.display()))?;
    // The first names the columns.
    Ok(rows.saturating_sub(1))
}

fn write_json(file: &Path, value: &impl Serialize) -> Result<()> {
    let mut out = create(file)?;
    serde_json::to_writer_pretty(&mut out, value)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .with_context(|| format!("write {}", file.display()))
}

fn create(file: &Path) -> Result<BufWriter<File>> {
    let created = File::create(file).with_context(|| format!("write {}", file.display()))?;
    Ok(BufWriter::new(created))
}
