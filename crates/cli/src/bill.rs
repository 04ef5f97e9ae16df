//! `awan bill`: what the account's use costs, and why. Amounts are the cloud's micro-units, shown whole;
//! that they follow from usage and the agreement is checked by `awan verify --bill`.
//!
//! | module | owns |
//! |---|---|
//! | [`overview`] | this hour, today, this month, the forecast |
//! | [`show`] [`why`] | a month by product and resource; one line, step by step |
//! | [`export`] [`books`] | usage, lines and FOCUS as files, and reading them again |
//! | [`page`] | a bill to print |
//! | [`budget`] | alarms, and payments |
//! | [`month`] [`money`] | what they share |

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::api::{self, Api};
use crate::http::Http;
use crate::profile::{PlaceArgs, Profile};

pub(crate) mod books;
mod budget;
mod export;
pub(crate) mod money;
pub(crate) mod month;
mod overview;
mod page;
mod show;
mod why;

/// Arguments of `awan bill`.
#[derive(Clone, Debug, Args)]
pub struct BillArgs {
    #[command(subcommand)]
    what: Option<Bill>,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Bill {
    /// Show a month by product, resource and item, with unit prices
    #[command(
        after_help = "Examples:\n  awan bill show --data-dir ./cloud\n  awan bill show 2026-11 --output json"
    )]
    Show(show::ShowArgs),
    /// Explain a line, or what a resource cost last, step by step
    #[command(
        after_help = "Examples:\n  awan bill why pemilu2024 --data-dir ./cloud\n  awan bill why 4711 --month 2026-11"
    )]
    Why(why::WhyArgs),
    /// Write usage, bill lines or FOCUS 1.2 rows into files
    #[command(
        after_help = "Examples:\n  awan bill export --month 2026-11 --usage usage.json --lines lines.json --data-dir ./cloud\n  \
        awan bill export --month 2026-11 --focus focus.csv\n\n\
        `awan verify --bill MONTH --usage FILE --bill-file FILE` checks the two files without the cloud."
    )]
    Export(export::ExportArgs),
    /// Write a bill as one HTML page to read, print or keep
    #[command(
        after_help = "Example: awan bill page --month 2026-11 --lang id -o tagihan.html --data-dir ./cloud"
    )]
    Page(page::PageArgs),
    /// Alarms where a month costs more than it should
    Budget(budget::BudgetArgs),
    /// Record what a tenant paid, or a credit (operator)
    #[command(
        after_help = "Example: awan bill pay 1234567890123456 1500000 --reference BANK-2026-0815 --data-dir ./cloud\n\n\
        The same reference twice is one payment."
    )]
    Pay(budget::PayArgs),
}

/// Does what the verb says; without one it gives the overview.
///
/// # Errors
/// Where the cloud refuses, or a file cannot be written.
pub fn run(args: &BillArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let books = Account { api: Api::new(&Http::new(&profile, 1)?, &profile)?, profile };
    match &args.what {
        None => overview::run(&books),
        Some(Bill::Show(args)) => show::run(args, &books),
        Some(Bill::Why(args)) => why::run(args, &books),
        Some(Bill::Export(args)) => export::run(args, &books),
        Some(Bill::Page(args)) => page::run(args, &books),
        Some(Bill::Budget(args)) => budget::run(args, &books),
        Some(Bill::Pay(args)) => budget::pay(args, &books),
    }
}

/// Shows what an account's use has cost so far.
///
/// # Errors
/// Where the cloud refuses.
pub(crate) fn overview(http: &Http, profile: &Profile) -> Result<()> {
    overview::run(&Account { api: Api::new(http, profile)?, profile: profile.clone() })
}

/// The account that asks.
struct Account {
    profile: Profile,
    api: Api,
}

impl Account {
    /// A month's bill; grouped as asked, with all its groups. The current month unless named.
    fn bill(&self, month: Option<&str>, group_by: &str) -> Result<Value> {
        books::bill(&self.api, month, group_by)
    }

    /// A release that priced something, as the cloud keeps it.
    fn release(&self, ocid: &str, id: &str) -> Result<terms::Release> {
        let answer =
            self.api.call(api::AWAN, "GetAgreementRelease", &[("Ocid", ocid), ("ReleaseId", id)]);
        let answer = answer.with_context(|| format!("fetch release {id} of {ocid}"))?;
        let document = answer["Document"].as_str().context("the answer holds no document")?;
        terms::Release::parse(document.as_bytes()).context("read the release")
    }
}

/// An integer of an answer; 0 where it is not there.
fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests;
