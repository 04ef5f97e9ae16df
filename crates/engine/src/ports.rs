//! What one service needs of another, as traits: implemented by services, joined in the program.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use policy::Decision;

use base::region::DataCentre;
use base::{AccountId, ApiError, Secret, Time};
use bytes::Bytes;
use store::Tx;
use terms::InForce;
use terms::clauses::DataClass;

use crate::{Caller, RequestInfo};

/// A key's secret and whom it stands for.
#[derive(Clone, Debug)]
pub struct KeyMaterial {
    /// The shared secret that requests are signed with.
    pub secret: Secret<String>,
    /// The principal.
    pub caller: Caller,
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
    /// The secret and principal of an access key. Without a token, they change only with what is committed.
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

/// Leave to read a tenant's data that the provider's people were given under its agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// The access's id, as the log names it.
    pub access: String,
    /// Why, as the log states it.
    pub reason: String,
    /// Until when.
    pub until: Time,
}

/// The agreements between provider and tenants. Implemented by `agreement`.
pub trait Covenant: Send + Sync {
    /// Whether the account's active agreement grants this product and action now.
    ///
    /// # Errors
    /// `NO_AGREEMENT`, `SERVICE_NOT_GRANTED`, `AGREEMENT_ENDED`, `SPENDING_LIMIT`.
    fn check(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        product: &str,
        action: &str,
        now: Time,
    ) -> Result<(), ApiError>;

    /// Whether the account's active agreement lets data of a class be put into a data centre. Asked by
    /// [`crate::places::decide`] only.
    ///
    /// # Errors
    /// `RESIDENCY`, and those of [`Self::check`] that concern the agreement as a whole.
    fn may_place(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        class: DataClass,
        centre: &DataCentre,
        now: Time,
    ) -> Result<(), ApiError>;

    /// The terms that bind the account at a moment; `None` where none do.
    fn in_force(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<Option<Arc<InForce>>, ApiError>;

    /// Takes note of what the account's current month has cost so far, for the spending limit.
    ///
    /// `month` is its first second; `amount` in micro-units of the price book's currency.
    fn spent(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        month: Time,
        amount: i64,
    ) -> Result<(), ApiError>;

    /// Requires that `line` is a signature (one line of a C2SP note) over `text` by the tenant's key, as the
    /// account's last agreement names it, whether that is in force or over.
    ///
    /// # Errors
    /// `NO_AGREEMENT` where the account never had one; `TENANT_SIGNATURE` for anything but that signature.
    fn tenant_signed(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        text: &str,
        line: &str,
        now: Time,
    ) -> Result<(), ApiError>;

    /// The leave under which this caller may read what `tenant` owns, where it has one now. It is the
    /// principal's own, whatever it is called, and never that of a session of a role. That the caller's own
    /// policies allow it too is for who asks to check.
    fn privilege(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        tenant: AccountId,
        now: Time,
    ) -> Result<Option<Privilege>, ApiError>;
}

/// A future that a trait object can give.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// Bytes on their way, a piece at a time.
pub trait Pieces: Send {
    /// The next bytes; `None` at the end. After an error nothing more comes, and nobody keeps what came.
    fn next(&mut self) -> Pending<'_, Option<Bytes>>;
}

/// Bytes that are there already, as one piece.
pub struct OnePiece(Option<Bytes>);

impl OnePiece {
    /// These bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(Some(bytes.into()))
    }
}

impl Pieces for OnePiece {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        let piece = self.0.take();
        Box::pin(std::future::ready(Ok(piece)))
    }
}

/// A bucket that a service needs for what it keeps for a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultBucket {
    /// Whose it is, and who pays for what is in it.
    pub account: AccountId,
    /// The service: `rds`.
    pub service: &'static str,
    /// The class of the data.
    pub class: DataClass,
    /// In which region.
    pub region: String,
}

/// A line of [`Vault::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was stored.
    pub modified: Time,
}

/// Bytes that a service keeps for a tenant, in a bucket of the tenant's own: its agreement decides where they
/// lie, they are sealed, billed and audited as what it stores itself. Implemented by `oss`.
pub trait Vault: Send + Sync {
    /// Makes sure that the bucket is there; answers its name. The same need has the same bucket.
    ///
    /// # Errors
    /// Those of making a bucket: what the agreement refuses among them.
    fn ensure(&self, bucket: VaultBucket) -> Pending<'_, String>;

    /// Stores an object, in place of one of that key; answers its size once it is durable. At most 5 GiB.
    ///
    /// # Errors
    /// Those of storing an object, and that of the body. Nothing is stored then.
    fn put<'a>(&'a self, bucket: &'a str, key: &'a str, body: Box<dyn Pieces>) -> Pending<'a, u64>;

    /// Reads an object; `None` where there is none.
    ///
    /// # Errors
    /// Those of reading an object.
    fn get<'a>(&'a self, bucket: &'a str, key: &'a str) -> Pending<'a, Option<Box<dyn Pieces>>>;

    /// The objects whose keys begin with `prefix` and come after `after`, by key; at most `limit`, which is at
    /// most 1,000.
    ///
    /// # Errors
    /// Those of listing.
    fn list<'a>(
        &'a self,
        bucket: &'a str,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> Pending<'a, Vec<Kept>>;

    /// Removes up to 1,000 objects. Those that are not there count as removed.
    ///
    /// # Errors
    /// Those of removing objects, also where some were removed.
    fn delete<'a>(&'a self, bucket: &'a str, keys: Vec<String>) -> Pending<'a, ()>;
}
