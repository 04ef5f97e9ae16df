//! Buckets in several zones: a copy in each, whatever happens to one of them.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use oss::{CreateBucket, DeleteKey, Fetched, GetOptions, Limits, PutOptions, Redundancy, Whole};

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};

const MIB: usize = 1 << 20;
pub const ZONED: &str = "zoned";

fn small() -> Limits {
    Limits { segment_bytes_max: 4 << 20, ..Limits::default() }
}

pub fn home(dir: &Path) -> PathBuf {
    dir.join("oss/segments")
}

pub fn mirror(dir: &Path) -> PathBuf {
    dir.join("oss/mirror/jkt-2/segments")
}

/// Name and bytes of every segment in a directory, the oldest first, empty ones left out.
pub fn segments(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        })
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    let number = |name: &str| name.strip_suffix(".seg").unwrap().parse::<u32>().unwrap();
    found.sort_by_key(|(name, _)| number(name));
    found
}

/// Both data centres have the same files, but for those of buckets in one zone.
fn assert_alike(dir: &Path) {
    let (first, further) = (segments(&home(dir)), segments(&mirror(dir)));
    assert!(!further.is_empty(), "there is nothing in the second zone");
    for (name, bytes) in &further {
        let same = first.iter().find(|(other, _)| other == name);
        assert!(same.is_some_and(|(_, other)| other == bytes), "{name} differs");
    }
}

fn remove_segments(dir: &Path) {
    for (name, _) in segments(dir) {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
}

pub async fn zoned(world: &World) {
    let options = CreateBucket { redundancy: Redundancy::Zones, ..CreateBucket::default() };
    world.bucket(ZONED, options).await.unwrap();
}

pub async fn put(world: &World, key: &str, body: Vec<u8>) {
    let options = PutOptions::default();
    world.oss.put(&root(OWNER), ZONED, key, options, Whole::new(body)).await.unwrap();
}

pub async fn get(world: &World, key: &str) -> Result<Vec<u8>, String> {
    let fetched = world.oss.get(&root(OWNER), ZONED, key, GetOptions::default()).await;
    let Fetched::Found { mut body, .. } = fetched.map_err(|error| error.code().to_owned())? else {
        panic!("there were no conditions")
    };
    let mut bytes = Vec::new();
    while let Some(next) = body.next().await {
        bytes.extend_from_slice(&next.map_err(|error| error.code().to_owned())?);
    }
    Ok(bytes)
}

pub async fn delete(world: &World, key: &str) {
    let key = DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
    world.oss.delete(&root(OWNER), ZONED, key).await.unwrap();
}

async fn assert_all(world: &World, keys: std::ops::Range<u64>) {
    for at in keys {
        assert!(get(world, &at.to_string()).await.unwrap() == noise(400_000, at), "{at}");
    }
}

async fn fill(world: &World) {
    zoned(world).await;
    for at in 0..30 {
        put(world, &at.to_string(), noise(400_000, at)).await;
    }
}

#[test]
fn what_is_acknowledged_is_in_both_zones_and_other_buckets_are_not() {
    check(small(), |world| async move {
        fill(&world).await;
        world.put("single", &noise(400_000, 99)).await;
        assert_alike(world.dir.path());
        let (first, further) =
            (segments(&home(world.dir.path())), segments(&mirror(world.dir.path())));
        assert_eq!(first.len(), further.len() + 1, "one is of the bucket in one zone");
        let total: usize = further.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(total, 30 * (400_000 + 32), "a salt and a tag go with each extent");
    });
}

#[test]
fn a_crash_leaves_both_copies_alike_and_leaks_nothing() {
    check(small(), |mut world| async move {
        zoned(&world).await;
        for round in 0..4_u64 {
            let body = noise(400_000, round);
            put(&world, &round.to_string(), body).await;
            for end in [End::Broken, End::Refused] {
                let source = Pieces::new(&noise(2 * MIB + 77, 3), 50_000, end);
                let options = PutOptions::default();
                world.oss.put(&root(OWNER), ZONED, "lost", options, source).await.unwrap_err();
            }
            put(&world, "last", noise(500, round)).await;
            // One disk has more of what nobody committed than the other.
            world = world
                .crash_and(move |dir| {
                    let dir = if round % 2 == 0 { home(dir) } else { mirror(dir) };
                    let (name, bytes) = segments(&dir).pop().unwrap();
                    let file = OpenOptions::new().write(true).open(dir.join(name)).unwrap();
                    file.write_all_at(&noise(5000, 9), bytes.len() as u64).unwrap();
                })
                .await;
            assert_alike(world.dir.path());
            assert_all(&world, 0..round + 1).await;
            assert_eq!(get(&world, "last").await.unwrap(), noise(500, round));
            assert_eq!(get(&world, "lost").await, Err("NoSuchKey".to_owned()));
        }
        world.oss.reclaim().await.unwrap();
        let live = u64::try_from(world.live().await).unwrap();
        let space = world.oss.space().await.unwrap();
        assert!(space.allocated >= 2 * live, "{space:?} for two copies of {live}");
        assert!(space.allocated <= 2 * live + 16_384 * (space.files + 2), "{space:?}, {live}");
        assert_alike(world.dir.path());
    });
}

#[test]
fn a_copy_that_was_lost_is_read_around_and_made_anew() {
    for lost in [home as fn(&Path) -> PathBuf, mirror] {
        check(small(), move |world| async move {
            fill(&world).await;
            for at in 10..14 {
                delete(&world, &at.to_string()).await;
            }
            world.oss.reclaim().await.unwrap();
            let world = world.crash().await;
            let before = segments(&mirror(world.dir.path()));
            remove_segments(&lost(world.dir.path()));
            assert_all(&world, 0..10).await;
            assert_all(&world, 14..30).await;
            assert_eq!(world.oss.repair().await.unwrap(), before.len());
            assert_alike(world.dir.path());
            assert_eq!(segments(&mirror(world.dir.path())), before);
            assert_eq!(world.oss.repair().await.unwrap(), 0);
            let live = u64::try_from(world.live().await).unwrap();
            let space = world.oss.space().await.unwrap();
            assert!(space.allocated <= 2 * live + 100_000 * space.files, "holes stay holes");
            // And the new copies are as good as the old ones.
            let other = if lost(Path::new("")) == home(Path::new("")) { mirror } else { home };
            remove_segments(&other(world.dir.path()));
            let world = world.crash().await;
            assert_all(&world, 0..10).await;
            assert_all(&world, 14..30).await;
        });
    }
}

#[test]
fn a_copy_of_an_open_segment_that_was_lost_is_made_anew_at_the_start() {
    for lost in [home as fn(&Path) -> PathBuf, mirror] {
        check(Limits::default(), move |world| async move {
            fill(&world).await;
            let world = world.crash_and(move |dir| remove_segments(&lost(dir))).await;
            assert_alike(world.dir.path());
            assert_all(&world, 0..30).await;
        });
    }
}

#[test]
fn a_lost_copy_of_a_segment_in_use_ends_its_use() {
    check(Limits::default(), |world| async move {
        fill(&world).await;
        std::fs::remove_dir_all(world.dir.path().join("oss/mirror")).unwrap();
        world.oss.repair().await.unwrap();
        assert_alike(world.dir.path());
        put(&world, "30", noise(400_000, 30)).await;
        assert_eq!(segments(&mirror(world.dir.path())).len(), 2);
        let world = world.crash_and(|dir| remove_segments(&home(dir))).await;
        assert_all(&world, 0..31).await;
    });
}

#[test]
fn a_damaged_copy_is_read_around_and_mended() {
    for hit in [home as fn(&Path) -> PathBuf, mirror] {
        check(Limits::default(), move |world| async move {
            zoned(&world).await;
            put(&world, "0", noise(400_000, 0)).await;
            put(&world, "big", noise(3 * MIB, 7)).await;
            let flip = |dir: &Path, at: u64| {
                let (name, bytes) = segments(dir).pop().unwrap();
                let file = OpenOptions::new().write(true).open(dir.join(name)).unwrap();
                let byte = bytes[usize::try_from(at).unwrap()] ^ 0x10;
                file.write_all_at(&[byte], at).unwrap();
            };
            flip(&hit(world.dir.path()), 400_000 + 2 * MIB as u64 + 5);
            assert!(get(&world, "big").await.unwrap() == noise(3 * MIB, 7));
            if hit(Path::new("")) == home(Path::new("")) {
                assert_alike(world.dir.path());
            }
            // In both: there is no way round it, and nothing damaged leaves.
            flip(&mirror(world.dir.path()), 1);
            flip(&home(world.dir.path()), 1);
            assert_eq!(get(&world, "0").await, Err("InternalError".to_owned()));
        });
    }
}

#[test]
fn what_is_deleted_is_given_back_in_both_zones() {
    check(small(), |world| async move {
        fill(&world).await;
        for at in 0..30 {
            delete(&world, &at.to_string()).await;
        }
        world.oss.reclaim().await.unwrap();
        world.oss.delete_bucket(&root(OWNER), ZONED, false).await.unwrap();
        let space = world.oss.space().await.unwrap();
        assert!(space.allocated <= 4 * 16_384, "{space:?}");
        let world = world.crash().await;
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.oss.space().await.unwrap().allocated, 0);
        assert_eq!(std::fs::read_dir(mirror(world.dir.path())).unwrap().count(), 0);
        for table in [
            "SELECT COUNT(*) FROM oss_mirror",
            "SELECT COUNT(*) FROM oss_segment",
            "SELECT COUNT(*) FROM oss_hole",
        ] {
            assert_eq!(world.number(table).await, 0, "{table}");
        }
    });
}

#[test]
fn a_put_that_one_zone_cannot_take_is_refused() {
    check(small(), |world| async move {
        zoned(&world).await;
        // A file where a directory is to be.
        std::fs::write(world.dir.path().join("oss/mirror"), b"").unwrap();
        let options = PutOptions::default();
        let put = world.oss.put(&root(OWNER), ZONED, "k", options, Whole::new("x")).await;
        assert_eq!(put.unwrap_err().status(), 500);
        assert_eq!(get(&world, "k").await, Err("NoSuchKey".to_owned()));
        world.put("single", b"x").await;
        assert_eq!(world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1.objects, 1);
        std::fs::remove_file(world.dir.path().join("oss/mirror")).unwrap();
        super::mirror::put(&world, "k", b"x".to_vec()).await;
        assert_eq!(get(&world, "k").await.unwrap(), b"x");
    });
}
