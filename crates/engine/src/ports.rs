//! What one service needs of another, as traits: implemented by services, joined in the program.

use base::{AccountId, ApiError, Secret, Time};
use store::Tx;

use crate::{Caller, RequestInfo};

/// A key's secret and whom it stands for.
#[derive(Clone, Debug)]
pub struct KeyMaterial {
    /// The shared secret that requests are signed with.
    pub secret: Secret<String>,
    /// The principal.
    pub caller: Caller,
}

/// What a policy answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows, and none denies.
    Allow,
    /// A statement denies.
    ExplicitDeny,
    /// No statement allows.
    ImplicitDeny,
}

/// A question to the policies of a principal.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The permission: `oss:PutObject`.
    pub action: &'a str,
    /// The resource's ARN: `acs:oss:*:<account>:bucket/key`.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub owner: AccountId,
    /// When.
    pub now: Time,
    /// Where from, for conditions.
    pub request: &'a RequestInfo,
    /// More condition keys, as `oss:Prefix`.
    pub conditions: &'a [(&'a str, &'a str)],
}

/// Keys and policies. Implemented by `ram`.
pub trait Authority: Send + Sync {
    /// The secret and principal of an access key.
    ///
    /// # Errors
    /// `INVALID_KEY`, `INACTIVE_KEY`, `TOKEN_EXPIRED`, `TOKEN_MALFORMED`, `ACCOUNT_SUSPENDED`.
    fn find_key(
        &self,
        tx: &mut Tx<'_>,
        key_id: &str,
        token: Option<&str>,
        now: Time,
    ) -> Result<KeyMaterial, ApiError>;

    /// What the caller's own policies say. The root of an account is allowed everything on what its
    /// account owns; nobody is allowed anything of another account by these policies alone.
    fn decide(&self, tx: &mut Tx<'_>, caller: &Caller, ask: &Ask<'_>)
    -> Result<Decision, ApiError>;

    /// Notes that a key was used (kept in memory, flushed now and then).
    fn key_used(&self, caller: &Caller, product: &str, now: Time);
}

/// The agreements between provider and tenants. Implemented by `agreement`.
pub trait Covenant: Send + Sync {
    /// Whether the account's active agreement grants this product and action now.
    ///
    /// # Errors
    /// `NO_AGREEMENT`, or the code of the clause that refuses.
    fn check(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        product: &str,
        action: &str,
    ) -> Result<(), ApiError>;

    /// Makes the default agreement of a new account, in the transaction that makes the account.
    fn account_opened(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        now: Time,
    ) -> Result<(), ApiError>;
}
