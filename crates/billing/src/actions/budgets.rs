//! awan 2026-01-01 budgets: what a month may cost before somebody is told.

use base::{ApiError, Code};
use engine::page::{ByToken, Page};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{awan_read, awan_write};
use crate::budget::BUDGETS_MAX;
use crate::money::{decimal, parse};
use crate::pricing;
use crate::request::{invalid, word};
use crate::tables::budget::{self, Alarm, Budget};

const NO_BUDGET: Code = Code::new("EntityNotExist.Budget", 404, "The budget does not exist.");
const TOO_MANY: Code =
    Code::new("LimitExceeded.Budget", 409, "The account has as many budgets as it may have.");

/// Thresholds of who names none, percent.
const THRESHOLDS: [u32; 3] = [50, 80, 100];
/// Thresholds of one budget at most, and the highest, percent.
const THRESHOLDS_MAX: (usize, u32) = (10, 1000);

fn authorize(cx: &mut Cx<'_>, name: &str) -> Result<(), ApiError> {
    let account = cx.account();
    cx.authorize(&format!("acs:awan:*:{account}:budget/{name}"))
}

/// Makes or changes a budget.
pub struct SetBudget;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetRequest {
    /// Unique for the account.
    name: String,
    /// For a month, before tax: a decimal with up to six places, in the agreement's currency.
    amount: String,
    /// Percent of it at which alarms are raised; 50, 80 and 100 where none are given.
    thresholds: Option<Vec<u32>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetResponse {
    budget: View,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    name: String,
    amount: String,
    amount_micro: i64,
    currency: String,
    thresholds: Thresholds,
    set_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Thresholds {
    threshold: Vec<u32>,
}

impl From<Budget> for View {
    fn from(budget: Budget) -> Self {
        Self {
            name: budget.name,
            amount: decimal(budget.amount),
            amount_micro: budget.amount,
            currency: budget.currency,
            thresholds: Thresholds { threshold: budget.thresholds },
            set_at: budget.at.iso(),
        }
    }
}

impl Action for SetBudget {
    const META: Meta = awan_write("SetBudget");
    type Request = SetRequest;
    type Response = SetResponse;

    fn run(cx: &mut Cx<'_>, request: SetRequest) -> Result<SetResponse, ApiError> {
        let name = word("Name", &request.name, 64)?.to_owned();
        let amount = parse(&request.amount)
            .filter(|amount| *amount > 0)
            .ok_or_else(|| invalid("Amount", "Amount must be a decimal above 0, as 1500000.50."))?;
        let mut thresholds = request.thresholds.unwrap_or_else(|| THRESHOLDS.to_vec());
        thresholds.sort_unstable();
        thresholds.dedup();
        let (most, highest) = THRESHOLDS_MAX;
        if thresholds.len() > most || thresholds.iter().any(|at| !(1..=highest).contains(at)) {
            let message = format!("There may be {most} thresholds, from 1 to {highest} percent.");
            return Err(invalid("Thresholds", message));
        }
        authorize(cx, &name)?;
        let (account, now) = (cx.account(), cx.now);
        let others = budget::list(cx.tx(), account, "", BUDGETS_MAX)?;
        if others.len() == BUDGETS_MAX && !others.iter().any(|other| other.name == name) {
            return Err(TOO_MANY.into());
        }
        let covenant = cx.cloud.covenant.clone();
        let currency = pricing::currency(cx.tx(), &*covenant, account, now)?;
        let budget = Budget { name, amount, currency, thresholds, at: now };
        budget::store(cx.tx(), account, &budget)?;
        cx.audit_detail("amount", amount.to_string());
        Ok(SetResponse { budget: budget.into() })
    }
}

/// Lists budgets by name.
pub struct ListBudgets;

#[derive(Deserialize)]
pub struct ListRequest {
    #[serde(flatten)]
    page: ByToken,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListResponse {
    budgets: Budgets,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Budgets {
    budget: Vec<View>,
}

impl Action for ListBudgets {
    const META: Meta = awan_read("ListBudgets");
    type Request = ListRequest;
    type Response = ListResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<ListResponse, ApiError> {
        let limit = request.page.limit(50, 50)?;
        let after = request.page.after()?.unwrap_or_default();
        authorize(cx, "*")?;
        let account = cx.account();
        let rows = budget::list(cx.tx(), account, &after, limit + 1)?;
        let page = Page::cut(rows, limit, |budget| budget.name.clone());
        let budget = page.rows.into_iter().map(View::from).collect();
        Ok(ListResponse { budgets: Budgets { budget }, next_token: page.next })
    }
}

/// Removes a budget; its alarms stay.
pub struct DeleteBudget;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteRequest {
    name: String,
}

#[derive(Serialize)]
pub struct DeleteResponse {}

impl Action for DeleteBudget {
    const META: Meta = awan_write("DeleteBudget");
    type Request = DeleteRequest;
    type Response = DeleteResponse;

    fn run(cx: &mut Cx<'_>, request: DeleteRequest) -> Result<DeleteResponse, ApiError> {
        let name = word("Name", &request.name, 64)?;
        authorize(cx, name)?;
        let account = cx.account();
        if !budget::delete(cx.tx(), account, name)? {
            return Err(NO_BUDGET.into());
        }
        Ok(DeleteResponse {})
    }
}

/// Lists alarms, newest first.
pub struct ListBudgetAlarms;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmsResponse {
    alarms: Alarms,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Alarms {
    alarm: Vec<AlarmView>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AlarmView {
    budget: String,
    month: String,
    threshold: u32,
    amount_micro: i64,
    spent_micro: i64,
    currency: String,
    raised: String,
}

impl Action for ListBudgetAlarms {
    const META: Meta = awan_read("ListBudgetAlarms");
    type Request = ListRequest;
    type Response = AlarmsResponse;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<AlarmsResponse, ApiError> {
        let limit = request.page.limit(50, 1000)?;
        let before = request.page.after()?.and_then(|id| id.parse().ok()).unwrap_or(i64::MAX);
        authorize(cx, "*")?;
        let account = cx.account();
        let rows = budget::alarms(cx.tx(), account, before, limit + 1)?;
        let page = Page::cut(rows, limit, |(id, _)| id.to_string());
        let view = |(_, alarm): (i64, Alarm)| AlarmView {
            budget: alarm.name,
            month: alarm.month.text(),
            threshold: alarm.threshold,
            amount_micro: alarm.amount,
            spent_micro: alarm.spent,
            currency: alarm.currency,
            raised: alarm.at.iso(),
        };
        let alarm = page.rows.into_iter().map(view).collect();
        Ok(AlarmsResponse { alarms: Alarms { alarm }, next_token: page.next })
    }
}
