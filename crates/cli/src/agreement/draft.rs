//! Documents for people to edit: a new agreement from the cloud's template, and an amendment from what
//! is in force. What is sent is read first as the cloud reads it, so that mistakes show here.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Time};
use clap::Args;
use serde_json::{Value, json};
use terms::Release;
use terms::release::Tag;

use super::{Cloud, ReasonArgs, key, parse, read_file, show};
use crate::api;
use crate::error::advise;
use crate::output;
use crate::profile::{PlaceArgs, write_private};

/// Arguments of `awan agreement new`.
#[derive(Clone, Debug, Args)]
pub(super) struct NewArgs {
    /// The tenant's account
    #[arg(long, value_name = "ACCOUNT")]
    account: String,
    /// The tenant's legal name
    #[arg(long, value_name = "NAME")]
    tenant_name: String,
    /// The register of the tenant's number, as ID-NIB or ID-NPWP
    #[arg(long, value_name = "SCHEME", requires = "tenant_id")]
    tenant_id_scheme: Option<String>,
    /// The tenant's number there
    #[arg(long, value_name = "NUMBER", requires = "tenant_id_scheme")]
    tenant_id: Option<String>,
    /// What the agreement is called
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// The tenant's key; made where it is missing
    #[arg(long, value_name = "FILE", default_value = "tenant.key")]
    sign_key: PathBuf,
    /// The log's key; of cloud.json unless given
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "agreement.json")]
    output: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `awan agreement submit`.
#[derive(Clone, Debug, Args)]
pub(super) struct SubmitArgs {
    /// The edited document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Arguments of `awan agreement amend`.
#[derive(Clone, Debug, Args)]
pub(super) struct AmendArgs {
    /// The contracting process; of the agreement in force unless given
    #[arg(value_name = "OCID", requires = "release")]
    ocid: Option<String>,
    /// The release to amend
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    #[command(flatten)]
    reason: ReasonArgs,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "amendment.json")]
    output: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Writes the template of an agreement with a tenant.
///
/// # Errors
/// Where the cloud refuses, or the file is there already.
pub(super) fn new(args: &NewArgs) -> Result<()> {
    keep(&args.output)?;
    let cloud = Cloud::of(&args.place)?;
    let signer =
        key::obtain(&args.sign_key, &cloud.profile, args.log_key.as_deref(), &args.account)?;
    let verifier = signer.verifier().to_string();
    let mut params = vec![
        ("AccountId", args.account.as_str()),
        ("TenantName", &args.tenant_name),
        ("TenantKey", &verifier),
    ];
    let more = [
        ("TenantIdScheme", &args.tenant_id_scheme),
        ("TenantId", &args.tenant_id),
        ("Title", &args.title),
    ];
    params.extend(more.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    let answer = cloud.api.call(api::AWAN, "DescribeAgreementTemplate", &params);
    let answer = answer.context("ask for the template")?;
    let document = answer["Document"].as_str().context("the answer holds no document")?;
    let release = parse(document.as_bytes())?;
    write(&args.output, release.document())?;
    output::hint(format_args!("edit it, then: awan agreement submit {}", args.output.display()));
    Ok(())
}

/// Sends an edited document.
///
/// # Errors
/// Where it is not a release, or the cloud refuses it.
pub(super) fn submit(args: &SubmitArgs) -> Result<()> {
    let release = read_file(&args.file)?;
    let cloud = Cloud::of(&args.place)?;
    let document =
        String::from_utf8(release.bytes().to_vec()).context("canonical JSON is UTF-8")?;
    let account = release.terms().account.to_string();
    let (action, about) = match release.tag() {
        Tag::Contract => ("CreateAgreement", ("AccountId", account.as_str())),
        Tag::ContractAmendment => ("AmendAgreement", ("Ocid", release.ocid())),
        Tag::ContractTermination => {
            return Err(advise(
                "a termination is not submitted as a draft",
                "`awan agreement end` writes, signs and sends it",
            ));
        }
    };
    let answer = cloud.api.call(api::AWAN, action, &[about, ("Document", &document)]);
    let answer = answer.context("submit the agreement")?;
    let said = answer["Digest"].as_str().unwrap_or_default();
    anyhow::ensure!(
        said == release.digest(),
        "the cloud's digest is {said}, and the document's {}",
        release.digest()
    );
    output::json(&answer)?;
    let (ocid, id) = (release.ocid(), release.id());
    output::hint(format_args!("both parties sign it now: awan agreement sign {ocid} {id}"));
    Ok(())
}

/// Writes the document of an amendment.
///
/// # Errors
/// Where nothing is in force, or the file is there already.
pub(super) fn amend(args: &AmendArgs) -> Result<()> {
    keep(&args.output)?;
    let cloud = Cloud::of(&args.place)?;
    let (ocid, id) = match (&args.ocid, &args.release) {
        (Some(ocid), Some(id)) => (ocid.clone(), id.clone()),
        _ => cloud.in_force()?,
    };
    let before = cloud.release(&ocid, &id)?.release;
    let document = next(&before, Tag::ContractAmendment, &args.reason, SystemClock.now());
    write(&args.output, &document)?;
    output::hint(format_args!(
        "edit it (after a change of prices leave out `items`), then: awan agreement submit {}",
        args.output.display()
    ));
    Ok(())
}

/// The document of the release after another, with the same clauses.
pub(super) fn next(before: &Release, tag: Tag, reason: &ReasonArgs, now: Time) -> Value {
    let kind = if tag == Tag::ContractTermination { "termination" } else { "amendment" };
    let id = format!("{kind}-{}", now.compact());
    let mut document = before.document().clone();
    document["id"] = json!(id);
    document["date"] = json!(now.iso());
    document["tag"] = json!([tag.as_str()]);
    let contract = &mut document["contracts"][0];
    contract["amendments"] = json!([{
        "id": id,
        "date": now.iso(),
        "rationale": reason.reason_id,
        "rationale_en": reason.reason_en.as_ref().unwrap_or(&reason.reason_id),
        "amendsReleaseID": before.id(),
        "releaseID": id,
    }]);
    if tag == Tag::ContractTermination {
        contract["status"] = json!("terminated");
    }
    document
}

/// A document that a person edits must not be overwritten.
fn keep(file: &Path) -> Result<()> {
    if file.exists() {
        return Err(advise(
            format!("{} is there already", file.display()),
            "name another file with -o FILE, or move it away",
        ));
    }
    Ok(())
}

fn write(file: &Path, document: &Value) -> Result<()> {
    write_private(file, format!("{document:#}\n").as_bytes())?;
    output::talk(format_args!("the document is in {}", file.display()));
    let release = parse(document.to_string().as_bytes())?;
    show::summary(&release).iter().for_each(output::talk);
    Ok(())
}
