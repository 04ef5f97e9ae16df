//! A new root key for a tenant, by a signature with the tenant's key: whoever made the account knew its
//! first one, and this ends that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::{AccountId, Clock, SystemClock, Time};
use clap::Args;
use serde_json::Value;
use terms::statement;
use tlog::Signer;

use super::key;
use crate::api::{self, Api};
use crate::error::advise;
use crate::http::Http;
use crate::output;
use crate::profile::{PlaceArgs, Profile, write_private};

/// Arguments of `awan agreement root-key`.
#[derive(Clone, Debug, Args)]
pub(super) struct RootKeyArgs {
    /// The tenant's account
    #[arg(long, value_name = "ACCOUNT")]
    account: String,
    /// The file with the key that the agreement names as the tenant's
    #[arg(long, value_name = "FILE")]
    sign_key: PathBuf,
    /// The file to write the new root key to, as --key-file reads it; it must not be there
    #[arg(short, long, value_name = "FILE", default_value = "tenant-root.json")]
    output: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Signs, has the key made, and keeps it.
///
/// # Errors
/// Where the file is there or cannot be written, or the cloud refuses.
pub(super) fn run(args: &RootKeyArgs) -> Result<()> {
    let file = &args.output;
    if file.exists() {
        let hint = "name another with -o: the key in it may still be needed";
        return Err(advise(format!("{} is there already", file.display()), hint));
    }
    // The answer is given once: better to learn now that the file cannot be written.
    write_private(file, b"")?;
    let answer = ask(args).inspect_err(|_| drop(std::fs::remove_file(file)))?;
    keep(file, &answer)?;
    let id = output::plain(&answer["AccessKey"]["AccessKeyId"]);
    output::line(&id)?;
    output::talk(format_args!(
        "the root key {id} is in {}; all older root keys of the account are gone",
        file.display()
    ));
    output::hint(
        "users and roles that others made in the account stay: ListUsers and ListRoles show them",
    );
    Ok(())
}

fn ask(args: &RootKeyArgs) -> Result<Value> {
    let profile = Profile::resolve(&args.place)?;
    let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
    let signer = key::read(&args.sign_key)?;
    create(&api, &args.account, &signer)
}

fn keep(file: &Path, answer: &Value) -> Result<()> {
    let made = &answer["AccessKey"];
    let kept = serde_json::json!({
        "AccessKeyId": made["AccessKeyId"], "AccessKeySecret": made["AccessKeySecret"]
    });
    let text = serde_json::to_vec_pretty(&kept).context("write the key as JSON")?;
    write_private(file, &text)
}

/// Has a root key made by the tenant's signature; answers what the cloud does.
///
/// # Errors
/// Where that is no account, or the cloud refuses.
pub(crate) fn create(api: &Api, account: &str, signer: &Signer) -> Result<Value> {
    let number: AccountId = account.parse().map_err(|()| {
        advise(format!("\"{account}\" is not an account"), "an account is a number")
    })?;
    let now = Time::from_secs(SystemClock.now().secs());
    let line = statement::sign(&statement::account_key(number, now), signer)?;
    let at = now.iso();
    let params = [("AccountId", account), ("SignatureLine", &line), ("SignedAt", &at)];
    let answer = api.call(api::AWAN, "CreateAccountAccessKey", &params);
    answer.context("make a root key by the tenant's signature")
}
