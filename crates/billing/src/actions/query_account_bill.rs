//! bssopenapi 2017-12-14 `QueryAccountBill`: a month, or its days, of the whole account.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde_json::{Value, json};

use super::bss_read;
use crate::bss::{self, BillRequest};
use crate::tables::line::By;

const COLUMNS: &[&str] = &[
    "AdjustAmount",
    "BillAccountID",
    "BillAccountName",
    "BillingDate",
    "BizType",
    "CashAmount",
    "CostUnit",
    "Currency",
    "DeductedByCashCoupons",
    "DeductedByCoupons",
    "DeductedByPrepaidCard",
    "InvoiceDiscount",
    "OutstandingAmount",
    "OwnerID",
    "OwnerName",
    "PaymentAmount",
    "PipCode",
    "PretaxAmount",
    "PretaxGrossAmount",
    "ProductCode",
    "ProductName",
    "SubscriptionType",
];

pub struct QueryAccountBill;

impl Action for QueryAccountBill {
    const META: Meta = bss_read("QueryAccountBill");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let product = request.is_group_by_product == Some(true)
            || request.product_code.as_deref().is_some_and(|code| !code.is_empty());
        let by = By { day: request.daily()?, product, ..By::default() };
        let (statement, rows) = bss::bill(cx, &request, by, false)?;
        let (rows, page) = bss::page_by_number(rows, request.page_num, request.page_size)?;
        let mut data = bss::head(&statement);
        data.extend(page);
        data.insert("Items".to_owned(), json!({ "Item": bss::pick(rows, COLUMNS) }));
        Ok(bss::success(Value::Object(data)))
    }
}
