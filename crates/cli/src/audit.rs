//! `awan audit`: what was done in the account, by whom, newest first. Whether the public log has it
//! too is checked by `awan verify --trail`.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::api::{self, Api};
use crate::error::Error;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{PlaceArgs, Profile};

/// What one page may hold, the most that the action gives.
const PAGE_MAX: usize = 1000;

/// Arguments of `awan audit`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: awan audit --limit 20 --data-dir ./cloud")]
pub struct AuditArgs {
    /// How many entries to show
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Shows the newest entries of the account's audit trail.
///
/// # Errors
/// Where the cloud refuses.
pub fn run(args: &AuditArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
    let mut entries = Vec::new();
    let read = read(&api, args.limit, |entry| entries.push(entry.clone()));
    read.context("list the audit trail")?;
    let fields = ["At", "Action", "Outcome", "Resource", "Principal", "SourceIp", "LogIndex"];
    Ok(output::listing(args.output, &fields, &entries)?)
}

/// Calls `each` with the newest `limit` entries, newest first, one page in memory at a time.
///
/// # Errors
/// As [`Error`].
pub fn read(api: &Api, limit: usize, mut each: impl FnMut(&Value)) -> Result<(), Error> {
    let mut left = limit;
    let size = limit.clamp(1, PAGE_MAX).to_string();
    api::pages(api, api::AWAN, "ListAuditEntries", &[("MaxResults", &size)], |page| {
        for entry in api::items(page).iter().take(left) {
            each(entry);
            left -= 1;
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}
