//! Who may do what: the caller's policies and the bucket's first, then the ACLs, then the agreement of the bucket's
//! owner, and that of the caller where it writes to what is another's. Called inside the transaction that
//! reads or writes.
//!
//! The provider's people are nobody in particular here, but for one thing: what the agreement's privileged
//! access lets them read, they may read, and the transaction that allows it states it in public.
//!
//! An object's own ACL stands before its bucket's, for writes as for reads: what is `private` in a
//! `public-read-write` bucket is neither overwritten nor deleted by others, and what is
//! `public-read-write` in a private bucket is.

use std::borrow::Cow;
use std::sync::Arc;

use base::{ApiError, Time};
use engine::ports::Decision;
use engine::{CallerKind, Cx, Kind, RequestInfo};
use policy::bucket::{BucketPolicy, Home, Says};
use policy::{Facts, Malformed};

use crate::model::{Acl, Bucket, Lock};
use crate::tables;
use crate::tables::object::Object;

/// What the owner's root may whatever the bucket's policy says, and no other account may.
const POLICY_ACTIONS: [&str; 3] =
    ["oss:GetBucketPolicy", "oss:PutBucketPolicy", "oss:DeleteBucketPolicy"];

/// What an operation needs, in the terms of an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Any public ACL grants it.
    Read,
    /// Only `public-read-write` grants it.
    Write,
    /// No ACL grants it: only policies of the owner's account do.
    Own,
}

impl Need {
    fn granted_by(self, acl: Acl) -> bool {
        match self {
            Self::Read => acl != Acl::Private,
            Self::Write => acl == Acl::PublicReadWrite,
            Self::Own => false,
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
    /// The object's own ACL, where it is there and has one; else the bucket's applies.
    pub acl: Option<Acl>,
    /// Condition keys besides the request's facts, as `oss:Prefix`.
    pub conditions: &'a [(&'a str, &'a str)],
    /// Whether it is asked for an operation that only reads, which a privilege may allow.
    pub reads: bool,
}

impl<'a> Ask<'a> {
    /// About the operation's own permission on the bucket.
    pub const fn new(action: &'a str, need: Need) -> Self {
        Self { action, need, key: None, acl: None, conditions: &[], reads: false }
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

    /// With the object's own ACL.
    #[must_use]
    pub const fn acl(mut self, acl: Option<Acl>) -> Self {
        self.acl = acl;
        self
    }
}

/// What a write gives the object besides its body that takes a permission of its own, so that it is
/// no way around that permission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gives {
    /// An ACL of its own: `oss:PutObjectAcl`.
    pub(crate) acl: bool,
    /// Tags: `oss:PutObjectTagging`.
    pub(crate) tags: bool,
    /// What keeps it: `oss:PutObjectRetention`, `oss:PutObjectLegalHold`.
    pub(crate) lock: Lock,
}

/// Requires that the caller may write or delete the object of that key with the operation's own
/// permission, and give it what it is given. Answers the current object, whose ACL was asked.
///
/// # Errors
/// As [`require`].
pub(crate) fn require_write(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    gives: Gives,
) -> Result<Option<Object>, ApiError> {
    let current = tables::object::find(cx.tx(), bucket.id, key)?;
    let acl = current.as_ref().and_then(|object| object.info.acl);
    let action = cx.meta.permission();
    require(cx, bucket, Ask::new(&action, Need::Write).on(key).acl(acl))?;
    // No ACL grants these, so that nobody who did not sign gives any.
    if gives.acl {
        require(cx, bucket, Ask::new("oss:PutObjectAcl", Need::Own).on(key))?;
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

/// Requires that the caller may do this to the bucket or object, and that its owner's agreement
/// grants it.
///
/// An explicit deny wins, wherever it stands. A caller's own policies allow only within its own account;
/// another account, or nobody, comes in through the bucket's policy or an ACL alone. Who has signed needs an agreement of its own account too, to write
/// to another's or to copy from there: no ACL stands in for it.
///
/// # Errors
/// `AccessDenied`, and those of the agreement.
pub fn require(cx: &mut Cx<'_>, bucket: &Bucket, ask: Ask<'_>) -> Result<(), ApiError> {
    let resource = ask.key.map_or_else(|| bucket.arn(), |key| bucket.object_arn(key));
    let own = cx.decide(ask.action, &resource, bucket.owner, ask.conditions)?;
    let decision = with_bucket_policy(cx, bucket, &ask, &resource, own)?;
    let allowed = match decision {
        Decision::Allow => true,
        Decision::ExplicitDeny => false,
        Decision::ImplicitDeny => {
            ask.need.granted_by(ask.acl.unwrap_or(bucket.acl))
                || ask.reads && privileged(cx, bucket, &ask, &resource)?
        }
    };
    if !allowed {
        return Err(cx.denial(ask.action, &resource, decision));
    }
    let guest = !cx.caller.is_anonymous() && cx.caller.account != bucket.owner;
    if guest && !ask.reads {
        cx.require_agreement(cx.caller.account)?;
    }
    cx.require_agreement(bucket.owner)
}

/// What the caller's own policies and the bucket's say together.
///
/// The bucket's policy can let in whom their own policies leave out. Where it lets in another account, its
/// users need that account's leave too, and where it names an account as a whole, its own policies say
/// which of its users. It is not asked of the cloud itself, nor of the owner's root about the policy: no
/// policy can lock its owner out for good.
fn with_bucket_policy(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    ask: &Ask<'_>,
    resource: &str,
    own: Decision,
) -> Result<Decision, ApiError> {
    let Some(text) = &bucket.settings.policy else { return Ok(own) };
    let caller = cx.caller;
    let about_policy = POLICY_ACTIONS.contains(&ask.action);
    let owns = caller.account == bucket.owner;
    let exempt = match caller.kind {
        CallerKind::System => true,
        CallerKind::Root => owns && about_policy,
        _ => false,
    };
    if own == Decision::ExplicitDeny || exempt {
        return Ok(own);
    }
    let policy = compile(bucket, text)
        .map_err(|reason| ApiError::internal(format!("a stored bucket policy: {reason}")))?;
    let (request, now) = (cx.request, cx.now);
    let values = |key: &str| condition_values(request, now, ask.conditions, key);
    let facts = Facts { action: ask.action, resource, asker: caller.asker(), values: &values };
    match policy.says(&facts) {
        Says::Denies => Ok(Decision::ExplicitDeny),
        Says::Nothing => Ok(own),
        // The policy itself stays with the owner's account, whatever it says.
        _ if about_policy && !owns => Ok(own),
        _ if !owns && !caller.is_anonymous() => {
            cx.decide(ask.action, resource, caller.account, ask.conditions)
        }
        // A session that was narrowed stays so.
        Says::Allows if caller.session_policy.is_none() => Ok(Decision::Allow),
        Says::Allows | Says::AllowsAccount => Ok(own),
    }
}

/// A policy as the one of this bucket.
///
/// # Errors
/// What is wrong with it, for its author.
pub(crate) fn compile(bucket: &Bucket, text: &str) -> Result<BucketPolicy, Malformed> {
    BucketPolicy::parse(text, Home { owner: bucket.owner, bucket: &bucket.name })
}

/// What a request says under a condition key of a bucket's policy.
fn condition_values<'a>(
    request: &'a RequestInfo,
    now: Time,
    more: &[(&str, &'a str)],
    key: &str,
) -> Vec<Cow<'a, str>> {
    match key {
        "acs:CurrentTime" => vec![now.iso().into()],
        "acs:SecureTransport" => vec![if request.secure { "true" } else { "false" }.into()],
        "acs:SourceIp" if !request.source_ip.is_empty() => vec![request.source_ip.as_str().into()],
        "acs:UserAgent" if !request.user_agent.is_empty() => {
            vec![request.user_agent.as_str().into()]
        }
        _ => {
            let same = more.iter().filter(|(name, _)| *name == key);
            same.map(|(_, value)| Cow::Borrowed(*value)).collect()
        }
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
    if cx.meta.kind != Kind::Write || !caller.operator {
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
