//! Data centres with disks of their own: bytes go there, stay where they were before, and are made anew where
//! a disk is lost for good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oss::{Limits, Options, Oss, PutOptions, Whole};
use tempfile::TempDir;

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};
use crate::mirror::{ZONED, get, put, zoned};

fn limits() -> Limits {
    Limits { segment_bytes_max: 2 << 20, ..Limits::default() }
}

fn on(disks: BTreeMap<String, PathBuf>) -> Options {
    Options { disks, ..limits().into() }
}

fn segments(dir: &Path) -> usize {
    std::fs::read_dir(dir).map_or(0, |files| {
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some()).count()
    })
}

/// The same world, with disks from now on.
async fn reopen(world: World, disks: &BTreeMap<String, PathBuf>) -> Result<World, base::ApiError> {
    reopen_with(world, on(disks.clone())).await
}

/// The same world, with other options from now on.
pub async fn reopen_with(mut world: World, options: Options) -> Result<World, base::ApiError> {
    let cloud = Arc::clone(&world.cloud);
    let opened = tokio::task::spawn_blocking(move || Oss::open_with(cloud, options)).await.unwrap();
    world.oss = opened?;
    Ok(world)
}

#[test]
fn each_data_centre_has_its_bytes_on_its_own_disk_and_a_lost_one_is_made_anew() {
    check(limits(), |world| async move {
        zoned(&world).await;
        put(&world, "before", noise(300_000, 1)).await;
        world.put("before", &noise(300_000, 2)).await;
        let home = TempDir::new().unwrap();
        let path = |site: &str| home.path().join(site);
        let disks: BTreeMap<_, _> =
            ["jkt-1", "jkt-2"].map(|site| (site.to_owned(), path(site))).into();
        std::fs::create_dir(path("jkt-1")).unwrap();
        std::fs::create_dir(path("jkt-2")).unwrap();

        let mut world = reopen(world, &disks).await.unwrap();
        for at in 0..20 {
            put(&world, &at.to_string(), noise(300_000, at)).await;
            world.put(&at.to_string(), &noise(300_000, 100 + at)).await;
        }
        let (one, two) = (path("jkt-1").join("segments"), path("jkt-2").join("mirror"));
        assert!(segments(&one) > 4 && segments(&two) > 2, "bytes are on the disks");
        let shared = segments(&world.dir.path().join("oss/segments"));

        // Lost for good: an empty one in its place is refused until somebody says that it is meant.
        let mark = std::fs::read(path("jkt-2").join("awan-site")).unwrap();
        std::fs::remove_dir_all(path("jkt-2")).unwrap();
        std::fs::create_dir(path("jkt-2")).unwrap();
        let cloud = Arc::clone(&world.cloud);
        let same = disks.clone();
        let refused = tokio::task::spawn_blocking(move || Oss::open_with(cloud, on(same)).err());
        assert!(refused.await.unwrap().unwrap().to_string().contains("mount it"));
        std::fs::write(path("jkt-2").join("awan-site"), &mark).unwrap();
        world = reopen(world, &disks).await.unwrap();
        world.oss.repair().await.unwrap();
        assert!(segments(&two) > 2, "made anew");
        assert_eq!(segments(&world.dir.path().join("oss/segments")), shared, "nothing moved");

        for at in 0..20 {
            assert!(get(&world, &at.to_string()).await.unwrap() == noise(300_000, at), "{at}");
            assert!(world.get(&at.to_string()).await.unwrap() == noise(300_000, 100 + at), "{at}");
        }
        assert!(get(&world, "before").await.unwrap() == noise(300_000, 1));
        assert!(world.get("before").await.unwrap() == noise(300_000, 2));
        let report = world.oss.scrub().await.unwrap();
        assert_eq!((report.damaged, report.lost), (0, 0));

        // The disk of a single copy's data centre matters too.
        std::fs::rename(path("jkt-1"), path("away")).unwrap();
        std::fs::create_dir(path("jkt-1")).unwrap();
        let cloud = Arc::clone(&world.cloud);
        let refused = tokio::task::spawn_blocking(move || Oss::open_with(cloud, on(disks)).err());
        assert!(refused.await.unwrap().is_some());
    });
}

#[test]
fn a_body_that_would_use_the_reserve_is_refused_and_deleting_goes_on() {
    check(Limits::default(), |mut world| async move {
        world.put("there", b"before").await;
        let limits = Limits { disk_reserve_bytes: 1 << 60, ..Limits::default() };
        let cloud = Arc::clone(&world.cloud);
        world.oss =
            tokio::task::spawn_blocking(move || Oss::open_with(cloud, limits.into()).unwrap())
                .await
                .unwrap();
        let owner = crate::harness::root(crate::harness::OWNER);
        let refused = world.put_as(&owner, "new", b"more", Default::default()).await.unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("InsufficientStorage", 507));
        assert_eq!(world.get("there").await.unwrap(), b"before");
        let gone = oss::DeleteKey { key: "there".to_owned(), ..Default::default() };
        world.oss.delete(&owner, crate::harness::BUCKET, gone).await.unwrap();
    });
}

#[test]
fn nothing_is_made_below_the_mount_point_of_a_disk_that_went_away() {
    check(limits(), |world| async move {
        zoned(&world).await;
        let home = TempDir::new().unwrap();
        let (disk, away) = (home.path().join("jkt-2"), home.path().join("away"));
        std::fs::create_dir(&disk).unwrap();
        let disks = BTreeMap::from([("jkt-2".to_owned(), disk.clone())]);
        let world = reopen(world, &disks).await.unwrap();
        std::fs::rename(&disk, &away).unwrap();
        std::fs::create_dir(&disk).unwrap();
        let body = || Whole::new(noise(300_000, 1));
        let put = world.oss.put(&root(OWNER), ZONED, "k", PutOptions::default(), body()).await;
        assert_eq!(put.unwrap_err().status(), 500);
        let _ = world.oss.repair().await;
        assert_eq!(std::fs::read_dir(&disk).unwrap().count(), 0, "the mount point stays empty");
        std::fs::remove_dir(&disk).unwrap();
        std::fs::rename(&away, &disk).unwrap();
        let options = PutOptions::default();
        world.oss.put(&root(OWNER), ZONED, "k", options, body()).await.unwrap();
        assert!(get(&world, "k").await.unwrap() == noise(300_000, 1));
    });
}

#[test]
fn what_was_given_up_on_a_data_centres_own_disk_leaves_no_rows() {
    check(Limits::default(), |world| async move {
        let disk = TempDir::new().unwrap();
        let disks = BTreeMap::from([("jkt-1".to_owned(), disk.path().to_owned())]);
        let options = || Options { disks: disks.clone(), ..Limits::default().into() };
        let world = reopen_with(world, options()).await.unwrap();
        let source = Pieces::new(&noise(5 << 19, 9), 100_000, End::Broken);
        let put = world.oss.put(&root(OWNER), BUCKET, "k", PutOptions::default(), source).await;
        assert_eq!(put.unwrap_err().code(), "IncompleteBody");
        // The last piece may still be on its way to the disk.
        for _ in 0..1000 {
            world.oss.reclaim().await.unwrap();
            if world.number("SELECT COUNT(*) FROM oss_settled").await > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert!(world.number("SELECT COUNT(*) FROM oss_settled").await > 0);
        // As earlier programs left them; and of a segment that is lost with something alive in it.
        for sql in [
            "INSERT INTO oss_settled (segment, start, length) VALUES (77, 0, 100), (78, 0, 100)",
            "INSERT INTO oss_hole (segment, start, length) VALUES (77, 0, 100), (78, 0, 40)",
        ] {
            let insert = world.cloud.db.write(move |tx| tx.execute(sql, store::params![]));
            let _: u64 = insert.await.map_err(|error: store::Error| error).unwrap();
        }
        let world = reopen_with(world, options()).await.unwrap();
        world.oss.reclaim().await.unwrap();
        for (sql, left) in [
            ("SELECT COUNT(*) FROM oss_settled", 1),
            ("SELECT COUNT(*) FROM oss_hole", 1),
            ("SELECT COUNT(*) FROM oss_home", 0),
            ("SELECT COUNT(*) FROM oss_free", 0),
            ("SELECT COUNT(*) FROM oss_segment", 0),
        ] {
            assert_eq!(world.number(sql).await, left, "{sql}");
        }
        // What was alive is dead by now.
        let insert = "INSERT INTO oss_hole (segment, start, length) VALUES (78, 40, 60)";
        let insert = world.cloud.db.write(move |tx| tx.execute(insert, store::params![]));
        let _: u64 = insert.await.map_err(|error: store::Error| error).unwrap();
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_settled").await, 0);
    });
}
