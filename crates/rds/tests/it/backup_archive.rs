//! What the archive holds, byte for byte, and what goes of it.
#![allow(clippy::print_stdout, reason = "the figures are part of what a test shows")]

use std::time::{Duration, Instant};

use rds::backup::{schedule, wal};
use tokio_postgres::Client;

use crate::backup_world::World;

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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_released_goes_with_everything_and_its_bill() {
    let world = World::new("").await;
    let client = world.server.client().await;
    let archiving = world.archive();
    world.back_up(1).await;
    fill(&client, 2).await;
    world.caught_up(&client).await;
    archiving.stop().await;
    schedule::tidy(&world.desk).await.unwrap();
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_backup").await, 1, "nothing is old yet");
    assert_eq!(world.number("SELECT COUNT(*) FROM rds_wal").await, 1);

    world.execute("DELETE FROM rds_instance").await;
    world
        .execute(
            "INSERT INTO rds_released (instance, account, until, facts)
             VALUES ('pgm-backuptest', 1000000000000001, 1,
                 '{\"policy\":\"All\",\"region\":\"ap-southeast-5\",\"data_class\":\"internal\"}')",
        )
        .await;
    schedule::tidy(&world.desk).await.unwrap();
    let left: Vec<_> =
        world.vault.keys().into_iter().filter(|key| !key.ends_with(".history")).collect();
    assert!(left.is_empty(), "{left:?}");
    for table in [
        "SELECT COUNT(*) FROM rds_backup",
        "SELECT COUNT(*) FROM rds_wal",
        "SELECT COUNT(*) FROM rds_released",
        "SELECT quantity FROM usage_level WHERE meter = 'rds.backup_bytes'",
    ] {
        assert_eq!(world.number(table).await, 0, "{table}");
    }
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
