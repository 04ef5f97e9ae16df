//! The daily commitment. When all hours of a day are closed, an audit row `awan:CommitUsage` is written
//! for each account that used something, and so a leaf of the public log. The leaf says in clear which
//! tenant and which day; its commitment opens, with the tenant's receipt, to a row whose detail holds
//!
//! | key | value |
//! |---|---|
//! | `day` | `2026-11-22`, UTC |
//! | `revision` | 1 for the first commitment of the day; more where something was late |
//! | `usage` | `terms::prices::usage_digest` of the day's lines as `ListUsage` tells them |
//! | `bill` | `terms::prices::bill_digest` of all lines for the day's hours as `ListBillLines` tells them |
//! | `amount` | what these lines add up to, micro-units; by currency, comma-separated |
//! | `currency` | the currencies in that order |
//! | `release` | the releases that priced them, comma-separated, in order of name |
//!
//! So neither side can change afterwards what was used or what it cost without it being seen.

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, ApiError, Time, code};
use engine::{Cx, Meta, meter};
use terms::prices::{BillLine, UsageLine, bill_digest, usage_digest};

use crate::month::{DAY, day_text, iso};
use crate::tables::line::Line;
use crate::tables::{commitment, line};

/// What the audit row is called.
pub const META: Meta = Meta::write("awan", "2026-01-01", "CommitUsage");

/// Commits to one day (its first second) that is due.
pub fn commit(cx: &mut Cx<'_>, account: AccountId, day: i64) -> Result<(), ApiError> {
    if !commitment::strike(cx.tx(), account, day)? {
        return Err(ApiError::new(&code::UNAVAILABLE).detail("another task committed to this day"));
    }
    let hours = (day, day + DAY);
    let used = meter::usage(cx.tx(), account, hours.0, hours.1, Time::from_secs(hours.1))?;
    let lines = line::used(cx.tx(), account, hours)?;
    let usage = usage_digest(used.into_iter().map(usage_line).collect());
    let mut amounts = BTreeMap::<&str, i64>::new();
    for line in lines.iter().filter(|line| !line.currency.is_empty()) {
        *amounts.entry(&line.currency).or_default() += line.amount;
    }
    let releases: BTreeSet<&str> =
        lines.iter().map(|l| l.under.release.as_str()).filter(|r| !r.is_empty()).collect();
    let bill = bill_digest(lines.iter().map(bill_line).collect());
    let revision = commitment::next_revision(cx.tx(), account, day)?;
    let now = cx.now;
    commitment::insert(cx.tx(), account, day, (revision, &usage, &bill), now)?;
    let text = day_text(day);
    cx.audit_account(account);
    cx.audit_resource(format!("acs:awan:*:{account}:usage/{text}"));
    let join = |texts: Vec<String>| texts.join(",");
    let amount = join(amounts.values().map(i64::to_string).collect());
    let currency = join(amounts.keys().map(|key| (*key).to_owned()).collect());
    let release = join(releases.into_iter().map(str::to_owned).collect());
    for (key, value) in [
        ("day", text.clone()),
        ("revision", revision.to_string()),
        ("usage", usage),
        ("bill", bill),
        ("amount", amount),
        ("currency", currency),
        ("release", release),
    ] {
        cx.audit_detail(key, value);
    }
    cx.public("tenant", account.to_string());
    cx.public("day", text);
    Ok(())
}

fn usage_line(line: meter::Usage) -> UsageLine {
    UsageLine {
        resource: line.resource,
        meter: line.meter,
        hour: iso(line.hour),
        quantity: line.quantity.to_string(),
    }
}

fn bill_line(line: &Line) -> BillLine {
    BillLine {
        resource: line.resource.clone(),
        meter: line.meter.clone(),
        hour: iso(line.hour),
        revision: line.revision.to_string(),
        ocid: line.under.ocid.clone(),
        release: line.under.release.clone(),
        quantity: line.quantity.to_string(),
        amount: line.amount.to_string(),
        currency: line.currency.clone(),
    }
}
