//! Bytes on the disk: given back, recovered after a crash, verified.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oss::{
    BucketView, DeleteKey, InitiateOptions, Limits, PartOptions, PutOptions, Redundancy, Whole,
};
use store::{Backend, Config, Db, MigrationSet, params};
use terms::clauses::DataClass;
use wire::object::checksum::crc64;

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};

const MIB: usize = 1 << 20;

fn small() -> Limits {
    Limits { segment_bytes_max: 4 << 20, ..Limits::default() }
}

/// After giving back what can be given back, the disk holds the live bytes, but for block edges.
async fn assert_no_leak(world: &World) {
    world.oss.reclaim().await.unwrap();
    let live = u64::try_from(world.live().await).unwrap();
    let space = world.oss.space().await.unwrap();
    let objects = u64::try_from(world.number("SELECT COUNT(*) FROM oss_object").await).unwrap();
    // Every live body may share its first and last block with dead bytes; every file has a last one.
    let slack = 8192 * (objects + space.files) + 16_384;
    assert!(
        space.allocated <= live + slack,
        "{} bytes are live and {} are on the disk",
        live,
        space.allocated
    );
    assert!(space.allocated >= live, "live bytes are missing from the disk");
    assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 0);
}

async fn delete(world: &World, key: &str) {
    world
        .oss
        .delete(&root(OWNER), BUCKET, DeleteKey { key: key.to_owned(), ..DeleteKey::default() })
        .await
        .unwrap();
}

#[test]
fn what_is_deleted_or_overwritten_is_given_back() {
    check(small(), |world| async move {
        for at in 0..40u64 {
            world.put(&format!("large/{at}"), &noise(300_000, at)).await;
            world.put(&format!("small/{at}"), &noise(500, at)).await;
        }
        assert_no_leak(&world).await;
        for at in (0..40u64).filter(|at| at % 3 != 0) {
            delete(&world, &format!("large/{at}")).await;
            delete(&world, &format!("small/{at}")).await;
        }
        world.put("large/0", b"short").await;
        assert_no_leak(&world).await;
        for at in (3..40u64).step_by(3) {
            assert!(world.get(&format!("large/{at}")).await.unwrap() == noise(300_000, at));
            assert_eq!(world.get(&format!("small/{at}")).await.unwrap(), noise(500, at));
        }
        for at in (0..40u64).step_by(3) {
            delete(&world, &format!("large/{at}")).await;
            delete(&world, &format!("small/{at}")).await;
        }
        assert_no_leak(&world).await;
        // One takes small bodies, and one takes large ones.
        assert_eq!(world.oss.space().await.unwrap().files, 2, "dead segments are removed");
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_segment").await, 0);
    });
}

#[test]
fn small_bodies_that_share_blocks_are_given_back_together() {
    check(small(), |world| async move {
        for at in 0..1000u64 {
            world.put(&format!("{at}"), &noise(700, at)).await;
        }
        for at in 100..900u64 {
            delete(&world, &format!("{at}")).await;
            if at % 90 == 0 {
                world.oss.reclaim().await.unwrap();
            }
        }
        world.oss.reclaim().await.unwrap();
        // 800 bodies of 700 bytes are 136 blocks, none of which is dead alone.
        let space = world.oss.space().await.unwrap();
        assert!(
            space.length - space.allocated.min(space.length) >= 800 * 700 - 16_384,
            "{space:?}"
        );
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_hole").await, 1, "holes merge");
        for at in (0..100).chain(900..1000) {
            assert_eq!(world.get(&format!("{at}")).await.unwrap(), noise(700, at));
        }
    });
}

#[test]
fn what_is_broken_off_or_aborted_leaks_nothing() {
    check(small(), |world| async move {
        world.put("kept", &noise(100_000, 1)).await;
        for (end, size) in [
            (End::Broken, 100),
            (End::Broken, 3 * MIB),
            (End::Refused, 100),
            (End::Refused, 5 * MIB),
        ] {
            let source = Pieces::new(&noise(size, 2), 50_000, end);
            world
                .oss
                .put(&root(OWNER), BUCKET, "k", PutOptions::default(), source)
                .await
                .unwrap_err();
        }
        // One whose client falls silent, and whose connection is dropped then.
        let source = Pieces::new(&noise(3 * MIB, 3), 50_000, End::Silent);
        let ctx = root(OWNER);
        let put = world.oss.put(&ctx, BUCKET, "k", PutOptions::default(), source);
        tokio::time::timeout(std::time::Duration::from_millis(300), put).await.unwrap_err();
        let upload = world
            .oss
            .initiate(&root(OWNER), BUCKET, "k", InitiateOptions::default())
            .await
            .unwrap();
        for number in [1, 2, 1] {
            let options = PartOptions { number, ..PartOptions::default() };
            let body = Whole::new(noise(2 * MIB, 4));
            world
                .oss
                .upload_part(&root(OWNER), (BUCKET, "k", &upload), options, body)
                .await
                .unwrap();
        }
        assert_no_leak(&world).await;
        world.oss.abort(&root(OWNER), (BUCKET, "k", &upload)).await.unwrap();
        assert_no_leak(&world).await;
        assert!(world.get("kept").await.unwrap() == noise(100_000, 1));
    });
}

#[test]
fn a_body_with_many_rows_is_given_back() {
    check(Limits { segment_bytes_max: 64 << 20, ..Limits::default() }, |world| async move {
        // In memory scarce enough, extents are small, and their rows many.
        world.put("large", &noise(90 * MIB, 1)).await;
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_blob").await, 1);
        delete(&world, "large").await;
        assert_no_leak(&world).await;
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_blob").await, 0);
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_extent").await, 0);
    });
}

#[test]
fn a_crash_loses_nothing_acknowledged_and_leaks_nothing() {
    check(small(), |mut world| async move {
        for round in 0..4u64 {
            for at in 0..12u64 {
                world.put(&format!("{round}/{at}"), &noise(200_000, round * 100 + at)).await;
            }
            delete(&world, &format!("{round}/5")).await;
            // Bytes that no commit will ever refer to, in the middle and at the end.
            let ctx = root(OWNER);
            let source = Pieces::new(&noise(2 * MIB + 77, 3), 50_000, End::Broken);
            world.oss.put(&ctx, BUCKET, "lost", PutOptions::default(), source).await.unwrap_err();
            world.put(&format!("{round}/last"), b"last").await;
            let source = Pieces::new(&noise(MIB + 77, 3), 50_000, End::Broken);
            world.oss.put(&ctx, BUCKET, "lost", PutOptions::default(), source).await.unwrap_err();
            world = world.crash().await;
            assert_eq!(world.get("lost").await, Err("NoSuchKey".to_owned()));
            assert_no_leak(&world).await;
            for earlier in 0..=round {
                for at in (0..12u64).filter(|at| *at != 5) {
                    let body = world.get(&format!("{earlier}/{at}")).await.unwrap();
                    assert!(body == noise(200_000, earlier * 100 + at), "{earlier}/{at}");
                }
                assert_eq!(world.get(&format!("{earlier}/last")).await.unwrap(), b"last");
            }
        }
        assert_eq!(
            world.number("SELECT COUNT(*) FROM oss_settled").await,
            0,
            "sealed segments need none"
        );
        let unequal = "SELECT COUNT(*) FROM oss_segment s WHERE dead <>
                       (SELECT COALESCE(SUM(h.length), 0) FROM oss_hole h WHERE h.segment = s.id)";
        assert_eq!(world.number(unequal).await, 0);
    });
}

#[test]
fn a_flipped_bit_is_found_and_no_byte_of_its_extent_leaves() {
    check(Limits::default(), |world| async move {
        world.put("before", &noise(5000, 1)).await;
        world.put("hit", &noise(3 * MIB, 2)).await;
        world.put("after", &noise(5000, 3)).await;
        let segments = world.dir.path().join("oss/segments");
        let file = std::fs::read_dir(segments).unwrap().next().unwrap().unwrap().path();
        let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
        let at = (5000 + 2 * MIB + 4321) as u64;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
        assert_eq!(world.get("hit").await, Err("InternalError".to_owned()));
        let fetched =
            world.oss.get(&root(OWNER), BUCKET, "hit", oss::GetOptions::default()).await.unwrap();
        let oss::Fetched::Found { mut body, .. } = fetched else {
            panic!("there were no conditions")
        };
        assert_eq!(body.next().await.unwrap().unwrap(), noise(3 * MIB, 2)[..MIB]);
        assert_eq!(body.next().await.unwrap().unwrap(), noise(3 * MIB, 2)[MIB..2 * MIB]);
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none(), "nothing follows the error");
        assert_eq!(world.get("before").await.unwrap(), noise(5000, 1));
        assert_eq!(world.get("after").await.unwrap(), noise(5000, 3));
    });
}

#[test]
fn scarce_memory_makes_small_extents_and_the_same_bytes() {
    check(Limits { buffered_bytes_max: 0, ..Limits::default() }, |world| async move {
        let body = noise(9 * MIB + 5, 1);
        world.put("k", &body).await;
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_blob").await, 1, "more than 64 extents");
        assert!(world.get("k").await.unwrap() == body);
        delete(&world, "k").await;
        assert_no_leak(&world).await;
    });
}

/// What a directory looked like before buckets had classes and segments had copies: a bucket that had been
/// promised several zones, with an object in a sealed segment.
fn first_version(dir: &Path, body: &[u8]) {
    let db = Db::open(Config::new(Backend::Sqlite(dir.join("cloud.db")))).unwrap();
    let steps = &oss::MIGRATIONS.steps[..2];
    db.migrate(&[engine::MIGRATIONS, MigrationSet { name: "oss", steps }]).unwrap();
    std::fs::create_dir_all(dir.join("oss/segments")).unwrap();
    std::fs::write(dir.join("oss/segments/7.seg"), body).unwrap();
    let (len, crc) = (u32::try_from(body.len()).unwrap(), crc64(body));
    let mut extent = Vec::new();
    for word in [7, 0, len] {
        extent.extend_from_slice(&word.to_le_bytes());
    }
    extent.extend_from_slice(&crc.to_le_bytes());
    let written = db.write_blocking(move |tx| {
        tx.execute(
            "INSERT INTO oss_bucket (id, name, owner, site, created_at, acl, storage_class, redundancy)
             VALUES (1, ?1, ?2, 'jkt-1', 0, 'private', 'Standard', 'ZRS')",
            params![BUCKET, OWNER],
        )?;
        tx.execute(
            "INSERT INTO oss_bucket_stat (bucket, objects, uploads, bytes, part_bytes) VALUES (1, 1, 0, ?1, 0)",
            params![len],
        )?;
        tx.execute(
            "INSERT INTO usage_level (account, resource, meter, quantity, since) VALUES (?1, ?2, 'oss.storage', ?3, 0)",
            params![OWNER, &format!("acs:oss:*:{OWNER}:{BUCKET}"), len],
        )?;
        tx.execute("INSERT INTO oss_segment (id, length, dead) VALUES (7, ?1, 0)", params![len])?;
        tx.execute(
            "INSERT INTO oss_object (bucket, key, version, modified_at, size, md5, parts, crc64, storage_class, owner,
                site, acl, attributes, tags, extents) VALUES (1, ?1, 0, 0, ?2, ?3, 0, ?4, 'Standard', ?5, 'jkt-1', '', '', '', ?6)",
            params![b"k", len, &[0; 16], crc.cast_signed(), OWNER, &extent],
        )
    });
    let written: Result<u64, store::Error> = written;
    written.unwrap();
}

#[test]
fn a_directory_of_the_first_version_opens_and_promises_what_it_has() {
    let dir = tempfile::TempDir::new().unwrap();
    let body = noise(70_000, 5);
    first_version(dir.path(), &body);
    let world = World::at(dir, small());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        assert!(world.get("k").await.unwrap() == body);
        let bucket = world.oss.bucket(&root(OWNER), BUCKET, BucketView::Info).await.unwrap();
        assert_eq!((bucket.class, bucket.sites), (DataClass::Internal, vec!["jkt-1".to_owned()]));
        assert_eq!(bucket.redundancy, Redundancy::Local, "it was in one zone only");
        delete(&world, "k").await;
        world.put("new", b"x").await;
        world.oss.reclaim().await.unwrap();
        assert!(!world.dir.path().join("oss/segments/7.seg").exists());
        assert_eq!(world.get("new").await.unwrap(), b"x");
    });
}
