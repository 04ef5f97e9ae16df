//! Bills and prices as clients of `bssopenapi` see them.

use serde_json::{Value, json};

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World};

const MONTH: (&str, &str) = ("BillingCycle", "2026-11");

/// Two buckets on two days: 470 for requests, 126 for storage; 596 and 65.56 of tax, so 66.
async fn used() -> World {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("acs:oss:*:1:a", 150).await;
    world.at(NOVEMBER + DAY).count("acs:oss:*:1:b", 50).await;
    world.level("acs:oss:*:1:b", 5).await;
    world.at(NOVEMBER + DAY + HOUR).level("acs:oss:*:1:b", -5).await;
    world.meter(1, |meters, account| meters.count(account, "z", "cdn.bytes", 1)).await;
    world.at(NOVEMBER + 2 * DAY).rate().await;
    world
}

async fn items(world: &World, action: &str, params: &[(&str, &str)]) -> Vec<Value> {
    let mut all = vec![MONTH];
    all.extend(params);
    let answer = world.call(action, &all).await;
    assert_eq!(
        [&answer["Code"], &answer["Message"], &answer["Success"]],
        [&json!("Success"), &json!("Successful!"), &json!(true)]
    );
    assert_eq!(answer["Data"]["BillingCycle"], "2026-11");
    assert_eq!(answer["Data"]["AccountID"], "0000000000000001");
    let items = &answer["Data"]["Items"];
    items.as_array().or(items["Item"].as_array()).unwrap().clone()
}

/// Numbers of a column, in millionths: they are short enough for doubles.
fn micros(rows: &[Value], name: &str) -> Vec<i64> {
    rows.iter().map(|row| (row[name].as_f64().unwrap() * 1e6).round() as i64).collect()
}

#[tokio::test]
async fn a_bill_is_told_by_product_and_by_item_with_taxes_that_add_up() {
    let world = used().await;
    let items_ = items(&world, "QueryBill", &[]).await;
    assert_eq!(micros(&items_, "PretaxAmount"), [0, 470, 126]);
    assert_eq!(micros(&items_, "Tax"), [0, 52, 14], "of 65.56 in all");
    assert_eq!(micros(&items_, "AfterTaxAmount"), [0, 522, 140]);
    let put = &items_[1];
    assert_eq!(
        [
            &put["ProductCode"],
            &put["ProductName"],
            &put["SubscriptionType"],
            &put["Currency"],
            &put["Status"]
        ],
        ["oss", "Object Storage Service", "PayAsYouGo", "IDR", "NoSettle"]
    );
    assert_eq!(put["UsageStartTime"], "2026-11-01 00:00:00");
    assert_eq!(put["UsageEndTime"], "2026-11-02 01:00:00");
    let products = items(&world, "QueryBillOverview", &[]).await;
    assert_eq!(micros(&products, "PretaxAmount"), [0, 596]);
    assert_eq!(micros(&products, "Tax"), [0, 66]);
    let costly = [("IsHideZeroCharge", "True"), ("ProductCode", "OSS")];
    assert_eq!(items(&world, "QueryBill", &costly).await.len(), 2);
    assert!(items(&world, "QueryBill", &[("SubscriptionType", "Subscription")]).await.is_empty());
    assert_eq!(items(&world, "QuerySettleBill", &[]).await.len(), 3);
}

#[tokio::test]
async fn a_payment_is_seen_on_the_rows_that_it_settles() {
    let world = used().await;
    world.at(DECEMBER + 3 * DAY).rate().await;
    assert_eq!(items(&world, "QueryBill", &[]).await[1]["Status"], "UnPay");
    let params = [("AccountId", "1"), ("Reference", "bank"), ("Amount", "0.0006")];
    world.try_call(9, "RecordPayment", &params).await.unwrap();
    let rows = items(&world, "QueryBill", &[]).await;
    assert_eq!(micros(&rows, "PaymentAmount"), [0, 522, 78]);
    assert_eq!(micros(&rows, "OutstandingAmount"), [0, 0, 62]);
    assert_eq!([&rows[1]["Status"], &rows[2]["Status"]], ["PayFinish", "UnPay"]);
}

#[tokio::test]
async fn a_bill_is_told_by_account_and_day() {
    let world = used().await;
    let whole = items(&world, "QueryAccountBill", &[]).await;
    assert_eq!(micros(&whole, "PretaxAmount"), [596]);
    let daily = items(&world, "QueryAccountBill", &[("Granularity", "DAILY")]).await;
    let days: Vec<_> = daily.iter().map(|row| row["BillingDate"].as_str().unwrap()).collect();
    assert_eq!(
        (days, micros(&daily, "PretaxAmount")),
        (vec!["2026-11-01", "2026-11-02"], vec![370, 226])
    );
    let one =
        [("Granularity", "DAILY"), ("BillingDate", "2026-11-02"), ("IsGroupByProduct", "true")];
    let one = items(&world, "QueryAccountBill", &one).await;
    assert_eq!(micros(&one, "PretaxAmount"), [0, 226]);
}

#[tokio::test]
async fn a_bill_is_told_by_instance_and_billing_item() {
    let world = used().await;
    let instances = items(&world, "QueryInstanceBill", &[]).await;
    assert_eq!(micros(&instances, "PretaxAmount"), [0, 370, 226]);
    let split = items(&world, "DescribeInstanceBill", &[("IsBillingItem", "true")]).await;
    let told: Vec<_> = split
        .iter()
        .map(|row| (row["NickName"].as_str().unwrap(), row["BillingItemCode"].as_str().unwrap()))
        .collect();
    // In order of product, item and resource.
    assert_eq!(
        told,
        [("z", "cdn.bytes"), ("a", "PutRequest"), ("b", "PutRequest"), ("b", "Storage")]
    );
    let storage = &split[3];
    assert_eq!([&storage["Usage"], &storage["UsageUnit"]], ["18", "GB-hour"]);
    assert_eq!([&storage["ListPrice"], &storage["ListPriceUnit"]], ["0.000007", "IDR/GB-hour"]);
    assert_eq!([&storage["InstanceID"], &storage["Region"]], ["acs:oss:*:1:b", "ap-southeast-5"]);
    let one =
        [("InstanceID", "acs:oss:*:1:b"), ("IsBillingItem", "true"), ("Granularity", "DAILY")];
    assert_eq!(items(&world, "DescribeInstanceBill", &one).await.len(), 2);
}

#[tokio::test]
async fn pages_by_number_and_by_token_together_are_the_whole() {
    let world = used().await;
    let whole = items(&world, "DescribeInstanceBill", &[("IsBillingItem", "true")]).await;
    for action in ["DescribeInstanceBill", "QuerySettleBill"] {
        let whole = items(&world, action, &[("IsBillingItem", "true")]).await;
        let (mut paged, mut token) = (Vec::new(), String::new());
        loop {
            let params =
                [MONTH, ("IsBillingItem", "true"), ("MaxResults", "3"), ("NextToken", &token)];
            let page = world.call(action, &params).await;
            assert_eq!(page["Data"]["TotalCount"], whole.len());
            let rows = &page["Data"]["Items"];
            paged.extend(rows.as_array().or(rows["Item"].as_array()).unwrap().clone());
            match page["Data"]["NextToken"].as_str() {
                Some(next) => token = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{action}");
    }
    let mut paged = Vec::new();
    for number in ["1", "2", "3"] {
        let params = [("IsBillingItem", "true"), ("PageNum", number), ("PageSize", "2")];
        paged.extend(items(&world, "QueryInstanceBill", &params).await);
    }
    let same =
        |rows: &[Value]| rows.iter().map(|row| row["InstanceID"].clone()).collect::<Vec<_>>();
    assert_eq!(same(&paged), same(&whole));
}

#[tokio::test]
async fn bad_parameters_and_other_accounts_are_refused() {
    let world = used().await;
    let missing = world.try_call(1, "QueryBill", &[]).await.unwrap_err();
    assert_eq!(missing.code(), "MissingParameter.BillingCycle");
    for (name, value) in [
        ("BillingCycle", "11/2026"),
        ("Granularity", "HOURLY"),
        ("BillingDate", "today"),
        ("PageSize", "301"),
        ("BillOwnerId", "2"),
    ] {
        let params = [MONTH, (name, value)];
        let params: &[_] = if name == "BillingCycle" { &params[1..] } else { &params };
        let refused = world.try_call(1, "QueryAccountBill", params).await.unwrap_err();
        assert!(refused.is(&base::code::INVALID_PARAMETER), "{name}: {refused}");
    }
    let others = world.try_call(2, "QueryBill", &[MONTH]).await.unwrap();
    assert_eq!(others["Data"]["TotalCount"], 0);
    let user = testkit::user(1, "alice");
    for action in [
        "QueryAccountBalance",
        "QueryAccountTransactions",
        "QueryAccountTransactionDetails",
        "QueryAvailableInstances",
        "QueryProductList",
    ] {
        let refused = engine::pipeline::call(&world.cloud, &user, "2017-12-14", action, &[]).await;
        assert_eq!(refused.unwrap_err().code(), "NoPermission", "{action}");
    }
}

#[tokio::test]
async fn a_client_that_looks_for_subscriptions_finds_an_empty_list() {
    let world = used().await;
    // Terraform's first call.
    let params = [
        ("PageSize", "50"),
        ("PageNum", "1"),
        ("ProductCode", "vipcloudfw"),
        ("ProductType", "vipcloudfw"),
        ("SubscriptionType", "Subscription"),
    ];
    let answer = world.call("QueryAvailableInstances", &params).await;
    let data = json!({ "TotalCount": 0, "PageNum": 1, "PageSize": 50, "InstanceList": [] });
    assert_eq!(answer["Data"], data);
    assert!(!answer.to_string().contains("NotApplicable"));
}

#[tokio::test]
async fn what_there_is_is_told_as_instances() {
    let world = used().await;
    world.at(NOVEMBER + 2 * DAY).level("acs:oss:*:1:a", 1).await;
    let answer = world.call("QueryAvailableInstances", &[("ProductCode", "oss")]).await;
    let list = answer["Data"]["InstanceList"].as_array().unwrap();
    assert_eq!(list.len(), 1, "b is empty again");
    assert_eq!(
        [
            &list[0]["InstanceID"],
            &list[0]["Status"],
            &list[0]["SubscriptionType"],
            &list[0]["CreateTime"]
        ],
        ["acs:oss:*:1:a", "Normal", "PayAsYouGo", "2026-11-01T00:00:00Z"]
    );
    for (name, value, count) in [
        ("InstanceIDs", "x,acs:oss:*:1:a", 1),
        ("InstanceIDs", "x", 0),
        ("Region", "ap-southeast-1", 0),
        ("CreateTimeStart", "2026-11-01T00:00:01Z", 0),
    ] {
        let answer = world.call("QueryAvailableInstances", &[(name, value)]).await;
        assert_eq!(answer["Data"]["TotalCount"], count, "{name}={value}");
    }
}

#[tokio::test]
async fn prices_are_those_of_the_accounts_own_agreement() {
    let world = used().await;
    let modules = world.call("DescribePricingModule", &[("ProductCode", "oss")]).await;
    let list = modules["Data"]["ModuleList"]["Module"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!([&list[0]["ModuleCode"], &list[0]["PriceType"]], ["PutRequest", "Usage"]);
    let attribute = &modules["Data"]["AttributeList"]["Attribute"][0];
    let tiers: Vec<_> = attribute["Values"]["AttributeValue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tier| [tier["Name"].as_str().unwrap(), tier["Value"].as_str().unwrap()])
        .collect();
    assert_eq!(tiers, [["10", "0"], ["100", "0.000003"], ["+", "0.000002"]]);
    let products = world.call("QueryProductList", &[]).await;
    assert_eq!(products["Data"]["ProductList"]["Product"][0]["ProductCode"], "oss");
    assert_eq!(products["Data"]["TotalCount"], 1);
    let none = world.try_call(2, "QueryProductList", &[]).await.unwrap();
    assert_eq!(none["Data"]["TotalCount"], 0);
}

#[tokio::test]
async fn a_quantity_has_its_price() {
    let world = used().await;
    let ask = |code: &'static str, config: &'static str, kind: &'static str| {
        let world = &world;
        async move {
            let params = [
                ("ProductCode", "oss"),
                ("SubscriptionType", "PayAsYouGo"),
                ("ModuleList.1.ModuleCode", code),
                ("ModuleList.1.Config", config),
                ("ModuleList.1.PriceType", kind),
            ];
            world.try_call(1, "GetPayAsYouGoPrice", &params).await
        }
    };
    let price = ask("PutRequest", "Usage:150", "Usage").await.unwrap();
    let detail = [price["Data"]["ModuleDetails"]["ModuleDetail"][0].clone()];
    assert_eq!(price["Data"]["Currency"], "IDR");
    // From behind what is free: 90 × 3 + 60 × 2; with it: 90 × 3 + 50 × 2.
    assert_eq!(micros(&detail, "OriginalCost"), [390]);
    assert_eq!(micros(&detail, "CostAfterDiscount"), [370]);
    assert_eq!(micros(&detail, "InvoiceDiscount"), [20]);
    assert_eq!(micros(&detail, "UnitPrice"), [3]);
    let hour = ask("oss.storage", "Storage:2.5", "Hour").await.unwrap();
    assert_eq!(
        micros(&[hour["Data"]["ModuleDetails"]["ModuleDetail"][0].clone()], "OriginalCost"),
        [17]
    );
    for (code, config, kind, wanted) in [
        ("Unknown", "Usage:1", "Usage", "PricingModuleNotFound"),
        ("PutRequest", "Usage:1", "Hour", "InvalidParameter.ModuleList.PriceType"),
        ("PutRequest", "Usage:1x", "Usage", "InvalidParameter.ModuleList.Config"),
        ("PutRequest", "Usage:1", "Year", "InvalidParameter.ModuleList.PriceType"),
    ] {
        assert_eq!(ask(code, config, kind).await.unwrap_err().code(), wanted);
    }
}
