//! awan 2026-01-01 `GetBill`: what a month has come to, and for what.

use base::{AccountId, ApiError};
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{awan_read, own_bills};
use crate::estimate;
use crate::money::ratio;
use crate::month::{Month, day_text, iso};
use crate::request::{self, invalid};
use crate::statement::Statement;
use crate::tables::account;
use crate::tables::line::{By, Group};

pub struct GetBill;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// `2026-11`; the current month where it is left out.
    month: Option<String>,
    /// ISO 4217; the agreement's where it is left out.
    currency: Option<String>,
    /// What the groups are by: `Hour`, `Day`, `Product`, `Item`, `Resource`, comma-separated. There are
    /// no resource tags yet that a bill could be grouped by.
    group_by: Option<String>,
    #[serde(flatten)]
    page: ByToken,
}

/// Amounts are integers of micro-units.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    account_id: AccountId,
    month: String,
    currency: String,
    /// `Open` while lines can be added, else `Final`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
    /// Hours before this one are billed.
    #[serde(skip_serializing_if = "Option::is_none")]
    billed_until: Option<String>,
    amount_micro: i64,
    corrections_micro: i64,
    tax_micro: i64,
    payable_micro: i64,
    paid_micro: i64,
    /// What the hours that are not billed yet come to; only for the current month.
    open_micro: i64,
    open_hours: OpenHours,
    releases: Releases,
    groups: Groups,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OpenHours {
    open_hour: Vec<OpenHour>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct OpenHour {
    hour: String,
    amount_micro: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Releases {
    release: Vec<Release>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Release {
    ocid: String,
    release_id: String,
    amount_micro: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Groups {
    group: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    #[serde(skip_serializing_if = "Option::is_none")]
    hour: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    product: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    item: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    meter: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    /// In the meter's own units, decimal digits; only by item.
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    /// In the price's unit, cut off after six places; only by item.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    unit: String,
    amount_micro: i64,
    corrections_micro: i64,
    lines: i64,
}

impl Action for GetBill {
    const META: Meta = awan_read("GetBill");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let now = cx.now;
        let month = request::month("Month", request.month.as_deref(), now)?;
        let by = by(request.group_by.as_deref().unwrap_or("Product,Item"))?;
        let limit = request.page.limit(1000, 5000)?;
        let after = request.page.after()?.unwrap_or_default();
        let account = own_bills(cx)?;
        let covenant = cx.cloud.covenant.clone();
        let currency = request.currency.as_deref();
        let statement = Statement::of(cx.tx(), &*covenant, account, month, currency, now)?;
        let releases = statement.groups(cx.tx(), By { release: true, ..By::default() })?;
        let mut groups = statement.groups(cx.tx(), by)?;
        groups.sort_by_cached_key(key);
        groups.retain(|group| key(group) > after);
        groups.truncate(limit + 1);
        let page = Page::cut(groups, limit, key);
        let state = account::find(cx.tx(), account)?;
        let open = if month == Month::of(now.secs()) {
            let estimate = estimate::so_far(cx.tx(), &*covenant, account, now)?;
            if estimate.currency == statement.currency { estimate.open } else { Default::default() }
        } else {
            Default::default()
        };
        let open_hour = |(hour, amount_micro): (&i64, &i64)| OpenHour {
            hour: iso(*hour),
            amount_micro: *amount_micro,
        };
        Ok(Response {
            account_id: account,
            month: month.text(),
            status: if statement.closed.is_some() { "Final" } else { "Open" },
            invoice_id: statement.invoice(),
            billed_until: state.map(|state| iso(state.closed)),
            amount_micro: statement.amount,
            corrections_micro: releases.iter().map(|group| group.corrections).sum(),
            tax_micro: statement.tax,
            payable_micro: statement.payable(),
            paid_micro: statement.paid,
            open_micro: open.values().sum(),
            open_hours: OpenHours { open_hour: open.iter().map(open_hour).collect() },
            releases: Releases { release: releases.into_iter().map(release).collect() },
            groups: Groups { group: page.rows.into_iter().map(|group| view(group, by)).collect() },
            next_token: page.next,
            currency: statement.currency,
        })
    }
}

fn by(text: &str) -> Result<By, ApiError> {
    let mut by = By::default();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        *match name {
            "Hour" => &mut by.hour,
            "Day" => &mut by.day,
            "Product" => &mut by.product,
            "Item" => &mut by.item,
            "Resource" => &mut by.resource,
            _ => return Err(invalid("GroupBy", format!("A bill is not grouped by {name:.32}."))),
        } = true;
    }
    Ok(by)
}

fn key(group: &Group) -> String {
    let Group { at, product, item, meter, unit, unit_size, resource, .. } = group;
    format!(
        "{at:012}\u{1}{product}\u{1}{item}\u{1}{meter}\u{1}{unit}\u{1}{unit_size:020}\u{1}{resource}"
    )
}

fn release(group: Group) -> Release {
    Release { ocid: group.under.ocid, release_id: group.under.release, amount_micro: group.amount }
}

fn view(group: Group, by: By) -> View {
    View {
        hour: by.hour.then(|| iso(group.at)),
        day: (by.day && !by.hour).then(|| day_text(group.at)),
        quantity: by.item.then(|| group.quantity.to_string()),
        usage: by.item.then(|| ratio(group.quantity, group.unit_size.into(), 6)),
        product: group.product,
        item: group.item,
        meter: group.meter,
        resource: group.resource,
        unit: group.unit,
        amount_micro: group.amount,
        corrections_micro: group.corrections,
        lines: group.lines,
    }
}
