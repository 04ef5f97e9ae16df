//! What the archive holds, byte for byte, and what goes of it.
#![allow(clippy::print_stdout, reason = "the figures are part of what a test shows")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::RequestId;
use engine::task::Runner;
use engine::{Caller, Cx, Meta, RequestInfo, Session};
use rds::backup::{schedule, wal};
use rds::testing;
use tokio_postgres::Client;

use crate::backup_world::{INSTANCE, World};

async fn fill(client: &Client, segments: u32) {
    for _ in 0..segments {
        let sql = "INSERT INTO line (id)
            SELECT (SELECT coalesce(max(id), 0) FROM line) + g FROM generate_series(1, 5000) g";
        client.batch_execute(sql).await.unwrap();
        client.batch_execute("SELECT pg_switch_wal()").await.unwrap();
    }
}

fn is_segment(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.len() == 24)
}

fn is_piece(key: &str) -> bool {
    key.contains("/wal/") && key.rsplit('/').next().is_some_and(|name| name.len() == 16)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compacted_segment_is_the_servers_own_byte_for_byte_and_its_pieces_are_gone() {
    let world = World::new("wal_keep_size = 1GB\n").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    world.back_up(1).await;
    fill(&client, 4).await;
    world.caught_up(&client).await;
    let until = Instant::now() + Duration::from_secs(30);
    let segments = loop {
        let keys = world.vault.keys();
        let found: Vec<_> = keys.into_iter().filter(|key| is_segment(key)).collect();
        if found.len() >= 4 {
            break found;
        }
        assert!(Instant::now() < until, "nothing is compacted: {:?}", world.vault.keys());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    archiving.stop().await;
    for key in &segments {
        let name = key.rsplit('/').next().unwrap();
        let own = std::fs::read(world.server.data().join("pg_wal").join(name)).unwrap();
        let kept = wal::unpack(&world.vault.bytes(key).unwrap(), wal::SEGMENT).unwrap();
        assert!(own == kept, "{name} is another");
    }
    let pieces = world.vault.keys().into_iter().filter(|key| is_piece(key)).count();
    assert!(pieces <= 4, "only the last segment is in pieces: {pieces}");
    // The bill says what there is.
    let rows = "SELECT CAST((SELECT SUM(bytes) FROM rds_wal) + (SELECT SUM(bytes) FROM rds_backup) AS BIGINT)";
    let level = "SELECT quantity FROM usage_level WHERE meter = 'rds.backup_bytes'";
    let total = i64::try_from(world.vault.total()).unwrap();
    assert_eq!(world.number(rows).await, total);
    assert_eq!(world.number(level).await, total);
    println!("{} segments compared", segments.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_the_server_lost_is_a_gap_and_makes_a_new_backup() {
    let world = World::new("max_wal_size = 32MB\nmin_wal_size = 32MB\n").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    world.back_up(1).await;
    world.caught_up(&client).await;
    archiving.stop().await;
    let until = Instant::now() + Duration::from_secs(30);
    while client.batch_execute("SELECT pg_drop_replication_slot('awan_archive')").await.is_err() {
        assert!(Instant::now() < until, "the slot is not let go");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for _ in 0..8 {
        fill(&client, 1).await;
        client.batch_execute("CHECKPOINT").await.unwrap();
    }
    let archiving = world.archive();
    world.back_up(2).await;
    world.caught_up(&client).await;
    let spans = world.number("SELECT COUNT(*) FROM rds_wal").await;
    assert!(spans >= 2, "{spans} spans: there is no gap between what was lost and what is new");
    archiving.stop().await;
}

const ACCOUNT_ROW: &str =
    "INSERT INTO rds_account (instance, name, kind, status, description, verifier, wanted, created)
     VALUES ('pgm-backuptest', 'app', 'Super', 'Available', '', x'00', 1, 1)";

const CLONE_ROW: &str = "INSERT INTO rds_instance (id, account, region, engine, major, class, storage_gib, category,
        data_class, parent, status, wanted, generation, settled, restarts, term, name, origin, options, secrets, created)
    VALUES ('pgm-clone', 1000000000000001, 'ap-southeast-5', 'PostgreSQL', '15', 'pg.n2.1c.1m', 20, 'Basic', 'internal',
        NULL, 'Restoring', 'running', 1, 0, 0, 1, 'clone',
        '{\"Archive\":{\"instance\":\"pgm-backuptest\",\"backup\":null,\"until\":null}}', '{}', x'00', 1)";

/// Makes everything older by so many days.
async fn age(world: &World) {
    const AGE: &str =
        "UPDATE rds_backup SET started = started - 864000000000, ended = ended - 864000000000";
    world.execute(AGE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_shortened_again_and_again_while_the_archive_goes_on() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    world.back_up(1).await;
    let mut begin = 0;
    for round in 1..=3 {
        fill(&client, 3).await;
        world.caught_up(&client).await;
        age(&world).await;
        world.back_up(2).await;
        age(&world).await;
        schedule::tidy(&world.desk).await.unwrap();
        fill(&client, 1).await;
        world.caught_up(&client).await;
        let shorter = world.number("SELECT MIN(start_lsn) FROM rds_wal").await;
        assert!(shorter > begin, "nothing went in round {round}: {shorter}");
        begin = shorter;
        assert_eq!(world.number("SELECT COUNT(*) FROM rds_wal").await, 1, "it is one span");
        assert_eq!(world.number("SELECT COUNT(*) FROM rds_backup").await, 1);
    }
    archiving.stop().await;
    schedule::tidy(&world.desk).await.unwrap();
    let total = i64::try_from(world.vault.total()).unwrap();
    let level = "SELECT quantity FROM usage_level WHERE meter = 'rds.backup_bytes'";
    assert_eq!(world.number(level).await, total, "what is billed is what is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_goes_with_everything_and_its_bill() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    // A backup that began before the log is kept would be followed by another.
    world.caught_up(&client).await;
    world.back_up(1).await;
    fill(&client, 2).await;
    world.caught_up(&client).await;
    archiving.stop().await;
    schedule::tidy(&world.desk).await.unwrap();
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_backup").await, 1, "nothing is old yet");
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_wal").await, 1);

    world.execute("UPDATE rds_instance SET options = '{\"released_keep_policy\":\"All\"}'").await;
    world.execute(ACCOUNT_ROW).await;
    testing::release(&world.desk.cloud, INSTANCE).await.unwrap();
    let before = world.vault.keys();
    schedule::tidy(&world.desk).await.unwrap();
    assert_eq!(world.vault.keys(), before, "all of it is kept for as long as the policy says");
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_account").await, 1);

    world.execute("UPDATE rds_released SET until = 1").await;
    // Who is being made of it needs it still.
    world.execute(CLONE_ROW).await;
    schedule::tidy(&world.desk).await.unwrap();
    assert_eq!(world.vault.keys(), before, "nothing goes from under a restore");
    world.execute("DELETE FROM rds_instance").await;
    schedule::tidy(&world.desk).await.unwrap();
    let left = world.vault.keys();
    assert!(left.is_empty(), "{left:?}");
    for table in [
        "SELECT COUNT(*) FROM rds_account",
        "SELECT COUNT(*) FROM rds_backup",
        "SELECT COUNT(*) FROM rds_wal",
        "SELECT COUNT(*) FROM rds_released",
        "SELECT quantity FROM usage_level WHERE meter = 'rds.backup_bytes'",
    ] {
        assert_eq!(world.number(table).await, 0, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_removed_is_billed_no_more_whichever_region_it_was_in() {
    let world = World::new("").await;
    world.execute("UPDATE rds_instance SET region = 'ap-southeast-1'").await;
    world.back_up(1).await;
    let billed =
        "SELECT COUNT(*) FROM usage_level WHERE meter = 'rds.backup_bytes' AND quantity <> 0";
    assert_eq!(world.number(billed).await, 1);
    let id = world.number("SELECT CAST(id AS BIGINT) FROM rds_backup").await.to_string();
    let cloud = &world.desk.cloud;
    let request = RequestInfo { id: RequestId::random(&*cloud.rng), ..RequestInfo::default() };
    let meta = Meta::write("rds", "2014-08-15", "DeleteBackup");
    let session = Arc::new(Session { meta, caller: Caller::system(), request });
    let remove = move |cx: &mut Cx<'_>| {
        cx.authorize("acs:rds:*:*:backup")?;
        let now = cx.now;
        cx.spawn(schedule::REMOVAL, id.clone(), "null", now);
        Ok(())
    };
    cloud.write(session, remove).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let removal = schedule::Removal::new(Arc::clone(&world.desk));
    let running = tokio::spawn(Runner::new(Arc::clone(cloud)).with(removal).run(stopped));
    let until = Instant::now() + Duration::from_secs(30);
    while world.number("SELECT COUNT(*) FROM rds_backup").await > 0 {
        assert!(Instant::now() < until, "it is not removed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send_replace(true);
    running.await.unwrap();
    assert_eq!(world.number(billed).await, 0);
    assert_eq!(world.vault.keys(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_archive_is_switched_off_the_server_keeps_its_log_for_nobody() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    let slots = async || {
        let sql = "SELECT count(*) FROM pg_replication_slots";
        client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
    };
    let until = Instant::now() + Duration::from_secs(30);
    while slots().await == 0 {
        assert!(Instant::now() < until, "no slot");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    world.execute("UPDATE rds_instance SET options = '{\"backup\":{\"log\":false}}'").await;
    while slots().await > 0 {
        assert!(Instant::now() < until, "the slot stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    archiving.stop().await;
}
