//! awan 2026-01-01 `ExportFocus`: a bill as FOCUS 1.2 rows, a page of CSV at a time.

use base::ApiError;
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{awan_read, own_bills};
use crate::focus::{self, Writer};
use crate::request;
use crate::statement::Statement;
use crate::tables::line::{self, Filter};

pub struct ExportFocus;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// `2026-11`; the current month where it is left out.
    month: Option<String>,
    /// ISO 4217; the agreement's where it is left out.
    currency: Option<String>,
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    month: String,
    format: &'static str,
    /// The pages one after the other are the file: the first begins with the names of the columns, the
    /// last ends with the tax.
    csv: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Action for ExportFocus {
    const META: Meta = awan_read("ExportFocus");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        let now = cx.now;
        let month = request::month("Month", request.month.as_deref(), now)?;
        let limit = request.page.limit(5_000, 20_000)?;
        let after = request.page.after()?.and_then(|id| id.parse().ok()).unwrap_or_default();
        let account = own_bills(cx)?;
        let (covenant, currency) = (cx.cloud.covenant.clone(), request.currency.as_deref());
        let statement = Statement::of(cx.tx(), &*covenant, account, month, currency, now)?;
        let filter = Filter::bill(month, &statement.currency);
        let rows = line::list(cx.tx(), account, &filter, after, limit + 1)?;
        let page = Page::cut(rows, limit, |(id, _)| id.to_string());
        let region = &cx.cloud.region;
        let centre = region.centres(&region.id).next();
        let operator =
            centre.map(|centre| centre.operator.as_str()).filter(|name| !name.is_empty());
        let city = centre.map_or("", |centre| &centre.city);
        let region = (region.id.as_str(), if city.is_empty() { &region.id } else { city });
        let writer = Writer { statement: &statement, provider: operator.unwrap_or("Awan"), region };
        let mut csv = if after == 0 { focus::header() } else { String::new() };
        for (_, line) in &page.rows {
            writer.line(&mut csv, line);
        }
        if page.next.is_none() {
            writer.tax(&mut csv);
        }
        Ok(Response { month: month.text(), format: "FOCUS 1.2", csv, next_token: page.next })
    }
}
