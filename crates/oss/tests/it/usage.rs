//! Usage: exact, through everything.

use std::collections::BTreeMap;

use base::Time;
use engine::meter::usage;
use oss::{
    CompleteOptions, CompleteParts, DeleteKey, InitiateOptions, Limits, PartOptions, Whole,
    WriteConditions,
};

use crate::harness::{BUCKET, OWNER, World, check, noise, root};

pub async fn used(world: &World, meter: &str) -> i64 {
    let now = base::Clock::now(&*world.clock);
    let lines = world.cloud.db.read(move |tx| usage(tx, OWNER, 0, i64::MAX, now)).await.unwrap();
    let mine = lines.iter().filter(|line| line.meter == meter);
    mine.inspect(|line| assert_eq!(line.resource, format!("acs:oss:*:{OWNER}:{BUCKET}")))
        .map(|line| line.quantity)
        .sum()
}

/// A put, overwrite, delete, copy or upload, chosen by `seed`.
async fn act(world: &World, seed: u64) {
    let (ctx, key) = (root(OWNER), format!("{}", seed % 7));
    let body = noise(usize::try_from(seed % 5000).unwrap(), seed);
    match seed % 5 {
        0 => drop(
            world
                .oss
                .delete(&ctx, BUCKET, DeleteKey { key, ..DeleteKey::default() })
                .await
                .unwrap(),
        ),
        1 => {
            let source =
                oss::CopySource { bucket: BUCKET.to_owned(), key, ..oss::CopySource::default() };
            // The source may not be there.
            drop(world.oss.copy(&ctx, source, BUCKET, "copy", oss::CopyOptions::default()).await);
        }
        2 => {
            let upload =
                world.oss.initiate(&ctx, BUCKET, &key, InitiateOptions::default()).await.unwrap();
            for number in 1..=2 {
                let options = PartOptions { number, ..PartOptions::default() };
                let part = Whole::new(body.clone());
                world.oss.upload_part(&ctx, (BUCKET, &key, &upload), options, part).await.unwrap();
                world.clock.forward(3);
            }
            if seed.is_multiple_of(2) {
                world.oss.abort(&ctx, (BUCKET, &key, &upload)).await.unwrap();
            } else {
                let options = CompleteOptions {
                    parts: CompleteParts::All,
                    conditions: WriteConditions::default(),
                    part_bytes_min: 0,
                    crc64: None,
                    checksums: Vec::new(),
                    acl: None,
                    customer_key: None,
                };
                world.oss.complete(&ctx, (BUCKET, &key, &upload), options).await.unwrap();
            }
        }
        _ => drop(world.put(&key, &body).await),
    }
}

#[test]
fn byte_seconds_are_the_integral_of_what_is_stored() {
    check(Limits::default(), |world| async move {
        let begun: Time = base::Clock::now(&*world.clock);
        let mut integral = 0;
        let mut seen = begun.secs();
        let mut seed = 12_345u64;
        for _ in 0..150 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // Within an operation time goes on too; what is stored then is known only outside of it,
            // so the uploads' own steps are added by their rows here.
            let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
            assert_eq!(i64::try_from(stat.bytes).unwrap(), world.live().await);
            let (before, at) = (world.live().await, base::Clock::now(&*world.clock).secs());
            integral += before * (at - seen);
            act(&world, seed >> 33).await;
            let now = base::Clock::now(&*world.clock).secs();
            if now > at {
                // Two steps of three seconds: with one part stored, then with two.
                let body = i64::try_from((seed >> 33) % 5000).unwrap();
                integral += (before + body) * 3 + (before + 2 * body) * 3;
            }
            seen = now;
            world.clock.forward(i64::try_from(seed % 4000).unwrap());
        }
        let now = base::Clock::now(&*world.clock).secs();
        integral += world.live().await * (now - seen);
        assert_eq!(used(&world, "oss.storage").await, integral);
        assert!(integral > 0);
    });
}

#[test]
fn requests_and_egress_are_counted_by_class() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let puts = used(&world, "oss.requests.put").await;
        for at in 0..5u64 {
            world.put(&format!("{at}"), &noise(1000, at)).await;
        }
        world.get("1").await.unwrap();
        let range = oss::GetOptions {
            range: Some(oss::RangeSpec::From(10, Some(19))),
            ..oss::GetOptions::default()
        };
        world.get_as(&ctx, "1", range).await.unwrap();
        world.oss.head(&ctx, BUCKET, "1", &Default::default()).await.unwrap().unwrap();
        world
            .oss
            .list(&ctx, BUCKET, oss::ListQuery { limit: 10, ..Default::default() })
            .await
            .unwrap();
        assert_eq!(used(&world, "oss.requests.get").await, 0, "not yet written");
        world.oss.flush_reads().await;
        world.oss.flush_reads().await;
        let mut found = BTreeMap::new();
        for meter in ["oss.requests.put", "oss.requests.get", "oss.requests.list", "oss.egress"] {
            found.insert(meter, used(&world, meter).await);
        }
        found.entry("oss.requests.put").and_modify(|count| *count -= puts);
        let expected = [
            ("oss.egress", 1010),
            ("oss.requests.get", 3),
            ("oss.requests.list", 1),
            ("oss.requests.put", 5),
        ];
        assert_eq!(found, BTreeMap::from(expected));
    });
}

#[test]
fn every_change_left_one_audit_entry_with_what_and_where() {
    check(Limits::default(), |world| async move {
        let before = world.number("SELECT COUNT(*) FROM audit").await;
        world.put("a", b"x").await;
        world.put("a", b"y").await;
        world
            .oss
            .delete(&root(OWNER), BUCKET, DeleteKey { key: "a".to_owned(), ..DeleteKey::default() })
            .await
            .unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM audit").await, before + 3);
        let sited =
            "SELECT COUNT(*) FROM audit WHERE resource = 'acs:oss:*:1000000000000001:pemilu/a'
                     AND detail LIKE '%jkt-1%' ESCAPE '!' AND detail LIKE '%etag%' ESCAPE '!'";
        assert_eq!(world.number(sited).await, 2);
    });
}
