//! Policies: the account's own (`Custom`) and those of every account (`System`).

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::policy_versions::{self, DocumentView};
use super::tags::{self, TagList, TagParameter, TagsOf};
use super::{Empty, List, Window, list, read, write};
use crate::errors::{
    NO_POLICY, POLICY_EXISTS, POLICY_HAS_GROUP, POLICY_HAS_ROLE, POLICY_HAS_USER,
    POLICY_HAS_VERSION, invalid,
};
use crate::policy::system::{self, SystemPolicy};
use crate::tables::attachment::{self, Kind, PolicyName};
use crate::tables::policy::{Policy, Version};
use crate::tables::{Change, policy, tag};
use crate::{check, ids};

/// A policy as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    policy_name: String,
    policy_type: &'static str,
    description: String,
    default_version: String,
    attachment_count: usize,
    create_date: String,
    update_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<TagList>,
}

impl From<Policy> for View {
    fn from(policy: Policy) -> Self {
        Self {
            policy_name: policy.name,
            policy_type: attachment::kind_of(false),
            description: policy.description,
            default_version: policy_versions::id(policy.default_version),
            attachment_count: policy.attachments,
            create_date: policy.created.iso(),
            update_date: policy.updated.iso(),
            policy_document: None,
            tags: None,
        }
    }
}

/// A system policy as this account sees it.
fn system_view(cx: &mut Cx<'_>, policy: &SystemPolicy) -> Result<View, ApiError> {
    let account = cx.account();
    let name = PolicyName { system: true, name: policy.name.to_owned() };
    Ok(View {
        policy_name: policy.name.to_owned(),
        policy_type: name.kind(),
        description: policy.description.to_owned(),
        default_version: policy_versions::id(policy_versions::FIRST),
        attachment_count: attachment::count_of_policy(cx.tx(), account, &name)?,
        create_date: system::CREATED.iso(),
        update_date: system::CREATED.iso(),
        policy_document: None,
        tags: None,
    })
}

/// Reads `PolicyType`: true for `System`.
pub(super) fn is_system(policy_type: &str) -> Result<bool, ApiError> {
    match policy_type {
        "System" => Ok(true),
        "Custom" => Ok(false),
        _ => Err(invalid("PolicyType", "The PolicyType must be System or Custom.")),
    }
}

/// Reads `PolicyName` and `PolicyType`.
pub(super) fn named(name: &str, policy_type: &str) -> Result<PolicyName, ApiError> {
    check::policy_name(name)?;
    Ok(PolicyName { system: is_system(policy_type)?, name: name.to_owned() })
}

/// The custom policy of a name in the caller's account.
pub(super) fn find(cx: &mut Cx<'_>, name: &str) -> Result<Policy, ApiError> {
    let account = cx.account();
    policy::find(cx.tx(), account, name)?.ok_or_else(|| no_policy(name))
}

pub(super) fn no_policy(name: &str) -> ApiError {
    NO_POLICY.error(format!("There is no policy {name}."))
}

/// Checks the name of a custom policy and asks for permission on it.
pub(super) fn authorize(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    check::policy_name(name)?;
    cx.authorize(&ids::policy_arn(cx.account(), false, name))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePolicy {
    policy: View,
}

/// Makes a custom policy with its first version.
pub(super) struct CreatePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePolicyRequest {
    policy_name: String,
    policy_document: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    tag: Vec<TagParameter>,
}

impl Action for CreatePolicy {
    const META: Meta = write("CreatePolicy");
    type Request = CreatePolicyRequest;
    type Response = OnePolicy;

    fn run(cx: &mut Cx<'_>, request: CreatePolicyRequest) -> Result<OnePolicy, ApiError> {
        check::text("Description", &request.description, 1024)?;
        check::policy("PolicyDocument", &request.policy_document)?;
        let tags = tags::to_set(request.tag)?;
        authorize(cx, &request.policy_name)?;
        let (account, now) = (cx.account(), cx.now);
        let new = Policy {
            name: request.policy_name,
            description: request.description,
            default_version: policy_versions::FIRST,
            newest_version: policy_versions::FIRST,
            created: now,
            updated: now,
            attachments: 0,
        };
        let version =
            Version { number: new.newest_version, document: request.policy_document, created: now };
        let mut change = Change::of(cx);
        // A system policy's name would only confuse people: types keep the two apart.
        if system::find(&new.name).is_some() || !policy::insert(&mut change, account, &new)? {
            return Err(POLICY_EXISTS.into());
        }
        policy::insert_version(&mut change, account, &new.name, &version)?;
        for tag in &tags {
            tag::set(&mut change, account, tag::POLICY, &new.name, tag)?;
        }
        Ok(OnePolicy { policy: new.into() })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TypedName {
    pub(super) policy_name: String,
    pub(super) policy_type: String,
}

/// Shows a policy and its default version.
pub(super) struct GetPolicy;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetPolicyResponse {
    policy: View,
    default_policy_version: DocumentView,
}

impl Action for GetPolicy {
    const META: Meta = read("GetPolicy");
    type Request = TypedName;
    type Response = GetPolicyResponse;

    fn run(cx: &mut Cx<'_>, request: TypedName) -> Result<GetPolicyResponse, ApiError> {
        let name = named(&request.policy_name, &request.policy_type)?;
        let account = cx.account();
        cx.authorize(&ids::policy_arn(account, name.system, &name.name))?;
        let (policy, version) = if name.system {
            let policy = system::find(&name.name).ok_or_else(|| no_policy(&name.name))?;
            (system_view(cx, policy)?, policy_versions::of_system(policy))
        } else {
            let policy = find(cx, &name.name)?;
            let version = policy_versions::find(cx, &policy, policy.default_version)?;
            (policy.into(), version)
        };
        let policy = View { policy_document: Some(version.policy_document.clone()), ..policy };
        Ok(GetPolicyResponse { policy, default_policy_version: version })
    }
}

/// Lists policies, the account's own first, each kind by name.
pub(super) struct ListPolicies;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPoliciesRequest {
    policy_type: Option<String>,
    marker: Option<String>,
    max_items: Option<u32>,
    #[serde(default)]
    tag: Vec<TagParameter>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPoliciesResponse {
    policies: List<View>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListPolicies {
    const META: Meta = read("ListPolicies");
    type Request = ListPoliciesRequest;
    type Response = ListPoliciesResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: ListPoliciesRequest,
    ) -> Result<ListPoliciesResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        let system = request.policy_type.as_deref().map(is_system).transpose()?;
        let filter = tags::filter(request.tag)?;
        let account = cx.account();
        cx.authorize(&ids::policy_arn(account, false, "*"))?;
        // The marker is the type and name of the last policy shown.
        let (kind, after) = window.after.split_once('/').unwrap_or(("Custom", ""));
        let mut rows = Vec::new();
        if system != Some(true) && kind == "Custom" {
            rows.extend(custom(cx, after, &filter, window.fetch())?);
        }
        // System policies have no tags.
        if system != Some(false) && filter.is_empty() {
            let after = if kind == "Custom" { "" } else { after };
            let rest = system::POLICIES.iter().filter(|policy| policy.name > after);
            for policy in rest.take(window.fetch() - rows.len()) {
                rows.push(system_view(cx, policy)?);
            }
        }
        let page =
            window.cut(rows, |policy| format!("{}/{}", policy.policy_type, policy.policy_name));
        Ok(ListPoliciesResponse {
            policies: list("Policy", page.rows),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

fn custom(
    cx: &mut Cx<'_>,
    after: &str,
    filter: &[tag::TagFilter],
    limit: usize,
) -> Result<Vec<View>, ApiError> {
    let account = cx.account();
    let rows = policy::list(cx.tx(), account, after, filter, limit)?;
    let mut tags = TagsOf::page(cx, tag::POLICY, rows.iter().map(|policy| policy.name.as_str()))?;
    let view = |policy: Policy| {
        let tags = tags.take(&policy.name);
        View { tags: Some(tags), ..View::from(policy) }
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Changes a policy's description.
pub(super) struct UpdatePolicyDescription;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdatePolicyDescriptionRequest {
    policy_name: String,
    new_description: String,
}

impl Action for UpdatePolicyDescription {
    const META: Meta = write("UpdatePolicyDescription");
    type Request = UpdatePolicyDescriptionRequest;
    type Response = OnePolicy;

    fn run(
        cx: &mut Cx<'_>,
        request: UpdatePolicyDescriptionRequest,
    ) -> Result<OnePolicy, ApiError> {
        check::text("NewDescription", &request.new_description, 1024)?;
        authorize(cx, &request.policy_name)?;
        let mut changed = find(cx, &request.policy_name)?;
        changed.description = request.new_description;
        changed.updated = cx.now;
        let account = cx.account();
        policy::update(&mut Change::of(cx), account, &changed)?;
        Ok(OnePolicy { policy: changed.into() })
    }
}

/// Deletes a custom policy that is attached to nothing and has one version; with `CascadingDelete`,
/// detaches it and deletes all versions.
pub(super) struct DeletePolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeletePolicyRequest {
    policy_name: String,
    #[serde(default)]
    cascading_delete: bool,
}

impl Action for DeletePolicy {
    const META: Meta = write("DeletePolicy");
    type Request = DeletePolicyRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: DeletePolicyRequest) -> Result<Empty, ApiError> {
        authorize(cx, &request.policy_name)?;
        let policy = find(cx, &request.policy_name)?;
        if !request.cascading_delete {
            refuse_in_use(cx, &policy.name)?;
        }
        let account = cx.account();
        let mut change = Change::of(cx);
        attachment::delete_of_policy(&mut change, account, &policy.name)?;
        tag::delete_all(&mut change, account, tag::POLICY, &policy.name)?;
        policy::delete(&mut change, account, &policy.name)?;
        Ok(Empty {})
    }
}

fn refuse_in_use(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    let account = cx.account();
    let policy = PolicyName { system: false, name: name.to_owned() };
    for (kind, conflict) in [
        (Kind::User, POLICY_HAS_USER),
        (Kind::Group, POLICY_HAS_GROUP),
        (Kind::Role, POLICY_HAS_ROLE),
    ] {
        if attachment::policy_has(cx.tx(), account, &policy, kind)? {
            return Err(ApiError::new(&conflict));
        }
    }
    if policy::count_versions(cx.tx(), account, name)? > 1 {
        return Err(POLICY_HAS_VERSION.into());
    }
    Ok(())
}
