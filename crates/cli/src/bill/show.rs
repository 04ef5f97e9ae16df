//! `awan bill show`: a month by product, resource and item, with the unit prices of the agreement.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use serde_json::Value;
use terms::PriceBook;

use super::money::money;
use super::month::Month;
use super::{Account, integer};
use crate::output::{self, Format};

/// Arguments of `awan bill show`.
#[derive(Clone, Debug, Args)]
pub(super) struct ShowArgs {
    /// The month; the current one unless given
    #[arg(value_name = "MONTH", value_parser = Month::parse)]
    month: Option<Month>,
    /// How the listing is written; JSON has every field, amounts in micro-units
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

/// Shows a month.
///
/// # Errors
/// Where the cloud refuses.
pub(super) fn run(args: &ShowArgs, account: &Account) -> Result<()> {
    let bill = account.bill(args.month.as_ref().map(Month::as_str), "Product,Item,Resource")?;
    if args.output == Format::Json {
        return Ok(output::json(&bill)?);
    }
    let books = books(account, &bill);
    let currency = output::plain(&bill["Currency"]);
    let groups = bill["Groups"]["Group"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = groups.map(|group| row(group, &books, &currency)).collect();
    let mut out = io::stdout().lock();
    let headings = ["Product", "Resource", "Item", "Usage", "Unit", "Unit price", "Amount"];
    out.write_all(output::table(&headings, &rows).as_bytes())?;
    writeln!(out)?;
    out.write_all(output::table(&["", "Amount"], &sums(&bill)).as_bytes())?;
    if rows.is_empty() {
        output::hint(
            "an hour is billed five minutes after its end; `awan usage` shows what was used",
        );
    }
    for release in bill["Releases"]["Release"].as_array().into_iter().flatten() {
        let name = output::plain(&release["ReleaseId"]);
        output::talk(format_args!(
            "priced by release {name} of {}",
            output::plain(&release["Ocid"])
        ));
    }
    Ok(())
}

/// The price books of the releases that priced the bill; one that cannot be read leaves its prices out.
fn books(account: &Account, bill: &Value) -> Vec<PriceBook> {
    let releases = bill["Releases"]["Release"].as_array().into_iter().flatten();
    let named = releases.filter_map(|release| {
        let (ocid, id) = (release["Ocid"].as_str()?, release["ReleaseId"].as_str()?);
        account.release(ocid, id).ok()
    });
    named.map(|release| release.terms().price_book.clone()).collect()
}

fn row(group: &Value, books: &[PriceBook], currency: &str) -> Vec<String> {
    let text = |name: &str| output::plain(&group[name]);
    let amount = money(integer(&group["AmountMicro"]).into(), currency);
    let prices = unit_prices(books, &text("Meter"), currency);
    vec![
        text("Product"),
        text("Resource"),
        text("Item"),
        text("Usage"),
        text("Unit"),
        prices,
        amount,
    ]
}

/// The unit prices of a meter: of each tier, and under each release where they differ.
fn unit_prices(books: &[PriceBook], meter: &str, currency: &str) -> String {
    let mut shown: Vec<String> = Vec::new();
    for price in books.iter().filter_map(|book| book.price(meter)) {
        let tiers: Vec<_> =
            price.tiers.iter().map(|tier| money(tier.price.into(), currency)).collect();
        let tiers = tiers.join(" / ");
        if !shown.contains(&tiers) {
            shown.push(tiers);
        }
    }
    shown.join("; ")
}

/// What the bill comes to.
pub(super) fn sums(bill: &Value) -> Vec<Vec<String>> {
    let currency = output::plain(&bill["Currency"]);
    let row = |name: &str, micro: i64| vec![name.to_owned(), money(micro.into(), &currency)];
    let of = |name: &str| integer(&bill[name]);
    let mut rows = vec![row("Sum", of("AmountMicro"))];
    if of("CorrectionsMicro") != 0 {
        rows.push(row("of it corrections", of("CorrectionsMicro")));
    }
    rows.extend([
        row("Tax", of("TaxMicro")),
        row("Payable", of("PayableMicro")),
        row("Paid", of("PaidMicro")),
    ]);
    if of("OpenMicro") != 0 {
        rows.push(row("Not billed yet", of("OpenMicro")));
    }
    rows
}
