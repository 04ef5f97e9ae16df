//! The API: one type for each action, grouped by noun, and the table of all of them.
//!
//! Every action checks its parameters, then asks for permission, and only then looks anything up:
//! who may not ask learns nothing of what there is.

mod access_keys;
mod account_alias;
mod accounts;
mod assume_role;
mod attachments;
mod caller_identity;
mod groups;
mod login_profiles;
mod members;
mod mfa_devices;
mod password_policy;
mod policies;
mod policy_versions;
mod roles;
mod security_preference;
mod tags;
mod users;

use base::ApiError;
use base::text::unhex;
use engine::page::Page;
use engine::{Entry, Meta, action};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::check;
use crate::errors::invalid;

/// All actions of this crate.
pub static ACTIONS: &[Entry] = &[
    action::<users::CreateUser>(),
    action::<users::GetUser>(),
    action::<users::ListUsers>(),
    action::<users::UpdateUser>(),
    action::<users::DeleteUser>(),
    action::<login_profiles::CreateLoginProfile>(),
    action::<login_profiles::GetLoginProfile>(),
    action::<login_profiles::UpdateLoginProfile>(),
    action::<login_profiles::DeleteLoginProfile>(),
    action::<login_profiles::ChangePassword>(),
    action::<password_policy::GetPasswordPolicy>(),
    action::<password_policy::SetPasswordPolicy>(),
    action::<security_preference::GetSecurityPreference>(),
    action::<security_preference::SetSecurityPreference>(),
    action::<access_keys::CreateAccessKey>(),
    action::<access_keys::ListAccessKeys>(),
    action::<access_keys::UpdateAccessKey>(),
    action::<access_keys::DeleteAccessKey>(),
    action::<access_keys::GetAccessKeyLastUsed>(),
    action::<mfa_devices::CreateVirtualMFADevice>(),
    action::<mfa_devices::ListVirtualMFADevices>(),
    action::<mfa_devices::BindMFADevice>(),
    action::<mfa_devices::UnbindMFADevice>(),
    action::<mfa_devices::GetUserMFAInfo>(),
    action::<mfa_devices::DeleteVirtualMFADevice>(),
    action::<groups::CreateGroup>(),
    action::<groups::GetGroup>(),
    action::<groups::ListGroups>(),
    action::<groups::UpdateGroup>(),
    action::<groups::DeleteGroup>(),
    action::<members::AddUserToGroup>(),
    action::<members::RemoveUserFromGroup>(),
    action::<members::ListUsersForGroup>(),
    action::<members::ListGroupsForUser>(),
    action::<policies::CreatePolicy>(),
    action::<policies::GetPolicy>(),
    action::<policies::ListPolicies>(),
    action::<policies::DeletePolicy>(),
    action::<policies::UpdatePolicyDescription>(),
    action::<policy_versions::CreatePolicyVersion>(),
    action::<policy_versions::GetPolicyVersion>(),
    action::<policy_versions::ListPolicyVersions>(),
    action::<policy_versions::SetDefaultPolicyVersion>(),
    action::<policy_versions::DeletePolicyVersion>(),
    action::<attachments::ListEntitiesForPolicy>(),
    action::<roles::CreateRole>(),
    action::<roles::GetRole>(),
    action::<roles::ListRoles>(),
    action::<roles::UpdateRole>(),
    action::<roles::DeleteRole>(),
    action::<attachments::AttachPolicyToUser>(),
    action::<attachments::DetachPolicyFromUser>(),
    action::<attachments::ListPoliciesForUser>(),
    action::<attachments::AttachPolicyToGroup>(),
    action::<attachments::DetachPolicyFromGroup>(),
    action::<attachments::ListPoliciesForGroup>(),
    action::<attachments::AttachPolicyToRole>(),
    action::<attachments::DetachPolicyFromRole>(),
    action::<attachments::ListPoliciesForRole>(),
    action::<account_alias::GetAccountAlias>(),
    action::<account_alias::SetAccountAlias>(),
    action::<account_alias::ClearAccountAlias>(),
    action::<tags::TagResources>(),
    action::<tags::UntagResources>(),
    action::<tags::ListTagResources>(),
    action::<assume_role::AssumeRole>(),
    action::<caller_identity::GetCallerIdentity>(),
    action::<accounts::CreateAccount>(),
    action::<accounts::ListAccounts>(),
    action::<accounts::CreateAccountAccessKey>(),
    action::<accounts::SuspendAccount>(),
    action::<accounts::ResumeAccount>(),
];

const fn read(name: &'static str) -> Meta {
    Meta::read("ram", "2015-05-01", name)
}

const fn write(name: &'static str) -> Meta {
    Meta::write("ram", "2015-05-01", name)
}

/// A request without parameters, or an answer of nothing but the request id.
#[derive(Deserialize, Serialize)]
struct Empty {}

/// A list as RAM wraps it: `{"User":[…]}`, there even when it is empty.
struct List<T> {
    name: &'static str,
    items: Vec<T>,
}

fn list<T>(name: &'static str, items: impl IntoIterator<Item = T>) -> List<T> {
    List { name, items: items.into_iter().collect() }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, &self.items)?;
        map.end()
    }
}

/// The most entries in an answer of the lists that have no pages in this API.
const UNPAGED_MAX: usize = 1000;

/// Where a page begins, and how many rows it may hold.
struct Window {
    after: String,
    limit: usize,
}

impl Window {
    /// From `Marker` and `MaxItems` (1 to 1000, 100 by default).
    fn new(marker: Option<&str>, max_items: Option<u32>) -> Result<Self, ApiError> {
        Self::named("Marker", marker, "MaxItems", max_items)
    }

    fn named(
        marker_name: &'static str,
        marker: Option<&str>,
        max_name: &'static str,
        max_items: Option<u32>,
    ) -> Result<Self, ApiError> {
        let limit = max_items.unwrap_or(100);
        check::range(max_name, limit, 1, 1000)?;
        let after = match marker.filter(|marker| !marker.is_empty()) {
            None => String::new(),
            // Text with a zero byte is none that we gave out, and the database would not take it.
            Some(marker) => unhex(marker)
                .and_then(|key| String::from_utf8(key).ok())
                .filter(|key| !key.contains('\0'))
                .ok_or_else(|| {
                    invalid(marker_name, format!("The {marker_name} is not one of this list's."))
                })?,
        };
        Ok(Self { after, limit: limit as usize })
    }

    /// How many rows to ask for: one more than the page holds tells whether there is another page.
    fn fetch(&self) -> usize {
        self.limit + 1
    }

    fn cut<T>(&self, rows: Vec<T>, key: impl Fn(&T) -> String) -> Page<T> {
        Page::cut(rows, self.limit, key)
    }
}
