#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expect_test::{Expect, expect};
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn map(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    headers
}

fn head(headers: &HeaderMap) -> Head<'_> {
    Head { method: "PUT", path: "/b/k", query: "", headers }
}

fn check(dialect: Dialect, pairs: &[(&str, &[u8])], expect: Expect) {
    let headers = map(pairs);
    let told = match put_options(&head(&headers), dialect, Expected::default()) {
        Ok(PutOptions { attributes, storage_class, acl, tags, conditions, .. }) => {
            let Attributes { headers, user, .. } = attributes;
            format!("{headers:?}\n{user:?}\n{storage_class:?} {acl:?} {tags:?}\n{conditions:?}")
        }
        Err(refused) => refused.to_string(),
    };
    expect.assert_eq(&told);
}

#[test]
fn headers_are_read_in_either_dialect() {
    check(
        Dialect::Oss,
        &[
            ("content-type", b"text/plain"),
            ("cache-control", b"no-cache"),
            ("x-oss-meta-name", "Jayapura é".as_bytes()),
            ("x-oss-meta-twice", b"1"),
            ("x-oss-meta-twice", b"2"),
            ("x-oss-storage-class", b"IA"),
            ("x-oss-object-acl", b"public-read"),
            ("x-oss-tagging", b"a=1&b=x%20y"),
            ("x-oss-forbid-overwrite", b"true"),
            ("x-amz-meta-other", b"ignored"),
        ],
        expect![[r#"
            [("content-type", "text/plain"), ("cache-control", "no-cache")]
            [("name", "Jayapura é"), ("twice", "1,2")]
            Some(InfrequentAccess) Some(PublicRead) [("a", "1"), ("b", "x y")]
            WriteConditions { if_match: None, if_none_match: None, forbid_overwrite: true }"#]],
    );
    check(
        Dialect::S3,
        &[
            ("content-encoding", b"aws-chunked, gzip"),
            ("x-amz-meta-a", b"1"),
            ("x-amz-storage-class", b"DEEP_ARCHIVE"),
            ("x-amz-acl", b"bucket-owner-full-control"),
            ("if-none-match", b"*"),
        ],
        expect![[r#"
            [("content-encoding", "gzip")]
            [("a", "1")]
            Some(DeepColdArchive) Some(BucketOwnerFullControl) []
            WriteConditions { if_match: None, if_none_match: Some(Any), forbid_overwrite: false }"#]],
    );
}

#[test]
fn what_is_not_understood_is_refused() {
    check(
        Dialect::S3,
        &[("x-amz-storage-class", b"SLOW")],
        expect!["InvalidStorageClass: The storage class you specified is not valid."],
    );
    check(
        Dialect::Oss,
        &[("x-oss-server-side-encryption", b"SM4")],
        expect![
            "NotImplemented: A header or query you provided requests a function that is not implemented."
        ],
    );
    check(
        Dialect::Oss,
        &[("x-oss-meta-a", b"\xff")],
        expect!["InvalidArgument: The header a is not UTF-8."],
    );
    check(
        Dialect::S3,
        &[("x-amz-meta-a", &[b'x'; 2048])],
        expect![
            "MetadataTooLarge: Your metadata headers exceed the maximum allowed metadata size."
        ],
    );
    check(
        Dialect::S3,
        &[("x-amz-tagging", b"a=1&a=2")],
        expect!["InvalidTag: The tag provided was not a valid tag."],
    );
}

#[test]
fn promises_about_the_body_are_read_or_refused() {
    let expected = |dialect, pairs: &[(&str, &[u8])]| expected(&head(&map(pairs)), dialect);
    let read = expected(
        Dialect::S3,
        &[
            ("x-amz-checksum-crc32", b"NhCmhg=="),
            ("x-amz-trailer", b"x-amz-checksum-sha1, x-other"),
        ],
    );
    let read = read.unwrap();
    assert_eq!(read.checksums, [Checksum::whole(Algorithm::Crc32, vec![0x36, 0x10, 0xa6, 0x86])]);
    assert_eq!(read.compute, [Algorithm::Sha1]);
    assert_eq!(
        expected(Dialect::Oss, &[("x-oss-hash-crc64ecma", b"18446744073709551615")]).unwrap().crc64,
        Some(u64::MAX)
    );
    for (dialect, name, value) in [
        (Dialect::Oss, "content-md5", &b"nonsense"[..]),
        (Dialect::Oss, "x-oss-hash-crc64ecma", b"-1"),
        (Dialect::S3, "x-amz-checksum-crc32", b"AAAA"),
    ] {
        assert!(expected(dialect, &[(name, value)]).is_err(), "{name}");
    }
}

#[test]
fn every_class_has_a_name_that_is_read_back() {
    for class in [
        StorageClass::Standard,
        StorageClass::InfrequentAccess,
        StorageClass::Archive,
        StorageClass::DeepColdArchive,
    ] {
        for dialect in [Dialect::Oss, Dialect::S3] {
            let headers =
                map(&[(names(dialect).storage_class, class_name(class, dialect).as_bytes())]);
            assert_eq!(storage_class(&head(&headers), dialect).unwrap(), Some(class));
        }
    }
}

proptest! {
    #[test]
    fn any_header_value_is_taken(value in proptest::collection::vec(0x20u8..0x7f, 0..64)) {
        for name in ["x-oss-tagging", "x-oss-meta-a", "x-amz-tagging", "x-amz-trailer", "content-md5", "x-amz-checksum-sha1"] {
            let headers = map(&[(name, &value)]);
            for dialect in [Dialect::Oss, Dialect::S3] {
                let _ = put_options(&head(&headers), dialect, Expected::default());
                let _ = expected(&head(&headers), dialect);
            }
        }
    }
}
