//! Objects that grow.

use std::sync::Arc;

use base::ApiError;
use bytes::Bytes;
use oss::{
    CopyOptions, CopySource, DeleteKey, Limits, ListQuery, PutOptions, RangeSpec, Source, Stored,
    VersionQuery, Versioning, Whole,
};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::harness::{BUCKET, OWNER, STRANGER, World, anybody, check, noise, root};
use crate::usage::used;

async fn append(world: &World, at: u64, body: &[u8]) -> Result<Stored, ApiError> {
    let whole = Whole::new(body.to_vec());
    world.oss.append(&root(OWNER), (BUCKET, "log", at), PutOptions::default(), whole).await
}

async fn refused(world: &World, at: u64) -> (String, Option<String>) {
    let refused = append(world, at, b"x").await.unwrap_err();
    let fields = refused.fields().iter().find(|(name, _)| *name == "NextAppendPosition");
    (refused.code().to_owned(), fields.map(|(_, at)| at.clone()))
}

#[test]
fn what_is_appended_stands_behind_what_was_there() {
    check(Limits::default(), |world| async move {
        let mut whole = Vec::new();
        let mut tags = Vec::new();
        for (seed, len) in [(1, 10), (2, 0), (3, 3_000_000), (4, 7), (5, 1_500_000)] {
            let piece = noise(len, seed);
            let stored = append(&world, whole.len() as u64, &piece).await.unwrap();
            whole.extend_from_slice(&piece);
            assert_eq!(stored.size, whole.len() as u64);
            assert_eq!(stored.crc64, wire::object::checksum::crc64(&whole));
            tags.push(stored.etag.md5);
        }
        tags.dedup();
        assert_eq!(tags.len(), 5, "each append has a tag of its own");
        assert!(world.get("log").await.unwrap() == whole);
        let range = Some(RangeSpec::From(3_000_005, Some(3_000_100)));
        let part = oss::GetOptions { range, ..oss::GetOptions::default() };
        let part = world.get_as(&root(OWNER), "log", part).await.unwrap();
        assert_eq!(part, whole[3_000_005..=3_000_100]);
        let world = world.crash().await;
        assert!(world.get("log").await.unwrap() == whole);
        assert_eq!(world.oss.scrub().await.unwrap().lost, 0);
    });
}

#[test]
fn an_append_elsewhere_or_to_something_else_is_refused_and_says_where() {
    check(Limits::default(), |world| async move {
        let wrong = "PositionNotEqualToLength".to_owned();
        assert_eq!(refused(&world, 1).await, (wrong.clone(), Some("0".to_owned())));
        append(&world, 0, b"hello").await.unwrap();
        for at in [0, 4, 6] {
            assert_eq!(refused(&world, at).await, (wrong.clone(), Some("5".to_owned())));
        }
        let too_large = append(&world, 5, b"").await.unwrap();
        assert_eq!(too_large.size, 5);
        world.put("log", b"other").await;
        assert_eq!(refused(&world, 5).await.0, "ObjectNotAppendable");
        assert_eq!(world.get("log").await.unwrap(), b"other");
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_blob").await, 0, "given back whole");
    });
}

#[test]
fn of_racing_appends_at_one_position_exactly_one_wins_and_none_is_lost() {
    check(Limits::default(), |world| async move {
        append(&world, 0, b"").await.unwrap();
        let world = Arc::new(world);
        let mut writers = JoinSet::new();
        for seed in 0..6_u64 {
            let world = Arc::clone(&world);
            writers.spawn(async move {
                let mut at = 0;
                for round in 0..10 {
                    let piece = noise(100 + seed as usize, seed * 100 + round);
                    loop {
                        match append(&world, at, &piece).await {
                            Ok(stored) => break at = stored.size,
                            Err(refused) => {
                                let fields = refused.fields();
                                assert_eq!(refused.code(), "PositionNotEqualToLength");
                                at = fields[0].1.parse().unwrap();
                            }
                        }
                    }
                }
            });
        }
        writers.join_all().await;
        let mut body = world.get("log").await.unwrap();
        let each: u64 = (0..6).map(|seed| (100 + seed) * 10).sum();
        assert_eq!(body.len() as u64, each);
        // Every piece is there once, whole.
        for seed in 0..6_u64 {
            for round in 0..10 {
                let piece = noise(100 + seed as usize, seed * 100 + round);
                let at = body.windows(piece.len()).position(|some| some == piece).unwrap();
                body.drain(at..at + piece.len());
            }
        }
        assert!(body.is_empty());
        assert_eq!(world.live().await, each as i64);
    });
}

#[test]
fn many_small_appends_are_few_rows() {
    check(Limits::default(), |world| async move {
        for at in 0..300 {
            append(&world, at * 3, b"abc").await.unwrap();
        }
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_extent").await, 2);
        assert_eq!(world.get("log").await.unwrap(), b"abc".repeat(300));
    });
}

#[test]
fn usage_and_sums_follow_each_append() {
    check(Limits::default(), |world| async move {
        let before = used(&world, "oss.requests.put").await;
        append(&world, 0, &noise(1000, 1)).await.unwrap();
        append(&world, 1000, &noise(500, 2)).await.unwrap();
        let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
        assert_eq!((stat.objects, stat.bytes), (1, 1500));
        assert_eq!(world.live().await, 1500);
        assert_eq!(used(&world, "oss.requests.put").await, before + 2);
        let key = DeleteKey { key: "log".to_owned(), ..DeleteKey::default() };
        world.oss.delete(&root(OWNER), BUCKET, key).await.unwrap();
        let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
        assert_eq!((stat.objects, stat.bytes), (0, 0));
    });
}

#[test]
fn who_may_not_write_may_not_append() {
    check(Limits::default(), |world| async move {
        append(&world, 0, b"a").await.unwrap();
        for ctx in [anybody(), root(STRANGER)] {
            let target = (BUCKET, "log", 1);
            let done = world.oss.append(&ctx, target, PutOptions::default(), Whole::new("x")).await;
            assert_eq!(done.unwrap_err().code(), "AccessDenied");
        }
        assert_eq!(world.get("log").await.unwrap(), b"a");
    });
}

#[test]
fn the_current_version_grows_and_those_behind_it_do_not() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        world.oss.set_bucket_versioning(&ctx, BUCKET, Versioning::Enabled).await.unwrap();
        let first = append(&world, 0, b"one").await.unwrap();
        let second = append(&world, 3, b"two").await.unwrap();
        assert!(first.version.is_some() && first.version == second.version);
        let put = world.put("log", b"plain").await;
        assert_eq!(refused(&world, 5).await.0, "ObjectNotAppendable");
        let key = DeleteKey { key: "log".to_owned(), ..DeleteKey::default() };
        world.oss.delete(&ctx, BUCKET, key).await.unwrap();
        // Behind a delete marker one begins anew.
        append(&world, 0, b"again").await.unwrap();
        assert_eq!(world.get("log").await.unwrap(), b"again");
        for (version, body) in [(first.version, &b"onetwo"[..]), (put.version, b"plain")] {
            let at = oss::At { key: "log", version };
            let got = world.oss.get(&ctx, BUCKET, at, oss::GetOptions::default()).await.unwrap();
            let oss::Fetched::Found { body: mut stream, .. } = got else { panic!("it is there") };
            let mut bytes = Vec::new();
            while let Some(next) = stream.next().await {
                bytes.extend_from_slice(&next.unwrap());
            }
            assert_eq!(bytes, body);
        }
        let query = VersionQuery { limit: 10, ..VersionQuery::default() };
        let page = world.oss.list_versions(&ctx, BUCKET, query).await.unwrap();
        let types: Vec<_> = page
            .versions
            .iter()
            .filter(|version| !version.marker)
            .map(|version| version.object.object_type())
            .collect();
        assert_eq!(types, ["Appendable", "Normal", "Appendable"]);
    });
}

#[test]
fn a_copy_of_one_is_an_ordinary_object() {
    check(Limits::default(), |world| async move {
        append(&world, 0, b"a").await.unwrap();
        let ctx = root(OWNER);
        let source = CopySource {
            bucket: BUCKET.to_owned(),
            key: "log".to_owned(),
            ..CopySource::default()
        };
        world.oss.copy(&ctx, source, BUCKET, "copy", CopyOptions::default()).await.unwrap();
        let page = world
            .oss
            .list(&ctx, BUCKET, ListQuery { limit: 9, ..Default::default() })
            .await
            .unwrap();
        let types: Vec<_> =
            page.objects.iter().map(|object| (object.key.as_str(), object.object_type())).collect();
        assert_eq!(types, [("copy", "Normal"), ("log", "Appendable")]);
    });
}

/// A body that tells when it is asked for, and comes when it may.
struct Late {
    asked: Option<oneshot::Sender<()>>,
    come: oneshot::Receiver<()>,
    body: Option<Bytes>,
}

impl Source for Late {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if let Some(asked) = self.asked.take() {
            asked.send(()).unwrap();
            (&mut self.come).await.unwrap();
        }
        Ok(self.body.take())
    }
}

#[test]
fn an_append_that_begins_an_object_takes_the_place_of_no_other() {
    check(Limits::default(), |world| async move {
        let ((asked, is_asked), (may, come)) = (oneshot::channel(), oneshot::channel());
        let body = Some(Bytes::from_static(b"late"));
        let late = Late { asked: Some(asked), come, body };
        let oss = world.oss.clone();
        let slow = tokio::spawn(async move {
            let at = (BUCKET, "log", 0);
            oss.append(&root(OWNER), at, PutOptions::default(), late).await
        });
        is_asked.await.unwrap();
        append(&world, 0, b"first").await.unwrap();
        may.send(()).unwrap();
        let refused = slow.await.unwrap().unwrap_err();
        assert_eq!(refused.code(), "PositionNotEqualToLength");
        assert_eq!(world.get("log").await.unwrap(), b"first");
    });
}
