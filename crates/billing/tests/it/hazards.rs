//! What goes wrong with metering and billing elsewhere, one by one, and what happens here.

use std::sync::Arc;
use std::time::Duration;

use base::AccountId;
use billing::Rating;
use engine::meter;
use engine::task::Runner;

use crate::world::{DAY, DECEMBER, HOUR, NOVEMBER, World, book, price, sum};

/// Duplicate: the task runs twice, three times, in two processes.
#[tokio::test]
async fn rating_again_bills_nothing_again() {
    let mut world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.at(NOVEMBER + HOUR + 301).rate().await;
    let once = world.lines("2026-11").await;
    assert_eq!((once.len(), sum(&once)), (1, 40 * 3));
    world.rate().await;
    world.restart();
    world.rate().await;
    world.at(NOVEMBER + 2 * HOUR + 301).rate().await;
    assert_eq!(world.lines("2026-11").await, once);
    world.ledger_balances().await;
}

/// Duplicate: a crash in the middle of a closing leaves nothing of it, and nothing is lost or doubled.
#[tokio::test]
async fn a_closing_that_breaks_off_is_as_if_it_had_not_begun() {
    use std::sync::atomic::Ordering;
    let mut world = World::with_prices();
    for (at, quantity) in [(10, 50), (HOUR + 10, 60), (2 * HOUR + 10, 70)] {
        world.at(NOVEMBER + at).count("a", quantity).await;
    }
    world.level("b", 5).await;
    world.at(NOVEMBER + 4 * HOUR);
    for fuse in 0..8 {
        world.releases.fuse.store(fuse, Ordering::SeqCst);
        world.rate().await;
        world.releases.fuse.store(-1, Ordering::SeqCst);
        world.restart();
        world.ledger_balances().await;
    }
    world.rate().await;
    let lines = world.lines("2026-11").await;
    let storage = 5 * (4 * HOUR - 2 * HOUR - 10 - HOUR) * 7 / 1000;
    assert_eq!(sum(&lines), 90 * 3 + 80 * 2 + storage, "closed until the third hour: {lines:#?}");
    world.ledger_balances().await;
}

/// Late: within the grace, an hour takes what still arrives; it is not closed.
#[tokio::test]
async fn an_hour_is_closed_five_minutes_after_its_end() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.at(NOVEMBER + HOUR + 299).rate().await;
    assert_eq!(world.lines("2026-11").await.len(), 0);
    world.at(NOVEMBER + HOUR + 300).rate().await;
    assert_eq!(world.lines("2026-11").await.len(), 1);
}

/// Late: what arrives after its hour was closed is a line of its own; the first is not touched.
#[tokio::test]
async fn what_is_late_is_a_correction_and_never_an_edit() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    let first = world.lines("2026-11").await;
    record(&world, "e1", "a", "2026-11-01T00:30:00Z", 7).await;
    world.rate().await;
    let lines = world.lines("2026-11").await;
    assert_eq!(lines[..1], first[..]);
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["Correction"], true);
    assert_eq!(lines[1]["Hour"], first[0]["Hour"]);
    assert_eq!(
        (lines[1]["Quantity"].as_i64(), lines[1]["AmountMicro"].as_i64()),
        (Some(7), Some(21))
    );
    assert_eq!((lines[0]["Revision"].as_i64(), lines[1]["Revision"].as_i64()), (Some(0), Some(1)));
    world.ledger_balances().await;
}

/// Late: after the third of the next month the bill is final, and what is late is on the next one.
#[tokio::test]
async fn what_is_late_for_a_final_bill_is_on_the_next() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 60).await;
    world.at(DECEMBER + 2 * DAY + 12 * HOUR - 1).rate().await;
    assert_eq!(world.call("GetBill", &[("Month", "2026-11")]).await["Status"], "Open");
    world.at(DECEMBER + 2 * DAY + 12 * HOUR).rate().await;
    let bill = world.call("GetBill", &[("Month", "2026-11")]).await;
    assert_eq!((&bill["Status"], bill["AmountMicro"].as_i64()), (&"Final".into(), Some(150)));
    record(&world, "e1", "a", "2026-11-30T23:59:59Z", 50).await;
    world.rate().await;
    assert_eq!(world.call("GetBill", &[("Month", "2026-11")]).await, bill);
    let december = world.lines("2026-12").await;
    // 60 + 50: ten more at 3, and the rest at the next tier's 2, because it was used in November.
    assert_eq!((december.len(), sum(&december)), (1, 40 * 3 + 10 * 2));
    assert_eq!(december[0]["Correction"], true);
    assert_eq!(december[0]["Hour"], "2026-11-30T23:00:00Z");
    world.ledger_balances().await;
}

/// Clock skew: an hour's border neither loses nor doubles a second of a level.
#[tokio::test]
async fn the_border_of_an_hour_loses_no_second_and_doubles_none() {
    let world = World::with_prices();
    world.at(NOVEMBER + 1000).level("b", 3).await;
    for hour in 1..=5 {
        world.at(NOVEMBER + hour * HOUR + 300).rate().await;
        world.at(NOVEMBER + hour * HOUR + 600).level("b", 1).await;
    }
    world.at(NOVEMBER + 6 * HOUR + 300).rate().await;
    let mut level_seconds = 0;
    for second in 0..6 * HOUR {
        let steps = (1..=5).filter(|hour| second >= hour * HOUR + 600).count() as i64;
        level_seconds += if second >= 1000 { 3 + steps } else { 0 };
    }
    let lines = world.lines("2026-11").await;
    let billed: i64 = lines.iter().map(|line| line["Quantity"].as_i64().unwrap()).sum();
    assert_eq!(billed, level_seconds);
    assert_eq!(sum(&lines), level_seconds * 7 / 1000);
}

/// Clock skew: the clock is set back behind hours that are closed.
#[tokio::test]
async fn a_clock_that_is_set_back_takes_nothing_back_and_bills_nothing_twice() {
    let world = World::with_prices();
    world.at(NOVEMBER).level("b", 10).await;
    world.at(NOVEMBER + 5 * HOUR + 300).rate().await;
    let before = world.lines("2026-11").await;
    // Two hours back: the level is taken away, another begins, and something is counted there.
    world.at(NOVEMBER + 3 * HOUR + 1800).level("b", -10).await;
    world.level("c", 1).await;
    world.count("a", 20).await;
    world.rate().await;
    world.at(NOVEMBER + 6 * HOUR + 300).rate().await;
    world.at(NOVEMBER + 7 * HOUR + 300).rate().await;
    let lines = world.lines("2026-11").await;
    assert_eq!(lines[..before.len()], before[..], "what was billed stays billed");
    let of = |resource: &str| -> i64 {
        let mine = lines.iter().filter(|line| line["Resource"] == resource);
        mine.map(|line| line["Quantity"].as_i64().unwrap()).sum()
    };
    assert_eq!(of("b"), 10 * 5 * HOUR, "up to the hour that was closed, and no second more");
    assert_eq!(of("c"), 7 * HOUR - 3 * HOUR - 1800, "from its beginning");
    assert_eq!(of("a"), 20);
    world.ledger_balances().await;
}

/// Clock skew: a clock far ahead closes hours early; what then happens in them is not lost.
#[tokio::test]
async fn a_clock_that_was_far_ahead_loses_nothing() {
    let world = World::with_prices();
    world.at(NOVEMBER).count("a", 20).await;
    world.at(NOVEMBER + 40 * DAY).rate().await;
    world.at(NOVEMBER + HOUR).count("a", 30).await;
    world.rate().await;
    world.at(NOVEMBER + 41 * DAY).rate().await;
    let lines = [world.lines("2026-11").await, world.lines("2026-12").await].concat();
    assert_eq!(sum(&lines), 40 * 3);
    world.ledger_balances().await;
}

/// Rounding: hours too small to cost a micro-unit each still add up.
#[tokio::test]
async fn rounding_happens_once_and_the_lines_add_up_to_the_bill() {
    let world = World::new();
    let mut book = book();
    book.prices = vec![price("oss.requests", "PutRequest", 1_000, 0, &[(None, 1)])];
    world.releases.amend(1, NOVEMBER, book);
    for hour in 0..100 {
        world.at(NOVEMBER + hour * HOUR).count("a", 33).await;
    }
    world.at(NOVEMBER + 5 * DAY).rate().await;
    let lines = world.lines("2026-11").await;
    assert_eq!((lines.len(), sum(&lines)), (100, 3), "3300 thousandths, not a hundred times zero");
    let bill = world.call("GetBill", &[]).await;
    assert_eq!(bill["AmountMicro"], 3);
    assert_eq!(bill["TaxMicro"], 0, "33 hundredths");
}

/// Units: what a unit is, is in the agreement and on every line.
#[tokio::test]
async fn every_line_says_what_its_unit_is() {
    let world = World::with_prices();
    world.at(NOVEMBER).level("b", 4).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    let line = &world.lines("2026-11").await[0];
    assert_eq!((&line["Unit"], line["UnitSize"].as_i64()), (&"GB-hour".into(), Some(1000)));
    assert_eq!(line["Tiers"]["Tier"][0]["PriceMicro"], 7);
    assert_eq!(line["ReleaseId"], "release-1");
    assert_eq!(line["Ocid"], "ocds-test-1");
}

/// Tiers: the hour that crosses a bound is split there, over all resources of the account.
#[tokio::test]
async fn the_hour_that_crosses_a_tier_is_split_and_tiers_count_the_month_of_the_account() {
    let world = World::with_prices();
    world.at(NOVEMBER).count("a", 95).await;
    world.at(NOVEMBER + 10).count("b", 20).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    let lines = world.lines("2026-11").await;
    let tiers = |at: usize| lines[at]["Tiers"]["Tier"].to_string();
    assert_eq!(
        tiers(0),
        r#"[{"Quantity":10,"PriceMicro":0,"AmountMicro":0},{"Quantity":85,"PriceMicro":3,"AmountMicro":255}]"#
    );
    assert_eq!(
        tiers(1),
        r#"[{"Quantity":5,"PriceMicro":3,"AmountMicro":15},{"Quantity":15,"PriceMicro":2,"AmountMicro":30}]"#
    );
}

/// Tiers: what is free is free again in the next month.
#[tokio::test]
async fn a_new_month_begins_at_the_first_tier() {
    let world = World::with_prices();
    world.at(DECEMBER - 10).count("a", 200).await;
    world.at(DECEMBER + 10).count("a", 20).await;
    world.at(DECEMBER + 2 * HOUR).rate().await;
    assert_eq!(sum(&world.lines("2026-11").await), 90 * 3 + 100 * 2);
    assert_eq!(sum(&world.lines("2026-12").await), 10 * 3);
}

/// Not billable: a write that is refused leaves no usage.
#[tokio::test]
async fn what_is_refused_is_not_metered() {
    let world = World::with_prices();
    let session =
        engine::places::system(&world.cloud, engine::Meta::write("oss", "1", "PutObject"));
    let refused: Result<(), _> = world
        .cloud
        .write(session, |cx| {
            cx.count(AccountId::new(1), "a", "oss.requests", 1);
            Err(base::code::QUOTA_EXCEEDED.into())
        })
        .await;
    assert!(refused.is_err());
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    assert!(world.lines("2026-11").await.is_empty());
}

/// Meter and truth: lines that do not follow from the usage keep a bill from becoming final.
#[tokio::test]
async fn a_bill_that_does_not_follow_from_the_usage_does_not_become_final() {
    let world = World::with_prices();
    world.at(NOVEMBER).count("a", 50).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    let forge = "UPDATE billing_line SET amount = amount + 1";
    world.cloud.db.write(move |tx| tx.execute(forge, &[])).await.unwrap();
    world.at(DECEMBER + 3 * DAY).rate().await;
    assert_eq!(world.call("GetBill", &[("Month", "2026-11")]).await["Status"], "Open");
    let mend = "UPDATE billing_line SET amount = amount - 1";
    world.cloud.db.write(move |tx| tx.execute(mend, &[])).await.unwrap();
    world.rate().await;
    assert_eq!(world.call("GetBill", &[("Month", "2026-11")]).await["Status"], "Final");
}

/// Price change: an hour has the price of the release that was in force at its start.
#[tokio::test]
async fn a_price_that_changes_within_an_hour_changes_with_the_next() {
    let world = World::with_prices();
    let mut dear = book();
    dear.prices[0].tiers = vec![terms::prices::Tier { up_to: None, price: 1000 }];
    world.releases.amend(1, NOVEMBER + HOUR + 1800, dear);
    for at in [60, HOUR + 60, HOUR + 1900, 2 * HOUR + 60] {
        world.at(NOVEMBER + at).count("a", 10).await;
    }
    world.at(NOVEMBER + 4 * HOUR).rate().await;
    let lines = world.lines("2026-11").await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["ReleaseId"].as_str().unwrap(), line["AmountMicro"].as_i64().unwrap()))
        .collect();
    assert_eq!(told, [("release-1", 0), ("release-1", 60), ("release-2", 10_000)]);
}

/// Price change: something late for the old price moves what the new one has priced.
#[tokio::test]
async fn what_is_late_for_the_old_price_moves_the_new_ones_tiers() {
    let world = World::with_prices();
    world.releases.amend(1, NOVEMBER + HOUR, book());
    world.at(NOVEMBER + 60).count("a", 90).await;
    world.at(NOVEMBER + HOUR + 60).count("a", 10).await;
    world.at(NOVEMBER + 3 * HOUR).rate().await;
    assert_eq!(sum(&world.lines("2026-11").await), 90 * 3);
    record(&world, "e1", "a", "2026-11-01T00:10:00Z", 4).await;
    world.rate().await;
    let lines = world.lines("2026-11").await;
    assert_eq!(sum(&lines), 90 * 3 + 4 * 2);
    let moved = lines.last().unwrap();
    assert_eq!((&moved["Note"], &moved["ReleaseId"]), (&"TiersMoved".into(), &"release-2".into()));
    assert_eq!((moved["Quantity"].as_i64(), moved["AmountMicro"].as_i64()), (Some(0), Some(-4)));
    world.ledger_balances().await;
}

/// Nothing is hidden: usage without a price, or without an agreement, is a line of 0 that says so.
#[tokio::test]
async fn usage_without_a_price_or_an_agreement_is_a_line_that_says_so() {
    let world = World::new();
    world.releases.amend(1, NOVEMBER + HOUR, book());
    world.at(NOVEMBER + 60).count("a", 500).await;
    world.at(NOVEMBER + HOUR + 60);
    world.meter(1, |meters, account| meters.count(account, "a", "oss.new", 5)).await;
    world.at(NOVEMBER + 3 * HOUR).rate().await;
    let lines = world.lines("2026-11").await;
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["Note"].as_str().unwrap(),
                line["AmountMicro"].as_i64().unwrap(),
                line["Quantity"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [("NoAgreement", 0, 500), ("NoPrice", 0, 5)]);
    assert_eq!(world.call("GetBill", &[]).await["AmountMicro"], 0);
}

/// The first agreement of an account begins somewhere within an hour, and prices that hour.
#[tokio::test]
async fn the_hour_in_which_the_first_agreement_begins_has_its_prices() {
    let world = World::new();
    world.releases.amend(1, NOVEMBER + 1234, book());
    world.at(NOVEMBER + 1300).count("a", 20).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    assert_eq!(sum(&world.lines("2026-11").await), 30);
}

/// A price book whose currency no longer fits 64 bits keeps its account unbilled, and no other.
#[tokio::test]
async fn an_account_that_cannot_be_billed_does_not_keep_others_from_it() {
    let world = World::with_prices();
    let mut absurd = book();
    absurd.prices = vec![price("oss.requests", "PutRequest", 1, 0, &[(None, i64::MAX)])];
    world.releases.amend(0, NOVEMBER, absurd);
    world.at(NOVEMBER);
    world.meter(0, |meters, account| meters.count(account, "x", "oss.requests", 9)).await;
    world.count("a", 20).await;
    world.at(NOVEMBER + 2 * HOUR).rate().await;
    assert_eq!(sum(&world.lines("2026-11").await), 30);
    let told = world.number("SELECT COUNT(*) FROM billing_line WHERE account = 0").await;
    assert_eq!(told, 0);
}

/// All of it happens by itself.
#[tokio::test]
async fn the_task_bills_without_being_asked() {
    let world = World::with_prices();
    world.at(NOVEMBER + 60).count("a", 50).await;
    world.at(NOVEMBER + 2 * HOUR);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = Runner::new(Arc::clone(&world.cloud));
    let runner = runner.with_one(Rating::default(), &()).await.unwrap();
    let task = tokio::spawn(runner.run(stopped));
    for _ in 0..1000 {
        if !world.lines("2026-11").await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.send(true).unwrap();
    task.await.unwrap();
    assert_eq!(sum(&world.lines("2026-11").await), 40 * 3);
}

/// The shared path's own sums agree with what settling makes of them.
#[tokio::test]
async fn settling_changes_no_sum_of_usage() {
    let world = World::with_prices();
    world.at(NOVEMBER + 100).level("b", 10).await;
    world.at(NOVEMBER + 3 * HOUR + 500).level("b", -4).await;
    let now = base::Time::from_secs(NOVEMBER + 5 * HOUR + 700);
    world.at(now.secs());
    let usage = move |tx: &mut store::Tx<'_>| meter::usage(tx, AccountId::new(1), 0, i64::MAX, now);
    let before = world.read(usage).await;
    world.rate().await;
    assert_eq!(world.read(usage).await, before);
    assert!(!world.lines("2026-11").await.is_empty());
}

async fn record(world: &World, id: &str, resource: &str, start: &str, quantity: i64) {
    let quantity = quantity.to_string();
    let params = [
        ("Events.1.Id", id),
        ("Events.1.AccountId", "1"),
        ("Events.1.Resource", resource),
        ("Events.1.Meter", "oss.requests"),
        ("Events.1.Start", start),
        ("Events.1.Quantity", &quantity),
    ];
    world.try_call(9, "RecordUsage", &params).await.unwrap();
}
