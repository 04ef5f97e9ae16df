//! An instance from a backup that is sent to it.
#![allow(clippy::disallowed_methods, reason = "tests run pg_basebackup")]

use std::io::{Cursor, Write};
use std::process::Command;

use rds::node::api::{Observed, Phase, Seed};
use rds::node::stream::decompressed;

use crate::node_lab::{Lab, PROGRAMS, ask, spec};

/// A backup as tar in LZ4 frames, and the segments of the log that belong to it.
fn backup(of: &Observed, at: &std::path::Path) -> Vec<u8> {
    let output = Command::new(format!("{PROGRAMS}/pg_basebackup"))
        .env("PGPASSWORD", "replicator-password")
        .env("PGSSLMODE", "require")
        .args(["-Ft", "-X", "fetch", "--checkpoint=fast", "--no-sync", "-U", "awan_replicator"])
        .args(["-h", &of.host, "-p", &of.port.to_string(), "-D"])
        .arg(at)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    compressed(&std::fs::read(at.join("base.tar")).unwrap())
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sent_backup_becomes_an_instance_with_an_identity_of_its_own() {
    let lab = Lab::new();
    let from = lab.serve(&spec("pgm-source")).await;
    ask(&from, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS x");
    let work = tempfile::tempdir().unwrap();
    let tar = backup(&from, work.path());
    ask(&from, "INSERT INTO t VALUES (2000)");

    let mut new = spec("pgm-restored");
    new.seed = Seed::Sent { until: None, complete: false };
    let waiting = lab.put(&new).await;
    assert_eq!((waiting.phase, waiting.generation), (Phase::Seeding, 0), "{waiting:?}");
    let keeper = lab.node.keeper("pgm-restored").unwrap();
    let nonsense = keeper.seed(decompressed(Box::new(Cursor::new(compressed(b"no tar"))))).await;
    assert!(nonsense.is_err());
    keeper.seed(decompressed(Box::new(Cursor::new(tar)))).await.unwrap();
    let stray = keeper.keep_log("../evil", Box::new(Cursor::new(Vec::new()))).await;
    assert!(stray.is_err());
    (new.generation, new.seed) = (2, Seed::Sent { until: None, complete: true });
    let it = lab.serve(&new).await;
    assert_eq!(ask(&it, "SELECT count(*), max(x) FROM t"), "1000|1000");
    assert!(it.writable);
    assert_ne!(it.system_identifier, from.system_identifier);
    assert!(keeper.seed(Box::new(Cursor::new(Vec::new()))).await.is_err(), "it has its data");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_ends_at_the_moment_that_is_asked_for() {
    let lab = Lab::new();
    let from = lab.serve(&spec("pgm-then")).await;
    ask(&from, "CREATE TABLE t (x int)");
    let work = tempfile::tempdir().unwrap();
    let tar = backup(&from, work.path());
    let micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8";
    ask(&from, "INSERT INTO t VALUES (1)");
    let until: i64 = ask(&from, micros).parse().unwrap();
    ask(&from, "INSERT INTO t VALUES (2)");
    let later: i64 = ask(&from, micros).parse::<i64>().unwrap() + 60_000_000;
    let data = lab.dir.path().join("instances/pgm-then/data/pg_wal");
    for (id, until, rows) in [("pgm-exact", until, "1"), ("pgm-all", later, "2")] {
        let mut new = spec(id);
        new.seed = Seed::Sent { until: Some(until), complete: false };
        lab.put(&new).await;
        let keeper = lab.node.keeper(id).unwrap();
        keeper.seed(decompressed(Box::new(Cursor::new(tar.clone())))).await.unwrap();
        for entry in std::fs::read_dir(&data).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                let mut bytes = std::fs::read(entry.path()).unwrap();
                // The end of the last one is zeros: it is sent in part.
                bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(8192, |at| at + 1));
                let sent = Box::new(Cursor::new(compressed(&bytes)));
                keeper.keep_log(&name, decompressed(sent)).await.unwrap();
            }
        }
        (new.generation, new.seed) = (2, Seed::Sent { until: Some(until), complete: true });
        let it = lab.serve(&new).await;
        assert_eq!(ask(&it, "SELECT max(x) FROM t"), rows, "{id}");
    }
    lab.end().await;
}
