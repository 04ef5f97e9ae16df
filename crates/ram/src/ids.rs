//! New identifiers and keys, in the forms that Alibaba's clients and people expect, and ARNs.

use base::{AccountId, Rng, Secret};

const DIGITS: &[u8] = b"0123456789";

/// A user's id: 18 digits.
pub(crate) fn user(rng: &dyn Rng) -> String {
    format!("2{}", rng.string(DIGITS, 17))
}

/// A role's id: 18 digits, apart from users' ids.
pub(crate) fn role(rng: &dyn Rng) -> String {
    format!("3{}", rng.string(DIGITS, 17))
}

/// A group's id.
pub(crate) fn group(rng: &dyn Rng) -> String {
    format!("g-{}", rng.alphanumeric(16))
}

/// An access key's id: 24 characters.
pub(crate) fn access_key(rng: &dyn Rng) -> String {
    format!("LTAI5t{}", rng.alphanumeric(18))
}

/// An access key's secret: 30 characters, 178 bits.
pub(crate) fn secret(rng: &dyn Rng) -> Secret<String> {
    Secret::new(rng.alphanumeric(30))
}

/// The id of a session's key.
pub(crate) fn session_key(rng: &dyn Rng) -> String {
    format!("{SESSION_PREFIX}{}", rng.alphanumeric(24))
}

/// The secret of a session's key.
pub(crate) fn session_secret(rng: &dyn Rng) -> Secret<String> {
    Secret::new(rng.alphanumeric(44))
}

/// What the ids of session keys begin with.
pub(crate) const SESSION_PREFIX: &str = "STS.";

/// The ARN that permissions are asked for: `acs:ram:*:<account>:user/alice`.
pub(crate) fn arn(account: AccountId, kind: &str, name: &str) -> String {
    format!("acs:ram:*:{account}:{kind}/{name}")
}

/// The ARN of a policy; system policies belong to the account `system`.
pub(crate) fn policy_arn(account: AccountId, system: bool, name: &str) -> String {
    if system { format!("acs:ram:*:system:policy/{name}") } else { arn(account, "policy", name) }
}

/// The ARN for what is about the account as a whole.
pub(crate) fn account_arn(account: AccountId) -> String {
    format!("acs:ram:*:{account}:*")
}

/// A role's ARN, as answers show it and `AssumeRole` takes it.
pub(crate) fn role_arn(account: AccountId, name: &str) -> String {
    format!("acs:ram::{account}:role/{name}")
}

/// A virtual device's serial number.
pub(crate) fn serial_number(account: AccountId, name: &str) -> String {
    format!("acs:ram::{account}:mfa/{name}")
}
