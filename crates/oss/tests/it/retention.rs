//! Retention: what is kept stays, whoever wants it gone and however, and every lock is in the public log.

use base::{ApiError, Clock, Time};
use oss::{
    Acl, At, CompleteOptions, CompleteParts, CopyOptions, CopySource, CreateBucket,
    DefaultRetention, DeleteKey, Directive, Document, InitiateOptions, Limits, Lock, LockMode,
    LockView, NamedPart, ObjectLock, PutOptions, ReadConditions, RequestCtx, Retention, VersionId,
    Versioning, Whole, WriteConditions,
};
use serde_json::{Value, json};
use store::params;

use crate::harness::{BUCKET, OWNER, STRANGER, World, anybody, check, root, user};
use crate::http_client::{Server, Sign, check as serve};

const DAY: i64 = 86_400;
/// A bucket whose objects can be locked.
const LOCKED: &str = "arsip";

fn code<T: std::fmt::Debug>(done: Result<T, ApiError>) -> String {
    done.unwrap_err().code().to_owned()
}

fn key(version: Option<VersionId>) -> DeleteKey {
    DeleteKey { key: "k".to_owned(), version, ..DeleteKey::default() }
}

fn past_governance(version: Option<VersionId>) -> DeleteKey {
    DeleteKey { bypass_governance: true, ..key(version) }
}

impl World {
    async fn locking(&self) {
        let options = CreateBucket { object_lock: true, ..CreateBucket::default() };
        self.bucket(LOCKED, options).await.unwrap();
    }

    fn in_days(&self, days: i64) -> Time {
        Time::from_secs(self.clock.now().secs() + days * DAY)
    }

    /// Stores `k` in the bucket that locks; answers its version.
    async fn keep(&self, lock: Lock) -> Option<VersionId> {
        let options = PutOptions { lock, ..PutOptions::default() };
        let body = Whole::new(b"surat suara".to_vec());
        self.oss.put(&root(OWNER), LOCKED, "k", options, body).await.unwrap().version
    }

    async fn remove(&self, ctx: &RequestCtx, bucket: &str, key: DeleteKey) -> Result<(), ApiError> {
        self.oss.delete(ctx, bucket, key).await.map(drop)
    }

    /// The audit entries of refusals because something is kept: what they are about.
    async fn refused(&self) -> Vec<String> {
        let read = self.cloud.db.read(|tx| {
            let sql = "SELECT resource FROM audit WHERE outcome = 'FileImmutable' ORDER BY id";
            tx.query(sql, params![], |row| row.get(0))
        });
        read.await.map_err(|error: store::Error| ApiError::from(error)).unwrap()
    }

    /// The last public facts under that name.
    async fn stated(&self, name: &str) -> Value {
        let leaves = self.leaves().await;
        let found = leaves.into_iter().rev().find_map(|(.., facts)| facts.get(name).cloned());
        found.unwrap_or_default()
    }
}

const fn retained(retention: Retention) -> Lock {
    Lock { retention: Some(retention), legal_hold: None }
}

#[test]
fn a_locked_version_goes_only_past_governance_or_when_its_time_came() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        for mode in [LockMode::Governance, LockMode::Compliance] {
            let until = world.in_days(2);
            let version = world.keep(retained(Retention::new(mode, until))).await;
            assert_eq!(
                world.stated("retention").await,
                json!({ "mode": mode.as_str(), "until": until.iso() })
            );
            // A deletion of the key keeps every version, and its marker may go.
            let marker = world.oss.delete(&ctx, LOCKED, key(None)).await.unwrap();
            assert!(marker.marker);
            world.remove(&ctx, LOCKED, key(marker.version)).await.unwrap();
            assert_eq!(code(world.remove(&ctx, LOCKED, key(version)).await), "FileImmutable");
            assert_eq!(
                world.refused().await.last().unwrap(),
                &format!("acs:oss:*:{OWNER}:{LOCKED}/k")
            );
            assert_eq!(world.stated("kept").await, mode.as_str());
            let bypassed = world.remove(&ctx, LOCKED, past_governance(version)).await;
            if mode == LockMode::Governance {
                bypassed.unwrap();
                assert_eq!(world.stated("bypassed").await, "GOVERNANCE");
                continue;
            }
            assert_eq!(code(bypassed), "FileImmutable");
            world.clock.forward(2 * DAY - 1);
            assert_eq!(code(world.remove(&ctx, LOCKED, key(version)).await), "FileImmutable");
            world.clock.forward(1);
            world.remove(&ctx, LOCKED, key(version)).await.unwrap();
        }
    });
}

#[test]
fn a_retention_only_grows_but_for_who_may_pass_by_governance() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        let (soon, later) = (world.in_days(1), world.in_days(3));
        let set = async |to: Option<Retention>, bypass: bool| {
            let set = world.oss.set_object_retention(&ctx, LOCKED, "k", (to, bypass)).await;
            set.map_err(|refused| refused.code().to_owned())
        };
        let denied = Err("AccessDenied".to_owned());
        let governance = |until| Some(Retention::new(LockMode::Governance, until));
        let compliance = |until| Some(Retention::new(LockMode::Compliance, until));
        world.keep(Lock::default()).await;
        assert_eq!(set(governance(world.in_days(0)), false).await, Err("InvalidArgument".into()));
        assert_eq!(set(governance(soon), false).await, Ok(()));
        assert_eq!(set(governance(later), false).await, Ok(()));
        for less in [governance(soon), compliance(later), None] {
            assert_eq!(set(less, false).await, denied);
        }
        assert_eq!(set(governance(soon), true).await, Ok(()));
        assert_eq!(set(None, true).await, Ok(()));
        assert_eq!(set(compliance(soon), false).await, Ok(()));
        assert_eq!(set(compliance(later), false).await, Ok(()));
        for less in [compliance(soon), governance(later), None] {
            assert_eq!(set(less, true).await, denied);
        }
        let (lock, _) = world.oss.lock_of(&ctx, LOCKED, "k", LockView::Retention).await.unwrap();
        assert_eq!(lock.retention, compliance(later));
        world.clock.forward(3 * DAY);
        assert_eq!(set(governance(world.in_days(1)), false).await, Ok(()));
    });
}

#[test]
fn a_legal_hold_stands_until_it_is_ended_and_beside_any_retention() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        let retention = Some(Retention::new(LockMode::Governance, world.in_days(1)));
        let version = world.keep(Lock { retention, legal_hold: Some(true) }).await;
        assert_eq!(world.stated("legalHold").await, "ON");
        world.clock.forward(100 * DAY);
        assert_eq!(
            code(world.remove(&ctx, LOCKED, past_governance(version)).await),
            "FileImmutable"
        );
        assert_eq!(world.stated("kept").await, "legal hold");
        world.oss.set_legal_hold(&ctx, LOCKED, "k", false).await.unwrap();
        assert_eq!(world.stated("legalHold").await, "OFF");
        let (lock, _) = world.oss.lock_of(&ctx, LOCKED, "k", LockView::LegalHold).await.unwrap();
        assert_eq!((lock.legal_hold, lock.retention), (Some(false), retention));
        world.remove(&ctx, LOCKED, key(version)).await.unwrap();
    });
}

#[test]
fn new_versions_get_the_default_of_their_bucket_also_from_parts_and_copies() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        let before = world.keep(Lock::default()).await;
        let period = oss::Period::Days(7);
        let default = Some(DefaultRetention { mode: LockMode::Compliance, period });
        world.oss.set_object_lock(&ctx, LOCKED, ObjectLock { default }).await.unwrap();
        assert_eq!(
            world.stated("objectLock").await,
            json!({ "default": { "mode": "COMPLIANCE", "days": 7 } })
        );
        world.remove(&ctx, LOCKED, key(before)).await.unwrap();
        let wanted = Some(Retention::new(LockMode::Compliance, world.in_days(7)));
        let options = InitiateOptions::default();
        let upload = world.oss.initiate(&ctx, LOCKED, "k", options).await.unwrap();
        world.clock.forward(DAY);
        let target = (LOCKED, "k", upload.as_str());
        let body = Whole::new(b"bagian".to_vec());
        let part = world.oss.upload_part(&ctx, target, 1.into(), body).await.unwrap();
        let named = NamedPart { number: 1, etag: part.etag.lower(), ..NamedPart::default() };
        let complete = CompleteOptions {
            parts: CompleteParts::Named(vec![named]),
            conditions: WriteConditions::default(),
            part_bytes_min: 1,
            crc64: None,
            checksums: Vec::new(),
            acl: None,
            customer_key: None,
        };
        let lock = async || {
            world.oss.lock_of(&ctx, LOCKED, "k", LockView::Retention).await.unwrap().0.retention
        };
        world.oss.complete(&ctx, target, complete).await.unwrap();
        // From when it is an object.
        assert_eq!(lock().await.unwrap().until(), world.in_days(7));
        let source = || CopySource {
            bucket: LOCKED.to_owned(),
            key: "k".to_owned(),
            ..CopySource::default()
        };
        world.clock.forward(DAY);
        let options = CopyOptions::default();
        world.oss.copy(&ctx, source(), LOCKED, "k", options).await.unwrap();
        assert_eq!(lock().await.unwrap().until(), world.in_days(7));
        let own = Retention::new(LockMode::Governance, world.in_days(1));
        let options = CopyOptions { lock: retained(own), ..CopyOptions::default() };
        world.oss.copy(&ctx, source(), LOCKED, "k", options).await.unwrap();
        assert_eq!(lock().await, Some(own));
        assert!(wanted.is_some_and(|wanted| wanted.until() < world.in_days(7)));
        // The bytes outlive their lock only where they went.
        world.oss.copy(&ctx, source(), BUCKET, "k", CopyOptions::default()).await.unwrap();
        world.remove(&ctx, BUCKET, key(None)).await.unwrap();
    });
}

#[test]
fn locking_takes_its_own_permissions_and_a_bucket_that_keeps_versions() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        let lock = retained(Retention::new(LockMode::Governance, world.in_days(1)));
        let held = Lock { legal_hold: Some(true), ..Lock::default() };
        let writer = user(OWNER, "writer");
        for lock in [lock, held] {
            let put = async |ctx: &RequestCtx, bucket: &str| {
                let options = PutOptions { lock, ..PutOptions::default() };
                world.oss.put(ctx, bucket, "k", options, Whole::new(b"x".to_vec())).await
            };
            assert_eq!(code(put(&writer, LOCKED).await), "AccessDenied");
            assert_eq!(code(put(&ctx, BUCKET).await), "InvalidRequest");
            let options = InitiateOptions { lock, ..InitiateOptions::default() };
            let begun = world.oss.initiate(&ctx, BUCKET, "k", options).await;
            assert_eq!(code(begun), "InvalidRequest");
        }
        let options = CreateBucket { object_lock: true, ..CreateBucket::default() };
        let made = world.oss.create_bucket(&writer, "lain", options).await;
        assert_eq!(code(made), "AccessDenied");
        let version = world.keep(lock).await;
        world.oss.set_bucket_acl(&ctx, LOCKED, Acl::PublicReadWrite).await.unwrap();
        for stranger in [anybody(), root(STRANGER), writer] {
            let refused = world.remove(&stranger, LOCKED, past_governance(version)).await;
            assert_eq!(code(refused), "AccessDenied");
        }
        let set = async |bucket| {
            code(world.oss.set_object_lock(&ctx, bucket, ObjectLock::default()).await)
        };
        assert_eq!(set(BUCKET).await, "InvalidBucketState");
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Suspended).await.unwrap();
        assert_eq!(set(BUCKET).await, "InvalidBucketState");
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        world.oss.set_object_lock(&ctx, BUCKET, ObjectLock::default()).await.unwrap();
        for bucket in [BUCKET, LOCKED] {
            let off = world.oss.set_bucket_versioning(&ctx, bucket, Versioning::Suspended).await;
            assert_eq!(code(off), "InvalidBucketState");
            let worm = world.oss.initiate_worm(&ctx, bucket, 1).await;
            assert_eq!(code(worm), "InvalidBucketState");
        }
    });
}

#[test]
fn deleting_many_leaves_what_is_kept_and_records_it() {
    check(Limits::default(), |world| async move {
        world.locking().await;
        let ctx = root(OWNER);
        let free = world.keep(Lock::default()).await;
        let until = Retention::new(LockMode::Governance, world.in_days(1));
        let kept = world.keep(retained(until)).await;
        let bytes = world.live().await;
        let done = world.oss.delete_many(&ctx, LOCKED, vec![key(kept), key(free)]).await.unwrap();
        assert_eq!(done[0].1.as_ref().unwrap_err().code(), "FileImmutable");
        assert!(done[1].1.as_ref().unwrap().existed);
        assert_eq!(world.stated("kept").await, 1);
        assert_eq!(world.live().await * 2, bytes);
        let all = world.oss.delete_many(&ctx, LOCKED, vec![key(kept)]).await;
        assert_eq!(code(all), "FileImmutable");
        assert_eq!(world.refused().await.len(), 1);
        let done = world.oss.delete_many(&ctx, LOCKED, vec![past_governance(kept)]).await.unwrap();
        assert!(done[0].1.is_ok());
        assert_eq!(world.live().await, 0);
    });
}

#[test]
fn strangers_delete_no_versions_whatever_the_acl() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.oss.set_bucket_acl(&ctx, BUCKET, Acl::PublicReadWrite).await.unwrap();
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        let options = PutOptions { acl: Some(Acl::PublicReadWrite), ..PutOptions::default() };
        let first = world.put_as(&ctx, "k", b"1", options).await.unwrap().version;
        for stranger in [anybody(), root(STRANGER)] {
            for version in [first, Some(VersionId::NULL)] {
                let refused = world.remove(&stranger, BUCKET, key(version)).await;
                assert_eq!(code(refused), "AccessDenied");
                let many = world.oss.delete_many(&stranger, BUCKET, vec![key(version)]).await;
                assert_eq!(code(many), "AccessDenied");
            }
            // What can be undone, the ACL still grants.
            world.remove(&stranger, BUCKET, key(None)).await.unwrap();
        }
        world.remove(&ctx, BUCKET, key(first)).await.unwrap();
    });
}

/// All ways to replace or delete `k`, and what came of each; `upload` is one of it with a part.
async fn ways(world: &World, upload: (&str, &str)) -> Vec<Result<(), String>> {
    let ctx = root(OWNER);
    let (upload, etag) = upload;
    let source = |key: &str| CopySource {
        bucket: BUCKET.to_owned(),
        key: key.to_owned(),
        ..CopySource::default()
    };
    let told = |done: Result<(), ApiError>| done.map_err(|refused| refused.code().to_owned());
    let over = world.put_as(&ctx, "k", b"tampered", PutOptions::default()).await;
    let copied = world.oss.copy(&ctx, source("other"), BUCKET, "k", CopyOptions::default()).await;
    let again = CopyOptions { attributes: Directive::Replace(<_>::default()), ..<_>::default() };
    let restated = world.oss.copy(&ctx, source("k"), BUCKET, "k", again).await;
    let named = NamedPart { number: 1, etag: etag.to_owned(), ..NamedPart::default() };
    let complete = CompleteOptions {
        parts: CompleteParts::Named(vec![named]),
        conditions: WriteConditions::default(),
        part_bytes_min: 1,
        crc64: None,
        checksums: Vec::new(),
        acl: None,
        customer_key: None,
    };
    let completed = world.oss.complete(&ctx, (BUCKET, "k", upload), complete).await;
    let many = world.oss.delete_many(&ctx, BUCKET, vec![past_governance(None)]).await;
    vec![
        told(over.map(drop)),
        told(copied.map(drop)),
        told(restated.map(drop)),
        told(completed.map(drop)),
        told(many.map(drop)),
        told(world.remove(&ctx, BUCKET, past_governance(None)).await),
    ]
}

#[test]
fn under_a_buckets_retention_nothing_is_replaced_or_deleted_before_its_age() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.put("k", b"asli").await;
        world.put("other", b"x").await;
        let upload = world.oss.initiate(&ctx, BUCKET, "k", <_>::default()).await.unwrap();
        let body = Whole::new(b"part".to_vec());
        let target = (BUCKET, "k", upload.as_str());
        let part = world.oss.upload_part(&ctx, target, 1.into(), body).await.unwrap();
        let etag = part.etag.lower();
        let id = world.oss.initiate_worm(&ctx, BUCKET, 2).await.unwrap();
        assert_eq!(world.stated("worm").await, json!({ "state": "InProgress", "days": 2 }));
        let before = world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1;
        let immutable = vec![Err("FileImmutable".to_owned()); 6];
        assert_eq!(ways(&world, (&upload, &etag)).await, immutable);
        world.oss.complete_worm(&ctx, BUCKET, &id).await.unwrap();
        assert_eq!(world.stated("worm").await, json!({ "state": "Locked", "days": 2 }));
        world.clock.forward(2 * DAY - 1);
        assert_eq!(ways(&world, (&upload, &etag)).await, immutable);
        assert_eq!(world.refused().await.len(), 12);
        assert_eq!(world.get("k").await.unwrap(), b"asli");
        assert_eq!(world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1, before);
        // New objects come in, and are young.
        world.put("new", b"baru").await;
        world.clock.forward(1);
        let new = || DeleteKey { key: "new".to_owned(), ..DeleteKey::default() };
        assert_eq!(code(world.remove(&ctx, BUCKET, new()).await), "FileImmutable");
        // A longer one holds also what was about to be free.
        world.oss.extend_worm(&ctx, BUCKET, &id, 3).await.unwrap();
        assert_eq!(code(world.remove(&ctx, BUCKET, key(None)).await), "FileImmutable");
        world.clock.forward(DAY);
        world.put("k", b"lain").await;
        assert_eq!(code(world.remove(&ctx, BUCKET, key(None)).await), "FileImmutable");
        world.clock.forward(3 * DAY);
        world.remove(&ctx, BUCKET, key(None)).await.unwrap();
        let text = world.leaves().await.iter().map(|leaf| leaf.2.to_string()).collect::<String>();
        assert!(!text.contains(BUCKET) && !text.contains("other") && text.contains("WORM"));
    });
}

#[test]
fn a_buckets_retention_is_given_up_only_before_it_is_locked_and_never_shortened() {
    check(Limits::default(), |world| async move {
        let (ctx, oss) = (root(OWNER), &world.oss);
        assert_eq!(code(oss.abort_worm(&ctx, BUCKET).await), "NoSuchWORMConfiguration");
        for days in [0, 25_551] {
            assert_eq!(code(oss.initiate_worm(&ctx, BUCKET, days).await), "InvalidArgument");
        }
        let id = oss.initiate_worm(&ctx, BUCKET, 30).await.unwrap();
        assert_eq!(code(oss.initiate_worm(&ctx, BUCKET, 1).await), "InvalidWORMConfiguration");
        assert_eq!(code(oss.extend_worm(&ctx, BUCKET, &id, 31).await), "InvalidWORMConfiguration");
        oss.abort_worm(&ctx, BUCKET).await.unwrap();
        assert_eq!(code(oss.bucket_worm(&ctx, BUCKET).await), "NoSuchWORMConfiguration");
        world.put("k", b"x").await;
        world.remove(&ctx, BUCKET, key(None)).await.unwrap();

        // Nobody locked it within a day.
        let id = oss.initiate_worm(&ctx, BUCKET, 30).await.unwrap();
        world.put("k", b"x").await;
        assert_eq!(code(world.remove(&ctx, BUCKET, key(None)).await), "FileImmutable");
        world.clock.forward(DAY);
        assert_eq!(code(oss.complete_worm(&ctx, BUCKET, &id).await), "NoSuchWORMConfiguration");
        world.remove(&ctx, BUCKET, key(None)).await.unwrap();

        let id = oss.initiate_worm(&ctx, BUCKET, 30).await.unwrap();
        let other = oss.complete_worm(&ctx, BUCKET, "another").await;
        assert_eq!(code(other), "NoSuchWORMConfiguration");
        oss.complete_worm(&ctx, BUCKET, &id).await.unwrap();
        world.clock.forward(1000 * DAY);
        let locked = "WORMConfigurationLocked";
        assert_eq!(code(oss.complete_worm(&ctx, BUCKET, &id).await), locked);
        assert_eq!(code(oss.abort_worm(&ctx, BUCKET).await), locked);
        assert_eq!(code(oss.initiate_worm(&ctx, BUCKET, 60).await), locked);
        for days in [29, 30] {
            let same = oss.extend_worm(&ctx, BUCKET, &id, days).await;
            assert_eq!(code(same), "InvalidWORMConfiguration");
        }
        let stranger = oss.extend_worm(&root(STRANGER), BUCKET, &id, 31).await;
        assert_eq!(code(stranger), "AccessDenied");
        assert_eq!(oss.bucket_worm(&ctx, BUCKET).await.unwrap().days, 30);
        oss.delete_bucket(&ctx, BUCKET, false).await.unwrap();
    });
}

#[test]
fn a_buckets_retention_holds_every_version() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let set =
            async |versioning| world.oss.set_bucket_versioning(&ctx, BUCKET, versioning).await;
        world.put("k", b"0").await;
        set(Versioning::Suspended).await.unwrap();
        let suspended = world.oss.initiate_worm(&ctx, BUCKET, 2).await;
        assert_eq!(code(suspended), "InvalidBucketState");
        set(Versioning::Enabled).await.unwrap();
        let id = world.oss.initiate_worm(&ctx, BUCKET, 2).await.unwrap();
        world.oss.complete_worm(&ctx, BUCKET, &id).await.unwrap();
        assert_eq!(code(set(Versioning::Suspended).await), "InvalidBucketState");
        world.clock.forward(DAY);
        let second = world.put("k", b"1").await.version;
        let null = Some(VersionId::NULL);
        world.remove(&ctx, BUCKET, key(None)).await.unwrap();
        for version in [null, second] {
            let refused = world.remove(&ctx, BUCKET, key(version)).await;
            assert_eq!(code(refused), "FileImmutable");
        }
        world.clock.forward(DAY);
        world.remove(&ctx, BUCKET, key(null)).await.unwrap();
        assert_eq!(code(world.remove(&ctx, BUCKET, key(second)).await), "FileImmutable");
    });
}

#[test]
fn lifecycles_pass_over_what_is_kept_and_do_the_rest() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        world.oss.set_object_lock(&ctx, BUCKET, ObjectLock::default()).await.unwrap();
        let lock = retained(Retention::new(LockMode::Governance, world.in_days(10)));
        let options = PutOptions { lock, ..PutOptions::default() };
        let kept = world.put_as(&ctx, "k", b"kept", options).await.unwrap().version;
        world.put("k", b"newer").await;
        let free = world.put("l", b"free").await.version;
        world.put("l", b"newer").await;
        let rules = json!({ "rules": [{
            "id": "old", "enabled": true, "filter": {}, "noncurrent": { "days": 1, "keep": null }, "expiration": { "When": { "Days": 3 } },
        }] });
        let document = Some(rules.to_string());
        let set = world.oss.set_bucket_config(&ctx, BUCKET, Document::Lifecycle, document);
        set.await.unwrap();
        let there = async |key: &str, version| {
            let at = At { key, version };
            world.oss.head(&ctx, BUCKET, at, &ReadConditions::default()).await.is_ok()
        };
        world.clock.forward(6 * DAY);
        world.oss.run_lifecycles().await.unwrap();
        // Locked or not, what is current gets its marker.
        assert!(!there("k", None).await && !there("l", None).await);
        assert!(there("k", kept).await && !there("l", free).await);
        assert_eq!(world.refused().await.len(), 0);
        world.clock.forward(6 * DAY);
        world.oss.run_lifecycles().await.unwrap();
        assert!(!there("k", kept).await);
    });
}

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

/// The words of a dialect: bucket's sub-resource and its document, legal hold's, headers, code of a refusal.
fn words(
    sign: Sign,
) -> (&'static str, [&'static str; 2], &'static str, &'static str, (u16, &'static str)) {
    match sign {
        Sign::S3 => (
            "object-lock",
            ["ObjectLockConfiguration", "ObjectLockEnabled"],
            "legal-hold",
            "x-amz-object-lock",
            (403, "AccessDenied"),
        ),
        _ => (
            "objectWorm",
            ["ObjectWormConfiguration", "ObjectWormEnabled"],
            "legalHold",
            "x-oss-object-worm",
            (409, "FileImmutable"),
        ),
    }
}

fn enable(server: &Server, sign: Sign) {
    let (sub, [root, enabled], ..) = words(sign);
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let on = server.ask("PUT", "/pemilu?versioning").body(versioning).send(sign);
    assert_eq!(on.status, 200, "{on:?}");
    let document = format!(
        "<{root}><{enabled}>Enabled</{enabled}><Rule><DefaultRetention><Mode>GOVERNANCE</Mode>\
         <Days>1</Days></DefaultRetention></Rule></{root}>"
    );
    let target = format!("/pemilu?{sub}");
    let on = server.ask("PUT", &target).body(document).send(sign);
    assert_eq!(on.status, 200, "{on:?}");
    let told = server.ask("GET", &target).send(sign);
    assert_eq!((told.element(enabled).as_str(), told.element("Days").as_str()), ("Enabled", "1"));
    assert!(told.text().contains(&format!("<{root}")));
}

#[test]
fn both_dialects_lock_versions_and_tell_it() {
    for sign in [Sign::OssV1, Sign::OssV4, Sign::S3] {
        serve(|server| {
            let (_, _, hold, header, (status, code)) = words(sign);
            let prefix = &header[..5];
            let (mode, until) = (format!("{header}-mode"), format!("{header}-retain-until-date"));
            let (id, bypass) =
                (format!("{prefix}-version-id"), format!("{prefix}-bypass-governance-retention"));
            enable(server, sign);
            let date = "2099-01-01T00:00:00.000Z";
            let put = server
                .ask("PUT", "/pemilu/k")
                .header(&mode, "GOVERNANCE")
                .header(&until, date)
                .header(&format!("{header}-legal-hold"), "ON")
                .body("x")
                .send(sign);
            assert_eq!(put.status, 200, "{put:?}");
            let version = put.header(&id).unwrap().to_owned();
            let head = server.ask("HEAD", "/pemilu/k").send(sign);
            assert_eq!((head.header(&mode), head.header(&until)), (Some("GOVERNANCE"), Some(date)));
            assert_eq!(head.header(&format!("{header}-legal-hold")), Some("ON"));
            let one = format!("/pemilu/k?versionId={version}");
            let delete = || server.ask("DELETE", &one).header(&bypass, "true").send(sign);
            delete().refused(status, code);
            let off = "<LegalHold><Status>OFF</Status></LegalHold>";
            let target = format!("/pemilu/k?{hold}");
            assert_eq!(server.ask("PUT", &target).body(off).send(sign).status, 200);
            assert_eq!(server.ask("GET", &target).send(sign).element("Status"), "OFF");

            let target = format!("/pemilu/k?retention&versionId={version}");
            let told = server.ask("GET", &target).send(sign);
            assert_eq!(
                (told.element("Mode"), told.element("RetainUntilDate")),
                ("GOVERNANCE".into(), date.into())
            );
            let sooner = retention("GOVERNANCE", "2098-01-01T00:00:00Z");
            let set = |ask: crate::http_client::Ask<'_>| ask.body(sooner.clone()).send(sign);
            set(server.ask("PUT", &target)).refused(403, "AccessDenied");
            assert_eq!(set(server.ask("PUT", &target).header(&bypass, "true")).status, 200);
            for document in [
                "<Retention><Mode>governance</Mode></Retention>".to_owned(),
                retention("abc", date),
            ] {
                server.ask("PUT", &target).body(document).send(sign).refused(400, "MalformedXML");
            }
            server.ask("DELETE", &one).send(sign).refused(status, code);
            let free = server.ask("PUT", "/pemilu/free").body("x").send(sign);
            let many = format!(
                "<Delete><Object><Key>k</Key><VersionId>{version}</VersionId></Object>\
                 <Object><Key>free</Key></Object></Delete>"
            );
            assert_eq!(free.status, 200);
            let done = server.ask("POST", "/pemilu?delete").body(many).send(sign);
            assert_eq!((done.status, done.element("Code").as_str()), (200, code), "{done:?}");
            assert!(done.text().contains("<DeleteMarker>true</DeleteMarker>"));
            assert_eq!(delete().status, 204);
            let bad = server.ask("PUT", "/pemilu/k").header(&mode, "GOVERNANCE").body("x");
            bad.send(sign).refused(400, "InvalidArgument");
        });
    }
}

#[test]
fn a_bucket_without_object_lock_says_so() {
    for sign in [Sign::OssV4, Sign::S3] {
        serve(|server| {
            let (sub, _, hold, ..) = words(sign);
            server.ask("PUT", "/pemilu/k").body("x").send(sign);
            let none = server.ask("GET", &format!("/pemilu?{sub}")).send(sign);
            let oss = sign != Sign::S3;
            let code = if oss {
                "NoSuchObjectWormConfiguration"
            } else {
                "ObjectLockConfigurationNotFoundError"
            };
            none.refused(404, code);
            for sub in ["retention", hold] {
                let target = format!("/pemilu/k?{sub}");
                server.ask("GET", &target).send(sign).refused(400, "InvalidRequest");
            }
            let until = retention("COMPLIANCE", "2099-01-01T00:00:00Z");
            let set = server.ask("PUT", "/pemilu/k?retention").body(until).send(sign);
            set.refused(400, "InvalidRequest");
        });
    }
}

#[test]
fn s3_makes_buckets_that_lock_and_keep_versions_for_good() {
    serve(|server| {
        let made = server
            .ask("PUT", "/kotak")
            .header("x-amz-bucket-object-lock-enabled", "true")
            .send(Sign::S3);
        assert_eq!(made.status, 200, "{made:?}");
        let versioning = server.ask("GET", "/kotak?versioning").send(Sign::S3);
        assert_eq!(versioning.element("Status"), "Enabled");
        let told = server.ask("GET", "/kotak?object-lock").send(Sign::S3);
        assert_eq!(told.element("ObjectLockEnabled"), "Enabled");
        let off = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
        let refused = server.ask("PUT", "/kotak?versioning").body(off).send(Sign::S3);
        refused.refused(409, "InvalidBucketState");
    });
}

#[test]
fn the_worm_of_a_bucket_goes_through_its_states() {
    for sign in [Sign::OssV1, Sign::OssV4] {
        serve(|server| {
            let days = |root: &str, days: &str| {
                format!("<{root}><RetentionPeriodInDays>{days}</RetentionPeriodInDays></{root}>")
            };
            let none = server.ask("GET", "/pemilu?worm").send(sign);
            none.refused(404, "NoSuchWORMConfiguration");
            let begin = |number: &str| {
                let document = days("InitiateWormConfiguration", number);
                server.ask("POST", "/pemilu?worm").body(document).send(sign)
            };
            begin("none").refused(400, "MalformedXML");
            begin("-1").refused(400, "InvalidArgument");
            assert_eq!(begin("1").status, 200);
            assert_eq!(server.ask("DELETE", "/pemilu?worm").send(sign).status, 204);
            let id = begin("1").header("x-oss-worm-id").unwrap().to_owned();
            let told = server.ask("GET", "/pemilu?worm").send(sign);
            assert_eq!(
                (told.element("WormId"), told.element("State")),
                (id.clone(), "InProgress".into())
            );
            assert_eq!(told.element("RetentionPeriodInDays"), "1");
            assert!(
                Time::parse_iso(&told.element("ExpirationDate")).unwrap() > server.test.clock.now()
            );
            let lock = server.ask("POST", &format!("/pemilu?wormId={id}")).send(sign);
            assert_eq!(lock.status, 200, "{lock:?}");
            for target in [
                format!("/pemilu?wormExtend&wormId={id}"),
                format!("/pemilu?wormId={id}&wormExtend"),
            ] {
                let longer = if target.ends_with("wormExtend") { "3" } else { "2" };
                let document = days("ExtendWormConfiguration", longer);
                let extended = server.ask("POST", &target).body(document).send(sign);
                assert_eq!(extended.status, 200, "{extended:?}");
            }
            let told = server.ask("GET", "/pemilu?worm").send(sign);
            assert_eq!(
                (told.element("State"), told.element("RetentionPeriodInDays")),
                ("Locked".into(), "3".into())
            );
            let refused = server.ask("DELETE", "/pemilu?worm").send(sign);
            refused.refused(403, "WORMConfigurationLocked");
            server.ask("PUT", "/pemilu/k").body("x").send(sign);
            server.ask("PUT", "/pemilu/k").body("y").send(sign).refused(409, "FileImmutable");
            server.ask("DELETE", "/pemilu/k").send(sign).refused(409, "FileImmutable");
            // S3 has no such word.
            server.ask("DELETE", "/pemilu/k").send(Sign::S3).refused(403, "AccessDenied");
            assert_eq!(server.ask("GET", "/pemilu/k").send(sign).text(), "x");
        });
    }
}
