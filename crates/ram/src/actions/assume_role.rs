//! Becoming a role for a while.
//!
//! Two must agree: the caller's own policies allow `sts:AssumeRole` on the role, and the role's
//! trust policy names the caller. That is also the way into another account.

use std::borrow::Cow;
use std::time::Duration;

use base::{AccountId, ApiError, code};
use engine::ports::{Ask, Decision};
use engine::{Action, CallerKind, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::roles;
use crate::errors::{MALFORMED_POLICY, invalid};
use crate::policy::matcher::{self, Parts};
use crate::policy::{Document, Facts, evaluate};
use crate::tables::role::Role;
use crate::tables::{account, role};
use crate::token::Session;
use crate::{authority, check, ids};

/// The shortest session, seconds.
const SESSION_SECS_MIN: u32 = 900;

/// The longest session that a session may begin, seconds.
const CHAINED_SECS_MAX: u32 = 3600;

/// The longest session policy, characters: it travels in the token.
const SESSION_POLICY_MAX: usize = 2048;

/// Gives out a short-lived key to a role.
pub(super) struct AssumeRole;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumeRoleRequest {
    role_arn: String,
    role_session_name: String,
    policy: Option<String>,
    duration_seconds: Option<u32>,
    external_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials {
    access_key_id: String,
    access_key_secret: String,
    security_token: String,
    expiration: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser {
    arn: String,
    assumed_role_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AssumeRoleResponse {
    assumed_role_user: AssumedRoleUser,
    credentials: Credentials,
}

impl Action for AssumeRole {
    // It changes no row of ours; it is a write so that every taking of power leaves its audit entry.
    const META: Meta = Meta::write("sts", "2015-04-01", "AssumeRole");
    type Request = AssumeRoleRequest;
    type Response = AssumeRoleResponse;

    fn run(cx: &mut Cx<'_>, request: AssumeRoleRequest) -> Result<AssumeRoleResponse, ApiError> {
        let (owner, name) = parse_arn(&request.role_arn)?;
        check_session_name(&request.role_session_name)?;
        let policy = request.policy.filter(|policy| !policy.is_empty());
        policy.as_deref().map_or(Ok(()), check_policy)?;
        let arn = ids::role_arn(owner, &name);
        authorize(cx, &arn)?;
        let role = trusting_role(cx, owner, &name, request.external_id.as_deref())?;
        let duration = duration(cx, request.duration_seconds, &role)?;
        let session = Session {
            key_id: ids::session_key(cx.rng()),
            secret: ids::session_secret(cx.rng()),
            account: owner,
            role_id: role.id,
            name: request.role_session_name,
            policy,
            expires: cx.now.plus(duration),
        };
        if owner != cx.account() {
            cx.audit_account(owner);
        }
        cx.audit_detail("RoleSessionName", &session.name);
        cx.audit_detail("AccessKeyId", &session.key_id);
        respond(cx, &arn, session)
    }
}

fn respond(cx: &Cx<'_>, arn: &str, session: Session) -> Result<AssumeRoleResponse, ApiError> {
    let assumed_role_user = AssumedRoleUser {
        arn: format!("{arn}/{}", session.name),
        assumed_role_id: format!("{}:{}", session.role_id, session.name),
    };
    let credentials = Credentials {
        security_token: session.issue(&cx.cloud.seal)?,
        access_key_id: session.key_id,
        access_key_secret: session.secret.expose().clone(),
        expiration: session.expires.iso(),
    };
    Ok(AssumeRoleResponse { assumed_role_user, credentials })
}

/// Reads `acs:ram::<account>:role/<name>`.
fn parse_arn(arn: &str) -> Result<(AccountId, String), ApiError> {
    let read = || {
        let Parts { scheme: "acs", service: "ram", region: "" | "*", account, relative } =
            matcher::split(arn)?
        else {
            return None;
        };
        let name = relative.strip_prefix("role/")?;
        check::entity("RoleArn", name).ok()?;
        Some((account.parse().ok()?, name.to_owned()))
    };
    read().ok_or_else(|| {
        invalid("RoleArn", "The RoleArn must look like acs:ram::<account>:role/<name>.")
    })
}

fn check_session_name(name: &str) -> Result<(), ApiError> {
    check::length("RoleSessionName", name, 2, 64)?;
    check::name("RoleSessionName", name, 64)
}

fn check_policy(text: &str) -> Result<(), ApiError> {
    check::length("Policy", text, 1, SESSION_POLICY_MAX)?;
    Document::parse(text)
        .map(|_| ())
        .map_err(|reason| MALFORMED_POLICY.error(format!("Policy: {reason}.")))
}

/// The caller's half: its own policies.
fn authorize(cx: &mut Cx<'_>, arn: &str) -> Result<(), ApiError> {
    cx.audit_resource(arn);
    let permission = cx.meta.permission();
    // A policy gives nothing of another account by itself. Here the other account has its say in
    // the trust policy, and so the question is put as if the caller's account owned the role.
    let caller_account = cx.account();
    let decision = cx.decide(&permission, arn, caller_account, &[])?;
    if decision != Decision::Allow {
        return Err(cx.denial(&permission, arn, decision));
    }
    if cx.caller.kind == CallerKind::Root {
        return Err(code::NO_PERMISSION
            .error("An account itself cannot assume a role: a user or a role can."));
    }
    Ok(())
}

/// The role's half: finds it, if it trusts the caller.
fn trusting_role(
    cx: &mut Cx<'_>,
    owner: AccountId,
    name: &str,
    external_id: Option<&str>,
) -> Result<Role, ApiError> {
    let found = role::find(cx.tx(), owner, name)?;
    let suspended = account::find(cx.tx(), owner)?.is_none_or(|account| account.suspended);
    match found {
        Some(role) if !suspended && trusts(cx, &role, owner, external_id)? => Ok(role),
        // From another account, a role that is not there looks like one that does not trust.
        None if owner == cx.account() => Err(roles::no_role(name)),
        _ => Err(code::NO_PERMISSION.error("The role does not trust the caller.")),
    }
}

fn trusts(
    cx: &Cx<'_>,
    role: &Role,
    owner: AccountId,
    external_id: Option<&str>,
) -> Result<bool, ApiError> {
    let trust = Document::parse_trust(&role.trust).map_err(|reason| {
        ApiError::internal(format!("the trust policy of {}: {reason}", role.id))
    })?;
    let action = cx.meta.permission();
    let resource = ids::role_arn(owner, &role.name);
    let external: Vec<(&str, &str)> =
        external_id.map(|id| ("sts:ExternalId", id)).into_iter().collect();
    let ask = Ask {
        action: &action,
        resource: &resource,
        owner,
        now: cx.now,
        request: cx.request,
        conditions: &external,
    };
    let caller = cx.caller;
    let values =
        |key: &str| -> Vec<Cow<'_, str>> { authority::condition_values(caller, &ask, key) };
    let facts =
        Facts { action: &action, resource: &resource, asker: caller.asker(), values: &values };
    Ok(evaluate([&trust], &facts) == Decision::Allow)
}

/// How long the session lasts: an hour unless something else is asked for.
fn duration(cx: &Cx<'_>, asked: Option<u32>, role: &Role) -> Result<Duration, ApiError> {
    let chained = matches!(cx.caller.kind, CallerKind::AssumedRole { .. });
    let longest = if chained { role.max_session.min(CHAINED_SECS_MAX) } else { role.max_session };
    let secs = asked.unwrap_or(3600);
    check::range("DurationSeconds", secs, SESSION_SECS_MIN, longest)?;
    Ok(Duration::from_secs(secs.into()))
}
