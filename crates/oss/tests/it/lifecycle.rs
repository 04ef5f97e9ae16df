//! Lifecycles as they are done: rounds against an oracle, through crashes, and what is metered meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{Clock, Time};
use engine::meter::usage;
use oss::{
    CopyOptions, CopySource, CreateBucket, DeleteKey, Document, GetOptions, InitiateOptions,
    LifecycleReport, Limits, PutOptions, StorageClass, UploadQuery, VersionId, VersionQuery,
    Versioning, Whole,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{BUCKET, OWNER, World, check, noise, root};

const DAY: i64 = 86_400;

async fn rules(world: &World, rules: Value) {
    let kept = json!({ "rules": rules }).to_string();
    let ctx = root(OWNER);
    world.oss.set_bucket_config(&ctx, BUCKET, Document::Lifecycle, Some(kept)).await.unwrap();
}

fn rule(prefix: &str, actions: Value) -> Value {
    let mut rule = json!({ "id": prefix, "enabled": true, "filter": { "prefix": prefix } });
    rule.as_object_mut().unwrap().extend(actions.as_object().unwrap().clone());
    rule
}

async fn used(world: &World, meter: &str) -> i64 {
    let now = world.clock.now();
    let lines = world.cloud.db.read(move |tx| usage(tx, OWNER, 0, i64::MAX, now)).await.unwrap();
    lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum()
}

/// The sums of the bucket are those of its rows, and the levels of all classes together are too.
async fn check_sums(world: &World) {
    let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
    assert_eq!(i64::try_from(stat.bytes).unwrap(), world.live().await);
    let levels = "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_level WHERE meter LIKE 'oss.storage%' ESCAPE '!'";
    assert_eq!(world.number(levels).await, world.live().await);
    let standard =
        "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_level WHERE meter = 'oss.storage'";
    let rows = "SELECT CAST(COALESCE((SELECT SUM(size) FROM oss_object WHERE storage_class = 'Standard'), 0)
                + COALESCE((SELECT SUM(size) FROM oss_version WHERE storage_class = 'Standard'), 0)
                + COALESCE((SELECT SUM(size) FROM oss_part), 0) AS BIGINT)";
    assert_eq!(world.number(standard).await, world.number(rows).await);
    let objects = i64::try_from(stat.objects).unwrap();
    assert_eq!(objects, world.number("SELECT COUNT(*) FROM oss_object").await);
}

async fn set_versioning(world: &World, versioning: Versioning) {
    world.oss.set_bucket_versioning(&root(OWNER), BUCKET, versioning).await.unwrap();
}

async fn run(world: &World) -> LifecycleReport {
    world.oss.run_lifecycles().await.unwrap()
}

async fn code_of(world: &World, key: &str) -> Option<String> {
    world.get(key).await.err()
}

#[test]
fn what_is_old_goes_and_the_log_says_that_the_cloud_did_it() {
    check(Limits::default(), |world| async move {
        for key in ["old/a", "old/b", "kept/a"] {
            world.put(key, &noise(700, 1)).await;
        }
        rules(&world, json!([rule("old/", json!({ "expiration": { "When": { "Days": 2 } } }))]))
            .await;
        let told = world.oss.head(&root(OWNER), BUCKET, "old/a", &Default::default()).await;
        let told = told.unwrap().unwrap().facts.expires.unwrap();
        assert_eq!(told.rule, "old/");
        assert_eq!(told.at.secs() % DAY, 0);
        assert_eq!(run(&world).await, LifecycleReport { buckets: 1, ..Default::default() });
        world.clock.forward(told.at.secs() - world.clock.now().secs() - 1);
        assert_eq!(run(&world).await.ended, 0);
        world.clock.forward(DAY);
        assert_eq!(run(&world).await.ended, 2);
        assert_eq!(code_of(&world, "old/a").await.as_deref(), Some("NoSuchKey"));
        assert_eq!(code_of(&world, "kept/a").await, None);
        check_sums(&world).await;
        let audited = "SELECT COUNT(*) FROM audit WHERE action = 'DeleteObject' AND outcome = 'OK'
                       AND detail LIKE '%\"lifecycle\":\"old/\"%' ESCAPE '!'";
        assert_eq!(world.number(audited).await, 2);
        let leaves = world.leaves().await;
        let gone = leaves.iter().filter(|(action, _, _)| action == "DeleteObject");
        assert!(
            gone.clone().all(|(_, _, facts)| facts["placed"][0]["objects"] == -1),
            "{leaves:?}"
        );
        assert_eq!(gone.count(), 2);
    });
}

#[test]
fn each_bucket_has_one_round_a_day() {
    check(Limits::default(), |world| async move {
        rules(&world, json!([rule("", json!({ "expiration": { "When": { "Days": 1 } } }))])).await;
        assert_eq!(run(&world).await.buckets, 1);
        assert_eq!(run(&world).await.buckets, 0);
        world.clock.forward(DAY);
        assert_eq!(run(&world).await.buckets, 1);
        let ctx = root(OWNER);
        world.oss.set_bucket_config(&ctx, BUCKET, Document::Lifecycle, None).await.unwrap();
        world.clock.forward(DAY);
        assert_eq!(run(&world).await.buckets, 0);
        world.oss.delete_bucket(&ctx, BUCKET, false).await.unwrap();
    });
}

#[test]
fn uploads_that_nobody_completes_are_given_up() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        for key in ["a", "b"] {
            let options = InitiateOptions::default();
            let id = world.oss.initiate(&ctx, BUCKET, key, options).await.unwrap();
            let part = Whole::new(noise(500, 3));
            world.oss.upload_part(&ctx, (BUCKET, key, &id), 1.into(), part).await.unwrap();
        }
        rules(&world, json!([rule("a", json!({ "abort": { "Days": 1 } }))])).await;
        world.clock.forward(3 * DAY);
        assert_eq!(run(&world).await.ended, 1);
        let query = UploadQuery { limit: 10, ..UploadQuery::default() };
        let left = world.oss.list_uploads(&ctx, BUCKET, query).await.unwrap().uploads;
        assert_eq!(left.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ["b"]);
        check_sums(&world).await;
    });
}

#[test]
fn a_class_is_metered_from_the_commit_that_gives_it() {
    check(Limits::default(), |world| async move {
        let cold =
            PutOptions { storage_class: Some(StorageClass::Archive), ..PutOptions::default() };
        world.put_as(&root(OWNER), "cold", &noise(300, 1), cold).await.unwrap();
        world.put("warm", &noise(1000, 2)).await;
        let actions = json!({ "transitions": [
            { "when": { "Days": 1 }, "class": "InfrequentAccess" },
            { "when": { "Days": 5 }, "class": "Archive" },
        ] });
        rules(&world, json!([rule("warm", actions)])).await;
        let begun = world.clock.now().secs();
        world.clock.forward(2 * DAY);
        assert_eq!(run(&world).await.moved, 1);
        check_sums(&world).await;
        world.clock.forward(4 * DAY);
        assert_eq!(run(&world).await.moved, 1);
        check_sums(&world).await;
        world.clock.forward(DAY);
        assert_eq!(run(&world).await.moved, 0);
        let seconds = world.clock.now().secs() - begun;
        for (meter, expected) in [
            ("oss.storage", 1000 * 2 * DAY),
            ("oss.storage.ia", 1000 * 4 * DAY),
            ("oss.storage.archive", 1000 * DAY + 300 * seconds),
        ] {
            assert_eq!(used(&world, meter).await, expected, "{meter}");
        }
        for key in ["cold", "warm"] {
            let key = DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
            world.oss.delete(&root(OWNER), BUCKET, key).await.unwrap();
        }
        check_sums(&world).await;
    });
}

#[test]
fn a_copy_onto_itself_changes_the_class_and_what_is_metered() {
    check(Limits::default(), |world| async move {
        world.put("a", &noise(900, 1)).await;
        let source =
            CopySource { bucket: BUCKET.to_owned(), key: "a".to_owned(), ..CopySource::default() };
        for class in [StorageClass::InfrequentAccess, StorageClass::Standard, StorageClass::Archive]
        {
            let options = CopyOptions { storage_class: Some(class), ..CopyOptions::default() };
            world.oss.copy(&root(OWNER), source.clone(), BUCKET, "a", options).await.unwrap();
            check_sums(&world).await;
        }
        assert_eq!(code_of(&world, "a").await.as_deref(), Some("InvalidObjectState"));
        let copied =
            world.oss.copy(&root(OWNER), source, BUCKET, "b", CopyOptions::default()).await;
        assert_eq!(copied.unwrap_err().code(), "InvalidObjectState");
    });
}

#[test]
fn an_archived_object_is_read_once_it_is_restored_and_while_it_is() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let cold =
            PutOptions { storage_class: Some(StorageClass::Archive), ..PutOptions::default() };
        world.put_as(&ctx, "a", b"frozen", cold).await.unwrap();
        world.put("warm", b"warm").await;
        let restore = async |key: &str, days| {
            let done = world.oss.restore(&ctx, BUCKET, key, days).await;
            done.map(|it| it.begun).map_err(|refused| refused.code().to_owned())
        };
        let clean = async || {
            let done = world.oss.clean_restored(&ctx, BUCKET, "a").await;
            done.map_err(|refused| refused.code().to_owned())
        };
        assert_eq!(restore("warm", 1).await, Err("OperationNotSupported".to_owned()));
        assert_eq!(restore("a", 0).await, Err("InvalidArgument".to_owned()));
        assert_eq!(clean().await, Err("ArchiveRestoreFileStale".to_owned()));
        assert_eq!(restore("a", 2).await, Ok(true));
        assert_eq!(restore("a", 2).await, Err("RestoreAlreadyInProgress".to_owned()));
        assert_eq!(clean().await, Err("ArchiveRestoreNotFinished".to_owned()));
        assert_eq!(code_of(&world, "a").await.as_deref(), Some("InvalidObjectState"));
        world.clock.forward(60);
        assert_eq!(world.get("a").await.unwrap(), b"frozen");
        world.clock.forward(DAY);
        assert_eq!(restore("a", 3).await, Ok(false));
        world.clock.forward(3 * DAY - 1);
        assert_eq!(world.get("a").await.unwrap(), b"frozen");
        world.clock.forward(1);
        assert_eq!(code_of(&world, "a").await.as_deref(), Some("InvalidObjectState"));
        assert_eq!(restore("a", 1).await, Ok(true));
        world.clock.forward(61);
        assert_eq!(clean().await, Ok(()));
        assert_eq!(code_of(&world, "a").await.as_deref(), Some("InvalidObjectState"));
        let on = Some(json!({ "enabled": true }).to_string());
        let direct = Document::ArchiveDirectRead;
        world.oss.set_bucket_config(&ctx, BUCKET, direct, on).await.unwrap();
        assert_eq!(world.get("a").await.unwrap(), b"frozen");
    });
}

#[test]
fn the_day_of_the_last_read_is_noted_and_rules_count_from_it() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.put("read", b"1").await;
        world.put("unread", b"2").await;
        world.get("read").await.unwrap();
        world.oss.flush_accesses().await;
        let noted = "SELECT COUNT(*) FROM oss_object WHERE facts LIKE '%\"a\":%' ESCAPE '!'";
        assert_eq!(world.number(noted).await, 0, "nobody asked for it");
        let on = Some(json!({ "enabled": true }).to_string());
        world.oss.set_bucket_config(&ctx, BUCKET, Document::AccessMonitor, on).await.unwrap();
        let by_access = json!({ "transitions": [{
            "when": { "Days": 10 }, "class": "InfrequentAccess", "by_access": true, "back_on_access": true,
        }] });
        rules(&world, json!([rule("", by_access)])).await;
        world.clock.forward(8 * DAY);
        world.get("read").await.unwrap();
        world.oss.flush_accesses().await;
        assert_eq!(world.number(noted).await, 1);
        world.clock.forward(4 * DAY);
        assert_eq!(run(&world).await.moved, 1);
        let class = async |key| {
            let info = world.oss.head(&ctx, BUCKET, key, &Default::default()).await;
            info.unwrap().unwrap().storage_class
        };
        assert_eq!(class("unread").await, StorageClass::InfrequentAccess);
        assert_eq!(class("read").await, StorageClass::Standard);
        world.get("unread").await.unwrap();
        world.oss.flush_accesses().await;
        world.clock.forward(DAY);
        assert_eq!(run(&world).await.moved, 1);
        assert_eq!(class("unread").await, StorageClass::Standard);
        check_sums(&world).await;
    });
}

/// A world of many objects of which two in three are old; every third of these is archived instead.
async fn many(world: &World, count: u64) {
    let mut puts = tokio::task::JoinSet::new();
    for at in 0..count {
        let (oss, ctx) = (world.oss.clone(), root(OWNER));
        puts.spawn(async move {
            let key =
                format!("{}/{at:05}", ["end", "move", "stay"][usize::try_from(at % 3).unwrap()]);
            let body = Whole::new(noise(100, at));
            oss.put(&ctx, BUCKET, &key, PutOptions::default(), body).await.unwrap();
        });
    }
    while let Some(put) = puts.join_next().await {
        put.unwrap();
    }
    let ends = rule("end/", json!({ "expiration": { "When": { "Days": 1 } } }));
    let step = json!({ "transitions": [{ "when": { "Days": 1 }, "class": "ColdArchive" }] });
    rules(world, json!([ends, rule("move/", step)])).await;
    world.clock.forward(3 * DAY);
}

#[test]
fn a_round_that_is_broken_off_loses_and_doubles_nothing() {
    check(Limits::default(), |mut world| async move {
        let count = 1_200;
        many(&world, count).await;
        let mut finished = false;
        for attempt in 0..40 {
            let oss = world.oss.clone();
            let patience = Duration::from_millis(20 + attempt * 15);
            finished = tokio::time::timeout(patience, oss.run_lifecycles()).await.is_ok();
            drop(oss);
            // What was begun commits as a whole or not at all, and is done before the database closes.
            tokio::time::sleep(Duration::from_millis(200)).await;
            world = world.crash().await;
            check_sums(&world).await;
            if finished {
                break;
            }
        }
        if !finished {
            run(&world).await;
        }
        let third = i64::try_from(count / 3).unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_object").await, 2 * third);
        let cold = "SELECT COUNT(*) FROM oss_object WHERE storage_class = 'ColdArchive'";
        assert_eq!(world.number(cold).await, third);
        for action in ["DeleteObject", "TransitionObject"] {
            let sql: &'static str = match action {
                "DeleteObject" => {
                    "SELECT COUNT(*) FROM audit WHERE action = 'DeleteObject' AND outcome = 'OK'"
                }
                _ => {
                    "SELECT COUNT(*) FROM audit WHERE action = 'TransitionObject' AND outcome = 'OK'"
                }
            };
            assert_eq!(world.number(sql).await, third, "{action}: each once");
        }
        check_sums(&world).await;
    });
}

#[test]
fn a_long_round_goes_on_at_the_key_where_it_was() {
    check(Limits::default(), |world| async move {
        many(&world, 1_200).await;
        // As if the first page had been done, and nothing in it is looked at again.
        let at = world.cloud.db.write(|tx| {
            tx.execute(
                "INSERT INTO oss_lifecycle_round (bucket, ended_at, next_key) SELECT id, 0, CAST('move/' AS BLOB) FROM oss_bucket",
                &[],
            )
        });
        let at: Result<u64, store::Error> = at.await;
        assert_eq!(at.unwrap(), 1);
        let report = run(&world).await;
        assert_eq!((report.ended, report.moved), (0, 400));
        world.clock.forward(DAY);
        let report = run(&world).await;
        assert_eq!((report.ended, report.moved), (400, 0), "the next round looks at everything");
        check_sums(&world).await;
    });
}

#[derive(Clone, Debug)]
enum Step {
    Put { key: usize, size: usize },
    Delete { key: usize },
    Wait { hours: i64 },
    Round,
}

const KEYS: [&str; 3] = ["a", "b", "c"];
const CURRENT_DAYS: i64 = 4;
const NONCURRENT_DAYS: i64 = 2;
const KEEP: usize = 1;

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        4 => (key.clone(), 0..2000_usize).prop_map(|(key, size)| Step::Put { key, size }),
        2 => key.prop_map(|key| Step::Delete { key }),
        3 => (1..60_i64).prop_map(|hours| Step::Wait { hours }),
        3 => Just(Step::Round),
    ]
}

/// A version as the oracle knows it.
#[derive(Clone, Debug)]
struct Known {
    id: VersionId,
    marker: bool,
    made: i64,
    superseded: i64,
}

#[derive(Default)]
struct Oracle(BTreeMap<usize, Vec<Known>>);

fn over(since: i64, days: i64, now: i64) -> bool {
    (since + days * DAY + DAY - 1) / DAY * DAY <= now
}

impl Oracle {
    fn add(&mut self, key: usize, id: VersionId, marker: bool, now: i64) {
        let versions = self.0.entry(key).or_default();
        if let Some(newest) = versions.first_mut().filter(|newest| !newest.marker) {
            newest.superseded = now;
        }
        versions.insert(0, Known { id, marker, made: now, superseded: now });
    }

    /// What a round does, by what is there when it comes by. `marked` has the ids of new delete markers.
    fn round(&mut self, now: i64, marked: &BTreeMap<usize, VersionId>) {
        for (key, versions) in &mut self.0 {
            let newest = versions.first().cloned();
            let mut behind = 0;
            let mut at = 0;
            let alone = versions.len() == 1;
            versions.retain(|version| {
                at += 1;
                if at == 1 {
                    return !(version.marker && alone && over(version.made, CURRENT_DAYS, now));
                }
                behind += 1;
                behind <= KEEP || !over(version.superseded, NONCURRENT_DAYS, now)
            });
            if let Some(newest) = newest
                && !newest.marker
                && over(newest.made, CURRENT_DAYS, now)
            {
                versions[0].superseded = now;
                let marker = Known { id: marked[key], marker: true, made: now, superseded: now };
                versions.insert(0, marker);
            }
        }
        self.0.retain(|_, versions| !versions.is_empty());
    }
}

/// What is in the bucket: of each key the ids and whether they are markers, the newest first.
async fn listed(world: &World) -> BTreeMap<usize, Vec<(VersionId, bool)>> {
    let query = VersionQuery { limit: 1000, ..VersionQuery::default() };
    let page = world.oss.list_versions(&root(OWNER), BUCKET, query).await.unwrap();
    let mut listed: BTreeMap<usize, Vec<(VersionId, bool)>> = BTreeMap::new();
    for version in page.versions {
        let key = KEYS.iter().position(|key| *key == version.object.key).unwrap();
        listed.entry(key).or_default().push((version.version, version.marker));
    }
    listed
}

async fn act(world: &World, oracle: &mut Oracle, step: &Step, seed: u64) {
    let now = world.clock.now().secs();
    match step {
        Step::Put { key, size } => {
            let stored = world.put(KEYS[*key], &noise(*size, seed)).await;
            oracle.add(*key, stored.version.unwrap(), false, now);
        }
        Step::Delete { key } => {
            let wanted = DeleteKey { key: KEYS[*key].to_owned(), ..DeleteKey::default() };
            let deleted = world.oss.delete(&root(OWNER), BUCKET, wanted).await.unwrap();
            oracle.add(*key, deleted.version.unwrap(), true, now);
        }
        Step::Wait { hours } => world.clock.forward(hours * 3600),
        Step::Round => {
            world.clock.forward(DAY);
            run(world).await;
            let newest = listed(world).await.into_iter().map(|(key, found)| (key, found[0].0));
            oracle.round(world.clock.now().secs(), &newest.collect());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn rounds_leave_what_the_oracle_leaves(steps in prop::collection::vec(step(), 1..30)) {
        check(Limits::default(), |world| async move {
            set_versioning(&world, Versioning::Enabled).await;
            let actions = json!({
                "expiration": { "When": { "Days": CURRENT_DAYS } },
                "noncurrent": { "days": NONCURRENT_DAYS, "keep": KEEP },
            });
            rules(&world, json!([rule("", actions)])).await;
            let mut oracle = Oracle::default();
            for (step, seed) in steps.iter().zip(1..) {
                act(&world, &mut oracle, step, seed).await;
                let expected: BTreeMap<usize, Vec<(VersionId, bool)>> = oracle.0.iter()
                    .map(|(key, known)| (*key, known.iter().map(|it| (it.id, it.marker)).collect()))
                    .collect();
                assert_eq!(listed(&world).await, expected, "after {step:?}");
                check_sums(&world).await;
            }
        });
    }
}

#[test]
fn another_bucket_of_the_same_name_has_a_life_of_its_own() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        rules(&world, json!([rule("", json!({ "expiration": { "When": { "Days": 1 } } }))])).await;
        assert_eq!(run(&world).await.buckets, 1);
        world.oss.delete_bucket(&ctx, BUCKET, false).await.unwrap();
        world.oss.create_bucket(&ctx, BUCKET, CreateBucket::default()).await.unwrap();
        world.put("a", b"1").await;
        world.clock.forward(9 * DAY);
        assert_eq!(run(&world).await, LifecycleReport::default());
        assert_eq!(world.get_as(&ctx, "a", GetOptions::default()).await.unwrap(), b"1");
        assert!(world.clock.now() > Time::default());
    });
}
