//! Versions: against an oracle that keeps every version of every key in a list, and in both dialects.

use std::collections::BTreeMap;

use engine::meter::usage;
use oss::{
    At, CopyOptions, CopySource, DeleteKey, Limits, ReadConditions, VersionId, VersionQuery,
    Versioning,
};
use proptest::prelude::*;

use crate::harness::{BUCKET, OWNER, World, check, noise, root};
use crate::http_client::{Server, Sign, check as serve};

#[derive(Clone, Debug)]
enum Step {
    Put { key: usize, size: usize },
    Delete { key: usize },
    DeleteVersion { key: usize, at: usize },
    Copy { from: usize, at: usize, to: usize },
    Set(Versioning),
}

const KEYS: [&str; 3] = ["a", "a/b", "c"];

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    prop_oneof![
        4 => (key.clone(), 0..3000_usize).prop_map(|(key, size)| Step::Put { key, size }),
        2 => key.clone().prop_map(|key| Step::Delete { key }),
        3 => (key.clone(), 0..6_usize).prop_map(|(key, at)| Step::DeleteVersion { key, at }),
        2 => (key.clone(), 0..4_usize, key).prop_map(|(from, at, to)| Step::Copy { from, at, to }),
        1 => Just(Step::Set(Versioning::Enabled)),
        1 => Just(Step::Set(Versioning::Suspended)),
    ]
}

/// A version: its id, and its bytes where it is no delete marker.
type Known = (VersionId, Option<Vec<u8>>);

/// Every version of every key, the newest first.
#[derive(Default)]
struct Oracle {
    versioning: Versioning,
    keys: BTreeMap<usize, Vec<Known>>,
}

impl Oracle {
    fn add(&mut self, key: usize, id: Option<VersionId>, body: Option<Vec<u8>>) {
        assert_eq!(id.is_some(), self.versioning != Versioning::Unversioned);
        let id = id.unwrap_or(VersionId::NULL);
        assert_eq!(id == VersionId::NULL, self.versioning != Versioning::Enabled);
        let versions = self.keys.entry(key).or_default();
        if self.versioning != Versioning::Enabled {
            versions.retain(|(id, _)| *id != VersionId::NULL);
        }
        versions.insert(0, (id, body));
    }

    fn of(&self, key: usize) -> &[Known] {
        self.keys.get(&key).map_or(&[], Vec::as_slice)
    }

    fn visible(&self, key: usize) -> Option<&Vec<u8>> {
        self.of(key).first().and_then(|(_, body)| body.as_ref())
    }

    fn bytes(&self) -> usize {
        self.keys.values().flatten().filter_map(|(_, body)| body.as_ref()).map(Vec::len).sum()
    }
}

async fn act(world: &World, oracle: &mut Oracle, step: &Step, seed: u64) {
    let ctx = root(OWNER);
    match step {
        Step::Put { key, size } => {
            let body = noise(*size, seed);
            let stored = world.put(KEYS[*key], &body).await;
            oracle.add(*key, stored.version, Some(body));
        }
        Step::Delete { key } => {
            let wanted = DeleteKey { key: KEYS[*key].to_owned(), ..DeleteKey::default() };
            let deleted = world.oss.delete(&ctx, BUCKET, wanted).await.unwrap();
            assert_eq!(deleted.existed, oracle.visible(*key).is_some());
            if oracle.versioning == Versioning::Unversioned {
                oracle.keys.remove(key);
            } else {
                assert!(deleted.marker);
                oracle.add(*key, deleted.version, None);
            }
        }
        Step::DeleteVersion { key, at } => {
            let known = oracle.of(*key).get(*at).map(|(id, body)| (*id, body.is_none()));
            let never = VersionId::parse("0000000000000001").unwrap();
            let version = Some(known.map_or(never, |(id, _)| id));
            let wanted = DeleteKey { key: KEYS[*key].to_owned(), version, ..DeleteKey::default() };
            let deleted = world.oss.delete(&ctx, BUCKET, wanted).await.unwrap();
            assert_eq!(deleted.existed, known.is_some());
            assert_eq!(deleted.marker, known.is_some_and(|(_, marker)| marker));
            if known.is_some() {
                oracle.keys.get_mut(key).unwrap().remove(*at);
            }
        }
        Step::Copy { from, at, to } => {
            // The current version, or one by its id.
            let named = at.checked_sub(1).and_then(|at| oracle.of(*from).get(at)).cloned();
            let body = match (&named, at) {
                (Some((_, body)), _) => body.clone(),
                (None, _) => oracle.visible(*from).cloned(),
            };
            let (bucket, key) = (BUCKET.to_owned(), KEYS[*from].to_owned());
            let version = named.map(|(id, _)| id);
            let source = CopySource { bucket, key, version, ..CopySource::default() };
            let copied =
                world.oss.copy(&ctx, source, BUCKET, KEYS[*to], CopyOptions::default()).await;
            assert_eq!(copied.is_ok(), body.is_some());
            if let Ok((stored, _)) = copied {
                oracle.add(*to, stored.version, body);
            }
        }
        Step::Set(versioning) => {
            world.oss.set_bucket_versioning(&ctx, BUCKET, *versioning).await.unwrap();
            oracle.versioning = *versioning;
        }
    }
}

/// Reads all pages of `limit` lines.
async fn listed(world: &World, limit: usize) -> Vec<(String, VersionId, bool, bool)> {
    let mut query = VersionQuery { limit, ..VersionQuery::default() };
    let mut lines = Vec::new();
    loop {
        let page = world.oss.list_versions(&root(OWNER), BUCKET, query.clone()).await.unwrap();
        assert!(page.versions.len() <= limit);
        let line = |listed: oss::ListedVersion| {
            (listed.object.key, listed.version, listed.latest, listed.marker)
        };
        lines.extend(page.versions.into_iter().map(line));
        let Some((key, version)) = page.next else { return lines };
        (query.after_key, query.after_version) = (key, version);
    }
}

async fn compare(world: &World, oracle: &Oracle, limit: usize) {
    let ctx = root(OWNER);
    let mut lines = Vec::new();
    for (at, key) in KEYS.iter().enumerate() {
        assert_eq!(world.get(key).await.ok().as_ref(), oracle.visible(at), "{key}");
        for (place, (id, body)) in oracle.of(at).iter().enumerate() {
            lines.push(((*key).to_owned(), *id, place == 0, body.is_none()));
            let one = At { key, version: Some(*id) };
            let seen = world.oss.head(&ctx, BUCKET, one, &ReadConditions::default()).await;
            match (seen, body) {
                (Ok(info), Some(body)) => assert_eq!(info.unwrap().size, body.len() as u64),
                (Err(refused), None) => assert_eq!(refused.code(), "MethodNotAllowed"),
                (seen, body) => panic!("{key} {id}: {seen:?} is not {body:?}"),
            }
        }
    }
    assert_eq!(listed(world, limit).await, lines);
    let stat = world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1;
    let visible = (0..KEYS.len()).filter(|key| oracle.visible(*key).is_some()).count();
    let markers = lines.iter().filter(|(.., marker)| *marker).count();
    let versions = lines.len() - visible - markers;
    let of_visible: usize =
        (0..KEYS.len()).filter_map(|key| oracle.visible(key)).map(Vec::len).sum();
    assert_eq!(
        (stat.objects, stat.versions, stat.markers, stat.bytes, stat.version_bytes),
        (
            visible as u64,
            versions as u64,
            markers as u64,
            oracle.bytes() as u64,
            (oracle.bytes() - of_visible) as u64
        )
    );
}

/// The byte-seconds so far.
async fn byte_seconds(world: &World) -> i64 {
    let now = base::Clock::now(&*world.clock);
    let lines = world.cloud.db.read(move |tx| usage(tx, OWNER, 0, i64::MAX, now)).await.unwrap();
    lines.iter().filter(|line| line.meter == "oss.storage").map(|line| line.quantity).sum()
}

/// What the public leaves say of objects, summed.
async fn stated(world: &World) -> i64 {
    let leaves = world.leaves().await;
    let placed = leaves.iter().filter_map(|(_, _, facts)| facts.get("placed")?.as_array());
    let of = |fact: &serde_json::Value| fact.get("objects").and_then(serde_json::Value::as_i64);
    placed.flatten().filter_map(of).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn versions_are_what_an_oracle_says(steps in prop::collection::vec(step(), 1..30), limit in 1..5_usize) {
        check(Limits::default(), |world| async move {
            let mut oracle = Oracle::default();
            let (used, mut integral) = (byte_seconds(&world).await, 0);
            for (seed, step) in steps.iter().enumerate() {
                act(&world, &mut oracle, step, seed as u64).await;
                compare(&world, &oracle, limit).await;
                world.clock.forward(7);
                integral += 7 * i64::try_from(oracle.bytes()).unwrap();
            }
            assert_eq!(byte_seconds(&world).await - used, integral);
            let bodies = oracle.keys.values().flatten().filter(|(_, body)| body.is_some()).count();
            assert_eq!(stated(&world).await, i64::try_from(bodies).unwrap());
        });
    }
}

proptest! {
    #[test]
    fn only_the_id_that_is_told_of_a_version_is_read(text in "null|[0-9a-fA-F+-]{0,18}|.{0,20}") {
        if let Some(id) = VersionId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn every_id_that_there_can_be_is_read(number in 1..=i64::MAX) {
        let text = format!("{number:016x}");
        prop_assert_eq!(VersionId::parse(&text).map(|id| id.to_string()), Some(text));
    }
}

#[test]
fn a_page_of_versions_begins_within_a_key_and_rolls_up_prefixes() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        for _ in 0..40 {
            world.put("many/k", b"1").await;
        }
        for key in ["a", "z"] {
            world.put(key, b"1").await;
            world.put(key, b"2").await;
        }
        let mut query =
            VersionQuery { delimiter: "/".to_owned(), limit: 1, ..VersionQuery::default() };
        let mut seen = Vec::new();
        loop {
            let page = world.oss.list_versions(&ctx, BUCKET, query.clone()).await.unwrap();
            seen.extend(page.versions.iter().map(|one| (one.object.key.clone(), one.latest)));
            seen.extend(page.prefixes.iter().map(|prefix| (prefix.clone(), false)));
            let Some((key, version)) = page.next else { break };
            (query.after_key, query.after_version) = (key, version);
        }
        let line = |key: &str, latest| (key.to_owned(), latest);
        assert_eq!(
            seen,
            [
                line("a", true),
                line("a", false),
                line("many/", false),
                line("z", true),
                line("z", false)
            ]
        );
        let deep =
            VersionQuery { prefix: "many/".to_owned(), limit: 1000, ..VersionQuery::default() };
        let page = world.oss.list_versions(&ctx, BUCKET, deep).await.unwrap();
        assert_eq!(page.versions.len(), 40);
        assert!(page.versions.windows(2).all(|two| two[0].version > two[1].version));
    });
}

#[test]
fn a_bucket_goes_only_when_its_last_version_did() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        let first = world.put("k", b"1").await.version;
        let key = |version| DeleteKey { key: "k".to_owned(), version, ..DeleteKey::default() };
        let marker = world.oss.delete(&ctx, BUCKET, key(None)).await.unwrap().version;
        for version in [first, marker] {
            let refused = world.oss.delete_bucket(&ctx, BUCKET, false).await.unwrap_err();
            assert_eq!(refused.code(), "BucketNotEmpty");
            world.oss.delete(&ctx, BUCKET, key(version)).await.unwrap();
        }
        world.oss.delete_bucket(&ctx, BUCKET, false).await.unwrap();
    });
}

fn enable(server: &Server, sign: Sign, status: &str) {
    let document =
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    let done = server.ask("PUT", "/pemilu?versioning").body(document).send(sign);
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(server.ask("GET", "/pemilu?versioning").send(sign).element("Status"), status);
}

#[test]
fn both_dialects_tell_versions_and_delete_markers() {
    for (sign, prefix) in [(Sign::OssV4, "x-oss"), (Sign::S3, "x-amz")] {
        serve(|server| {
            let (id, gone) = (format!("{prefix}-version-id"), format!("{prefix}-delete-marker"));
            let put = |body: &str| server.ask("PUT", "/pemilu/k").body(body).send(sign);
            assert_eq!(put("0").header(&id), None);
            enable(server, sign, "Enabled");
            let first = put("1").header(&id).unwrap().to_owned();
            let second = put("2").header(&id).unwrap().to_owned();
            let ask = |method, version: &str| {
                server.ask(method, &format!("/pemilu/k?versionId={version}")).send(sign)
            };
            for (version, body) in [("null", "0"), (first.as_str(), "1"), (second.as_str(), "2")] {
                let got = ask("GET", version);
                assert_eq!((got.text().as_str(), got.header(&id)), (body, Some(version)));
            }
            let deleted = server.ask("DELETE", "/pemilu/k").send(sign);
            let marker = deleted.header(&id).unwrap().to_owned();
            assert_eq!((deleted.status, deleted.header(&gone)), (204, Some("true")));

            let refused = server.ask("GET", "/pemilu/k").send(sign);
            refused.refused(404, "NoSuchKey");
            assert_eq!(refused.header(&gone), Some("true"));
            assert_eq!(refused.header(&id), Some(marker.as_str()));
            let refused = ask("GET", &marker);
            refused.refused(405, "MethodNotAllowed");
            assert_eq!(refused.header(&gone), Some("true"));
            assert_eq!(ask("HEAD", &marker).status, 405);
            ask("GET", "0000000000000001").refused(404, "NoSuchVersion");
            ask("GET", "nonsense").refused(400, "InvalidArgument");

            let listed = server.ask("GET", "/pemilu?versions").send(sign).text();
            assert_eq!(listed.matches("<Version>").count(), 3, "{listed}");
            assert_eq!(listed.matches("<DeleteMarker>").count(), 1);
            assert_eq!(listed.matches("<IsLatest>true</IsLatest>").count(), 1);
            let at = |id: &str| listed.find(&format!("<VersionId>{id}</VersionId>")).unwrap();
            assert!(
                at(&marker) < at(&second) && at(&second) < at(&first) && at(&first) < at("null")
            );

            // Without its marker the key is seen again.
            let undone = ask("DELETE", &marker);
            assert_eq!(
                (undone.header(&gone), undone.header(&id)),
                (Some("true"), Some(marker.as_str()))
            );
            assert_eq!(server.ask("GET", "/pemilu/k").send(sign).text(), "2");
            let source = format!("/pemilu/k?versionId={first}");
            let copied = server
                .ask("PUT", "/pemilu/k")
                .header(&format!("{prefix}-copy-source"), &source)
                .send(sign);
            assert_eq!(copied.status, 200, "{copied:?}");
            assert_eq!(
                copied.header(&format!("{prefix}-copy-source-version-id")),
                Some(first.as_str())
            );
            assert!(copied.header(&id).is_some());
            assert_eq!(server.ask("GET", "/pemilu/k").send(sign).text(), "1");
            enable(server, sign, "Suspended");
            let told = if sign == Sign::S3 { None } else { Some("null") };
            assert_eq!(put("3").header(&id), told);
            assert_eq!(ask("GET", "null").text(), "3");
        });
    }
}

#[test]
fn deleting_many_tells_the_markers_it_made_and_the_versions_it_deleted() {
    for sign in [Sign::OssV4, Sign::S3] {
        serve(|server| {
            enable(server, sign, "Enabled");
            let put = server.ask("PUT", "/pemilu/k").body("1").send(sign);
            let header = if sign == Sign::S3 { "x-amz-version-id" } else { "x-oss-version-id" };
            let first = put.header(header).unwrap().to_owned();
            let delete = |objects: &str| {
                let document = format!("<Delete>{objects}</Delete>");
                server.ask("POST", "/pemilu?delete").body(document).send(sign)
            };
            let made = delete("<Object><Key>k</Key></Object>");
            assert_eq!((made.status, made.element("DeleteMarker")), (200, "true".to_owned()));
            let marker = made.element("DeleteMarkerVersionId");
            let both = delete(&format!(
                "<Object><Key>k</Key><VersionId>{first}</VersionId></Object>\
                 <Object><Key>k</Key><VersionId>{marker}</VersionId></Object>"
            ));
            let text = both.text();
            assert_eq!(text.matches("<Deleted>").count(), 2, "{text}");
            assert_eq!(both.element("DeleteMarkerVersionId"), marker);
            // S3 tells it at the key, OSS refuses the request.
            let wrong = delete("<Object><Key>k</Key><VersionId>nonsense</VersionId></Object>");
            assert_eq!(wrong.element("Code"), "InvalidArgument");
            assert_eq!(wrong.status, if sign == Sign::S3 { 200 } else { 400 });
            let listed = server.ask("GET", "/pemilu?versions").send(sign).text();
            assert!(!listed.contains("<VersionId>"), "{listed}");
        });
    }
}
