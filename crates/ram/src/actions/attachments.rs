//! Which policies are attached to which users, groups and roles.

use base::{ApiError, Code};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::groups::GroupName;
use super::policies::TypedName;
use super::roles::RoleName;
use super::users::UserName;
use super::{
    Empty, List, UNPAGED_MAX, groups, list, policies, policy_versions, read, roles, users, write,
};
use crate::errors::{ATTACHED, NOT_ATTACHED, TOO_MANY_ATTACHED};
use crate::ids;
use crate::policy::system;
use crate::tables::Change;
use crate::tables::attachment::{self, Attached, Bearer, Entity, Kind, PolicyName};

/// How many policies may be attached to one user, group or role: each is asked at each request.
const ATTACHED_MAX: usize = 20;

/// Asks for permission on a user, group or role.
fn authorize(cx: &mut Cx<'_>, kind: Kind, name: &str) -> Result<(), ApiError> {
    match kind {
        Kind::User => users::authorize(cx, name),
        Kind::Group => groups::authorize(cx, name),
        Kind::Role => roles::authorize(cx, name),
    }
}

fn entity(cx: &mut Cx<'_>, kind: Kind, name: &str) -> Result<Entity, ApiError> {
    let id = match kind {
        Kind::User => users::find(cx, name)?.id,
        Kind::Group => groups::find(cx, name)?.id,
        Kind::Role => roles::find(cx, name)?.id,
    };
    Ok(Entity { kind, id })
}

/// `EntityNotExist.User.Policy` and its like.
fn policy_of(code: &Code, kind: Kind) -> ApiError {
    ApiError::new(code).suffix(kind.name()).suffix("Policy")
}

/// Asks for permission on both sides of an attachment, and finds the entity.
fn both(cx: &mut Cx<'_>, kind: Kind, name: &str, policy: &PolicyName) -> Result<Entity, ApiError> {
    cx.authorize(&ids::policy_arn(cx.account(), policy.system, &policy.name))?;
    authorize(cx, kind, name)?;
    cx.audit_detail("PolicyName", &policy.name);
    cx.audit_detail("PolicyType", policy.kind());
    entity(cx, kind, name)
}

fn attach(cx: &mut Cx<'_>, kind: Kind, name: &str, policy: &PolicyName) -> Result<Empty, ApiError> {
    let entity = both(cx, kind, name, policy)?;
    if !policy.system {
        policies::find(cx, &policy.name)?;
    } else if system::find(&policy.name).is_none() {
        return Err(policies::no_policy(&policy.name));
    }
    let (account, now) = (cx.account(), cx.now);
    if !attachment::insert(&mut Change::of(cx), account, &entity, policy, now)? {
        return Err(policy_of(&ATTACHED, kind));
    }
    // An error rolls the attachment back.
    if attachment::count_of(cx.tx(), &entity)? > ATTACHED_MAX {
        return Err(policy_of(&TOO_MANY_ATTACHED, kind));
    }
    Ok(Empty {})
}

fn detach(cx: &mut Cx<'_>, kind: Kind, name: &str, policy: &PolicyName) -> Result<Empty, ApiError> {
    let entity = both(cx, kind, name, policy)?;
    if !attachment::delete(&mut Change::of(cx), &entity, policy)? {
        return Err(policy_of(&NOT_ATTACHED, kind));
    }
    Ok(Empty {})
}

/// An attached policy as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedView {
    policy_name: String,
    policy_type: &'static str,
    description: String,
    default_version: String,
    attach_date: String,
}

impl From<Attached> for AttachedView {
    fn from(attached: Attached) -> Self {
        let known = system::find(&attached.policy.name).filter(|_| attached.policy.system);
        let description =
            attached.description.or_else(|| known.map(|policy| policy.description.to_owned()));
        Self {
            policy_type: attached.policy.kind(),
            policy_name: attached.policy.name,
            description: description.unwrap_or_default(),
            default_version: policy_versions::id(
                attached.default_version.unwrap_or(policy_versions::FIRST),
            ),
            attach_date: attached.attached.iso(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Policies {
    policies: List<AttachedView>,
}

fn policies_of(cx: &mut Cx<'_>, kind: Kind, name: &str) -> Result<Policies, ApiError> {
    authorize(cx, kind, name)?;
    let entity = entity(cx, kind, name)?;
    let rows = attachment::of_entity(cx.tx(), &entity)?;
    Ok(Policies { policies: list("Policy", rows.into_iter().map(AttachedView::from)) })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserAndPolicy {
    user_name: String,
    policy_name: String,
    policy_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupAndPolicy {
    group_name: String,
    policy_name: String,
    policy_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleAndPolicy {
    role_name: String,
    policy_name: String,
    policy_type: String,
}

/// Attaches a policy to a user.
pub(super) struct AttachPolicyToUser;

impl Action for AttachPolicyToUser {
    const META: Meta = write("AttachPolicyToUser");
    type Request = UserAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UserAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        attach(cx, Kind::User, &request.user_name, &policy)
    }
}

/// Detaches a policy from a user.
pub(super) struct DetachPolicyFromUser;

impl Action for DetachPolicyFromUser {
    const META: Meta = write("DetachPolicyFromUser");
    type Request = UserAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UserAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        detach(cx, Kind::User, &request.user_name, &policy)
    }
}

/// Lists the policies attached to a user itself, without those of its groups.
pub(super) struct ListPoliciesForUser;

impl Action for ListPoliciesForUser {
    const META: Meta = read("ListPoliciesForUser");
    type Request = UserName;
    type Response = Policies;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<Policies, ApiError> {
        policies_of(cx, Kind::User, &request.user_name)
    }
}

/// Attaches a policy to a group, and so to all of its members.
pub(super) struct AttachPolicyToGroup;

impl Action for AttachPolicyToGroup {
    const META: Meta = write("AttachPolicyToGroup");
    type Request = GroupAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: GroupAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        attach(cx, Kind::Group, &request.group_name, &policy)
    }
}

/// Detaches a policy from a group.
pub(super) struct DetachPolicyFromGroup;

impl Action for DetachPolicyFromGroup {
    const META: Meta = write("DetachPolicyFromGroup");
    type Request = GroupAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: GroupAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        detach(cx, Kind::Group, &request.group_name, &policy)
    }
}

/// Lists the policies attached to a group.
pub(super) struct ListPoliciesForGroup;

impl Action for ListPoliciesForGroup {
    const META: Meta = read("ListPoliciesForGroup");
    type Request = GroupName;
    type Response = Policies;

    fn run(cx: &mut Cx<'_>, request: GroupName) -> Result<Policies, ApiError> {
        policies_of(cx, Kind::Group, &request.group_name)
    }
}

/// Attaches a policy to a role.
pub(super) struct AttachPolicyToRole;

impl Action for AttachPolicyToRole {
    const META: Meta = write("AttachPolicyToRole");
    type Request = RoleAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: RoleAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        attach(cx, Kind::Role, &request.role_name, &policy)
    }
}

/// Detaches a policy from a role.
pub(super) struct DetachPolicyFromRole;

impl Action for DetachPolicyFromRole {
    const META: Meta = write("DetachPolicyFromRole");
    type Request = RoleAndPolicy;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: RoleAndPolicy) -> Result<Empty, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        detach(cx, Kind::Role, &request.role_name, &policy)
    }
}

/// Lists the policies attached to a role.
pub(super) struct ListPoliciesForRole;

impl Action for ListPoliciesForRole {
    const META: Meta = read("ListPoliciesForRole");
    type Request = RoleName;
    type Response = Policies;

    fn run(cx: &mut Cx<'_>, request: RoleName) -> Result<Policies, ApiError> {
        policies_of(cx, Kind::Role, &request.role_name)
    }
}

/// Lists what a policy is attached to.
pub(super) struct ListEntitiesForPolicy;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UserView {
    user_id: String,
    user_name: String,
    display_name: String,
    attach_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GroupView {
    group_name: String,
    comments: String,
    attach_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleView {
    role_id: String,
    role_name: String,
    arn: String,
    description: String,
    attach_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEntitiesForPolicyResponse {
    users: List<UserView>,
    groups: List<GroupView>,
    roles: List<RoleView>,
}

impl Action for ListEntitiesForPolicy {
    const META: Meta = read("ListEntitiesForPolicy");
    type Request = TypedName;
    type Response = ListEntitiesForPolicyResponse;

    fn run(cx: &mut Cx<'_>, request: TypedName) -> Result<ListEntitiesForPolicyResponse, ApiError> {
        let policy = policies::named(&request.policy_name, &request.policy_type)?;
        let account = cx.account();
        cx.authorize(&ids::policy_arn(account, policy.system, &policy.name))?;
        if !policy.system {
            policies::find(cx, &policy.name)?;
        } else if system::find(&policy.name).is_none() {
            return Err(policies::no_policy(&policy.name));
        }
        let mut of = |kind| attachment::bearers(cx.tx(), account, &policy, kind, UNPAGED_MAX);
        let user = |user: Bearer| UserView {
            user_id: user.id,
            user_name: user.name,
            display_name: user.text,
            attach_date: user.attached.iso(),
        };
        let group = |group: Bearer| GroupView {
            group_name: group.name,
            comments: group.text,
            attach_date: group.attached.iso(),
        };
        let role = |role: Bearer| RoleView {
            arn: ids::role_arn(account, &role.name),
            role_id: role.id,
            role_name: role.name,
            description: role.text,
            attach_date: role.attached.iso(),
        };
        Ok(ListEntitiesForPolicyResponse {
            users: list("User", of(Kind::User)?.into_iter().map(user)),
            groups: list("Group", of(Kind::Group)?.into_iter().map(group)),
            roles: list("Role", of(Kind::Role)?.into_iter().map(role)),
        })
    }
}
