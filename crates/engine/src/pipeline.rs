//! One control request, from bytes to answer. Read [`dispatch`] from top to bottom.

use std::sync::Arc;
use std::time::Instant;

use base::{ApiError, RequestId, code};
use tracing::Instrument;
use wire::Head;
use wire::answer::{self, Body};
use wire::call::{self, Call, Format, Style};
use wire::params::Params;

use crate::action::{Access, Entry, Kind};
use crate::{Caller, CallerKind, Cloud, Cx, RequestInfo, Session, audit, replay, task};

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The peer's address, without port.
    pub ip: String,
    /// True where it came over TLS.
    pub secure: bool,
}

/// Answers one request of the control API. Never fails: every error becomes an error body.
pub async fn dispatch(cloud: &Arc<Cloud>, head: Head<'_>, body: &[u8], peer: &Peer) -> Body {
    let started = Instant::now();
    let request = request_info(cloud, &head, peer);
    let mut trace =
        Trace { format: call::format_of(&head, body), roa: false, product: "", action: "" };
    let span = tracing::info_span!("request", id = %request.id, action = tracing::field::Empty);
    let result = answer(cloud, &head, body, &request, &mut trace).instrument(span).await;
    let code = result.as_ref().map_or_else(|error| error.code().to_owned(), |_| "OK".to_owned());
    let outcome = audit::public_outcome(&code);
    cloud.metrics.observe(trace.product, trace.action, outcome, started.elapsed());
    let id = request.id.to_string();
    match result {
        Ok(value) if trace.roa => answer::roa_success(&id, value),
        Ok(value) => answer::success(trace.format, trace.action, &id, value),
        Err(error) => {
            if error.status() >= 500 {
                tracing::error!(request = %id, action = trace.action, ?error, "request failed");
            }
            answer::error(trace.format, &id, &request.host, &error)
        }
    }
}

/// What is known of a request so far, for its answer and its metrics.
struct Trace {
    format: Format,
    roa: bool,
    product: &'static str,
    action: &'static str,
}

/// The facts of a request that is about to be answered; gives it its id.
pub fn request_info(cloud: &Cloud, head: &Head<'_>, peer: &Peer) -> RequestInfo {
    RequestInfo {
        id: RequestId::timed(cloud.clock.now(), &*cloud.rng),
        source_ip: peer.ip.clone(),
        secure: peer.secure,
        user_agent: head.header("user-agent").unwrap_or_default().chars().take(256).collect(),
        host: head.header("host").unwrap_or_default().to_owned(),
        told: Vec::new(),
        by_list: Arc::default(),
    }
}

async fn answer(
    cloud: &Arc<Cloud>,
    head: &Head<'_>,
    body: &[u8],
    request: &RequestInfo,
    trace: &mut Trace,
) -> Result<serde_json::Value, ApiError> {
    let call = call::decode(head, body, cloud.clock.now())?;
    trace.format = call.format;
    trace.roa = call.style == Style::Roa;
    let (entry, params) = find(cloud, &call)?;
    (trace.product, trace.action) = (entry.meta.product, entry.meta.name);
    tracing::Span::current().record("action", entry.meta.name);
    let caller = authenticate(cloud, &call, &entry).await?;
    cloud.throttle.admit(&caller, cloud.clock.now())?;
    let nonce = call.signed.as_ref().map(|signed| signed.nonce.clone()).unwrap_or_default();
    if !caller.is_anonymous() {
        cloud.nonces.admit(&caller.key_id, &nonce, cloud.clock.now())?;
        cloud.authority.key_used(&caller, entry.meta.product, cloud.clock.now());
    }
    let session = Arc::new(Session { meta: entry.meta, caller, request: request.clone() });
    let run = Run { entry, params, nonce };
    match entry.meta.kind {
        Kind::Read => cloud.read(session, move |cx| handle(cx, &run)).await,
        Kind::Write => cloud.write(session, move |cx| write_once(cx, &run)).await,
    }
}

/// Finds the action by version and name or, for ROA requests without a name, by route; the path's
/// parameters join the others.
fn find(cloud: &Cloud, call: &Call) -> Result<(Entry, Params), ApiError> {
    let named =
        call.action.as_deref().and_then(|action| cloud.registry.by_name(&call.version, action));
    let routed = cloud.registry.by_route(&call.version, &call.method, &call.path);
    let (entry, path) = match (named, routed) {
        (Some(entry), Some((same, path))) if same.meta.name == entry.meta.name => (entry, path),
        (Some(entry), _) => (entry, Vec::new()),
        (None, Some(routed)) if call.action.is_none() => routed,
        (None, _) => return Err(code::INVALID_ACTION.into()),
    };
    let mut params = call.params.clone();
    for (name, value) in path {
        params.add(&name, value)?;
    }
    Ok((entry, params))
}

/// Who signed this? Signature and key state are checked on a snapshot of their own, so that a forged
/// request never holds up the writer.
async fn authenticate(cloud: &Arc<Cloud>, call: &Call, entry: &Entry) -> Result<Caller, ApiError> {
    let Some(signed) = &call.signed else {
        return match entry.meta.access {
            Access::Anonymous => Ok(Caller::anonymous()),
            Access::Authorized | Access::Public => {
                Err(code::MISSING_PARAMETER.error("AccessKeyId is mandatory for this action."))
            }
        };
    };
    let (cloud_, signed) = (Arc::clone(cloud), signed.clone());
    cloud
        .db
        .read(move |tx| {
            let token = signed.security_token.as_deref();
            let (caller, ()) =
                cloud_.authenticate(tx, &signed.key_id, token, |secret| signed.verify(secret))?;
            Ok(caller)
        })
        .await
}

/// One admitted request.
struct Run {
    entry: Entry,
    params: Params,
    nonce: String,
}

fn write_once(cx: &mut Cx<'_>, run: &Run) -> Result<serde_json::Value, ApiError> {
    if !cx.caller.is_anonymous() {
        let (key_id, now) = (cx.caller.key_id.clone(), cx.now);
        replay::keep_nonce(cx.tx(), &key_id, &run.nonce, now)?;
    }
    replayable(cx, run)
}

/// A client token's second request gets the first one's answer.
fn replayable(cx: &mut Cx<'_>, run: &Run) -> Result<serde_json::Value, ApiError> {
    let token = run
        .entry
        .meta
        .replay_by
        .and_then(|name| run.params.get(name))
        .filter(|token| !token.is_empty());
    let Some(token) = token else { return handle(cx, run) };
    let principal = cx.caller.principal_id();
    let action = run.entry.meta.name;
    let key = replay::TokenKey { account: cx.account(), principal: &principal, action, token };
    let digest = run.params.digest();
    let now = cx.now;
    if let Some(answer) = replay::answered(cx.tx(), &key, &digest)? {
        // The first run was audited and metered; a repeat changes nothing.
        cx.checked = true;
        cx.audit.repeat = true;
        cx.audit_detail("repeat-of", token);
        return Ok(answer);
    }
    let answer = handle(cx, run)?;
    replay::keep_answer(cx.tx(), &key, &digest, &answer, now)?;
    Ok(answer)
}

/// Agreement, handler, and the dry run's way out.
fn handle(cx: &mut Cx<'_>, run: &Run) -> Result<serde_json::Value, ApiError> {
    if run.entry.meta.access != Access::Anonymous {
        cx.require_agreement(cx.account())?;
    }
    let answer = (run.entry.run)(cx, &run.params)?;
    let dry = run.entry.meta.dry_run
        && run.params.get("DryRun").is_some_and(|dry| dry.eq_ignore_ascii_case("true"));
    if dry {
        refuse_unchecked(cx)?;
        return Err(code::DRY_RUN.into());
    }
    Ok(answer)
}

/// Runs an action as plain typed Rust, for a caller who is known already: everything of the path but
/// the wire, the signature and the nonce.
///
/// # Errors
/// What the action answers.
pub async fn act<A>(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    request: A::Request,
) -> Result<A::Response, ApiError>
where
    A: crate::Action + 'static,
    A::Request: Clone + Send + 'static,
    A::Response: Send + 'static,
{
    let info = RequestInfo { id: RequestId::random(&*cloud.rng), ..RequestInfo::default() };
    let session = Arc::new(Session { meta: A::META, caller: caller.clone(), request: info });
    let run = move |cx: &mut Cx<'_>| {
        cx.require_agreement(cx.account())?;
        A::run(cx, request.clone())
    };
    match A::META.kind {
        Kind::Read => cloud.read(session, run).await,
        Kind::Write => cloud.write(session, run).await,
    }
}

/// Runs an action by name with flat parameters, as [`act`] does.
///
/// # Errors
/// `InvalidAction.NotFound`, or what the action answers.
pub async fn call(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    version: &str,
    action: &str,
    params: &[(&str, &str)],
) -> Result<serde_json::Value, ApiError> {
    let entry =
        cloud.registry.by_name(version, action).ok_or(ApiError::new(&code::INVALID_ACTION))?;
    let info = RequestInfo { id: RequestId::random(&*cloud.rng), ..RequestInfo::default() };
    let session = Arc::new(Session { meta: entry.meta, caller: caller.clone(), request: info });
    let params = flat(params)?;
    let run = Run { entry, params, nonce: String::new() };
    match entry.meta.kind {
        Kind::Read => cloud.read(session, move |cx| handle(cx, &run)).await,
        Kind::Write => cloud.write(session, move |cx| replayable(cx, &run)).await,
    }
}

fn flat(pairs: &[(&str, &str)]) -> Result<Params, ApiError> {
    let mut params = Params::default();
    for (name, value) in pairs {
        params.add(name, *value)?;
    }
    Ok(params)
}

fn refuse_unchecked(cx: &Cx<'_>) -> Result<(), ApiError> {
    let system = cx.caller.kind == CallerKind::System;
    if cx.checked || system || cx.meta.access != Access::Authorized {
        return Ok(());
    }
    Err(ApiError::internal(format!("{} never asked the policy", cx.meta.permission())))
}

/// After the handler and before the commit: refuses what never asked for permission, then writes the
/// audit entry, usage and tasks into the same transaction.
pub(crate) fn finish(cx: &mut Cx<'_>) -> Result<(), ApiError> {
    refuse_unchecked(cx)?;
    if cx.meta.kind == Kind::Read {
        return Ok(());
    }
    let entry = audit::NewEntry::of(cx);
    let cloud = Arc::clone(cx.cloud);
    let now = cx.now;
    audit::insert(cx.tx(), &cloud, &entry)?;
    let meters = std::mem::take(&mut cx.meters);
    meters.write(cx.tx(), now)?;
    for new in std::mem::take(&mut cx.tasks) {
        task::upsert(cx.tx(), &cloud, &new)?;
    }
    Ok(())
}
