//! `awan access`: leave for the provider's people to read a tenant's data. It is asked for with a
//! reason, granted by the tenant where the agreement says so, and public either way.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, Result};
use base::AccountId;
use clap::{Args, Subcommand};
use serde_json::Value;
use terms::statement;
use terms::text::is_line;

use crate::agreement::{consent, key};
use crate::api::{self, Api};
use crate::error::advise;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{PlaceArgs, Profile};

/// Arguments of `awan access`.
#[derive(Clone, Debug, Args)]
pub struct AccessArgs {
    #[command(subcommand)]
    what: Access,
}

#[derive(Clone, Debug, Subcommand)]
enum Access {
    /// Ask for leave to read a tenant's data (operator)
    #[command(
        after_help = "Example: awan access request 1234567890123456 --reason \"Bucket index repair, ticket 4711\" --hours 2 --data-dir ./cloud\n\n\
        The reason is published in the log, word for word: name no person and no secret in it."
    )]
    Request(RequestArgs),
    /// Grant it (tenant): shows what is granted, asks, signs with the tenant's key, sends the signature
    #[command(
        after_help = "Example: awan access approve ACCESS_ID --sign-key tenant.key --profile kpu\n\n\
        The private key never leaves this machine."
    )]
    Approve(ApproveArgs),
    /// Refuse it (tenant)
    #[command(after_help = "Example: awan access deny ACCESS_ID --profile kpu")]
    Deny(NamedArgs),
    /// End it before its time (either party)
    #[command(after_help = "Example: awan access end ACCESS_ID --profile kpu")]
    End(NamedArgs),
    /// Show what was asked for and granted
    #[command(after_help = "Example: awan access list --profile kpu")]
    List(ListArgs),
}

#[derive(Clone, Debug, Args)]
struct RequestArgs {
    /// The tenant's account
    #[arg(value_name = "ACCOUNT")]
    account: String,
    /// Why; everybody can read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long from when it is granted
    #[arg(long, value_name = "HOURS", default_value_t = 1)]
    hours: u32,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
struct NamedArgs {
    /// The access, as `awan access list` names it
    #[arg(value_name = "ACCESS_ID")]
    id: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
struct ApproveArgs {
    /// The access, as `awan access list` names it
    #[arg(value_name = "ACCESS_ID")]
    id: String,
    /// The file with the key that the agreement names as the tenant's
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Debug, Args)]
struct ListArgs {
    /// Of this tenant; the operator sees all
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Does what the verb says.
///
/// # Errors
/// Where the cloud refuses.
pub fn run(args: &AccessArgs) -> Result<()> {
    match &args.what {
        Access::Request(args) => request(args),
        Access::Approve(args) => approve(args),
        Access::Deny(args) => decide(args, "DenyPrivilegedAccess", "refused"),
        Access::End(args) => decide(args, "EndPrivilegedAccess", "ended"),
        Access::List(args) => list(args),
    }
}

fn api(place: &PlaceArgs) -> Result<Api> {
    let profile = Profile::resolve(place)?;
    Api::new(&Http::new(&profile, 1)?, &profile)
}

fn request(args: &RequestArgs) -> Result<()> {
    let hours = args.hours.to_string();
    let params =
        [("AccountId", args.account.as_str()), ("Reason", &args.reason), ("Hours", &hours)];
    let answer = api(&args.place)?.call(api::AWAN, "RequestPrivilegedAccess", &params);
    let answer = answer.context("ask for privileged access")?;
    output::json(&answer)?;
    let id = output::plain(&answer["Access"]["AccessId"]);
    output::hint(format_args!("the tenant grants it: awan access approve {id}"));
    Ok(())
}

/// Shows what is asked for, asks, signs and sends.
fn approve(args: &ApproveArgs) -> Result<()> {
    let signer = key::read(&args.sign_key)?;
    let api = api(&args.place)?;
    let row = find(&api, &args.id)?;
    let text = |name: &str| output::plain(&row[name]);
    let account = text("AccountId");
    let account: AccountId =
        account.parse().map_err(|()| anyhow::anyhow!("\"{account}\" is not an account"))?;
    let hours: u32 = text("Hours").parse().context("read the hours")?;
    let reason = text("Reason");
    anyhow::ensure!(is_line(&reason), "the reason has characters that deceive who reads it");
    let statement = statement::privileged_access(&args.id, account, &reason, hours);
    output::talk(format_args!(
        "{} asks to read everything of account {account} for {hours} h: {reason}",
        text("Principal")
    ));
    output::talk(&statement);
    consent(&signer, args.yes)?;
    let line = statement::sign(&statement, &signer)?;
    let params = [("AccessId", args.id.as_str()), ("SignatureLine", &line)];
    let answer = api.call(api::AWAN, "ApprovePrivilegedAccess", &params);
    answer.with_context(|| format!("privileged access {}", args.id))?;
    output::talk(format_args!("privileged access {} is granted, and the log says so", args.id));
    Ok(())
}

/// The access of that id, as it is listed.
fn find(api: &Api, id: &str) -> Result<Value> {
    let mut found = None;
    api::pages(api, api::AWAN, "ListPrivilegedAccess", &[], |page| {
        found = api::items(page).iter().find(|row| row["AccessId"] == id).cloned();
        if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .context("list the privileged accesses")?;
    found.ok_or_else(|| {
        advise(format!("there is no access {id}"), "`awan access list` shows every access")
    })
}

fn decide(args: &NamedArgs, action: &str, done: &str) -> Result<()> {
    let answer = api(&args.place)?.call(api::AWAN, action, &[("AccessId", &args.id)]);
    answer.with_context(|| format!("privileged access {}", args.id))?;
    output::talk(format_args!("privileged access {} is {done}, and the log says so", args.id));
    Ok(())
}

fn list(args: &ListArgs) -> Result<()> {
    let params: Vec<_> =
        args.account.iter().map(|account| ("AccountId", account.as_str())).collect();
    let mut items: Vec<Value> = Vec::new();
    api::pages(&api(&args.place)?, api::AWAN, "ListPrivilegedAccess", &params, |page| {
        items.extend(api::items(page).iter().cloned());
        ControlFlow::Continue(())
    })
    .context("list the privileged accesses")?;
    let fields = ["AccessId", "AccountId", "State", "Until", "Reason"];
    Ok(output::listing(args.output, &fields, &items)?)
}
