//! The talk with a real server.

use std::sync::Arc;

use base::Secret;
use rds::backup::replication::message::Streamed;
use rds::backup::replication::{BaseBackup, Connection, Error, Next, Part, Target};
use rds::backup::wal::Lsn;

use crate::backup_world::{PASSWORD, World};

fn target(world: &World) -> Target {
    Target {
        host: "127.0.0.1".to_owned(),
        port: world.server.port,
        server_name: "backuptest.pg.rds.localhost".to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        tls: Arc::clone(&world.desk.tls),
        application: "test".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_servers_own_name_and_the_right_password_will_do() {
    let world = World::new("").await;
    Connection::open(&target(&world)).await.unwrap().close().await;
    let other = Target { server_name: "another.pg.rds.test".to_owned(), ..target(&world) };
    let refused = Connection::open(&other).await.err().unwrap();
    assert!(matches!(refused, Error::Tls(_)), "{refused}");
    let wrong = Target { password: Secret::new("wrong".to_owned()), ..target(&world) };
    let refused = Connection::open(&wrong).await.err().unwrap();
    assert!(matches!(&refused, Error::Server { code, .. } if code == "28P01"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_is_made_once_and_the_log_comes_from_where_it_is_asked_for() {
    let world = World::new("").await;
    let mut connection = Connection::open(&target(&world)).await.unwrap();
    let version = connection.version().split('.').next().unwrap();
    assert!(version.parse::<u32>().unwrap() >= 14, "{version}");
    let system = connection.identify().await.unwrap();
    assert_eq!(system.timeline, 1);
    let slot = connection.ensure_slot("one").await.unwrap();
    assert_eq!(connection.ensure_slot("one").await.unwrap(), slot);
    // 14 does not say from where it keeps its log.
    let from = slot.restart.unwrap_or(system.end).segment();
    assert!(connection.start("one", from, 1).await.unwrap());
    let mut next = from;
    while next < system.end {
        match connection.next().await.unwrap() {
            Next::Said(Streamed::Log { start, bytes, .. }) => {
                assert_eq!(start, next, "without a gap");
                next = next.plus(bytes.len());
            }
            Next::Said(Streamed::Alive { .. }) => {}
            Next::End => panic!("the timeline goes on"),
        }
    }
    drop(connection);
    let mut connection = Connection::open(&target(&world)).await.unwrap();
    let never = match connection.start("one", Lsn(0x0100_0000_0000), 1).await {
        Ok(_) => connection.next().await.err(),
        Err(error) => Some(error),
    };
    assert!(never.is_some(), "what was never written cannot be streamed");
    let mut connection = Connection::open(&target(&world)).await.unwrap();
    connection.drop_slot("none").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_backup_is_a_tar_and_its_manifest() {
    let world = World::new("").await;
    let connection = Connection::open(&target(&world)).await.unwrap();
    let mut backup = BaseBackup::begin(connection).await.unwrap();
    let (mut tar, mut manifest) = (Vec::new(), Vec::new());
    while let Some(part) = backup.next().await.unwrap() {
        match part {
            Part::Tar(bytes) => tar.extend_from_slice(&bytes),
            Part::Manifest(bytes) => manifest.extend_from_slice(&bytes),
        }
    }
    let end = backup.finish().await.unwrap();
    assert!(end.timeline == 1 && end.start < end.end, "{end:?}");
    let checked = rds::backup::manifest::check(&manifest, &tar[..]).unwrap();
    assert!(checked.files > 500 && checked.bytes > 10 << 20, "{checked:?}");
    let middle = tar.len() / 2;
    tar[middle] ^= 1;
    assert!(rds::backup::manifest::check(&manifest, &tar[..]).is_err(), "one bit is another");
}
