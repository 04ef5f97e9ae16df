//! The daily commitment to usage and bill.

use base::AccountId;
use engine::audit;
use serde_json::Value;
use terms::prices::{BillLine, UsageLine, bill_digest, usage_digest};

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World, book, sum};

/// The details of all commitments, oldest first, and what their leaves say in clear.
async fn commitments(world: &World) -> Vec<(Value, Value)> {
    let entries = world.read(|tx| audit::list(tx, AccountId::new(1), i64::MAX, 1000)).await;
    let mine = entries.into_iter().rev().filter(|entry| entry.action == "CommitUsage");
    mine.map(|entry| {
        let leaf: Value = serde_json::from_slice(&entry.leaf()).unwrap();
        assert_eq!(leaf["action"], "awan:CommitUsage");
        (serde_json::from_str(&entry.detail).unwrap(), leaf["public"].clone())
    })
    .collect()
}

/// What a tenant reckons from what it can list.
async fn recomputed(
    world: &World,
    from: &str,
    until: &str,
    months: &[&str],
) -> (String, String, i64) {
    let span = [("From", from), ("Until", until)];
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let number = |row: &Value, name: &str| row[name].as_i64().unwrap().to_string();
    let usage = world.all("ListUsage", ("Items", "Item"), &span).await;
    let usage_line = |row: &Value| UsageLine {
        resource: text(row, "Resource"),
        meter: text(row, "Meter"),
        hour: text(row, "Hour"),
        quantity: number(row, "Quantity"),
    };
    let mut lines = Vec::new();
    for month in months {
        let params = [("Month", *month), ("From", from), ("Until", until)];
        lines.extend(world.all("ListBillLines", ("Lines", "Line"), &params).await);
    }
    let bill_line = |row: &Value| BillLine {
        resource: text(row, "Resource"),
        meter: text(row, "Meter"),
        hour: text(row, "Hour"),
        revision: number(row, "Revision"),
        ocid: text(row, "Ocid"),
        release: text(row, "ReleaseId"),
        quantity: number(row, "Quantity"),
        amount: number(row, "AmountMicro"),
        currency: text(row, "Currency"),
    };
    let digests = (usage.iter().map(usage_line).collect(), lines.iter().map(bill_line).collect());
    (usage_digest(digests.0), bill_digest(digests.1), sum(&lines))
}

#[tokio::test]
async fn a_day_is_committed_to_once_when_it_is_whole_and_the_tenant_can_recompute_it() {
    let world = World::with_prices();
    world.at(NOVEMBER + HOUR).level("b", 10).await;
    world.at(NOVEMBER + DAY - 5).count("a", 33).await;
    world.at(NOVEMBER + DAY + 299).rate().await;
    assert_eq!(commitments(&world).await, [], "the last hour is open");
    world.at(NOVEMBER + DAY + 300).rate().await;
    world.rate().await;
    let all = commitments(&world).await;
    assert_eq!(all.len(), 1);
    let (detail, public) = &all[0];
    assert_eq!(*public, serde_json::json!({ "tenant": "0000000000000001", "day": "2026-11-01" }));
    let (usage, bill, amount) =
        recomputed(&world, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", &["2026-11"]).await;
    assert_eq!(
        *detail,
        serde_json::json!({
            "day": "2026-11-01", "revision": "1", "usage": usage, "bill": bill,
            "amount": amount.to_string(), "currency": "IDR", "release": "release-1",
        })
    );
    assert!(amount > 0);
}

#[tokio::test]
async fn what_is_late_is_committed_to_anew() {
    let mut world = World::with_prices();
    world.releases.amend(1, NOVEMBER + 12 * HOUR, book());
    world.at(NOVEMBER + HOUR).count("a", 33).await;
    world.at(NOVEMBER + 13 * HOUR).count("a", 33).await;
    world.at(DECEMBER + 3 * DAY).rate().await;
    let params = [
        ("Events.1.Id", "late"),
        ("Events.1.AccountId", "1"),
        ("Events.1.Resource", "a"),
        ("Events.1.Meter", "oss.requests"),
        ("Events.1.Start", "2026-11-01T05:00:00Z"),
        ("Events.1.Quantity", "60"),
    ];
    world.try_call(9, "RecordUsage", &params).await.unwrap();
    world.restart();
    world.rate().await;
    let all = commitments(&world).await;
    let revisions: Vec<_> = all.iter().map(|(detail, _)| detail["revision"].clone()).collect();
    assert_eq!(revisions, ["1", "2"]);
    assert_eq!(all[0].1, all[1].1, "the same tenant and day");
    let months = ["2026-11", "2026-12"];
    let (usage, bill, amount) =
        recomputed(&world, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", &months).await;
    assert_eq!(
        [&all[1].0["usage"], &all[1].0["bill"], &all[1].0["amount"]],
        [&usage, &bill, &amount.to_string()]
    );
    assert_ne!(all[0].0["bill"], all[1].0["bill"]);
    assert_eq!(all[1].0["release"], "release-1,release-2");
}

#[tokio::test]
async fn a_final_bill_is_recorded_with_its_sums() {
    let world = World::with_prices();
    world.at(NOVEMBER + HOUR).count("a", 110).await;
    world.at(DECEMBER + 3 * DAY).rate().await;
    world.rate().await;
    let entries = world.read(|tx| audit::list(tx, AccountId::new(1), i64::MAX, 1000)).await;
    let closed: Vec<_> = entries.iter().filter(|entry| entry.action == "CloseBill").collect();
    assert_eq!(closed.len(), 1);
    assert_eq!(closed[0].detail, r#"{"currency":"IDR","amount":"290","tax":"32"}"#);
    assert_eq!(closed[0].public, r#"{"tenant":"0000000000000001","month":"2026-11"}"#);
}
