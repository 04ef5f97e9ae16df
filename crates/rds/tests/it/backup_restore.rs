//! Going back: exactly to a moment, and after the loss of a server with all that it had.
#![allow(clippy::print_stdout, reason = "the figures are part of what a test shows")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use base::{ApiError, Time};
use rds::backup::Desk;
use rds::backup::restore::{self, From};
use rds::backup::restore_test::{Proof, Prover};
use tokio_postgres::Client;

use crate::backup_world::{Directory, INSTANCE, Server, World};

async fn insert(client: &Client, ids: std::ops::Range<i64>) {
    for id in ids {
        client.execute("INSERT INTO line (id) VALUES ($1)", &[&id]).await.unwrap();
    }
}

/// The server's time.
async fn moment(client: &Client) -> Time {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    Time::from_micros(client.query_one(sql, &[]).await.unwrap().get(0))
}

async fn lines(server: &Server) -> Vec<i64> {
    let client = server.writable().await;
    let rows = client.query("SELECT id FROM line ORDER BY id", &[]).await.unwrap();
    rows.into_iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_committed_before_the_moment_are_there_and_rows_after_are_not() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    insert(&client, 0..10).await;
    world.back_up(1).await;
    insert(&client, 10..200).await;
    let until = moment(&client).await;
    insert(&client, 200..400).await;
    world.caught_up(&client).await;

    let instance = |tx: &mut store::Tx<'_>| rds::backup::restore::window(tx, INSTANCE);
    let (first, last) = world.desk.cloud.db.read(instance).await.unwrap().unwrap();
    assert!(first < until && until < last, "{first:?} {until:?} {last:?}");

    let (restored, sent) = world.restore(until, true).await;
    assert!(sent.files > 0);
    let found = lines(&restored).await;
    assert_eq!(found, (0..200).collect::<Vec<_>>(), "exactly what was committed before");
    println!("rows before the moment: {}, after: 200, restored: {}", 200, found.len());

    // To the end of the archive, too.
    let (restored, _) = world.restore(world.last().await, false).await;
    assert_eq!(lines(&restored).await, (0..400).collect::<Vec<_>>());
    archiving.stop().await;
}

/// Inserts rows one by one until the server is gone; answers how many were acknowledged, and the time of each.
async fn load(client: Client, acknowledged: Arc<AtomicI64>) -> Vec<Instant> {
    let mut times = Vec::new();
    while client
        .execute("INSERT INTO line (id) VALUES ($1)", &[&(times.len() as i64)])
        .await
        .is_ok()
    {
        times.push(Instant::now());
        acknowledged.store(times.len() as i64, Ordering::SeqCst);
    }
    times
}

/// Destroys a server under load and restores it from the archive: rows acknowledged, rows restored, and how long
/// before the end the last one was acknowledged that is there.
async fn destroyed(world: &mut World) -> (i64, i64, Duration) {
    let archiving = world.archive();
    world.back_up(1).await;
    let acknowledged = Arc::new(AtomicI64::new(0));
    let client = world.server.writable().await;
    let writer = tokio::spawn(load(client, Arc::clone(&acknowledged)));
    tokio::time::sleep(Duration::from_secs(4)).await;
    world.server.destroy();
    let times = writer.await.unwrap();
    archiving.stop().await;
    let (restored, _) = world.restore(world.last().await, false).await;
    let found = lines(&restored).await;
    assert_eq!(found, (0..found.len() as i64).collect::<Vec<_>>(), "nothing in between is lost");
    let window = match found.len() < times.len() {
        true => *times.last().unwrap() - times[found.len().saturating_sub(1)],
        false => Duration::ZERO,
    };
    (times.len() as i64, found.len() as i64, window)
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_a_second_of_commits_is_lost_with_the_server_and_all_its_files() {
    let mut world = World::new("").await;
    let (acknowledged, restored, window) = destroyed(&mut world).await;
    println!("asynchronous: {acknowledged} acknowledged, {restored} restored, {window:?} lost");
    assert!(acknowledged > 100, "there was load");
    assert!(window <= Duration::from_secs(1), "{window:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_where_commits_wait_for_the_archive() {
    let mut world = World::new("").await;
    let options = "UPDATE rds_instance SET options = '{\"sync_mode\":\"Sync\"}'";
    world.execute(options).await;
    let archiving = world.archive();
    world.back_up(1).await;
    let client = world.server.client().await;
    client
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'awan_archive'")
        .await
        .unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    archiving.stop().await;
    let (acknowledged, restored, _) = destroyed(&mut world).await;
    println!("synchronous: {acknowledged} acknowledged, {restored} restored");
    assert!(acknowledged > 20, "there was load: {acknowledged}");
    assert!(restored >= acknowledged, "{restored} of {acknowledged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_that_is_killed_goes_on_without_a_gap() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let mut archiving = world.archive();
    world.back_up(1).await;
    for round in 0..5_i64 {
        // In the middle of whatever it does.
        let middle = Duration::from_millis(u64::try_from(round).unwrap() * 37);
        let killed = async {
            tokio::time::sleep(middle).await;
            archiving.kill();
        };
        tokio::join!(insert(&client, round * 100..round * 100 + 100), killed);
        archiving = world.archive();
    }
    world.caught_up(&client).await;
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_wal").await, 1, "one span, without a gap");
    let (restored, _) = world.restore(world.last().await, false).await;
    assert_eq!(lines(&restored).await, (0..500).collect::<Vec<_>>());
    archiving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_follows_a_failover_and_goes_back_across_it() {
    let mut world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    world.back_up(1).await;
    insert(&client, 0..50).await;
    world.caught_up(&client).await;
    let before = moment(&client).await;
    insert(&client, 50..100).await;
    drop(client);
    world.server.fail_over().await;
    let client = world.server.writable().await;
    insert(&client, 100..150).await;
    let between = moment(&client).await;
    insert(&client, 150..200).await;
    world.caught_up(&client).await;
    assert_eq!(world.number("SELECT MAX(timeline) FROM rds_wal").await, 2);
    for (until, rows) in [(before, 50), (between, 150)] {
        let (restored, _) = world.restore(until, true).await;
        assert_eq!(lines(&restored).await, (0..rows).collect::<Vec<_>>());
    }
    let (restored, _) = world.restore(world.last().await, false).await;
    assert_eq!(lines(&restored).await, (0..200).collect::<Vec<_>>());
    archiving.stop().await;
}

/// Deletes the instance while it is written to, just after its only backup; gives how many rows there were when the
/// backup began.
async fn released(world: &mut World, policy: &'static str) -> (i64, Time) {
    world.execute(policy).await;
    let archiving = world.archive();
    let acknowledged = Arc::new(AtomicI64::new(0));
    let client = world.server.client().await;
    let writer = tokio::spawn(load(client, Arc::clone(&acknowledged)));
    while acknowledged.load(Ordering::SeqCst) < 50 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let began = acknowledged.load(Ordering::SeqCst);
    world.back_up(1).await;
    let client = world.server.client().await;
    let until = moment(&client).await;
    client.batch_execute("INSERT INTO line (id) VALUES (-1)").await.unwrap();
    world.caught_up(&client).await;
    drop(client);
    world.server.destroy();
    let _ = writer.await.unwrap();
    archiving.stop().await;
    rds::testing::release(&world.desk.cloud, INSTANCE).await.unwrap();
    rds::backup::schedule::tidy(&world.desk).await.unwrap();
    (began, until)
}

async fn only_backup(world: &World) -> String {
    world.number("SELECT CAST(id AS BIGINT) FROM rds_backup").await.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_backup_that_is_kept_of_a_deleted_instance_is_whole_by_itself() {
    let mut world = World::new("").await;
    let (began, _) = released(&mut world, "UPDATE rds_instance SET options = '{}'").await;
    let log = world.vault.keys().into_iter().filter(|key| key.contains("/wal/")).count();
    assert_eq!((log, world.number("SELECT COUNT(*) FROM rds_wal").await), (0, 0), "no log is kept");
    let (restored, sent) = world.restore_backup(&only_backup(&world).await).await;
    assert_eq!(sent.files, 0);
    let found = lines(&restored).await;
    assert!(found.len() as i64 >= began, "{} rows of {began}", found.len());
    assert_eq!(found, (0..found.len() as i64).collect::<Vec<_>>(), "nothing in between is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_instance_of_which_all_is_kept_goes_back_to_any_moment() {
    let mut world = World::new("").await;
    let all = "UPDATE rds_instance SET options = '{\"released_keep_policy\":\"All\"}'";
    let (began, until) = released(&mut world, all).await;
    let window = |tx: &mut store::Tx<'_>| restore::window(tx, INSTANCE);
    let (first, last) = world.desk.cloud.db.read(window).await.unwrap().unwrap();
    assert!(first <= until && until <= last, "{first:?} {until:?} {last:?}");
    let (restored, _) = world.restore(until, true).await;
    let before = lines(&restored).await;
    assert!(before.len() as i64 >= began && before[0] == 0, "the last row was committed later");
    let (restored, _) = world.restore(last, false).await;
    let after = lines(&restored).await;
    assert!(after.len() > before.len() && after[0] == -1);
}

/// Waits until the archive reaches a moment.
async fn reached(world: &World, moment: Time) {
    let until = Instant::now() + Duration::from_secs(60);
    while world.last().await <= moment {
        assert!(Instant::now() < until, "the archive does not reach it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_within_a_backlog_are_offered_once_it_is_archived_and_restored_exactly() {
    let world = World::new("wal_keep_size = 1GB\n").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    insert(&client, 0..10).await;
    world.back_up(1).await;
    insert(&client, 10..20).await;
    let before = moment(&client).await;
    insert(&client, 20..30).await;
    world.caught_up(&client).await;
    reached(&world, before).await;
    archiving.stop().await;

    // Nobody archives; several segments are written.
    insert(&client, 30..40).await;
    let backlog = moment(&client).await;
    for segment in 4..20 {
        insert(&client, segment * 10..segment * 10 + 10).await;
        client.batch_execute("SELECT pg_switch_wal()").await.unwrap();
    }
    let within = moment(&client).await;
    insert(&client, 200..210).await;
    let row = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap();
    let end = rds::backup::wal::Lsn::parse(row.get(0)).unwrap().0.cast_signed();
    let from = From { instance: INSTANCE.to_owned(), backup: None, until: Some(within) };
    let early = tempfile::TempDir::new().unwrap();
    for name in ["data", "wal"] {
        std::fs::create_dir(early.path().join(name)).unwrap();
    }
    let seeds = Directory(early.path().to_owned());
    let sent = restore::send(&world.desk, &from, (&seeds, "jkt-a", "early")).await;
    assert!(sent.is_err(), "what is not archived is not restored as if it were: {sent:?}");

    let archiving = world.archive();
    let row = |tx: &mut store::Tx<'_>| {
        let sql = "SELECT end_lsn, newest FROM rds_wal";
        let row = |row: &store::Row<'_>| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?));
        Ok::<_, store::Error>(tx.query_opt(sql, &[], row)?.unwrap())
    };
    loop {
        let (archived, newest) = world.desk.cloud.db.read(row).await.unwrap();
        if archived >= end {
            break;
        }
        assert!(newest < backlog.micros(), "a moment is offered that is not archived yet");
    }
    reached(&world, within).await;
    // However late it was stored.
    world.vault.stored_later(Duration::from_secs(3600));
    for (until, rows) in [(before, 20), (backlog, 40), (within, 200)] {
        let (restored, _) = world.restore(until, true).await;
        assert_eq!(lines(&restored).await, (0..rows).collect::<Vec<_>>());
    }
    archiving.stop().await;
}

/// Says that a restore went well where everything that it takes was sent; and asks no server.
struct Takes(Arc<Desk>, bool, AtomicI64);

#[async_trait::async_trait]
impl Prover for Takes {
    async fn prove(&self, from: &From) -> Result<Proof, ApiError> {
        let dir = tempfile::TempDir::new().unwrap();
        for name in ["data", "wal"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let seeds = Directory(dir.path().to_owned());
        let sent = restore::send(&self.0, from, (&seeds, "jkt-a", "scratch")).await?;
        assert!(from.backup.as_deref() == Some(sent.backup.as_str()));
        match self.1 {
            true => Ok(Proof { databases: u64::from(sent.files), ..Proof::default() }),
            false => Err(ApiError::internal("the server does not start")),
        }
    }

    async fn sweep(&self) -> Result<(), ApiError> {
        self.2.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_restore_test_is_on_record_whether_it_went_well_or_not() {
    let world = World::new("").await;
    let archiving = world.archive();
    world.back_up(1).await;
    insert(&world.server.client().await, 0..10).await;
    for (works, outcome) in [(true, "OK"), (false, "InternalError")] {
        let takes = Arc::new(Takes(Arc::clone(&world.desk), works, AtomicI64::new(0)));
        world.test_restores(Arc::clone(&takes) as Arc<dyn Prover>, outcome).await;
        assert_eq!(takes.2.load(Ordering::SeqCst), 1, "a start looks for what a crash left, once");
    }
    archiving.stop().await;
}
