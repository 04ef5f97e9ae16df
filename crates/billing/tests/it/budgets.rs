//! Budgets, their alarms, and what the agreement is told about spending.

use serde_json::Value;

use crate::world::{DECEMBER, HOUR, NOVEMBER, World};

async fn alarms(world: &World) -> Vec<(String, String, i64)> {
    let alarms = world.all("ListBudgetAlarms", ("Alarms", "Alarm"), &[("MaxResults", "2")]).await;
    let alarm = |alarm: &Value| {
        let text = |name: &str| alarm[name].as_str().unwrap().to_owned();
        (text("Budget"), text("Month"), alarm["Threshold"].as_i64().unwrap())
    };
    alarms.iter().map(alarm).collect()
}

#[tokio::test]
async fn an_alarm_is_raised_once_for_each_threshold_and_month() {
    let world = World::with_prices();
    let set = [("Name", "all"), ("Amount", "0.0003"), ("Thresholds", "[100, 50]")];
    let budget = world.call("SetBudget", &set).await;
    assert_eq!(budget["Budget"]["AmountMicro"], 300);
    assert_eq!(budget["Budget"]["Thresholds"]["Threshold"], serde_json::json!([50, 100]));
    world.at(NOVEMBER + 60).count("a", 59).await;
    world.rate().await;
    assert_eq!(alarms(&world).await, [], "147 of 300");
    world.count("a", 1).await;
    world.rate().await;
    world.rate().await;
    let half = ("all".to_owned(), "2026-11".to_owned(), 50);
    assert_eq!(alarms(&world).await, std::slice::from_ref(&half));
    world.count("a", 100).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    world.rate().await;
    let whole = ("all".to_owned(), "2026-11".to_owned(), 100);
    assert_eq!(alarms(&world).await, [whole.clone(), half.clone()]);
    world.at(DECEMBER + 60).count("a", 60).await;
    world.rate().await;
    assert_eq!(alarms(&world).await, [("all".into(), "2026-12".into(), 50), whole, half]);
    let audited = world.number(
        "SELECT COUNT(*) FROM audit WHERE action = 'RaiseBudgetAlarm' AND outcome = 'OK' AND account = 1",
    );
    assert_eq!(audited.await, 3);
}

#[tokio::test]
async fn a_changed_budget_alarms_anew_and_a_deleted_one_no_more() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 110).await;
    world.call("SetBudget", &[("Name", "x"), ("Amount", "0.0001"), ("Thresholds.1", "100")]).await;
    world.rate().await;
    world.call("SetBudget", &[("Name", "x"), ("Amount", "0.0002"), ("Thresholds.1", "100")]).await;
    world.rate().await;
    assert_eq!(alarms(&world).await.len(), 2);
    world.call("DeleteBudget", &[("Name", "x")]).await;
    world.count("a", 1000).await;
    world.rate().await;
    assert_eq!(alarms(&world).await.len(), 2);
    let gone = world.try_call(1, "DeleteBudget", &[("Name", "x")]).await.unwrap_err();
    assert_eq!((gone.code(), gone.status()), ("EntityNotExist.Budget", 404));
}

#[tokio::test]
async fn budgets_are_listed_in_pages_to_their_own_account() {
    let world = World::with_prices();
    for name in ["c", "a", "b"] {
        world.call("SetBudget", &[("Name", name), ("Amount", "12.5")]).await;
    }
    let budgets = world.all("ListBudgets", ("Budgets", "Budget"), &[("MaxResults", "2")]).await;
    let names: Vec<_> = budgets.iter().map(|budget| budget["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(budgets[0]["Amount"], "12.5");
    assert_eq!(budgets[0]["Thresholds"]["Threshold"], serde_json::json!([50, 80, 100]));
    let others = world.try_call(2, "ListBudgets", &[]).await.unwrap();
    assert_eq!(others["Budgets"]["Budget"], serde_json::json!([]));
}

#[tokio::test]
async fn a_budget_that_is_none_is_refused() {
    let world = World::with_prices();
    for (name, value) in [
        ("Name", ""),
        ("Amount", "0"),
        ("Amount", "much"),
        ("Thresholds.1", "0"),
        ("Thresholds.1", "1001"),
    ] {
        let mut params = vec![("Name", "x"), ("Amount", "1")];
        params.retain(|(known, _)| *known != name);
        params.push((name, value));
        let refused = world.try_call(1, "SetBudget", &params).await.unwrap_err();
        assert!(refused.is(&base::code::INVALID_PARAMETER), "{name}={value}: {refused}");
    }
    for number in 0..50 {
        world.call("SetBudget", &[("Name", &format!("b{number}")), ("Amount", "1")]).await;
    }
    let more = world.try_call(1, "SetBudget", &[("Name", "x"), ("Amount", "1")]).await.unwrap_err();
    assert_eq!(more.code(), "LimitExceeded.Budget");
    world.call("SetBudget", &[("Name", "b7"), ("Amount", "2")]).await;
}

#[tokio::test]
async fn the_agreement_is_told_what_the_month_has_come_to_with_the_open_hours() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.rate().await;
    assert_eq!(world.releases.noted(1), Some((NOVEMBER, 120)), "no hour is closed yet");
    world.at(NOVEMBER + 2 * HOUR).count("a", 60).await;
    world.level("b", 1000).await;
    world.at(NOVEMBER + 2 * HOUR + 100).rate().await;
    // 90 × 3 + 10 × 2 and 1000 × 100 s × 7 / 1000.
    assert_eq!(world.releases.noted(1), Some((NOVEMBER, 290 + 700)));
    world.at(DECEMBER + 10).rate().await;
    assert_eq!(world.releases.noted(1), Some((DECEMBER, 70)), "a new month");
}
