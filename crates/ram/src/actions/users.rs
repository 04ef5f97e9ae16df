//! Users.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, List, Window, list, read, write};
use crate::errors::{
    NO_USER, USER_EXISTS, USER_HAS_DEVICE, USER_HAS_GROUP, USER_HAS_KEY, USER_HAS_POLICY,
    USER_HAS_PROFILE,
};
use crate::tables::attachment::{self, Entity, Kind};
use crate::tables::{Change, access_key, login_profile, mfa_device, user};
use crate::{check, ids};

/// A user as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View {
    user_id: String,
    user_name: String,
    display_name: String,
    mobile_phone: String,
    email: String,
    comments: String,
    create_date: String,
    update_date: String,
}

impl From<user::User> for View {
    fn from(user: user::User) -> Self {
        Self {
            user_id: user.id,
            user_name: user.name,
            display_name: user.display_name,
            mobile_phone: user.mobile_phone,
            email: user.email,
            comments: user.comments,
            create_date: user.created.iso(),
            update_date: user.updated.iso(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneUser {
    user: View,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserName {
    pub(super) user_name: String,
}

/// The user of a name in the caller's account.
pub(super) fn find(cx: &mut Cx<'_>, name: &str) -> Result<user::User, ApiError> {
    let account = cx.account();
    user::find(cx.tx(), account, name)?
        .ok_or_else(|| NO_USER.error(format!("There is no user {name}.")))
}

/// Checks a user's name and asks for permission on the user.
pub(super) fn authorize(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    check::entity("UserName", name)?;
    cx.authorize(&ids::arn(cx.account(), "user", name))
}

/// Makes a user, who may do nothing yet and has no key.
pub(super) struct CreateUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateUserRequest {
    user_name: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    mobile_phone: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    comments: String,
}

impl Action for CreateUser {
    const META: Meta = write("CreateUser");
    type Request = CreateUserRequest;
    type Response = OneUser;

    fn run(cx: &mut Cx<'_>, request: CreateUserRequest) -> Result<OneUser, ApiError> {
        check::text("DisplayName", &request.display_name, 128)?;
        check::phone("MobilePhone", &request.mobile_phone)?;
        check::email("Email", &request.email)?;
        check::text("Comments", &request.comments, 128)?;
        authorize(cx, &request.user_name)?;
        let new = user::User {
            id: ids::user(cx.rng()),
            name: request.user_name,
            display_name: request.display_name,
            mobile_phone: request.mobile_phone,
            email: request.email,
            comments: request.comments,
            created: cx.now,
            updated: cx.now,
        };
        let account = cx.account();
        if !user::insert(&mut Change::of(cx), account, &new)? {
            return Err(USER_EXISTS.into());
        }
        cx.audit_detail("UserId", &new.id);
        Ok(OneUser { user: new.into() })
    }
}

/// Shows a user.
pub(super) struct GetUser;

impl Action for GetUser {
    const META: Meta = read("GetUser");
    type Request = UserName;
    type Response = OneUser;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<OneUser, ApiError> {
        authorize(cx, &request.user_name)?;
        Ok(OneUser { user: find(cx, &request.user_name)?.into() })
    }
}

/// Lists users by name.
pub(super) struct ListUsers;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersRequest {
    marker: Option<String>,
    max_items: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsersResponse {
    users: List<View>,
    is_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

impl Action for ListUsers {
    const META: Meta = read("ListUsers");
    type Request = ListUsersRequest;
    type Response = ListUsersResponse;

    fn run(cx: &mut Cx<'_>, request: ListUsersRequest) -> Result<ListUsersResponse, ApiError> {
        let window = Window::new(request.marker.as_deref(), request.max_items)?;
        let account = cx.account();
        cx.authorize(&ids::arn(account, "user", "*"))?;
        let rows = user::list(cx.tx(), account, &window.after, window.fetch())?;
        let page = window.cut(rows, |user| user.name.clone());
        Ok(ListUsersResponse {
            users: list("User", page.rows.into_iter().map(View::from)),
            is_truncated: page.next.is_some(),
            marker: page.next,
        })
    }
}

/// Changes what is given of a user, its name included.
pub(super) struct UpdateUser;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateUserRequest {
    user_name: String,
    new_user_name: Option<String>,
    new_display_name: Option<String>,
    new_mobile_phone: Option<String>,
    new_email: Option<String>,
    new_comments: Option<String>,
}

impl UpdateUserRequest {
    fn check(&self) -> Result<(), ApiError> {
        let with = |value: &Option<String>, check: &dyn Fn(&str) -> Result<(), ApiError>| {
            value.as_deref().map_or(Ok(()), check)
        };
        with(&self.new_user_name, &|name| check::entity("NewUserName", name))?;
        with(&self.new_display_name, &|text| check::text("NewDisplayName", text, 128))?;
        with(&self.new_mobile_phone, &|phone| check::phone("NewMobilePhone", phone))?;
        with(&self.new_email, &|email| check::email("NewEmail", email))?;
        with(&self.new_comments, &|text| check::text("NewComments", text, 128))
    }
}

impl Action for UpdateUser {
    const META: Meta = write("UpdateUser");
    type Request = UpdateUserRequest;
    type Response = OneUser;

    fn run(cx: &mut Cx<'_>, request: UpdateUserRequest) -> Result<OneUser, ApiError> {
        request.check()?;
        authorize(cx, &request.user_name)?;
        let mut changed = find(cx, &request.user_name)?;
        if let Some(name) = request.new_user_name.filter(|name| *name != changed.name) {
            let account = cx.account();
            if user::find(cx.tx(), account, &name)?.is_some() {
                return Err(USER_EXISTS.into());
            }
            cx.audit_detail("NewUserName", &name);
            changed.name = name;
        }
        changed.display_name = request.new_display_name.unwrap_or(changed.display_name);
        changed.mobile_phone = request.new_mobile_phone.unwrap_or(changed.mobile_phone);
        changed.email = request.new_email.unwrap_or(changed.email);
        changed.comments = request.new_comments.unwrap_or(changed.comments);
        changed.updated = cx.now;
        user::update(&mut Change::of(cx), &changed)?;
        Ok(OneUser { user: changed.into() })
    }
}

/// Deletes a user that nothing hangs on any more.
pub(super) struct DeleteUser;

impl Action for DeleteUser {
    const META: Meta = write("DeleteUser");
    type Request = UserName;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<Empty, ApiError> {
        authorize(cx, &request.user_name)?;
        let user = find(cx, &request.user_name)?;
        refuse_in_use(cx, &user.id)?;
        user::delete(&mut Change::of(cx), &user.id)?;
        Ok(Empty {})
    }
}

fn refuse_in_use(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let account = cx.account();
    let tx = cx.tx();
    if user::has_group(tx, id)? {
        return Err(USER_HAS_GROUP.into());
    }
    if attachment::any(tx, &Entity { kind: Kind::User, id: id.to_owned() })? {
        return Err(USER_HAS_POLICY.into());
    }
    if access_key::count_of(tx, account, id)? > 0 {
        return Err(USER_HAS_KEY.into());
    }
    if login_profile::find(tx, id)?.is_some() {
        return Err(USER_HAS_PROFILE.into());
    }
    if mfa_device::user_has_one(tx, id)? {
        return Err(USER_HAS_DEVICE.into());
    }
    Ok(())
}
