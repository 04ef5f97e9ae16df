//! Privileged access: `RequestPrivilegedAccess`, `ApprovePrivilegedAccess`, `DenyPrivilegedAccess`,
//! `EndPrivilegedAccess`, `ListPrivilegedAccess`.

use base::{AccountId, ApiError, Time};
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{Empty, listed, read, write};
use crate::access;
use crate::tables::access::{Row, list};

/// One access as answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    access_id: String,
    account_id: AccountId,
    principal: String,
    reason: String,
    hours: u32,
    /// `Requested`, `Granted`, `Expired`, `Lapsed`, `Denied` or `Ended`.
    state: &'static str,
    requested: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

impl View {
    fn of(row: Row, now: Time) -> Self {
        Self {
            state: row.state_name(now),
            access_id: row.id,
            account_id: row.account,
            principal: row.principal,
            reason: row.reason,
            hours: row.hours,
            requested: row.requested.iso(),
            until: row.until.map(Time::iso),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneResponse {
    access: View,
}

/// One of the provider's people asks to read what an account owns. The reason is published.
pub(super) struct RequestPrivilegedAccess;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AskRequest {
    account_id: AccountId,
    reason: String,
    hours: u32,
}

impl Action for RequestPrivilegedAccess {
    const META: Meta = write("RequestPrivilegedAccess");
    type Request = AskRequest;
    type Response = OneResponse;

    fn run(cx: &mut Cx<'_>, request: AskRequest) -> Result<OneResponse, ApiError> {
        let own = cx.account();
        cx.require_operator(&format!("acs:awan:*:{own}:privilegedaccess/*"))?;
        let row = access::request(cx, request.account_id, &request.reason, request.hours)?;
        Ok(OneResponse { access: View::of(row, cx.now) })
    }
}

/// An access by its id.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    access_id: String,
}

/// An access that the tenant approves, by a signature with its key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ApproveRequest {
    access_id: String,
    /// `— <key name> <base64>`, over [`terms::statement::privileged_access`].
    #[serde(default)]
    signature_line: String,
}

/// The tenant lets its data be read.
pub(super) struct ApprovePrivilegedAccess;

impl Action for ApprovePrivilegedAccess {
    const META: Meta = write("ApprovePrivilegedAccess");
    type Request = ApproveRequest;
    type Response = OneResponse;

    fn run(cx: &mut Cx<'_>, request: ApproveRequest) -> Result<OneResponse, ApiError> {
        let row = access::approve(cx, &request.access_id, &request.signature_line)?;
        Ok(OneResponse { access: View::of(row, cx.now) })
    }
}

/// The tenant does not.
pub(super) struct DenyPrivilegedAccess;

impl Action for DenyPrivilegedAccess {
    const META: Meta = write("DenyPrivilegedAccess");
    type Request = Named;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Empty, ApiError> {
        access::deny(cx, &request.access_id)?;
        Ok(Empty {})
    }
}

/// Either party ends it.
pub(super) struct EndPrivilegedAccess;

impl Action for EndPrivilegedAccess {
    const META: Meta = write("EndPrivilegedAccess");
    type Request = Named;
    type Response = Empty;

    fn run(cx: &mut Cx<'_>, request: Named) -> Result<Empty, ApiError> {
        access::end(cx, &request.access_id)?;
        Ok(Empty {})
    }
}

/// Lists accesses to an account, or for the operator to all, the latest first.
pub(super) struct ListPrivilegedAccess;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRequest {
    account_id: Option<AccountId>,
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListResponse {
    accesses: Views,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Views {
    access: Vec<View>,
}

impl Action for ListPrivilegedAccess {
    const META: Meta = read("ListPrivilegedAccess");
    type Request = ListRequest;
    type Response = ListResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<ListResponse, ApiError> {
        access::authorize(cx, "*")?;
        let account = listed(cx, request.account_id)?;
        let limit = request.page.limit(50, 100)?;
        let before = request.page.after()?.and_then(|n| n.parse().ok()).unwrap_or(i64::MAX);
        let rows = list(cx.tx(), account, before, limit + 1)?;
        let page = Page::cut(rows, limit, |row| row.number.to_string());
        let now = cx.now;
        let access = page.rows.into_iter().map(|row| View::of(row, now)).collect();
        Ok(ListResponse { accesses: Views { access }, next_token: page.next })
    }
}
