//! Bills as people and scripts ask for them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::world::{DAY, HOUR, NOVEMBER, World, book, price, sum};

/// Usage over some days: two buckets, a level, a change of prices, something without a price.
async fn used() -> World {
    let world = World::new();
    let mut first = book();
    first.prices[0].unit_size = 7;
    let mut second = first.clone();
    second.prices[0] = price("oss.requests", "PutRequest", 11, 50, &[(Some(400), 13), (None, 5)]);
    world.releases.amend(1, NOVEMBER, first);
    world.releases.amend(1, NOVEMBER + DAY + 5 * HOUR, second);
    for hour in 0..60 {
        world.at(NOVEMBER + hour * HOUR + 17).count("acs:oss:*:1:a", hour * 3 % 17 + 1).await;
        world.at(NOVEMBER + hour * HOUR + 18).count("acs:oss:*:1:b", hour * 5 % 13 + 1).await;
        if hour % 9 == 0 {
            world.at(NOVEMBER + hour * HOUR + 1234).level("acs:oss:*:1:a", hour + 1).await;
            world.meter(1, |meters, account| meters.count(account, "x", "cdn.unpriced", 4)).await;
        }
    }
    world.at(NOVEMBER + 61 * HOUR).rate().await;
    world
}

/// The bill as a script of twenty lines would reckon it: by meter and release, the sum of the usage; the
/// cost of each tier as a fraction; rounded down once.
fn naive(usage: &[Value], books: &[(i64, terms::PriceBook)]) -> i64 {
    let mut used = BTreeMap::<(String, usize), i128>::new();
    for line in usage {
        let hour = base::Time::parse_iso(line["Hour"].as_str().unwrap()).unwrap().secs();
        let book = books.iter().rposition(|(from, _)| *from <= hour).unwrap();
        *used.entry((line["Meter"].as_str().unwrap().to_owned(), book)).or_default() +=
            i128::from(line["Quantity"].as_i64().unwrap());
    }
    let floor = |price: &terms::prices::Price, quantity: i128| {
        let (mut numerator, mut done) = (0_i128, i128::from(price.free));
        for tier in &price.tiers {
            let until = tier.up_to.map_or(quantity, |bound| quantity.min(bound.into()));
            numerator += (until - done).max(0) * i128::from(tier.price);
            done = done.max(until);
        }
        numerator / i128::from(price.unit_size)
    };
    let (mut total, mut before) = (0, BTreeMap::<String, i128>::new());
    for ((meter, book), quantity) in used {
        let from = before.entry(meter.clone()).or_default();
        if let Some(price) = books[book].1.prices.iter().find(|price| price.meter == meter) {
            total += floor(price, *from + quantity) - floor(price, *from);
        }
        *from += quantity;
    }
    i64::try_from(total).unwrap()
}

#[tokio::test]
async fn a_naive_recomputation_from_the_listed_usage_gives_the_bill_to_the_micro_unit() {
    let world = used().await;
    let until = [("Until", "2026-11-03T12:00:00Z")];
    let usage = world.all("ListUsage", ("Items", "Item"), &until).await;
    let account = base::AccountId::new(1);
    let books: Vec<_> = [NOVEMBER, NOVEMBER + DAY + 5 * HOUR]
        .into_iter()
        .map(|from| (from, world.releases.at(account, from).unwrap().terms.price_book.clone()))
        .collect();
    let bill = world.call("GetBill", &[("Month", "2026-11")]).await;
    assert_eq!(bill["BilledUntil"], "2026-11-03T12:00:00Z");
    let wanted = naive(&usage, &books);
    assert!(wanted > 1000);
    assert_eq!(bill["AmountMicro"], wanted);
    assert_eq!(sum(&world.lines("2026-11").await), wanted);
    let tax = (wanted * 11 * 2 + 100).div_euclid(200);
    assert_eq!((&bill["TaxMicro"], &bill["PayableMicro"]), (&json!(tax), &json!(wanted + tax)));
}

#[tokio::test]
async fn however_a_bill_is_grouped_its_groups_add_up_to_it() {
    let world = used().await;
    let bill = world.call("GetBill", &[]).await;
    for (by, groups) in [
        ("", 1),
        ("Product", 2),
        // Requests twice: a unit of the second price book is another.
        ("Item", 4),
        ("Resource", 3),
        ("Day", 3),
        ("Hour", 60),
        ("Resource,Item", 3 + 2 + 1),
        ("Hour,Resource,Product,Item", 60 * 2 + 60 + 7),
    ] {
        let params = [("GroupBy", by), ("MaxResults", "50")];
        let rows = world.all("GetBill", ("Groups", "Group"), &params).await;
        assert_eq!(rows.len(), groups, "{by}");
        assert_eq!(json!(sum(&rows)), bill["AmountMicro"], "{by}");
    }
    let releases = bill["Releases"]["Release"].as_array().unwrap();
    assert_eq!((releases.len(), json!(sum(releases))), (2, bill["AmountMicro"].clone()));
    let item = &world.call("GetBill", &[("GroupBy", "Item")]).await["Groups"]["Group"][3];
    let quantity: i64 = item["Quantity"].as_str().unwrap().parse().unwrap();
    assert_eq!((&item["Item"], &item["Unit"]), (&json!("cdn.unpriced"), &Value::Null));
    assert_eq!((quantity, item["AmountMicro"].as_i64()), (7 * 4, Some(0)));
}

#[tokio::test]
async fn the_open_hours_are_told_beside_the_bill_and_not_in_it() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    world.at(NOVEMBER + 2 * HOUR + 1).count("a", 10).await;
    let bill = world.call("GetBill", &[]).await;
    assert_eq!((&bill["AmountMicro"], &bill["OpenMicro"]), (&json!(120), &json!(30)));
    let open = json!([{ "Hour": "2026-11-01T02:00:00Z", "AmountMicro": 30 }]);
    assert_eq!(bill["OpenHours"]["OpenHour"], open);
    let past = world.call("GetBill", &[("Month", "2026-10")]).await;
    assert_eq!((&past["OpenMicro"], &past["Groups"]["Group"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn lines_are_listed_in_pages_and_by_hour_resource_and_product() {
    let world = used().await;
    let whole = world.lines("2026-11").await;
    let paged = world
        .all("ListBillLines", ("Lines", "Line"), &[("Month", "2026-11"), ("MaxResults", "7")])
        .await;
    assert_eq!(paged, whole);
    for (name, value, lines) in [
        ("Product", "cdn", 7),
        ("Resource", "acs:oss:*:1:b", 60),
        ("From", "2026-11-03T00:00:00Z", 12 * 3 + 1),
        ("Until", "2026-11-01T01:00:00Z", 4),
        ("Month", "2026-10", 0),
    ] {
        let found = world.all("ListBillLines", ("Lines", "Line"), &[(name, value)]).await;
        assert_eq!(found.len(), lines, "{name}={value}");
    }
}

#[tokio::test]
async fn nobody_sees_anothers_bill_and_bad_parameters_are_named() {
    let world = used().await;
    let other = world.try_call(2, "GetBill", &[]).await.unwrap();
    assert_eq!((&other["AmountMicro"], &other["Groups"]["Group"]), (&json!(0), &json!([])));
    assert!(
        world.try_call(2, "ListBillLines", &[]).await.unwrap()["Lines"]["Line"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    for (action, name, value) in [
        ("GetBill", "Month", "November"),
        ("GetBill", "GroupBy", "Tag"),
        ("GetBill", "MaxResults", "0"),
        ("ListBillLines", "From", "yesterday"),
        ("ListBillLines", "NextToken", "zz"),
        ("ExportFocus", "Month", "2026-1"),
    ] {
        let refused = world.try_call(1, action, &[(name, value)]).await.unwrap_err();
        assert!(refused.is(&base::code::INVALID_PARAMETER), "{action} {name}: {refused}");
        assert!(refused.code().ends_with(name), "{action} {name}: {refused}");
    }
    let user = testkit::user(1, "alice");
    for action in ["GetBill", "ListBillLines", "ExportFocus", "ForecastBill", "ListBudgets"] {
        let refused = engine::pipeline::call(&world.cloud, &user, "2026-01-01", action, &[]).await;
        assert_eq!(refused.unwrap_err().code(), "NoPermission", "{action}");
    }
}

#[tokio::test]
async fn the_forecast_keeps_levels_and_carries_counts_on() {
    let world = World::with_prices();
    world.at(NOVEMBER).level("b", 1000).await;
    world.count("a", 110).await;
    world.at(NOVEMBER + 3 * DAY).rate().await;
    let forecast = world.call("ForecastBill", &[]).await;
    let meters = forecast["Meters"]["Meter"].as_array().unwrap();
    let of = |at: usize| {
        let text = |name: &str| meters[at][name].as_str().unwrap().to_owned();
        let amounts =
            ["AmountMicro", "ForecastMicro"].map(|name| meters[at][name].as_i64().unwrap());
        (text("Kind"), text("Quantity"), text("ForecastQuantity"), amounts)
    };
    // A tenth of the month: 110 requests are on the way to 1,100.
    let requests = ("Count".into(), "110".into(), "1100".into(), [290, 270 + 1000 * 2]);
    assert_eq!(of(0), requests);
    let (so_far, whole) = (1000 * 3 * DAY, 1000 * 30 * DAY);
    let storage = (
        "Level".into(),
        so_far.to_string(),
        whole.to_string(),
        [so_far * 7 / 1000, whole * 7 / 1000],
    );
    assert_eq!(of(1), storage);
    let total = 2270 + whole * 7 / 1000;
    assert_eq!(forecast["ForecastMicro"], total);
    assert_eq!(forecast["AmountMicro"], 290 + so_far * 7 / 1000);
    assert_eq!(forecast["ForecastTaxMicro"], (total * 22 + 100) / 200);
    assert!(forecast["Method"]["English"].as_str().unwrap().contains("average rate"));
}
