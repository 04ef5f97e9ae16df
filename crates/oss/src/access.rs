//! Who may do what: the caller's policies and the bucket's first, then the ACLs, then the agreement of the bucket's
//! owner, and that of the caller where it writes to what is another's. Called inside the transaction that
//! reads or writes.
//!
//! The provider's people are nobody in particular here, but for one thing: what the agreement's privileged
//! access lets them read, they may read, and the transaction that allows it states it in public.
//!
//! In a bucket with the rules of OSS an object's own ACL stands before its bucket's, for writes as for
//! reads: what is `private` in a `public-read-write` bucket is neither overwritten nor deleted by others,
//! and what is `public-read-write` in a private bucket is. In one with those of S3 ([`crate::acl`]) the
//! bucket's says who writes, and the object's who reads; its owner is the account that wrote it, and the
//! bucket's owner may neither read it nor say who may, where its ACL does not let it.

mod policies;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use base::{AccountId, ApiError};
use engine::ports::Decision;
use engine::{CallerKind, Cx, Kind};

pub(crate) use policies::{GIVEN_TAGS, compile, says_of_service, tags_header, tell_tags};

use self::policies::with_bucket_policy;
use crate::acl::{AccessBlock, AccessList, Grantee, Permission};
use crate::model::{Bucket, Lock, ObjectInfo};
use crate::tables::object::Object;
use crate::{tables, vault};

/// What an operation needs, in the terms of an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// To read an object, or to list a bucket.
    Read,
    /// To write or delete an object.
    Write,
    /// To read an ACL.
    ReadAcl,
    /// To change an ACL.
    WriteAcl,
    /// No ACL grants it: only policies of the owner's account do.
    Own,
}

impl Need {
    const fn permission(self) -> Option<Permission> {
        match self {
            Self::Read => Some(Permission::Read),
            Self::Write => Some(Permission::Write),
            Self::ReadAcl => Some(Permission::ReadAcl),
            Self::WriteAcl => Some(Permission::WriteAcl),
            Self::Own => None,
        }
    }
}

/// The question that [`require`] answers.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The permission: `oss:PutObject`.
    pub action: &'a str,
    /// What it takes of an ACL.
    pub need: Need,
    /// The key, where it is about an object.
    pub key: Option<&'a str>,
    /// The object of that key, where it is there.
    pub object: Option<&'a ObjectInfo>,
    /// Whose it is that is asked about, where that is another than the object's or the bucket's owner.
    pub owner: Option<AccountId>,
    /// Condition keys besides the request's facts, as `oss:Prefix`.
    pub conditions: &'a [(&'a str, &'a str)],
    /// Whether it is asked for an operation that only reads, which a privilege may allow.
    pub reads: bool,
}

impl<'a> Ask<'a> {
    /// About the operation's own permission on the bucket.
    pub const fn new(action: &'a str, need: Need) -> Self {
        Self { action, need, key: None, object: None, owner: None, conditions: &[], reads: false }
    }

    /// For an operation that only reads.
    #[must_use]
    pub const fn reading(mut self) -> Self {
        self.reads = true;
        self
    }

    /// About an object.
    #[must_use]
    pub const fn on(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }

    /// With what is there.
    #[must_use]
    pub const fn object(mut self, object: Option<&'a ObjectInfo>) -> Self {
        self.object = object;
        self
    }

    /// Whose it is: to read an object and to say who may is its owner's matter. All else is the bucket's: to
    /// write and delete, but also to tag, or to lock what its owner then must keep and pay for.
    fn owner(&self, bucket: &Bucket) -> AccountId {
        self.owner.unwrap_or_else(|| match (self.object, self.need) {
            (Some(object), Need::Read | Need::ReadAcl | Need::WriteAcl) => bucket.owner_of(object),
            _ => bucket.owner,
        })
    }

    /// Whether the ACL that is asked grants this to `to`.
    fn is_granted(&self, bucket: &Bucket, to: Grantee) -> bool {
        let Some(wanted) = self.need.permission() else { return false };
        let granted = |grants: Vec<crate::acl::Grant>| {
            grants.iter().any(|grant| grant.to == to && grant.permission.covers(wanted))
        };
        let (s3, writes) = (bucket.obeys_s3(), self.need == Need::Write);
        match self.object {
            _ if bucket.is_enforced() => false,
            Some(object) if s3 && !writes => granted(bucket.grants_of(object)),
            Some(object) if !s3 && (object.acl.is_some() || object.facts.grants.is_some()) => {
                granted(bucket.grants_of(object))
            }
            _ => granted(bucket.grants()),
        }
    }
}

/// What a write gives the object besides its body that takes a permission of its own, so that it is
/// no way around that permission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gives {
    /// An ACL of its own: `oss:PutObjectAcl`.
    pub(crate) list: AccessList,
    /// Tags: `oss:PutObjectTagging`.
    pub(crate) tags: bool,
    /// What keeps it: `oss:PutObjectRetention`, `oss:PutObjectLegalHold`.
    pub(crate) lock: Lock,
}

/// Requires that the caller may write or delete the object of that key with the operation's own
/// permission, and give it what it is given. Answers the current object, whose ACL was asked.
///
/// # Errors
/// As [`require`]; `AccessControlListNotSupported`.
pub(crate) fn require_write(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    gives: &Gives,
) -> Result<Option<Object>, ApiError> {
    let current = tables::object::find(cx.tx(), bucket.id, key)?;
    let info = current.as_ref().map(|object| &object.info);
    let action = cx.meta.permission();
    require(cx, bucket, Ask::new(&action, Need::Write).on(key).object(info))?;
    bucket.check_supported(&gives.list)?;
    // No ACL grants these, so that nobody who did not sign gives any.
    if bucket.takes(&gives.list) {
        // What it writes is its own, where the bucket leaves it so.
        let owner = if bucket.obeys_s3() { writer(cx) } else { None };
        let ask = Ask { owner, ..Ask::new("oss:PutObjectAcl", Need::Own).on(key) };
        require(cx, bucket, ask)?;
        check_public(cx, bucket, &gives.list, "oss:PutObjectAcl")?;
    }
    if gives.tags {
        require(cx, bucket, Ask::new("oss:PutObjectTagging", Need::Own).on(key))?;
    }
    if gives.lock.retention.is_some() {
        require(cx, bucket, Ask::new("oss:PutObjectRetention", Need::Own).on(key))?;
    }
    if gives.lock.legal_hold.is_some() {
        require(cx, bucket, Ask::new("oss:PutObjectLegalHold", Need::Own).on(key))?;
    }
    Ok(current)
}

/// The account that what the caller writes can belong to; none of who did not sign.
pub(crate) fn writer(cx: &Cx<'_>) -> Option<AccountId> {
    let named = !cx.caller.is_anonymous() && !matches!(cx.caller.kind, CallerKind::System);
    named.then_some(cx.caller.account)
}

/// Refuses a list that grants something to everybody where that is blocked.
///
/// # Errors
/// `AccessDenied`.
pub(crate) fn check_public(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    list: &AccessList,
    action: &str,
) -> Result<(), ApiError> {
    if list.is_public() && block_of(cx, bucket)?.block_acls {
        return Err(cx.denial(action, &bucket.arn(), Decision::ExplicitDeny));
    }
    Ok(())
}

/// What is kept from being public in a bucket: by itself, or by its owner for all buckets.
pub(crate) fn block_of(cx: &mut Cx<'_>, bucket: &Bucket) -> Result<AccessBlock, ApiError> {
    let own = bucket.settings.block.unwrap_or_default();
    let of_account = tables::account::block(cx.tx(), bucket.owner)?;
    Ok(own.or(of_account.unwrap_or_default()))
}

/// Requires that the caller may do this to the bucket or object, and that its owner's agreement
/// grants it.
///
/// An explicit deny wins, wherever it stands. A caller's own policies allow only within its own account;
/// another account, or nobody, comes in through the bucket's policy or an ACL alone, and where the bucket
/// has requesters pay only if it says that it does. Who has signed needs an agreement of its own account too, to write
/// to another's or to copy from there: no ACL stands in for it.
///
/// # Errors
/// `AccessDenied`, also for whoever changes what a service keeps there ([`crate::vault`]), and those of the agreement.
pub fn require(cx: &mut Cx<'_>, bucket: &Bucket, ask: Ask<'_>) -> Result<(), ApiError> {
    let resource = ask.key.map_or_else(|| bucket.arn(), |key| bucket.object_arn(key));
    if is_kept_from(cx, bucket, &ask) {
        return Err(cx.denial(ask.action, &resource, Decision::ExplicitDeny));
    }
    let owner = ask.owner(bucket);
    let own = cx.decide(ask.action, &resource, owner, ask.conditions)?;
    let decision = with_bucket_policy(cx, bucket, &ask, (&resource, owner), own)?;
    let by_list = decision == Decision::ImplicitDeny && listed(cx, bucket, &ask, &resource)?;
    let granted = decision == Decision::Allow || by_list;
    let allowed = granted && pays(cx, bucket)
        || decision == Decision::ImplicitDeny
            && ask.reads
            && privileged(cx, bucket, &ask, &resource)?;
    if !allowed {
        return Err(cx.denial(ask.action, &resource, decision));
    }
    cx.request.by_list.fetch_or(by_list, Relaxed);
    // What the cloud itself does, it does for the bucket's owner.
    let nobody = cx.caller.is_anonymous() || cx.caller.kind == CallerKind::System;
    let guest = !nobody && cx.caller.account != bucket.owner;
    // Who writes to another's, or pays for what it reads there.
    if guest && (!ask.reads || payer(cx, bucket) == cx.caller.account) {
        cx.require_agreement(cx.caller.account)?;
    }
    cx.require_agreement(bucket.owner)
}

/// What a service keeps for a tenant, the tenant reads and nobody but the cloud changes: a database is restored from
/// it with the cloud's own powers, and a stolen key of the tenant's is not to take the backups away too. The empty
/// bucket itself may go.
fn is_kept_from(cx: &Cx<'_>, bucket: &Bucket, ask: &Ask<'_>) -> bool {
    let changes = cx.meta.kind == Kind::Write
        && !ask.reads
        && !matches!(ask.need, Need::Read | Need::ReadAcl)
        && ask.action != "oss:DeleteBucket";
    changes && cx.caller.kind != CallerKind::System && vault::is_vault(&bucket.name)
}

/// Whether an ACL lets the caller. What one grants to an account, its own policies grant to its users; what
/// one grants to everybody, the block of public access may take back.
fn listed(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    ask: &Ask<'_>,
    resource: &str,
) -> Result<bool, ApiError> {
    let caller = cx.caller;
    let signed = !caller.is_anonymous();
    if signed
        && ask.is_granted(bucket, Grantee::Account(caller.account))
        && cx.decide(ask.action, resource, caller.account, ask.conditions)? == Decision::Allow
    {
        return Ok(true);
    }
    let public = ask.is_granted(bucket, Grantee::Everybody)
        || signed && ask.is_granted(bucket, Grantee::Authenticated);
    Ok(public && !block_of(cx, bucket)?.ignore_acls)
}

/// The condition key under which a request says who pays for it, and the word for whoever sends it.
pub(crate) const PAYER: (&str, &str) = ("oss:RequestPayer", "requester");

/// Whether a request to a bucket comes at its owner's cost, or says that it comes at the caller's.
fn pays(cx: &Cx<'_>, bucket: &Bucket) -> bool {
    let owns = cx.caller.account == bucket.owner || matches!(cx.caller.kind, CallerKind::System);
    !bucket.settings.requester_pays
        || owns
        || !cx.caller.is_anonymous() && cx.request.told(PAYER.0) == Some(PAYER.1)
}

/// The account that pays for a request that was allowed, and for what it sends out.
pub(crate) fn payer(cx: &Cx<'_>, bucket: &Bucket) -> AccountId {
    let offers = cx.request.told(PAYER.0) == Some(PAYER.1);
    if bucket.settings.requester_pays && offers && !cx.caller.is_anonymous() {
        cx.caller.account
    } else {
        bucket.owner
    }
}

/// Whether the provider's people may read this under a privilege, which takes the place of the tenant's
/// policies and not of their own: those must allow it as if it were the provider's. Only in a write session, so
/// that the leaf which states it is committed before anything is answered (`ops::read`).
fn privileged(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    ask: &Ask<'_>,
    resource: &str,
) -> Result<bool, ApiError> {
    let (caller, now) = (cx.caller, cx.now);
    // The tenant's own policies give nothing of what others have in its bucket.
    let others = ask.owner(bucket) != bucket.owner;
    if cx.meta.kind != Kind::Write || !caller.operator || others {
        return Ok(false);
    }
    let covenant = Arc::clone(&cx.cloud.covenant);
    let Some(held) = covenant.privilege(cx.tx(), caller, bucket.owner, now)? else {
        return Ok(false);
    };
    if cx.decide(ask.action, resource, caller.account, ask.conditions)? != Decision::Allow {
        return Ok(false);
    }
    // Before it is stated: what is stated is committed.
    cx.require_agreement(bucket.owner)?;
    cx.audit_account(bucket.owner);
    cx.audit_resource(resource);
    cx.public("tenant", bucket.owner.to_string());
    cx.public("access", held.access);
    cx.public("reason", held.reason);
    cx.public("until", held.until.iso());
    Ok(true)
}
