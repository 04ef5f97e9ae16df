//! `awan bill`: this hour, today, this month and what it may come to, before and with tax.

use std::io::{self, Write};

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Time};
use serde_json::Value;

use super::money::money;
use super::{Account, integer};
use crate::api;
use crate::output;

/// Shows the overview.
///
/// # Errors
/// Where the cloud refuses.
pub(super) fn run(account: &Account) -> Result<()> {
    let bill = account.bill(None, "Day")?;
    let forecast =
        account.api.call(api::AWAN, "ForecastBill", &[]).context("ask for the forecast")?;
    let rows = rows(&bill, &forecast, SystemClock.now());
    let mut out = io::stdout().lock();
    let text = |name: &str| output::plain(&bill[name]);
    writeln!(out, "account {}, {}, {}", text("AccountId"), text("Month"), text("Status"))?;
    out.write_all(output::table(&["Period", "Amount", "Tax", "Payable"], &rows).as_bytes())?;
    if let Some(until) = bill["BilledUntil"].as_str() {
        output::talk(format_args!(
            "hours before {until} are billed; the rest is reckoned up to now"
        ));
    }
    output::talk(output::plain(&forecast["Method"]["English"]));
    output::hint("`awan bill show` says for what, `awan bill why RESOURCE` why");
    Ok(())
}

/// The table's rows. What is not billed yet counts by hours.
fn rows(bill: &Value, forecast: &Value, now: Time) -> Vec<Vec<String>> {
    let currency = output::plain(&bill["Currency"]);
    let show = |micro: i64| money(micro.into(), &currency);
    let (hour, day) = (now.hour().iso(), &now.iso()[..10]);
    let open = |wanted: &dyn Fn(&str) -> bool| -> i64 {
        let hours = bill["OpenHours"]["OpenHour"].as_array().into_iter().flatten();
        let wanted = hours.filter(|open| open["Hour"].as_str().is_some_and(wanted));
        wanted.map(|open| integer(&open["AmountMicro"])).sum()
    };
    let groups = bill["Groups"]["Group"].as_array().into_iter().flatten();
    let billed: i64 = groups
        .filter(|group| group["Day"].as_str().is_some_and(|date| date.starts_with(day)))
        .map(|group| integer(&group["AmountMicro"]))
        .sum();
    let (amount, tax) = (integer(&bill["AmountMicro"]), integer(&bill["TaxMicro"]));
    let expected = integer(&forecast["ForecastMicro"]);
    let forecast_tax = integer(&forecast["ForecastTaxMicro"]);
    let row = |name: &str, amount: i64, tax: Option<i64>| {
        let with = tax.map_or_else(String::new, |tax| show(amount.saturating_add(tax)));
        vec![name.to_owned(), show(amount), tax.map_or_else(String::new, show), with]
    };
    vec![
        row("this hour", open(&|at| at == hour), None),
        row("today", billed + open(&|at| at.starts_with(day)), None),
        row("this month, billed", amount, Some(tax)),
        row("this month, so far", amount + integer(&bill["OpenMicro"]), None),
        row("this month, forecast", expected, Some(forecast_tax)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_billed_and_what_is_open_add_up() {
        let bill = json!({
            "Currency": "IDR", "AmountMicro": 5_000_000, "TaxMicro": 550_000, "OpenMicro": 3_000_000,
            "OpenHours": {"OpenHour": [
                {"Hour": "2026-11-22T03:00:00Z", "AmountMicro": 1_000_000},
                {"Hour": "2026-11-22T04:00:00Z", "AmountMicro": 2_000_000},
            ]},
            "Groups": {"Group": [
                {"Day": "2026-11-21", "AmountMicro": 4_000_000},
                {"Day": "2026-11-22", "AmountMicro": 1_000_000},
            ]},
        });
        let forecast = json!({"ForecastMicro": 9_000_000, "ForecastTaxMicro": 990_000});
        let now = Time::parse_iso("2026-11-22T04:05:06Z").expect("a time");
        let rows = rows(&bill, &forecast, now);
        let amounts: Vec<(&str, &str)> =
            rows.iter().map(|row| (row[1].as_str(), row[3].as_str())).collect();
        assert_eq!(
            amounts,
            [
                ("IDR 2.00", ""),
                ("IDR 4.00", ""),
                ("IDR 5.00", "IDR 5.55"),
                ("IDR 8.00", ""),
                ("IDR 9.00", "IDR 9.99")
            ]
        );
    }
}
