//! Who may: policies, ACLs, agreements; and that refusals are recorded.

use oss::{
    Acl, BucketView, CopyOptions, CopySource, CreateBucket, Created, DeleteKey, Directive,
    GetOptions, InitiateOptions, Limits, ListBuckets, ListQuery, PutOptions, ReadConditions,
    RequestCtx, Tags, Whole, WriteConditions,
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
    let key = DeleteKey { key: "gone".to_owned(), ..DeleteKey::default() };
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
fn who_has_no_agreement_writes_nowhere_in_its_name() {
    check(Limits::default(), |world| async move {
        let (owner, unbound) = (root(OWNER), root(UNBOUND));
        world.put("open", b"x").await;
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        let code = |error: base::ApiError| error.code().to_owned();
        let source = || CopySource {
            bucket: BUCKET.to_owned(),
            key: "open".to_owned(),
            ..CopySource::default()
        };
        let key = DeleteKey { key: "open".to_owned(), ..DeleteKey::default() };
        let put = world.put_as(&unbound, "k", b"x", PutOptions::default()).await.map(drop);
        let copied = world.oss.copy(&unbound, source(), BUCKET, "k", CopyOptions::default()).await;
        let begun = world.oss.initiate(&unbound, BUCKET, "k", InitiateOptions::default()).await;
        let deleted = world.oss.delete(&unbound, BUCKET, key).await;
        let done = [put, copied.map(drop), begun.map(drop), deleted.map(drop)];
        for done in done {
            assert_eq!(done.map_err(code), Err("Forbidden.NoAgreement".to_owned()));
        }
        let facts = serde_json::json!({ "tenant": UNBOUND.to_string() });
        let refused: Vec<_> =
            world.leaves().await.into_iter().filter(|leaf| leaf.1 != "OK").collect();
        assert_eq!(refused.len(), 4);
        assert!(refused.iter().all(|(_, _, public)| *public == facts), "{refused:?}");
        let read = world.get_as(&unbound, "open", GetOptions::default()).await;
        assert_eq!(read, Ok(b"x".to_vec()), "what is public is everybody's");
        for ctx in [root(STRANGER), anybody()] {
            world.put_as(&ctx, "k", b"x", PutOptions::default()).await.unwrap();
        }
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
            .delete(&owner, BUCKET, DeleteKey { key: "k".to_owned(), ..DeleteKey::default() })
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

/// What putting, copying and initiating with this ACL and these tags come to.
async fn given(world: &World, ctx: &RequestCtx, acl: Option<Acl>, tags: Tags) -> [bool; 3] {
    let allowed = |code: Option<String>| {
        assert!(code.is_none() || code.as_deref() == Some(DENIED), "{code:?}");
        code.is_none()
    };
    let code = |error: base::ApiError| error.code().to_owned();
    let options = PutOptions { acl, tags: tags.clone(), ..PutOptions::default() };
    let put = world.put_as(ctx, "new", b"x", options).await;
    let source =
        CopySource { bucket: BUCKET.to_owned(), key: "open".to_owned(), ..CopySource::default() };
    let options =
        CopyOptions { acl, tags: Directive::Replace(tags.clone()), ..CopyOptions::default() };
    let copied = world.oss.copy(ctx, source, BUCKET, "copy", options).await;
    let options = InitiateOptions { acl, tags, ..InitiateOptions::default() };
    let begun = world.oss.initiate(ctx, BUCKET, "part", options).await;
    [allowed(put.err().map(code)), allowed(copied.err().map(code)), allowed(begun.err().map(code))]
}

#[test]
fn an_acl_or_tags_given_with_a_write_need_their_own_permission() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        world.put("open", b"x").await;
        let tags = || vec![("a".to_owned(), "b".to_owned())];
        for ctx in [user(OWNER, "writer"), root(STRANGER), anybody()] {
            assert_eq!(given(&world, &ctx, None, Vec::new()).await, [true; 3]);
            assert_eq!(given(&world, &ctx, Some(Acl::PublicRead), Vec::new()).await, [false; 3]);
            assert_eq!(given(&world, &ctx, None, tags()).await, [false; 3]);
        }
        assert_eq!(given(&world, &owner, Some(Acl::Private), tags()).await, [true; 3]);
    });
}

#[test]
fn making_a_bucket_again_changes_its_acl_only_with_that_permission() {
    check(Limits::default(), |world| async move {
        let again = async |ctx: RequestCtx, acl| {
            let options = CreateBucket { acl, repeatable: true, ..CreateBucket::default() };
            world
                .oss
                .create_bucket(&ctx, BUCKET, options)
                .await
                .map(drop)
                .map_err(|error| error.code().to_owned())
        };
        let writer = || user(OWNER, "writer");
        assert_eq!(again(writer(), None).await, Ok(()));
        assert_eq!(again(writer(), Some(Acl::Private)).await, Ok(()), "it is so already");
        assert_eq!(again(writer(), Some(Acl::PublicRead)).await, Err(DENIED.to_owned()));
        assert_eq!(again(root(OWNER), Some(Acl::PublicRead)).await, Ok(()));
    });
}

#[test]
fn a_private_object_in_a_writable_bucket_is_not_written_by_others() {
    check(Limits::default(), |world| async move {
        let (owner, other) = (root(OWNER), root(STRANGER));
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        for key in ["open", "shut"] {
            world.put(key, b"x").await;
        }
        let upload = world.oss.initiate(&other, BUCKET, "shut", InitiateOptions::default());
        let upload = upload.await.unwrap();
        world.oss.set_object_acl(&owner, BUCKET, "shut", Some(Acl::Private)).await.unwrap();
        let put = world.put_as(&other, "shut", b"y", PutOptions::default()).await;
        assert_eq!(put.unwrap_err().code(), DENIED);
        let key = |key: &str| DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
        let deleted = world.oss.delete(&other, BUCKET, key("shut")).await;
        assert_eq!(deleted.unwrap_err().code(), DENIED);
        let source = CopySource {
            bucket: BUCKET.to_owned(),
            key: "open".to_owned(),
            ..CopySource::default()
        };
        let copied = world.oss.copy(&other, source, BUCKET, "shut", CopyOptions::default()).await;
        assert_eq!(copied.unwrap_err().code(), DENIED);
        let options = oss::CompleteOptions {
            parts: oss::CompleteParts::All,
            conditions: WriteConditions::default(),
            part_bytes_min: 0,
            crc64: None,
            checksums: Vec::new(),
            acl: None,
            customer_key: None,
        };
        let completed = world.oss.complete(&other, (BUCKET, "shut", &upload), options).await;
        assert_eq!(completed.unwrap_err().code(), DENIED);
        let audited = async |sql| world.number(sql).await;
        let refusals = "SELECT COUNT(*) FROM audit WHERE outcome = 'AccessDenied'";
        let before = audited(refusals).await;
        let many = world.oss.delete_many(&other, BUCKET, vec![key("shut")]).await;
        assert_eq!(many.unwrap_err().code(), DENIED);
        assert_eq!(audited(refusals).await, before + 1);
        let many = world.oss.delete_many(&other, BUCKET, vec![key("shut"), key("open")]).await;
        let done: Vec<bool> = many.unwrap().into_iter().map(|(_, done)| done.is_ok()).collect();
        assert_eq!(done, [false, true]);
        assert_eq!(
            audited("SELECT COUNT(*) FROM audit WHERE detail LIKE '%\"refused\":\"1\"%'").await,
            1
        );
        assert_eq!(world.get("shut").await, Ok(b"x".to_vec()));
    });
}
