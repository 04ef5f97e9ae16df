//! From a draft to what binds: `SignAgreement`, `WithdrawSignature`, `PublishAgreement`, `ActivateAgreement`.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{ACTIVATE, write};
use crate::lifecycle;
use crate::tables::release::State;

/// A release by its name.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    ocid: String,
    release_id: String,
}

/// How far a release has come.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Come {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_since: Option<String>,
}

impl Come {
    fn to(state: State) -> Self {
        Self { state: state.name(), active_since: None }
    }
}

/// Puts a party's signature under a release: one line of a signed note, made with the key that the
/// release names. Each party puts in its own.
pub(super) struct SignAgreement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SignRequest {
    #[serde(flatten)]
    named: Named,
    /// `— <key name> <base64>`. Not called `Signature`: that is the request's own.
    signature_line: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SignResponse {
    provider: bool,
    tenant: bool,
    state: &'static str,
}

impl Action for SignAgreement {
    const META: Meta = write("SignAgreement");
    type Request = SignRequest;
    type Response = SignResponse;

    fn run(cx: &mut Cx<'_>, request: SignRequest) -> Result<SignResponse, ApiError> {
        let Named { ocid, release_id } = request.named;
        let (mut row, sides) = lifecycle::find(cx, &ocid, &release_id)?;
        lifecycle::sign(cx, &mut row, sides, &request.signature_line)?;
        Ok(SignResponse {
            provider: !row.signed_provider.is_empty(),
            tenant: !row.signed_tenant.is_empty(),
            state: row.state.name(),
        })
    }
}

/// Takes a party's signature back while the release does not bind yet. Each party takes back its own.
pub(super) struct WithdrawSignature;

impl Action for WithdrawSignature {
    const META: Meta = write("WithdrawSignature");
    type Request = Named;
    type Response = Come;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Come, ApiError> {
        let (mut row, sides) = lifecycle::find(cx, &request.ocid, &request.release_id)?;
        lifecycle::withdraw(cx, &mut row, sides)?;
        Ok(Come::to(row.state))
    }
}

/// Publishes a release that both parties signed: from then on everybody may read it.
pub(super) struct PublishAgreement;

impl Action for PublishAgreement {
    const META: Meta = write("PublishAgreement");
    type Request = Named;
    type Response = Come;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Come, ApiError> {
        let (mut row, _) = lifecycle::find(cx, &request.ocid, &request.release_id)?;
        lifecycle::publish(cx, &mut row)?;
        Ok(Come::to(row.state))
    }
}

/// Makes a release bind; publishes it first where it is not yet. The operator's, because from then on it
/// serves.
pub(super) struct ActivateAgreement;

impl Action for ActivateAgreement {
    const META: Meta = ACTIVATE;
    type Request = Named;
    type Response = Come;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Come, ApiError> {
        let own = cx.account();
        cx.require_operator(&format!("acs:awan:*:{own}:agreement/{}", request.ocid))?;
        let (mut row, _) = lifecycle::find(cx, &request.ocid, &request.release_id)?;
        let term = lifecycle::activate(cx, &mut row)?;
        Ok(Come { active_since: Some(term.begins.iso()), ..Come::to(row.state) })
    }
}
