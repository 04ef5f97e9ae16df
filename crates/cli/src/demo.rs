//! `awan demo pemilu`: shows the cloud doing its main job on real data. The election commission (KPU)
//! becomes a tenant, an officer uploads Indonesia's 2024 election data through OSS, an observer lists it
//! and reads every byte back through S3, and both are refused what they may not do. Every number that
//! is shown is counted, and the exit code is 1 where one is not what it must be. It may be run again.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use crate::api::{self, Api};
use crate::http::Http;
use crate::object::{Body, Dialect, Store};
use crate::output;
use crate::profile::{PlaceArgs, Profile};
use crate::{audit, bill, usage, verify};

mod archive;
mod census;
mod covenant;
mod guide;
mod tenant;
mod transfer;

pub use archive::{Archives, Entry};

use census::{Census, EXPECTED};
use tenant::Tenant;
use transfer::Sent;

/// Reads are metered within a second or so; looks at the usage, and the time between two.
const SETTLE_LOOKS: usize = 5;
const SETTLE_WAIT: Duration = Duration::from_millis(1500);
/// Files that go the other way too: written through S3, read through OSS.
const CROSS_FILES: usize = 300;
/// Of the audit trail, so many of the newest entries are looked for in the log.
const TRAIL_ENTRIES: usize = 500;
/// A trail that is longer is counted up to here.
const AUDIT_ENTRIES_MAX: usize = 1_000_000;

/// Arguments of `awan demo`.
#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    #[command(subcommand)]
    what: Demo,
}

#[derive(Clone, Debug, Subcommand)]
enum Demo {
    /// Indonesia's 2024 election data: stored through OSS, read back through S3, every byte compared
    #[command(after_help = "Example: awan demo pemilu --data-dir ./cloud")]
    Pemilu(PemiluArgs),
}

#[derive(Clone, Debug, Args)]
struct PemiluArgs {
    /// Directory with the packed data [env: AWAN_EXAMPLES]
    #[arg(long, value_name = "DIR")]
    archives: Option<PathBuf>,
    /// Connections to use at once
    #[arg(long, short, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Only the first N files, for a quick look
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Keep what an earlier run stored: files that stand in the bucket with the same MD5 are not sent
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs the demonstration.
///
/// # Errors
/// Where a step fails: nothing is skipped over.
pub fn run(args: &DemoArgs) -> Result<ExitCode> {
    let Demo::Pemilu(args) = &args.what;
    pemilu(args)
}

fn pemilu(args: &PemiluArgs) -> Result<ExitCode> {
    let archives = Archives::find(args.archives.as_deref())?;
    archives.check_sums()?;
    let profile = Profile::resolve(&args.place)?;
    let http = Http::new(&profile, args.jobs.into())?;

    step(1, "sign in as the operator");
    let root = Api::new(&http, &profile)?;
    let identity = root.call(api::STS, "GetCallerIdentity", &[]).context("sign in")?;
    output::talk(format_args!("   {}", output::plain(&identity["Arn"])));

    step(2, "the tenant KPU: its agreement, an officer who may write and an observer who may read");
    let keys = covenant::directory(&profile).join("demo-keys.json");
    let tenant = Tenant::prepare(&http, &profile, keys)?;
    output::talk(format_args!("   account {}, bucket {}", tenant.account_id, tenant.bucket));

    let demo = Pemilu {
        http,
        archives,
        tenant,
        jobs: args.jobs.into(),
        limit: args.limit.unwrap_or(usize::MAX),
    };
    let (census, sent) = demo.store_and_read(args.keep)?;
    demo.refusals()?;
    demo.account_for(&profile, &census, &sent)
}

fn step(number: u8, what: &str) {
    output::talk(format_args!("{number}. {what}"));
}

/// The demonstration, once its tenant is there.
struct Pemilu {
    http: Http,
    archives: Archives,
    tenant: Tenant,
    jobs: usize,
    limit: usize,
}

impl Pemilu {
    fn store(&self, who: &Profile, dialect: Dialect) -> Result<Store> {
        Store::new(&self.http, who, dialect)
    }

    fn store_and_read(&self, keep: bool) -> Result<(Census, BTreeMap<String, Sent>)> {
        let (officer, observer) = (&self.tenant.officer, &self.tenant.observer);
        let bucket = self.tenant.bucket.as_str();
        let reader = self.store(observer, Dialect::S3)?;

        step(3, "the officer stores the data through OSS");
        let there = if keep { transfer::list(&reader, bucket)? } else { BTreeMap::new() };
        let writer = self.store(officer, Dialect::Oss)?;
        let (census, sent) =
            transfer::upload(&writer, bucket, &self.archives, self.limit, self.jobs, &there)?;

        step(4, "the observer lists the bucket through S3 and reads every byte back");
        let listed = transfer::list(&reader, bucket)?;
        transfer::compare_listing(&sent, &listed)?;
        output::talk(format_args!(
            "   the listing has all {} files with their MD5",
            output::count(sent.len() as u64)
        ));
        transfer::read_back(&reader, bucket, &sent, self.jobs)?;

        step(5, "the other way round: written through S3, read through OSS");
        let pair = (&self.store(officer, Dialect::S3)?, &self.store(observer, Dialect::Oss)?);
        transfer::cross(pair, bucket, &self.archives, CROSS_FILES.min(self.limit), self.jobs)?;
        Ok((census, sent))
    }

    /// What must not work: the observer writes, the officer reads.
    fn refusals(&self) -> Result<()> {
        step(6, "what is not allowed is refused");
        let bucket = self.tenant.bucket.as_str();
        for dialect in [Dialect::Oss, Dialect::S3] {
            let writes = self.store(&self.tenant.observer, dialect)?.put(
                bucket,
                "tps/forged.json",
                Body::Bytes(b"{}"),
                None,
            );
            refused(&format!("the observer writes through {dialect}"), writes.map(drop))?;
            let reads = self.store(&self.tenant.officer, dialect)?.get(
                bucket,
                "wilayah/pemilu/ppwp/0.json",
                &mut io::sink(),
            );
            refused(&format!("the officer reads through {dialect}"), reads.map(drop))?;
        }
        covenant::try_abroad(&self.http, &self.tenant.owner, bucket)
    }

    /// Shows what was counted, used and recorded, and checks the log.
    fn account_for(
        &self,
        profile: &Profile,
        census: &Census,
        sent: &BTreeMap<String, Sent>,
    ) -> Result<ExitCode> {
        step(7, "what was counted, from the JSON itself");
        show(&["Counted", "Number"], &census.rows())?;
        let whole = sent.len() as u64 == EXPECTED.region_files + EXPECTED.raw_files;
        if whole && *census != EXPECTED {
            bail!("the numbers are not those of the data set's README: {census:?}");
        }

        step(8, "what it used, and who did it");
        let tenant = Api::new(&self.http, &self.tenant.owner)?;
        let used = settled_usage(&tenant).context("list the usage")?.into_iter();
        let used: Vec<Vec<String>> = used
            .map(|((resource, meter), quantity)| vec![resource, meter, quantity.to_string()])
            .collect();
        show(&["Resource", "Meter", "Quantity"], &used)?;
        let mut actions: BTreeMap<(String, String), u64> = BTreeMap::new();
        let counted = audit::read(&tenant, AUDIT_ENTRIES_MAX, |entry| {
            *actions
                .entry((output::plain(&entry["Action"]), output::plain(&entry["Outcome"])))
                .or_default() += 1;
        });
        counted.context("list the audit trail")?;
        let rows = actions.into_iter();
        let rows: Vec<Vec<String>> = rows
            .map(|((action, outcome), times)| vec![action, outcome, output::count(times)])
            .collect();
        show(&["Audited action", "Outcome", "Entries"], &rows)?;

        step(9, "what it costs, by the agreement's prices");
        bill::overview(&self.http, &self.tenant.owner)?;

        step(10, "the log, both parties' signatures, and where every file lies");
        let code = self.verify(profile, &tenant)?;
        guide::show(profile, &self.tenant)?;
        Ok(code)
    }

    fn verify(&self, profile: &Profile, tenant: &Api) -> Result<ExitCode> {
        if profile.cloud.as_ref().is_none_or(|(_, cloud)| cloud.log_key.is_none()) {
            output::talk(
                "   the log is not verified: its key is in the cloud.json of a --data-dir",
            );
            return Ok(ExitCode::SUCCESS);
        }
        let log = verify::open(profile, None, None)?;
        let mut findings = verify::check(&log);
        verify::check_trail(tenant, &log, TRAIL_ENTRIES, &mut findings)?;
        verify::check_tenant(profile, &log, &self.tenant.account_id, &mut findings)?;
        verify::show(&findings)
    }
}

/// What the account used, once the cloud has written down the reads of the last second: when what
/// happened (not what exists, which goes on growing) is the same in two looks.
fn settled_usage(tenant: &Api) -> Result<BTreeMap<(String, String), i64>, crate::error::Error> {
    let happened = |totals: &BTreeMap<(String, String), i64>| {
        let counts = totals.iter().filter(|((_, meter), _)| meter != "oss.storage");
        counts.map(|(_, quantity)| *quantity).collect::<Vec<_>>()
    };
    let mut totals = usage::totals(&usage::read(tenant, &[])?);
    for _ in 0..SETTLE_LOOKS {
        std::thread::sleep(SETTLE_WAIT);
        let before = std::mem::replace(&mut totals, usage::totals(&usage::read(tenant, &[])?));
        if happened(&before) == happened(&totals) {
            break;
        }
    }
    Ok(totals)
}

/// Passes only where the cloud answered 403.
fn refused(what: &str, done: Result<(), crate::error::Error>) -> Result<()> {
    match done {
        Ok(()) => bail!("{what}, and it was allowed"),
        Err(error) if error.status() == Some(403) => {
            output::talk(format_args!("   {what}: {}", error.code().unwrap_or_default()));
            Ok(())
        }
        Err(error) => Err(error).context(format!("{what}: this should be refused with 403")),
    }
}

fn show(headings: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", output::table(headings, rows))?;
    Ok(())
}

#[cfg(test)]
mod tests;
