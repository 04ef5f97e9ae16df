//! Many at once.

use std::sync::Arc;

use oss::{EtagMatch, Fetched, GetOptions, Limits, PutOptions, WriteConditions};
use tokio::task::JoinSet;

use crate::harness::{BUCKET, OWNER, check, noise, root};

const MIB: usize = 1 << 20;

#[test]
fn concurrent_puts_of_one_key_leave_one_of_them_whole() {
    check(Limits::default(), |world| async move {
        let world = Arc::new(world);
        let mut puts = JoinSet::new();
        for seed in 0..24 {
            let world = Arc::clone(&world);
            puts.spawn(async move {
                world.put("k", &noise(50_000 + 20_000 * (seed as usize % 8), seed)).await.etag
            });
        }
        let etags = puts.join_all().await;
        let body = world.get("k").await.unwrap();
        let seed =
            (0..24).find(|seed| noise(50_000 + 20_000 * (*seed as usize % 8), *seed) == body);
        assert!(seed.is_some(), "the object is none of those that were put");
        let head =
            world.oss.head(&root(OWNER), BUCKET, "k", &Default::default()).await.unwrap().unwrap();
        assert!(etags.contains(&head.etag));
        assert_eq!(world.live().await, body.len() as i64);
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 0);
        assert!(world.get("k").await.unwrap() == body);
    });
}

#[test]
fn of_racing_conditional_puts_exactly_one_wins() {
    check(Limits::default(), |world| async move {
        let world = Arc::new(world);
        for conditions in [
            WriteConditions { if_none_match: Some(EtagMatch::Any), ..WriteConditions::default() },
            WriteConditions { forbid_overwrite: true, ..WriteConditions::default() },
        ] {
            let mut puts = JoinSet::new();
            for seed in 0..16 {
                let (world, conditions) = (Arc::clone(&world), conditions.clone());
                puts.spawn(async move {
                    let options = PutOptions { conditions, ..PutOptions::default() };
                    world
                        .put_as(&root(OWNER), "race", &noise(1000, seed), options)
                        .await
                        .ok()
                        .map(|_| seed)
                });
            }
            let winners: Vec<u64> = puts.join_all().await.into_iter().flatten().collect();
            assert_eq!(winners.len(), 1);
            assert_eq!(world.get("race").await.unwrap(), noise(1000, winners[0]));
            world
                .oss
                .delete(
                    &root(OWNER),
                    BUCKET,
                    oss::DeleteKey { key: "race".to_owned(), ..oss::DeleteKey::default() },
                )
                .await
                .unwrap();
        }
    });
}

#[test]
fn a_reader_sees_the_bytes_of_its_snapshot_whole_whatever_is_overwritten() {
    check(Limits::default(), |world| async move {
        for size in [10 * MIB, 70 * MIB] {
            let old = noise(size, 1);
            world.put("k", &old).await;
            let fetched =
                world.oss.get(&root(OWNER), BUCKET, "k", GetOptions::default()).await.unwrap();
            let Fetched::Found { mut body, .. } = fetched else {
                panic!("there were no conditions")
            };
            let mut got = body.next().await.unwrap().unwrap().to_vec();
            world.put("k", b"new").await;
            world.oss.reclaim().await.unwrap();
            while let Some(bytes) = body.next().await {
                got.extend_from_slice(&bytes.unwrap());
            }
            assert!(got == old, "the reader lost its bytes");
            assert_eq!(
                world.number("SELECT COUNT(*) FROM oss_free").await,
                1,
                "it still holds them"
            );
            drop(body);
            world.oss.reclaim().await.unwrap();
            assert_eq!(world.number("SELECT COUNT(*) FROM oss_free").await, 0);
            assert_eq!(world.get("k").await.unwrap(), b"new");
        }
    });
}
