//! How bills look to clients of `bssopenapi` 2017-12-14: its envelope, its rows and its names. Amounts
//! are JSON numbers ([`crate::money::number`]). What does not exist here (coupons, prepaid cards,
//! resource packages, cost units) is 0 or empty.

use base::{AccountId, ApiError, code};
use engine::Cx;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::money::{decimal, number, ratio};
use crate::month::{HOUR, Month, day_text, iso};
use crate::request::{self, invalid};
use crate::statement::{Share, Statement};
use crate::tables::line::By;

/// The product and version of these actions.
pub const PRODUCT: (&str, &str) = ("bssopenapi", "2017-12-14");

/// Rows on a page.
const PAGE: (u32, u32) = (20, 300);
/// Rows that can be reached by page numbers.
const REACH: usize = 100_000;

/// The envelope around every answer.
pub fn success(data: Value) -> Value {
    json!({ "Code": "Success", "Message": "Successful!", "Success": true, "Data": data })
}

/// Asks for permission on the account's bills.
pub fn authorize(cx: &mut Cx<'_>) -> Result<AccountId, ApiError> {
    let account = cx.account();
    cx.authorize(&format!("acs:bssopenapi:*:{account}:*"))?;
    Ok(account)
}

/// What the bill actions take, each its part of it.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct BillRequest {
    /// `2026-11`.
    pub billing_cycle: Option<String>,
    /// `2026-11-22`, with `Granularity` `DAILY`.
    pub billing_date: Option<String>,
    /// `MONTHLY` or `DAILY`.
    pub granularity: Option<String>,
    /// Only this product.
    pub product_code: Option<String>,
    /// Only this resource.
    #[serde(rename = "InstanceID")]
    pub instance_id: Option<String>,
    /// `PayAsYouGo`; there is nothing else.
    pub subscription_type: Option<String>,
    /// Leave out what costs nothing.
    pub is_hide_zero_charge: Option<bool>,
    /// A row for each billing item.
    pub is_billing_item: Option<bool>,
    /// A row for each product.
    pub is_group_by_product: Option<bool>,
    /// Whose bills; only one's own are told.
    pub bill_owner_id: Option<AccountId>,
    /// From 1.
    pub page_num: Option<u32>,
    /// Up to 300.
    pub page_size: Option<u32>,
    /// Up to 300.
    pub max_results: Option<u32>,
    /// As the page before said.
    pub next_token: Option<String>,
}

impl BillRequest {
    fn month(&self) -> Result<Month, ApiError> {
        let missing =
            || code::MISSING_PARAMETER.error("BillingCycle is mandatory.").suffix("BillingCycle");
        let text = self.billing_cycle.as_deref().ok_or_else(missing)?;
        Month::parse(text)
            .ok_or_else(|| invalid("BillingCycle", "BillingCycle must look like 2026-11."))
    }

    /// Whether rows are by day.
    pub fn daily(&self) -> Result<bool, ApiError> {
        match self.granularity.as_deref().unwrap_or("MONTHLY") {
            "MONTHLY" => Ok(false),
            "DAILY" => Ok(true),
            _ => Err(invalid("Granularity", "Granularity must be MONTHLY or DAILY.")),
        }
    }

    fn day(&self) -> Result<Option<i64>, ApiError> {
        let day = self.billing_date.as_deref().filter(|day| !day.is_empty());
        day.map(|day| Ok(request::day("BillingDate", day)?.0)).transpose()
    }
}

/// The statement that is asked for, and its rows as clients see them.
pub fn bill(
    cx: &mut Cx<'_>,
    request: &BillRequest,
    by: By,
    taxed: bool,
) -> Result<(Statement, Vec<Map<String, Value>>), ApiError> {
    let month = request.month()?;
    let day = request.day()?;
    let account = authorize(cx)?;
    if request.bill_owner_id.is_some_and(|owner| owner != account) {
        return Err(invalid("BillOwnerId", "Only the bills of one's own account are told."));
    }
    let (covenant, now) = (cx.cloud.covenant.clone(), cx.now);
    let statement = Statement::of(cx.tx(), &*covenant, account, month, None, now)?;
    let mut shares = statement.shares(cx.tx(), by, taxed)?;
    let same = |wanted: &Option<String>, had: &str| {
        wanted.as_deref().is_none_or(|wanted| wanted.is_empty() || wanted.eq_ignore_ascii_case(had))
    };
    shares.retain(|share| {
        let group = &share.group;
        same(&request.product_code, &group.product)
            && same(&request.subscription_type, "PayAsYouGo")
            && request.instance_id.as_deref().is_none_or(|id| id.is_empty() || id == group.resource)
            && day.is_none_or(|day| group.at == day)
            && !(request.is_hide_zero_charge == Some(true) && group.amount == 0)
    });
    let region = &cx.cloud.region.id;
    let rows = shares.iter().map(|share| row(&statement, share, by, region)).collect();
    Ok((statement, rows))
}

/// Every column that any of the actions has.
fn row(statement: &Statement, share: &Share, by: By, region: &str) -> Map<String, Value> {
    let Share { group, tax, paid } = share;
    let after_tax = i128::from(group.amount) + i128::from(*tax);
    let status = match (statement.closed.is_some(), after_tax > i128::from(*paid)) {
        (false, _) => "NoSettle",
        (true, true) => "UnPay",
        (true, false) => "PayFinish",
    };
    let mut row = amounts(group.amount, after_tax, *tax, *paid);
    let mut put = |names: &[&str], value: &str| {
        for name in names {
            row.insert((*name).to_owned(), value.into());
        }
    };
    put(&NOTHING, "");
    put(&["DeductedByResourcePackage", "RoundDownDiscount"], "0");
    let owner = statement.account.to_string();
    put(&["BillAccountID", "BillAccountName", "OwnerID", "OwnerName"], &owner);
    put(&["Currency", "PaymentCurrency"], &statement.currency);
    put(&["ProductCode", "PipCode", "CommodityCode"], &group.product);
    put(&["ProductName", "ProductDetail"], &product_name(&group.product));
    put(&["BillingItem", "BillingItemCode"], &group.item);
    put(&["InstanceID"], &group.resource);
    put(&["NickName"], group.resource.rsplit(':').next().unwrap_or_default());
    put(&["Region"], region);
    put(&["Status"], status);
    put(&["Item"], "PayAsYouGoBill");
    put(&["SubscriptionType"], "PayAsYouGo");
    put(&["BillingType"], "Usage");
    let record = format!("{}-{}-{}", statement.month.text(), group.product, group.item);
    put(&["RecordID"], &record);
    let (from, until) = (group.hours.0, group.hours.1 + HOUR);
    put(&["UsageStartTime"], &spaced(from));
    put(&["UsageEndTime"], &spaced(until));
    put(&["ServicePeriod"], &(until - from).to_string());
    put(&["ServicePeriodUnit"], "Second");
    if by.day {
        put(&["BillingDate"], &day_text(group.at));
    }
    if by.item {
        put(&["Usage"], &ratio(group.quantity, group.unit_size.into(), 6));
        put(&["UsageUnit"], &group.unit);
        put(&["ListPriceUnit"], &format!("{}/{}", statement.currency, group.unit));
    }
    if by.item && group.prices.0 == group.prices.1 {
        put(&["ListPrice"], &decimal(group.prices.0));
    }
    row
}

/// Columns that are empty, or empty unless rows are by day or by item.
const NOTHING: [&str; 21] = [
    "BillingDate",
    "BizType",
    "CostUnit",
    "InstanceConfig",
    "InstanceSpec",
    "InternetIP",
    "IntranetIP",
    "ItemName",
    "ListPrice",
    "ListPriceUnit",
    "PaymentTime",
    "PaymentTransactionID",
    "ProductType",
    "ResourceGroup",
    "SubOrderId",
    "Tag",
    "Usage",
    "UsageUnit",
    "Zone",
    "BillingItem",
    "BillingItemCode",
];

fn amounts(amount: i64, after_tax: i128, tax: i64, paid: i64) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |names: &[&str], micros: i128| {
        for name in names {
            row.insert((*name).to_owned(), Value::Number(number(micros)));
        }
    };
    put(
        &["PretaxGrossAmount", "PretaxAmount", "PretaxAmountLocal", "AfterDiscountAmount"],
        amount.into(),
    );
    put(&["AfterTaxAmount"], after_tax);
    put(&["Tax"], tax.into());
    put(&["PaymentAmount", "CashAmount"], paid.into());
    put(&["OutstandingAmount"], after_tax - i128::from(paid));
    let nothing = [
        "InvoiceDiscount",
        "AdjustAmount",
        "DeductedByCashCoupons",
        "DeductedByCoupons",
        "DeductedByPrepaidCard",
    ];
    put(&nothing, 0);
    row
}

/// The columns of one action's rows.
pub fn pick(rows: Vec<Map<String, Value>>, columns: &[&str]) -> Vec<Value> {
    let pick = |mut row: Map<String, Value>| {
        let keep =
            columns.iter().map(|name| ((*name).to_owned(), row.remove(*name).unwrap_or_default()));
        Value::Object(keep.collect())
    };
    rows.into_iter().map(pick).collect()
}

/// The head that all bill answers share.
pub fn head(statement: &Statement) -> Map<String, Value> {
    let account = statement.account.to_string();
    let head = json!({
        "AccountID": account, "AccountName": account, "BillingCycle": statement.month.text(),
    });
    if let Value::Object(head) = head { head } else { Map::new() }
}

/// A page by number: the rows on it, and what the answer says about it.
pub fn page_by_number<T>(
    rows: Vec<T>,
    number: Option<u32>,
    size: Option<u32>,
) -> Result<(Vec<T>, Map<String, Value>), ApiError> {
    let (number, size, skip) = window(number, size)?;
    let total = rows.len();
    let rows = rows.into_iter().skip(skip).take(size as usize).collect();
    Ok((rows, numbered(number, size, total)))
}

/// Checks a page's number and size; answers them and how many rows are before it.
pub fn window(number: Option<u32>, size: Option<u32>) -> Result<(u32, u32, usize), ApiError> {
    let number = number.unwrap_or(1).max(1);
    let size = limit("PageSize", size)?;
    let skip = (number as usize - 1) * size as usize;
    if skip > REACH {
        return Err(invalid("PageNum", "So many rows cannot be paged through by number."));
    }
    Ok((number, size, skip))
}

/// What an answer says about a page by number.
pub fn numbered(number: u32, size: u32, total: usize) -> Map<String, Value> {
    let mut page = Map::new();
    page.insert("PageNum".to_owned(), number.into());
    page.insert("PageSize".to_owned(), size.into());
    page.insert("TotalCount".to_owned(), total.into());
    page
}

/// A page by token: the rows on it, and what the answer says about it. The token is the number of rows
/// that were told before it: a provisional bill may gain rows between two pages.
pub fn page_by_token<T>(
    rows: Vec<T>,
    size: Option<u32>,
    token: Option<&str>,
) -> Result<(Vec<T>, Map<String, Value>), ApiError> {
    let size = limit("MaxResults", size)?;
    let skip: usize = match token.filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| invalid("NextToken", "The specified NextToken is not valid."))?,
    };
    let total = rows.len();
    let next = skip.saturating_add(size as usize);
    let rows = rows.into_iter().skip(skip).take(size as usize).collect();
    let mut page = Map::new();
    page.insert("MaxResults".to_owned(), size.into());
    page.insert("TotalCount".to_owned(), total.into());
    if next < total {
        page.insert("NextToken".to_owned(), next.to_string().into());
    }
    Ok((rows, page))
}

/// How many rows a page has.
pub fn limit(name: &str, asked: Option<u32>) -> Result<u32, ApiError> {
    let size = asked.unwrap_or(PAGE.0);
    if size == 0 || size > PAGE.1 {
        return Err(invalid(name, format!("{name} must be between 1 and {}.", PAGE.1)));
    }
    Ok(size)
}

/// Products as people call them.
pub fn product_name(code: &str) -> String {
    match code {
        "" => "",
        "oss" => "Object Storage Service",
        "ecs" => "Elastic Compute Service",
        "rds" => "ApsaraDB RDS",
        "odps" | "maxcompute" => "MaxCompute",
        "cdn" => "CDN",
        "ddoscoo" => "Anti-DDoS Proxy",
        other => other,
    }
    .to_owned()
}

/// `2026-11-22 03:00:00`, as bills write time.
fn spaced(secs: i64) -> String {
    iso(secs).replace('T', " ").trim_end_matches('Z').to_owned()
}
