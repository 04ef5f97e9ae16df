//! bssopenapi 2017-12-14 `QueryInstanceBill` (by page number) and `DescribeInstanceBill` (by token): a
//! month, or its days, by resource and, with `IsBillingItem`, by billing item. An instance's id is the
//! resource's name, as an ARN.

use base::ApiError;
use engine::{Action, Cx, Meta};
use serde_json::{Value, json};

use super::bss_read;
use crate::bss::{self, BillRequest};
use crate::tables::line::By;

/// What both have.
const COMMON: [&str; 40] = [
    "AdjustAmount",
    "BillingDate",
    "BillingItem",
    "BillingType",
    "CashAmount",
    "CommodityCode",
    "CostUnit",
    "Currency",
    "DeductedByCashCoupons",
    "DeductedByCoupons",
    "DeductedByPrepaidCard",
    "DeductedByResourcePackage",
    "InstanceConfig",
    "InstanceID",
    "InstanceSpec",
    "InternetIP",
    "IntranetIP",
    "InvoiceDiscount",
    "Item",
    "ListPrice",
    "ListPriceUnit",
    "NickName",
    "OutstandingAmount",
    "OwnerID",
    "PaymentAmount",
    "PipCode",
    "PretaxAmount",
    "PretaxGrossAmount",
    "ProductCode",
    "ProductDetail",
    "ProductName",
    "ProductType",
    "Region",
    "ResourceGroup",
    "ServicePeriod",
    "ServicePeriodUnit",
    "SubscriptionType",
    "Tag",
    "Usage",
    "UsageUnit",
];

fn by(request: &BillRequest) -> Result<By, ApiError> {
    let (day, item) = (request.daily()?, request.is_billing_item == Some(true));
    Ok(By { day, item, product: true, resource: true, ..By::default() })
}

/// By page number.
pub struct QueryInstanceBill;

impl Action for QueryInstanceBill {
    const META: Meta = bss_read("QueryInstanceBill");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let (statement, rows) = bss::bill(cx, &request, by(&request)?, false)?;
        let (rows, page) = bss::page_by_number(rows, request.page_num, request.page_size)?;
        let columns = [&COMMON[..], &["Zone"]].concat();
        let mut data = bss::head(&statement);
        data.extend(page);
        data.insert("Items".to_owned(), json!({ "Item": bss::pick(rows, &columns) }));
        Ok(bss::success(Value::Object(data)))
    }
}

/// By token.
pub struct DescribeInstanceBill;

impl Action for DescribeInstanceBill {
    const META: Meta = bss_read("DescribeInstanceBill");
    type Request = BillRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: BillRequest) -> Result<Value, ApiError> {
        let (statement, rows) = bss::bill(cx, &request, by(&request)?, false)?;
        let token = request.next_token.as_deref();
        let (rows, page) = bss::page_by_token(rows, request.max_results, token)?;
        let mine = [
            "AfterDiscountAmount",
            "BillAccountID",
            "BillAccountName",
            "BillingItemCode",
            "BizType",
            "ItemName",
            "Zone",
        ];
        let columns = [&COMMON[..], &mine].concat();
        let mut data = bss::head(&statement);
        data.extend(page);
        data.insert("Items".to_owned(), Value::Array(bss::pick(rows, &columns)));
        Ok(bss::success(Value::Object(data)))
    }
}
