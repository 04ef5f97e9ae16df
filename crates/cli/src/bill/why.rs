//! `awan bill why`: one line of a bill, step by step, with everything that anybody needs to reckon it
//! again: quantity, what was free, the price of each part, the release, and its place in the log.

use std::collections::BTreeMap;

use anyhow::Result;
use base::{Clock, SystemClock};
use clap::Args;
use terms::Release;

use super::Account;
use super::books::{self, Line};
use super::money::{grouped, money};
use super::month::Month;
use crate::error::advise;
use crate::output;
use crate::verify::history::Histories;
use crate::verify::{Findings, LogArgs};

/// Arguments of `awan bill why`.
#[derive(Clone, Debug, Args)]
pub(super) struct WhyArgs {
    /// A resource, as `awan bill show` names it, or the number of a line
    #[arg(value_name = "RESOURCE|LINE")]
    what: String,
    /// On the bill of this month; the current one unless given
    #[arg(long, value_name = "MONTH", value_parser = Month::parse)]
    month: Option<Month>,
    #[command(flatten)]
    log: LogArgs,
}

/// Explains.
///
/// # Errors
/// Where there is no such line, or the cloud refuses.
pub(super) fn run(args: &WhyArgs, account: &Account) -> Result<()> {
    let month = args.month.clone().unwrap_or_else(|| Month::of(SystemClock.now()));
    let lines = find(args, account, &month)?;
    let entries = log_entries(args, account);
    let mut releases: BTreeMap<(String, String), Option<Release>> = BTreeMap::new();
    for line in &lines {
        let name = (line.ocid.clone(), line.release_id.clone());
        let release = releases
            .entry(name.clone())
            .or_insert_with(|| account.release(&line.ocid, &line.release_id).ok());
        for step in explain(line, release.as_ref(), entries.get(&name).copied()) {
            output::line(step)?;
        }
        output::line("")?;
    }
    Ok(())
}

/// The line of that number, or the newest line of each meter of the resource.
fn find(args: &WhyArgs, account: &Account, month: &Month) -> Result<Vec<Line>> {
    let nothing = || {
        advise(
            format!("the bill of {} has no line {}", month.as_str(), args.what),
            "`awan bill show` lists the resources; what is younger than its hour is not billed yet; --month names another bill",
        )
    };
    if let Ok(number) = args.what.parse::<i64>() {
        let mut lines = books::lines(&account.api, month, &[])?;
        lines.retain(|line| line.line_id == number);
        return if lines.is_empty() { Err(nothing()) } else { Ok(lines) };
    }
    // An ARN is asked for as it is; a short name is looked for at the end of every ARN.
    let whole = args.what.starts_with("acs:");
    let exact = [("Resource", args.what.as_str())];
    let mut newest: BTreeMap<(String, String), Line> = BTreeMap::new();
    for line in books::lines(&account.api, month, if whole { &exact } else { &[] })? {
        let key = (line.resource.clone(), line.meter.clone());
        let known = newest.get(&key);
        if is_called(&line.resource, &args.what)
            && known.is_none_or(|known| known.line_id < line.line_id)
        {
            newest.insert(key, line);
        }
    }
    if newest.is_empty() { Err(nothing()) } else { Ok(newest.into_values().collect()) }
}

/// Whether a resource is meant by a name: its own, or the end of its ARN.
fn is_called(resource: &str, name: &str) -> bool {
    let end = resource.strip_suffix(name);
    end.is_some_and(|before| before.is_empty() || before.ends_with([':', '/']))
}

/// Where in the log each release came into force; empty where the log is not at hand.
fn log_entries(args: &WhyArgs, account: &Account) -> BTreeMap<(String, String), u64> {
    let read = args.log.open(&account.profile).and_then(|log| {
        let documents = args.log.documents(&account.profile)?;
        Ok(Histories::read(&log, &documents, &mut Findings::default()))
    });
    let histories = read.unwrap_or_default();
    let periods = histories.of.values().flat_map(|history| &history.periods);
    let entry = |period: &crate::verify::history::Period| {
        let release = &period.published.release;
        ((release.ocid().to_owned(), release.id().to_owned()), period.index)
    };
    periods.map(entry).collect()
}

/// A line in steps.
fn explain(line: &Line, release: Option<&Release>, entry: Option<u64>) -> Vec<String> {
    let count = |quantity: i64| {
        let sign = if quantity < 0 { "-" } else { "" };
        format!("{sign}{}", grouped(quantity.unsigned_abs().into(), ','))
    };
    let mut steps = vec![
        format!(
            "line {}: {} of {}, on the bill of {}",
            line.line_id, line.meter, line.resource, line.bill
        ),
        format!(
            "  hour      {}{}",
            line.hour,
            if line.correction { ", added later as a correction" } else { "" }
        ),
        format!("  quantity  {} of the meter's own units", count(line.quantity)),
    ];
    let size = count(line.unit_size);
    match line.note.as_str() {
        "NoAgreement" => steps.push("  price     no agreement was in force in that hour: it costs nothing".to_owned()),
        "NoPrice" => steps.push("  price     the agreement names no price for this meter: it costs nothing".to_owned()),
        "TiersMoved" => steps.push(
            "  price     something late moved the month's later usage into other tiers; this is the difference".to_owned(),
        ),
        _ => steps.push(format!("  unit      one {} is {size} of them", line.unit)),
    }
    for tier in &line.tiers.tier {
        let what = if tier.price_micro == 0 {
            "free of charge".to_owned()
        } else {
            format!("× {} / {size}", money(tier.price_micro.into(), &line.currency))
        };
        let amount = money(tier.amount_micro.into(), &line.currency);
        steps.push(format!("  part      {} {what} = {amount}", count(tier.quantity)));
    }
    steps.push(format!("  amount    {}", money(line.amount_micro.into(), &line.currency)));
    if line.tiers.tier.iter().any(|tier| tier.price_micro != 0) {
        steps.push(
            "  rounding  the month's exact cost is rounded down to the micro-unit once; a line is the difference of two such sums".to_owned(),
        );
    }
    if let Some(release) = release {
        let book = &release.terms().price_book;
        if let Some(price) = book.price(&line.meter) {
            let kind = if price.assumption { "an assumption" } else { "a list price" };
            steps.push(format!("  source    {kind}: {}", price.source));
        }
        steps.push(format!(
            "  tax       {} % on the sum of the bill, not on the line",
            book.tax_percent
        ));
        let place = entry.map_or_else(String::new, |entry| format!(", entry {entry} of the log"));
        steps.push(format!("  release   {} of {}{place}", release.id(), release.ocid()));
        steps.push(format!("  document  {}", release.digest()));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(note: &str, tiers: serde_json::Value) -> Line {
        let line = json!({
            "LineId": 7, "Bill": "2026-11", "Hour": "2026-11-22T03:00:00Z", "Resource": "b", "Meter": "oss.requests.put",
            "Revision": 0, "Quantity": 15_000, "Unit": "10,000 requests", "UnitSize": 10_000, "AmountMicro": 12_800_000_000_i64,
            "Currency": "IDR", "Ocid": "o", "ReleaseId": "r", "Note": note, "Tiers": {"Tier": tiers},
        });
        serde_json::from_value(line).expect("a line")
    }

    #[test]
    fn a_line_is_explained_part_by_part() {
        let tiers = json!([
            {"Quantity": 10_000, "PriceMicro": 0, "AmountMicro": 0},
            {"Quantity": 5_000, "PriceMicro": 25_600_000_000_i64, "AmountMicro": 12_800_000_000_i64},
        ]);
        let steps = explain(&line("", tiers), None, None).join("\n");
        for said in [
            "line 7: oss.requests.put of b, on the bill of 2026-11",
            "quantity  15,000 of the meter's own units",
            "one 10,000 requests is 10,000 of them",
            "part      10,000 free of charge = IDR 0.00",
            "part      5,000 × IDR 25,600.00 / 10,000 = IDR 12,800.00",
            "amount    IDR 12,800.00",
        ] {
            assert!(steps.contains(said), "{steps}\nlacks {said}");
        }
    }

    #[test]
    fn a_resource_is_found_by_the_end_of_its_name() {
        let bucket = "acs:oss:*:7:pemilu";
        for (name, called) in [(bucket, true), ("pemilu", true), ("milu", false), ("7", false)] {
            assert_eq!(is_called(bucket, name), called, "{name}");
        }
    }

    #[test]
    fn what_costs_nothing_says_why() {
        for (note, why) in [
            ("NoAgreement", "no agreement was in force"),
            ("NoPrice", "names no price"),
            ("TiersMoved", "into other tiers"),
        ] {
            let steps = explain(&line(note, json!([])), None, None).join("\n");
            assert!(steps.contains(why), "{steps}");
        }
    }
}
