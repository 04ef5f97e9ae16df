//! awan 2026-01-01 `ListUsage`: what the account used, by hour, resource and meter, up to now.

use base::{ApiError, Time};
use serde::{Deserialize, Serialize};

use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta, meter};

use crate::request;

pub struct ListUsage;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// Hours from this one on, ISO 8601.
    from: Option<String>,
    /// Hours before this one, ISO 8601.
    until: Option<String>,
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    items: Items,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    item: Vec<Item>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    resource: String,
    meter: String,
    hour: String,
    quantity: i64,
}

impl Action for ListUsage {
    const META: Meta = Meta::read("awan", "2026-01-01", "ListUsage");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let account = cx.account();
        cx.authorize(&format!("acs:awan:*:{account}:usage"))?;
        let limit = request.page.limit(100, 1000)?;
        let after = request.page.after()?.unwrap_or_default();
        let from = request::moment("From", request.from.as_deref(), 0)?;
        let until = request::moment("Until", request.until.as_deref(), i64::MAX)?;
        let now = cx.now;
        let lines = meter::usage(cx.tx(), account, from, until, now)?;
        let rows = lines.into_iter().filter(|line| key(line) > after).take(limit + 1).collect();
        let page = Page::cut(rows, limit, key);
        let item = |line: meter::Usage| Item {
            resource: line.resource,
            meter: line.meter,
            hour: Time::from_secs(line.hour).iso(),
            quantity: line.quantity,
        };
        Ok(Response {
            items: Items { item: page.rows.into_iter().map(item).collect() },
            next_token: page.next,
        })
    }
}

/// The lines' own order: resource, meter, hour. Hours have one width until the year 2286.
fn key(line: &meter::Usage) -> String {
    format!("{}\u{1}{}\u{1}{:010}", line.resource, line.meter, line.hour)
}
