//! awan 2026-01-01 `ListAuditEntries`: the account's audit trail, newest first, with what is needed to
//! open each public commitment.

use base::ApiError;
use base::text::hex;
use serde::{Deserialize, Serialize};

use crate::page::{ByToken, Page};
use crate::{Action, Cx, Meta, audit};

pub struct ListAuditEntries;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    entries: Entries,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entries {
    entry: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    at: String,
    request_id: String,
    principal: String,
    access_key_id: String,
    source_ip: String,
    action: String,
    resource: String,
    outcome: String,
    detail: String,
    /// What the public leaf commits to, with the salt: hex SHA-256(salt ‖ statement).
    statement: String,
    salt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_index: Option<i64>,
}

impl Action for ListAuditEntries {
    const META: Meta = Meta::read("awan", "2026-01-01", "ListAuditEntries");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let account = cx.account();
        cx.authorize(&format!("acs:awan:*:{account}:audit"))?;
        let limit = request.page.limit(50, 1000)?;
        let before = request.page.after()?.and_then(|id| id.parse().ok()).unwrap_or(i64::MAX);
        let rows = audit::list(cx.tx(), account, before, limit + 1)?;
        let page = Page::cut(rows, limit, |entry| entry.id.to_string());
        let item = |entry: audit::Entry| Item {
            statement: entry.statement(),
            at: entry.at.iso_millis(),
            request_id: entry.request_id,
            principal: entry.principal,
            access_key_id: entry.key_id,
            source_ip: entry.source_ip,
            action: format!("{}:{}", entry.product, entry.action),
            resource: entry.resource,
            outcome: entry.outcome,
            detail: entry.detail,
            salt: hex(&entry.salt),
            log_index: entry.log_index,
        };
        Ok(Response {
            entries: Entries { entry: page.rows.into_iter().map(item).collect() },
            next_token: page.next,
        })
    }
}
