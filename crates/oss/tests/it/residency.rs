//! Where data may be: decided for every byte, and stated in the log.

use std::collections::BTreeMap;

use base::ApiError;
use bytes::Bytes;
use oss::{
    BucketView, CompleteOptions, CompleteParts, CopyOptions, CopySource, CreateBucket, DeleteKey,
    InitiateOptions, Limits, PartOptions, PutOptions, ReadConditions, Redundancy, Source, Whole,
    WriteConditions,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use terms::clauses::{DataClass, Residence};

use crate::harness::{BUCKET, OWNER, World, check, noise, region, residing, root, rule};

const RESIDENCY: &str = "Forbidden.Residency";
const ZONES: &str = "Forbidden.ZoneRedundancyRequired";
const CLASS: &str = "Forbidden.DataClass";

fn bind(world: &World, default: DataClass, rules: &[Residence]) {
    world.agreements.0.bind(OWNER, residing(default, rules));
}

/// Only in these data centres of Jakarta.
fn only(world: &World, sites: &[&str]) {
    bind(world, DataClass::Internal, &[rule(DataClass::Internal, &["ID"], sites, 1)]);
}

fn code<T>(done: Result<T, ApiError>) -> Result<T, String> {
    done.map_err(|error| error.code().to_owned())
}

fn placed(class: &str, site: &str, country: &str, change: Value) -> Value {
    let mut at = json!({ "site": site, "country": country });
    for (what, by) in change.as_object().unwrap() {
        at[what] = by.clone();
    }
    json!({ "tenant": OWNER.to_string(), "class": class, "placed": [at] })
}

fn all() -> CompleteOptions {
    CompleteOptions {
        parts: CompleteParts::All,
        conditions: WriteConditions::default(),
        part_bytes_min: 0,
        crc64: None,
        checksums: Vec::new(),
        acl: None,
        customer_key: None,
    }
}

#[test]
fn every_leaf_of_a_write_says_what_is_where_now() {
    check(Limits::default(), |world| async move {
        let (owner, oss) = (root(OWNER), world.oss.clone());
        let key = |key: &str| DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
        for _ in 0..2 {
            world.put("a", b"1").await;
        }
        let source =
            CopySource { bucket: BUCKET.to_owned(), key: "a".to_owned(), ..CopySource::default() };
        oss.copy(&owner, source.clone(), BUCKET, "b", CopyOptions::default()).await.unwrap();
        oss.copy(&owner, source, BUCKET, "a", CopyOptions::default()).await.unwrap();
        for finish in [true, false] {
            let upload =
                oss.initiate(&owner, BUCKET, "c", InitiateOptions::default()).await.unwrap();
            for number in [1, 2, 2] {
                let options = PartOptions { number, ..PartOptions::default() };
                let body = Whole::new("x");
                oss.upload_part(&owner, (BUCKET, "c", &upload), options, body).await.unwrap();
            }
            match finish {
                true => drop(oss.complete(&owner, (BUCKET, "c", &upload), all()).await.unwrap()),
                false => oss.abort(&owner, (BUCKET, "c", &upload)).await.unwrap(),
            }
        }
        oss.delete(&owner, BUCKET, key("a")).await.unwrap();
        oss.delete(&owner, BUCKET, key("a")).await.unwrap();
        oss.delete_many(&owner, BUCKET, vec![key("b"), key("c"), key("gone")]).await.unwrap();
        oss.delete_bucket(&owner, BUCKET, false).await.unwrap();
        let leaves = world.leaves().await;
        let bucket = json!({
            "tenant": OWNER.to_string(), "class": "internal", "site": "jkt-1", "country": "ID",
        });
        let internal = |change| placed("internal", "jkt-1", "ID", change);
        let expected = [
            ("PutBucket", bucket.clone()),
            ("PutObject", internal(json!({ "objects": 1 }))),
            ("PutObject", internal(json!({ "objects": 0 }))),
            ("PutObject", internal(json!({ "objects": 1 }))),
            ("PutObject", internal(json!({ "objects": 0 }))),
            ("PutObject", internal(json!({ "parts": 0 }))),
            ("PutObject", internal(json!({ "parts": 1 }))),
            ("PutObject", internal(json!({ "parts": 1 }))),
            ("PutObject", internal(json!({ "parts": 0 }))),
            ("PutObject", internal(json!({ "parts": -2, "objects": 1 }))),
            ("PutObject", internal(json!({ "parts": 0 }))),
            ("PutObject", internal(json!({ "parts": 1 }))),
            ("PutObject", internal(json!({ "parts": 1 }))),
            ("PutObject", internal(json!({ "parts": 0 }))),
            ("AbortMultipartUpload", internal(json!({ "parts": -2 }))),
            ("DeleteObject", internal(json!({ "objects": -1 }))),
            ("DeleteObject", internal(json!({ "objects": -2 }))),
            ("DeleteBucket", bucket),
        ];
        assert_eq!(leaves.len(), expected.len(), "{leaves:#?}");
        for ((action, outcome, facts), (wanted, stated)) in leaves.into_iter().zip(expected) {
            assert_eq!((action.as_str(), outcome.as_str(), facts), (wanted, "OK", stated));
        }
    });
}

#[test]
fn a_bucket_has_the_agreements_class_where_nobody_says_another() {
    check(Limits::default(), |world| async move {
        let rules = DataClass::ALL.map(|class| rule(class, &["ID"], &[], 1));
        bind(&world, DataClass::Personal, &rules);
        world.bucket("unsaid", CreateBucket::default()).await.unwrap();
        let class = Some(DataClass::Public);
        world.bucket("said", CreateBucket { class, ..CreateBucket::default() }).await.unwrap();
        for (name, class) in [("unsaid", DataClass::Personal), ("said", DataClass::Public)] {
            let bucket = world.oss.bucket(&root(OWNER), name, BucketView::Info).await.unwrap();
            assert_eq!(bucket.class, class);
        }
        let again = |class| CreateBucket { class, repeatable: true, ..CreateBucket::default() };
        assert_eq!(world.bucket("said", again(Some(DataClass::Public))).await, Ok(()));
        assert_eq!(world.bucket("said", again(None)).await, Ok(()));
        let other = world.bucket("said", again(Some(DataClass::Strategic))).await;
        assert_eq!(other, Err("BucketAlreadyOwnedByYou".to_owned()), "its class stays what it is");
    });
}

#[test]
fn a_refusal_by_residency_names_the_place_and_the_tenant_in_public() {
    check(Limits::default(), |world| async move {
        only(&world, &["jkt-1"]);
        let abroad = |region: &str| CreateBucket {
            region: Some(region.to_owned()),
            ..CreateBucket::default()
        };
        assert_eq!(world.bucket("b", abroad("ap-southeast-1")).await, Err(RESIDENCY.to_owned()));
        let nowhere = world.bucket("b", abroad("eu-1")).await;
        assert_eq!(nowhere, Err("InvalidLocationConstraint".to_owned()));
        only(&world, &["jkt-2"]);
        let put = world.put_as(&root(OWNER), "k", b"x", PutOptions::default()).await;
        assert_eq!(code(put).unwrap_err(), RESIDENCY);
        let refusals: Vec<_> =
            world.leaves().await.into_iter().filter(|leaf| leaf.1 != "OK").collect();
        let facts = |site: &str, country: &str| {
            json!({
                "tenant": OWNER.to_string(), "class": "internal",
                "wanted": [{ "site": site, "country": country }],
            })
        };
        let refused = |action: &str, facts| (action.to_owned(), RESIDENCY.to_owned(), facts);
        assert_eq!(
            refusals,
            [refused("PutBucket", facts("sg-1", "SG")), refused("PutObject", facts("jkt-1", "ID"))]
        );
    });
}

/// A body at whose end the agreement is amended.
struct Amending<'w> {
    world: &'w World,
    pieces: Vec<Bytes>,
}

impl Source for Amending<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        Ok(self.pieces.pop())
    }

    fn finish(&mut self) -> Result<Vec<oss::Checksum>, ApiError> {
        only(self.world, &["jkt-2"]);
        Ok(Vec::new())
    }
}

#[test]
fn an_agreement_amended_while_the_body_comes_binds_its_commit() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        let upload =
            world.oss.initiate(&owner, BUCKET, "k", InitiateOptions::default()).await.unwrap();
        let body = || Amending { world: &world, pieces: vec![Bytes::from(noise(70_000, 1)); 3] };
        let put = world.oss.put(&owner, BUCKET, "k", PutOptions::default(), body()).await;
        assert_eq!(code(put).unwrap_err(), RESIDENCY);
        only(&world, &[]);
        let part = PartOptions { number: 1, ..PartOptions::default() };
        let part = world.oss.upload_part(&owner, (BUCKET, "k", &upload), part, body()).await;
        assert_eq!(code(part).unwrap_err(), RESIDENCY);
        assert_eq!(world.live().await, 0);
        world.oss.reclaim().await.unwrap();
        let space = world.oss.space().await.unwrap();
        assert!(space.allocated <= 4096, "and no byte stays there, but for the end of a block");
        let refused = |leaf: &&(String, String, Value)| leaf.1 == RESIDENCY;
        assert_eq!(world.leaves().await.iter().filter(refused).count(), 2);
    });
}

#[test]
fn what_may_no_longer_be_there_is_read_and_deleted_all_the_same() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        world.put("k", b"x").await;
        let upload =
            world.oss.initiate(&owner, BUCKET, "u", InitiateOptions::default()).await.unwrap();
        let target = (BUCKET, "u", upload.as_str());
        let part = PartOptions { number: 1, ..PartOptions::default() };
        world.oss.upload_part(&owner, target, part, Whole::new("x")).await.unwrap();
        only(&world, &["jkt-2"]);
        let completed = world.oss.complete(&owner, target, all()).await;
        assert_eq!(code(completed).unwrap_err(), RESIDENCY, "an object would be placed");
        assert_eq!(world.get("k").await.unwrap(), b"x");
        world.oss.abort(&owner, target).await.unwrap();
        let key = DeleteKey { key: "k".to_owned(), ..DeleteKey::default() };
        world.oss.delete(&owner, BUCKET, key).await.unwrap();
        world.oss.delete_bucket(&owner, BUCKET, false).await.unwrap();
    });
}

#[test]
fn zones_that_the_agreement_demands_take_zone_redundancy() {
    check(Limits::default(), |world| async move {
        bind(&world, DataClass::Internal, &[rule(DataClass::Personal, &["ID"], &[], 2)]);
        let class = Some(DataClass::Personal);
        let single = CreateBucket { class, ..CreateBucket::default() };
        assert_eq!(world.bucket("one", single.clone()).await, Err(ZONES.to_owned()));
        let zones = CreateBucket { redundancy: Redundancy::Zones, ..single };
        world.bucket("two", zones.clone()).await.unwrap();
        let site = Some("jkt-3".to_owned());
        world.bucket("three", CreateBucket { site, ..zones.clone() }).await.unwrap();
        for (name, sites) in [("two", ["jkt-1", "jkt-2"]), ("three", ["jkt-3", "jkt-1"])] {
            let bucket = world.oss.bucket(&root(OWNER), name, BucketView::Info).await.unwrap();
            assert_eq!(bucket.sites, sites);
            let body = Whole::new("x");
            world.oss.put(&root(OWNER), name, "k", PutOptions::default(), body).await.unwrap();
        }
        let leaves = world.leaves().await;
        assert_eq!(
            leaves[leaves.len() - 2..].iter().map(|leaf| leaf.2.clone()).collect::<Vec<_>>(),
            [["jkt-1", "jkt-2"], ["jkt-3", "jkt-1"]].map(|sites| json!({
                "tenant": OWNER.to_string(),
                "class": "personal",
                "placed": sites.map(|site| json!({ "site": site, "country": "ID", "objects": 1 })),
            }))
        );
        bind(&world, DataClass::Internal, &[rule(DataClass::Personal, &["ID"], &[], 3)]);
        let refused = world.bucket("four", zones).await;
        assert_eq!(refused, Err("ServiceUnavailable".to_owned()), "there are but two zones");
        let body = Whole::new("x");
        let put = world.oss.put(&root(OWNER), "two", "l", PutOptions::default(), body).await;
        assert_eq!(code(put).unwrap_err(), ZONES);
    });
}

/// Something that a tenant, or the parties, do.
#[derive(Clone, Debug)]
enum Step {
    Bind(Vec<Residence>),
    Create { class: DataClass, region: Option<bool>, site: Option<usize>, zones: bool },
    Put(usize, u8),
    Copy(usize, u8, usize, u8),
    Initiate(usize, u8),
    Part(usize, u32),
    Complete(usize),
    Abort(usize),
    Delete(usize, u8),
    DeleteAll(usize),
    DeleteBucket(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = || prop::sample::select(DataClass::ALL.to_vec());
    let countries = prop::sample::subsequence(vec!["ID", "SG"], 0..=2);
    let sites = prop::sample::subsequence(vec!["jkt-1", "jkt-2", "jkt-3", "sg-1", "sg-2"], 0..=3);
    let rule = (class(), countries, sites, 0..3_u32)
        .prop_map(|(class, countries, sites, zones)| rule(class, &countries, &sites, zones));
    let (bucket, key) = (|| 0..4_usize, || 0..3_u8);
    let step = prop_oneof![
        2 => prop::collection::vec(rule, 1..5).prop_map(Step::Bind),
        4 => (class(), any::<Option<bool>>(), prop::option::of(0..5_usize), any::<bool>())
            .prop_map(|(class, region, site, zones)| Step::Create { class, region, site, zones }),
        6 => (bucket(), key()).prop_map(|(bucket, key)| Step::Put(bucket, key)),
        3 => (bucket(), key(), bucket(), key()).prop_map(|(a, b, c, d)| Step::Copy(a, b, c, d)),
        2 => (bucket(), key()).prop_map(|(bucket, key)| Step::Initiate(bucket, key)),
        4 => (bucket(), 1..3_u32).prop_map(|(upload, number)| Step::Part(upload, number)),
        2 => bucket().prop_map(Step::Complete),
        1 => bucket().prop_map(Step::Abort),
        2 => (bucket(), key()).prop_map(|(bucket, key)| Step::Delete(bucket, key)),
        1 => bucket().prop_map(Step::DeleteAll),
        1 => bucket().prop_map(Step::DeleteBucket),
    ];
    prop::collection::vec(step, 10..50)
}

/// What the naive reading of the terms knows, and what is there.
#[derive(Default)]
struct Model {
    rules: Option<Vec<Residence>>,
    buckets: Vec<(String, DataClass, Vec<String>)>,
    /// Bucket, key, id.
    uploads: Vec<(String, String, String)>,
    made: usize,
    refused: usize,
}

impl Model {
    fn rule(&self, class: DataClass) -> Option<&Residence> {
        self.rules.iter().flatten().find(|rule| rule.class == class)
    }

    fn allows_site(&self, class: DataClass, site: &str) -> bool {
        let country = if site.starts_with("jkt") { "ID" } else { "SG" };
        let rule = self.rule(class);
        self.rules.is_none()
            || rule.is_some_and(|rule| {
                rule.countries.iter().any(|named| named == country)
                    && (rule.sites.is_empty() || rule.sites.iter().any(|named| named == site))
            })
    }

    fn zones_min(&self, class: DataClass) -> usize {
        self.rule(class).map_or(1, |rule| rule.zones_min.max(1) as usize)
    }

    fn allows(&self, class: DataClass, sites: &[String]) -> bool {
        sites.iter().all(|site| self.allows_site(class, site))
            && zones(sites.iter().map(String::as_str)) >= self.zones_min(class)
    }

    /// Whether a bucket may be made.
    fn allows_bucket(&self, class: DataClass, wanted: &CreateBucket) -> bool {
        let abroad = match (&wanted.site, &wanted.region) {
            (Some(site), _) => site.starts_with("sg"),
            (None, region) => region.as_deref() == Some("ap-southeast-1"),
        };
        let of_region = if abroad { &SITES[3..] } else { &SITES[..3] };
        let possible = of_region.iter().copied().filter(|site| self.allows_site(class, site));
        let named = wanted.site.as_deref();
        if named.is_some_and(|site| !self.allows_site(class, site)) {
            return false;
        }
        match wanted.redundancy {
            Redundancy::Local => possible.count() > 0 && self.zones_min(class) == 1,
            Redundancy::Zones => zones(possible) >= self.zones_min(class).max(2),
        }
    }

    /// Takes note of a refusal, and says whether it was one by the terms.
    fn judge<T>(&mut self, done: &Result<T, ApiError>, allowed: bool) -> bool {
        let residence = match done {
            Ok(_) => false,
            Err(error) => [RESIDENCY, ZONES, CLASS].contains(&error.code()),
        };
        self.refused += usize::from(residence);
        assert_eq!(!residence, allowed, "{:?}", done.as_ref().err());
        residence
    }
}

const SITES: [&str; 5] = ["jkt-1", "jkt-2", "jkt-3", "sg-1", "sg-2"];

fn zones<'s>(sites: impl Iterator<Item = &'s str>) -> usize {
    let region = region();
    let mut zones: Vec<_> = sites.map(|site| region.centre(site).unwrap().zone.clone()).collect();
    zones.sort();
    zones.dedup();
    zones.len()
}

async fn create(world: &World, model: &mut Model, options: CreateBucket) {
    let name = format!("made-{}", model.made);
    model.made += 1;
    let class = options.class.unwrap();
    let mismatch = options
        .region
        .as_deref()
        .zip(options.site.as_deref())
        .is_some_and(|(region, site)| site.starts_with("sg") != (region == "ap-southeast-1"));
    let allowed = model.allows_bucket(class, &options);
    let done = world.oss.create_bucket(&root(OWNER), &name, options).await;
    if mismatch {
        assert_eq!(code(done).unwrap_err(), "InvalidLocationConstraint");
        return;
    }
    if model.rules.is_some() && matches!(&done, Err(error) if error.code() == "ServiceUnavailable")
    {
        assert!(!allowed, "there are zones enough");
        return;
    }
    if !model.judge(&done, allowed) {
        done.unwrap();
        let bucket = world.oss.bucket(&root(OWNER), &name, BucketView::Info).await.unwrap();
        assert!(model.allows(class, &bucket.sites));
        model.buckets.push((name, class, bucket.sites));
    }
}

async fn write(world: &World, model: &mut Model, step: &Step) {
    let owner = root(OWNER);
    let pick = |at: usize, len: usize| if len == 0 { None } else { Some(at % len) };
    let bucket = |model: &Model, at: usize| {
        pick(at, model.buckets.len()).map(|at| model.buckets[at].clone())
    };
    let upload = |model: &Model, at: usize| {
        let (bucket, key, id) = model.uploads.get(pick(at, model.uploads.len())?)?.clone();
        let of = model.buckets.iter().find(|(name, ..)| *name == bucket)?.clone();
        Some((of, key, id))
    };
    match step {
        Step::Put(at, key) => {
            let Some((name, class, sites)) = bucket(model, *at) else { return };
            let (body, options) = (Whole::new("body"), PutOptions::default());
            let done = world.oss.put(&owner, &name, &key.to_string(), options, body).await;
            let allowed = model.allows(class, &sites);
            model.judge(&done, allowed);
        }
        Step::Copy(from, source, at, key) => {
            let (Some(from), Some((name, class, sites))) =
                (bucket(model, *from), bucket(model, *at))
            else {
                return;
            };
            let source = CopySource {
                bucket: from.0.clone(),
                key: source.to_string(),
                ..CopySource::default()
            };
            let conditions = ReadConditions::default();
            let there = world.oss.head(&owner, &from.0, &source.key, &conditions).await.is_ok();
            let options = CopyOptions::default();
            let done = world.oss.copy(&owner, source, &name, &key.to_string(), options).await;
            let bound = !there || from.1 <= class && model.allows(from.1, &sites);
            let allowed = model.allows(class, &sites) && bound;
            model.judge(&done, allowed);
        }
        Step::Initiate(at, key) => {
            let Some((name, class, sites)) = bucket(model, *at) else { return };
            let (key, options) = (key.to_string(), InitiateOptions::default());
            let done = world.oss.initiate(&owner, &name, &key, options).await;
            let allowed = model.allows(class, &sites);
            model.judge(&done, allowed);
            model.uploads.extend(done.ok().map(|id| (name, key, id)));
        }
        Step::Part(at, number) => {
            let Some(((name, class, sites), key, id)) = upload(model, *at) else { return };
            let options = PartOptions { number: *number, ..PartOptions::default() };
            let body = Whole::new("part");
            let done = world.oss.upload_part(&owner, (&name, &key, &id), options, body).await;
            let allowed = model.allows(class, &sites);
            model.judge(&done, allowed);
        }
        Step::Complete(at) => {
            let Some(((name, class, sites), key, id)) = upload(model, *at) else { return };
            let done = world.oss.complete(&owner, (&name, &key, &id), all()).await;
            let allowed = model.allows(class, &sites);
            model.judge(&done, allowed);
            if done.is_ok() {
                model.uploads.retain(|(_, _, other)| *other != id);
            }
        }
        other => remove(world, model, other).await,
    }
}

/// What is never refused by the terms.
async fn remove(world: &World, model: &mut Model, step: &Step) {
    let owner = root(OWNER);
    let key = |key: u8| DeleteKey { key: key.to_string(), ..DeleteKey::default() };
    let (Step::Delete(at, _) | Step::DeleteAll(at) | Step::DeleteBucket(at) | Step::Abort(at)) =
        step
    else {
        unreachable!("the others are writes")
    };
    if let Step::Abort(_) = step {
        if model.uploads.is_empty() {
            return;
        }
        let (name, key, id) = model.uploads.remove(at % model.uploads.len());
        return world.oss.abort(&owner, (&name, &key, &id)).await.unwrap();
    }
    if model.buckets.is_empty() {
        return;
    }
    let at = at % model.buckets.len();
    let name = model.buckets[at].0.clone();
    match step {
        Step::Delete(_, of) => drop(world.oss.delete(&owner, &name, key(*of)).await.unwrap()),
        Step::DeleteAll(_) => {
            let keys = (0..3).map(key).collect();
            drop(world.oss.delete_many(&owner, &name, keys).await.unwrap());
        }
        _ if world.oss.delete_bucket(&owner, &name, true).await.is_ok() => {
            model.buckets.remove(at);
            model.uploads.retain(|(bucket, ..)| *bucket != name);
        }
        _ => {}
    }
}

/// How many objects and parts the rows put at each data centre.
async fn counted(world: &World) -> BTreeMap<(String, String), i64> {
    let rows: Vec<(String, String, i64, i64)> = world
        .cloud
        .db
        .read(|tx| {
            let sql = "SELECT b.site, b.mirrors,
                    (SELECT COUNT(*) FROM oss_object o WHERE o.bucket = b.id),
                    (SELECT COUNT(*) FROM oss_part p JOIN oss_upload u ON u.id = p.upload WHERE u.bucket = b.id)
                FROM oss_bucket b";
            tx.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        })
        .await
        .map_err(|error: store::Error| ApiError::from(error))
        .unwrap();
    let mut sums = BTreeMap::new();
    for (home, mirrors, objects, parts) in rows {
        let further: Vec<String> = match mirrors.as_str() {
            "" => Vec::new(),
            text => serde_json::from_str(text).unwrap(),
        };
        for site in further.into_iter().chain([home]) {
            *sums.entry((site.clone(), "objects".to_owned())).or_default() += objects;
            *sums.entry((site, "parts".to_owned())).or_default() += parts;
        }
    }
    sums.retain(|_, count| *count != 0);
    sums
}

/// The same by the public facts alone.
async fn stated(world: &World) -> BTreeMap<(String, String), i64> {
    let mut sums = BTreeMap::new();
    for (_, outcome, facts) in world.leaves().await {
        for at in facts["placed"].as_array().into_iter().flatten() {
            assert_eq!(outcome, "OK");
            for what in ["objects", "parts"] {
                let site = at["site"].as_str().unwrap().to_owned();
                *sums.entry((site, what.to_owned())).or_default() +=
                    at.get(what).map_or(0, |by| by.as_i64().unwrap());
            }
        }
    }
    sums.retain(|_, count| *count != 0);
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// A naive reading of the terms and the store agree about every write, and the log alone tells what is
    /// where.
    #[test]
    fn nothing_is_placed_where_the_terms_of_its_moment_forbid(steps in steps()) {
        check(Limits::default(), |world| async move {
            let mut model = Model::default();
            model.buckets.push((BUCKET.to_owned(), DataClass::Internal, vec!["jkt-1".to_owned()]));
            for step in &steps {
                match step {
                    Step::Bind(rules) => {
                        let mut rules = rules.clone();
                        rules.dedup_by_key(|rule| rule.class);
                        bind(&world, DataClass::Internal, &rules);
                        model.rules = Some(rules);
                    }
                    Step::Create { class, region, site, zones } => {
                        let named = |abroad| if abroad { "ap-southeast-1" } else { "ap-southeast-5" };
                        let options = CreateBucket {
                            class: Some(*class),
                            region: region.map(named).map(str::to_owned),
                            site: site.map(|at| SITES[at].to_owned()),
                            redundancy: if *zones { Redundancy::Zones } else { Redundancy::Local },
                            ..CreateBucket::default()
                        };
                        create(&world, &mut model, options).await;
                    }
                    other => write(&world, &mut model, other).await,
                }
            }
            assert_eq!(stated(&world).await, counted(&world).await);
            let wanted = |leaf: &&(String, String, Value)| leaf.2.get("wanted").is_some();
            assert_eq!(world.leaves().await.iter().filter(wanted).count(), model.refused);
        });
    }
}
