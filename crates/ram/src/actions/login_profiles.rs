//! Login profiles: the passwords of users.
//!
//! Hashing a password holds up the writer for about a tenth of a second. Handlers run inside
//! transactions and cannot hash before one begins; `password_throttle` bounds it for each account.

use base::ApiError;
use engine::ports::Decision;
use engine::{Action, CallerKind, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::users::{self, UserName};
use super::{Empty, password_policy, read, security_preference, write};
use crate::errors::{NO_PROFILE, NO_USER, PROFILE_EXISTS, WRONG_PASSWORD};
use crate::ids;
use crate::password::Hashed;
use crate::password_throttle;
use crate::tables::login_profile::{self, LoginProfile};
use crate::tables::{Change, user};

/// A login profile as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct View {
    user_name: String,
    #[serde(rename = "MFABindRequired")]
    mfa_bind_required: bool,
    password_reset_required: bool,
    create_date: String,
}

impl View {
    fn new(user_name: String, profile: &LoginProfile) -> Self {
        Self {
            user_name,
            mfa_bind_required: profile.mfa_required,
            password_reset_required: profile.reset_required,
            create_date: profile.created.iso(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneProfile {
    login_profile: View,
}

fn find(cx: &mut Cx<'_>, user_name: &str) -> Result<(user::User, LoginProfile), ApiError> {
    let user = users::find(cx, user_name)?;
    let profile =
        login_profile::find(cx.tx(), &user.id)?.ok_or_else(|| ApiError::new(&NO_PROFILE))?;
    Ok((user, profile))
}

/// Gives a user a password.
pub(super) struct CreateLoginProfile;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateLoginProfileRequest {
    user_name: String,
    password: String,
    #[serde(default)]
    password_reset_required: bool,
    #[serde(default, rename = "MFABindRequired")]
    mfa_bind_required: bool,
}

impl Action for CreateLoginProfile {
    const META: Meta = write("CreateLoginProfile");
    type Request = CreateLoginProfileRequest;
    type Response = OneProfile;

    fn run(cx: &mut Cx<'_>, request: CreateLoginProfileRequest) -> Result<OneProfile, ApiError> {
        users::authorize(cx, &request.user_name)?;
        let user = users::find(cx, &request.user_name)?;
        if login_profile::find(cx.tx(), &user.id)?.is_some() {
            return Err(PROFILE_EXISTS.into());
        }
        password_policy::of(cx)?.check("Password", &request.password)?;
        password_throttle::admit(cx.account(), cx.now)?;
        let profile = LoginProfile {
            password: Hashed::new(cx.rng(), &request.password),
            reset_required: request.password_reset_required,
            mfa_required: request.mfa_bind_required,
            created: cx.now,
        };
        login_profile::insert(&mut Change::of(cx), &user.id, &profile)?;
        Ok(OneProfile { login_profile: View::new(user.name, &profile) })
    }
}

/// Shows a login profile, without the password.
pub(super) struct GetLoginProfile;

impl Action for GetLoginProfile {
    const META: Meta = read("GetLoginProfile");
    type Request = UserName;
    type Response = OneProfile;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<OneProfile, ApiError> {
        users::authorize(cx, &request.user_name)?;
        let (user, profile) = find(cx, &request.user_name)?;
        Ok(OneProfile { login_profile: View::new(user.name, &profile) })
    }
}

/// Changes what is given of a login profile.
pub(super) struct UpdateLoginProfile;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateLoginProfileRequest {
    user_name: String,
    password: Option<String>,
    password_reset_required: Option<bool>,
    #[serde(rename = "MFABindRequired")]
    mfa_bind_required: Option<bool>,
}

impl Action for UpdateLoginProfile {
    const META: Meta = write("UpdateLoginProfile");
    type Request = UpdateLoginProfileRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UpdateLoginProfileRequest) -> Result<Empty, ApiError> {
        users::authorize(cx, &request.user_name)?;
        let (user, mut profile) = find(cx, &request.user_name)?;
        if let Some(password) = request.password {
            password_policy::of(cx)?.check("Password", &password)?;
            password_throttle::admit(cx.account(), cx.now)?;
            profile.password = Hashed::new(cx.rng(), &password);
        }
        profile.reset_required = request.password_reset_required.unwrap_or(profile.reset_required);
        profile.mfa_required = request.mfa_bind_required.unwrap_or(profile.mfa_required);
        login_profile::update(&mut Change::of(cx), &user.id, &profile)?;
        Ok(Empty {})
    }
}

/// Takes a user's password away.
pub(super) struct DeleteLoginProfile;

impl Action for DeleteLoginProfile {
    const META: Meta = write("DeleteLoginProfile");
    type Request = UserName;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: UserName) -> Result<Empty, ApiError> {
        users::authorize(cx, &request.user_name)?;
        let user = users::find(cx, &request.user_name)?;
        if !login_profile::delete(&mut Change::of(cx), &user.id)? {
            return Err(NO_PROFILE.into());
        }
        Ok(Empty {})
    }
}

/// Changes the calling user's own password. No policy has to allow it where the account's security
/// preference does; one may still deny it.
pub(super) struct ChangePassword;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangePasswordRequest {
    old_password: String,
    new_password: String,
}

impl Action for ChangePassword {
    const META: Meta = write("ChangePassword");
    type Request = ChangePasswordRequest;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: ChangePasswordRequest) -> Result<Empty, ApiError> {
        let account = cx.account();
        let CallerKind::User { name, .. } = cx.caller.kind.clone() else {
            cx.authorize(&ids::account_arn(account))?;
            return Err(NO_USER.error("Only a user has a password."));
        };
        let arn = ids::arn(account, "user", &name);
        cx.audit_resource(&arn);
        let permission = cx.meta.permission();
        let decision = cx.decide(&permission, &arn, account, &[])?;
        let preference = security_preference::of(cx)?;
        if decision == Decision::ExplicitDeny
            || decision != Decision::Allow && !preference.allow_user_to_change_password
        {
            return Err(cx.denial(&permission, &arn, decision));
        }
        let (user, mut profile) = find(cx, &name)?;
        password_throttle::admit(account, cx.now)?;
        if !profile.password.verify(&request.old_password)? {
            return Err(WRONG_PASSWORD.into());
        }
        password_policy::of(cx)?.check("NewPassword", &request.new_password)?;
        profile.password = Hashed::new(cx.rng(), &request.new_password);
        profile.reset_required = false;
        login_profile::update(&mut Change::of(cx), &user.id, &profile)?;
        Ok(Empty {})
    }
}
