//! A disk that takes no more bytes: full, then read-only, then well again, all without a restart.
//!
//! The disk is a small one in memory, which only root may mount: the test runs itself again in a name space
//! in which it is root. Where the system does not allow that, nothing is tested, and the test says so.
#![allow(clippy::disallowed_methods, reason = "mounting a disk is other programs' business")]

use std::path::Path;
use std::process::Command;

use oss::Limits;
use tempfile::TempDir;

use crate::harness::{BUCKET, OWNER, World, noise, root};

/// Says to the inner run that it is one.
const INSIDE: &str = "AWAN_TEST_DISK_FULL";

fn mount(arguments: &[&str], at: &Path) {
    let status = Command::new("mount").args(arguments).arg(at).status().unwrap();
    assert!(status.success(), "mount {arguments:?}");
}

#[test]
#[expect(clippy::print_stderr, reason = "who runs it is to know that it tested nothing")]
fn a_full_or_read_only_disk_refuses_writes_and_nothing_else() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let space = ["--user", "--map-root-user", "--mount"];
    let probe = Command::new("unshare")
        .args(space)
        .args(["sh", "-c", "mount -t tmpfs -o size=1m none /mnt"])
        .output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        eprintln!("not tested: this system lets nobody but root mount a disk");
        return;
    }
    let name = "diskfull::a_full_or_read_only_disk_refuses_writes_and_nothing_else";
    let mut run = Command::new("unshare");
    run.args(space).arg(std::env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]);
    let output = run.env(INSIDE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}

/// Stores until the disk refuses; says how many were stored from `first` on.
async fn fill(world: &World, first: u64) -> u64 {
    for at in first..first + 1000 {
        match world
            .put_as(&root(OWNER), &at.to_string(), &noise(300_000, at), Default::default())
            .await
        {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.code(), error.status()), ("InsufficientStorage", 507));
                return at;
            }
        }
    }
    panic!("the disk never refused")
}

async fn assert_all(world: &World, count: u64) {
    for at in 0..count {
        assert!(world.get(&at.to_string()).await.unwrap() == noise(300_000, at), "{at}");
    }
    assert_eq!(world.get(&count.to_string()).await, Err("NoSuchKey".to_owned()));
    let stat = world.number("SELECT bytes FROM oss_bucket_stat").await;
    assert_eq!(stat, world.live().await);
    assert_eq!(world.number("SELECT objects FROM oss_bucket_stat").await, count.cast_signed());
}

fn inside() {
    let dir = TempDir::new().unwrap();
    let disk = dir.path().join("oss");
    std::fs::create_dir(&disk).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=8m", "none"], &disk);
    let limits = Limits { segment_bytes_max: 2 << 20, disk_reserve_bytes: 0, ..Limits::default() };
    let world = World::at(dir, limits);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        world.oss.create_bucket(&root(OWNER), BUCKET, Default::default()).await.unwrap();
        let full = fill(&world, 0).await;
        assert!(full > 20, "{full} objects are all that it took");
        assert_all(&world, full).await;
        mount(&["-o", "remount,size=32m"], &disk);
        let more = full + 10;
        for at in full..more {
            world.put(&at.to_string(), &noise(300_000, at)).await;
        }
        assert_all(&world, more).await;

        // What is open stays open for writing; nothing new can be made.
        mount(&["--bind", disk.to_str().unwrap()], &disk);
        mount(&["-o", "remount,bind,ro"], &disk);
        let read_only = fill(&world, more).await;
        assert_all(&world, read_only).await;
        assert!(Command::new("umount").arg(&disk).status().unwrap().success());
        for at in read_only..read_only + 10 {
            world.put(&at.to_string(), &noise(300_000, at)).await;
        }
        world.oss.reclaim().await.unwrap();
        let world = world.crash().await;
        assert_all(&world, read_only + 10).await;
        assert_eq!(world.oss.scrub().await.unwrap().damaged, 0);
        assert!(Command::new("umount").args(["--lazy"]).arg(&disk).status().unwrap().success());
    });
}
