//! What other services keep for tenants.

use base::ApiError;
use bytes::Bytes;
use engine::ports::{OnePiece, Pending, Pieces, Vault, VaultBucket};
use oss::{
    BucketView, CopyOptions, CopySource, CreateBucket, DeleteKey, Limits, PutOptions, Redundancy,
};
use terms::clauses::DataClass;

use crate::harness::{OWNER, STRANGER, World, check, noise, residing, root, rule};

fn wanted(class: DataClass) -> VaultBucket {
    VaultBucket { account: OWNER, service: "rds", class, region: "ap-southeast-5".to_owned() }
}

async fn read(vault: &dyn Vault, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let mut body = vault.get(bucket, key).await.unwrap()?;
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    Some(bytes)
}

#[test]
fn bytes_are_kept_listed_replaced_and_removed_in_the_tenants_own_bucket() {
    check(Limits::default(), |world| async move {
        let vault: &dyn Vault = &world.oss;
        let bucket = vault.ensure(wanted(DataClass::Personal)).await.unwrap();
        assert_eq!(bucket, format!("awan-rds-{OWNER}-personal"));
        let again = vault.ensure(wanted(DataClass::Personal)).await.unwrap();
        assert_eq!(again, bucket, "the same need has the same bucket");
        let found = world.oss.bucket(&root(OWNER), &bucket, BucketView::Info).await.unwrap();
        assert_eq!((found.owner, found.class), (OWNER, DataClass::Personal));
        assert_eq!(found.redundancy, Redundancy::Local);

        let body = noise(3 << 20, 7);
        let size = vault.put(&bucket, "a/1", Box::new(OnePiece::new(body.clone()))).await.unwrap();
        assert_eq!(size, 3 << 20);
        assert_eq!(read(vault, &bucket, "a/1").await.unwrap(), body);
        vault.put(&bucket, "a/1", Box::new(OnePiece::new("two"))).await.unwrap();
        vault.put(&bucket, "a/2", Box::new(OnePiece::new("three"))).await.unwrap();
        vault.put(&bucket, "b/1", Box::new(OnePiece::new("four"))).await.unwrap();
        assert_eq!(read(vault, &bucket, "a/1").await.unwrap(), b"two");
        let keys = |page: Vec<engine::ports::Kept>| {
            page.into_iter().map(|kept| (kept.key, kept.size)).collect::<Vec<_>>()
        };
        let page = vault.list(&bucket, "a/", "", 1).await.unwrap();
        assert_eq!(keys(page), [("a/1".to_owned(), 3)]);
        let page = vault.list(&bucket, "a/", "a/1", 10).await.unwrap();
        assert_eq!(keys(page), [("a/2".to_owned(), 5)]);

        let gone = vec!["a/1".to_owned(), "a/9".to_owned()];
        vault.delete(&bucket, gone).await.unwrap();
        assert!(read(vault, &bucket, "a/1").await.is_none());
        assert!(read(vault, &bucket, "a/2").await.is_some());
    });
}

#[test]
fn what_is_kept_is_billed_to_the_tenant_and_on_record() {
    check(Limits::default(), |world| async move {
        let vault: &dyn Vault = &world.oss;
        let bucket = vault.ensure(wanted(DataClass::Internal)).await.unwrap();
        vault.put(&bucket, "k", Box::new(OnePiece::new(noise(5000, 1)))).await.unwrap();
        let level = "SELECT CAST(COALESCE(SUM(quantity), 0) AS BIGINT) FROM usage_level
            WHERE account = 1000000000000001 AND quantity = 5000";
        assert_eq!(world.number(level).await, 5000);
        let puts = "SELECT COUNT(*) FROM audit
            WHERE account = 1000000000000001 AND action LIKE '%PutObject' AND outcome = 'OK'";
        assert_eq!(world.number(puts).await, 1);
    });
}

#[test]
fn the_agreement_decides_where_it_is_kept_and_in_how_many_zones() {
    check(Limits::default(), |world| async move {
        let vault: &dyn Vault = &world.oss;
        let rules = [
            rule(DataClass::Personal, &["ID"], &[], 2),
            rule(DataClass::Internal, &["ID"], &["jkt-2"], 1),
        ];
        world.agreements.0.bind(OWNER, residing(DataClass::Internal, &rules));
        let sites = async |class| {
            let bucket = vault.ensure(wanted(class)).await.unwrap();
            world.oss.bucket(&root(OWNER), &bucket, BucketView::Info).await.unwrap().sites
        };
        assert_eq!(sites(DataClass::Personal).await, ["jkt-1", "jkt-2"]);
        assert_eq!(sites(DataClass::Internal).await, ["jkt-2"]);
        let refused = vault.ensure(wanted(DataClass::Strategic)).await.unwrap_err();
        assert!(refused.is(&base::code::RESIDENCY), "{refused:?}");

        // An amendment binds what is written from then on.
        let bucket = vault.ensure(wanted(DataClass::Internal)).await.unwrap();
        let rules = [rule(DataClass::Internal, &["ID"], &["jkt-3"], 1)];
        world.agreements.0.bind(OWNER, residing(DataClass::Internal, &rules));
        let refused = vault.put(&bucket, "k", Box::new(OnePiece::new("x"))).await.unwrap_err();
        assert!(refused.is(&base::code::RESIDENCY), "{refused:?}");
    });
}

#[test]
fn nobody_takes_the_name_of_such_a_bucket_beforehand() {
    check(Limits::default(), |world| async move {
        let name = format!("awan-rds-{OWNER}-internal");
        for account in [STRANGER, OWNER] {
            let made =
                world.oss.create_bucket(&root(account), &name, CreateBucket::default()).await;
            assert_eq!(made.unwrap_err().code(), "BucketAlreadyExists");
        }
        let vault: &dyn Vault = &world.oss;
        assert_eq!(vault.ensure(wanted(DataClass::Internal)).await.unwrap(), name);
    });
}

/// A database is restored from it with the cloud's own powers: what a tenant could change there it could become.
#[test]
fn its_owner_reads_what_is_kept_and_changes_nothing() {
    check(Limits::default(), |world| async move {
        let vault: &dyn Vault = &world.oss;
        let bucket = vault.ensure(wanted(DataClass::Internal)).await.unwrap();
        vault.put(&bucket, "k", Box::new(OnePiece::new("whole"))).await.unwrap();
        let (ctx, oss) = (root(OWNER), &world.oss);
        assert_eq!(world.get_from(&bucket, "k").await, b"whole");
        let body = oss::Whole::new(b"other".to_vec());
        let put = oss.put(&ctx, &bucket, "k", PutOptions::default(), body).await.map(drop);
        let key = DeleteKey { key: "k".to_owned(), ..DeleteKey::default() };
        let deleted = oss.delete(&ctx, &bucket, key.clone()).await.map(drop);
        let all = oss.delete_many(&ctx, &bucket, vec![key]).await;
        let all = all.and_then(|keys| keys.into_iter().try_for_each(|(_, it)| it.map(drop)));
        let paid = oss.set_requester_pays(&ctx, &bucket, true).await;
        let from =
            CopySource { bucket: bucket.clone(), key: "k".to_owned(), ..CopySource::default() };
        let copied = oss.copy(&ctx, from, &bucket, "l", CopyOptions::default()).await.map(drop);
        let outcomes = [put, deleted, all, paid, copied];
        for outcome in outcomes {
            assert_eq!(
                outcome.map_err(|error| error.code().to_owned()),
                Err("AccessDenied".to_owned())
            );
        }
        assert_eq!(read(vault, &bucket, "k").await.unwrap(), b"whole");
        vault.delete(&bucket, vec!["k".to_owned()]).await.unwrap();
        oss.delete_bucket(&ctx, &bucket, true).await.unwrap();
    });
}

/// Some bytes, and then none for a reason.
struct Breaks(u8);

impl Pieces for Breaks {
    fn next(&mut self) -> Pending<'_, Option<Bytes>> {
        self.0 += 1;
        let next = match self.0 {
            1 => Ok(Some(Bytes::from_static(b"half"))),
            _ => Err(ApiError::internal("the source broke")),
        };
        Box::pin(std::future::ready(next))
    }
}

#[test]
fn a_body_that_breaks_leaves_what_was_there() {
    check(Limits::default(), |world: World| async move {
        let vault: &dyn Vault = &world.oss;
        let bucket = vault.ensure(wanted(DataClass::Internal)).await.unwrap();
        vault.put(&bucket, "k", Box::new(OnePiece::new("whole"))).await.unwrap();
        vault.put(&bucket, "k", Box::new(Breaks(0))).await.unwrap_err();
        assert_eq!(read(vault, &bucket, "k").await.unwrap(), b"whole");
    });
}
