//! Multipart uploads.

use oss::{
    Algorithm, Checksum, CompleteOptions, CompleteParts, CopySource, Coverage, InitiateOptions,
    Limits, NamedPart, PartOptions, PartStored, PutOptions, RangeSpec, UploadQuery, Whole,
    WriteConditions,
};
use wire::object::checksum::{Hasher, crc64};

use crate::harness::{BUCKET, OWNER, World, check, noise, root};

const MIB: usize = 1 << 20;

async fn part(world: &World, upload: &str, number: u32, body: &[u8]) -> PartStored {
    let options = PartOptions { number, ..PartOptions::default() };
    world
        .oss
        .upload_part(&root(OWNER), (BUCKET, "k", upload), options, Whole::new(body.to_vec()))
        .await
        .unwrap()
}

async fn begin(world: &World, checksum: Option<(Algorithm, Coverage)>) -> String {
    let options = InitiateOptions { checksum, ..InitiateOptions::default() };
    world.oss.initiate(&root(OWNER), BUCKET, "k", options).await.unwrap()
}

fn named(number: u32, etag: &str) -> NamedPart {
    NamedPart { number, etag: etag.to_owned(), checksums: Vec::new() }
}

fn options(parts: Vec<NamedPart>) -> CompleteOptions {
    CompleteOptions {
        parts: CompleteParts::Named(parts),
        conditions: WriteConditions::default(),
        part_bytes_min: 100,
        crc64: None,
        checksums: Vec::new(),
        acl: None,
        customer_key: None,
    }
}

#[test]
fn parts_become_one_object_without_a_byte_being_copied() {
    check(Limits::default(), |world| async move {
        let bodies = [noise(3 * MIB + 1, 1), noise(300, 2), noise(2 * MIB, 3)];
        let whole = bodies.concat();
        let upload = begin(&world, Some((Algorithm::Crc32c, Coverage::FullObject))).await;
        let mut parts = Vec::new();
        // Out of order, one of them twice, and one that is not used.
        part(&world, &upload, 2, b"replaced later").await;
        part(&world, &upload, 4, b"given up").await;
        for (number, body) in [(3, &bodies[2]), (1, &bodies[0]), (2, &bodies[1])] {
            let stored = part(&world, &upload, number, body).await;
            assert_eq!(stored.crc64, crc64(body));
            parts.push(named(number, &stored.etag.upper()));
        }
        parts.sort_by_key(|part| part.number);
        let before = world.oss.space().await.unwrap().length;
        let complete = CompleteOptions { crc64: Some(crc64(&whole)), ..options(parts) };
        let stored =
            world.oss.complete(&root(OWNER), (BUCKET, "k", &upload), complete).await.unwrap();
        assert_eq!(world.oss.space().await.unwrap().length, before);
        assert_eq!(
            (stored.size, stored.etag.parts, stored.crc64),
            (whole.len() as u64, 3, crc64(&whole))
        );
        let mut sum = Hasher::new(Algorithm::Crc32c);
        sum.update(&whole);
        assert_eq!(stored.checksums, [Checksum::whole(Algorithm::Crc32c, sum.finish())]);
        assert!(world.get("k").await.unwrap() == whole);
        let range = oss::GetOptions {
            range: Some(RangeSpec::From(3 * MIB as u64 - 5, Some(3 * MIB as u64 + 310))),
            ..oss::GetOptions::default()
        };
        assert_eq!(
            world.get_as(&root(OWNER), "k", range).await.unwrap(),
            whole[3 * MIB - 5..=3 * MIB + 310]
        );
        let stat = world.oss.bucket_stat(&root(OWNER), BUCKET).await.unwrap().1;
        assert_eq!(
            (stat.objects, stat.uploads, stat.bytes, stat.part_bytes),
            (1, 0, whole.len() as u64, 0)
        );
    });
}

#[test]
fn a_list_of_parts_that_is_wrong_is_refused_and_changes_nothing() {
    check(Limits::default(), |world| async move {
        let upload = begin(&world, None).await;
        let one = part(&world, &upload, 1, &noise(99, 1)).await.etag.lower();
        let two = part(&world, &upload, 2, &noise(200, 2)).await.etag.lower();
        let complete = async |complete: CompleteOptions| {
            let outcome = world.oss.complete(&root(OWNER), (BUCKET, "k", &upload), complete).await;
            outcome.map_err(|error| error.code().to_owned())
        };
        for (parts, code) in [
            (vec![], "InvalidPart"),
            (vec![named(1, &two)], "InvalidPart"),
            (vec![named(3, &one)], "InvalidPart"),
            (vec![named(2, &two), named(1, &one)], "InvalidPartOrder"),
            (vec![named(2, &two), named(2, &two)], "InvalidPartOrder"),
            (vec![named(1, &one), named(2, &two)], "EntityTooSmall"),
        ] {
            assert_eq!(complete(options(parts)).await.unwrap_err(), code);
        }
        let wrong = CompleteOptions { crc64: Some(7), ..options(vec![named(2, &two)]) };
        assert_eq!(complete(wrong).await.unwrap_err(), "BadDigest");
        assert_eq!(
            world
                .oss
                .list_parts(&root(OWNER), (BUCKET, "k", &upload), 0, 10)
                .await
                .unwrap()
                .parts
                .len(),
            2
        );
        complete(options(vec![named(2, &two)])).await.unwrap();
        assert!(complete(options(vec![named(2, &two)])).await.is_ok(), "again");
        assert_eq!(world.get("k").await.unwrap(), noise(200, 2));
    });
}

#[test]
fn all_parts_can_be_taken_unnamed_and_a_composite_checksum_is_of_the_parts() {
    check(Limits::default(), |world| async move {
        let upload = begin(&world, Some((Algorithm::Sha256, Coverage::Composite))).await;
        let mut sum = Hasher::new(Algorithm::Sha256);
        for number in [1, 2] {
            let stored = part(&world, &upload, number, &noise(500, number.into())).await;
            sum.update(&stored.checksums[0].value);
        }
        let all = CompleteOptions { parts: CompleteParts::All, ..options(Vec::new()) };
        let stored = world.oss.complete(&root(OWNER), (BUCKET, "k", &upload), all).await.unwrap();
        let expected = Checksum { algorithm: Algorithm::Sha256, value: sum.finish(), parts: 2 };
        assert_eq!(stored.checksums, [expected]);
        assert_eq!(world.get("k").await.unwrap(), [noise(500, 1), noise(500, 2)].concat());
    });
}

#[test]
fn parts_are_copied_from_ranges_of_objects() {
    check(Limits::default(), |world| async move {
        let body = noise(3 * MIB, 5);
        world.put("source", &body).await;
        let upload = begin(&world, None).await;
        let from = || CopySource {
            bucket: BUCKET.to_owned(),
            key: "source".to_owned(),
            ..CopySource::default()
        };
        let copy = async |number, range| {
            world
                .oss
                .upload_part_copy(&root(OWNER), (BUCKET, "k", &upload), number, from(), range)
                .await
        };
        let (first, info) =
            copy(1, Some(RangeSpec::From(MIB as u64 - 3, Some(2 * MIB as u64)))).await.unwrap();
        let (second, _) = copy(2, None).await.unwrap();
        assert_eq!(info.size, body.len() as u64);
        assert_eq!(
            copy(3, Some(RangeSpec::From(body.len() as u64, None))).await.unwrap_err().code(),
            "InvalidRange"
        );
        let parts = vec![named(1, &first.etag.lower()), named(2, &second.etag.lower())];
        world.oss.complete(&root(OWNER), (BUCKET, "k", &upload), options(parts)).await.unwrap();
        assert!(world.get("k").await.unwrap() == [&body[MIB - 3..=2 * MIB], &body[..]].concat());
    });
}

#[test]
fn uploads_are_listed_in_pages_and_aborting_frees_them() {
    check(Limits::default(), |world| async move {
        // All of it: a part alone would leave its directory behind, which is deleted then.
        let world = &world;
        let ctx = root(OWNER);
        let mut ids = Vec::new();
        for key in ["a", "a", "b/1", "b/2", "c"] {
            world.clock.forward(1);
            let id =
                world.oss.initiate(&ctx, BUCKET, key, InitiateOptions::default()).await.unwrap();
            ids.push((key.to_owned(), id));
        }
        let (mut query, mut seen) =
            (UploadQuery { limit: 2, ..UploadQuery::default() }, Vec::new());
        loop {
            let page = world.oss.list_uploads(&ctx, BUCKET, query.clone()).await.unwrap();
            seen.extend(page.uploads.into_iter().map(|upload| (upload.key, upload.upload_id)));
            let Some((key, upload)) = page.next else { break };
            (query.after_key, query.after_upload) = (key, upload);
        }
        assert_eq!(seen, ids);
        let rolled = UploadQuery {
            delimiter: "/".to_owned(),
            after_key: "a".to_owned(),
            limit: 10,
            ..UploadQuery::default()
        };
        let page = world.oss.list_uploads(&ctx, BUCKET, rolled).await.unwrap();
        assert_eq!((page.prefixes, page.uploads.len()), (vec!["b/".to_owned()], 1));
        for (key, id) in &ids {
            let options = PartOptions { number: 7, ..PartOptions::default() };
            let body = Whole::new(noise(MIB, 1));
            world.oss.upload_part(&ctx, (BUCKET, key, id), options, body).await.unwrap();
            world.oss.abort(&ctx, (BUCKET, key, id)).await.unwrap();
            assert_eq!(
                world.oss.abort(&ctx, (BUCKET, key, id)).await.unwrap_err().code(),
                "NoSuchUpload"
            );
        }
        let stat = world.oss.bucket_stat(&ctx, BUCKET).await.unwrap().1;
        assert_eq!((stat.uploads, stat.bytes, stat.part_bytes), (0, 0, 0));
    });
}

#[test]
fn an_upload_is_found_only_under_its_own_key() {
    check(Limits::default(), |world| async move {
        let upload = begin(&world, None).await;
        let options = PartOptions { number: 1, ..PartOptions::default() };
        let other = world
            .oss
            .upload_part(&root(OWNER), (BUCKET, "other", &upload), options, Whole::new("x"))
            .await;
        assert_eq!(other.unwrap_err().code(), "NoSuchUpload");
        for number in [0, 10_001] {
            let options = PartOptions { number, ..PartOptions::default() };
            let outcome = world
                .oss
                .upload_part(&root(OWNER), (BUCKET, "k", &upload), options, Whole::new("x"))
                .await;
            assert_eq!(outcome.unwrap_err().code(), "InvalidArgument");
        }
        world.put_as(&root(OWNER), "k", b"x", PutOptions::default()).await.unwrap();
        assert_eq!(world.get("k").await.unwrap(), b"x", "an upload under way is not an object");
    });
}

#[test]
fn to_complete_an_upload_again_says_the_same_until_the_object_is_another() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        let upload = begin(&world, None).await;
        let etag = part(&world, &upload, 1, &noise(300, 1)).await.etag.upper();
        let again = async |parts: Vec<NamedPart>| {
            world.oss.complete(&owner, (BUCKET, "k", &upload), options(parts)).await
        };
        let first = again(vec![named(1, &etag)]).await.unwrap();
        let second = again(vec![named(1, &etag)]).await.unwrap();
        assert_eq!((first.etag, first.size), (second.etag, second.size));
        let other = again(vec![named(1, &etag), named(2, &etag)]).await.unwrap_err();
        assert_eq!(other.code(), "NoSuchUpload");
        world.put("k", b"another").await;
        let gone = again(vec![named(1, &etag)]).await.unwrap_err();
        assert_eq!(gone.code(), "NoSuchUpload");
        assert_eq!(world.get("k").await.unwrap(), b"another");
    });
}

#[test]
fn to_complete_an_upload_again_tells_the_same_version() {
    check(Limits::default(), |world| async move {
        let owner = root(OWNER);
        world.oss.set_bucket_versioning(&owner, BUCKET, oss::Versioning::Enabled).await.unwrap();
        let upload = begin(&world, None).await;
        let etag = part(&world, &upload, 1, &noise(300, 1)).await.etag.upper();
        let complete = async || {
            let parts = options(vec![named(1, &etag)]);
            world.oss.complete(&owner, (BUCKET, "k", &upload), parts).await.unwrap()
        };
        let first = complete().await;
        assert!(first.version.is_some());
        assert_eq!(complete().await, first);
        assert_eq!(world.number("SELECT COUNT(*) FROM oss_version").await, 0);
    });
}
