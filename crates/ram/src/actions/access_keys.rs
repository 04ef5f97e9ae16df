//! Access keys: of a user by name, else of the caller itself (a user, or the account).

use base::{ApiError, Time};
use engine::{Action, CallerKind, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, List, list, read, users, write};
use crate::errors::{NO_KEY, TOO_MANY_KEYS, invalid, missing};
use crate::tables::Change;
use crate::tables::access_key::{self, AccessKey, NewKey, ROOT};

/// How many keys a user, or an account for itself, may make: one in use and one to change over to.
const KEYS_MAX: usize = 2;

fn status(active: bool) -> &'static str {
    if active { "Active" } else { "Inactive" }
}

/// A key just made, with its secret: this is the one time that it is shown.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Created {
    access_key_id: String,
    access_key_secret: String,
    status: &'static str,
    create_date: String,
}

impl From<NewKey> for Created {
    fn from(key: NewKey) -> Self {
        Self {
            access_key_id: key.id,
            access_key_secret: key.secret.expose().clone(),
            status: status(true),
            create_date: key.created.iso(),
        }
    }
}

/// Asks for permission on the keys of a user, or of the caller where none is named, and says whose
/// they are: a user's id, or [`ROOT`].
fn owner(cx: &mut Cx<'_>, user_name: Option<&str>) -> Result<String, ApiError> {
    if let Some(name) = user_name.filter(|name| !name.is_empty()) {
        users::authorize(cx, name)?;
        return Ok(users::find(cx, name)?.id);
    }
    match cx.caller.kind.clone() {
        CallerKind::User { id, name } => {
            users::authorize(cx, &name)?;
            Ok(id)
        }
        CallerKind::Root => {
            cx.authorize(&format!("acs:ram:*:{}:root", cx.account()))?;
            Ok(ROOT.to_owned())
        }
        CallerKind::AssumedRole { .. } | CallerKind::Anonymous | CallerKind::System => {
            Err(missing("UserName"))
        }
    }
}

/// The key of an owner; a key of anybody else does not exist here.
fn find(cx: &mut Cx<'_>, owner: &str, id: &str) -> Result<AccessKey, ApiError> {
    let account = cx.account();
    let keys = access_key::list(cx.tx(), account, owner)?;
    keys.into_iter().find(|key| key.id == id).ok_or_else(|| NO_KEY.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfUser {
    user_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KeyOfUser {
    user_name: Option<String>,
    user_access_key_id: String,
}

/// Makes a key.
pub(super) struct CreateAccessKey;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateAccessKeyResponse {
    access_key: Created,
}

impl Action for CreateAccessKey {
    const META: Meta = write("CreateAccessKey");
    type Request = OfUser;
    type Response = CreateAccessKeyResponse;

    fn run(cx: &mut Cx<'_>, request: OfUser) -> Result<CreateAccessKeyResponse, ApiError> {
        let owner = owner(cx, request.user_name.as_deref())?;
        let (account, now, cloud) = (cx.account(), cx.now, cx.cloud);
        if access_key::count_of(cx.tx(), account, &owner)? >= KEYS_MAX {
            return Err(TOO_MANY_KEYS.into());
        }
        let key = access_key::create(&mut Change::of(cx), &cloud.seal, account, &owner, now)?;
        cx.audit_detail("AccessKeyId", &key.id);
        Ok(CreateAccessKeyResponse { access_key: key.into() })
    }
}

/// Lists keys, without their secrets.
pub(super) struct ListAccessKeys;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    access_key_id: String,
    status: &'static str,
    create_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListAccessKeysResponse {
    access_keys: List<Listed>,
}

impl Action for ListAccessKeys {
    const META: Meta = read("ListAccessKeys");
    type Request = OfUser;
    type Response = ListAccessKeysResponse;

    fn run(cx: &mut Cx<'_>, request: OfUser) -> Result<ListAccessKeysResponse, ApiError> {
        let owner = owner(cx, request.user_name.as_deref())?;
        let account = cx.account();
        let keys = access_key::list(cx.tx(), account, &owner)?;
        let view = |key: AccessKey| Listed {
            access_key_id: key.id,
            status: status(key.active),
            create_date: key.created.iso(),
        };
        Ok(ListAccessKeysResponse { access_keys: list("AccessKey", keys.into_iter().map(view)) })
    }
}

/// Enables or disables a key. It works from the next request on.
pub(super) struct UpdateAccessKey;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateAccessKeyRequest {
    user_name: Option<String>,
    user_access_key_id: String,
    status: String,
}

impl Action for UpdateAccessKey {
    const META: Meta = write("UpdateAccessKey");
    type Request = UpdateAccessKeyRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UpdateAccessKeyRequest) -> Result<Empty, ApiError> {
        let active = match request.status.as_str() {
            "Active" => true,
            "Inactive" => false,
            _ => return Err(invalid("Status", "The Status must be Active or Inactive.")),
        };
        let owner = owner(cx, request.user_name.as_deref())?;
        let key = find(cx, &owner, &request.user_access_key_id)?;
        let account = cx.account();
        access_key::set_active(&mut Change::of(cx), account, &owner, &key.id, active)?;
        cx.audit_detail("AccessKeyId", key.id);
        cx.audit_detail("Status", request.status);
        Ok(Empty {})
    }
}

/// Deletes a key.
pub(super) struct DeleteAccessKey;

impl Action for DeleteAccessKey {
    const META: Meta = write("DeleteAccessKey");
    type Request = KeyOfUser;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: KeyOfUser) -> Result<Empty, ApiError> {
        let owner = owner(cx, request.user_name.as_deref())?;
        let key = find(cx, &owner, &request.user_access_key_id)?;
        let account = cx.account();
        access_key::delete(&mut Change::of(cx), account, &owner, &key.id)?;
        cx.audit_detail("AccessKeyId", key.id);
        Ok(Empty {})
    }
}

/// Tells when a key was last used, to within the minute or so that uses are held in memory.
pub(super) struct GetAccessKeyLastUsed;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LastUsed {
    /// Empty where the key was never used.
    last_used_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccessKeyLastUsedResponse {
    access_key_last_used: LastUsed,
}

impl Action for GetAccessKeyLastUsed {
    const META: Meta = read("GetAccessKeyLastUsed");
    type Request = KeyOfUser;
    type Response = GetAccessKeyLastUsedResponse;

    fn run(cx: &mut Cx<'_>, request: KeyOfUser) -> Result<GetAccessKeyLastUsedResponse, ApiError> {
        let owner = owner(cx, request.user_name.as_deref())?;
        let key = find(cx, &owner, &request.user_access_key_id)?;
        let last_used_date = key.last_used.map(Time::iso).unwrap_or_default();
        Ok(GetAccessKeyLastUsedResponse { access_key_last_used: LastUsed { last_used_date } })
    }
}
