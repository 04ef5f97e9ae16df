//! `--trail`: the account's own audit entries are in the log, each where its row says.

use anyhow::{Context, Result};
use serde_json::Value;

use super::findings::Findings;
use super::leaf::Leaf;
use super::log::Log;
use crate::api::Api;
use crate::output;

/// Looks for the newest audit entries of the account in the log: each row's statement and salt must
/// open the commitment of the public entry at its place.
///
/// # Errors
/// Where the trail cannot be read.
pub fn check_trail(api: &Api, log: &Log, limit: usize, findings: &mut Findings) -> Result<()> {
    let size = log.checkpoint().size;
    let (mut proven, mut waiting) = (0_u64, 0_u64);
    let read = crate::audit::read(api, limit, |entry| match entry["LogIndex"].as_u64() {
        // Entries younger than the checkpoint are published with the next one.
        None => waiting += 1,
        Some(index) if index >= size => waiting += 1,
        Some(index) => match opens(log, index, entry) {
            Ok(_) => proven += 1,
            Err(why) => findings.defect(format!(
                "audit entry of request {}: {why}",
                output::plain(&entry["RequestId"])
            )),
        },
    });
    read.context("list the audit trail")?;
    findings.checked(
        "trail",
        format_args!(
            "{} audit entries are in the log, {} wait for the next checkpoint",
            output::count(proven),
            output::count(waiting)
        ),
    );
    Ok(())
}

/// The entry at a place of the log, where a row's statement and salt open it.
pub(super) fn opens(log: &Log, index: u64, row: &Value) -> Result<Leaf, String> {
    let leaf = log.reader.entry(index).map_err(|error| error.to_string())?;
    let leaf = Leaf::parse(&leaf).map_err(|why| format!("entry {index}: {why}"))?;
    let (Some(statement), Some(salt)) = (row["Statement"].as_str(), row["Salt"].as_str()) else {
        return Err("the row lacks its statement or its salt".to_owned());
    };
    if leaf.is_opened_by(statement, salt) {
        Ok(leaf)
    } else {
        Err(format!("entry {index} of the log commits to something else"))
    }
}
