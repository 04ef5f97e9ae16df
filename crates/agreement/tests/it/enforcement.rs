//! What an agreement grants, and what asking it costs.

use std::time::Instant;

use base::{AccountId, Time};
use terms::release::Tag;

use crate::harness::{BAWASLU, KPU, world};

#[tokio::test]
async fn service_is_what_the_agreement_in_force_grants() {
    let world = world().await;
    assert_eq!(world.may(KPU, "oss", "GetObject").await, "Forbidden.NoAgreement");
    let mut draft = world.draft(KPU);
    draft.terms.services = vec!["ram".to_owned(), "oss".to_owned()];
    draft.start = world.now().plus(std::time::Duration::from_secs(60));
    world.agree(&draft).await;
    assert_eq!(world.may(KPU, "oss", "GetObject").await, "Forbidden.NoAgreement", "not yet");
    world.pass(60);
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "OK");
    assert_eq!(world.may(KPU, "ecs", "RunInstances").await, "Forbidden.ServiceNotGranted");
    assert_eq!(world.may(BAWASLU, "oss", "PutObject").await, "Forbidden.NoAgreement");
    for product in ["awan", "sts", "location", "bssopenapi"] {
        assert_eq!(world.may(BAWASLU, product, "CreateAnything").await, "OK", "{product}");
    }
}

#[tokio::test]
async fn at_the_spending_limit_nothing_new_begins_and_everything_can_be_taken_out() {
    let world = world().await;
    let mut draft = world.draft(KPU);
    draft.terms.spending_limit = Some(1_000);
    world.agree(&draft).await;
    let spend = async |month: &str, amount: i64| {
        let (account, month) = (AccountId::new(KPU), Time::parse_iso(month).unwrap());
        world.ask(move |covenant, tx, _| covenant.spent(tx, account, month, amount)).await.unwrap();
    };
    spend("2025-12-01T00:00:00Z", 5_000).await;
    spend("2026-01-01T00:00:00Z", 2_000).await;
    spend("2026-01-01T00:00:00Z", 999).await;
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "OK");
    spend("2026-01-01T00:00:00Z", 1_000).await;
    for action in ["PutObject", "CopyObject", "PutBucket", "UploadPart", "RunInstances"] {
        assert_eq!(world.may(KPU, "oss", action).await, "Forbidden.SpendingLimit", "{action}");
    }
    for action in [
        "GetObject",
        "ListObjects",
        "HeadObject",
        "DeleteObject",
        "DeleteMultipleObjects",
        "AbortMultipartUpload",
    ] {
        assert_eq!(world.may(KPU, "oss", action).await, "OK", "{action}");
    }
    for product in ["awan", "bssopenapi", "sts", "ram"] {
        assert_eq!(world.may(KPU, product, "CreateUser").await, "OK", "{product}");
    }
    // A new month begins with nothing spent.
    world.pass(31 * 86_400);
    assert_eq!(world.may(KPU, "oss", "PutObject").await, "OK");
}

/// The figures are printed by `cargo test -p agreement --test it costs -- --nocapture`.
#[tokio::test]
#[allow(clippy::print_stderr, clippy::disallowed_methods, reason = "a measurement")]
async fn asking_costs_microseconds() {
    const TIMES: u32 = 10_000;
    let world = world().await;
    let mut draft = world.draft(KPU);
    draft.terms.spending_limit = Some(1_000);
    world.agree(&draft).await;
    world.agree(&world.following(KPU, Tag::ContractAmendment, "2", "1")).await;
    world.pass(3600);
    let (account, centre) = (AccountId::new(KPU), world.cloud.region.data_centres[0].clone());
    let class = terms::clauses::DataClass::Internal;
    let spent = world
        .ask(move |covenant, tx, now| {
            let mut timed = Vec::new();
            let began = Instant::now();
            for _ in 0..TIMES {
                covenant.check(tx, account, "oss", "GetObject", now)?;
            }
            timed.push(("check", began.elapsed() / TIMES));
            let began = Instant::now();
            for _ in 0..TIMES {
                covenant.may_place(tx, account, class, &centre, now)?;
            }
            timed.push(("may_place", began.elapsed() / TIMES));
            let began = Instant::now();
            for _ in 0..TIMES {
                covenant.in_force(tx, account, now)?;
            }
            timed.push(("in_force", began.elapsed() / TIMES));
            Ok(timed)
        })
        .await
        .unwrap();
    for (what, each) in spent {
        eprintln!("{what}: {each:?}");
        assert!(each.as_millis() < 2, "{what}: {each:?}");
    }
}
