//! Power loss: what was not synced is gone, torn, zeroed or garbage; what was acknowledged is there.
//!
//! At each point the directory is copied as a power loss could leave it. The database is as of its last
//! commit (its log of writes included). In the segments, whatever no commit referred to when the power went
//! (bodies on their way, tails, gaps) is mistreated; that bytes are synced before their commit is the
//! premise here, not what is tested. `AWAN_TEST_POWER_LOSSES` is the number of points.
#![allow(clippy::disallowed_methods, reason = "a longer run is asked for by the environment")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use oss::{DeleteKey, InitiateOptions, Limits, PartOptions, PutOptions, Whole};
use store::params;
use tempfile::TempDir;

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};
use crate::mirror::{ZONED, get, put, zoned};

const PAGE: usize = 4096;

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Bodies by bucket and key: length and seed.
type Model = BTreeMap<(&'static str, String), (usize, u64)>;

/// Stores, overwrites or deletes an object, or leaves a body unfinished in the segments.
async fn step(world: &World, model: &mut Model, dice: &mut Dice, seed: u64) {
    let bucket = if dice.below(3) == 0 { ZONED } else { BUCKET };
    let key = dice.below(12).to_string();
    let len = match dice.below(8) {
        0 => 1_300_000,
        1..=3 => 70_000,
        _ => 700,
    } + usize::try_from(dice.below(999)).unwrap();
    let owner = root(OWNER);
    match dice.below(10) {
        0 | 1 => {
            let gone = DeleteKey { key: key.clone(), ..DeleteKey::default() };
            world.oss.delete(&owner, bucket, gone).await.unwrap();
            model.remove(&(bucket, key));
        }
        2 | 3 => {
            let body = Pieces::new(&noise(2_200_000, seed), 50_000, End::Silent);
            let oss = world.oss.clone();
            // It hangs there until the power goes.
            tokio::spawn(async move {
                oss.put(&root(OWNER), bucket, "unfinished", PutOptions::default(), body).await
            });
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
        }
        4 => {
            let options = InitiateOptions::default();
            let upload = world.oss.initiate(&owner, bucket, "part", options).await.unwrap();
            let (options, body) =
                (PartOptions { number: 1, ..PartOptions::default() }, Whole::new(noise(len, seed)));
            let target = (bucket, "part", upload.as_str());
            world.oss.upload_part(&owner, target, options, body).await.unwrap();
        }
        _ if bucket == ZONED => {
            put(world, &key, noise(len, seed)).await;
            model.insert((bucket, key), (len, seed));
        }
        _ => {
            world.put(&key, &noise(len, seed)).await;
            model.insert((bucket, key), (len, seed));
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else if !target.to_str().unwrap().ends_with("-shm") {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Ranges of each segment that a commit relied on; of a sealed one all of it.
async fn relied_on(world: &World) -> BTreeMap<u32, Vec<(u64, u64)>> {
    let rows = world.cloud.db.read(|tx| {
        tx.query(
            "SELECT segment, start, length FROM oss_settled UNION ALL SELECT id, 0, length FROM oss_segment",
            params![],
            |row| Ok((row.get::<u32>(0)?, row.get::<u64>(1)?, row.get::<u64>(2)?)),
        )
    });
    let mut ranges: BTreeMap<u32, Vec<(u64, u64)>> = BTreeMap::new();
    let rows: Result<Vec<(u32, u64, u64)>, store::Error> = rows.await;
    for (segment, start, len) in rows.unwrap() {
        ranges.entry(segment).or_default().push((start, start + len));
    }
    ranges
}

/// Does to the bytes of a segment that nothing relies on what a power loss may do to them.
fn maul(file: &Path, kept: &[(u64, u64)], dice: &mut Dice) {
    let before = fs::read(file).unwrap();
    let end = usize::try_from(kept.iter().map(|range| range.1).max().unwrap_or(0)).unwrap();
    let mut after = before.clone();
    let fate = dice.below(4);
    for page in 0..after.len().div_ceil(PAGE) {
        let range = page * PAGE..after.len().min((page + 1) * PAGE);
        match (fate, dice.below(3)) {
            (0, _) | (1, 0) => after[range].fill(0),
            (2, 0) => {
                let garbage = noise(range.len(), dice.below(u64::MAX >> 34));
                after[range].copy_from_slice(&garbage);
            }
            _ => {}
        }
    }
    for (start, end) in kept {
        let range = usize::try_from(*start).unwrap()..usize::try_from(*end).unwrap();
        after[range.clone()].copy_from_slice(&before[range]);
    }
    // The file's length is any between the synced one and the last one, or beyond it.
    let len = match dice.below(4) {
        0 => end,
        1 => end + (after.len() - end) / 2,
        2 => after.len(),
        _ => after.len() + PAGE + 5,
    };
    after.resize(len, 0);
    fs::write(file, after).unwrap();
}

fn maul_all(dir: &Path, kept: &BTreeMap<u32, Vec<(u64, u64)>>, dice: &mut Dice) {
    for entry in fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        let id: u32 = entry.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        maul(&entry, kept.get(&id).map_or(&[], Vec::as_slice), dice);
    }
}

/// Every object is what was acknowledged, nothing else is there, and the sums are those of the rows.
async fn assert_whole(world: &World, model: &Model, point: u64) {
    for ((bucket, key), (len, seed)) in model {
        let found = if *bucket == ZONED { get(world, key).await } else { world.get(key).await };
        assert!(found.unwrap() == noise(*len, *seed), "{bucket}/{key} at {point}");
    }
    let objects = world.number("SELECT COUNT(*) FROM oss_object").await;
    assert_eq!(objects, i64::try_from(model.len()).unwrap(), "at {point}");
    let live = world.live().await;
    for sum in [
        "SELECT CAST(SUM(bytes) AS BIGINT) FROM oss_bucket_stat",
        "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_level WHERE meter = 'oss.storage'",
    ] {
        assert_eq!(world.number(sum).await, live, "{sum} at {point}");
    }
    let sum = "SELECT CAST(SUM(objects) AS BIGINT) FROM oss_bucket_stat";
    assert_eq!(world.number(sum).await, objects, "at {point}");
    let report = world.oss.scrub().await.unwrap();
    assert_eq!((report.damaged, report.lost, report.rows), (0, 0, 0), "at {point}");
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_any_point() {
    let points = std::env::var("AWAN_TEST_POWER_LOSSES").map_or(50, |text| text.parse().unwrap());
    let limits = Limits { segment_bytes_max: 6 << 20, ..Limits::default() };
    check(limits, |mut world| async move {
        zoned(&world).await;
        let (mut model, mut dice) = (Model::new(), Dice(42));
        for point in 0..points {
            for at in 0..1 + dice.below(6) {
                step(&world, &mut model, &mut dice, point * 10 + at).await;
            }
            if dice.below(4) == 0 {
                world.oss.reclaim().await.unwrap();
            }
            // Nothing commits now; bodies that hang write nothing any more.
            let kept = relied_on(&world).await;
            let copy = TempDir::new().unwrap();
            copy_dir(world.dir.path(), copy.path());
            maul_all(&copy.path().join("oss/segments"), &kept, &mut dice);
            maul_all(&copy.path().join("oss/mirror/jkt-2/segments"), &kept, &mut dice);
            let opened = tokio::task::spawn_blocking(move || World::at(copy, limits));
            let next = opened.await.unwrap();
            assert_whole(&next, &model, point).await;
            // It goes on from there now and then, so that recoveries follow on each other.
            if dice.below(5) == 0 {
                world = next;
            }
        }
        assert!(model.len() > 5 && points > 0, "the points said something");
    });
}
