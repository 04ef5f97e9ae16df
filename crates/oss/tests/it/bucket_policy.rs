//! What a bucket's policy lets in and keeps out, beside ACLs and the callers' own policies.

use oss::{Acl, GetOptions, Limits, PutOptions, RequestCtx};

use crate::harness::{BUCKET, OWNER, STRANGER, World, anybody, check, root, user};
use crate::http_client::{self, Sign};

const DENIED: &str = "AccessDenied";

fn allow(principal: &str, action: &str) -> String {
    statement("Allow", principal, action)
}

fn statement(effect: &str, principal: &str, action: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":"{action}","Resource":["arn:aws:s3:::{BUCKET}","arn:aws:s3:::{BUCKET}/*"]}}]}}"#
    )
}

async fn set(world: &World, policy: &str) {
    world.oss.set_bucket_policy(&root(OWNER), BUCKET, policy).await.unwrap();
}

async fn reads(world: &World, ctx: &RequestCtx) -> bool {
    match world.get_as(ctx, "k", GetOptions::default()).await {
        Ok(_) => true,
        Err(code) => {
            assert_eq!(code, DENIED);
            false
        }
    }
}

#[test]
fn a_policy_lets_in_nobody_but_whom_it_names() {
    check(Limits::default(), |world| async move {
        world.put("k", b"x").await;
        let callers = || {
            [
                anybody(),
                root(STRANGER),
                user(STRANGER, "reader"),
                user(STRANGER, "writer"),
                user(OWNER, "writer"),
                user(OWNER, "barred"),
            ]
        };
        let own = r#"{"AWS":"arn:aws:iam::1000000000000001:user/writer"}"#;
        let theirs = r#"{"AWS":"arn:aws:iam::1000000000000002:root"}"#;
        let reader = r#"{"AWS":"arn:aws:iam::1000000000000002:user/reader"}"#;
        let own_root = r#"{"AWS":"1000000000000001"}"#;
        for (principal, wanted) in [
            // The user `writer` of the other account has no leave of its own account to read.
            (r#""*""#, [true, true, true, false, true, false]),
            (theirs, [false, true, true, false, false, false]),
            (reader, [false, false, true, false, false, false]),
            (own, [false, false, false, false, true, false]),
            (own_root, [false; 6]),
        ] {
            set(&world, &allow(principal, "s3:Get*")).await;
            for (ctx, wanted) in callers().iter().zip(wanted) {
                assert_eq!(reads(&world, ctx).await, wanted, "{principal} {:?}", ctx.caller.kind);
            }
            assert!(reads(&world, &root(OWNER)).await);
        }
        world.oss.delete_bucket_policy(&root(OWNER), BUCKET).await.unwrap();
        for ctx in callers() {
            assert!(!reads(&world, &ctx).await);
        }
    });
}

#[test]
fn the_form_of_oss_lets_in_accounts_and_users_by_their_ids() {
    check(Limits::default(), |world| async move {
        world.put("k", b"x").await;
        let policy = |id: &str| {
            format!(
                r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Principal":["{id}"],"Action":["oss:GetObject"],"Resource":["acs:oss:*:{OWNER}:{BUCKET}/*"]}}]}}"#
            )
        };
        set(&world, &policy("1000000000000002")).await;
        assert!(reads(&world, &root(STRANGER)).await && !reads(&world, &anybody()).await);
        set(&world, &policy("200000000000000001")).await;
        assert!(reads(&world, &user(OWNER, "writer")).await);
        assert!(!reads(&world, &root(STRANGER)).await);
    });
}

#[test]
fn a_denial_wins_over_acls_and_over_the_owner_but_for_the_policy_itself() {
    check(Limits::default(), |world| async move {
        world.put("k", b"x").await;
        let owner = root(OWNER);
        world.oss.set_bucket_acl(&owner, BUCKET, Acl::PublicReadWrite).await.unwrap();
        set(&world, &statement("Deny", r#""*""#, "s3:*")).await;
        for ctx in [anybody(), root(STRANGER), user(OWNER, "reader"), owner.clone()] {
            assert!(!reads(&world, &ctx).await);
            let put = world.put_as(&ctx, "new", b"x", PutOptions::default()).await;
            assert_eq!(put.unwrap_err().code(), DENIED);
        }
        let others = [anybody(), root(STRANGER), user(OWNER, "reader")];
        for ctx in &others {
            let refused = world.oss.delete_bucket_policy(ctx, BUCKET).await.unwrap_err();
            assert_eq!(refused.code(), DENIED);
        }
        world.oss.delete_bucket_policy(&owner, BUCKET).await.unwrap();
        assert!(reads(&world, &anybody()).await);
    });
}

#[test]
fn the_policy_stays_with_the_owners_account_whatever_it_says() {
    check(Limits::default(), |world| async move {
        let everything = allow(r#""*""#, "s3:*");
        set(&world, &everything).await;
        for ctx in [anybody(), root(STRANGER)] {
            let put = world.oss.set_bucket_policy(&ctx, BUCKET, &everything).await;
            assert_eq!(put.unwrap_err().code(), DENIED);
        }
        world.oss.set_bucket_policy(&user(OWNER, "writer"), BUCKET, &everything).await.unwrap();
    });
}

#[test]
fn both_dialects_store_tell_and_delete_a_policy() {
    http_client::check(|server| {
        let mine = r#"{ "Version":"1","Statement":[{"Effect":"Allow","Principal":["*"],"Action":["oss:GetObject"],"Resource":["acs:oss:*:*:pemilu/*"]}]}"#;
        let theirs = allow(r#""*""#, "s3:GetObject");
        let put = server.ask("PUT", "/pemilu/k").body("x").send(Sign::S3);
        assert_eq!(put.status, 200, "{put:?}");
        for (sign, text, done) in [(Sign::OssV4, mine, 200), (Sign::S3, theirs.as_str(), 204)] {
            server.ask("GET", "/pemilu?policy").send(sign).refused(404, "NoSuchBucketPolicy");
            server.ask("GET", "/pemilu/k").send(Sign::No).refused(403, "AccessDenied");
            let put = server.ask("PUT", "/pemilu?policy").body(text).send(sign);
            assert_eq!(put.status, done, "{put:?}");
            let got = server.ask("GET", "/pemilu?policy").send(sign);
            assert_eq!((got.status, got.text().as_str()), (200, text));
            assert_eq!(got.header("content-type"), Some("application/json"));
            let status = server.ask("GET", "/pemilu?policyStatus").send(sign).text();
            assert!(status.contains("<IsPublic>true</IsPublic>"), "{status}");
            assert_eq!(server.ask("GET", "/pemilu/k").send(Sign::No).status, 200);
            assert_eq!(server.ask("DELETE", "/pemilu?policy").send(sign).status, 204);
        }
        let status = server.ask("GET", "/pemilu?policyStatus");
        for sign in [Sign::S3, Sign::OssV4] {
            let status = status.clone().send(sign).text();
            assert!(status.contains("<IsPublic>false</IsPublic>"), "{status}");
        }
        let opened = server.ask("PUT", "/pemilu?acl").header("x-amz-acl", "authenticated-read");
        assert_eq!(opened.body("").send(Sign::S3).status, 200);
        let status =
            |sign| server.ask("GET", "/pemilu?policyStatus").send(sign).element("IsPublic");
        assert_eq!((status(Sign::S3), status(Sign::OssV4)), ("true".into(), "false".into()));
        let (long, foreign) = (" ".repeat(21 << 10), mine.replace("pemilu", "pilkada"));
        for bad in ["{}", "<x/>", &long, &foreign] {
            let put = || server.ask("PUT", "/pemilu?policy").body(bad);
            put().send(Sign::S3).refused(400, "MalformedPolicy");
            put().send(Sign::OssV4).refused(400, "InvalidPolicyDocument");
        }
    });
}
