//! Roles: what nobody is, and those whom the trust policy names may become for a while.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::tags::{self, TagList, TagParameter, TagsOf};
use super::{Empty, List, Window, list, read, write};
use crate::errors::{NO_ROLE, ROLE_EXISTS, ROLE_HAS_POLICY};
use crate::tables::attachment::{self, Entity, Kind};
use crate::tables::role::Role;
use crate::tables::{Change, role, tag};
use crate::{check, ids};

/// The shortest and the longest that a role's sessions may be let to last, seconds.
const SESSION_SECS: (u32, u32) = (3600, 43_200);

/// A role as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    role_id: String,
    role_name: String,
    arn: String,
    description: String,
    max_session_duration: u32,
    allow_console_login: bool,
    create_date: String,
    update_date: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    assume_role_policy_document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_service_linked_role: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<TagList>,
}

/// A role as lists show it.
fn brief(cx: &Cx<'_>, role: Role) -> View {
    View {
        arn: ids::role_arn(cx.account(), &role.name),
        role_id: role.id,
        role_name: role.name,
        description: role.description,
        max_session_duration: role.max_session,
        allow_console_login: role.console_login,
        create_date: role.created.iso(),
        update_date: role.updated.iso(),
        assume_role_policy_document: None,
        is_service_linked_role: None,
        tags: None,
    }
}

/// A role as it is shown by itself.
fn whole(cx: &Cx<'_>, role: Role) -> OneRole {
    let trust = role.trust.clone();
    let role = View {
        assume_role_policy_document: Some(trust),
        // There are none: no service of this cloud makes itself a role in an account.
        is_service_linked_role: Some(false),
        ..brief(cx, role)
    };
    OneRole { role }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneRole {
    role: View,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleName {
    pub(super) role_name: String,
}

/// The role of a name in the caller's account.
pub(super) fn find(cx: &mut Cx<'_>, name: &str) -> Result<Role, ApiError> {
    let account = cx.account();
    role::find(cx.tx(), account, name)?.ok_or_else(|| no_role(name))
}

pub(super) fn no_role(name: &str) -> ApiError {
    NO_ROLE.error(format!("There is no role {name}."))
}

/// Checks a role's name and asks for permission on the role.
pub(super) fn authorize(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    check::entity("RoleName", name)?;
    cx.authorize(&ids::arn(cx.account(), "role", name))
}

/// Makes a role.
pub(super) struct CreateRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRoleRequest {
    role_name: String,
    assume_role_policy_document: String,
    #[serde(default)]
    description: String,
    max_session_duration: Option<u32>,
    allow_console_login: Option<bool>,
    #[serde(default)]
    tag: Vec<TagParameter>,
}

impl Action for CreateRole {
    const META: Meta = write("CreateRole");
    type Request = CreateRoleRequest;
    type Response = OneRole;

    fn run(cx: &mut Cx<'_>, request: CreateRoleRequest) -> Result<OneRole, ApiError> {
        check::text("Description", &request.description, 1024)?;
        check::trust("AssumeRolePolicyDocument", &request.assume_role_policy_document)?;
        let max_session = request.max_session_duration.unwrap_or(SESSION_SECS.0);
        check::range("MaxSessionDuration", max_session, SESSION_SECS.0, SESSION_SECS.1)?;
        let tags = tags::to_set(request.tag)?;
        authorize(cx, &request.role_name)?;
        let account = cx.account();
        let new = Role {
            id: ids::role(cx.rng()),
            name: request.role_name,
            description: request.description,
            trust: request.assume_role_policy_document,
            max_session,
            console_login: request.allow_console_login.unwrap_or(true),
            created: cx.now,
            updated: cx.now,
        };
        let mut change = Change::of(cx);
        if !role::insert(&mut change, account, &new)? {
            return Err(ROLE_EXISTS.into());
        }
        for tag in &tags {
            tag::set(&mut change, account, tag::ROLE, &new.name, tag)?;
        }
        Ok(whole(cx, new))
    }
}

/// Shows a role.
pub(super) struct GetRole;

impl Action for GetRole {
    const META: Meta = read("GetRole");
    type Request = RoleName;
    type Response = OneRole;

    fn run(cx: &mut Cx<'_>, request: RoleName) -> Result<OneRole, ApiError> {
        authorize(cx, &request.role_name)?;
        let role = find(cx, &request.role_name)?;
        Ok(whole(cx, role))
    }
}

/// Lists roles by name.
pub(super) struct ListRoles;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesRequest {
    marker: Option<String>,
    max_items: Option<u32>,
    #[serde(default)]
    tag: Vec<TagParameter>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRolesResponse {
    roles: List<View>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListRoles {
    const META: Meta = read("ListRoles");
    type Request = ListRolesRequest;
    type Response = ListRolesResponse;

    fn run(cx: &mut Cx<'_>, request: ListRolesRequest) -> Result<ListRolesResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        let filter = tags::filter(request.tag)?;
        let account = cx.account();
        cx.authorize(&ids::arn(account, "role", "*"))?;
        let rows = role::list(cx.tx(), account, &window.after, &filter, window.fetch())?;
        let page = window.cut(rows, |role| role.name.clone());
        let mut tags =
            TagsOf::page(cx, tag::ROLE, page.rows.iter().map(|role| role.name.as_str()))?;
        let view = |role: Role| {
            let tags = tags.take(&role.name);
            View { tags: Some(tags), ..brief(cx, role) }
        };
        Ok(ListRolesResponse {
            roles: list("Role", page.rows.into_iter().map(view)),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

/// Changes what is given of a role. Sessions that have begun go on, under the role's new policies.
pub(super) struct UpdateRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateRoleRequest {
    role_name: String,
    new_assume_role_policy_document: Option<String>,
    new_description: Option<String>,
    new_max_session_duration: Option<u32>,
    new_allow_console_login: Option<bool>,
}

impl Action for UpdateRole {
    const META: Meta = write("UpdateRole");
    type Request = UpdateRoleRequest;
    type Response = OneRole;

    fn run(cx: &mut Cx<'_>, request: UpdateRoleRequest) -> Result<OneRole, ApiError> {
        let trust = request.new_assume_role_policy_document;
        trust
            .as_deref()
            .map_or(Ok(()), |text| check::trust("NewAssumeRolePolicyDocument", text))?;
        request
            .new_description
            .as_deref()
            .map_or(Ok(()), |text| check::text("NewDescription", text, 1024))?;
        let max_session = request.new_max_session_duration;
        max_session.map_or(Ok(()), |secs| {
            check::range("NewMaxSessionDuration", secs, SESSION_SECS.0, SESSION_SECS.1)
        })?;
        authorize(cx, &request.role_name)?;
        let mut changed = find(cx, &request.role_name)?;
        changed.trust = trust.unwrap_or(changed.trust);
        changed.description = request.new_description.unwrap_or(changed.description);
        changed.max_session = max_session.unwrap_or(changed.max_session);
        changed.console_login = request.new_allow_console_login.unwrap_or(changed.console_login);
        changed.updated = cx.now;
        role::update(&mut Change::of(cx), &changed)?;
        Ok(whole(cx, changed))
    }
}

/// Deletes a role without policies, and with it all of its sessions.
pub(super) struct DeleteRole;

impl Action for DeleteRole {
    const META: Meta = write("DeleteRole");
    type Request = RoleName;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: RoleName) -> Result<Empty, ApiError> {
        authorize(cx, &request.role_name)?;
        let role = find(cx, &request.role_name)?;
        if attachment::any(cx.tx(), &Entity { kind: Kind::Role, id: role.id.clone() })? {
            return Err(ROLE_HAS_POLICY.into());
        }
        let account = cx.account();
        let mut change = Change::of(cx);
        tag::delete_all(&mut change, account, tag::ROLE, &role.name)?;
        role::delete(&mut change, &role.id)?;
        Ok(Empty {})
    }
}
