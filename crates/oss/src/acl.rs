//! Access control lists: what grants say, which lists the canned words stand for, and what else of a bucket
//! decides about them (ownership of objects, the block of public access). Plain data.
//!
//! A bucket made by S3 obeys its rules: an object belongs to the account that wrote it and has a list of its
//! own, and only the bucket's list says who may write. A bucket made by OSS obeys that protocol's: all
//! objects are the bucket's owner's, and an object's own list, where it has one, stands for all before the
//! bucket's.
//!
//! Not here: who may (`access`), and how requests and answers write lists (`http`).

use std::fmt;
use std::str::FromStr;

use base::{AccountId, ApiError, Code};
use serde::{Deserialize, Serialize};

use crate::model::{Acl, Bucket, ObjectInfo};

/// `AccessControlListNotSupported`, status 400: objects are the bucket's owner's, and lists say nothing.
pub const NOT_SUPPORTED: Code =
    Code::new("AccessControlListNotSupported", 400, "The bucket does not allow ACLs.");

/// `InvalidBucketAclWithObjectOwnership`, status 400.
pub const BUCKET_NOT_PRIVATE: Code = Code::new(
    "InvalidBucketAclWithObjectOwnership",
    400,
    "A bucket cannot have both an ACL that is not private and the ownership BucketOwnerEnforced.",
);

/// The most grants of a list.
pub const GRANTS_MAX: usize = 100;

/// To whom something is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grantee {
    /// An account.
    Account(AccountId),
    /// Everybody, signed or not.
    Everybody,
    /// Everybody who signed, of whatever account.
    Authenticated,
    /// What writes access logs.
    LogDelivery,
}

/// What is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// All of the others.
    FullControl,
    /// To read the object; to list the bucket.
    Read,
    /// To write and delete objects of the bucket; on an object of a bucket with the rules of S3, nothing.
    Write,
    /// To read the list.
    ReadAcl,
    /// To change the list.
    WriteAcl,
}

impl Permission {
    const ALL: [Self; 5] =
        [Self::Read, Self::Write, Self::ReadAcl, Self::WriteAcl, Self::FullControl];

    /// The protocol's word: `FULL_CONTROL`, `READ`, `WRITE`, `READ_ACP`, `WRITE_ACP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullControl => "FULL_CONTROL",
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcl => "READ_ACP",
            Self::WriteAcl => "WRITE_ACP",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    pub(crate) fn covers(self, wanted: Self) -> bool {
        self == Self::FullControl || self == wanted
    }
}

/// One entry of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Grant {
    /// To whom.
    pub to: Grantee,
    /// What.
    pub permission: Permission,
}

impl Grant {
    /// Grants everybody, or everybody who signed, anything at all.
    pub(crate) fn is_public(&self) -> bool {
        matches!(self.to, Grantee::Everybody | Grantee::Authenticated)
    }
}

/// `READ AllUsers`, `FULL_CONTROL 1000000000000001`: as stored and audited.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.permission.as_str())?;
        match self.to {
            Grantee::Account(id) => write!(f, "{id}"),
            Grantee::Everybody => f.write_str("AllUsers"),
            Grantee::Authenticated => f.write_str("AuthenticatedUsers"),
            Grantee::LogDelivery => f.write_str("LogDelivery"),
        }
    }
}

impl FromStr for Grant {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (permission, to) = text.split_once(' ').ok_or("a grant without a grantee")?;
        let permission = Permission::parse(permission).ok_or("an unknown permission")?;
        let to = match to {
            "AllUsers" => Grantee::Everybody,
            "AuthenticatedUsers" => Grantee::Authenticated,
            "LogDelivery" => Grantee::LogDelivery,
            id => Grantee::Account(id.parse().map_err(|()| "an unknown grantee")?),
        };
        Ok(Self { to, permission })
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> Self {
        grant.to_string()
    }
}

impl TryFrom<String> for Grant {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// A list as somebody gives it: by a canned word, grant by grant, or none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    /// The canned word; beside [`Self::grants`] the one that comes nearest, for the protocol without grants.
    pub acl: Option<Acl>,
    /// The grants, where no canned word says them.
    pub grants: Option<Vec<Grant>>,
}

impl AccessList {
    /// Of these grants.
    pub fn of(grants: Vec<Grant>) -> Self {
        Self { acl: Some(nearest(&grants)), grants: Some(grants) }
    }

    /// In the canned word that says just this of what `owner` has, if there is one.
    pub(crate) fn plainest(self, owner: AccountId) -> Self {
        let Some(grants) = &self.grants else { return self };
        let same = |acl: &Acl| {
            let said = acl.grants(owner, owner);
            said.len() == grants.len() && said.iter().all(|grant| grants.contains(grant))
        };
        let canned = [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite, Acl::AuthenticatedRead];
        match canned.iter().find(|acl| same(acl)) {
            Some(acl) => Self::from(*acl),
            None => self,
        }
    }

    /// Whether it is a list at all.
    pub(crate) fn is_given(&self) -> bool {
        self.acl.is_some() || self.grants.is_some()
    }

    /// Whether it grants anything to everybody, or to everybody who signed.
    pub(crate) fn is_public(&self) -> bool {
        match (&self.grants, self.acl) {
            (Some(grants), _) => grants.iter().any(Grant::is_public),
            (None, Some(acl)) => acl.is_public(),
            (None, None) => false,
        }
    }

    /// For the audit.
    pub(crate) fn text(&self) -> String {
        match (&self.grants, self.acl) {
            (Some(grants), _) => {
                grants.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            }
            (None, acl) => acl.map_or("default", Acl::as_str).to_owned(),
        }
    }
}

impl From<Acl> for AccessList {
    fn from(acl: Acl) -> Self {
        Self { acl: Some(acl), grants: None }
    }
}

impl From<Option<Acl>> for AccessList {
    fn from(acl: Option<Acl>) -> Self {
        Self { acl, grants: None }
    }
}

/// The word of the protocol without grants that grants no more to everybody than these.
fn nearest(grants: &[Grant]) -> Acl {
    let everybody = |wanted| {
        let of_all = grants.iter().filter(|grant| grant.to == Grantee::Everybody);
        of_all.clone().any(|grant| grant.permission.covers(wanted))
    };
    match (everybody(Permission::Read), everybody(Permission::Write)) {
        (false, _) => Acl::Private,
        (true, false) => Acl::PublicRead,
        (true, true) => Acl::PublicReadWrite,
    }
}

impl Acl {
    /// The grants that a canned word stands for on what `owner` has in a bucket of `bucket_owner`. Groups come
    /// first: some clients order the others by a name that groups have not.
    pub fn grants(self, owner: AccountId, bucket_owner: AccountId) -> Vec<Grant> {
        let to = |to, permission| Grant { to, permission };
        let mut grants = match self {
            Self::Private => vec![],
            Self::PublicRead => vec![to(Grantee::Everybody, Permission::Read)],
            Self::PublicReadWrite => vec![
                to(Grantee::Everybody, Permission::Read),
                to(Grantee::Everybody, Permission::Write),
            ],
            Self::AuthenticatedRead => vec![to(Grantee::Authenticated, Permission::Read)],
            Self::LogDeliveryWrite => vec![
                to(Grantee::LogDelivery, Permission::Write),
                to(Grantee::LogDelivery, Permission::ReadAcl),
            ],
            Self::BucketOwnerRead | Self::BucketOwnerFullControl => vec![],
        };
        grants.push(to(Grantee::Account(owner), Permission::FullControl));
        let handed = match self {
            Self::BucketOwnerRead => Some(Permission::Read),
            Self::BucketOwnerFullControl => Some(Permission::FullControl),
            _ => None,
        };
        let handed = handed.filter(|_| owner != bucket_owner);
        grants.extend(handed.map(|permission| to(Grantee::Account(bucket_owner), permission)));
        grants
    }

    /// Whether everybody, or everybody who signed, may anything.
    pub const fn is_public(self) -> bool {
        matches!(self, Self::PublicRead | Self::PublicReadWrite | Self::AuthenticatedRead)
    }

    /// The same word, or the nearest of those that the protocol without grants has.
    pub const fn plain(self) -> Self {
        match self {
            Self::PublicRead | Self::PublicReadWrite => self,
            _ => Self::Private,
        }
    }
}

/// Whose the objects of a bucket are that other accounts write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// The bucket's owner's; ACLs say nothing.
    BucketOwnerEnforced,
    /// The bucket's owner's, where the writer gives it full control.
    BucketOwnerPreferred,
    /// The writer's.
    ObjectWriter,
}

impl Ownership {
    const ALL: [Self; 3] =
        [Self::BucketOwnerEnforced, Self::BucketOwnerPreferred, Self::ObjectWriter];

    /// The protocol's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What is kept from being public, whatever ACLs and policies say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessBlock {
    /// ACLs that grant to everybody are refused.
    #[serde(rename = "a")]
    pub block_acls: bool,
    /// Of ACLs that there are, grants to everybody say nothing.
    #[serde(rename = "i")]
    pub ignore_acls: bool,
    /// Policies that let everybody in are refused.
    #[serde(rename = "p")]
    pub block_policy: bool,
    /// A policy that lets everybody in lets in only the owner's own account.
    #[serde(rename = "r")]
    pub restrict: bool,
}

impl AccessBlock {
    /// All of it: what OSS knows as one switch.
    pub const ALL: Self =
        Self { block_acls: true, ignore_acls: true, block_policy: true, restrict: true };

    /// What either of both keeps.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            block_acls: self.block_acls || other.block_acls,
            ignore_acls: self.ignore_acls || other.ignore_acls,
            block_policy: self.block_policy || other.block_policy,
            restrict: self.restrict || other.restrict,
        }
    }
}

impl Bucket {
    /// Whether it obeys the rules of S3 for lists and owners.
    pub(crate) fn obeys_s3(&self) -> bool {
        self.settings.s3 || self.settings.ownership.is_some()
    }

    /// Whether lists say nothing.
    pub(crate) fn is_enforced(&self) -> bool {
        self.settings.ownership == Some(Ownership::BucketOwnerEnforced)
    }

    /// Its list.
    pub(crate) fn list(&self) -> AccessList {
        AccessList { acl: Some(self.acl), grants: self.settings.grants.clone() }
    }

    /// What its list grants.
    pub fn grants(&self) -> Vec<Grant> {
        match &self.settings.grants {
            Some(grants) if !self.is_enforced() => grants.clone(),
            _ => self.acl.grants(self.owner, self.owner),
        }
    }

    /// Whose an object of it is.
    pub fn owner_of(&self, object: &ObjectInfo) -> AccountId {
        if self.obeys_s3() && !self.is_enforced() { object.owner } else { self.owner }
    }

    /// What an object's own list grants; only its owner where it has none, as S3 tells it.
    pub fn grants_of(&self, object: &ObjectInfo) -> Vec<Grant> {
        let own = object.facts.grants.as_ref().filter(|_| !self.is_enforced());
        own.cloned().unwrap_or_else(|| {
            let acl = object.acl.filter(|_| !self.is_enforced()).unwrap_or_default();
            acl.grants(self.owner_of(object), self.owner)
        })
    }

    /// Whose a new object is that `writer` gives this list, and the list that it has then.
    pub(crate) fn newborn(
        &self,
        writer: Option<AccountId>,
        list: AccessList,
    ) -> (AccountId, AccessList) {
        let handed = list.acl == Some(Acl::BucketOwnerFullControl) && list.grants.is_none();
        let writer = writer.unwrap_or(self.owner);
        if self.is_enforced() {
            return (self.owner, AccessList::default());
        }
        if !self.obeys_s3() {
            return (self.owner, self.of_owner(list));
        }
        let taken = handed && self.settings.ownership == Some(Ownership::BucketOwnerPreferred);
        let owner = if taken { self.owner } else { writer };
        (owner, list.plainest(owner))
    }

    /// A list in a bucket whose owner has all objects: to give the owner what it has gives nothing.
    fn of_owner(&self, list: AccessList) -> AccessList {
        match list.acl {
            Some(Acl::BucketOwnerRead | Acl::BucketOwnerFullControl) if list.grants.is_none() => {
                AccessList::default()
            }
            _ => list.plainest(self.owner),
        }
    }

    /// Whether `list` is given to a new object at all.
    pub(crate) fn takes(&self, list: &AccessList) -> bool {
        list.is_given() && self.newborn(None, list.clone()).1.is_given()
    }

    /// Refuses a list where lists say nothing; that the bucket's owner is to have all is so anyway.
    ///
    /// # Errors
    /// [`NOT_SUPPORTED`].
    pub(crate) fn check_supported(&self, list: &AccessList) -> Result<(), ApiError> {
        let handed = list.acl == Some(Acl::BucketOwnerFullControl) && list.grants.is_none();
        if self.is_enforced() && list.is_given() && !handed {
            return Err(ApiError::new(&NOT_SUPPORTED));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNER: AccountId = AccountId::new(1_000_000_000_000_001);
    const OTHER: AccountId = AccountId::new(1_000_000_000_000_002);

    #[test]
    fn a_list_that_a_word_says_is_kept_as_the_word() {
        for acl in [Acl::Private, Acl::PublicRead, Acl::PublicReadWrite, Acl::AuthenticatedRead] {
            let mut grants = acl.grants(OWNER, OWNER);
            grants.reverse();
            assert_eq!(AccessList::of(grants).plainest(OWNER), AccessList::from(acl));
        }
        let other = AccessList::of(Acl::PublicRead.grants(OTHER, OTHER));
        assert_eq!(other.clone().plainest(OWNER), other);
        assert_eq!(other.acl, Some(Acl::PublicRead), "what the other protocol tells of it");
    }

    #[test]
    fn what_goes_to_the_owner_of_the_bucket_is_not_said_twice() {
        assert_eq!(Acl::BucketOwnerRead.grants(OWNER, OWNER).len(), 1);
        let said: Vec<String> =
            Acl::BucketOwnerFullControl.grants(OTHER, OWNER).iter().map(Grant::to_string).collect();
        assert_eq!(said, ["FULL_CONTROL 1000000000000002", "FULL_CONTROL 1000000000000001"]);
    }

    proptest! {
        #[test]
        fn a_grant_reads_back(at in 0..5usize, kind in 0..4usize, id in 1..i64::MAX) {
            let to = match kind {
                0 => Grantee::Everybody,
                1 => Grantee::Authenticated,
                2 => Grantee::LogDelivery,
                _ => Grantee::Account(AccountId::from_i64(id)),
            };
            let grant = Grant { to, permission: Permission::ALL[at] };
            prop_assert_eq!(grant.to_string().parse(), Ok(grant));
        }

        #[test]
        fn any_text_is_a_grant_or_none(text: String) {
            let _: Result<Grant, _> = text.parse();
        }
    }
}
