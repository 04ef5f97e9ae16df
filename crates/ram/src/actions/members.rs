//! Who is in which group.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::users::UserName;
use super::{Empty, List, Window, groups, list, read, users, write};
use crate::errors::{MEMBER_EXISTS, NO_MEMBER, TOO_MANY_GROUPS};
use crate::tables::{Change, group, user};

/// How many groups a user may be in.
const GROUPS_MAX: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Membership {
    user_name: String,
    group_name: String,
}

/// Asks for permission on both sides of a membership and finds them.
fn both(cx: &mut Cx<'_>, request: &Membership) -> Result<(user::User, group::Group), ApiError> {
    groups::authorize(cx, &request.group_name)?;
    users::authorize(cx, &request.user_name)?;
    cx.audit_detail("GroupName", &request.group_name);
    Ok((users::find(cx, &request.user_name)?, groups::find(cx, &request.group_name)?))
}

/// Puts a user into a group.
pub(super) struct AddUserToGroup;

impl Action for AddUserToGroup {
    const META: Meta = write("AddUserToGroup");
    type Request = Membership;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: Membership) -> Result<Empty, ApiError> {
        let (user, group) = both(cx, &request)?;
        if group::count_of_user(cx.tx(), &user.id)? >= GROUPS_MAX {
            return Err(TOO_MANY_GROUPS.into());
        }
        let now = cx.now;
        if !group::join(&mut Change::of(cx), &group.id, &user.id, now)? {
            return Err(MEMBER_EXISTS.into());
        }
        Ok(Empty {})
    }
}

/// Takes a user out of a group.
pub(super) struct RemoveUserFromGroup;

impl Action for RemoveUserFromGroup {
    const META: Meta = write("RemoveUserFromGroup");
    type Request = Membership;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: Membership) -> Result<Empty, ApiError> {
        let (user, group) = both(cx, &request)?;
        if !group::leave(&mut Change::of(cx), &group.id, &user.id)? {
            return Err(NO_MEMBER.into());
        }
        Ok(Empty {})
    }
}

/// Lists the members of a group by name.
pub(super) struct ListUsersForGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersForGroupRequest {
    group_name: String,
    marker: Option<String>,
    max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Member {
    user_name: String,
    display_name: String,
    join_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersForGroupResponse {
    users: List<Member>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListUsersForGroup {
    const META: Meta = read("ListUsersForGroup");
    type Request = ListUsersForGroupRequest;
    type Response = ListUsersForGroupResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: ListUsersForGroupRequest,
    ) -> Result<ListUsersForGroupResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        groups::authorize(cx, &request.group_name)?;
        let group = groups::find(cx, &request.group_name)?;
        let rows = group::members(cx.tx(), &group.id, &window.after, window.fetch())?;
        let page = window.cut(rows, |member| member.name.clone());
        let view = |member: group::Member| Member {
            user_name: member.name,
            display_name: member.display_name,
            join_date: member.joined.iso(),
        };
        Ok(ListUsersForGroupResponse {
            users: list("User", page.rows.into_iter().map(view)),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

/// Lists the groups that a user is in.
pub(super) struct ListGroupsForUser;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Joined {
    group_id: String,
    group_name: String,
    comments: String,
    join_date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroupsForUserResponse {
    groups: List<Joined>,
}

impl Action for ListGroupsForUser {
    const META: Meta = read("ListGroupsForUser");
    type Request = UserName;
    type Response = ListGroupsForUserResponse;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<ListGroupsForUserResponse, ApiError> {
        users::authorize(cx, &request.user_name)?;
        let user = users::find(cx, &request.user_name)?;
        let rows = group::of_user(cx.tx(), &user.id)?;
        let view = |(group, joined): (group::Group, base::Time)| Joined {
            group_id: group.id,
            group_name: group.name,
            comments: group.comments,
            join_date: joined.iso(),
        };
        Ok(ListGroupsForUserResponse { groups: list("Group", rows.into_iter().map(view)) })
    }
}
