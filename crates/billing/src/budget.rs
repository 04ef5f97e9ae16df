//! Alarms of budgets. An alarm is raised once for each threshold, month and amount of a budget; it is
//! an audit row of the tenant's and a line of `ListBudgetAlarms`. Nothing is refused because of one:
//! that is what the agreement's spending limit is for.

use base::{AccountId, ApiError, Time};
use engine::{Cx, Meta};
use store::Tx;

use crate::estimate::Estimate;
use crate::tables::budget::{self, Alarm};

/// What the audit row of an alarm is called.
pub const META: Meta = Meta::write("awan", "2026-01-01", "RaiseBudgetAlarm");

/// How many budgets an account may have.
pub const BUDGETS_MAX: usize = 50;

/// The alarms that are due and were not raised.
pub fn due(
    tx: &mut Tx<'_>,
    account: AccountId,
    estimate: &Estimate,
    now: Time,
) -> Result<Vec<Alarm>, ApiError> {
    let mut alarms = Vec::new();
    for budget in budget::list(tx, account, "", BUDGETS_MAX)? {
        if budget.currency != estimate.currency {
            continue;
        }
        for threshold in budget.thresholds {
            let reached = i128::from(estimate.amount) * 100
                >= i128::from(budget.amount) * i128::from(threshold);
            let which = (budget.name.as_str(), budget.amount);
            if reached && !budget::raised(tx, account, which, estimate.month, threshold)? {
                alarms.push(Alarm {
                    name: budget.name.clone(),
                    month: estimate.month,
                    threshold,
                    amount: budget.amount,
                    currency: budget.currency.clone(),
                    spent: estimate.amount,
                    at: now,
                });
            }
        }
    }
    Ok(alarms)
}

/// Raises an alarm.
pub fn raise(cx: &mut Cx<'_>, account: AccountId, alarm: &Alarm) -> Result<(), ApiError> {
    if !budget::raise(cx.tx(), account, alarm)? {
        return Err(ApiError::internal("the alarm was raised before"));
    }
    cx.audit_account(account);
    cx.audit_resource(format!("acs:awan:*:{account}:budget/{}", alarm.name));
    cx.audit_detail("month", alarm.month.text());
    cx.audit_detail("threshold", alarm.threshold.to_string());
    cx.audit_detail("amount", alarm.amount.to_string());
    cx.audit_detail("spent", alarm.spent.to_string());
    cx.audit_detail("currency", &alarm.currency);
    Ok(())
}
