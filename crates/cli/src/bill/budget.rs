//! `awan bill budget` and `awan bill pay`: alarms for people, and what was paid. A budget refuses
//! nothing; the agreement's spending limit does.

use std::ops::ControlFlow;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;

use super::money::money;
use super::{Account, integer};
use crate::api;
use crate::output::{self, Format};

/// Arguments of `awan bill budget`.
#[derive(Clone, Debug, Args)]
pub(super) struct BudgetArgs {
    #[command(subcommand)]
    what: Budget,
}

#[derive(Clone, Debug, Subcommand)]
enum Budget {
    /// Make or change a budget for a month, before tax
    #[command(
        after_help = "Example: awan bill budget set pemilu 25000000 --at 50,80,100 --data-dir ./cloud"
    )]
    Set(SetArgs),
    /// List the budgets
    #[command(after_help = "Example: awan bill budget list --data-dir ./cloud")]
    List(ListArgs),
    /// List the alarms that were raised, newest first
    #[command(after_help = "Example: awan bill budget alarms --data-dir ./cloud")]
    Alarms(ListArgs),
    /// Remove a budget
    #[command(after_help = "Example: awan bill budget delete pemilu --data-dir ./cloud")]
    Delete(NamedArgs),
}

#[derive(Clone, Debug, Args)]
struct SetArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    name: String,
    /// What a month may cost, in the agreement's currency
    #[arg(value_name = "AMOUNT")]
    amount: String,
    /// Percent of it at which an alarm is raised
    #[arg(long = "at", value_name = "PERCENT", value_delimiter = ',')]
    thresholds: Vec<u32>,
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Clone, Debug, Args)]
struct NamedArgs {
    /// The budget
    #[arg(value_name = "NAME")]
    name: String,
}

/// Arguments of `awan bill pay`.
#[derive(Clone, Debug, Args)]
pub(super) struct PayArgs {
    /// Who paid
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// How much, as 1500000.50
    #[arg(value_name = "AMOUNT")]
    amount: String,
    /// The bank's reference
    #[arg(long, value_name = "TEXT")]
    reference: String,
    /// In another currency than the agreement's
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
    /// A credit that the tenant is given, as for a missed service level
    #[arg(long)]
    credit: bool,
    /// For people
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// Does what the verb says.
///
/// # Errors
/// Where the cloud refuses.
pub(super) fn run(args: &BudgetArgs, account: &Account) -> Result<()> {
    match &args.what {
        Budget::Set(args) => set(args, account),
        Budget::List(args) => {
            let items = all(account, "ListBudgets").context("list the budgets")?;
            let rows = items.iter().map(|item| {
                let shown = item["Thresholds"]["Threshold"].as_array().into_iter().flatten();
                let shown: Vec<_> = shown.map(|percent| format!("{percent} %")).collect();
                vec![output::plain(&item["Name"]), amount(item, "AmountMicro"), shown.join(", ")]
            });
            list(args.output, &["Name", "Amount", "Alarms at"], &items, rows.collect())
        }
        Budget::Alarms(args) => {
            let items = all(account, "ListBudgetAlarms").context("list the alarms")?;
            let rows = items.iter().map(|item| {
                let text = |name: &str| output::plain(&item[name]);
                let reached = format!("{} %", text("Threshold"));
                vec![
                    text("Raised"),
                    text("Budget"),
                    text("Month"),
                    reached,
                    amount(item, "SpentMicro"),
                    amount(item, "AmountMicro"),
                ]
            });
            let headings = ["Raised", "Budget", "Month", "Reached", "Spent", "Of"];
            list(args.output, &headings, &items, rows.collect())
        }
        Budget::Delete(args) => {
            let done = account.api.call(api::AWAN, "DeleteBudget", &[("Name", &args.name)]);
            done.context("remove the budget")?;
            output::talk(format_args!("the budget {} is gone; its alarms stay", args.name));
            Ok(())
        }
    }
}

fn set(args: &SetArgs, account: &Account) -> Result<()> {
    let named: Vec<(String, String)> = args
        .thresholds
        .iter()
        .enumerate()
        .map(|(at, percent)| (format!("Thresholds.{}", at + 1), percent.to_string()))
        .collect();
    let mut params = vec![("Name", args.name.as_str()), ("Amount", &args.amount)];
    params.extend(named.iter().map(|(name, percent)| (name.as_str(), percent.as_str())));
    let answer = account.api.call(api::AWAN, "SetBudget", &params).context("set the budget")?;
    Ok(output::json(&answer["Budget"])?)
}

fn all(account: &Account, action: &str) -> Result<Vec<Value>, crate::error::Error> {
    let mut items = Vec::new();
    api::pages(&account.api, api::AWAN, action, &[], |page| {
        items.extend(api::items(page).iter().cloned());
        ControlFlow::Continue(())
    })?;
    Ok(items)
}

fn amount(item: &Value, name: &str) -> String {
    money(integer(&item[name]).into(), &output::plain(&item["Currency"]))
}

fn list(format: Format, headings: &[&str], items: &[Value], rows: Vec<Vec<String>>) -> Result<()> {
    match format {
        Format::Json => output::json(&Value::Array(items.to_vec()))?,
        Format::Table => output::line(output::table(headings, &rows).trim_end())?,
    }
    Ok(())
}

/// Records a payment.
///
/// # Errors
/// Where the cloud refuses.
pub(super) fn pay(args: &PayArgs, account: &Account) -> Result<()> {
    let mut params = vec![
        ("AccountId", args.account.as_str()),
        ("Amount", &args.amount),
        ("Reference", &args.reference),
        ("Kind", if args.credit { "Credit" } else { "Payment" }),
    ];
    params.extend(args.currency.as_deref().map(|currency| ("Currency", currency)));
    params.extend(args.note.as_deref().map(|note| ("Note", note)));
    let answer =
        account.api.call(api::AWAN, "RecordPayment", &params).context("record the payment")?;
    if answer["Recorded"] == false {
        output::talk("it was recorded before; nothing has changed");
    }
    let (balance, currency) =
        (output::plain(&answer["Balance"]), output::plain(&answer["Currency"]));
    output::line(format_args!("balance   {currency} {balance}"))?;
    Ok(())
}
