//! A release for people: what each side must do, where data may be, what things cost. Indonesian first,
//! which binds, then English.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;
use terms::clauses::{Side, Text};
use terms::prices::Price;
use terms::{Release, Terms};

use super::{Cloud, FormArgs, read_file};
use crate::api;
use crate::bill::money::{grouped, money};
use crate::output;
use crate::profile::PlaceArgs;

/// Arguments of `awan agreement show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// The contracting process; what is in force unless given
    #[arg(value_name = "OCID", requires = "release")]
    ocid: Option<String>,
    /// The release
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// A document in a file instead
    #[arg(long, value_name = "FILE", conflicts_with = "ocid")]
    file: Option<PathBuf>,
    /// The document itself
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `awan agreement list`.
#[derive(Clone, Debug, Args)]
pub(super) struct ListArgs {
    /// Of this account; the operator sees all
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    form: FormArgs,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Shows a release.
///
/// # Errors
/// Where there is none, or it is not what the cloud says it is.
pub(super) fn show(args: &ShowArgs) -> Result<()> {
    let (release, answer) = match &args.file {
        Some(file) => (read_file(file)?, Value::Null),
        None => {
            let cloud = Cloud::of(&args.place)?;
            let (ocid, id) = match (&args.ocid, &args.release) {
                (Some(ocid), Some(id)) => (ocid.clone(), id.clone()),
                _ => cloud.in_force()?,
            };
            let fetched = cloud.release(&ocid, &id)?;
            (fetched.release, fetched.answer)
        }
    };
    if args.json {
        return Ok(output::json(release.document())?);
    }
    let mut lines = summary(&release);
    if let Some(state) = answer["State"].as_str() {
        let title = both("", release.title()).len();
        lines.insert(title, format!("Keadaan / State: {state}"));
    }
    lines.extend(details(release.terms()));
    lines.push(String::new());
    lines.push(format!("SHA-256 {}", release.digest()));
    for line in lines {
        output::line(terms::visible(&line))?;
    }
    if let Some(note) = answer["Signatures"].as_str().filter(|note| !note.is_empty()) {
        output::line(format_args!("\n{note}"))?;
    }
    Ok(())
}

/// Lists releases.
///
/// # Errors
/// Where the cloud refuses.
pub(super) fn list(args: &ListArgs) -> Result<()> {
    let cloud = Cloud::of(&args.place)?;
    let params: Vec<_> =
        args.account.iter().map(|account| ("AccountId", account.as_str())).collect();
    let mut items: Vec<Value> = Vec::new();
    api::pages(&cloud.api, api::AWAN, "ListAgreements", &params, |page| {
        items.extend(api::items(page).iter().cloned());
        std::ops::ControlFlow::Continue(())
    })
    .context("list the agreements")?;
    let fields =
        ["AccountId", "Ocid", "ReleaseId", "Tag", "State", "SignedByProvider", "SignedByTenant"];
    Ok(output::listing(args.form.output, &fields, &items)?)
}

/// What one signs, in short: the parties, the term, the places, the prices and the limit.
pub(super) fn summary(release: &Release) -> Vec<String> {
    let terms = release.terms();
    let (provider, tenant) = (release.provider(), release.tenant());
    let mut lines = both("", release.title());
    lines.push(format!(
        "Penyedia / Provider: {} ({} {})",
        provider.name, provider.scheme, provider.id
    ));
    lines.push(format!(
        "Penyewa / Tenant: {} ({} {}), akun / account {}",
        tenant.name, tenant.scheme, tenant.id, terms.account
    ));
    let until = release.end().map_or_else(
        || "sampai diakhiri / until ended".to_owned(),
        |end| format!("sampai / until {}", end.iso()),
    );
    lines.push(format!("Berlaku / Term: {} {until}", release.start().iso()));
    if let Some(amends) = release.amends() {
        lines.push(format!("Mengubah / Changes: {}", amends.release));
        lines.extend(both("  ", &amends.rationale));
    }
    lines.push(format!("Layanan / Services: {}", terms.services.join(", ")));
    lines.push("Tempat data / Where data may be:".to_owned());
    for rule in &terms.residency.rules {
        let default =
            if rule.class == terms.residency.default_class { " (baku / default)" } else { "" };
        let sites = match rule.sites.as_slice() {
            [] => String::new(),
            sites => format!(", hanya / only {}", sites.join(", ")),
        };
        lines.push(format!(
            "  {:<10}{}{sites}, zona / zones ≥ {}{default}",
            rule.class.as_str(),
            rule.countries.join(", "),
            rule.zones_min
        ));
    }
    let book = &terms.price_book;
    lines.push(format!(
        "Harga / Prices: {} ({}, PPN {} %)",
        book.id, book.currency, book.tax_percent
    ));
    for price in &book.prices {
        lines.push(format!("  {}", price_line(price, &book.currency)));
    }
    let limit = terms.spending_limit.map_or_else(
        || "tidak ada / none".to_owned(),
        |limit| format!("{} sebulan / a month", money(limit.into(), &book.currency)),
    );
    lines.push(format!("Batas belanja / Spending limit: {limit}"));
    lines
}

/// One price with its tiers: `Storage  IDR 350.00 per GB-month`.
fn price_line(price: &Price, currency: &str) -> String {
    let mut parts = Vec::new();
    if price.free > 0 {
        parts.push(format!("bebas / free {}", units(price.free, price)));
    }
    for tier in &price.tiers {
        let bound = tier.up_to.map_or(String::new(), |bound| format!(" ≤ {}", units(bound, price)));
        parts.push(format!("{}{bound}", money(tier.price.into(), currency)));
    }
    let assumed = if price.assumption { " (asumsi / assumption)" } else { "" };
    format!("{:<16}{} per {}{assumed}", price.id, parts.join("; "), price.unit)
}

/// A quantity of the meter in the price's unit, with up to three decimals; never more than it is.
fn units(quantity: i64, price: &Price) -> String {
    let size = i128::from(price.unit_size);
    let thousandths = i128::from(quantity) * 1000 / size;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    let whole = grouped(whole.unsigned_abs(), ',');
    let rest = format!(".{rest:03}");
    let rest = rest.trim_end_matches('0').trim_end_matches('.');
    // A unit like "10,000 requests" begins with a number of its own.
    let times = if price.unit.starts_with(|c: char| c.is_ascii_digit()) { " ×" } else { "" };
    format!("{whole}{rest}{times} {}", price.unit)
}

/// The clauses that the summary leaves out.
fn details(terms: &Terms) -> Vec<String> {
    let mut lines = vec![String::new(), "Tingkat layanan / Service levels:".to_owned()];
    for level in &terms.service_levels {
        lines.push(format!("  {} ≥ {} %", level.id, percent(level.target_ppm)));
        lines.extend(both("    ", &level.name));
        for credit in &level.credits {
            let below = percent(credit.below_ppm);
            lines.push(format!("    < {below} %: kredit / credit {} %", credit.percent));
        }
    }
    let (kept, exit) = (&terms.retention, &terms.exit);
    lines.push(format!(
        "Penyimpanan catatan / Kept: audit {} hari / days, tagihan / billing {}, data setelah akhir / after the end {}",
        kept.audit_days, kept.billing_days, kept.after_end_days
    ));
    let free = if exit.free_egress { "gratis / free" } else { "berbayar / charged" };
    lines.push(format!(
        "Keluar / Exit: pemberitahuan / notice {} hari / days; {}; {free}",
        exit.notice_days,
        exit.formats.join(", ")
    ));
    lines.push(format!(
        "Kebocoran / Breach: {} jam / hours, juga kepada / also to {}",
        terms.breach.notice_hours, terms.breach.authority
    ));
    lines.push(format!(
        "Audit: {} ({} hari / days)",
        terms.audit.by.join(", "),
        terms.audit.notice_days
    ));
    let access = &terms.privileged_access;
    lines.push(match (access.permitted, access.tenant_approval) {
        (false, _) => "Akses istimewa / Privileged access: tidak pernah / never".to_owned(),
        (true, approval) => format!(
            "Akses istimewa / Privileged access: ≤ {} jam / hours, {}",
            access.hours_max,
            if approval {
                "dengan persetujuan penyewa / with the tenant's approval"
            } else {
                "dicatat / recorded"
            }
        ),
    });
    if !terms.sub_processors.is_empty() {
        lines.push(format!("Subprosesor / Sub-processors: {}", terms.sub_processors.join(", ")));
    }
    for (name, side) in
        [("Penyedia / Provider", &terms.provider), ("Penyewa / Tenant", &terms.tenant)]
    {
        lines.extend(side_lines(name, side));
    }
    lines.push(format!("Log: {}", terms.log.origin));
    lines
}

fn side_lines(name: &str, side: &Side) -> Vec<String> {
    let mut lines = vec![String::new(), format!("{name}:")];
    for (what, texts) in [("hak / rights", &side.rights), ("kewajiban / duties", &side.duties)] {
        if !texts.is_empty() {
            lines.push(format!("  {what}"));
        }
        for text in texts {
            lines.extend(both("  - ", text));
        }
    }
    lines
}

/// The Indonesian text, and the English below it where it differs.
fn both(indent: &str, text: &Text) -> Vec<String> {
    let mut lines = vec![format!("{indent}{}", text.id)];
    if text.en != text.id {
        lines.push(format!("{}{}", " ".repeat(indent.len()), text.en));
    }
    lines
}

/// Millionths as percent: 999000 is 99.9.
fn percent(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests;
