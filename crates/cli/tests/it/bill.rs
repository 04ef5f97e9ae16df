//! `awan bill`: files, pages, budgets and payments, as they reach the cloud and the disk.

use std::fs;

use serde_json::Value;

use crate::World;

fn json(world: &World, file: &str) -> Value {
    serde_json::from_slice(&fs::read(world.path(file)).unwrap()).unwrap()
}

#[test]
fn usage_lines_and_focus_become_files_over_all_pages() {
    let world = World::new();
    let (usage, lines, focus) =
        (world.name("usage.json"), world.name("lines.json"), world.name("focus.csv"));
    let words = [
        "bill", "export", "--month", "2026-11", "--usage", &usage, "--lines", &lines, "--focus",
        &focus,
    ];
    world.awan(&words).unwrap();
    let used = json(&world, "usage.json");
    assert_eq!((used[0]["meter"].as_str(), used[1]["quantity"].as_i64()), (Some("put"), Some(2)));
    let bill = json(&world, "lines.json");
    assert_eq!(bill["Stated"]["AmountMicro"], 2_560_000);
    let ids: Vec<_> =
        bill["Lines"].as_array().unwrap().iter().map(|line| line["LineId"].as_i64()).collect();
    assert_eq!((ids, &bill["Lines"][0]["Bill"]), (vec![Some(1), Some(2)], &Value::from("2026-11")));
    assert_eq!(fs::read_to_string(world.path("focus.csv")).unwrap(), "A,B\r\n1,2\r\n3,4\r\n");
}

#[test]
fn a_bill_that_does_not_follow_from_its_files_is_refused_without_the_cloud() {
    let world = World::new();
    let (usage, lines) = (world.name("usage.json"), world.name("lines.json"));
    world
        .awan(&["bill", "export", "--month", "2026-11", "--usage", &usage, "--lines", &lines])
        .unwrap();
    let verify =
        ["verify", "--no-memory", "--bill", "2026-11", "--usage", &usage, "--bill-file", &lines];
    // The log of this world has no agreement, so nothing could cost anything.
    let code = world.awan(&verify).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", std::process::ExitCode::FAILURE));
    let other = world.refused(&[
        "verify",
        "--no-memory",
        "--bill",
        "2026-10",
        "--usage",
        &usage,
        "--bill-file",
        &lines,
    ]);
    assert_eq!(other, "the bill is of 2026-11, and 2026-10 was asked for");
}

#[test]
fn a_bill_is_a_page_in_which_nothing_of_the_clouds_is_markup() {
    let world = World::new();
    let file = world.name("bill.html");
    world.awan(&["bill", "page", "--lang", "en", "-o", &file]).unwrap();
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.contains("&lt;b&gt;&amp;") && !html.contains("<b>"), "{html}");
    assert!(html.contains("IDR 2.8416"), "{html}");
}

#[test]
fn budgets_and_payments_reach_the_cloud_as_they_were_typed() {
    let world = World::new();
    let sent = |words: &[&str]| {
        world.awan(words).unwrap();
        let (action, params) = world.server.last_call();
        let params: Vec<String> =
            params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{action} {}", params.join(" "))
    };
    assert_eq!(
        sent(&["bill", "budget", "set", "pemilu", "25000000", "--at", "50,100"]),
        "SetBudget Amount=25000000 Name=pemilu Thresholds.1=50 Thresholds.2=100"
    );
    assert_eq!(sent(&["bill", "budget", "list"]), "ListBudgets ");
    assert_eq!(sent(&["bill", "budget", "alarms"]), "ListBudgetAlarms ");
    assert_eq!(sent(&["bill", "budget", "delete", "pemilu"]), "DeleteBudget Name=pemilu");
    assert_eq!(
        sent(&["bill", "pay", "7", "1.5", "--reference", "B", "--credit"]),
        "RecordPayment AccountId=7 Amount=1.5 Kind=Credit Reference=B"
    );
    assert!(
        world
            .refused(&["bill", "pay", "7", "0", "--reference", "B"])
            .contains("record the payment")
    );
}

#[test]
fn the_overview_the_month_and_the_reasons_are_shown() {
    let world = World::new();
    for words in [
        &["bill"][..],
        &["bill", "show"],
        &["bill", "show", "2026-11", "--output", "json"],
        &["bill", "why", "b", "--month", "2026-11"],
        &["bill", "why", "2", "--month", "2026-11"],
    ] {
        world.awan(words).unwrap();
    }
    let refused = world.refused(&["bill", "why", "3", "--month", "2026-11"]);
    assert_eq!(refused, "the bill of 2026-11 has no line 3");
}
