//! `awan verify`: checks the public transparency log without trusting its operator. Needs nothing but
//! the log's files and its key; remembers what it saw, so that the log cannot change its past.
//!
//! | module | answers |
//! |---|---|
//! | [`log`] | where the log is, its entries in order |
//! | [`memory`] | does it continue what was seen before |
//! | [`receipt`] | is this entry in it (without a network) |
//! | [`trail`] | are the account's own audit entries in it |
//! | [`history`] [`agreements`] | which agreements bound whom, when |
//! | [`placements`] | does all data of a tenant lie where it may |
//! | [`bill`] | does a bill follow from usage and published prices |
//! | [`leaf`] [`documents`] [`findings`] | what they share |
//!
//! Every answer but the trail and the bill is a function of public things alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use tlog::policy::Policy;
use tlog::{Checkpoint, Note, Verifier};

use crate::api::Api;
use crate::http::Http;
use crate::output;
use crate::profile::{PlaceArgs, Profile};

mod agreements;
pub(crate) mod bill;
pub(crate) mod documents;
mod findings;
pub(crate) mod history;
pub(crate) mod leaf;
mod log;
mod memory;
mod placements;
pub(crate) mod receipt;
mod trail;

pub use findings::{Findings, show};
pub use log::{Log, Refused, open, verifier};
pub use trail::check_trail;

use documents::Documents;
use history::Histories;
use memory::Memory;

/// Arguments of `awan verify`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:\n  awan verify --data-dir ./cloud\n  \
    awan verify --log https://portal.awan.example/log --log-key awan.example+1a2b3c4d+AbC… --policy witnesses.txt\n  \
    awan verify --receipt 5D1F….tlog-proof --log-key awan.example+1a2b3c4d+AbC…\n  \
    awan verify --agreements --placements 1234567890123456 --country ID --data-dir ./cloud\n  \
    awan verify --bill 2026-11 --data-dir ./cloud\n  \
    awan verify --bill 2026-11 --usage usage.json --bill-file lines.json --log ./mirror --log-key …\n\n\
    The exit code is 1 where anything is not what was promised; every defect is named.")]
pub struct VerifyArgs {
    #[command(flatten)]
    log: LogArgs,
    /// Check one receipt, without a network: needs the file and the log's key
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trail", "agreements", "placements", "bill", "seen"])]
    receipt: Option<PathBuf>,
    /// Which witnesses must have cosigned the checkpoint (tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Remember the checkpoint in this file, and hold the log against the one that is in it
    #[arg(long, value_name = "FILE", conflicts_with = "no_memory")]
    seen: Option<PathBuf>,
    /// Neither remember the checkpoint nor hold the log against the last one seen
    #[arg(long)]
    no_memory: bool,
    /// Also look for the newest N audit entries of the account in the log
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1000")]
    trail: Option<usize>,
    /// Check every agreement in the log, or those of one account or process
    #[arg(long, value_name = "ACCOUNT|OCID", num_args = 0..=1, default_missing_value = "")]
    agreements: Option<String>,
    /// Check that every placement of this account lies where its agreement allowed
    #[arg(long, value_name = "ACCOUNT")]
    placements: Option<String>,
    /// The one country in which all placements must lie, instead of what the agreement says
    #[arg(long, value_name = "ID", requires = "placements", value_parser = country)]
    country: Option<String>,
    #[command(flatten)]
    bill: bill::BillArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Which log, for all verbs that read one.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LogArgs {
    /// The log's files: a directory or an address; of the data directory unless given
    #[arg(long, value_name = "DIR|URL")]
    pub log: Option<String>,
    /// The log's key; of cloud.json unless given
    #[arg(long, value_name = "KEY")]
    pub log_key: Option<String>,
    /// The documents that the log names: a directory or an address; beside the log unless given
    #[arg(long, value_name = "DIR|URL")]
    pub documents: Option<String>,
}

impl LogArgs {
    /// Opens the log.
    ///
    /// # Errors
    /// As [`open`].
    pub fn open(&self, profile: &Profile) -> Result<Log> {
        open(profile, self.log.as_deref(), self.log_key.as_deref())
    }

    /// Where the documents are.
    ///
    /// # Errors
    /// As [`Documents::find`].
    pub fn documents(&self, profile: &Profile) -> Result<Documents> {
        Documents::find(profile, self.documents.as_deref(), self.log.as_deref())
    }
}

fn country(text: &str) -> Result<String, String> {
    let is_code = text.len() == 2 && text.chars().all(|c| c.is_ascii_alphabetic());
    if is_code {
        Ok(text.to_ascii_uppercase())
    } else {
        Err("a country is two letters, as ID".to_owned())
    }
}

/// Checks what was asked for and says what was checked.
///
/// # Errors
/// Where the log, its key or another file cannot be found. What is wrong with what is found is no
/// error but a defect: it is printed, and the exit code is 1.
pub fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let profile = Profile::resolve(&args.place)?;
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let mut findings = Findings::default();
    if let Some(file) = &args.receipt {
        check_receipt(args, &profile, policy.as_ref(), file, &mut findings)?;
        return show(&findings);
    }
    let log = match args.log.open(&profile) {
        Ok(log) => log,
        Err(error) if error.is::<Refused>() => {
            findings.defect(format!("{error:#}"));
            return show(&findings);
        }
        Err(error) => return Err(error),
    };
    let mut findings = check(&log);
    if let Some(policy) = &policy {
        receipt::cosigners(&log.note(), Some(policy), &mut findings);
    }
    if !args.no_memory {
        let memory = match &args.seen {
            Some(file) => Memory::in_file(file, log.key()),
            None => Memory::of_user(log.key()),
        };
        memory?.check(&log, &mut findings)?;
    }
    questions(args, &profile, &log, &mut findings)?;
    show(&findings)
}

/// What was asked besides whether the log is sound.
fn questions(
    args: &VerifyArgs,
    profile: &Profile,
    log: &Log,
    findings: &mut Findings,
) -> Result<()> {
    if let Some(limit) = args.trail {
        let api = Api::new(&Http::new(profile, 1)?, profile)?;
        check_trail(&api, log, limit, findings)?;
    }
    // Where one country is asked about, the agreements' own defects do not matter.
    let by_agreement = args.placements.is_some() && args.country.is_none();
    let histories = if args.agreements.is_some() || by_agreement || args.bill.is_asked() {
        Histories::read(log, &args.log.documents(profile)?, findings)
    } else {
        Histories::default()
    };
    if let Some(wanted) = &args.agreements {
        agreements::check(&histories, wanted, findings);
    }
    if let Some(tenant) = &args.placements {
        placements::check(log, &histories, tenant, args.country.as_deref(), findings);
    }
    bill::check(&args.bill, profile, log, &histories, findings)
}

/// Checks an account's agreements, and that all its data lies where they allowed.
///
/// # Errors
/// Where it is not known where the documents are.
pub fn check_tenant(
    profile: &Profile,
    log: &Log,
    account: &str,
    findings: &mut Findings,
) -> Result<()> {
    let histories = Histories::read(log, &LogArgs::default().documents(profile)?, findings);
    agreements::check(&histories, account, findings);
    placements::check(log, &histories, account, None, findings);
    Ok(())
}

/// Checks every entry and tile against the signed checkpoint.
pub fn check(log: &Log) -> Findings {
    let checkpoint = log.checkpoint();
    let audit = log.reader.verify_all();
    let mut findings = Findings::default();
    findings.checked("log", &checkpoint.origin);
    findings.checked(
        "signature",
        format_args!(
            "the checkpoint of {} entries is signed by the log's key",
            output::count(checkpoint.size)
        ),
    );
    findings.checked("root", checkpoint.root);
    findings.checked(
        "entries",
        format_args!(
            "{} checked in {} files",
            output::count(audit.entries),
            output::count(audit.files)
        ),
    );
    for fault in &audit.faults {
        findings.defect(fault.to_string());
    }
    if audit.unlisted > 0 {
        findings.defect(format!("and {} more in the log's files", output::count(audit.unlisted)));
    }
    findings.proven.push("the log is what its checkpoint promises".to_owned());
    findings
}

fn check_receipt(
    args: &VerifyArgs,
    profile: &Profile,
    policy: Option<&Policy>,
    file: &Path,
    findings: &mut Findings,
) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let receipt = receipt::read(&bytes)?;
    let note = &receipt.0.checkpoint;
    let key = match policy.and_then(|policy| key_in(policy, note)) {
        Some(key) if args.log.log_key.is_none() => key,
        _ => verifier(profile, args.log.log_key.as_deref())?,
    };
    let trust = receipt::Trust { key: &key, policy };
    if let (Some(checkpoint), false) = (receipt::check(&receipt, &trust, findings), args.no_memory)
    {
        Memory::of_user(&key)?.check_alone(note, &checkpoint, &key, findings)?;
    }
    Ok(())
}

/// The key of the log that a checkpoint claims to be of, where the policy knows it.
fn key_in(policy: &Policy, note: &Note) -> Option<Verifier> {
    let origin = Checkpoint::parse(note.text()).ok()?.origin;
    let mut keys = policy.logs().iter().map(|log| &log.key);
    keys.find(|key| key.name() == origin).cloned()
}

fn read_policy(file: &Path) -> Result<Policy> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    Policy::parse(&bytes).with_context(|| format!("{} is not a policy", file.display()))
}

#[cfg(test)]
mod tests;
