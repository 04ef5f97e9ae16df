//! awan 2026-01-01 `EndAgreement`: one party ends an agreement.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};
use terms::release::Tag;

use super::making::{owner, same_process};
use super::write;
use crate::lifecycle;

/// Ends an agreement by a `contractTermination` release that the ending party signed. The tenant may end
/// it at once, the provider with the notice that the agreement grants.
pub(super) struct EndAgreement;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndRequest {
    ocid: String,
    document: String,
    /// The ending party's line of the note over `Document`.
    signature_line: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndResponse {
    ocid: String,
    release_id: String,
    digest: String,
    /// From when it binds nobody.
    until: String,
}

impl Action for EndAgreement {
    const META: Meta = write("EndAgreement");
    type Request = EndRequest;
    type Response = EndResponse;

    fn run(cx: &mut Cx<'_>, request: EndRequest) -> Result<EndResponse, ApiError> {
        let account = owner(cx, &request.ocid)?;
        let sides = lifecycle::sides(cx, account)?;
        let release = lifecycle::parse(&request.document, Tag::ContractTermination)?;
        same_process(&release, &request.ocid)?;
        let signed = (request.signature_line.as_str(), sides);
        let (row, until) = lifecycle::end(cx, account, &release, signed)?;
        cx.audit_detail("Release", row.digest.as_str());
        let (ocid, release_id, digest) = (row.ocid, row.id, row.digest);
        Ok(EndResponse { ocid, release_id, digest, until: until.iso() })
    }
}
