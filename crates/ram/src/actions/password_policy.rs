//! What an account's passwords must look like.
//!
//! Length and character classes are enforced where passwords are set. Age, reuse and failed attempts
//! are kept for the console's sign-in, which is not in this crate.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, read, write};
use crate::errors::invalid;
use crate::tables::{Change, account};
use crate::{check, ids};

/// The policy, as it is stored and shown. The API's own spelling has `Attemps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PasswordPolicy {
    minimum_password_length: u32,
    require_lowercase_characters: bool,
    require_uppercase_characters: bool,
    require_numbers: bool,
    require_symbols: bool,
    hard_expiry: bool,
    max_password_age: u32,
    password_reuse_prevention: u32,
    max_login_attemps: u32,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            minimum_password_length: 8,
            require_lowercase_characters: true,
            require_uppercase_characters: true,
            require_numbers: true,
            require_symbols: true,
            hard_expiry: false,
            max_password_age: 0,
            password_reuse_prevention: 0,
            max_login_attemps: 5,
        }
    }
}

/// The policy of the caller's account.
pub(super) fn of(cx: &mut Cx<'_>) -> Result<PasswordPolicy, ApiError> {
    let id = cx.account();
    match account::password_policy(cx.tx(), id)? {
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| ApiError::internal(format!("password policy: {error}"))),
        None => Ok(PasswordPolicy::default()),
    }
}

impl PasswordPolicy {
    /// Refuses a password that the policy does not allow.
    pub(super) fn check(&self, parameter: &'static str, password: &str) -> Result<(), ApiError> {
        let has = |class: fn(char) -> bool| password.chars().any(class);
        let enough = password.chars().count() >= self.minimum_password_length as usize
            && (!self.require_lowercase_characters || has(|c| c.is_ascii_lowercase()))
            && (!self.require_uppercase_characters || has(|c| c.is_ascii_uppercase()))
            && (!self.require_numbers || has(|c| c.is_ascii_digit()))
            && (!self.require_symbols || has(|c| !c.is_alphanumeric()));
        if !enough {
            let message = format!("The {parameter} does not meet the account's password policy.");
            return Err(invalid(parameter, message).suffix("TooWeak"));
        }
        // Longer ones only cost us time to hash.
        check::length(parameter, password, 1, 128)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePolicy {
    password_policy: PasswordPolicy,
}

/// Shows the password policy.
pub(super) struct GetPasswordPolicy;

impl Action for GetPasswordPolicy {
    const META: Meta = read("GetPasswordPolicy");
    type Request = Empty;
    type Response = OnePolicy;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<OnePolicy, ApiError> {
        cx.authorize(&ids::account_arn(cx.account()))?;
        Ok(OnePolicy { password_policy: of(cx)? })
    }
}

/// Changes what is given of the password policy.
pub(super) struct SetPasswordPolicy;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetPasswordPolicyRequest {
    minimum_password_length: Option<u32>,
    require_lowercase_characters: Option<bool>,
    require_uppercase_characters: Option<bool>,
    require_numbers: Option<bool>,
    require_symbols: Option<bool>,
    hard_expiry: Option<bool>,
    max_password_age: Option<u32>,
    password_reuse_prevention: Option<u32>,
    max_login_attemps: Option<u32>,
}

impl SetPasswordPolicyRequest {
    fn onto(self, old: PasswordPolicy) -> PasswordPolicy {
        PasswordPolicy {
            minimum_password_length: self
                .minimum_password_length
                .unwrap_or(old.minimum_password_length),
            require_lowercase_characters: self
                .require_lowercase_characters
                .unwrap_or(old.require_lowercase_characters),
            require_uppercase_characters: self
                .require_uppercase_characters
                .unwrap_or(old.require_uppercase_characters),
            require_numbers: self.require_numbers.unwrap_or(old.require_numbers),
            require_symbols: self.require_symbols.unwrap_or(old.require_symbols),
            hard_expiry: self.hard_expiry.unwrap_or(old.hard_expiry),
            max_password_age: self.max_password_age.unwrap_or(old.max_password_age),
            password_reuse_prevention: self
                .password_reuse_prevention
                .unwrap_or(old.password_reuse_prevention),
            max_login_attemps: self.max_login_attemps.unwrap_or(old.max_login_attemps),
        }
    }
}

impl Action for SetPasswordPolicy {
    const META: Meta = write("SetPasswordPolicy");
    type Request = SetPasswordPolicyRequest;
    type Response = OnePolicy;

    fn run(cx: &mut Cx<'_>, request: SetPasswordPolicyRequest) -> Result<OnePolicy, ApiError> {
        let id = cx.account();
        cx.authorize(&ids::account_arn(id))?;
        let new = request.onto(of(cx)?);
        check::range("MinimumPasswordLength", new.minimum_password_length, 8, 32)?;
        check::range("MaxPasswordAge", new.max_password_age, 0, 1095)?;
        check::range("PasswordReusePrevention", new.password_reuse_prevention, 0, 24)?;
        check::range("MaxLoginAttemps", new.max_login_attemps, 0, 32)?;
        let text = serde_json::to_string(&new).map_err(ApiError::internal)?;
        account::set_password_policy(&mut Change::of(cx), id, &text)?;
        Ok(OnePolicy { password_policy: new })
    }
}
