//! Groups.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, List, Window, list, read, write};
use crate::errors::{GROUP_EXISTS, GROUP_HAS_POLICY, GROUP_HAS_USER, NO_GROUP};
use crate::tables::attachment::{self, Entity, Kind};
use crate::tables::{Change, group};
use crate::{check, ids};

/// A group as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    group_id: String,
    group_name: String,
    comments: String,
    create_date: String,
    update_date: String,
}

impl From<group::Group> for View {
    fn from(group: group::Group) -> Self {
        Self {
            group_id: group.id,
            group_name: group.name,
            comments: group.comments,
            create_date: group.created.iso(),
            update_date: group.updated.iso(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneGroup {
    group: View,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupName {
    pub(super) group_name: String,
}

/// The group of a name in the caller's account.
pub(super) fn find(cx: &mut Cx<'_>, name: &str) -> Result<group::Group, ApiError> {
    let account = cx.account();
    group::find(cx.tx(), account, name)?
        .ok_or_else(|| NO_GROUP.error(format!("There is no group {name}.")))
}

/// Checks a group's name and asks for permission on the group.
pub(super) fn authorize(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    check::entity("GroupName", name)?;
    cx.authorize(&ids::arn(cx.account(), "group", name))
}

/// Makes a group.
pub(super) struct CreateGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroupRequest {
    group_name: String,
    #[serde(default)]
    comments: String,
}

impl Action for CreateGroup {
    const META: Meta = write("CreateGroup");
    type Request = CreateGroupRequest;
    type Response = OneGroup;

    fn run(cx: &mut Cx<'_>, request: CreateGroupRequest) -> Result<OneGroup, ApiError> {
        check::text("Comments", &request.comments, 128)?;
        authorize(cx, &request.group_name)?;
        let account = cx.account();
        let new = group::Group {
            id: ids::group(cx.rng()),
            name: request.group_name,
            comments: request.comments,
            created: cx.now,
            updated: cx.now,
        };
        if !group::insert(&mut Change::of(cx), account, &new)? {
            return Err(GROUP_EXISTS.into());
        }
        Ok(OneGroup { group: new.into() })
    }
}

/// Shows a group.
pub(super) struct GetGroup;

impl Action for GetGroup {
    const META: Meta = read("GetGroup");
    type Request = GroupName;
    type Response = OneGroup;

    fn run(cx: &mut Cx<'_>, request: GroupName) -> Result<OneGroup, ApiError> {
        authorize(cx, &request.group_name)?;
        Ok(OneGroup { group: find(cx, &request.group_name)?.into() })
    }
}

/// Lists groups by name.
pub(super) struct ListGroups;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroupsRequest {
    marker: Option<String>,
    max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroupsResponse {
    groups: List<View>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListGroups {
    const META: Meta = read("ListGroups");
    type Request = ListGroupsRequest;
    type Response = ListGroupsResponse;

    fn run(cx: &mut Cx<'_>, request: ListGroupsRequest) -> Result<ListGroupsResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        let account = cx.account();
        cx.authorize(&ids::arn(account, "group", "*"))?;
        let rows = group::list(cx.tx(), account, &window.after, window.fetch())?;
        let page = window.cut(rows, |group| group.name.clone());
        Ok(ListGroupsResponse {
            groups: list("Group", page.rows.into_iter().map(View::from)),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

/// Changes what is given of a group, its name included.
pub(super) struct UpdateGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateGroupRequest {
    group_name: String,
    new_group_name: Option<String>,
    new_comments: Option<String>,
}

impl Action for UpdateGroup {
    const META: Meta = write("UpdateGroup");
    type Request = UpdateGroupRequest;
    type Response = OneGroup;

    fn run(cx: &mut Cx<'_>, request: UpdateGroupRequest) -> Result<OneGroup, ApiError> {
        request
            .new_group_name
            .as_deref()
            .map_or(Ok(()), |name| check::entity("NewGroupName", name))?;
        request
            .new_comments
            .as_deref()
            .map_or(Ok(()), |text| check::text("NewComments", text, 128))?;
        authorize(cx, &request.group_name)?;
        let mut changed = find(cx, &request.group_name)?;
        if let Some(name) = request.new_group_name.filter(|name| *name != changed.name) {
            let account = cx.account();
            if group::find(cx.tx(), account, &name)?.is_some() {
                return Err(GROUP_EXISTS.into());
            }
            cx.audit_detail("NewGroupName", &name);
            changed.name = name;
        }
        changed.comments = request.new_comments.unwrap_or(changed.comments);
        changed.updated = cx.now;
        group::update(&mut Change::of(cx), &changed)?;
        Ok(OneGroup { group: changed.into() })
    }
}

/// Deletes a group without members and policies.
pub(super) struct DeleteGroup;

impl Action for DeleteGroup {
    const META: Meta = write("DeleteGroup");
    type Request = GroupName;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: GroupName) -> Result<Empty, ApiError> {
        authorize(cx, &request.group_name)?;
        let group = find(cx, &request.group_name)?;
        if group::has_member(cx.tx(), &group.id)? {
            return Err(GROUP_HAS_USER.into());
        }
        if attachment::any(cx.tx(), &Entity { kind: Kind::Group, id: group.id.clone() })? {
            return Err(GROUP_HAS_POLICY.into());
        }
        group::delete(&mut Change::of(cx), &group.id)?;
        Ok(Empty {})
    }
}
