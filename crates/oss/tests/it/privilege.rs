//! What the provider's people may read of a tenant, and that it is on record before they have it.

use base::{Clock, Time};
use engine::ports::Privilege;
use oss::{
    Acl, BucketView, CopyOptions, CopySource, CreateBucket, DeleteKey, Document, GetOptions,
    InitiateOptions, Limits, ListQuery, PutOptions, ReadConditions, RequestCtx, UploadQuery, Whole,
};
use serde_json::json;

use crate::harness::{BUCKET, OPERATOR, OWNER, STRANGER, World, check, operator, root, user};

const DENIED: &str = "AccessDenied";

fn permit(world: &World) -> Time {
    let until = Time::from_secs(world.clock.now().secs() + 3600);
    let privilege = Privilege { access: "pa-1".to_owned(), reason: "Ticket 7".to_owned(), until };
    world.agreements.0.permit(OWNER, privilege);
    until
}

/// Every read that there is; each says whether it was allowed.
async fn reads(world: &World, ctx: &RequestCtx, upload: &str) -> Vec<bool> {
    let allowed = |error: Option<base::ApiError>| match error {
        None => true,
        Some(error) => {
            assert_eq!(error.code(), DENIED);
            false
        }
    };
    let oss = &world.oss;
    let list = ListQuery { limit: 9, ..ListQuery::default() };
    let uploads = UploadQuery { limit: 9, ..UploadQuery::default() };
    let mut done = vec![
        world
            .get_as(ctx, "k", GetOptions::default())
            .await
            .map_err(|code| {
                assert_eq!(code, DENIED);
            })
            .is_ok(),
        allowed(oss.head(ctx, BUCKET, "k", &ReadConditions::default()).await.err()),
        allowed(oss.object_acl(ctx, BUCKET, "k").await.err()),
        allowed(oss.object_tags(ctx, BUCKET, "k").await.err()),
        allowed(oss.list(ctx, BUCKET, list).await.err()),
        allowed(oss.list_uploads(ctx, BUCKET, uploads).await.err()),
        allowed(oss.list_parts(ctx, (BUCKET, "k", upload), 0, 9).await.err()),
        allowed(oss.bucket_stat(ctx, BUCKET).await.err()),
        allowed(oss.bucket_config(ctx, BUCKET, Document::Cors).await.err()),
    ];
    for view in [BucketView::Info, BucketView::Location, BucketView::Acl, BucketView::Head] {
        done.push(allowed(oss.bucket(ctx, BUCKET, view).await.err()));
    }
    done
}

/// Every kind of write; all of them are denied.
async fn assert_no_writes(world: &World, ctx: &RequestCtx, upload: &str) {
    let oss = &world.oss;
    let key = || DeleteKey { key: "k".to_owned(), ..DeleteKey::default() };
    let source =
        CopySource { bucket: BUCKET.to_owned(), key: "k".to_owned(), ..CopySource::default() };
    let part = oss::PartOptions { number: 1, ..oss::PartOptions::default() };
    let target = (BUCKET, "k", upload);
    let errors = [
        world.put_as(ctx, "new", b"x", PutOptions::default()).await.err(),
        oss.delete(ctx, BUCKET, key()).await.err(),
        oss.delete_many(ctx, BUCKET, vec![key()]).await.err(),
        oss.copy(ctx, source.clone(), BUCKET, "copy", CopyOptions::default()).await.err(),
        oss.copy(ctx, source, "of-operator", "copy", CopyOptions::default()).await.err(),
        oss.initiate(ctx, BUCKET, "k", InitiateOptions::default()).await.err(),
        oss.upload_part(ctx, target, part, Whole::new("x")).await.err(),
        oss.abort(ctx, target).await.err(),
        oss.set_object_acl(ctx, BUCKET, "k", Some(Acl::PublicRead)).await.err(),
        oss.set_object_tags(ctx, BUCKET, "k", Vec::new()).await.err(),
        oss.set_bucket_acl(ctx, BUCKET, Acl::PublicRead).await.err(),
        oss.set_bucket_config(ctx, BUCKET, Document::Cors, None).await.err(),
        oss.delete_bucket(ctx, BUCKET, true).await.err(),
    ];
    for (at, error) in errors.into_iter().enumerate() {
        assert_eq!(error.map(|error| error.code().to_owned()), Some(DENIED.to_owned()), "{at}");
    }
}

/// An object, an upload and a document to be read, and a bucket of the operator's own.
async fn prepare(world: &World) -> String {
    let owner = root(OWNER);
    world.put("k", b"data pemilih").await;
    let document = Some("<CORSConfiguration/>".to_owned());
    world.oss.set_bucket_config(&owner, BUCKET, Document::Cors, document).await.unwrap();
    world.oss.create_bucket(&operator(), "of-operator", CreateBucket::default()).await.unwrap();
    world.oss.initiate(&owner, BUCKET, "k", InitiateOptions::default()).await.unwrap()
}

#[test]
fn a_privilege_opens_every_read_and_each_is_on_record() {
    check(Limits::default(), |world| async move {
        let upload = prepare(&world).await;
        let before = world.number("SELECT COUNT(*) FROM audit").await;
        assert_eq!(reads(&world, &operator(), &upload).await, [false; 13]);
        assert_eq!(world.number("SELECT COUNT(*) FROM audit").await, before, "as ever");
        let until = permit(&world);
        let shown = world.leaves().await.len();
        assert_eq!(reads(&world, &operator(), &upload).await, [true; 13]);
        let leaves = world.leaves().await.split_off(shown);
        let actions: Vec<&str> = leaves.iter().map(|(action, ..)| action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "GetObject",
                "GetObject",
                "GetObjectAcl",
                "GetObjectTagging",
                "ListObjects",
                "ListMultipartUploads",
                "ListParts",
                "GetBucketStat",
                "GetBucketCors",
                "GetBucketInfo",
                "GetBucketLocation",
                "GetBucketAcl",
                "ListObjects",
            ]
        );
        let facts = json!({
            "tenant": OWNER.to_string(), "access": "pa-1", "reason": "Ticket 7", "until": until.iso(),
        });
        for (action, outcome, public) in leaves {
            assert_eq!((outcome.as_str(), public), ("OK", facts.clone()), "{action}");
        }
        let of_tenant = "SELECT COUNT(*) FROM audit WHERE action = 'GetObject' AND account = 1000000000000001
            AND principal LIKE '%1000000000000009%' AND resource = 'acs:oss:*:1000000000000001:pemilu/k'";
        assert_eq!(world.number(of_tenant).await, 2, "the tenant finds it in its own trail");
    });
}

#[test]
fn a_privilege_opens_nothing_else_and_nobody_else() {
    check(Limits::default(), |world| async move {
        let upload = prepare(&world).await;
        permit(&world);
        assert_no_writes(&world, &operator(), &upload).await;
        for ctx in [root(STRANGER), user(OWNER, "barred")] {
            assert_eq!(reads(&world, &ctx, &upload).await, [false; 13]);
        }
        let shown = world.leaves().await.len();
        world.clock.forward(3600);
        assert_eq!(reads(&world, &operator(), &upload).await, [false; 13], "its time is over");
        assert_eq!(world.leaves().await.len(), shown);
        assert_eq!(world.get("k").await.unwrap(), b"data pemilih");
    });
}

#[test]
fn the_leaf_is_committed_before_the_first_byte_is_there() {
    check(Limits::default(), |world| async move {
        prepare(&world).await;
        permit(&world);
        let count = "SELECT COUNT(*) FROM audit WHERE action = 'GetObject'";
        let fetched = world.oss.get(&operator(), BUCKET, "k", GetOptions::default()).await.unwrap();
        assert_eq!(world.number(count).await, 1, "and no byte was asked for yet");
        drop(fetched);
    });
}

#[test]
fn to_find_nothing_is_a_read_on_record_too() {
    check(Limits::default(), |world| async move {
        prepare(&world).await;
        let until = permit(&world);
        let (oss, ctx) = (&world.oss, operator());
        let count = "SELECT COUNT(*) FROM audit";
        let (before, shown) = (world.number(count).await, world.leaves().await.len());
        let conditions = ReadConditions::default();
        let missing = [
            world.get_as(&ctx, "gone", GetOptions::default()).await.err(),
            oss.head(&ctx, BUCKET, "gone", &conditions).await.err().map(|e| e.code().to_owned()),
            oss.object_tags(&ctx, BUCKET, "gone").await.err().map(|e| e.code().to_owned()),
            oss.list_parts(&ctx, (BUCKET, "k", "gone"), 0, 9)
                .await
                .err()
                .map(|e| e.code().to_owned()),
            oss.bucket_config(&ctx, BUCKET, Document::Website)
                .await
                .err()
                .map(|e| e.code().to_owned()),
        ];
        let codes = ["NoSuchKey", "NoSuchKey", "NoSuchKey", "NoSuchUpload", "NoSuchConfiguration"];
        assert_eq!(missing, codes.map(|code| Some(code.to_owned())));
        assert_eq!(world.number(count).await, before + 5, "one row for each request");
        let facts = json!({
            "tenant": OWNER.to_string(), "access": "pa-1", "reason": "Ticket 7", "until": until.iso(),
        });
        for (action, _, public) in world.leaves().await.split_off(shown) {
            assert_eq!(public, facts, "{action}");
        }
        let of_tenant = "SELECT COUNT(*) FROM audit WHERE account = 1000000000000001
            AND principal LIKE '%1000000000000009%'";
        assert_eq!(world.number(of_tenant).await, 5, "in the tenant's trail");
    });
}

#[test]
fn a_privilege_gives_nobody_more_than_their_own_policies_do() {
    check(Limits::default(), |world| async move {
        let upload = prepare(&world).await;
        permit(&world);
        let somebody = |name| {
            let mut ctx = user(OPERATOR, name);
            ctx.caller.operator = true;
            ctx
        };
        // GetObject, HeadObject, its ACL, its tags; the bucket's statistics, document, information, place
        // and ACL. No listing.
        let reader =
            [true, true, true, true, false, false, false, true, true, true, true, true, false];
        assert_eq!(reads(&world, &somebody("reader"), &upload).await, reader);
        for name in ["writer", "barred"] {
            assert_eq!(reads(&world, &somebody(name), &upload).await, [false; 13], "{name}");
        }
    });
}

#[test]
fn the_tenant_does_not_pay_for_what_the_provider_reads() {
    check(Limits::default(), |world| async move {
        let upload = prepare(&world).await;
        permit(&world);
        reads(&world, &operator(), &upload).await;
        world.oss.flush_reads().await;
        let reads = "SELECT COUNT(*) FROM usage_count WHERE meter IN ('oss.egress', 'oss.requests.get', 'oss.requests.list')";
        assert_eq!(world.number(reads).await, 0);
        world.get("k").await.unwrap();
        world.oss.flush_reads().await;
        assert_eq!(world.number(reads).await, 2);
    });
}
