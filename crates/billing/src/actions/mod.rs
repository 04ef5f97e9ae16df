//! The API: what was used and what it costs (`awan`), what outside meters and payments tell us
//! (`awan`, the operator only), and bills as clients of `bssopenapi` know them.

mod budgets;
mod describe_instance_bill;
mod export_focus;
mod forecast_bill;
mod get_bill;
mod list_bill_lines;
mod list_usage;
mod pricing;
mod query_account_balance;
mod query_account_bill;
mod query_account_transactions;
mod query_available_instances;
mod query_bill;
mod record_payment;
mod record_usage;

use base::ApiError;
use engine::{Entry, Meta, action};

use crate::bss::PRODUCT;

/// The table.
pub static ACTIONS: &[Entry] = &[
    action::<list_usage::ListUsage>(),
    action::<get_bill::GetBill>(),
    action::<list_bill_lines::ListBillLines>(),
    action::<export_focus::ExportFocus>(),
    action::<forecast_bill::ForecastBill>(),
    action::<budgets::SetBudget>(),
    action::<budgets::ListBudgets>(),
    action::<budgets::DeleteBudget>(),
    action::<budgets::ListBudgetAlarms>(),
    action::<record_payment::RecordPayment>(),
    action::<record_usage::RecordUsage>(),
    action::<query_available_instances::QueryAvailableInstances>(),
    action::<query_account_balance::QueryAccountBalance>(),
    action::<query_account_transactions::QueryAccountTransactions>(),
    action::<query_account_transactions::QueryAccountTransactionDetails>(),
    action::<query_account_bill::QueryAccountBill>(),
    action::<query_bill::QueryBill>(),
    action::<query_bill::QueryBillOverview>(),
    action::<query_bill::QuerySettleBill>(),
    action::<describe_instance_bill::QueryInstanceBill>(),
    action::<describe_instance_bill::DescribeInstanceBill>(),
    action::<pricing::GetPayAsYouGoPrice>(),
    action::<pricing::DescribePricingModule>(),
    action::<pricing::QueryProductList>(),
];

const fn awan_read(name: &'static str) -> Meta {
    Meta::read("awan", "2026-01-01", name)
}

const fn awan_write(name: &'static str) -> Meta {
    Meta::write("awan", "2026-01-01", name)
}

const fn bss_read(name: &'static str) -> Meta {
    Meta::read(PRODUCT.0, PRODUCT.1, name)
}

/// Asks for permission on the account's own bills and answers whose.
fn own_bills(cx: &mut engine::Cx<'_>) -> Result<base::AccountId, ApiError> {
    let account = cx.account();
    cx.authorize(&format!("acs:awan:*:{account}:bill/*"))?;
    Ok(account)
}
