//! What is in a bucket of each storage class: sums that go with every change.

use oss::{
    ClassStat, CopyOptions, CopySource, DeleteKey, PutOptions, StorageClass, Versioning, Whole,
};

use crate::harness::{BUCKET, OWNER, World, check, noise, root};

const CLASSES: [StorageClass; 5] = [
    StorageClass::Standard,
    StorageClass::InfrequentAccess,
    StorageClass::Archive,
    StorageClass::ColdArchive,
    StorageClass::DeepColdArchive,
];

/// What the rows say.
async fn counted(world: &World, class: StorageClass) -> ClassStat {
    let of = |what: &str| {
        format!(
            "SELECT CAST({what} AS BIGINT) FROM (SELECT size, storage_class FROM oss_object
             UNION ALL SELECT size, storage_class FROM oss_version WHERE marker = 0) AS stored
             WHERE storage_class = '{}'",
            class.as_str()
        )
    };
    let number =
        async |sql: String| world.number(Box::leak(sql.into_boxed_str())).await.cast_unsigned();
    ClassStat {
        objects: number(of("COUNT(*)")).await,
        bytes: number(of("COALESCE(SUM(size), 0)")).await,
    }
}

async fn agrees(world: &World) {
    let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
    assert_eq!(stat.standard(), counted(world, StorageClass::Standard).await);
    for (class, tier) in CLASSES[1..].iter().zip(stat.tiers) {
        assert_eq!(tier, counted(world, *class).await, "{class:?}");
    }
}

/// A put, a deletion, or a copy into another class, chosen by `seed`.
async fn act(world: &World, seed: u64) {
    let (ctx, key) = (root(OWNER), format!("{}", seed % 5));
    let class = CLASSES[usize::try_from(seed / 5 % 5).unwrap()];
    match seed % 4 {
        0 => {
            let key = DeleteKey { key, ..DeleteKey::default() };
            world.oss.delete(&ctx, BUCKET, key).await.unwrap();
        }
        1 => {
            // Onto itself, where there is one that can be read.
            let source = CopySource { bucket: BUCKET.to_owned(), key, ..CopySource::default() };
            let onto = source.key.clone();
            let options = CopyOptions { storage_class: Some(class), ..CopyOptions::default() };
            drop(world.oss.copy(&ctx, source, BUCKET, &onto, options).await);
        }
        _ => {
            let options = PutOptions { storage_class: Some(class), ..PutOptions::default() };
            let body = Whole::new(noise(usize::try_from(seed % 700).unwrap(), seed));
            world.oss.put(&ctx, BUCKET, &key, options, body).await.unwrap();
        }
    }
}

#[test]
fn each_class_has_the_objects_and_bytes_that_its_rows_sum_to() {
    check(oss::Limits::default(), |world| async move {
        let fresh = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
        assert_eq!(fresh.changed, base::Time::default(), "nothing was ever in it");
        let mut seed = 99_u64;
        for round in 0..120 {
            let versioning = match round {
                40 => Some(Versioning::Enabled),
                80 => Some(Versioning::Suspended),
                _ => None,
            };
            if let Some(versioning) = versioning {
                let ctx = root(OWNER);
                world.oss.set_bucket_versioning(&ctx, BUCKET, versioning).await.unwrap();
            }
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            act(&world, seed >> 33).await;
            agrees(&world).await;
        }
        let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
        assert!(stat.tiers.iter().any(|tier| tier.objects > 0), "{stat:?}");
        assert_eq!(stat.changed, base::Clock::now(&*world.clock));
    });
}
