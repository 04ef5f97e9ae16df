//! The FOCUS 1.2 export.

use std::collections::BTreeMap;

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World, book};

/// The whole file, from all pages.
async fn export(world: &World, month: &str, page: &str) -> String {
    let (mut csv, mut token) = (String::new(), String::new());
    loop {
        let params = [("Month", month), ("MaxResults", page), ("NextToken", &token)];
        let answer = world.call("ExportFocus", &params).await;
        csv.push_str(answer["Csv"].as_str().unwrap());
        match answer["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => return csv,
        }
    }
}

/// Rows by column. No field of these files holds a comma.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = lines.next().unwrap();
    lines
        .map(|fields| {
            assert_eq!(fields.len(), names.len());
            names.iter().cloned().zip(fields).collect()
        })
        .collect()
}

/// Two months: two tiers and a free part, a level, a correction and a bill that is final.
async fn used() -> World {
    let world = World::new();
    let mut book = book();
    book.prices[0].unit = "10,000 requests".into();
    book.prices[1].unit = "GB-month".into();
    world.releases.amend(1, NOVEMBER, book);
    world.at(NOVEMBER + 60).count("acs:oss:*:1:a", 150).await;
    world.at(NOVEMBER + DAY).level("acs:oss:*:1:b", 5_000).await;
    world.meter(1, |meters, account| meters.count(account, "z", "cdn.bytes", 1)).await;
    world.at(NOVEMBER + DAY + HOUR).level("acs:oss:*:1:b", -5_000).await;
    world.at(DECEMBER + 3 * DAY).rate().await;
    let late = [
        ("Events.1.Id", "late"),
        ("Events.1.AccountId", "1"),
        ("Events.1.Resource", "acs:oss:*:1:a"),
        ("Events.1.Meter", "oss.requests"),
        ("Events.1.Start", "2026-11-20T05:00:00Z"),
        ("Events.1.Quantity", "60"),
    ];
    world.try_call(9, "RecordUsage", &late).await.unwrap();
    world.rate().await;
    world
}

#[tokio::test]
async fn the_rows_of_an_invoice_add_up_to_what_is_payable() {
    let world = used().await;
    for month in ["2026-11", "2026-12"] {
        let bill = world.call("GetBill", &[("Month", month)]).await;
        let csv = export(&world, month, "20000").await;
        assert_eq!(export(&world, month, "1").await, csv, "pages are the file");
        let rows = rows(&csv);
        let cost: f64 = rows.iter().map(|row| row["BilledCost"].parse::<f64>().unwrap()).sum();
        assert_eq!((cost * 1e6).round() as i64, bill["PayableMicro"].as_i64().unwrap(), "{month}");
        let wanted = bill["InvoiceId"].as_str().map(|id| format!("INV-{id}")).unwrap_or_default();
        assert!(rows.iter().all(|row| row["InvoiceId"] == wanted), "{month}");
    }
}

#[tokio::test]
async fn each_price_has_its_row_and_the_tax_its_own() {
    let world = used().await;
    let rows = rows(&export(&world, "2026-11", "20000").await);
    assert_eq!(rows[0].len(), 57);
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            ["ChargeCategory", "PricingQuantity", "ListUnitPrice", "BilledCost"]
                .map(|name| row[name].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            ["Usage", "10.0", "0.0", "0.0"],
            ["Usage", "90.0", "0.000003", "0.00027"],
            ["Usage", "50.0", "0.000002", "0.0001"],
            ["Usage", "18000.0", "0.000007", "0.126"],
            ["Usage", "1.0", "0.0", "0.0"],
            ["Tax", "", "", "0.013901"],
        ]
    );
    assert!(rows.iter().all(|row| row["ChargeClass"].is_empty()));
    assert_eq!(rows[1]["PricingUnit"], "10000 Requests");
    assert_eq!(rows[3]["PricingUnit"], "GB-Months");
    assert_eq!(rows[3]["ServiceCategory"], "Storage");
    assert_eq!(rows[3]["ChargePeriodStart"], "2026-11-02T00:00:00Z");
}

#[tokio::test]
async fn a_correction_of_an_invoiced_month_says_so() {
    let world = used().await;
    let rows = rows(&export(&world, "2026-12", "20000").await);
    let late = &rows[0];
    assert_eq!(
        ["ChargeClass", "ChargePeriodStart", "BillingPeriodStart", "BilledCost"]
            .map(|name| late[name].as_str()),
        ["Correction", "2026-11-20T05:00:00Z", "2026-12-01T00:00:00Z", "0.00012"]
    );
}
