//! bssopenapi 2017-12-14 `QueryBill` and `QuerySettleBill` (by product and billing item) and
//! `QueryBillOverview` (by product). `Tax` is each row's part of the bill's tax, which is rounded once.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde_json::{Value, json};

use super::bss_read;
use crate::bss::{self, BillRequest};
use crate::tables::line::By;

/// What all three have.
const COMMON: [&str; 23] = [
    "AdjustAmount",
    "AfterTaxAmount",
    "CashAmount",
    "CommodityCode",
    "Currency",
    "DeductedByCashCoupons",
    "DeductedByCoupons",
    "DeductedByPrepaidCard",
    "InvoiceDiscount",
    "Item",
    "OutstandingAmount",
    "PaymentAmount",
    "PaymentCurrency",
    "PipCode",
    "PretaxAmount",
    "PretaxAmountLocal",
    "PretaxGrossAmount",
    "ProductCode",
    "ProductDetail",
    "ProductName",
    "ProductType",
    "RoundDownDiscount",
    "SubscriptionType",
];
/// What `QueryBill` and `QuerySettleBill` have besides.
const OF_ITEMS: [&str; 9] = [
    "OwnerID",
    "PaymentTime",
    "PaymentTransactionID",
    "RecordID",
    "Status",
    "SubOrderId",
    "Tax",
    "UsageEndTime",
    "UsageStartTime",
];

const ITEMS: By =
    By { product: true, item: true, hour: false, day: false, resource: false, release: false };

/// By page number.
pub struct QueryBill;

impl Action for QueryBill {
    const META: Meta = bss_read("QueryBill");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let (statement, rows) = bss::bill(cx, &request, ITEMS, true)?;
        let (rows, page) = bss::page_by_number(rows, request.page_num, request.page_size)?;
        let columns = [&COMMON[..], &OF_ITEMS].concat();
        let mut data = bss::head(&statement);
        data.extend(page);
        data.insert("Items".to_owned(), json!({ "Item": bss::pick(rows, &columns) }));
        Ok(bss::success(Value::Object(data)))
    }
}

/// By token.
pub struct QuerySettleBill;

impl Action for QuerySettleBill {
    const META: Meta = bss_read("QuerySettleBill");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let (statement, rows) = bss::bill(cx, &request, ITEMS, true)?;
        let token = request.next_token.as_deref();
        let (rows, page) = bss::page_by_token(rows, request.max_results, token)?;
        let mine = ["BillAccountID", "BillAccountName", "BizType"];
        let columns = [&COMMON[..], &OF_ITEMS, &mine].concat();
        let mut data = bss::head(&statement);
        data.extend(page);
        data.insert("Items".to_owned(), json!({ "Item": bss::pick(rows, &columns) }));
        Ok(bss::success(Value::Object(data)))
    }
}

/// Without pages.
pub struct QueryBillOverview;

impl Action for QueryBillOverview {
    const META: Meta = bss_read("QueryBillOverview");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let by = By { product: true, ..By::default() };
        let (statement, rows) = bss::bill(cx, &request, by, true)?;
        let mine = ["BillAccountID", "BillAccountName", "BizType", "OwnerID", "Tax"];
        let columns = [&COMMON[..], &mine].concat();
        let mut data = bss::head(&statement);
        data.insert("Items".to_owned(), json!({ "Item": bss::pick(rows, &columns) }));
        Ok(bss::success(Value::Object(data)))
    }
}
