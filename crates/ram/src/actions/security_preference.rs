//! What an account lets its users do for themselves.
//!
//! `AllowUserToChangePassword` is enforced by `ChangePassword`; the others are kept for the console,
//! which is where they apply.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, read, write};
use crate::errors::invalid;
use crate::policy::condition::Network;
use crate::tables::{Change, account};
use crate::{check, ids};

/// The preference, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Preference {
    pub(super) allow_user_to_change_password: bool,
    allow_user_to_manage_access_keys: bool,
    allow_user_to_manage_mfa_devices: bool,
    allow_user_to_manage_public_keys: bool,
    enable_save_mfa_ticket: bool,
    login_network_masks: String,
    login_session_duration: u32,
}

impl Default for Preference {
    fn default() -> Self {
        Self {
            allow_user_to_change_password: true,
            allow_user_to_manage_access_keys: false,
            allow_user_to_manage_mfa_devices: true,
            allow_user_to_manage_public_keys: false,
            enable_save_mfa_ticket: false,
            login_network_masks: String::new(),
            login_session_duration: 6,
        }
    }
}

/// The preference of the caller's account.
pub(super) fn of(cx: &mut Cx<'_>) -> Result<Preference, ApiError> {
    let id = cx.account();
    match account::security_preference(cx.tx(), id)? {
        Some(text) => serde_json::from_str(&text)
            .map_err(|error| ApiError::internal(format!("security preference: {error}"))),
        None => Ok(Preference::default()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AccessKeys {
    allow_user_to_manage_access_keys: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoginProfiles {
    allow_user_to_change_password: bool,
    #[serde(rename = "EnableSaveMFATicket")]
    enable_save_mfa_ticket: bool,
    login_network_masks: String,
    login_session_duration: u32,
}

#[derive(Serialize)]
struct Devices {
    #[serde(rename = "AllowUserToManageMFADevices")]
    allow_user_to_manage_mfa_devices: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PublicKeys {
    allow_user_to_manage_public_keys: bool,
}

/// The preference, as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    access_key_preference: AccessKeys,
    login_profile_preference: LoginProfiles,
    #[serde(rename = "MFAPreference")]
    mfa_preference: Devices,
    public_key_preference: PublicKeys,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OnePreference {
    security_preference: View,
}

impl From<Preference> for OnePreference {
    fn from(held: Preference) -> Self {
        let login_profile_preference = LoginProfiles {
            allow_user_to_change_password: held.allow_user_to_change_password,
            enable_save_mfa_ticket: held.enable_save_mfa_ticket,
            login_network_masks: held.login_network_masks,
            login_session_duration: held.login_session_duration,
        };
        Self {
            security_preference: View {
                access_key_preference: AccessKeys {
                    allow_user_to_manage_access_keys: held.allow_user_to_manage_access_keys,
                },
                login_profile_preference,
                mfa_preference: Devices {
                    allow_user_to_manage_mfa_devices: held.allow_user_to_manage_mfa_devices,
                },
                public_key_preference: PublicKeys {
                    allow_user_to_manage_public_keys: held.allow_user_to_manage_public_keys,
                },
            },
        }
    }
}

/// Shows the security preference.
pub(super) struct GetSecurityPreference;

impl Action for GetSecurityPreference {
    const META: Meta = read("GetSecurityPreference");
    type Request = Empty;
    type Response = OnePreference;

    fn run(cx: &mut Cx<'_>, _: Empty) -> Result<OnePreference, ApiError> {
        cx.authorize(&ids::account_arn(cx.account()))?;
        Ok(of(cx)?.into())
    }
}

/// Changes what is given of the security preference.
pub(super) struct SetSecurityPreference;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetSecurityPreferenceRequest {
    allow_user_to_change_password: Option<bool>,
    allow_user_to_manage_access_keys: Option<bool>,
    #[serde(rename = "AllowUserToManageMFADevices")]
    allow_user_to_manage_mfa_devices: Option<bool>,
    allow_user_to_manage_public_keys: Option<bool>,
    #[serde(rename = "EnableSaveMFATicket")]
    enable_save_mfa_ticket: Option<bool>,
    login_network_masks: Option<String>,
    login_session_duration: Option<u32>,
}

impl SetSecurityPreferenceRequest {
    fn onto(self, old: Preference) -> Preference {
        Preference {
            allow_user_to_change_password: self
                .allow_user_to_change_password
                .unwrap_or(old.allow_user_to_change_password),
            allow_user_to_manage_access_keys: self
                .allow_user_to_manage_access_keys
                .unwrap_or(old.allow_user_to_manage_access_keys),
            allow_user_to_manage_mfa_devices: self
                .allow_user_to_manage_mfa_devices
                .unwrap_or(old.allow_user_to_manage_mfa_devices),
            allow_user_to_manage_public_keys: self
                .allow_user_to_manage_public_keys
                .unwrap_or(old.allow_user_to_manage_public_keys),
            enable_save_mfa_ticket: self
                .enable_save_mfa_ticket
                .unwrap_or(old.enable_save_mfa_ticket),
            login_network_masks: self.login_network_masks.unwrap_or(old.login_network_masks),
            login_session_duration: self
                .login_session_duration
                .unwrap_or(old.login_session_duration),
        }
    }
}

impl Action for SetSecurityPreference {
    const META: Meta = write("SetSecurityPreference");
    type Request = SetSecurityPreferenceRequest;
    type Response = OnePreference;

    fn run(
        cx: &mut Cx<'_>,
        request: SetSecurityPreferenceRequest,
    ) -> Result<OnePreference, ApiError> {
        let id = cx.account();
        cx.authorize(&ids::account_arn(id))?;
        let new = request.onto(of(cx)?);
        check::range("LoginSessionDuration", new.login_session_duration, 1, 24)?;
        check_masks(&new.login_network_masks)?;
        let text = serde_json::to_string(&new).map_err(ApiError::internal)?;
        account::set_security_preference(&mut Change::of(cx), id, &text)?;
        Ok(new.into())
    }
}

/// Blocks of addresses, separated by semicolons or spaces; empty for everywhere.
fn check_masks(masks: &str) -> Result<(), ApiError> {
    check::text("LoginNetworkMasks", masks, 512)?;
    let mut blocks = masks.split([';', ' ']).filter(|block| !block.is_empty());
    if blocks.all(|block| Network::parse(block).is_some()) {
        return Ok(());
    }
    Err(invalid(
        "LoginNetworkMasks.Format",
        "The LoginNetworkMasks must be CIDR blocks, separated by semicolons.",
    ))
}
