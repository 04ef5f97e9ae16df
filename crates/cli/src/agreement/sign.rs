//! Signing a release, and ending an agreement. The digest is computed here from the document that is
//! shown: nobody signs what the cloud merely says it is.

use std::io::IsTerminal;

use anyhow::{Context, Result, bail};
use base::{Clock, SystemClock, Time};
use clap::Args;
use serde_json::json;
use terms::Release;
use terms::release::Tag;
use terms::signature;

use super::{Cloud, ReasonArgs, draft, key, parse, show};
use crate::api;
use crate::error::advise;
use crate::output;
use crate::profile::PlaceArgs;

/// Arguments of `awan agreement sign`.
#[derive(Clone, Debug, Args)]
pub(super) struct SignArgs {
    /// The contracting process
    #[arg(value_name = "OCID")]
    ocid: String,
    /// The release
    #[arg(value_name = "RELEASE")]
    release: String,
    #[command(flatten)]
    signer: key::SignerArgs,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `awan agreement end`.
#[derive(Clone, Debug, Args)]
pub(super) struct EndArgs {
    /// The contracting process; of the agreement in force unless given
    #[arg(value_name = "OCID", requires = "release")]
    ocid: Option<String>,
    /// The release that is in force
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
    #[command(flatten)]
    signer: key::SignerArgs,
    /// When it ends, as 2026-12-31T17:00:00Z; now unless given
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Sign without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Shows, asks, signs and sends.
///
/// # Errors
/// Where the key is neither party's, the person says no, or the cloud refuses.
pub(super) fn sign(args: &SignArgs) -> Result<()> {
    let cloud = Cloud::of(&args.place)?;
    let signer = args.signer.read(&cloud.profile)?;
    let fetched = cloud.release(&args.ocid, &args.release)?;
    let line = agree(&fetched.release, &signer, args.yes)?;
    let params = [
        ("Ocid", args.ocid.as_str()),
        ("ReleaseId", &args.release),
        ("SignatureLine", line.trim_end()),
    ];
    let answer =
        cloud.api.call(api::AWAN, "SignAgreement", &params).context("send the signature")?;
    output::json(&answer)?;
    let said = |party: &str| answer[party] == true;
    if said("Provider") && said("Tenant") {
        output::hint(format_args!(
            "both have signed: awan agreement activate {} {}",
            args.ocid, args.release
        ));
    }
    Ok(())
}

/// Writes, shows, signs and sends the termination.
///
/// # Errors
/// As [`sign`]; also where nothing is in force.
pub(super) fn end(args: &EndArgs) -> Result<()> {
    let cloud = Cloud::of(&args.place)?;
    let signer = args.signer.read(&cloud.profile)?;
    let (ocid, id) = match (&args.ocid, &args.release) {
        (Some(ocid), Some(id)) => (ocid.clone(), id.clone()),
        _ => cloud.in_force()?,
    };
    let before = cloud.release(&ocid, &id)?.release;
    let now = SystemClock.now();
    let until = match &args.until {
        Some(text) => Time::parse_iso(text).ok_or_else(|| {
            advise(format!("\"{text}\" is not a time"), "write it as 2026-12-31T17:00:00Z")
        })?,
        None => now,
    };
    let mut document = draft::next(&before, Tag::ContractTermination, &args.reason, now);
    document["contracts"][0]["period"]["endDate"] = json!(until.iso());
    let release = parse(document.to_string().as_bytes())?;
    let line = agree(&release, &signer, args.yes)?;
    let text = String::from_utf8(release.bytes().to_vec()).context("canonical JSON is UTF-8")?;
    let params = [("Ocid", ocid.as_str()), ("Document", &text), ("SignatureLine", line.trim_end())];
    let answer = cloud.api.call(api::AWAN, "EndAgreement", &params).context("end the agreement")?;
    output::json(&answer)?;
    Ok(())
}

/// Shows a release, asks, and answers the signature line.
fn agree(release: &Release, signer: &tlog::Signer, yes: bool) -> Result<String> {
    show::summary(release).iter().for_each(output::talk);
    output::talk(signature::statement(release));
    let line = signature::sign(release, signer)
        .with_context(|| format!("sign as {}", signer.verifier().name()))?;
    consent(signer, yes)?;
    Ok(line)
}

/// Asks whether to sign what was shown.
///
/// # Errors
/// Where the answer is no, or nobody is there to be asked.
pub(crate) fn consent(signer: &tlog::Signer, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(advise("nobody is there to be asked", "--yes signs without asking"));
    }
    let answer = output::ask(&format!("Sign this as {}? (ya/yes)", signer.verifier().name()))?;
    match answer.to_lowercase().as_str() {
        "y" | "ya" | "yes" => Ok(()),
        _ => bail!("not signed"),
    }
}
