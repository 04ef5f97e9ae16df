//! What a bucket's policy says of a request, beside the caller's own policies.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use base::{AccountId, ApiError, Time};
use engine::ports::Decision;
use engine::{CallerKind, Cx, RequestInfo};
use policy::bucket::{BucketPolicy, Home, Says};
use policy::{Asker, Facts, Malformed, Party};

use super::{Ask, block_of};
use crate::model::Bucket;

/// What the owner's root may whatever the bucket's policy says, and no other account may.
const POLICY_ACTIONS: [&str; 3] =
    ["oss:GetBucketPolicy", "oss:PutBucketPolicy", "oss:DeleteBucketPolicy"];

/// What the caller's own policies and the bucket's say together, about something that `owner` has.
///
/// The bucket's policy can let in whom their own policies leave out. Where it lets in another account, its
/// users need that account's leave too, and where it names an account as a whole, its own policies say
/// which of its users. It lets nobody in to an object that another account has in the bucket, and where
/// what is public is blocked, one that lets everybody in lets in nobody else. It is not asked of the cloud
/// itself, nor of the owner's root about the policy: no policy can lock its owner out for good.
pub(super) fn with_bucket_policy(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    ask: &Ask<'_>,
    (resource, owner): (&str, AccountId),
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
    let policy = compiled(bucket, text)
        .map_err(|reason| ApiError::internal(format!("a stored bucket policy: {reason}")))?;
    let (request, now) = (cx.request, cx.now);
    let values = |key: &str| condition_values(request, now, ask, key);
    let facts = Facts { action: ask.action, resource, asker: caller.asker(), values: &values };
    match policy.says(&facts) {
        Says::Denies => Ok(Decision::ExplicitDeny),
        Says::Nothing => Ok(own),
        _ if owner != bucket.owner => Ok(own),
        // The policy itself stays with the owner's account, whatever it says.
        _ if about_policy && !owns => Ok(own),
        _ if !owns && policy.is_public() && block_of(cx, bucket)?.restrict => Ok(own),
        _ if !owns && !caller.is_anonymous() => {
            cx.decide(ask.action, resource, caller.account, ask.conditions)
        }
        // A session that was narrowed stays so.
        Says::Allows if caller.session_policy.is_none() => Ok(Decision::Allow),
        Says::Allows | Says::AllowsAccount => Ok(own),
    }
}

/// What the bucket's policy says of a service of the cloud that puts an object for another bucket: its owner
/// and its name.
///
/// # Errors
/// Where the stored policy does not read.
pub(crate) fn says_of_service(
    bucket: &Bucket,
    service: &str,
    (account, source): (AccountId, &str),
    key: &str,
    now: Time,
) -> Result<Says, ApiError> {
    let Some(text) = &bucket.settings.policy else { return Ok(Says::Nothing) };
    let policy = compiled(bucket, text)
        .map_err(|reason| ApiError::internal(format!("a stored bucket policy: {reason}")))?;
    let values = |key: &str| match key {
        "acs:CurrentTime" => vec![Cow::Owned(now.iso())],
        "acs:SecureTransport" => vec![Cow::Borrowed("true")],
        "acs:SourceAccount" => vec![Cow::Owned(account.to_string())],
        "acs:SourceArn" => vec![Cow::Owned(format!("arn:aws:s3:::{source}"))],
        _ => Vec::new(),
    };
    let resource = bucket.object_arn(key);
    let asker = Asker { account: AccountId::new(0), party: Party::Service(service) };
    let facts = Facts { action: "oss:PutObject", resource: &resource, asker, values: &values };
    Ok(policy.says(&facts))
}

/// A policy as the one of this bucket.
///
/// # Errors
/// What is wrong with it, for its author.
pub(crate) fn compile(bucket: &Bucket, text: &str) -> Result<BucketPolicy, Malformed> {
    BucketPolicy::parse(text, Home { owner: bucket.owner, bucket: &bucket.name })
}

/// A policy read before, with what it was read from.
struct Read {
    owner: AccountId,
    text: String,
    policy: Rc<BucketPolicy>,
}

/// Policies that a thread keeps read.
const KEPT_MAX: usize = 64;

thread_local! {
    /// By the bucket's name. To compare the text is much less work than to read it.
    static KEPT: RefCell<HashMap<String, Read>> = RefCell::default();
}

/// As [`compile`], reading a policy once as long as it stays the same.
fn compiled(bucket: &Bucket, text: &str) -> Result<Rc<BucketPolicy>, Malformed> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(read) = kept.get(&bucket.name)
            && read.owner == bucket.owner
            && read.text == text
        {
            return Ok(Rc::clone(&read.policy));
        }
        let policy = Rc::new(compile(bucket, text)?);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let read = Read { owner: bucket.owner, text: text.to_owned(), policy: Rc::clone(&policy) };
        kept.insert(bucket.name.clone(), read);
        Ok(policy)
    })
}

/// The tags that a write gives, as its header says them: `a=1&b=2`.
pub(crate) const GIVEN_TAGS: &str = "oss:RequestObjectTag";

/// What a request says under a condition key of a bucket's policy.
fn condition_values<'a>(
    request: &'a RequestInfo,
    now: Time,
    ask: &Ask<'a>,
    key: &str,
) -> Vec<Cow<'a, str>> {
    match key {
        "acs:CurrentTime" => return vec![now.iso().into()],
        "acs:SecureTransport" => {
            return vec![if request.secure { "true" } else { "false" }.into()];
        }
        "acs:SourceIp" if !request.source_ip.is_empty() => {
            return vec![request.source_ip.as_str().into()];
        }
        "acs:UserAgent" if !request.user_agent.is_empty() => {
            return vec![request.user_agent.as_str().into()];
        }
        _ => {}
    }
    match key.split_once('/') {
        Some(("oss:ExistingObjectTag", tag)) => {
            let tags = ask.object.into_iter().flat_map(|object| &object.tags);
            tags.filter(|(name, _)| name == tag).map(|(_, value)| value.as_str().into()).collect()
        }
        Some((GIVEN_TAGS, tag)) => {
            let tags = request.told(GIVEN_TAGS).map(wire::query::parse).unwrap_or_default();
            let given = tags.into_iter().filter(|(name, _)| name == tag);
            given.map(|(_, value)| value.into()).collect()
        }
        _ => {
            let same = ask.conditions.iter().filter(|(name, _)| *name == key);
            let asked = same.map(|(_, value)| Cow::Borrowed(*value));
            asked.chain(request.told(key).map(Cow::Borrowed)).collect()
        }
    }
}

/// Makes these the tags that a request is told to give, whatever its headers say: those that are not acted upon
/// are not to be asked about.
pub(crate) fn tell_tags(told: &mut Vec<(&'static str, String)>, tags: &[(String, String)]) {
    told.retain(|(key, _)| *key != GIVEN_TAGS);
    told.push((GIVEN_TAGS, tags_header(tags)));
}

/// Tags as the header has them.
pub(crate) fn tags_header(tags: &[(String, String)]) -> String {
    let pairs = tags.iter().map(|(key, value)| {
        [base::text::percent_encode(key), base::text::percent_encode(value)].join("=")
    });
    let text = pairs.collect::<Vec<_>>().join("&");
    debug_assert_eq!(wire::query::parse(&text), tags, "the header is read back so");
    text
}
