//! Making releases: `DescribeAgreementTemplate`, `CreateAgreement`, `AmendAgreement`.

use base::{AccountId, ApiError};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use terms::clauses::Text;
use terms::release::{Party, Tag};
use terms::{Release, signature};

use super::{asked, read, write};
use crate::errors::{NO_AGREEMENT, invalid};
use crate::lifecycle;
use crate::tables::release;
use crate::template::{self, Tenant};

/// The default agreement with an account, to be changed and sent to `CreateAgreement`.
pub(super) struct DescribeAgreementTemplate;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateRequest {
    account_id: AccountId,
    /// The tenant's legal name.
    tenant_name: String,
    /// Its key, as a note verifier key of the name `<log origin>/tenant/<account>`.
    tenant_key: String,
    /// The register that `TenantId` is from; both or neither.
    tenant_id_scheme: Option<String>,
    tenant_id: Option<String>,
    title: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateResponse {
    document: String,
}

impl Action for DescribeAgreementTemplate {
    const META: Meta = read("DescribeAgreementTemplate");
    type Request = TemplateRequest;
    type Response = TemplateResponse;

    fn run(cx: &mut Cx<'_>, request: TemplateRequest) -> Result<TemplateResponse, ApiError> {
        lifecycle::authorize(cx, "*")?;
        let account = asked(cx, Some(request.account_id))?;
        let (scheme, id) = match (request.tenant_id_scheme, request.tenant_id) {
            (Some(scheme), Some(id)) => (scheme, id),
            (None, None) => Tenant::unregistered(account),
            _ => return Err(invalid("TenantId", "A number comes with the scheme that it is of.")),
        };
        let party =
            Party { name: request.tenant_name, scheme, id, additional: Vec::new(), contact: None };
        let title = request.title.map(|title| Text { id: title.clone(), en: title });
        let tenant = Tenant { account, party, key: request.tenant_key, title };
        let release = template::release(cx, tenant)?;
        Ok(TemplateResponse { document: text(&release)? })
    }
}

/// The canonical text of a release.
pub(super) fn text(release: &Release) -> Result<String, ApiError> {
    String::from_utf8(release.bytes().to_vec()).map_err(ApiError::internal)
}

/// A release that was taken in: what there is to sign.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Drafted {
    ocid: String,
    release_id: String,
    digest: String,
    statement: String,
}

impl From<&Release> for Drafted {
    fn from(release: &Release) -> Self {
        Self {
            ocid: release.ocid().to_owned(),
            release_id: release.id().to_owned(),
            digest: release.digest().to_owned(),
            statement: signature::statement(release),
        }
    }
}

/// Takes in the first release of an agreement, as a draft that binds nobody.
pub(super) struct CreateAgreement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRequest {
    account_id: AccountId,
    document: String,
    /// What opens withheld fields, a JSON list; kept for the two parties.
    openings: Option<String>,
}

impl Action for CreateAgreement {
    const META: Meta = write("CreateAgreement");
    type Request = CreateRequest;
    type Response = Drafted;

    fn run(cx: &mut Cx<'_>, request: CreateRequest) -> Result<Drafted, ApiError> {
        lifecycle::authorize(cx, "*")?;
        let account = request.account_id;
        lifecycle::sides(cx, account)?;
        let release = lifecycle::parse(&request.document, Tag::Contract)?;
        draft(cx, account, &release, request.openings.as_deref())
    }
}

fn draft(
    cx: &mut Cx<'_>,
    account: AccountId,
    release: &Release,
    openings: Option<&str>,
) -> Result<Drafted, ApiError> {
    let row = lifecycle::draft(cx, account, release, openings)?;
    cx.audit_detail("Ocid", row.ocid);
    cx.audit_detail("Release", row.digest);
    Ok(release.into())
}

/// Takes in a release that changes an agreement, as a draft.
pub(super) struct AmendAgreement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AmendRequest {
    ocid: String,
    document: String,
    openings: Option<String>,
}

impl Action for AmendAgreement {
    const META: Meta = write("AmendAgreement");
    type Request = AmendRequest;
    type Response = Drafted;

    fn run(cx: &mut Cx<'_>, request: AmendRequest) -> Result<Drafted, ApiError> {
        let account = owner(cx, &request.ocid)?;
        let release = lifecycle::parse(&request.document, Tag::ContractAmendment)?;
        same_process(&release, &request.ocid)?;
        draft(cx, account, &release, request.openings.as_deref())
    }
}

/// Whose agreement it is; the caller must be a party to it.
pub(super) fn owner(cx: &mut Cx<'_>, ocid: &str) -> Result<AccountId, ApiError> {
    lifecycle::authorize(cx, ocid)?;
    let account = release::owner(cx.tx(), ocid)?.ok_or(ApiError::new(&NO_AGREEMENT))?;
    lifecycle::sides(cx, account)?;
    Ok(account)
}

/// Refuses a document of another process than the one that was named.
pub(super) fn same_process(release: &Release, ocid: &str) -> Result<(), ApiError> {
    if release.ocid() == ocid {
        return Ok(());
    }
    Err(invalid("Document", format!("The ocid of this release must be {ocid}.")))
}
