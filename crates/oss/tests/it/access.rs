//! Who may: policies, ACLs, agreements; and that refusals are recorded.

use oss::{
    Acl, BucketView, CreateBucket, Created, DeleteKey, GetOptions, Limits, ListBuckets, ListQuery,
    PutOptions, ReadConditions, RequestCtx, Whole, WriteConditions,
};

use crate::harness::{BUCKET, OWNER, STRANGER, UNBOUND, World, anybody, check, root, user};

const DENIED: &str = "AccessDenied";

/// What somebody can do: read, list, write, delete, read the ACL.
async fn rights(world: &World, ctx: &RequestCtx) -> [bool; 5] {
    let denied = |result: Result<(), String>| match result {
        Ok(()) => true,
        Err(code) => {
            assert_eq!(code, DENIED);
            false
        }
    };
    let code = |error: base::ApiError| error.code().to_owned();
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let key = DeleteKey { key: "gone".to_owned(), if_match: None };
    [
        denied(world.get_as(ctx, "k", GetOptions::default()).await.map(drop)),
        denied(world.oss.list(ctx, BUCKET, query).await.map(drop).map_err(code)),
        denied(world.put_as(ctx, "new", b"x", PutOptions::default()).await.map(drop).map_err(code)),
        denied(world.oss.delete(ctx, BUCKET, key).await.map(drop).map_err(code)),
        denied(world.oss.bucket(ctx, BUCKET, BucketView::Acl).await.map(drop).map_err(code)),
    ]
}

#[test]
fn an_acl_opens_a_bucket_as_far_as_it_says() {
    check(Limits::default(), |world| async move {
        world.put("k", b"x").await;
        let owner = root(OWNER);
        for (acl, others) in [
            (Acl::Private, [false, false, false, false, false]),
            (Acl::PublicRead, [true, true, false, false, false]),
            (Acl::PublicReadWrite, [true, true, true, true, false]),
        ] {
            world.oss.set_bucket_acl(&owner, BUCKET, acl).await.unwrap();
            assert_eq!(rights(&world, &anybody()).await, others, "{acl:?}");
            assert_eq!(rights(&world, &root(STRANGER)).await, others, "{acl:?}");
            assert_eq!(rights(&world, &owner).await, [true; 5], "{acl:?}");
            assert_eq!(
                rights(&world, &user(OWNER, "barred")).await,
                [false; 5],
                "an explicit deny wins"
            );
        }
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::Private).await.unwrap();
        assert_eq!(rights(&world, &user(OWNER, "reader")).await, [true, false, false, false, true]);
    });
}

#[test]
fn an_objects_own_acl_stands_before_the_buckets() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        world.put("k", b"x").await;
        let read = async || world.get_as(&anybody(), "k", GetOptions::default()).await.is_ok();
        assert!(!read().await);
        world.oss.set_object_acl(&owner, BUCKET, "k", Some(Acl::PublicRead)).await.unwrap();
        assert!(read().await);
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicRead).await.unwrap();
        world.oss.set_object_acl(&owner, BUCKET, "k", Some(Acl::Private)).await.unwrap();
        assert!(!read().await);
        world.oss.set_object_acl(&owner, BUCKET, "k", None).await.unwrap();
        assert!(read().await);
        assert_eq!(world.oss.object_acl(&owner, BUCKET, "k").await.unwrap().acl, None);
    });
}

#[test]
fn an_account_without_an_agreement_stores_nothing_and_others_see_its_name_taken() {
    check(Limits::default(), |world| async move {
        let create = async |ctx: RequestCtx, name: &str, repeatable| {
            let options = CreateBucket { repeatable, ..CreateBucket::default() };
            world
                .oss
                .create_bucket(&ctx, name, options)
                .await
                .map_err(|error| error.code().to_owned())
        };
        assert_eq!(
            create(root(UNBOUND), "mine", false).await.unwrap_err(),
            "Forbidden.NoAgreement"
        );
        assert_eq!(create(anybody(), "mine", false).await.unwrap_err(), DENIED);
        assert_eq!(create(root(STRANGER), BUCKET, true).await.unwrap_err(), "BucketAlreadyExists");
        assert_eq!(
            create(root(OWNER), BUCKET, false).await.unwrap_err(),
            "BucketAlreadyOwnedByYou"
        );
        assert!(matches!(create(root(OWNER), BUCKET, true).await, Ok(Created::Already(_))));
        assert!(matches!(create(root(STRANGER), "other", false).await, Ok(Created::New(_))));
        let query = ListBuckets { limit: 10, ..ListBuckets::default() };
        let listed = world.oss.list_buckets(&root(OWNER), query).await.unwrap();
        let names: Vec<String> = listed.buckets.into_iter().map(|bucket| bucket.name).collect();
        assert_eq!(names, [BUCKET]);
    });
}

#[test]
fn a_refusal_comes_before_the_body_and_is_audited() {
    check(Limits::default(), |world| async move {
        world.put("k", b"x").await;
        let before = world.number("SELECT COUNT(*) FROM audit").await;
        let silent = crate::harness::Pieces::new(b"", 1, crate::harness::End::Silent);
        let refused = world
            .oss
            .put(&user(OWNER, "reader"), BUCKET, "new", PutOptions::default(), silent)
            .await;
        assert_eq!(refused.unwrap_err().code(), DENIED);
        let conditions = WriteConditions { forbid_overwrite: true, ..WriteConditions::default() };
        let silent = crate::harness::Pieces::new(b"", 1, crate::harness::End::Silent);
        let options = PutOptions { conditions, ..PutOptions::default() };
        let refused = world.oss.put(&root(OWNER), BUCKET, "k", options, silent).await;
        assert_eq!(refused.unwrap_err().code(), "FileAlreadyExists");
        assert_eq!(world.number("SELECT COUNT(*) FROM audit").await, before + 2);
        let resource = world.number(
            "SELECT COUNT(*) FROM audit WHERE resource = 'acs:oss:*:1000000000000001:pemilu/new'",
        );
        assert_eq!(resource.await, 1);
    });
}

#[test]
fn a_bucket_goes_only_when_it_is_empty() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        let code = |error: base::ApiError| error.code().to_owned();
        world.put("k", b"x").await;
        assert_eq!(
            world.oss.delete_bucket(&owner, BUCKET, true).await.map_err(code),
            Err("BucketNotEmpty".to_owned())
        );
        world
            .oss
            .delete(&owner, BUCKET, DeleteKey { key: "k".to_owned(), if_match: None })
            .await
            .unwrap();
        let upload =
            world.oss.initiate(&owner, BUCKET, "k", oss::InitiateOptions::default()).await.unwrap();
        let part = oss::PartOptions { number: 1, ..oss::PartOptions::default() };
        world
            .oss
            .upload_part(&owner, (BUCKET, "k", &upload), part, Whole::new(vec![1; 9]))
            .await
            .unwrap();
        assert_eq!(
            world.oss.delete_bucket(&owner, BUCKET, false).await.map_err(code),
            Err("BucketNotEmpty".to_owned())
        );
        assert_eq!(
            world.oss.delete_bucket(&root(STRANGER), BUCKET, true).await.map_err(code),
            Err(DENIED.to_owned())
        );
        world.oss.delete_bucket(&owner, BUCKET, true).await.unwrap();
        assert_eq!(world.get("k").await, Err("NoSuchBucket".to_owned()));
        let gone = world.oss.head(&owner, BUCKET, "k", &ReadConditions::default()).await;
        assert_eq!(gone.unwrap_err().code(), "NoSuchBucket");
        assert_eq!(world.live().await, 0);
    });
}

#[test]
fn documents_come_back_as_they_came() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        let get = async |which| {
            world
                .oss
                .bucket_config(&owner, BUCKET, which)
                .await
                .map_err(|error| error.code().to_owned())
        };
        assert_eq!(get(oss::Document::Cors).await, Err("NoSuchConfiguration".to_owned()));
        let xml = "<CORSConfiguration><!-- ok --></CORSConfiguration>".to_owned();
        world
            .oss
            .set_bucket_config(&owner, BUCKET, oss::Document::Cors, Some(xml.clone()))
            .await
            .unwrap();
        assert_eq!(get(oss::Document::Cors).await, Ok(xml));
        assert_eq!(get(oss::Document::Website).await, Err("NoSuchConfiguration".to_owned()));
        world.oss.set_bucket_config(&owner, BUCKET, oss::Document::Cors, None).await.unwrap();
        assert_eq!(get(oss::Document::Cors).await, Err("NoSuchConfiguration".to_owned()));
    });
}
