//! Single objects: what was put is what is got.

use base::Time;
use oss::{
    Algorithm, Attributes, Checksum, CopyOptions, CopySource, DeleteKey, Directive, EtagMatch,
    Expected, Fetched, GetOptions, Limits, Matching, PutOptions, RangeSpec, ReadConditions,
    WriteConditions,
};

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};

const MIB: usize = 1 << 20;

#[test]
fn bodies_of_all_sizes_come_back() {
    check(Limits::default(), |world| async move {
        for (at, size) in [0, 1, 4096, 65_536, 65_537, MIB, MIB + 1, 3 * MIB + 17, 70 * MIB]
            .into_iter()
            .enumerate()
        {
            let body = noise(size, at as u64);
            let key = format!("size/{size}");
            let stored = world.put(&key, &body).await;
            assert_eq!(stored.size, size as u64);
            assert_eq!(stored.crc64, wire::object::checksum::crc64(&body));
            assert!(world.get(&key).await.unwrap() == body, "{size} bytes differ");
        }
        // Beyond 64 extents a body has rows of its own.
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_blob").await, 1);
    });
}

#[test]
fn ranges_are_the_bytes_of_the_whole() {
    check(Limits::default(), |world| async move {
        let body = noise(66 * MIB + 5, 1);
        world.put("k", &body).await;
        let size = body.len() as u64;
        let mib = MIB as u64;
        let ranges = [
            (0, 1),
            (mib - 1, 2),
            (mib, mib),
            (3 * mib + 7, 20 * mib),
            (size - 1, 1),
            (size - mib, mib),
        ];
        for (from, len) in ranges {
            let range = Some(RangeSpec::From(from, Some(from + len - 1)));
            let got = world
                .get_as(&root(OWNER), "k", GetOptions { range, ..GetOptions::default() })
                .await
                .unwrap();
            let (from, len) = (usize::try_from(from).unwrap(), usize::try_from(len).unwrap());
            assert!(got == body[from..from + len], "bytes {from} to {}", from + len);
        }
        let last = GetOptions { range: Some(RangeSpec::Last(10)), ..GetOptions::default() };
        assert_eq!(world.get_as(&root(OWNER), "k", last).await.unwrap(), body[body.len() - 10..]);
    });
}

#[test]
fn a_range_behind_the_end_is_refused_or_ignored_as_asked() {
    check(Limits::default(), |world| async move {
        world.put("k", b"abc").await;
        let options = |strict_range| GetOptions {
            range: Some(RangeSpec::From(3, None)),
            strict_range,
            ..GetOptions::default()
        };
        assert_eq!(
            world.get_as(&root(OWNER), "k", options(true)).await,
            Err("InvalidRange".to_owned())
        );
        assert_eq!(world.get_as(&root(OWNER), "k", options(false)).await, Ok(b"abc".to_vec()));
    });
}

#[test]
fn what_the_client_said_about_an_object_comes_back() {
    check(Limits::default(), |world| async move {
        let attributes = Attributes {
            headers: vec![("content-type".to_owned(), "text/csv".to_owned())],
            user: vec![("wilayah".to_owned(), "Jawa Barat ✓".to_owned())],
            checksums: Vec::new(),
        };
        let tags = vec![("tahun".to_owned(), "2024".to_owned())];
        let options = PutOptions {
            attributes: attributes.clone(),
            tags: tags.clone(),
            ..PutOptions::default()
        };
        let stored = world.put_as(&root(OWNER), "data/一.csv", b"x", options).await.unwrap();
        let conditions = ReadConditions::default();
        let info = world
            .oss
            .head(&root(OWNER), BUCKET, "data/一.csv", &conditions)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((&info.attributes, &info.tags, info.etag), (&attributes, &tags, stored.etag));
        assert_eq!((info.site.as_str(), info.size, info.object_type()), ("jkt-1", 1, "Normal"));
        assert_eq!(info.etag.lower(), "9dd4e461268c8034f5c8564e155c67a6");
    });
}

#[test]
fn promised_digests_must_come_true() {
    check(Limits::default(), |world| async move {
        let body = noise(100_000, 3);
        let good = Expected {
            length: Some(100_000),
            crc64: Some(wire::object::checksum::crc64(&body)),
            compute: vec![Algorithm::Crc32c, Algorithm::Sha256],
            ..Expected::default()
        };
        let ctx = root(OWNER);
        let put = |expected| {
            world.put_as(&ctx, "k", &body, PutOptions { expected, ..PutOptions::default() })
        };
        let stored = put(good.clone()).await.unwrap();
        assert_eq!(stored.checksums.len(), 2);
        let checksums = stored.checksums;
        put(Expected { checksums: checksums.clone(), ..Expected::default() }).await.unwrap();
        let wrong = Checksum::whole(Algorithm::Crc32c, vec![0; 4]);
        for (expected, code) in [
            (Expected { md5: Some([0; 16]), ..Expected::default() }, "BadDigest"),
            (Expected { crc64: Some(1), ..Expected::default() }, "BadDigest"),
            (Expected { checksums: vec![wrong], ..Expected::default() }, "BadDigest"),
            (
                Expected { sha256: Some([0; 32]), ..Expected::default() },
                "XAmzContentSHA256Mismatch",
            ),
            (Expected { length: Some(99_999), ..Expected::default() }, "IncompleteBody"),
            (Expected { length: Some(100_001), ..Expected::default() }, "IncompleteBody"),
            (Expected { length: Some(6 << 30), ..Expected::default() }, "EntityTooLarge"),
        ] {
            assert_eq!(put(expected).await.unwrap_err().code(), code);
        }
        assert!(world.get("k").await.unwrap() == body, "the refused ones replaced nothing");
    });
}

#[test]
fn a_body_that_breaks_off_or_is_refused_at_its_end_leaves_nothing() {
    check(Limits::default(), |world| async move {
        world.put("k", b"before").await;
        for (end, size) in
            [(End::Broken, 10), (End::Broken, 3 * MIB), (End::Refused, 10), (End::Refused, 3 * MIB)]
        {
            let source = Pieces::new(&noise(size, 1), 7_000, end);
            world
                .oss
                .put(&root(OWNER), BUCKET, "k", PutOptions::default(), source)
                .await
                .unwrap_err();
        }
        assert_eq!(world.get("k").await.unwrap(), b"before");
    });
}

#[test]
fn reads_obey_their_conditions() {
    check(Limits::default(), |world| async move {
        let stored = world.put("k", b"abc").await;
        let (tag, now) = (stored.etag.upper(), stored.modified);
        let earlier = Some(Time::from_secs(now.secs() - 1));
        let this = || Some(EtagMatch::parse(&format!("\"{tag}\"")));
        let other = || Some(EtagMatch::parse("\"00\", \"11\""));
        let none = ReadConditions::default;
        let (hit, unchanged, failed) = (Ok(b"abc".to_vec()), "NotModified", "PreconditionFailed");
        for (conditions, expected) in [
            (ReadConditions { if_match: this(), ..none() }, hit.clone()),
            (ReadConditions { if_match: other(), ..none() }, Err(failed.to_owned())),
            (ReadConditions { if_none_match: this(), ..none() }, Err(unchanged.to_owned())),
            (
                ReadConditions { if_none_match: other(), if_modified_since: Some(now), ..none() },
                hit.clone(),
            ),
            (ReadConditions { if_modified_since: Some(now), ..none() }, Err(unchanged.to_owned())),
            (ReadConditions { if_modified_since: earlier, ..none() }, hit.clone()),
            (ReadConditions { if_unmodified_since: earlier, ..none() }, Err(failed.to_owned())),
            (
                ReadConditions { if_match: this(), if_unmodified_since: earlier, ..none() },
                hit.clone(),
            ),
        ] {
            let options = GetOptions { conditions: conditions.clone(), ..GetOptions::default() };
            assert_eq!(world.get_as(&root(OWNER), "k", options).await, expected, "{conditions:?}");
        }
    });
}

#[test]
fn writes_obey_their_conditions() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let put = |key: &'static str, conditions| {
            world.put_as(&ctx, key, b"new", PutOptions { conditions, ..PutOptions::default() })
        };
        let none = WriteConditions::default;
        let any = || WriteConditions { if_none_match: Some(EtagMatch::Any), ..none() };
        let forbid = || WriteConditions { forbid_overwrite: true, ..none() };
        let matching =
            |tag: &str| WriteConditions { if_match: Some(EtagMatch::parse(tag)), ..none() };
        let first = put("a", any()).await.unwrap();
        put("b", forbid()).await.unwrap();
        assert_eq!(put("a", any()).await.unwrap_err().code(), "PreconditionFailed");
        assert_eq!(put("b", forbid()).await.unwrap_err().code(), "FileAlreadyExists");
        assert_eq!(put("a", matching("00")).await.unwrap_err().code(), "PreconditionFailed");
        assert_eq!(put("missing", matching("*")).await.unwrap_err().code(), "NoSuchKey");
        put("a", matching(&first.etag.lower())).await.unwrap();
    });
}

async fn keys(world: &World) -> Vec<String> {
    let query = oss::ListQuery { limit: 1000, ..oss::ListQuery::default() };
    let page = world.oss.list(&root(OWNER), BUCKET, query).await.unwrap();
    page.objects.into_iter().map(|object| object.key).collect()
}

#[test]
fn deleting_removes_just_that_and_succeeds_on_nothing() {
    check(Limits::default(), |world| async move {
        for key in ["a", "a/b", "b", "c"] {
            world.put(key, b"x").await;
        }
        let ctx = root(OWNER);
        let key = |key: &str| DeleteKey { key: key.to_owned(), ..DeleteKey::default() };
        assert!(world.oss.delete(&ctx, BUCKET, key("a")).await.unwrap().existed);
        assert!(!world.oss.delete(&ctx, BUCKET, key("a")).await.unwrap().existed);
        assert_eq!(world.get("a").await, Err("NoSuchKey".to_owned()));
        assert_eq!(keys(&world).await, ["a/b", "b", "c"]);
        let wrong = DeleteKey {
            key: "b".to_owned(),
            matching: Matching { etag: Some(EtagMatch::parse("00")), ..Matching::default() },
            ..DeleteKey::default()
        };
        let outcomes = world
            .oss
            .delete_many(&ctx, BUCKET, vec![key("a/b"), key("none"), wrong])
            .await
            .unwrap();
        let outcomes: Vec<_> = outcomes
            .into_iter()
            .map(|(key, outcome)| {
                (
                    key,
                    outcome.map(|deleted| deleted.existed).map_err(|error| error.code().to_owned()),
                )
            })
            .collect();
        let expected = [
            ("a/b".to_owned(), Ok(true)),
            ("none".to_owned(), Ok(false)),
            ("b".to_owned(), Err("PreconditionFailed".to_owned())),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(keys(&world).await, ["b", "c"]);
        assert_eq!(world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1.objects, 2);
    });
}

#[test]
fn a_copy_has_the_bytes_and_what_the_directives_say() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let body = noise(2 * MIB + 3, 9);
        let attributes =
            Attributes { user: vec![("a".to_owned(), "1".to_owned())], ..Attributes::default() };
        let options = PutOptions { attributes: attributes.clone(), ..PutOptions::default() };
        let source = world.put_as(&ctx, "from", &body, options).await.unwrap();
        let from = |key: &str| CopySource {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            ..CopySource::default()
        };
        let (copied, _) =
            world.oss.copy(&ctx, from("from"), BUCKET, "to", CopyOptions::default()).await.unwrap();
        assert_eq!((copied.etag, copied.crc64), (source.etag, source.crc64));
        assert!(world.get("to").await.unwrap() == body);
        let replaced =
            Attributes { user: vec![("b".to_owned(), "2".to_owned())], ..Attributes::default() };
        let options = CopyOptions {
            attributes: Directive::Replace(replaced.clone()),
            ..CopyOptions::default()
        };
        world.clock.forward(5);
        world.oss.copy(&ctx, from("from"), BUCKET, "from", options).await.unwrap();
        let head = async |key: &str| {
            world.oss.head(&ctx, BUCKET, key, &ReadConditions::default()).await.unwrap().unwrap()
        };
        assert_eq!(head("to").await.attributes, attributes);
        let onto_itself = head("from").await;
        assert_eq!(onto_itself.attributes, replaced);
        assert_eq!(onto_itself.modified.secs(), source.modified.secs() + 5);
        assert!(world.get("from").await.unwrap() == body);
        assert_eq!(
            world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1.bytes,
            2 * body.len() as u64
        );
        let missing = world.oss.copy(&ctx, from("none"), BUCKET, "x", CopyOptions::default()).await;
        assert_eq!(missing.unwrap_err().code(), "NoSuchKey");
    });
}

#[test]
fn a_stream_that_is_dropped_half_way_is_no_harm() {
    check(Limits::default(), |world| async move {
        world.put("k", &noise(5 * MIB, 2)).await;
        let fetched =
            world.oss.get(&root(OWNER), BUCKET, "k", GetOptions::default()).await.unwrap();
        let Fetched::Found { mut body, .. } = fetched else { panic!("there were no conditions") };
        assert_eq!(body.next().await.unwrap().unwrap().len(), MIB);
        drop(body);
        assert_eq!(world.get("k").await.unwrap().len(), 5 * MIB);
    });
}

#[test]
fn only_what_is_as_promised_is_deleted() {
    check(Limits::default(), |world| async move {
        let ctx = root(OWNER);
        let etag = world.put("k", b"12345").await.etag.lower();
        let now = base::Clock::now(&*world.clock);
        let no = Matching::default;
        let k = || DeleteKey { key: "k".to_owned(), ..DeleteKey::default() };
        for wrong in [
            Matching { etag: Some(EtagMatch::parse("00")), ..no() },
            Matching { size: Some(4), ..no() },
            Matching { modified: Some(base::Time::from_secs(now.secs() - 1)), ..no() },
        ] {
            let key = DeleteKey { matching: wrong, ..k() };
            let refused = world.oss.delete(&ctx, BUCKET, key).await.unwrap_err();
            assert_eq!(refused.code(), "PreconditionFailed");
        }
        let matching = Matching {
            etag: Some(EtagMatch::parse(&etag)),
            size: Some(5),
            modified: Some(base::Time::from_secs(now.secs())),
        };
        let key = DeleteKey { matching, ..k() };
        assert!(world.oss.delete(&ctx, BUCKET, key).await.unwrap().existed);
    });
}

#[test]
fn where_memory_is_scarce_readers_get_the_same_bytes_in_small_pieces() {
    let limits = Limits { read_bytes_max: 0, ..Limits::default() };
    check(limits, |world| async move {
        let body = noise(3 << 20, 1);
        world.put("k", &body).await;
        for range in [None, Some((1_000_000, 2_100_000))] {
            let range = range.map(|(first, last)| RangeSpec::From(first, Some(last)));
            let options = GetOptions { range, ..GetOptions::default() };
            let got = world.oss.get(&root(OWNER), BUCKET, "k", options).await.unwrap();
            let Fetched::Found { body: mut stream, .. } = got else { panic!("no conditions") };
            let mut bytes = Vec::new();
            while let Some(piece) = stream.next().await {
                let piece = piece.unwrap();
                assert!(piece.len() <= 128 << 10, "{}", piece.len());
                bytes.extend_from_slice(&piece);
            }
            let wanted = if range.is_some() { &body[1_000_000..=2_100_000] } else { &body[..] };
            assert!(bytes == wanted);
        }
    });
}
