//! `awan agreement`: makes, reads, signs and changes the agreement between the provider and a tenant.
//! What is signed is recomputed here from the document itself; the cloud's word for it is not taken.
//!
//! | module | owns |
//! |---|---|
//! | [`key`] | the parties' keys, as files |
//! | [`draft`] | documents to edit: a new agreement, an amendment |
//! | [`sign`] | signing, and ending |
//! | [`root_key`] | a new root key by the tenant's signature |
//! | [`show`] | a release for people |

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::Value;
use terms::Release;

use crate::api::{self, Api};
use crate::error::advise;
use crate::http::Http;
use crate::output::{self, Format};
use crate::profile::{PlaceArgs, Profile};

mod draft;
pub(crate) mod key;
pub(crate) mod root_key;
mod show;
mod sign;

pub(crate) use sign::consent;

/// Arguments of `awan agreement`.
#[derive(Clone, Debug, Args)]
pub struct AgreementArgs {
    #[command(subcommand)]
    what: Agreement,
}

#[derive(Clone, Debug, Subcommand)]
enum Agreement {
    /// Make the key that the tenant signs with, and print its public half
    #[command(
        after_help = "Example: awan agreement key --account 1234567890123456 -o tenant.key --data-dir ./cloud\n\n\
        The file stays with the tenant; only what is printed goes into the agreement."
    )]
    Key(key::KeyArgs),
    /// Make a new root key for the tenant by its signature; all older ones end, also those that others know
    #[command(
        after_help = "Example: awan agreement root-key --account 1234567890123456 --sign-key tenant.key -o kpu-root.json --profile kpu\n\n\
        It works with the account's present root key, or (where that is lost) through the operator."
    )]
    RootKey(root_key::RootKeyArgs),
    /// Write the document of a new agreement, to edit and then submit
    #[command(
        after_help = "Example: awan agreement new --account 1234567890123456 --tenant-name \"Komisi Pemilihan Umum\" --sign-key tenant.key -o agreement.json --data-dir ./cloud\n\n\
        The key's file is made where it is missing."
    )]
    New(draft::NewArgs),
    /// Send an edited document to the cloud, as a draft to be signed
    #[command(after_help = "Example: awan agreement submit agreement.json --data-dir ./cloud")]
    Submit(draft::SubmitArgs),
    /// Show a release for people; the one in force unless named
    #[command(after_help = "Examples:\n  awan agreement show --data-dir ./cloud\n  \
        awan agreement show ocds-awan00-1234567890123456-1 contract-1 --json\n  awan agreement show --file agreement.json")]
    Show(show::ShowArgs),
    /// List the releases of all agreements that concern the account
    #[command(after_help = "Example: awan agreement list --data-dir ./cloud")]
    List(show::ListArgs),
    /// Sign a release: shows what is signed, asks, signs, sends the signature
    #[command(
        after_help = "Examples:\n  awan agreement sign OCID RELEASE --sign-key tenant.key --profile kpu\n  \
        awan agreement sign OCID RELEASE --as provider --data-dir ./cloud\n\n\
        The private key never leaves this machine."
    )]
    Sign(sign::SignArgs),
    /// Take back one's own signature from a release that does not bind yet
    #[command(after_help = "Example: awan agreement withdraw OCID RELEASE --profile kpu")]
    Withdraw(NamedArgs),
    /// Publish a release that both parties signed: it becomes a document and an entry of the log
    #[command(after_help = "Example: awan agreement publish OCID RELEASE --data-dir ./cloud")]
    Publish(NamedArgs),
    /// Bring a release into force; publishes it first where needed
    #[command(after_help = "Example: awan agreement activate OCID RELEASE --data-dir ./cloud\n\n\
        An amendment binds from the next whole hour, so that no hour has two price books.")]
    Activate(NamedArgs),
    /// Write the document of an amendment of what is in force, to edit and then submit
    #[command(
        after_help = "Example: awan agreement amend --reason-id \"Batas belanja dinaikkan\" --reason-en \"Raise the spending limit\" -o amendment.json --data-dir ./cloud"
    )]
    Amend(draft::AmendArgs),
    /// End the agreement: writes, signs and sends the termination
    #[command(
        after_help = "Example: awan agreement end --reason-id \"Pemilu selesai\" --reason-en \"The election is over\" --sign-key tenant.key --profile kpu\n\n\
        The agreement itself says what happens to the data after its end."
    )]
    End(sign::EndArgs),
}

/// A release by its name.
#[derive(Clone, Debug, Args)]
struct NamedArgs {
    /// The contracting process
    #[arg(value_name = "OCID")]
    ocid: String,
    /// The release
    #[arg(value_name = "RELEASE")]
    release: String,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Why an agreement is changed or ended; the Indonesian text binds.
#[derive(Clone, Debug, Args)]
struct ReasonArgs {
    /// Why, in Indonesian; everybody can read it
    #[arg(long, value_name = "TEXT")]
    reason_id: String,
    /// Why, in English; the Indonesian text unless given
    #[arg(long, value_name = "TEXT")]
    reason_en: Option<String>,
}

/// Does what the verb says.
///
/// # Errors
/// Where the cloud refuses, or a document or a key is not what it must be.
pub fn run(args: &AgreementArgs) -> Result<()> {
    match &args.what {
        Agreement::Key(args) => key::run(args),
        Agreement::RootKey(args) => root_key::run(args),
        Agreement::New(args) => draft::new(args),
        Agreement::Submit(args) => draft::submit(args),
        Agreement::Show(args) => show::show(args),
        Agreement::List(args) => show::list(args),
        Agreement::Sign(args) => sign::sign(args),
        Agreement::Withdraw(args) => withdraw(args),
        Agreement::Publish(args) => named(args, "PublishAgreement", "published"),
        Agreement::Activate(args) => named(args, "ActivateAgreement", "in force"),
        Agreement::Amend(args) => draft::amend(args),
        Agreement::End(args) => sign::end(args),
    }
}

fn withdraw(args: &NamedArgs) -> Result<()> {
    let cloud = Cloud::of(&args.place)?;
    let params = [("Ocid", args.ocid.as_str()), ("ReleaseId", &args.release)];
    let answer = cloud.api.call(api::AWAN, "WithdrawSignature", &params);
    let answer = answer.with_context(|| format!("release {} of {}", args.release, args.ocid))?;
    output::json(&answer)?;
    output::talk(format_args!("the signature under release {} is taken back", args.release));
    Ok(())
}

fn named(args: &NamedArgs, action: &str, done: &str) -> Result<()> {
    let cloud = Cloud::of(&args.place)?;
    let params = [("Ocid", args.ocid.as_str()), ("ReleaseId", &args.release)];
    let answer = cloud.api.call(api::AWAN, action, &params);
    let answer = answer.with_context(|| format!("release {} of {}", args.release, args.ocid))?;
    output::json(&answer)?;
    let since =
        answer["ActiveSince"].as_str().map_or_else(String::new, |at| format!(" from {at} on"));
    output::talk(format_args!("release {} is {done}{since}", args.release));
    let id = output::plain(&answer["RequestId"]);
    output::hint(format_args!("the log's proof of it: awan receipt {id}"));
    Ok(())
}

/// The cloud that a verb works with.
struct Cloud {
    profile: Profile,
    api: Api,
}

/// A release as the cloud gives it, after it was held against what the cloud says of it.
struct Fetched {
    release: Release,
    answer: Value,
}

impl Cloud {
    fn of(place: &PlaceArgs) -> Result<Self> {
        let profile = Profile::resolve(place)?;
        let api = Api::new(&Http::new(&profile, 1)?, &profile)?;
        Ok(Self { profile, api })
    }

    /// Fetches a release. Digest and statement are computed here, from the document.
    fn release(&self, ocid: &str, id: &str) -> Result<Fetched> {
        let asked = [("Ocid", ocid), ("ReleaseId", id)];
        let answer = self.api.call(api::AWAN, "GetAgreementRelease", &asked);
        let answer = answer.with_context(|| format!("fetch release {id} of {ocid}"))?;
        let text = match &answer["Document"] {
            Value::String(text) => text.clone(),
            document => document.to_string(),
        };
        let release = parse(text.as_bytes()).context("read the release")?;
        for (what, said, found) in [
            ("process", ocid, release.ocid()),
            ("release", id, release.id()),
            ("digest", answer["Digest"].as_str().unwrap_or_default(), release.digest()),
        ] {
            anyhow::ensure!(
                said == found,
                "the cloud calls the document's {what} {said}, and it is {found}"
            );
        }
        Ok(Fetched { release, answer })
    }

    /// Process and release of what is in force for the account.
    fn in_force(&self) -> Result<(String, String)> {
        let answer =
            self.api.call(api::AWAN, "GetAgreement", &[]).context("ask what is in force")?;
        let agreement = &answer["Agreement"];
        let text = |name: &str| agreement[name].as_str().filter(|text| !text.is_empty());
        match (text("Ocid"), text("ReleaseId")) {
            (Some(ocid), Some(id)) => Ok((ocid.to_owned(), id.to_owned())),
            _ => Err(advise(
                "no agreement is in force for the account",
                "`awan agreement list` shows what there is; `awan agreement new` begins one",
            )),
        }
    }
}

/// Reads a release, with advice where a person edits one.
fn parse(bytes: &[u8]) -> Result<Release> {
    Release::parse(bytes).map_err(|error| {
        let hint = if error.to_string().contains("items") {
            "`items` repeat the price book: after a change of prices leave them out, in the contract and in the tender"
        } else {
            "docs/agreement/ says what each field holds"
        };
        advise(error.to_string(), hint)
    })
}

/// Reads a file that a person edited.
fn read_file(file: &PathBuf) -> Result<Release> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    parse(&bytes).with_context(|| format!("{} is not an agreement", file.display()))
}

/// Which form a listing has.
#[derive(Clone, Copy, Debug, Args)]
struct FormArgs {
    /// How the listing is written; JSON has every field
    #[arg(long, value_enum, default_value = "table")]
    output: Format,
}
