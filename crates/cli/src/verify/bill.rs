//! `--bill`: a month's bill follows from what was used and from the published prices, and the log
//! committed to both, day by day. With the account's key, or from the files of `awan bill export`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base::Time;
use clap::Args;
use serde_json::Value;
use terms::prices::{self, BillLine, UsageLine, bill_digest, usage_digest};

use super::findings::Findings;
use super::history::{Histories, History, Period};
use super::leaf::Leaf;
use super::log::Log;
use super::trail::opens;
use crate::api::Api;
use crate::bill::books::{self, Bill, COMMIT, Line, Usage};
use crate::bill::money::money;
use crate::bill::month::Month;
use crate::http::Http;
use crate::output;
use crate::profile::Profile;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// The note of a line for what something late changed under a later release.
const MOVED: &str = "TiersMoved";

/// Which bill.
#[derive(Clone, Debug, Args)]
pub(super) struct BillArgs {
    /// Check that the bill of this month follows from usage and published prices
    #[arg(long = "bill", value_name = "MONTH", value_parser = Month::parse)]
    bill: Option<Month>,
    /// The usage, as `awan bill export --usage` wrote it; asked of the cloud unless given
    #[arg(long, value_name = "FILE", requires_all = ["bill", "bill_file"])]
    usage: Option<PathBuf>,
    /// The bill, as `awan bill export --lines` wrote it; asked of the cloud unless given
    #[arg(long, value_name = "FILE", requires_all = ["bill", "usage"])]
    bill_file: Option<PathBuf>,
}

impl BillArgs {
    /// Whether a bill is to be checked.
    pub fn is_asked(&self) -> bool {
        self.bill.is_some()
    }
}

/// Checks the bill, where one was asked for.
///
/// # Errors
/// Where usage or bill cannot be read.
pub(super) fn check(
    args: &BillArgs,
    profile: &Profile,
    log: &Log,
    histories: &Histories,
    findings: &mut Findings,
) -> Result<()> {
    let Some(month) = &args.bill else { return Ok(()) };
    let (usage, bill) = match (&args.usage, &args.bill_file) {
        (Some(usage), Some(bill)) => (books::from_file(usage)?, books::from_file::<Bill>(bill)?),
        _ => {
            let api = Api::new(&Http::new(profile, 1)?, profile)?;
            (books::usage(&api, month)?, books::fetch(&api, month)?)
        }
    };
    if bill.stated.month != month.as_str() {
        bail!("the bill is of {}, and {} was asked for", bill.stated.month, month.as_str());
    }
    let nothing = History::default();
    let history = histories.of.get(&bill.stated.account_id).unwrap_or(&nothing);
    Check::new(month, &usage, &bill, history)?.run(log, findings);
    Ok(())
}

/// A release by its name: process and id; both empty where none was in force.
type Under = (String, String);

/// What a meter came to under one release: quantity and cost.
type Sums = BTreeMap<(Under, String), (i128, i128)>;

/// One bill under examination.
pub(super) struct Check<'a> {
    month: &'a Month,
    usage: &'a [Usage],
    bill: &'a Bill,
    history: &'a History,
    /// Hours before this one are billed.
    billed_until: Time,
}

impl<'a> Check<'a> {
    /// Everything that is needed.
    ///
    /// # Errors
    /// Where the bill's times cannot be read.
    pub fn new(
        month: &'a Month,
        usage: &'a [Usage],
        bill: &'a Bill,
        history: &'a History,
    ) -> Result<Self> {
        let until =
            bill.stated.billed_until.as_deref().map_or(Some(month.start()), Time::parse_iso);
        let billed_until = until.context("the bill does not say until when it is billed")?;
        Ok(Self { month, usage, bill, history, billed_until })
    }

    /// Checks everything.
    pub fn run(&self, log: &Log, findings: &mut Findings) {
        self.compare(findings);
        self.check_sum(findings);
        self.check_commitments(log, findings);
        let stated = &self.bill.stated;
        findings.proven.push(format!(
            "the bill of {} for {}, {} before tax, follows from usage and the published prices",
            stated.account_id,
            stated.month,
            money(stated.amount_micro.into(), &stated.currency)
        ));
    }

    /// The release that prices an hour: the one in force when it begins, or, where none is, when it ends.
    fn pricing(&self, hour: Time) -> Option<&'a Period> {
        let last = hour.plus(HOUR - Duration::from_secs(1));
        self.history.at(hour).or_else(|| self.history.at(last))
    }

    fn under(&self, hour: Time) -> Under {
        self.pricing(hour).map_or_else(Default::default, |period| {
            let release = &period.published.release;
            (release.ocid().to_owned(), release.id().to_owned())
        })
    }

    /// Whether an hour is of this month and billed.
    fn is_billed(&self, hour: Time) -> bool {
        hour >= self.month.start() && hour < self.month.end() && hour < self.billed_until
    }

    /// What usage and price books make of the month, and what the lines make of it: per release and meter.
    fn compare(&self, findings: &mut Findings) {
        let expected = self.expected(findings);
        let stated = self.stated(findings);
        for key in expected.keys().chain(stated.keys()).collect::<BTreeSet<_>>() {
            let ((_, release), meter) = key;
            let by = if release.is_empty() {
                "no release".to_owned()
            } else {
                format!("release {release}")
            };
            let (quantity, cost) = expected.get(key).copied().unwrap_or_default();
            let (billed, amount) = stated.get(key).copied().unwrap_or_default();
            let listed = !release.is_empty() || billed != 0;
            if listed && quantity != billed {
                findings.defect(format!(
                    "{meter} under {by}: the usage is {quantity}, and the bill's lines say {billed}"
                ));
            }
            if cost != amount {
                let show = |micro| money(micro, &self.bill.stated.currency);
                findings.defect(format!(
                    "{meter} under {by}: the published prices make {} of it, and the bill's lines say {} ({:+} micro-units)",
                    show(cost),
                    show(amount),
                    amount - cost
                ));
            }
        }
        findings.checked(
            "usage",
            format_args!(
                "{} lines, of which {} meters were priced by {} releases",
                output::count(self.usage.len() as u64),
                expected.keys().map(|(_, meter)| meter).collect::<BTreeSet<_>>().len(),
                expected.keys().map(|(under, _)| under).collect::<BTreeSet<_>>().len()
            ),
        );
    }

    /// The month computed at once from the usage of its billed hours.
    fn expected(&self, findings: &mut Findings) -> Sums {
        let mut used: BTreeMap<Under, BTreeMap<String, i128>> = BTreeMap::new();
        for line in self.usage {
            let Some(hour) = Time::parse_iso(&line.hour) else {
                findings
                    .defect(format!("a usage line's hour is \"{}\", which is no time", line.hour));
                continue;
            };
            if self.is_billed(hour) {
                let meters = used.entry(self.under(hour)).or_default();
                *meters.entry(line.meter.clone()).or_default() += i128::from(line.quantity);
            }
        }
        let mut sums = Sums::new();
        let mut periods = Vec::new();
        // In order of time, for tiers go on from one release to the next.
        for period in &self.history.periods {
            let release = &period.published.release;
            let under = (release.ocid().to_owned(), release.id().to_owned());
            if let Some(meters) = used.remove(&under) {
                periods.push((under, &release.terms().price_book, meters));
            }
        }
        let priced: Vec<_> =
            periods.iter().map(|(_, book, used)| prices::Period { book, used }).collect();
        for ((under, _, meters), costs) in periods.iter().zip(prices::month(&priced)) {
            for (meter, cost) in costs {
                sums.insert((under.clone(), meter.clone()), (meters[&meter], cost));
            }
        }
        // What is left was used while nothing was in force, and costs nothing.
        for meters in used.into_values() {
            for (meter, quantity) in meters {
                sums.insert((Under::default(), meter), (quantity, 0));
            }
        }
        sums
    }

    /// The month as the lines have it, wherever they are billed; each line under the release of its hour.
    fn stated(&self, findings: &mut Findings) -> Sums {
        let mut sums = Sums::new();
        for line in &self.bill.lines {
            let Some(hour) = Time::parse_iso(&line.hour) else {
                findings.defect(format!("line {}: \"{}\" is no time", line.line_id, line.hour));
                continue;
            };
            let under = (line.ocid.clone(), line.release_id.clone());
            if line.note != MOVED && under != self.under(hour) {
                let (_, expected) = self.under(hour);
                findings.defect(format!(
                    "line {}: priced by release \"{}\", and \"{expected}\" was in force in the hour of {}",
                    line.line_id, line.release_id, line.hour
                ));
            }
            let parts: i128 =
                line.tiers.tier.iter().map(|tier| i128::from(tier.amount_micro)).sum();
            if line.note != MOVED && parts != i128::from(line.amount_micro) {
                findings.defect(format!(
                    "line {}: its parts add up to {parts} micro-units, and it says {}",
                    line.line_id, line.amount_micro
                ));
            }
            if hour >= self.month.start() && hour < self.month.end() {
                let sum = sums.entry((under, line.meter.clone())).or_default();
                sum.0 += i128::from(line.quantity);
                sum.1 += i128::from(line.amount_micro);
            }
        }
        sums
    }

    /// The lines of hours in which nothing was in force. They cost nothing and have no currency, so they are
    /// on no bill that could be asked for; the log commits to them all the same.
    fn unpriced(&self, day: &str) -> Vec<BillLine> {
        let listed =
            self.bill.lines.iter().any(|line| line.ocid.is_empty() && line.hour.starts_with(day));
        let of_day = |line: &&Usage| !listed && line.quantity != 0 && line.hour.starts_with(day);
        let unpriced = |line: &&Usage| {
            Time::parse_iso(&line.hour).is_some_and(|hour| self.pricing(hour).is_none())
        };
        let line = |line: &Usage| BillLine {
            resource: line.resource.clone(),
            meter: line.meter.clone(),
            hour: line.hour.clone(),
            revision: "0".to_owned(),
            ocid: String::new(),
            release: String::new(),
            quantity: line.quantity.to_string(),
            amount: "0".to_owned(),
            currency: String::new(),
        };
        self.usage.iter().filter(of_day).filter(unpriced).map(line).collect()
    }

    /// The stated sum and tax are those of the lines on the bill.
    fn check_sum(&self, findings: &mut Findings) {
        let stated = &self.bill.stated;
        let on_bill = |line: &&Line| line.bill == stated.month && line.currency == stated.currency;
        let mut parts: Vec<(i128, u32)> = Vec::new();
        for line in self.bill.lines.iter().filter(on_bill) {
            let percent = self.tax_percent(&line.ocid, &line.release_id);
            parts.push((line.amount_micro.into(), percent));
        }
        let amount: i128 = parts.iter().map(|(amount, _)| amount).sum();
        let tax = prices::tax(&parts);
        findings.checked(
            "bill",
            format_args!(
                "{} of {}, {}: {} lines, {}, tax {}",
                stated.month,
                stated.account_id,
                stated.status,
                output::count(parts.len() as u64),
                money(amount, &stated.currency),
                money(tax, &stated.currency)
            ),
        );
        for (what, expected, said) in [
            ("the sum of the lines", amount, stated.amount_micro),
            ("the tax on them", tax, stated.tax_micro),
        ] {
            if expected != i128::from(said) {
                findings.defect(format!(
                    "{what} is {}, and the bill states {}",
                    money(expected, &stated.currency),
                    money(said.into(), &stated.currency)
                ));
            }
        }
    }

    fn tax_percent(&self, ocid: &str, id: &str) -> u32 {
        let named = |period: &&Period| {
            let release = &period.published.release;
            release.ocid() == ocid && release.id() == id
        };
        let period = self.history.periods.iter().find(named);
        period.map_or(0, |period| period.published.release.terms().price_book.tax_percent)
    }

    /// The log committed to every whole day, and to what usage and lines say now.
    fn check_commitments(&self, log: &Log, findings: &mut Findings) {
        let mut newest: BTreeMap<String, (u64, Value)> = BTreeMap::new();
        let mut opened: BTreeSet<u64> = BTreeSet::new();
        for row in &self.bill.commitments {
            let Some(index) = Self::place(log, row) else { continue };
            let Some(detail) = books::detail_of(row) else {
                findings.defect(format!(
                    "the commitment in entry {index} has a statement of no known form"
                ));
                continue;
            };
            let day = detail["day"].as_str().unwrap_or_default().to_owned();
            if let Err(why) = opens(log, index, row).and_then(|leaf| self.commits(&leaf, &day)) {
                findings.defect(format!("the commitment in entry {index}: {why}"));
                continue;
            }
            opened.insert(index);
            if newest.get(&day).is_none_or(|(known, _)| *known < index) {
                newest.insert(day, (index, detail));
            }
        }
        let last = self.check_hidden(log, &opened, findings);
        for (day, (index, detail)) in &newest {
            self.check_day(day, *index, detail, findings);
        }
        self.check_missing(last, &newest, findings);
        findings.checked(
            "days",
            format_args!(
                "the log committed to {} days in {} entries, and usage and lines open them",
                output::count(newest.len() as u64),
                output::count(opened.len() as u64)
            ),
        );
    }

    /// Whether a leaf is the cloud's commitment to a day of this account: any row can be opened, and only
    /// that one is public under the day.
    fn commits(&self, leaf: &Leaf, day: &str) -> Result<(), String> {
        let account = self.bill.stated.account_id.as_str();
        let said = (leaf.action.as_str(), leaf.fact("tenant"), leaf.fact("day"));
        if leaf.is_done() && said == (COMMIT, account, day) {
            return Ok(());
        }
        let (action, tenant, stated) = said;
        Err(format!(
            "it is {action} of tenant \"{tenant}\" for day \"{stated}\" in the log, expected {COMMIT} of {account} for {day}"
        ))
    }

    /// Where a commitment's row stands in the log. One that was exported before it had a place is found by
    /// the leaf that it opens.
    fn place(log: &Log, row: &Value) -> Option<u64> {
        if let Some(index) = row["LogIndex"].as_u64() {
            return Some(index).filter(|index| *index < log.checkpoint().size);
        }
        let (statement, salt) = (row["Statement"].as_str()?, row["Salt"].as_str()?);
        let mut place = None;
        // A log that cannot be walked is reported where every commitment is looked for.
        let _ = log.each(|index, bytes| {
            if Leaf::parse(bytes).is_ok_and(|leaf| leaf.is_opened_by(statement, salt)) {
                place = Some(index);
            }
        });
        place
    }

    /// Every commitment that the public log has for the account and the month was shown. Answers the latest
    /// second that the log states.
    fn check_hidden(
        &self,
        log: &Log,
        opened: &BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Option<Time> {
        let account = &self.bill.stated.account_id;
        let mut hidden = Vec::new();
        let mut last = None;
        let walked = log.each(|index, bytes| {
            let Ok(leaf) = Leaf::parse(bytes) else { return };
            last = last.max(Some(leaf.at()));
            let of_month = leaf.fact("day").starts_with(self.month.as_str());
            if leaf.action == COMMIT && leaf.fact("tenant") == account && of_month && !opened.contains(&index) {
                hidden.push(format!(
                    "entry {index} of the log commits to the usage of {}, and the account was not shown what it says",
                    leaf.fact("day")
                ));
            }
        });
        if let Err(why) = walked {
            findings.defect(why);
        }
        for what in hidden {
            findings.defect(what);
        }
        last
    }

    /// The last commitment to a day is to what usage and lines say of it now.
    fn check_day(&self, day: &str, index: u64, detail: &Value, findings: &mut Findings) {
        let usage = |line: &&Usage| line.hour.starts_with(day);
        let used = self.usage.iter().filter(usage).map(|line| UsageLine {
            resource: line.resource.clone(),
            meter: line.meter.clone(),
            hour: line.hour.clone(),
            quantity: line.quantity.to_string(),
        });
        let billed = self.bill.lines.iter().filter(|line| line.hour.starts_with(day));
        let billed = billed.map(|line| BillLine {
            resource: line.resource.clone(),
            meter: line.meter.clone(),
            hour: line.hour.clone(),
            revision: line.revision.to_string(),
            ocid: line.ocid.clone(),
            release: line.release_id.clone(),
            quantity: line.quantity.to_string(),
            amount: line.amount_micro.to_string(),
            currency: line.currency.clone(),
        });
        for (what, name, found) in [
            ("usage", "usage", usage_digest(used.collect())),
            ("bill lines", "bill", bill_digest(billed.chain(self.unpriced(day)).collect())),
        ] {
            let committed = detail[name].as_str().unwrap_or_default();
            if committed != found {
                findings.defect(format!(
                    "{day}: entry {index} of the log commits to {what} with the digest {committed}, and those shown have {found}"
                ));
            }
        }
    }

    /// A day is committed to within a day of its end. What time it is says the log: whoever made the bill
    /// could say that nothing was due yet.
    fn check_missing(
        &self,
        last: Option<Time>,
        newest: &BTreeMap<String, (u64, Value)>,
        findings: &mut Findings,
    ) {
        let days: BTreeSet<&str> =
            self.usage.iter().filter_map(|line| line.hour.get(..10)).collect();
        for day in days {
            let start = Time::parse_iso(&format!("{day}T00:00:00Z"));
            let due = start.zip(last).is_some_and(|(start, last)| start.plus(DAY * 2) <= last);
            if due && !newest.contains_key(day) {
                findings.defect(format!(
                    "{day}: something was used and the log has no commitment to it"
                ));
            }
        }
    }
}
