//! Two servers: following, taking over, coming back; and leases.
#![allow(clippy::print_stdout, reason = "how long things take is for people to read")]

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rds::node::api::{LeaseGrant, Phase, Promote, Role, Tick, Upstream};

use crate::node_lab::{Lab, WAIT, ask, serving, spec, sql, standby_of, until};

/// The second term begins now.
fn promotion(lab: &Lab, ttl_ms: u64, synchronous: &str) -> Promote {
    let from = lab.node.leases().tick();
    Promote { term: 2, from, ttl_ms, synchronous: synchronous.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_follows_takes_over_and_the_old_primary_comes_back_behind_it() {
    let lab = Lab::new();
    let first = spec("pgm-a");
    let a = lab.serve(&first).await;
    ask(&a, "CREATE TABLE t (x int); INSERT INTO t VALUES (1)");
    let second = standby_of(&first, "pgm-b", &a);
    let b = lab.serve(&second).await;
    assert!(!b.writable && b.system_identifier == a.system_identifier);
    ask(&a, "INSERT INTO t VALUES (2)");
    until("following", async || (ask(&b, "SELECT max(x) FROM t") == "2").then_some(())).await;
    until("the same end of the log", async || {
        let (a, b) = (lab.observed("pgm-a").await, lab.observed("pgm-b").await);
        (b.lsn >= a.lsn && b.replayed == b.lsn && b.lag_seconds < 1.0).then_some(())
    })
    .await;

    // The old one goes on for a while, alone: that has to be undone when it comes back.
    let begin = Instant::now();
    let keeper = lab.node.keeper("pgm-b").unwrap();
    keeper.promote(&promotion(&lab, 60_000, "")).unwrap();
    keeper.settled(WAIT).await;
    println!("promoted in {:?}", begin.elapsed());
    let b = lab.observed("pgm-b").await;
    assert!(b.writable && b.timeline == 2 && b.term == 2, "{b:?}");
    ask(&a, "INSERT INTO t VALUES (99)");
    ask(&b, "INSERT INTO t VALUES (3)");
    // Nor does it end in order: without a lease it is killed.
    let data = lab.dir.path().join("instances/pgm-a/data");
    let made = std::fs::metadata(&data).unwrap().ino();
    let fenced = rds::node::api::Spec { generation: 2, leased: true, ..first.clone() };
    lab.node.put("pgm-a", fenced, Duration::ZERO).await.unwrap();
    until("fenced", async || {
        let a = lab.observed("pgm-a").await;
        (a.phase == Phase::Fenced && a.pid == 0).then_some(())
    })
    .await;
    let id = "pgm-a".to_owned();
    let back =
        rds::node::api::Spec { term: 2, generation: 3, id, ..standby_of(&first, "pgm-a", &b) };
    let begin = Instant::now();
    let a = lab.serve(&back).await;
    println!("rewound and following in {:?}", begin.elapsed());
    assert_eq!(std::fs::metadata(&data).unwrap().ino(), made, "it was not copied anew");
    assert!(!a.writable);
    until("following again", async || {
        (ask(&a, "SELECT string_agg(x::text, ',' ORDER BY x) FROM t") == "1,2,3").then_some(())
    })
    .await;
    assert!(lab.node.put("pgm-a", first, WAIT).await.is_err(), "the old term is over");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_ended_in_order_tells_what_its_standby_has_to_have() {
    let lab = Lab::new();
    let first = spec("pgm-g");
    let a = lab.serve(&first).await;
    lab.serve(&standby_of(&first, "pgm-h", &a)).await;
    ask(&a, "CREATE TABLE t AS SELECT generate_series(1, 10000) AS x");
    let stopped = rds::node::api::Spec { running: false, generation: 2, ..first.clone() };
    let end = lab.put(&stopped).await;
    assert_eq!((end.phase, end.pid), (Phase::Stopped, 0));
    assert!(end.lsn > a.lsn, "{end:?}");
    until("the standby has all of it", async || {
        (lab.observed("pgm-h").await.lsn >= end.lsn).then_some(())
    })
    .await;

    let again = rds::node::api::Spec { generation: 3, leased: true, ..first };
    lab.put(&again).await;
    until("serving under leases that are renewed", async || {
        let from = lab.node.leases().tick();
        let grant = LeaseGrant { id: "pgm-g".to_owned(), term: 1, from, ttl_ms: 3_000 };
        lab.node.grant(&[grant]).await;
        (lab.observed("pgm-g").await.phase == Phase::Serving).then_some(())
    })
    .await;
    until("killed", async || (lab.observed("pgm-g").await.phase == Phase::Fenced).then_some(()))
        .await;
    let killed = rds::node::api::Spec { running: false, generation: 4, ..again };
    let end = lab.put(&killed).await;
    assert_eq!((end.phase, end.lsn), (Phase::Stopped, 0), "nobody knows what it had acknowledged");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_rewound_is_copied_anew() {
    let lab = Lab::new();
    let a = lab.serve(&spec("pgm-c")).await;
    ask(&a, "CREATE TABLE t AS SELECT 7 AS x");
    // Another cluster altogether.
    let other = spec("pgm-d");
    lab.serve(&other).await;
    let mut standby = standby_of(&spec("pgm-c"), "pgm-d", &a);
    (standby.generation, standby.term) = (2, 2);
    let d = lab.serve(&standby).await;
    assert_eq!(d.system_identifier, a.system_identifier);
    assert_eq!(ask(&d, "SELECT x FROM t"), "7");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_whose_lease_ends_takes_no_writes_any_more() {
    let lab = Lab::new();
    let mut spec = spec("pgm-leased");
    spec.leased = true;
    let fenced = lab.put(&spec).await;
    assert_eq!((fenced.phase, fenced.pid), (Phase::Fenced, 0), "it never served without a lease");
    let grant = |term, ttl_ms| {
        let from = lab.node.leases().tick();
        vec![LeaseGrant { id: "pgm-leased".to_owned(), term, from, ttl_ms }]
    };
    let it = until("serving under leases that are renewed", async || {
        lab.node.grant(&grant(1, 3_000)).await;
        let observed = lab.observed("pgm-leased").await;
        (observed.phase == Phase::Serving && observed.writable).then_some(observed)
    })
    .await;
    ask(&it, "CREATE TABLE t (at timestamptz)");
    lab.node.grant(&grant(1, 3_000)).await;
    let (begin, granted) = (Instant::now(), base::Clock::now(&base::SystemClock).micros());
    let insert = "INSERT INTO t VALUES (clock_timestamp())";
    while sql(&it, "chief", "shop", insert).is_ok() {
        assert!(begin.elapsed() < WAIT, "nothing ended it");
    }
    until("fenced", async || {
        let observed = lab.observed("pgm-leased").await;
        (observed.phase == Phase::Fenced && observed.pid == 0).then_some(())
    })
    .await;
    (spec.term, spec.generation) = (2, 2);
    lab.put(&spec).await;
    lab.node.grant(&grant(1, 60_000)).await;
    assert!(!lab.node.leases().holds("pgm-leased", 2), "an older term's lease is none");
    assert_eq!(lab.put(&spec).await.phase, Phase::Fenced);
    lab.node.grant(&grant(2, 600_000)).await;
    let it = serving(&lab, "pgm-leased", 0).await;
    let micros = "SELECT (extract(epoch FROM max(at)) * 1000000)::int8 FROM t";
    let last: i64 = ask(&it, micros).parse().unwrap();
    println!("last write {} ms after the grant of 3000 ms", (last - granted) / 1000);
    assert!(last < granted + 3_100_000, "it wrote without a lease");
    lab.end().await;
}

/// What a frozen node reads when it wakes is of before.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_grants_and_promotes_nothing() {
    let lab = Lab::new();
    let mut spec = spec("pgm-late");
    spec.leased = true;
    assert_eq!(lab.put(&spec).await.phase, Phase::Fenced);
    let from = lab.put(&spec).await.tick;
    let grant = |from| vec![LeaseGrant { id: "pgm-late".to_owned(), term: 1, from, ttl_ms: 200 }];
    tokio::time::sleep(Duration::from_millis(250)).await;
    let answer = lab.node.grant(&grant(from)).await;
    assert!(!lab.node.leases().holds("pgm-late", 1), "it counts from its receipt");
    let promote = Promote { term: 2, from, ttl_ms: 200, synchronous: String::new() };
    assert!(lab.node.keeper("pgm-late").unwrap().promote(&promote).is_err());
    assert_eq!(lab.observed("pgm-late").await.term, 1, "it was promoted late");
    // By the answer it is told how to grant one that holds.
    lab.node.grant(&grant(answer[0].tick)).await;
    assert!(lab.node.leases().holds("pgm-late", 1));
    lab.node.grant(&grant(Tick { node: from.node ^ 1, ms: 0 })).await;
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_wait_for_a_synchronous_standby() {
    let lab = Lab::new();
    let mut first = spec("pgm-e");
    let a = lab.serve(&first).await;
    let b = standby_of(&first, "pgm-f", &a);
    lab.serve(&b).await;
    first.generation = 2;
    first.synchronous = "FIRST 1 (pgm_f)".to_owned();
    lab.serve(&first).await;
    until("synchronous", async || {
        (ask(&a, "SELECT sync_state FROM pg_stat_replication") == "sync").then_some(())
    })
    .await;
    ask(&a, "CREATE TABLE t (x int)");
    let Role::Standby { upstream: Upstream { slot, .. }, .. } = &b.role else { unreachable!() };
    assert_eq!(ask(&a, "SELECT slot_name FROM pg_replication_slots WHERE active"), *slot);
    lab.end().await;
}

/// What is being copied is on no disk yet, whatever its copy's name will be.
#[tokio::test(flavor = "multi_thread")]
async fn commits_do_not_wait_for_a_copy_that_is_being_made() {
    let lab = Lab::new();
    let mut first = spec("pgm-g");
    let a = lab.serve(&first).await;
    ask(&a, "CREATE TABLE t AS SELECT x, repeat('x', 500) FROM generate_series(1, 200000) x");
    let b = standby_of(&first, "pgm-h", &a);
    first.generation = 2;
    first.synchronous = "FIRST 1 (pgm_h)".to_owned();
    lab.serve(&first).await;
    let mut seen = std::collections::BTreeSet::new();
    let mut copied = Box::pin(lab.serve(&b));
    loop {
        tokio::select! {
            _ = &mut copied => break,
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
        }
        // While there is no server of its own, nobody has its name.
        if lab.observed("pgm-h").await.pid == 0 {
            let names = "SELECT coalesce(string_agg(DISTINCT application_name, ','), '') FROM pg_stat_replication";
            let names = ask(&a, names);
            if lab.observed("pgm-h").await.pid == 0 {
                seen.insert(names);
            }
        }
    }
    drop(copied);
    assert!(seen.iter().any(|names| names.contains("awan_copies")), "{seen:?}");
    assert!(!seen.iter().any(|names| names.contains("pgm_h")), "{seen:?}");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_keeps_no_log_for_who_follows_it_no_more() {
    let lab = Lab::new();
    let mut first = spec("pgm-i");
    let a = lab.serve(&first).await;
    let slots = "SELECT coalesce(string_agg(slot_name, ',' ORDER BY slot_name), '') FROM pg_replication_slots";
    let mut standbys = Vec::new();
    for (id, slot) in [("pgm-j", "awan_pgm_j"), ("pgm-k", "awan_pgm_k")] {
        let mut standby = standby_of(&first, id, &a);
        let Role::Standby { upstream, .. } = &mut standby.role else { unreachable!() };
        upstream.slot = slot.to_owned();
        lab.serve(&standby).await;
        standbys.push(standby);
    }
    first.generation = 2;
    lab.serve(&first).await;
    assert_eq!(ask(&a, slots), "awan_pgm_j,awan_pgm_k", "where it is not known, all stay");
    lab.node.delete("pgm-j", i64::MAX, WAIT).await.unwrap();
    first.slots = Some(["awan_archive", "awan_pgm_k"].map(str::to_owned).into());
    lab.put(&first).await;
    assert_eq!(ask(&a, slots), "awan_pgm_k");
    let following = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'";
    until("still following", async || (ask(&a, following) == "1").then_some(())).await;

    // The other takes over, and what was the primary keeps nothing as its standby.
    let keeper = lab.node.keeper("pgm-k").unwrap();
    keeper.promote(&promotion(&lab, 60_000, "")).unwrap();
    keeper.settled(WAIT).await;
    let k = lab.observed("pgm-k").await;
    let back = rds::node::api::Spec { term: 2, ..standby_of(&first, "pgm-i", &k) };
    let i = lab.serve(&rds::node::api::Spec { generation: 3, ..back }).await;
    assert!(!i.writable);
    assert_eq!(ask(&i, slots), "");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_of_a_promoted_standby_wait_from_the_first_for_the_former_primary() {
    let lab = Lab::new();
    let first = spec("pgm-i");
    let a = lab.serve(&first).await;
    ask(&a, "CREATE TABLE t (x int)");
    lab.serve(&standby_of(&first, "pgm-j", &a)).await;
    let stopped = rds::node::api::Spec { running: false, generation: 2, ..first.clone() };
    let end = lab.put(&stopped).await.lsn;
    until("the standby has all of it", async || {
        (lab.observed("pgm-j").await.lsn >= end).then_some(())
    })
    .await;
    let keeper = lab.node.keeper("pgm-j").unwrap();
    keeper.promote(&promotion(&lab, 600_000, "pgm_i")).unwrap();
    keeper.settled(WAIT).await;
    let b = lab.observed("pgm-j").await;
    assert!(b.writable, "{b:?}");
    let commit = std::thread::spawn({
        let b = b.clone();
        move || ask(&b, "INSERT INTO t VALUES (1)")
    });
    until("the commit waits", async || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        (ask(&b, waits) == "1").then_some(())
    })
    .await;
    let back = rds::node::api::Spec { term: 2, generation: 3, ..standby_of(&first, "pgm-i", &b) };
    lab.serve(&back).await;
    until("the commit is done", async || commit.is_finished().then_some(())).await;
    lab.end().await;
}
