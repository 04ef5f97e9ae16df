#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::profile::PlaceArgs;

fn store(dialect: Dialect) -> Store {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key.json");
    std::fs::write(&key, r#"{"AccessKeyId":"id","AccessKeySecret":"secret"}"#).unwrap();
    let place = PlaceArgs {
        endpoint: Some("http://127.0.0.1:7100".to_owned()),
        key_file: Some(key),
        region: Some("ap-southeast-5".to_owned()),
        ..PlaceArgs::default()
    };
    let profile = Profile::resolve(&place).unwrap();
    Store::new(&Http::new(&profile, 1).unwrap(), &profile, dialect).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
        .collect()
}

fn sums_of(dialect: Dialect, bytes: &[u8]) -> Sums {
    let mut sums = Sums::new(dialect);
    sums.update(bytes);
    sums
}

#[test]
fn keys_are_encoded_once_and_their_slashes_kept() {
    let path = |bucket, key| Ask::new(http::Method::GET, bucket, key).path();
    assert_eq!(path("", ""), "/");
    assert_eq!(path("b", ""), "/b/");
    assert_eq!(path("b", "a/é %2F+../.."), "/b/a/%C3%A9%20%252F%2B../..");
}

#[test]
fn a_new_bucket_is_told_as_each_dialect_takes_it() {
    let new = NewBucket {
        region: Some("ap-southeast-5"),
        site: Some("jkt-1"),
        data_class: Some("personal"),
        redundancy: Some("ZRS"),
    };
    let (class, site) = (("x-awan-data-class", "personal"), ("x-awan-site", "jkt-1"));
    for (dialect, server, headers, location, redundancy) in [
        (
            Dialect::Oss,
            wire::object::Dialect::Oss,
            vec![class, site],
            "oss-ap-southeast-5",
            Some("ZRS"),
        ),
        (
            Dialect::S3,
            wire::object::Dialect::S3,
            vec![class, site, ("x-awan-redundancy", "ZRS")],
            "ap-southeast-5",
            None,
        ),
    ] {
        let (told, document) = new.told(dialect);
        let told: Vec<_> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(told, headers);
        let read = wire::object::body::create_bucket(document.as_bytes(), server).unwrap();
        assert_eq!(read.location.as_deref(), Some(location));
        assert_eq!(read.redundancy.as_deref(), redundancy);
        assert_eq!(NewBucket::default().told(dialect), (Vec::new(), String::new()));
    }
}

#[test]
fn a_page_of_a_listing_is_read() {
    let text = br#"<ListBucketResult><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>
        <NextContinuationToken>n+1</NextContinuationToken>
        <Contents><Key>a%2Fb%20c</Key><Size>7</Size><ETag>"ABCD"</ETag><LastModified>t</LastModified></Contents>
        <CommonPrefixes><Prefix>d%2F</Prefix></CommonPrefixes></ListBucketResult>"#;
    let entry = Entry {
        key: "a/b c".to_owned(),
        size: 7,
        etag: "abcd".to_owned(),
        modified: "t".to_owned(),
    };
    let expected = Page {
        entries: vec![entry],
        prefixes: vec!["d/".to_owned()],
        next: Some("n+1".to_owned()),
    };
    assert_eq!(answer::page(text).unwrap(), expected);
}

#[test]
fn a_listing_that_is_cut_without_a_token_is_refused() {
    let text = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    assert!(matches!(answer::page(text), Err(Error::Corrupt(_))));
}

#[test]
fn what_arrives_is_compared_with_the_clouds_checksum() {
    // The check value of CRC-64/XZ, and the MD5 of the same text.
    let crc = headers(&[("x-oss-hash-crc64ecma", &0x995d_c9bb_df19_39fa_u64.to_string())]);
    let md5 = headers(&[("etag", "\"25F9E794323B453885F5181F1B624D0B\"")]);
    assert!(sums_of(Dialect::Oss, b"123456789").compare(&crc, "k").is_ok());
    assert!(sums_of(Dialect::S3, b"123456789").compare(&md5, "k").is_ok());
    for (dialect, headers) in [(Dialect::Oss, &crc), (Dialect::S3, &md5)] {
        let error = sums_of(dialect, b"123456780").compare(headers, "k").unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{error}");
    }
}

#[test]
fn the_etag_of_an_object_made_of_parts_is_not_taken_for_an_md5() {
    let parts = headers(&[("etag", "\"25f9e794323b453885f5181f1b624d0b-2\"")]);
    assert!(sums_of(Dialect::S3, b"x").compare(&parts, "k").is_ok());
}

#[test]
fn each_dialect_signs_in_its_own_way() {
    for (dialect, start, date) in [
        (Dialect::Oss, "OSS4-HMAC-SHA256 Credential=id/", "x-oss-date"),
        (Dialect::S3, "AWS4-HMAC-SHA256 Credential=id/", "x-amz-date"),
    ] {
        let mut map = HeaderMap::new();
        sign::sign(&store(dialect), &Ask::new(http::Method::GET, "b", "k"), &Body::Empty, &mut map)
            .unwrap();
        assert!(map["authorization"].to_str().unwrap().starts_with(start));
        assert!(map.contains_key(date));
        assert_eq!(map["host"], "127.0.0.1:7101");
    }
}

#[test]
fn a_presigned_address_names_its_lifetime_and_not_the_secret() {
    for (dialect, lifetime) in
        [(Dialect::Oss, "x-oss-expires=60"), (Dialect::S3, "X-Amz-Expires=60")]
    {
        let url = store(dialect)
            .presign(&http::Method::GET, "b", "a b", Duration::from_secs(60))
            .unwrap();
        assert!(url.starts_with("http://127.0.0.1:7101/b/a%20b?"), "{url}");
        assert!(url.contains(lifetime) && !url.contains("=secret"), "{url}");
    }
}

#[test]
fn an_error_is_found_in_the_body_the_header_or_the_status() {
    let ask = Ask::new(http::Method::HEAD, "b", "k");
    let document = b"<Error><Code>NoSuchVersion</Code><Message>m</Message></Error>";
    let id = headers(&[("x-amz-request-id", "R")]);
    let found = answer::failure(&ask, 404, &id, document);
    assert_eq!((found.code.as_str(), found.request_id.as_str()), ("NoSuchVersion", "R"));
    // The same document in Base64, as OSS has it in answers to HEAD.
    let encoded =
        "PEVycm9yPjxDb2RlPk5vU3VjaFZlcnNpb248L0NvZGU+PE1lc3NhZ2U+bTwvTWVzc2FnZT48L0Vycm9yPg==";
    let found = answer::failure(&ask, 404, &headers(&[("x-oss-err", encoded)]), b"");
    assert_eq!(found.code, "NoSuchVersion");
    for (status, code) in [(404, "NoSuchKey"), (403, "AccessDenied"), (503, "HTTP 503")] {
        assert_eq!(answer::failure(&ask, status, &HeaderMap::new(), b"<html>").code, code);
    }
}

#[test]
fn an_error_in_an_answer_of_status_200_is_an_error() {
    let error = document(b"<Error><Code>InternalError</Code></Error>", "CopyObjectResult");
    assert_eq!(error.unwrap_err().code(), Some("InternalError"));
    assert!(matches!(document(b"<Other/>", "CopyObjectResult"), Err(Error::Corrupt(_))));
}
