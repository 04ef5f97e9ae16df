//! bssopenapi 2017-12-14 prices: `GetPayAsYouGoPrice`, `DescribePricingModule`, `QueryProductList`. They
//! are those of the price book of the account's own agreement; without one there are none.

use std::sync::Arc;

use base::{ApiError, Code};
use engine::{Action, Cx, Meta};
use serde::Deserialize;
use serde_json::{Value, json};
use terms::InForce;
use terms::prices::{Price, PriceBook};

use super::bss_read;
use crate::bss;
use crate::money::{decimal, number, parse, ratio};
use crate::request::invalid;

const NO_PRICE: Code =
    Code::new("PricingModuleNotFound", 404, "The agreement of this account has no such price.");

/// Modules in one request.
const MODULES_MAX: usize = 50;

fn book(cx: &mut Cx<'_>) -> Result<Option<Arc<InForce>>, ApiError> {
    let account = bss::authorize(cx)?;
    let (covenant, now) = (cx.cloud.covenant.clone(), cx.now);
    covenant.in_force(cx.tx(), account, now)
}

/// What something would cost.
pub struct GetPayAsYouGoPrice;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct PriceRequest {
    product_code: String,
    module_list: Vec<Module>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Module {
    /// The billing item, as `Storage`, or the meter, as `oss.storage`.
    module_code: String,
    /// How much, in the unit of the price: `Usage:100`; one unit where there is no number.
    config: Option<String>,
    /// `Usage`, or `Hour` for what is priced by time.
    price_type: Option<String>,
}

impl Action for GetPayAsYouGoPrice {
    const META: Meta = bss_read("GetPayAsYouGoPrice");
    type Request = PriceRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: PriceRequest) -> Result<Value, ApiError> {
        if request.module_list.is_empty() || request.module_list.len() > MODULES_MAX {
            let message = format!("There must be 1 to {MODULES_MAX} modules.");
            return Err(invalid("ModuleList", message));
        }
        let in_force = book(cx)?.ok_or_else(|| ApiError::new(&NO_PRICE))?;
        let book = &in_force.terms.price_book;
        let mut details = Vec::new();
        for module in &request.module_list {
            let price = find(book, &request.product_code, &module.module_code)
                .ok_or_else(|| ApiError::new(&NO_PRICE))?;
            details.push(quote(price, module)?);
        }
        Ok(bss::success(json!({
            "Currency": book.currency,
            "ModuleDetails": { "ModuleDetail": details },
            "PromotionDetails": { "PromotionDetail": [] },
        })))
    }
}

fn find<'b>(book: &'b PriceBook, product: &str, module: &str) -> Option<&'b Price> {
    book.prices.iter().find(|price| {
        price.product.eq_ignore_ascii_case(product) && (price.id == module || price.meter == module)
    })
}

/// The price of a quantity at the beginning of a month; what is free is the discount.
fn quote(price: &Price, module: &Module) -> Result<Value, ApiError> {
    let text = module.config.as_deref().unwrap_or_default();
    let digits = text.rsplit(':').next().unwrap_or_default().trim();
    let millionths = if digits.starts_with(|first: char| first.is_ascii_digit()) {
        parse(digits).ok_or_else(|| {
            invalid("ModuleList.Config", "Config must end in a number, as Usage:100.")
        })?
    } else {
        1_000_000
    };
    let hours = match module.price_type.as_deref().unwrap_or("Usage") {
        "Hour" if price.unit.ends_with("-month") => 720,
        "Hour" if !price.unit.ends_with("-hour") => {
            let message = "This price is not by time: PriceType must be Usage.";
            return Err(invalid("ModuleList.PriceType", message));
        }
        "Usage" | "Hour" => 1,
        _ => return Err(invalid("ModuleList.PriceType", "PriceType must be Usage or Hour.")),
    };
    let quantity =
        i128::from(millionths) * i128::from(price.unit_size) / 1_000_000 / i128::from(hours);
    let charged = price.cost(0, quantity);
    let free = i128::from(price.free);
    let original = price.cost(free, free.saturating_add(quantity));
    Ok(json!({
        "ModuleCode": module.module_code,
        "UnitPrice": number(price.tiers.first().map_or(0, |tier| tier.price)),
        "OriginalCost": number(original),
        "CostAfterDiscount": number(charged),
        "InvoiceDiscount": number(original - charged),
    }))
}

/// What a product is priced by.
pub struct DescribePricingModule;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModuleRequest {
    product_code: String,
    subscription_type: Option<String>,
}

impl Action for DescribePricingModule {
    const META: Meta = bss_read("DescribePricingModule");
    type Request = ModuleRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: ModuleRequest) -> Result<Value, ApiError> {
        let in_force = book(cx)?;
        let subscription = request.subscription_type.as_deref() == Some("Subscription");
        let book = in_force.as_deref().filter(|_| !subscription).map(|it| &it.terms.price_book);
        let prices: Vec<(&PriceBook, &Price)> = book
            .iter()
            .flat_map(|book| book.prices.iter().map(move |price| (*book, price)))
            .filter(|(_, price)| price.product.eq_ignore_ascii_case(&request.product_code))
            .collect();
        let module = |(book, price): &(&PriceBook, &Price)| {
            json!({
                "ModuleCode": price.id, "ModuleName": price.name.en, "PriceType": "Usage",
                "Currency": book.currency, "ConfigList": { "ConfigList": [price.id] },
            })
        };
        Ok(bss::success(json!({
            "ModuleList": { "Module": prices.iter().map(module).collect::<Vec<_>>() },
            "AttributeList": {
                "Attribute": prices.iter().map(|(_, price)| attribute(price)).collect::<Vec<_>>(),
            },
        })))
    }
}

/// The tiers of a price, each up to so many units in a month.
fn attribute(price: &Price) -> Value {
    let size = i128::from(price.unit_size);
    let tier = |tier: &terms::prices::Tier| {
        let bound = tier.up_to.map_or_else(|| "+".to_owned(), |b| ratio(b.into(), size, 6));
        json!({
            "Name": bound, "Value": decimal(tier.price), "Type": "single_float",
            "Remark": if price.assumption { "assumption" } else { "" },
        })
    };
    let free = json!({
        "Name": ratio(price.free.into(), size, 6), "Value": "0", "Type": "single_float",
        "Remark": "free",
    });
    let free = (price.free > 0).then_some(free);
    let values: Vec<Value> = free.into_iter().chain(price.tiers.iter().map(tier)).collect();
    json!({
        "Code": price.id, "Name": price.name.en, "Unit": price.unit,
        "Values": { "AttributeValue": values },
    })
}

/// What can be bought.
pub struct QueryProductList;

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct ListRequest {
    page_num: Option<u32>,
    page_size: Option<u32>,
}

impl Action for QueryProductList {
    const META: Meta = bss_read("QueryProductList");
    type Request = ListRequest;
    type Response = Value;

    fn run(cx: &mut Cx<'_>, request: ListRequest) -> Result<Value, ApiError> {
        let in_force = book(cx)?;
        let prices = in_force.iter().flat_map(|it| &it.terms.price_book.prices);
        let mut products: Vec<&str> = prices.map(|price| price.product.as_str()).collect();
        products.sort_unstable();
        products.dedup();
        let row = |code: &&str| {
            json!({
                "ProductCode": code, "ProductName": bss::product_name(code), "ProductType": "",
                "SubscriptionType": "PayAsYouGo",
            })
        };
        let rows: Vec<Value> = products.iter().map(row).collect();
        let (rows, mut data) = bss::page_by_number(rows, request.page_num, request.page_size)?;
        data.insert("ProductList".to_owned(), json!({ "Product": rows }));
        Ok(bss::success(Value::Object(data)))
    }
}
