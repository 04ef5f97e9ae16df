//! The provider's people reading what a tenant owns: asked for with a reason, approved by the tenant
//! where its agreement says so, for some hours, each step a leaf that states the reason. Nobody but the
//! person who asked may use it.

use std::time::Duration;

use base::text::hex;
use base::{AccountId, ApiError};
use engine::Cx;
use serde_json::json;
use terms::{statement, text};

use crate::errors::{ACCESS_STATE, NO_ACCESS, NOT_PERMITTED, invalid};
use crate::tables::access::{self, Row, State};

const HOUR_SECS: u64 = 3600;
/// The longest reason, bytes: a leaf states it.
const REASON_MAX: usize = 500;

/// The terms under which a tenant's data may be read.
struct Permission {
    tenant_approval: bool,
    hours_max: u32,
}

/// Requires permission on a privileged access.
pub(crate) fn authorize(cx: &mut Cx<'_>, id: &str) -> Result<(), ApiError> {
    let own = cx.account();
    cx.authorize(&format!("acs:awan:*:{own}:privilegedaccess/{id}"))
}

fn permission(cx: &mut Cx<'_>, tenant: AccountId) -> Result<Option<Permission>, ApiError> {
    let (cloud, now) = (cx.cloud, cx.now);
    let in_force = cloud.covenant.in_force(cx.tx(), tenant, now)?;
    Ok(in_force.filter(|it| it.terms.privileged_access.permitted).map(|it| {
        let clause = &it.terms.privileged_access;
        Permission { tenant_approval: clause.tenant_approval, hours_max: clause.hours_max }
    }))
}

/// States an access in the leaf of what is done with it.
fn state_publicly(cx: &mut Cx<'_>, row: &Row) {
    cx.audit_account(row.account);
    cx.public("tenant", row.account.to_string());
    cx.public("access", row.id.as_str());
    cx.public("reason", row.reason.as_str());
    if let Some(until) = row.until {
        cx.public("until", until.iso());
    }
}

/// Asks for access. It is granted at once where the agreement leaves it to the provider.
pub(crate) fn request(
    cx: &mut Cx<'_>,
    tenant: AccountId,
    reason: &str,
    hours: u32,
) -> Result<Row, ApiError> {
    let reason = reason.trim();
    if reason.len() > REASON_MAX || !text::is_line(reason) {
        let message = format!(
            "A reason is one line of 1 to {REASON_MAX} bytes, without invisible characters."
        );
        return Err(invalid("Reason", message));
    }
    let Some(permission) = permission(cx, tenant)? else {
        let facts = json!({ "tenant": tenant.to_string(), "reason": reason });
        return Err(ApiError::new(&NOT_PERMITTED).public(facts.to_string()));
    };
    if !(1..=permission.hours_max).contains(&hours) {
        let message = format!("The agreement permits 1 to {} hours.", permission.hours_max);
        return Err(invalid("Hours", message));
    }
    let Some(holder) = access::holder(cx.caller) else {
        return Err(NOT_PERMITTED.error("A user asks, not a session of a role."));
    };
    let mut row = Row {
        number: 0,
        id: format!("pa-{}", hex(&cx.rng().bytes::<10>())),
        account: tenant,
        principal: cx.caller.arn(),
        holder,
        reason: reason.to_owned(),
        hours,
        state: State::Requested,
        requested: cx.now,
        until: None,
    };
    if !permission.tenant_approval {
        grant(cx, &mut row);
    }
    access::insert(cx.tx(), &row)?;
    state_publicly(cx, &row);
    Ok(row)
}

/// From now on, for as long as was asked.
fn grant(cx: &Cx<'_>, row: &mut Row) {
    row.state = State::Granted;
    row.until = Some(cx.now.plus(Duration::from_secs(u64::from(row.hours) * HOUR_SECS)));
}

/// Finds an access that is about the caller's own account or, for the operator, any.
fn find(cx: &mut Cx<'_>, id: &str) -> Result<Row, ApiError> {
    authorize(cx, id)?;
    let (own, operator) = (cx.account(), cx.caller.operator);
    let row = access::find(cx.tx(), id)?.filter(|row| operator || row.account == own);
    row.ok_or(ApiError::new(&NO_ACCESS))
}

/// Finds what is waiting for the caller's own account to answer.
fn find_waiting(cx: &mut Cx<'_>, id: &str) -> Result<Row, ApiError> {
    let row = find(cx, id)?;
    if row.account != cx.account() {
        return Err(ACCESS_STATE.error("Only the tenant approves or denies."));
    }
    if !row.waiting(cx.now) {
        return Err(ACCESS_STATE.error("The request is answered already, or has lapsed."));
    }
    Ok(row)
}

fn store(cx: &mut Cx<'_>, row: &Row) -> Result<(), ApiError> {
    access::set(cx.tx(), &row.id, row.state, row.until)?;
    state_publicly(cx, row);
    Ok(())
}

/// Approves what was asked, where the agreement still permits it and the tenant's key has signed it. An API
/// key is not enough: the provider could make one.
pub(crate) fn approve(cx: &mut Cx<'_>, id: &str, line: &str) -> Result<Row, ApiError> {
    let mut row = find_waiting(cx, id)?;
    let permission = permission(cx, row.account)?;
    if permission.is_none_or(|permission| row.hours > permission.hours_max) {
        return Err(NOT_PERMITTED.into());
    }
    let signed = statement::privileged_access(&row.id, row.account, &row.reason, row.hours);
    let (cloud, now) = (cx.cloud, cx.now);
    cloud.covenant.tenant_signed(cx.tx(), row.account, &signed, line, now)?;
    grant(cx, &mut row);
    store(cx, &row)?;
    Ok(row)
}

/// Denies what was asked.
pub(crate) fn deny(cx: &mut Cx<'_>, id: &str) -> Result<Row, ApiError> {
    let mut row = find_waiting(cx, id)?;
    row.state = State::Denied;
    store(cx, &row)?;
    Ok(row)
}

/// Ends an access, or takes a request back; either party may.
pub(crate) fn end(cx: &mut Cx<'_>, id: &str) -> Result<Row, ApiError> {
    let mut row = find(cx, id)?;
    if !row.waiting(cx.now) && !row.usable(cx.now) {
        return Err(ACCESS_STATE.error("The access is over already."));
    }
    row.state = State::Ended;
    row.until = row.until.map(|_| cx.now);
    store(cx, &row)?;
    Ok(row)
}
