//! Data that is copied stays bound by the agreement of whom it belongs to, and keeps its class; and data centres
//! that hold data are counted.

use oss::{
    Acl, CopyOptions, CopySource, CreateBucket, InitiateOptions, Limits, PutOptions, Redundancy,
    Whole,
};
use serde_json::json;
use terms::clauses::DataClass;

use crate::harness::{BUCKET, OWNER, STRANGER, World, anybody, check, residing, root, rule};

const RESIDENCY: &str = "Forbidden.Residency";
const ZONES: &str = "Forbidden.ZoneRedundancyRequired";
const CLASS: &str = "Forbidden.DataClass";

fn source(bucket: &str) -> CopySource {
    CopySource { bucket: bucket.to_owned(), key: "k".to_owned(), ..CopySource::default() }
}

/// What copying the owner's `k` from one bucket to another comes to, whole and as a part.
async fn copy(world: &World, from: &str, to: &str) -> [Result<(), String>; 2] {
    let (owner, oss) = (root(OWNER), &world.oss);
    let code = |error: base::ApiError| error.code().to_owned();
    let whole = oss.copy(&owner, source(from), to, "copy", CopyOptions::default()).await;
    let upload = oss.initiate(&owner, to, "part", InitiateOptions::default()).await.unwrap();
    let part = oss.upload_part_copy(&owner, (to, "part", &upload), 1, source(from), None).await;
    [whole.map(drop).map_err(code), part.map(drop).map_err(code)]
}

fn refused(code: &str) -> [Result<(), String>; 2] {
    [Err(code.to_owned()), Err(code.to_owned())]
}

/// Public and internal data of the owner's may be at home and abroad, personal data in two zones at home.
fn bind(world: &World) {
    let rules = [
        rule(DataClass::Public, &["ID", "SG"], &[], 1),
        rule(DataClass::Internal, &["ID"], &[], 1),
        rule(DataClass::Personal, &["ID"], &[], 2),
        rule(DataClass::Strategic, &["ID"], &[], 1),
    ];
    world.agreements.0.bind(OWNER, residing(DataClass::Internal, &rules));
}

async fn bucket(world: &World, name: &str, class: DataClass, redundancy: Redundancy) {
    let options = CreateBucket { class: Some(class), redundancy, ..CreateBucket::default() };
    world.bucket(name, options).await.unwrap();
    let body = Whole::new("data");
    world.oss.put(&root(OWNER), name, "k", PutOptions::default(), body).await.unwrap();
}

#[test]
fn what_is_copied_becomes_no_less_sensitive() {
    check(Limits::default(), |world| async move {
        bind(&world);
        for (name, class) in [
            ("open", DataClass::Public),
            ("own", DataClass::Internal),
            ("grave", DataClass::Strategic),
        ] {
            bucket(&world, name, class, Redundancy::Local).await;
        }
        bucket(&world, "persons", DataClass::Personal, Redundancy::Zones).await;
        for (from, to) in [("own", "open"), ("persons", "open"), ("persons", "own")] {
            assert_eq!(copy(&world, from, to).await, refused(CLASS), "{from} to {to}");
        }
        assert_eq!(copy(&world, "persons", "grave").await, refused(ZONES), "its zones go with it");
        for (from, to) in [("open", "own"), ("own", "own"), ("open", "persons"), ("own", "grave")] {
            assert_eq!(copy(&world, from, to).await, [Ok(()), Ok(())], "{from} to {to}");
        }
        let facts = json!({
            "tenant": OWNER.to_string(), "class": "internal",
            "wanted": [{ "site": "jkt-1", "country": "ID" }],
        });
        let stated =
            |(_, outcome, public): &&(String, String, _)| outcome == CLASS && *public == facts;
        assert_eq!(world.leaves().await.iter().filter(stated).count(), 2);
    });
}

#[test]
fn what_is_copied_into_another_accounts_bucket_stays_where_its_owner_agreed() {
    check(Limits::default(), |world| async move {
        bind(&world);
        world.put("k", b"data").await;
        let options = |region: &str| CreateBucket {
            class: Some(DataClass::Strategic),
            acl: Some(Acl::PublicReadWrite),
            region: Some(region.to_owned()),
            ..CreateBucket::default()
        };
        let stranger = root(STRANGER);
        for (name, region) in [("home", "ap-southeast-5"), ("abroad", "ap-southeast-1")] {
            world.oss.create_bucket(&stranger, name, options(region)).await.unwrap();
        }
        assert_eq!(copy(&world, BUCKET, "abroad").await, refused(RESIDENCY));
        assert_eq!(copy(&world, BUCKET, "home").await, [Ok(()), Ok(())]);
        let facts = json!({
            "tenant": OWNER.to_string(), "class": "internal",
            "wanted": [{ "site": "sg-1", "country": "SG" }],
        });
        let refusals: Vec<_> =
            world.leaves().await.into_iter().filter(|leaf| leaf.1 != "OK").collect();
        let refusal = ("PutObject".to_owned(), RESIDENCY.to_owned(), facts);
        assert_eq!(refusals, [refusal.clone(), refusal]);

        // Somebody else who may read it is bound by the same agreement, in the owner's trail.
        world.oss.set_bucket_acl(&root(OWNER), BUCKET, Acl::PublicRead).await.unwrap();
        for ctx in [stranger, anybody()] {
            let done =
                world.oss.copy(&ctx, source(BUCKET), "abroad", "k", CopyOptions::default()).await;
            assert_eq!(done.unwrap_err().code(), RESIDENCY);
        }
        let of_owner = "SELECT COUNT(*) FROM audit
            WHERE outcome = 'Forbidden.Residency' AND account = 1000000000000001";
        assert_eq!(world.number(of_owner).await, 4);
    });
}

#[test]
fn an_agreement_amended_while_a_copy_is_made_binds_its_commit() {
    check(Limits::default(), |world| async move {
        bind(&world);
        world.put("k", b"data").await;
        let options = CreateBucket {
            class: Some(DataClass::Internal),
            acl: Some(Acl::PublicReadWrite),
            ..CreateBucket::default()
        };
        let (owner, oss) = (root(OWNER), &world.oss);
        oss.create_bucket(&root(STRANGER), "theirs", options).await.unwrap();
        let upload = oss.initiate(&owner, "theirs", "k", InitiateOptions::default()).await.unwrap();
        // Before the bytes are read, the target's terms are asked for its place, and the source's.
        let amend = || {
            bind(&world);
            let rules = [rule(DataClass::Internal, &["SG"], &[], 1)];
            world.agreements.amend_after(2, residing(DataClass::Internal, &rules));
        };
        amend();
        let whole = oss.copy(&owner, source(BUCKET), "theirs", "k", CopyOptions::default()).await;
        assert_eq!(whole.unwrap_err().code(), RESIDENCY);
        amend();
        let target = ("theirs", "k", upload.as_str());
        let part = oss.upload_part_copy(&owner, target, 1, source(BUCKET), None).await;
        assert_eq!(part.unwrap_err().code(), RESIDENCY);
    });
}

#[test]
fn a_refusal_by_the_agreement_is_recorded_also_where_nobody_signed() {
    check(Limits::default(), |world| async move {
        world.oss.set_bucket_acl(&root(OWNER), BUCKET, Acl::PublicReadWrite).await.unwrap();
        let rules = [rule(DataClass::Internal, &["SG"], &[], 1)];
        world.agreements.0.bind(OWNER, residing(DataClass::Internal, &rules));
        for ctx in [anybody(), root(STRANGER)] {
            let put = world.put_as(&ctx, "k", b"x", PutOptions::default()).await;
            assert_eq!(put.unwrap_err().code(), RESIDENCY);
        }
        let of_owner = "SELECT COUNT(*) FROM audit WHERE outcome = 'Forbidden.Residency'
            AND account = 1000000000000001 AND public LIKE '%\"tenant\":\"1000000000000001\"%'";
        assert_eq!(
            world.number(of_owner).await,
            2,
            "in the trail of whose data it would have been"
        );
        let count = "SELECT COUNT(*) FROM audit";
        let before = world.number(count).await;
        let conditions = oss::WriteConditions { forbid_overwrite: true, ..Default::default() };
        world.agreements.0.bind(
            OWNER,
            residing(DataClass::Internal, &[rule(DataClass::Internal, &["ID"], &[], 1)]),
        );
        world.put("k", b"x").await;
        let options = PutOptions { conditions, ..PutOptions::default() };
        assert!(world.put_as(&anybody(), "k", b"x", options).await.is_err());
        assert_eq!(world.number(count).await, before + 1, "any other refusal of nobody is not");
    });
}

#[test]
fn a_data_centre_is_in_use_by_every_bucket_with_data_there() {
    check(Limits::default(), |world| async move {
        let in_use = async || world.cloud.db.read(oss::sites_in_use).await.unwrap();
        assert!(in_use().await.is_empty(), "the bucket is empty");
        world.put("k", b"x").await;
        bucket(&world, "two", DataClass::Internal, Redundancy::Zones).await;
        let site = Some("sg-1".to_owned());
        let abroad = CreateBucket { site, ..CreateBucket::default() };
        world.bucket("three", abroad).await.unwrap();
        let counted = |pairs: &[(&str, u64)]| {
            pairs.iter().map(|(site, buckets)| ((*site).to_owned(), *buckets)).collect()
        };
        assert_eq!(in_use().await, counted(&[("jkt-1", 2), ("jkt-2", 1)]));
        let owner = root(OWNER);
        world.oss.initiate(&owner, "three", "k", InitiateOptions::default()).await.unwrap();
        assert_eq!(in_use().await, counted(&[("jkt-1", 2), ("jkt-2", 1), ("sg-1", 1)]));
    });
}
