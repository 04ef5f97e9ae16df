#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;

use super::*;

#[test]
fn a_host_is_the_service_a_bucket_or_another_name() {
    let suffixes = ["oss.localhost", "localhost", "s3.id-1.awan.test"];
    let check =
        |header: &str, expect: Host<'_>| assert_eq!(host(header, &suffixes), expect, "{header}");
    for header in [
        "",
        "127.0.0.1:7101",
        "[::1]:7101",
        "[::1]",
        "oss.localhost",
        "OSS.localhost:7101",
        "localhost.",
    ] {
        check(header, Host::Service);
    }
    check("kpu.oss.localhost:7101", Host::Bucket("kpu".into()));
    check("KPU.oss.localhost", Host::Bucket("kpu".into()));
    check("a.b.s3.id-1.awan.test", Host::Bucket("a.b".into()));
    check("kpu.localhost", Host::Bucket("kpu".into()));
    check("Data.Kpu.Test:80", Host::Other("data.kpu.test".into()));
    check("myoss.localhost.example", Host::Other("myoss.localhost.example".into()));
    check(".oss.localhost", Host::Bucket(".oss".into()));
}

fn split(path: &str, bucket: Option<&str>) -> (Option<String>, Option<String>) {
    let found = parse(path, bucket.map(Cow::Borrowed), Dialect::S3).unwrap();
    (found.bucket.map(Cow::into_owned), found.key.map(Cow::into_owned))
}

#[test]
fn the_bucket_ends_at_the_first_raw_slash() {
    let check = |path: &str, host: Option<&str>, bucket: Option<&str>, key: Option<&str>| {
        assert_eq!(
            split(path, host),
            (bucket.map(str::to_owned), key.map(str::to_owned)),
            "{path}"
        );
    };
    check("/", None, None, None);
    check("", None, None, None);
    check("/b", None, Some("b"), None);
    check("/b/", None, Some("b"), None);
    check("/b/dir/k", None, Some("b"), Some("dir/k"));
    check("/b/dir%2Fk%252F+%20", None, Some("b"), Some("dir/k%2F+ "));
    check("/b//x//", None, Some("b"), Some("/x//"));
    check("/", Some("b"), Some("b"), None);
    check("/b/k", Some("b"), Some("b"), Some("b/k"));
    check("/%E4%B8%AD", Some("b"), Some("b"), Some("中"));
    check("/b/100%", None, Some("b"), Some("100%"));
}

fn check(path: &str, oss: &str, s3: &str) {
    for (dialect, expect) in [(Dialect::Oss, oss), (Dialect::S3, s3)] {
        let got = parse(path, None, dialect)
            .map_or_else(|refused| refused.code().to_owned(), |_| "taken".to_owned());
        assert_eq!(got, expect, "{path} {dialect:?}");
    }
}

#[test]
fn keys_that_no_client_could_read_back_are_refused() {
    for key in
        ["..", ".", "../x", "a/../b", "a/..", "a/./b", "%2e%2e/x", "a%2F..%2Fb", "a%00b", "%FF"]
    {
        check(&format!("/b/{key}"), "InvalidObjectName", "InvalidURI");
    }
    for key in ["...", "a..b", ".hidden", "a/.b", "..a/b..", "a//b", "%5Cx/y%5C..", "a%01b"] {
        let oss = if key.starts_with("%5C") { "InvalidObjectName" } else { "taken" };
        check(&format!("/b/{key}"), oss, "taken");
    }
    check("/b//x", "InvalidObjectName", "taken");
    check("//x", "InvalidBucketName", "InvalidBucketName");
    check("/%FF/x", "InvalidBucketName", "InvalidBucketName");
}

#[test]
fn keys_have_the_length_limit_of_their_dialect() {
    let path = |len: usize| format!("/b/{}", "k".repeat(len));
    check(&path(1023), "taken", "taken");
    check(&path(1024), "InvalidObjectName", "taken");
    check(&path(1025), "InvalidObjectName", "KeyTooLongError");
    check(&format!("/b/{}", "%C3%BC".repeat(512)), "InvalidObjectName", "taken");
}

#[test]
fn bucket_names_follow_their_dialect() {
    let valid = |name: &str, dialect| check_bucket(name, dialect).is_ok();
    for name in ["abc", "a-b", "0bc", &"a".repeat(63)] {
        assert!(valid(name, Dialect::Oss) && valid(name, Dialect::S3), "{name}");
    }
    for name in
        ["ab", "-ab", "ab-", "Abc", "a_b", "a b", "", "..", "a..b", "192.168.0.1", &"a".repeat(64)]
    {
        assert!(!valid(name, Dialect::Oss) && !valid(name, Dialect::S3), "{name}");
    }
    assert!(valid("a.b", Dialect::S3) && !valid("a.b", Dialect::Oss));
}

proptest! {
    #[test]
    fn an_encoded_key_comes_back(key in "\\PC{1,30}") {
        prop_assume!(check_key(&key, Dialect::S3).is_ok());
        for keep in [&b"/"[..], b""] {
            let path = format!("/bucket/{}", base::text::percent_encode_keeping(&key, keep));
            prop_assert_eq!(split(&path, None), (Some("bucket".to_owned()), Some(key.clone())));
        }
    }

    #[test]
    fn no_accepted_key_has_a_dot_segment(path in "/b/[./%2eEfF\\\\a]{0,12}") {
        if let Ok(Address { key: Some(key), .. }) = parse(&path, None, Dialect::S3) {
            prop_assert!(key.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }
}
