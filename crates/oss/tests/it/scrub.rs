//! Everything stored is read, in every copy, whether anybody asks for it or not.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use engine::pipeline::call;
use oss::{DeleteKey, InitiateOptions, Limits, PartOptions, ScrubReport, Versioning, Whole};
use store::params;

use crate::harness::{BUCKET, OWNER, World, check, noise, operator, root};
use crate::mirror::{ZONED, get, home, mirror, put, segments, zoned};

const MIB: usize = 1 << 20;

/// What a sealed extent has besides the bytes of the body.
const SEAL: usize = 32;

/// Segment, start and length of the extents of what the statement finds.
async fn extents(world: &World, sql: String) -> Vec<(u32, u32, u32)> {
    let packed = world
        .cloud
        .db
        .read(move |tx| tx.query_opt(&sql, params![], |row| Ok(row.blob(0)?.to_vec())));
    let packed: Result<Option<Vec<u8>>, store::Error> = packed.await;
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
    let extent = |row: &[u8]| (word(&row[..4]), word(&row[4..8]), word(&row[8..12]));
    packed.unwrap().unwrap().chunks(20).map(extent).collect()
}

pub async fn of_object(world: &World, key: &str) -> Vec<(u32, u32, u32)> {
    extents(world, format!("SELECT extents FROM oss_object WHERE key = CAST('{key}' AS BLOB)"))
        .await
}

async fn of_part(world: &World, number: u32) -> Vec<(u32, u32, u32)> {
    let sql = "SELECT extents FROM oss_extent, oss_part WHERE oss_extent.blob = oss_part.blob AND number = ";
    extents(world, format!("{sql}{number}")).await
}

/// Flips a bit of an extent, in the copy that is in that directory.
pub fn rot(dir: &Path, (segment, start, len): (u32, u32, u32), offset: u32) {
    assert!(offset < len);
    let file = dir.join(format!("{segment}.seg"));
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let (mut byte, at) = ([0], u64::from(start + offset));
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    file.sync_all().unwrap();
}

async fn scrub(world: &World) -> ScrubReport {
    world.clock.forward(86_400);
    world.oss.scrub().await.unwrap()
}

/// Bucket, key, upload and part of everything that is recorded as damaged.
async fn damaged(world: &World) -> Vec<(String, String, bool, u32)> {
    let rows = world.oss.damage(1000).await.unwrap();
    rows.into_iter().map(|row| (row.bucket, row.key, !row.upload.is_empty(), row.part)).collect()
}

fn object(key: &str) -> (String, String, bool, u32) {
    (BUCKET.to_owned(), key.to_owned(), false, 0)
}

#[test]
fn a_scrub_reads_every_byte_of_every_copy() {
    check(Limits::default(), |world| async move {
        zoned(&world).await;
        put(&world, "two", noise(400_000, 1)).await;
        for at in 0..40 {
            world.put(&format!("k{at}"), &noise(1000, at)).await;
        }
        world.put("empty", b"").await;
        // More extents than a row of an object holds.
        world.put("large", &noise(70 * MIB, 5)).await;
        let owner = root(OWNER);
        let upload =
            world.oss.initiate(&owner, BUCKET, "u", InitiateOptions::default()).await.unwrap();
        for number in 1..=20 {
            let (options, body) =
                (PartOptions { number, ..PartOptions::default() }, Whole::new(noise(2000, 7)));
            let target = (BUCKET, "u", upload.as_str());
            world.oss.upload_part(&owner, target, options, body).await.unwrap();
        }
        let plain = 2 * 400_000 + 40 * 1000 + 70 * MIB + 20 * 2000;
        let bytes = (plain + (2 + 40 + 70 + 20) * SEAL) as u64;
        assert_eq!(scrub(&world).await, ScrubReport { bytes, ..ScrubReport::default() });
        assert!(damaged(&world).await.is_empty());
        let metrics = world.cloud.metrics.render();
        assert!(metrics.contains(&format!("awan_oss_scrub_bytes_total {bytes}\n")), "{metrics}");
        assert!(metrics.contains("awan_oss_scrub_damaged_total 0\n"));
        let now = base::Clock::now(&*world.clock).secs();
        assert!(metrics.contains(&format!("awan_oss_scrub_finished_seconds {now}\n")));
    });
}

#[test]
fn rot_in_either_copy_is_healed_from_the_other() {
    for hit in [home, mirror] {
        check(Limits::default(), move |world| async move {
            zoned(&world).await;
            put(&world, "k", noise(3 * MIB, 1)).await;
            let hit = hit(world.dir.path());
            let before = segments(&hit);
            rot(&hit, of_object(&world, "k").await[2], 17);
            assert_ne!(segments(&hit), before);
            let report = scrub(&world).await;
            assert_eq!((report.damaged, report.mended, report.lost), (1, 1, 0));
            assert!(segments(&hit) == before, "the copy is what it was");
            assert!(damaged(&world).await.is_empty());
            assert_eq!(scrub(&world).await.damaged, 0);
            let metrics = world.cloud.metrics.render();
            assert!(metrics.contains("awan_oss_scrub_mended_total 1\n"), "totals go on: {metrics}");
        });
    }
}

#[test]
fn rot_in_both_copies_is_lost_but_not_what_is_beside_it() {
    check(Limits::default(), |world| async move {
        zoned(&world).await;
        put(&world, "k", noise(3 * MIB, 1)).await;
        let middle = of_object(&world, "k").await[1];
        rot(&home(world.dir.path()), middle, 1);
        rot(&mirror(world.dir.path()), middle, 2);
        let report = scrub(&world).await;
        assert_eq!((report.damaged, report.mended, report.lost), (2, 0, 1));
        assert_eq!(damaged(&world).await, [(ZONED.to_owned(), "k".to_owned(), false, 0)]);
        assert_eq!(get(&world, "k").await, Err("InternalError".to_owned()));
    });
}

#[test]
fn rot_in_the_only_copy_is_named_until_the_object_goes_or_is_well() {
    check(Limits::default(), |world| async move {
        for (seed, key) in (1..).zip(["deleted", "healed", "overwritten", "well"]) {
            world.put(key, &noise(5000, seed)).await;
        }
        let dir = home(world.dir.path());
        for key in ["deleted", "healed", "overwritten"] {
            rot(&dir, of_object(&world, key).await[0], 4000);
        }
        let report = scrub(&world).await;
        assert_eq!((report.damaged, report.mended, report.lost), (3, 0, 3));
        assert_eq!(damaged(&world).await, ["deleted", "healed", "overwritten"].map(object));
        let found = world.oss.damage(1).await.unwrap().remove(0).found_at;
        assert_eq!(world.get("healed").await, Err("InternalError".to_owned()));
        assert_eq!(world.get("well").await.unwrap(), noise(5000, 4));

        scrub(&world).await;
        let rows = world.oss.damage(1000).await.unwrap();
        assert!(rows.len() == 3 && rows.iter().all(|row| row.found_at == found), "{rows:?}");
        let gone = DeleteKey { key: "deleted".to_owned(), ..DeleteKey::default() };
        world.oss.delete(&root(OWNER), BUCKET, gone).await.unwrap();
        assert_eq!(damaged(&world).await, ["healed", "overwritten"].map(object));
        world.put("overwritten", b"anew").await;
        assert_eq!(damaged(&world).await, [object("healed")]);
        rot(&dir, of_object(&world, "healed").await[0], 4000); // the bit flips back
        assert_eq!(scrub(&world).await.lost, 0);
        assert!(damaged(&world).await.is_empty());
        assert_eq!(world.get("healed").await.unwrap(), noise(5000, 2));
    });
}

#[test]
fn rot_in_a_part_is_named_until_the_part_or_the_upload_goes() {
    check(Limits::default(), |world| async move {
        let (owner, target) = (root(OWNER), "u");
        let upload =
            world.oss.initiate(&owner, BUCKET, target, InitiateOptions::default()).await.unwrap();
        let part = async |number: u32, seed: u64| {
            let options = PartOptions { number, ..PartOptions::default() };
            let (target, body) = ((BUCKET, target, upload.as_str()), Whole::new(noise(9000, seed)));
            world.oss.upload_part(&owner, target, options, body).await.unwrap();
        };
        part(1, 1).await;
        part(2, 2).await;
        let dir = home(world.dir.path());
        rot(&dir, of_part(&world, 1).await[0], 100);
        rot(&dir, of_part(&world, 2).await[0], 100);
        scrub(&world).await;
        let named = |part| (BUCKET.to_owned(), target.to_owned(), true, part);
        assert_eq!(damaged(&world).await, [named(1), named(2)]);
        part(1, 3).await;
        assert_eq!(damaged(&world).await, [named(2)]);
        world.oss.abort(&owner, (BUCKET, target, &upload)).await.unwrap();
        assert!(damaged(&world).await.is_empty());
    });
}

#[test]
fn a_segment_that_is_missing_and_a_row_that_does_not_read_are_named() {
    check(Limits::default(), |world| async move {
        world.put("missing", &noise(5000, 1)).await;
        let world = world
            .crash_and(|dir| {
                let (name, _) = segments(&home(dir)).remove(0);
                std::fs::remove_file(home(dir).join(name)).unwrap();
            })
            .await;
        world.put("row", &noise(5000, 2)).await;
        world.put("well", &noise(5000, 3)).await;
        let sql = "UPDATE oss_object SET md5 = ?1 WHERE key = ?2";
        let spoil = world
            .cloud
            .db
            .write(move |tx| tx.execute(sql, params![&b"short"[..], &b"row"[..]]).map(drop));
        spoil.await.unwrap();
        let report = scrub(&world).await;
        assert_eq!((report.lost, report.rows, report.bytes), (1, 1, 5000 + SEAL as u64));
        assert_eq!(damaged(&world).await, ["missing", "row"].map(object));
    });
}

#[test]
fn a_scrub_beside_writers_finds_no_damage_that_is_none() {
    let limits = Limits { segment_bytes_max: 4 << 20, ..Limits::default() };
    check(limits, |world| async move {
        zoned(&world).await;
        let scrubs = async {
            for _ in 0..15 {
                let report = scrub(&world).await;
                assert_eq!((report.damaged, report.lost, report.rows), (0, 0, 0));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let writes = async {
            for at in 0_u64.. {
                put(&world, &(at % 7).to_string(), noise(300_000, at)).await;
                world.put(&(at % 5).to_string(), &noise(50_000, at)).await;
                world.oss.reclaim().await.unwrap();
            }
        };
        tokio::select! { () = scrubs => {}, () = writes => {} }
    });
}

#[test]
fn damage_stays_with_its_version_wherever_that_goes() {
    check(Limits::default(), |world| async move {
        let (owner, versioning) = (root(OWNER), Versioning::Enabled);
        world.oss.set_bucket_versioning(&owner, BUCKET, versioning).await.unwrap();
        let first = world.put("k", &noise(5000, 1)).await.version;
        let dir = home(world.dir.path());
        rot(&dir, of_object(&world, "k").await[0], 100);
        assert_eq!(scrub(&world).await.lost, 1);
        assert_eq!(damaged(&world).await, [object("k")]);
        let second = world.put("k", &noise(5000, 2)).await.version;
        let behind = (BUCKET.to_owned(), "k".to_owned(), true, 0);
        assert_eq!(damaged(&world).await, std::slice::from_ref(&behind));
        assert_eq!(scrub(&world).await.lost, 1);
        assert_eq!(damaged(&world).await, [behind]);
        let delete = async |version| {
            let key = DeleteKey { key: "k".to_owned(), version, ..DeleteKey::default() };
            world.oss.delete(&owner, BUCKET, key).await.unwrap();
        };
        delete(second).await;
        assert_eq!(damaged(&world).await, [object("k")], "it is the current one again");
        world.put("k", &noise(5000, 3)).await;
        delete(first).await;
        assert!(damaged(&world).await.is_empty());
    });
}

#[test]
fn the_operator_alone_sees_what_is_damaged() {
    check(Limits::default(), |world| async move {
        for key in ["a", "b"] {
            world.put(key, &noise(5000, 1)).await;
            rot(&home(world.dir.path()), of_object(&world, key).await[0], 100);
        }
        scrub(&world).await;
        let list = async |caller, params| {
            call(&world.cloud, &caller, "2026-01-01", "ListDamagedObjects", params).await
        };
        let all = list(operator().caller, &[]).await.unwrap();
        let items = all["DamagedObjects"]["DamagedObject"].as_array().unwrap();
        let keys: Vec<_> = items.iter().map(|item| (&item["Bucket"], &item["Key"])).collect();
        assert_eq!(keys, [(&"pemilu".into(), &"a".into()), (&"pemilu".into(), &"b".into())]);
        assert_eq!(all["IsTruncated"], false);
        let one = list(operator().caller, &[("MaxItems", "1")]).await.unwrap();
        assert_eq!(one["IsTruncated"], true);
        assert!(list(root(OWNER).caller, &[]).await.is_err(), "it names keys of every tenant");
    });
}
