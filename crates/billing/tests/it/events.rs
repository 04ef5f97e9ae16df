//! Meters outside of the cloud.

use base::ApiError;
use serde_json::Value;

use crate::world::{DAY, HOUR, NOVEMBER, World, sum};

const EVENT: [(&str, &str); 6] = [
    ("Events.1.Id", "dpi-42/2026-11-01T00"),
    ("Events.1.AccountId", "1"),
    ("Events.1.Resource", "line-42"),
    ("Events.1.Meter", "oss.requests"),
    ("Events.1.Start", "2026-11-01T00:10:00Z"),
    ("Events.1.Quantity", "25"),
];

/// The event with one parameter changed.
async fn send(world: &World, account: u64, name: &str, value: &str) -> Result<Value, ApiError> {
    let change = |(known, before)| if known == name { (known, value) } else { (known, before) };
    world.try_call(account, "RecordUsage", &EVENT.map(change)).await
}

#[tokio::test]
async fn an_event_counts_once_however_often_it_is_sent() {
    let world = World::with_prices();
    world.at(NOVEMBER + 900);
    for (at, (recorded, known)) in [(1, 0), (0, 1), (0, 1)].into_iter().enumerate() {
        let answer = send(&world, 9, "", "").await.unwrap();
        assert_eq!(
            (&answer["Recorded"], &answer["Known"]),
            (&recorded.into(), &known.into()),
            "{at}"
        );
    }
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    let again = send(&world, 9, "", "").await.unwrap();
    assert_eq!(again["Known"], 1);
    world.rate().await;
    let lines = world.lines("2026-11").await;
    assert_eq!((lines.len(), sum(&lines)), (1, 45));
}

#[tokio::test]
async fn the_same_id_with_other_contents_is_refused_and_recorded() {
    let world = World::with_prices();
    world.at(NOVEMBER + 900);
    send(&world, 9, "", "").await.unwrap();
    for (name, value) in [
        ("Events.1.AccountId", "2"),
        ("Events.1.Resource", "line-43"),
        ("Events.1.Meter", "oss.other"),
        ("Events.1.Start", "2026-11-01T00:11:00Z"),
        ("Events.1.Quantity", "26"),
    ] {
        let refused = send(&world, 9, name, value).await.unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("UsageEventReused", 409), "{name}");
    }
    let audited = world.number(
        "SELECT COUNT(*) FROM audit WHERE action = 'RecordUsage' AND outcome = 'UsageEventReused'",
    );
    assert_eq!(audited.await, 5);
    assert_eq!(world.number("SELECT SUM(quantity) FROM usage_count").await, 25);
}

#[tokio::test]
async fn a_meter_whose_clock_is_wrong_is_refused() {
    let world = World::with_prices();
    world.at(NOVEMBER + 900);
    let ahead = send(&world, 9, "Events.1.Start", "2026-11-01T00:20:01Z").await.unwrap_err();
    assert_eq!(ahead.code(), "UsageEventInFuture");
    let late = send(&world, 9, "Events.1.Start", "2025-10-30T00:00:00Z").await.unwrap_err();
    assert_eq!(late.code(), "UsageEventTooLate");
    send(&world, 9, "Events.1.Start", "2026-11-01T00:20:00Z").await.unwrap();
    // A repeat is known, also when our clock was set back since.
    world.at(NOVEMBER);
    let again = send(&world, 9, "Events.1.Start", "2026-11-01T00:20:00Z").await.unwrap();
    assert_eq!(again["Known"], 1);
}

#[tokio::test]
async fn only_the_operator_records_usage_and_only_what_is_usage() {
    let world = World::with_prices();
    world.at(NOVEMBER + 900);
    assert_eq!(send(&world, 1, "", "").await.unwrap_err().code(), "NoPermission");
    for (name, value) in [
        ("Events.1.Id", ""),
        ("Events.1.Id", "a\u{1}b"),
        ("Events.1.Quantity", "0"),
        ("Events.1.Quantity", "-5"),
        ("Events.1.Start", "today"),
        ("Events.1.Meter", ""),
    ] {
        let refused = send(&world, 9, name, value).await.unwrap_err();
        assert!(refused.is(&base::code::INVALID_PARAMETER), "{name}={value:?}: {refused}");
    }
    let none = world.try_call(9, "RecordUsage", &[("Events", "[]")]).await.unwrap_err();
    assert!(none.is(&base::code::INVALID_PARAMETER));
    assert_eq!(world.number("SELECT COUNT(*) FROM usage_event").await, 0);
}

#[tokio::test]
async fn one_refused_event_keeps_the_others_of_its_request_out() {
    let world = World::with_prices();
    world.at(NOVEMBER + 900);
    let events = r#"[
        {"Id": "1", "AccountId": "1", "Resource": "r", "Meter": "m", "Start": "2026-11-01T00:00:00Z", "Quantity": "1"},
        {"Id": "2", "AccountId": "1", "Resource": "r", "Meter": "m", "Start": "2027-11-01T00:00:00Z", "Quantity": "1"}]"#;
    let refused = world.try_call(9, "RecordUsage", &[("Events", events)]).await.unwrap_err();
    assert_eq!(refused.code(), "UsageEventInFuture");
    assert_eq!(world.number("SELECT COUNT(*) FROM usage_count").await, 0);
}

#[tokio::test]
async fn an_event_before_anything_that_was_billed_is_billed_too() {
    let world = World::with_prices();
    world.at(NOVEMBER + 3 * DAY).count("a", 20).await;
    world.at(NOVEMBER + 3 * DAY + 2 * HOUR).rate().await;
    send(&world, 9, "", "").await.unwrap();
    world.rate().await;
    assert_eq!(sum(&world.lines("2026-11").await), 35 * 3);
}
