//! The demonstration's agreement: KPU and the provider agree, both sign, everybody can read it, and a
//! place that it does not allow is refused. Without an agreement there is no service, so this comes first.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use terms::{Release, signature};
use tlog::Signer;

use crate::agreement::{key, root_key};
use crate::api::{self, Api};
use crate::error::{Error, advise};
use crate::http::Http;
use crate::object::{Dialect, Store};
use crate::output::{self, plain};
use crate::profile::Profile;

const TENANT: &str = "Komisi Pemilihan Umum";
const TITLE: &str = "Penyimpanan data Pemilu 2024";
/// What a month may cost: 25 million rupiah.
const SPENDING_LIMIT: i64 = 25_000_000_000_000;
/// A region abroad that the demonstration's cloud declares.
const ABROAD: &str = "ap-southeast-1";

/// Gives the tenant its agreement, where it has none yet; answers whether it was given now.
///
/// # Errors
/// Where the provider's key is not at hand, or the cloud refuses.
pub(super) fn agree(http: &Http, root: &Profile, owner: &Profile, account: &str) -> Result<bool> {
    let tenant_api = Api::new(http, owner)?;
    if let Some(agreement) = in_force(&tenant_api)? {
        output::talk(format_args!(
            "   in force since {}: {}",
            plain(&agreement["ActiveSince"]),
            plain(&agreement["Ocid"])
        ));
        return Ok(false);
    }
    let Some((dir, _)) = &root.cloud else {
        return Err(advise(
            "the provider's key is not at hand, so nobody can sign for the provider",
            "run the demonstration with --data-dir, where the cloud is",
        ));
    };
    let provider = key::read(&dir.join("provider.key"))?;
    let tenant = key::obtain(&key_file(root), root, None, account)?;
    let operator = Api::new(http, root)?;
    let release = draft(&operator, account, &tenant)?;
    let document = std::str::from_utf8(release.bytes()).context("canonical JSON is UTF-8")?;
    let submitted = [("AccountId", account), ("Document", document)];
    operator.call(api::AWAN, "CreateAgreement", &submitted).context("submit the agreement")?;
    for (api, signer) in [(&operator, &provider), (&tenant_api, &tenant)] {
        sign(api, &release, signer)?;
    }
    let which = [("Ocid", release.ocid()), ("ReleaseId", release.id())];
    operator.call(api::AWAN, "ActivateAgreement", &which).context("activate the agreement")?;
    output::talk(format_args!("   {} is signed by both, published and in force", release.ocid()));
    output::talk(format_args!("   its digest, which the log has: {}", release.digest()));
    Ok(true)
}

fn in_force(tenant: &Api) -> Result<Option<Value>> {
    match tenant.call(api::AWAN, "GetAgreement", &[]) {
        Ok(answer) => {
            let agreement = answer["Agreement"].clone();
            Ok((agreement["State"] == "Active").then_some(agreement))
        }
        Err(Error::Service(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The provider's template, with what these two parties agree besides.
fn draft(operator: &Api, account: &str, tenant: &Signer) -> Result<Release> {
    let key = tenant.verifier().to_string();
    let params =
        [("AccountId", account), ("TenantName", TENANT), ("TenantKey", &key), ("Title", TITLE)];
    let answer = operator.call(api::AWAN, "DescribeAgreementTemplate", &params);
    let answer = answer.context("ask for the template of an agreement")?;
    let text = answer["Document"].as_str().context("the answer holds no document")?;
    let mut document: Value = serde_json::from_str(text).context("read the template")?;
    let clauses = &mut document["contracts"][0]["sovereign"];
    ensure!(clauses.is_object(), "the template has no clauses");
    clauses["services"] = json!(["oss", "ram"]);
    clauses["spendingLimit"] = json!(SPENDING_LIMIT);
    Release::parse(document.to_string().as_bytes()).context("read the agreement as the cloud does")
}

fn sign(api: &Api, release: &Release, signer: &Signer) -> Result<()> {
    let line = signature::sign(release, signer)?;
    let params =
        [("Ocid", release.ocid()), ("ReleaseId", release.id()), ("SignatureLine", line.trim_end())];
    let name = signer.verifier().name().to_owned();
    api.call(api::AWAN, "SignAgreement", &params).with_context(|| format!("sign as {name}"))?;
    output::talk(format_args!("   signed by {name}"));
    Ok(())
}

/// Tries to place data abroad; passes only where the agreement keeps it from there.
pub(super) fn try_abroad(http: &Http, owner: &Profile, bucket: &str) -> Result<()> {
    let store = Store::new(http, owner, Dialect::S3)?;
    let name = format!("{bucket}-sg");
    match store.create_bucket_in(&name, ABROAD) {
        Ok(()) => anyhow::bail!("a bucket in {ABROAD} was made, against the agreement"),
        Err(error) if error.code() == Some("InvalidLocationConstraint") => {
            output::talk(format_args!(
                "   this cloud has no data centre in {ABROAD}; examples/pemilu2024/awan.toml declares one"
            ));
            Ok(())
        }
        Err(error) if error.code() == Some("Forbidden.Residency") => {
            output::talk(format_args!("   a bucket in Singapore ({ABROAD}): Forbidden.Residency"));
            Ok(())
        }
        Err(error) => Err(error).context("this should be refused with Forbidden.Residency"),
    }
}

/// Has a new root key made by the tenant's signature, which ends all older ones: also the first, which the
/// operator knows. Answers what the cloud does.
///
/// # Errors
/// Where the tenant's key is not at hand, or the cloud refuses.
pub(super) fn renew(http: &Http, root: &Profile, caller: &Profile, account: &str) -> Result<Value> {
    let signer = key::read(&key_file(root))?;
    let answer = root_key::create(&Api::new(http, caller)?, account, &signer)?;
    output::talk(
        "   a new root key by the tenant's signature: the operator's copy is worth nothing",
    );
    Ok(answer)
}

/// Where the key is that the demonstration's tenant signs with.
pub(super) fn key_file(root: &Profile) -> PathBuf {
    directory(root).join("demo-kpu.key")
}

/// Where the demonstration's keys are kept.
pub(super) fn directory(profile: &Profile) -> &Path {
    profile.cloud.as_ref().map_or(Path::new("."), |(dir, _)| dir)
}
