//! Who am I?

use base::{AccountId, ApiError};
use engine::{Action, CallerKind, Cx, Meta};
use serde::Serialize;

use super::Empty;

/// Tells a signed caller who it is. No policy can deny it.
pub(super) struct GetCallerIdentity;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetCallerIdentityResponse {
    account_id: AccountId,
    arn: String,
    identity_type: &'static str,
    principal_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role_id: Option<String>,
}

impl Action for GetCallerIdentity {
    const META: Meta = Meta::read("sts", "2015-04-01", "GetCallerIdentity").public();
    type Request = Empty;
    type Response = GetCallerIdentityResponse;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<GetCallerIdentityResponse, ApiError> {
        let caller = cx.caller;
        let (identity_type, user_id, role_id) = match &caller.kind {
            CallerKind::User { id, .. } => ("RAMUser", Some(id.clone()), None),
            CallerKind::AssumedRole { id, .. } => ("AssumedRoleUser", None, Some(id.clone())),
            CallerKind::Root | CallerKind::Anonymous | CallerKind::System => {
                ("Account", Some(caller.principal_id()), None)
            }
        };
        Ok(GetCallerIdentityResponse {
            account_id: caller.account,
            arn: caller.arn(),
            identity_type,
            principal_id: caller.principal_id(),
            user_id,
            role_id,
        })
    }
}
