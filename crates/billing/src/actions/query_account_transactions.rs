//! bssopenapi 2017-12-14 `QueryAccountTransactions` (by page number) and
//! `QueryAccountTransactionDetails` (by token): the account's ledger, newest first.

use base::{AccountId, ApiError, Time};
use engine::{Action, Cx, Meta};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::bss_read;
use crate::bss;
use crate::money::decimal;
use crate::month::Month;
use crate::request::{self, invalid};
use crate::tables::ledger::{self, Entry, Filter};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Request {
    create_time_start: Option<String>,
    create_time_end: Option<String>,
    transaction_number: Option<String>,
    transaction_type: Option<String>,
    transaction_flow: Option<String>,
    page_num: Option<u32>,
    page_size: Option<u32>,
    max_results: Option<u32>,
    next_token: Option<String>,
}

impl Request {
    fn filter(&self) -> Result<Filter, ApiError> {
        let from = request::moment("CreateTimeStart", self.create_time_start.as_deref(), 0)?;
        // Whole seconds of a far future, of which microseconds still are a number.
        let until = request::moment("CreateTimeEnd", self.create_time_end.as_deref(), 1 << 40)?;
        let kinds = match self.transaction_type.as_deref().unwrap_or_default() {
            "" => ("", ""),
            "Consumption" => ("charge", "tax"),
            "Payment" => ("payment", "payment"),
            "Adjust" => ("credit", "credit"),
            _ => {
                let message = "TransactionType must be Consumption, Payment or Adjust.";
                return Err(invalid("TransactionType", message));
            }
        };
        let flow = match self.transaction_flow.as_deref().unwrap_or_default() {
            "" => 0,
            "Income" => 1,
            "Expense" => -1,
            _ => {
                let message = "TransactionFlow must be Income or Expense.";
                return Err(invalid("TransactionFlow", message));
            }
        };
        let number = self.transaction_number.as_deref().filter(|number| !number.is_empty());
        // A number that nothing has finds nothing.
        let id = number.map_or(0, |number| number.parse().unwrap_or(-1));
        Ok(Filter { from: Time::from_secs(from), until: Time::from_secs(until), kinds, flow, id })
    }
}

/// By page number.
pub struct QueryAccountTransactions;

impl Action for QueryAccountTransactions {
    const META: Meta = bss_read("QueryAccountTransactions");
    type Request = Request;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Value, ApiError> {
        let filter = request.filter()?;
        let (number, size, skip) = bss::window(request.page_num, request.page_size)?;
        let account = bss::authorize(cx)?;
        let total = ledger::count(cx.tx(), account, &filter)?;
        let mut rows = ledger::list(cx.tx(), account, &filter, i64::MAX, skip + size as usize)?;
        rows.drain(..skip.min(rows.len()));
        let page = bss::numbered(number, size, usize::try_from(total).unwrap_or_default());
        Ok(answer(account, rows, page))
    }
}

/// By token.
pub struct QueryAccountTransactionDetails;

impl Action for QueryAccountTransactionDetails {
    const META: Meta = bss_read("QueryAccountTransactionDetails");
    type Request = Request;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Value, ApiError> {
        let filter = request.filter()?;
        let size = bss::limit("MaxResults", request.max_results)?;
        let before = match request.next_token.as_deref().filter(|token| !token.is_empty()) {
            None => i64::MAX,
            Some(token) => token
                .parse()
                .map_err(|_| invalid("NextToken", "The specified NextToken is not valid."))?,
        };
        let account = bss::authorize(cx)?;
        let total = ledger::count(cx.tx(), account, &filter)?;
        let mut rows = ledger::list(cx.tx(), account, &filter, before, size as usize + 1)?;
        let more = rows.len() > size as usize;
        rows.truncate(size as usize);
        let mut page = Map::new();
        page.insert("MaxResults".to_owned(), size.into());
        page.insert("TotalCount".to_owned(), total.into());
        if let Some(last) = rows.last().filter(|_| more) {
            page.insert("NextToken".to_owned(), last.id.to_string().into());
        }
        Ok(answer(account, rows, page))
    }
}

fn answer(account: AccountId, rows: Vec<Entry>, page: Map<String, Value>) -> Value {
    let rows: Vec<Value> = rows.iter().map(|entry| row(account, entry)).collect();
    let mut data = page;
    data.insert("AccountName".to_owned(), account.to_string().into());
    let list = json!({ "AccountTransactionsList": rows });
    data.insert("AccountTransactionsList".to_owned(), list);
    bss::success(Value::Object(data))
}

fn row(account: AccountId, entry: &Entry) -> Value {
    let kind = match entry.kind.as_str() {
        "payment" => "Payment",
        "credit" => "Adjust",
        _ => "Consumption",
    };
    json!({
        "Amount": decimal(entry.change.unsigned_abs()),
        "Balance": decimal(entry.balance),
        "BillingCycle": Month::stored(entry.bill).text(),
        "FundType": "Cash",
        "RecordID": entry.reference,
        "Remarks": entry.note,
        "TransactionAccount": account.to_string(),
        "TransactionChannel": if kind == "Payment" { "BankTransfer" } else { "" },
        "TransactionChannelSN": if kind == "Payment" { entry.reference.as_str() } else { "" },
        "TransactionFlow": if entry.change < 0 { "Expense" } else { "Income" },
        "TransactionNumber": entry.id.to_string(),
        "TransactionTime": entry.at.iso(),
        "TransactionType": kind,
    })
}
