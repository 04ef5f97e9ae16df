//! Two servers: following, taking over, coming back; and leases.
#![allow(clippy::print_stdout, reason = "how long things take is for people to read")]

use std::time::{Duration, Instant};

use rds::node::api::{LeaseGrant, Phase, Promote, Role, Tick, Upstream};

use crate::node_lab::{Lab, WAIT, ask, serving, spec, sql, standby_of, until};

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
    let promote = Promote { term: 2, from: lab.node.leases().tick(), ttl_ms: 60_000 };
    keeper.promote(&promote).unwrap();
    keeper.settled(WAIT).await;
    println!("promoted in {:?}", begin.elapsed());
    let b = lab.observed("pgm-b").await;
    assert!(b.writable && b.timeline == 2 && b.term == 2, "{b:?}");
    ask(&a, "INSERT INTO t VALUES (99)");
    ask(&b, "INSERT INTO t VALUES (3)");
    let back =
        rds::node::api::Spec { term: 2, id: "pgm-a".to_owned(), ..standby_of(&first, "pgm-a", &b) };
    let begin = Instant::now();
    let a = lab.serve(&back).await;
    println!("rewound and following in {:?}", begin.elapsed());
    assert!(!a.writable);
    until("following again", async || {
        (ask(&a, "SELECT string_agg(x::text, ',' ORDER BY x) FROM t") == "1,2,3").then_some(())
    })
    .await;
    assert!(lab.node.put("pgm-a", first, WAIT).await.is_err(), "the old term is over");
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
    let promote = Promote { term: 2, from, ttl_ms: 200 };
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
