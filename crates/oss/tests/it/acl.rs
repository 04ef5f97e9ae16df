//! Grants, owners of objects, the block of public access, and who pays: by the rules of S3.

use engine::meter::usage;
use oss::acl::{AccessBlock, AccessList, Grant, Grantee, Ownership, Permission};
use oss::{
    Acl, CompleteOptions, CompleteParts, CreateBucket, DeleteKey, Fetched, GetOptions,
    InitiateOptions, Limits, ListQuery, PartOptions, PutOptions, RequestCtx, Whole,
    WriteConditions,
};

use crate::harness::{OWNER, STRANGER, World, anybody, check, root, user};

const DENIED: &str = "AccessDenied";
const BUCKET: &str = "warung";

fn s3(ownership: Option<Ownership>) -> CreateBucket {
    CreateBucket { s3: true, ownership, ..CreateBucket::default() }
}

fn code(error: base::ApiError) -> String {
    error.code().to_owned()
}

async fn put(world: &World, ctx: &RequestCtx, key: &str, acl: Option<Acl>) -> Result<(), String> {
    let options = PutOptions { acl, ..PutOptions::default() };
    world.oss.put(ctx, BUCKET, key, options, Whole::new("x")).await.map(drop).map_err(code)
}

/// What somebody can do with the object `k` and the bucket: read, list, overwrite, read the object's ACL,
/// read the bucket's, change the bucket's.
async fn rights(world: &World, ctx: &RequestCtx) -> [bool; 6] {
    let denied = |result: Result<(), String>| match result {
        Ok(()) => true,
        Err(code) => {
            assert_eq!(code, DENIED);
            false
        }
    };
    let oss = &world.oss;
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let view = oss::BucketView::Acl;
    let kept = oss.bucket(&root(OWNER), BUCKET, view).await.unwrap();
    let list = AccessList { acl: Some(kept.acl), grants: kept.settings.grants };
    [
        denied(oss.get(ctx, BUCKET, "k", GetOptions::default()).await.map(drop).map_err(code)),
        denied(oss.list(ctx, BUCKET, query).await.map(drop).map_err(code)),
        denied(put(world, ctx, "other", None).await),
        denied(oss.object_acl(ctx, BUCKET, "k").await.map(drop).map_err(code)),
        denied(oss.bucket(ctx, BUCKET, view).await.map(drop).map_err(code)),
        denied(oss.set_bucket_acl(ctx, BUCKET, list).await.map(drop).map_err(code)),
    ]
}

fn to(account: base::AccountId, permission: Permission) -> Grant {
    Grant { to: Grantee::Account(account), permission }
}

#[test]
fn a_grant_lets_an_account_do_what_it_says_and_nobody_else() {
    check(Limits::default(), |world| async move {
        world.bucket(BUCKET, s3(None)).await.unwrap();
        let owner = root(OWNER);
        put(&world, &owner, "k", None).await.unwrap();
        assert_eq!(rights(&world, &root(STRANGER)).await, [false; 6]);
        for (permission, of_bucket, of_object) in [
            (Permission::Read, [false, true, false, false, false, false], [true, false]),
            (Permission::Write, [false, false, true, false, false, false], [false, false]),
            (Permission::ReadAcl, [false, false, false, false, true, false], [false, true]),
            (Permission::WriteAcl, [false, false, false, false, false, true], [false, false]),
            (Permission::FullControl, [false, true, true, false, true, true], [true, true]),
        ] {
            let list = || AccessList::of(vec![to(STRANGER, permission)]);
            world.oss.set_bucket_acl(&owner, BUCKET, list()).await.unwrap();
            assert_eq!(rights(&world, &root(STRANGER)).await, of_bucket, "{permission:?}");
            assert_eq!(rights(&world, &anybody()).await, [false; 6]);
            let unhelped = rights(&world, &user(STRANGER, "writer")).await;
            assert_eq!(unhelped[1..2], [false], "its users need its own leave");
            assert_eq!(rights(&world, &owner).await, [true; 6], "no list takes from the owner");
            world.oss.set_bucket_acl(&owner, BUCKET, Acl::Private).await.unwrap();
            world.oss.set_object_acl(&owner, BUCKET, "k", list()).await.unwrap();
            let [read, _, write, read_acl, ..] = rights(&world, &root(STRANGER)).await;
            assert_eq!([read, read_acl], of_object, "{permission:?}");
            assert!(!write);
            world.oss.set_object_acl(&owner, BUCKET, "k", Acl::Private).await.unwrap();
        }
    });
}

#[test]
fn by_the_rules_of_s3_the_bucket_says_who_writes_and_the_object_who_reads() {
    check(Limits::default(), |world| async move {
        world.bucket(BUCKET, s3(None)).await.unwrap();
        let (owner, other) = (root(OWNER), root(STRANGER));
        put(&world, &owner, "k", None).await.unwrap();
        let read = async |ctx: &RequestCtx| {
            world.oss.get(ctx, BUCKET, "k", GetOptions::default()).await.is_ok()
        };
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        assert!(!read(&anybody()).await, "an object without a list is its owner's alone");
        world.oss.set_object_acl(&owner, BUCKET, "k", Acl::AuthenticatedRead).await.unwrap();
        assert!(read(&other).await && !read(&anybody()).await);
        world.oss.set_object_acl(&owner, BUCKET, "k", Acl::PublicReadWrite).await.unwrap();
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicRead).await.unwrap();
        assert_eq!(put(&world, &other, "k", None).await, Err(DENIED.to_owned()));
        assert!(read(&anybody()).await);
    });
}

#[test]
fn what_others_write_is_theirs_as_the_bucket_says() {
    check(Limits::default(), |world| async move {
        let (owner, other) = (root(OWNER), root(STRANGER));
        world.bucket(BUCKET, s3(None)).await.unwrap();
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        let reads = async |ctx: &RequestCtx| {
            world.oss.get(ctx, BUCKET, "k", GetOptions::default()).await.is_ok()
        };
        let owned = async || {
            world
                .oss
                .object_access(&other, BUCKET, "k")
                .await
                .map(|(bucket, info)| bucket.owner_of(&info))
                .map_err(code)
        };
        put(&world, &other, "k", None).await.unwrap();
        assert_eq!(owned().await, Ok(STRANGER));
        assert!(reads(&other).await && !reads(&owner).await);
        let tags = || vec![("a".to_owned(), "b".to_owned())];
        let tagged = world.oss.set_object_tags(&other, BUCKET, "k", tags()).await;
        assert_eq!(tagged.map_err(code), Err(DENIED.to_owned()), "tags are the bucket's matter");
        world.oss.set_object_tags(&owner, BUCKET, "k", tags()).await.unwrap();
        put(&world, &other, "k", Some(Acl::BucketOwnerRead)).await.unwrap();
        assert!(reads(&owner).await, "the writer let it");
        let denied = world.oss.object_acl(&owner, BUCKET, "k").await.unwrap_err();
        assert_eq!(denied.code(), DENIED);
        put(&world, &other, "k", Some(Acl::BucketOwnerFullControl)).await.unwrap();
        assert_eq!(owned().await, Ok(STRANGER));
        world.oss.object_acl(&owner, BUCKET, "k").await.unwrap();
        let preferred = Some(Ownership::BucketOwnerPreferred);
        world.oss.set_bucket_ownership(&owner, BUCKET, preferred).await.unwrap();
        put(&world, &other, "k", Some(Acl::BucketOwnerFullControl)).await.unwrap();
        assert_eq!(owned().await, Err(DENIED.to_owned()), "it went to the bucket's owner");
        put(&world, &anybody(), "k", None).await.unwrap();
        assert!(reads(&owner).await, "what nobody signed is the bucket's owner's");
        let key = DeleteKey { key: "k".to_owned(), ..DeleteKey::default() };
        put(&world, &other, "k", None).await.unwrap();
        world.oss.delete(&owner, BUCKET, key).await.unwrap();
    });
}

#[test]
fn an_upload_is_its_beginners_whoever_completes_it() {
    check(Limits::default(), |world| async move {
        let (owner, other) = (root(OWNER), root(STRANGER));
        world.bucket(BUCKET, s3(None)).await.unwrap();
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        let grants = Some(vec![to(OWNER, Permission::Read), to(STRANGER, Permission::FullControl)]);
        let options = InitiateOptions { grants, ..InitiateOptions::default() };
        let upload = world.oss.initiate(&other, BUCKET, "k", options).await.unwrap();
        let part = PartOptions { number: 1, ..PartOptions::default() };
        world.oss.upload_part(&other, (BUCKET, "k", &upload), part, Whole::new("x")).await.unwrap();
        let options = CompleteOptions {
            parts: CompleteParts::All,
            conditions: WriteConditions::default(),
            part_bytes_min: 0,
            crc64: None,
            checksums: Vec::new(),
            acl: None,
            customer_key: None,
        };
        world.oss.complete(&owner, (BUCKET, "k", &upload), options).await.unwrap();
        let (bucket, info) = world.oss.object_access(&other, BUCKET, "k").await.unwrap();
        assert_eq!(bucket.owner_of(&info), STRANGER);
        world.oss.get(&owner, BUCKET, "k", GetOptions::default()).await.unwrap();
        world.oss.object_acl(&owner, BUCKET, "k").await.unwrap_err();
    });
}

#[test]
fn where_the_owner_is_enforced_lists_say_nothing() {
    check(Limits::default(), |world| async move {
        let (owner, other) = (root(OWNER), root(STRANGER));
        world.bucket(BUCKET, s3(None)).await.unwrap();
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        put(&world, &other, "k", Some(Acl::PublicRead)).await.unwrap();
        let enforced = Some(Ownership::BucketOwnerEnforced);
        let refused = world.oss.set_bucket_ownership(&owner, BUCKET, enforced).await.unwrap_err();
        assert_eq!(refused.code(), "InvalidBucketAclWithObjectOwnership");
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::Private).await.unwrap();
        world.oss.set_bucket_ownership(&owner, BUCKET, enforced).await.unwrap();
        assert_eq!(rights(&world, &other).await, [false; 6]);
        world.oss.get(&owner, BUCKET, "k", GetOptions::default()).await.unwrap();
        let unsupported = Err("AccessControlListNotSupported".to_owned());
        assert_eq!(put(&world, &owner, "k", Some(Acl::Private)).await, unsupported);
        put(&world, &owner, "k", Some(Acl::BucketOwnerFullControl)).await.unwrap();
        let set = world.oss.set_object_acl(&owner, BUCKET, "k", Acl::Private).await;
        assert_eq!(set.map_err(code), unsupported);
        let set = world.oss.set_bucket_acl(&owner, BUCKET, Acl::Private).await;
        assert_eq!(set.map_err(code), unsupported);
        let options = CreateBucket { acl: Some(Acl::PublicRead), ..s3(enforced) };
        assert_eq!(
            world.bucket("terbuka", options).await,
            Err("InvalidBucketAclWithObjectOwnership".to_owned())
        );
    });
}

#[test]
fn a_block_refuses_what_is_public_and_ignores_what_is() {
    check(Limits::default(), |world| async move {
        world.bucket(BUCKET, s3(None)).await.unwrap();
        let owner = root(OWNER);
        let read =
            async || world.oss.get(&anybody(), BUCKET, "k", GetOptions::default()).await.is_ok();
        put(&world, &owner, "k", Some(Acl::PublicRead)).await.unwrap();
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{BUCKET}/*"}}]}}"#
        );
        let set_policy = async || world.oss.set_bucket_policy(&owner, BUCKET, &policy).await;
        assert!(read().await);
        let block = async |block| {
            world.oss.set_bucket_block(&owner, BUCKET, Some(block)).await.unwrap();
        };
        let none = AccessBlock::default();
        block(AccessBlock { block_acls: true, ..none }).await;
        assert!(read().await, "what there is stays");
        let denied = Err(DENIED.to_owned());
        for acl in [Acl::PublicRead, Acl::PublicReadWrite, Acl::AuthenticatedRead] {
            assert_eq!(put(&world, &owner, "new", Some(acl)).await, denied);
            let set = world.oss.set_bucket_acl(&owner, BUCKET, acl).await;
            assert_eq!(set.map_err(code), denied);
        }
        put(&world, &owner, "new", Some(Acl::Private)).await.unwrap();
        block(AccessBlock { ignore_acls: true, ..none }).await;
        assert!(!read().await);
        block(AccessBlock { block_policy: true, ..none }).await;
        assert_eq!(set_policy().await.map_err(code), denied);
        block(none).await;
        world.oss.set_object_acl(&owner, BUCKET, "k", Acl::Private).await.unwrap();
        set_policy().await.unwrap();
        assert!(read().await);
        block(AccessBlock { restrict: true, ..none }).await;
        assert!(!read().await);
        assert!(world.oss.get(&owner, BUCKET, "k", GetOptions::default()).await.is_ok());
        world.oss.set_bucket_block(&owner, BUCKET, None).await.unwrap();
        assert!(read().await);
        world.oss.set_account_block(&owner, Some(AccessBlock::ALL)).await.unwrap();
        assert!(!read().await, "the account blocks it in all its buckets");
        let options = CreateBucket { acl: Some(Acl::PublicRead), ..s3(None) };
        assert_eq!(world.bucket("terbuka", options).await, denied);
        world.oss.set_account_block(&owner, None).await.unwrap();
        assert!(read().await);
    });
}

async fn used(world: &World, account: base::AccountId, meter: &str) -> i64 {
    let now = base::Clock::now(&*world.clock);
    let lines = world.cloud.db.read(move |tx| usage(tx, account, 0, i64::MAX, now)).await.unwrap();
    lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum()
}

#[test]
fn who_asks_pays_where_it_says_so_and_else_gets_nothing() {
    check(Limits::default(), |world| async move {
        world.bucket(BUCKET, s3(None)).await.unwrap();
        let (owner, other) = (root(OWNER), root(STRANGER));
        let mut paying = root(STRANGER);
        paying.request.told.push(("oss:RequestPayer", "requester".to_owned()));
        let mut nobody = anybody();
        nobody.request.told.push(("oss:RequestPayer", "requester".to_owned()));
        put(&world, &owner, "k", Some(Acl::PublicRead)).await.unwrap();
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        let read = async |ctx: &RequestCtx| {
            let got = world.oss.get(ctx, BUCKET, "k", GetOptions::default()).await;
            let Fetched::Found { mut body, .. } = got.map_err(code)? else { panic!("unasked") };
            while let Some(bytes) = body.next().await {
                bytes.unwrap();
            }
            Ok::<_, String>(())
        };
        read(&other).await.unwrap();
        read(&paying).await.unwrap();
        world.oss.set_requester_pays(&owner, BUCKET, true).await.unwrap();
        for ctx in [&other, &anybody(), &nobody] {
            assert_eq!(read(ctx).await, Err(DENIED.to_owned()));
            assert_eq!(put(&world, ctx, "new", None).await, Err(DENIED.to_owned()));
        }
        read(&paying).await.unwrap();
        read(&owner).await.unwrap();
        put(&world, &paying, "new", None).await.unwrap();
        world.oss.flush_reads().await;
        assert_eq!(used(&world, STRANGER, "oss.requests.get").await, 1);
        assert_eq!(used(&world, STRANGER, "oss.egress").await, 1);
        assert_eq!(used(&world, STRANGER, "oss.requests.put").await, 1);
        assert_eq!(used(&world, OWNER, "oss.egress").await, 3);
        assert_eq!(used(&world, STRANGER, "oss.storage").await, 0, "what is stored is the owner's");
    });
}
