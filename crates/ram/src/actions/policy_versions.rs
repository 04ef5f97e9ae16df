//! Versions of policies: up to five, one of which is in force.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::policies::{self, TypedName};
use super::{Empty, List, list, read, write};
use crate::errors::{NO_VERSION, TOO_MANY_VERSIONS, VERSION_IS_DEFAULT, invalid};
use crate::policy::system::{self, SystemPolicy};
use crate::tables::policy::{Policy, Version};
use crate::tables::{Change, policy};
use crate::{check, ids};

/// How many versions a policy may have.
const VERSIONS_MAX: usize = 5;

/// The number of a policy's first version.
pub(super) const FIRST: u32 = 1;

/// A version's id: `v1`.
pub(super) fn id(number: u32) -> String {
    format!("v{number}")
}

fn number(id: &str) -> Result<u32, ApiError> {
    let digits =
        id.strip_prefix('v').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| invalid("VersionId.Format", "The VersionId must look like v1."))
}

/// A version as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DocumentView {
    version_id: String,
    is_default_version: bool,
    pub(super) policy_document: String,
    create_date: String,
}

impl DocumentView {
    fn new(version: Version, policy: &Policy) -> Self {
        Self {
            version_id: id(version.number),
            is_default_version: version.number == policy.default_version,
            policy_document: version.document,
            create_date: version.created.iso(),
        }
    }
}

/// The one version of a system policy.
pub(super) fn of_system(policy: &SystemPolicy) -> DocumentView {
    DocumentView {
        version_id: id(FIRST),
        is_default_version: true,
        policy_document: policy.document.to_owned(),
        create_date: system::CREATED.iso(),
    }
}

/// A version of a custom policy.
pub(super) fn find(
    cx: &mut Cx<'_>,
    policy: &Policy,
    number: u32,
) -> Result<DocumentView, ApiError> {
    let account = cx.account();
    let version = policy::version(cx.tx(), account, &policy.name, number)?;
    version.map(|version| DocumentView::new(version, policy)).ok_or_else(|| NO_VERSION.into())
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneVersion {
    policy_version: DocumentView,
}

/// Adds a version to a policy.
pub(super) struct CreatePolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicyVersionRequest {
    policy_name: String,
    policy_document: String,
    #[serde(default)]
    set_as_default: bool,
    rotate_strategy: Option<String>,
}

impl Action for CreatePolicyVersion {
    const META: Meta = write("CreatePolicyVersion");
    type Request = CreatePolicyVersionRequest;
    type Response = OneVersion;

    fn run(cx: &mut Cx<'_>, request: CreatePolicyVersionRequest) -> Result<OneVersion, ApiError> {
        let rotate = match request.rotate_strategy.as_deref() {
            None | Some("" | "None") => false,
            Some("DeleteOldestNonDefaultVersionWhenLimitExceeded") => true,
            Some(_) => return Err(invalid("RotateStrategy", "There is no such RotateStrategy.")),
        };
        check::policy("PolicyDocument", &request.policy_document)?;
        policies::authorize(cx, &request.policy_name)?;
        let mut policy = policies::find(cx, &request.policy_name)?;
        make_room(cx, &policy, rotate)?;
        policy.newest_version += 1;
        if request.set_as_default {
            policy.default_version = policy.newest_version;
        }
        policy.updated = cx.now;
        let version = Version {
            number: policy.newest_version,
            document: request.policy_document,
            created: cx.now,
        };
        let account = cx.account();
        let mut change = Change::of(cx);
        policy::insert_version(&mut change, account, &policy.name, &version)?;
        policy::update(&mut change, account, &policy)?;
        cx.audit_detail("VersionId", id(version.number));
        Ok(OneVersion { policy_version: DocumentView::new(version, &policy) })
    }
}

/// Refuses one version too many or, where that is wished, deletes the oldest that is not in force.
fn make_room(cx: &mut Cx<'_>, policy: &Policy, rotate: bool) -> Result<(), ApiError> {
    let account = cx.account();
    let versions = policy::versions(cx.tx(), account, &policy.name)?;
    if versions.len() < VERSIONS_MAX {
        return Ok(());
    }
    let oldest =
        versions.iter().find(|version| version.number != policy.default_version).filter(|_| rotate);
    let oldest = oldest.ok_or_else(|| ApiError::new(&TOO_MANY_VERSIONS))?;
    policy::delete_version(&mut Change::of(cx), account, &policy.name, oldest.number)?;
    Ok(())
}

/// Shows a version.
pub(super) struct GetPolicyVersion;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPolicyVersionRequest {
    policy_name: String,
    policy_type: String,
    version_id: String,
}

impl Action for GetPolicyVersion {
    const META: Meta = read("GetPolicyVersion");
    type Request = GetPolicyVersionRequest;
    type Response = OneVersion;

    fn run(cx: &mut Cx<'_>, request: GetPolicyVersionRequest) -> Result<OneVersion, ApiError> {
        let name = policies::named(&request.policy_name, &request.policy_type)?;
        let number = number(&request.version_id)?;
        cx.authorize(&ids::policy_arn(cx.account(), name.system, &name.name))?;
        if !name.system {
            let policy = policies::find(cx, &name.name)?;
            return Ok(OneVersion { policy_version: find(cx, &policy, number)? });
        }
        let policy = system::find(&name.name).ok_or_else(|| policies::no_policy(&name.name))?;
        if number != FIRST {
            return Err(NO_VERSION.into());
        }
        Ok(OneVersion { policy_version: of_system(policy) })
    }
}

/// Lists the versions of a policy, oldest first.
pub(super) struct ListPolicyVersions;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPolicyVersionsResponse {
    policy_versions: List<DocumentView>,
}

impl Action for ListPolicyVersions {
    const META: Meta = read("ListPolicyVersions");
    type Request = TypedName;
    type Response = ListPolicyVersionsResponse;

    fn run(cx: &mut Cx<'_>, request: TypedName) -> Result<ListPolicyVersionsResponse, ApiError> {
        let name = policies::named(&request.policy_name, &request.policy_type)?;
        let account = cx.account();
        cx.authorize(&ids::policy_arn(account, name.system, &name.name))?;
        let versions = if name.system {
            let policy = system::find(&name.name).ok_or_else(|| policies::no_policy(&name.name))?;
            vec![of_system(policy)]
        } else {
            let policy = policies::find(cx, &name.name)?;
            let versions = policy::versions(cx.tx(), account, &policy.name)?;
            versions.into_iter().map(|version| DocumentView::new(version, &policy)).collect()
        };
        Ok(ListPolicyVersionsResponse { policy_versions: list("PolicyVersion", versions) })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionOfPolicy {
    policy_name: String,
    version_id: String,
}

/// Puts a version in force.
pub(super) struct SetDefaultPolicyVersion;

impl Action for SetDefaultPolicyVersion {
    const META: Meta = write("SetDefaultPolicyVersion");
    type Request = VersionOfPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: VersionOfPolicy) -> Result<Empty, ApiError> {
        let number = number(&request.version_id)?;
        policies::authorize(cx, &request.policy_name)?;
        let mut policy = policies::find(cx, &request.policy_name)?;
        find(cx, &policy, number)?;
        policy.default_version = number;
        policy.updated = cx.now;
        let account = cx.account();
        policy::update(&mut Change::of(cx), account, &policy)?;
        cx.audit_detail("VersionId", request.version_id);
        Ok(Empty {})
    }
}

/// Deletes a version that is not in force.
pub(super) struct DeletePolicyVersion;

impl Action for DeletePolicyVersion {
    const META: Meta = write("DeletePolicyVersion");
    type Request = VersionOfPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: VersionOfPolicy) -> Result<Empty, ApiError> {
        let number = number(&request.version_id)?;
        policies::authorize(cx, &request.policy_name)?;
        let policy = policies::find(cx, &request.policy_name)?;
        if number == policy.default_version {
            return Err(VERSION_IS_DEFAULT.into());
        }
        let account = cx.account();
        if !policy::delete_version(&mut Change::of(cx), account, &policy.name, number)? {
            return Err(NO_VERSION.into());
        }
        cx.audit_detail("VersionId", request.version_id);
        Ok(Empty {})
    }
}
