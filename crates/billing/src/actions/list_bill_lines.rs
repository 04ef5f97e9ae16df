//! awan 2026-01-01 `ListBillLines`: the lines of a bill, as they were added.

use base::ApiError;
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{awan_read, own_bills};
use crate::month::iso;
use crate::request;
use crate::statement::Statement;
use crate::tables::line::{self, CORRECTION, Filter, Line};

pub struct ListBillLines;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// `2026-11`; the current month where it is left out.
    month: Option<String>,
    /// ISO 4217; the agreement's where it is left out.
    currency: Option<String>,
    /// Only this product.
    product: Option<String>,
    /// Only this resource.
    resource: Option<String>,
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
    month: String,
    lines: Lines,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Lines {
    line: Vec<View>,
}

/// Quantities are in the meter's own units, prices and amounts in micro-units.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    line_id: i64,
    hour: String,
    resource: String,
    meter: String,
    product: String,
    item: String,
    correction: bool,
    revision: i64,
    quantity: i64,
    unit: String,
    unit_size: i64,
    amount_micro: i64,
    currency: String,
    ocid: String,
    release_id: String,
    /// `NoPrice`, `NoAgreement`, `TiersMoved`, or empty.
    note: String,
    tiers: Tiers,
    billed: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tiers {
    tier: Vec<Tier>,
}

/// A part of the quantity to which one price applied; the first of a month may be free.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tier {
    quantity: i64,
    price_micro: i64,
    amount_micro: i64,
}

impl Action for ListBillLines {
    const META: Meta = awan_read("ListBillLines");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let now = cx.now;
        let month = request::month("Month", request.month.as_deref(), now)?;
        let from = request::moment("From", request.from.as_deref(), i64::MIN)?;
        let until = request::moment("Until", request.until.as_deref(), i64::MAX)?;
        let limit = request.page.limit(100, 1000)?;
        let after = request.page.after()?.and_then(|id| id.parse().ok()).unwrap_or_default();
        let account = own_bills(cx)?;
        let (covenant, currency) = (cx.cloud.covenant.clone(), request.currency.as_deref());
        let statement = Statement::of(cx.tx(), &*covenant, account, month, currency, now)?;
        let filter = Filter {
            product: request.product.unwrap_or_default(),
            resource: request.resource.unwrap_or_default(),
            from,
            until,
            ..Filter::bill(month, &statement.currency)
        };
        let rows = line::list(cx.tx(), account, &filter, after, limit + 1)?;
        let page = Page::cut(rows, limit, |(id, _)| id.to_string());
        let line = page.rows.into_iter().map(view).collect();
        Ok(Response { month: month.text(), lines: Lines { line }, next_token: page.next })
    }
}

fn view((line_id, line): (i64, Line)) -> View {
    let tier = |(quantity, price_micro, amount_micro)| Tier { quantity, price_micro, amount_micro };
    View {
        line_id,
        hour: iso(line.hour),
        resource: line.resource,
        meter: line.meter,
        product: line.product,
        item: line.item,
        correction: line.kind == CORRECTION,
        revision: line.revision,
        quantity: line.quantity,
        unit: line.unit,
        unit_size: line.unit_size,
        amount_micro: line.amount,
        currency: line.currency,
        ocid: line.under.ocid,
        release_id: line.under.release,
        note: line.note,
        tiers: Tiers { tier: line.slices.into_iter().map(tier).collect() },
        billed: line.at.iso(),
    }
}
