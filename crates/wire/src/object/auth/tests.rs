#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! Requests as unmodified SDKs put them on the wire (`vectors/*.txt`: oss2 2.19.1,
//! alibabacloud-oss-v2 1.4.1, botocore 1.44.5), and what is refused before and after a key is known.

use base::text::percent_decode;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::super::address::{self, Host};
use super::super::tests::{head, headers};
use super::super::{Draft, Signer, detect};
use super::*;

const KEY_ID: &str = "AKIDEXAMPLE0123456";
const SECRET: &str = "secret/Key+EXAMPLE=0123456789";
const TOKEN: &str = "CAIS+token/with=odd&chars%20end";
const REGION: &str = "ap-southeast-5";

fn secret() -> Secret<String> {
    Secret::new(SECRET.to_owned())
}

/// A captured request: `@ name dialect bucket key time`, then request line and headers.
struct Vector {
    name: String,
    dialect: Dialect,
    bucket: Option<String>,
    key: Option<Vec<u8>>,
    now: Time,
    method: String,
    target: String,
    headers: HeaderMap,
}

fn vectors() -> Vec<Vector> {
    let files = [
        include_str!("vectors/oss2.txt"),
        include_str!("vectors/oss_v2_sdk.txt"),
        include_str!("vectors/botocore.txt"),
    ];
    files
        .iter()
        .flat_map(|file| file.split("\n\n"))
        .map(|block| vector(block.trim_end_matches('\n')))
        .collect()
}

fn vector(block: &str) -> Vector {
    let mut lines = block.split('\n');
    let title: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let [_, name, dialect, bucket, key, now] = title[..] else { panic!("{title:?}") };
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    Vector {
        name: name.to_owned(),
        dialect: if dialect == "oss" { Dialect::Oss } else { Dialect::S3 },
        bucket: (bucket != "-").then(|| bucket.to_owned()),
        key: (key != "-").then(|| percent_decode(key, false)),
        now: Time::parse_compact(now).unwrap(),
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
    }
}

impl Vector {
    fn head(&self) -> Head<'_> {
        head(&self.method, &self.target, &self.headers)
    }

    fn resource(&self) -> Resource<'_> {
        Resource { bucket: self.bucket.as_deref(), key: self.key.as_deref() }
    }

    /// Reads and verifies the request, with some of it changed.
    fn answer(
        &self,
        head: &Head<'_>,
        resource: &Resource<'_>,
        now: Time,
        secret: &str,
    ) -> Result<Signed, ApiError> {
        match parse(head, self.dialect, resource, REGION, now)? {
            Auth::Anonymous => panic!("{} is signed", self.name),
            Auth::Signed(signed) => {
                signed.verify(&Secret::new(secret.to_owned()))?;
                Ok(signed)
            }
        }
    }

    fn refusal(&self, head: &Head<'_>, resource: &Resource<'_>, now: Time, secret: &str) -> String {
        match self.answer(head, resource, now, secret) {
            Ok(_) => panic!("{} was taken", self.name),
            Err(refused) => refused.code().to_owned(),
        }
    }
}

#[test]
fn there_are_vectors_of_every_version_and_place() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 165);
    let seen = |version, presigned| {
        vectors.iter().any(|v| {
            let signed = v.answer(&v.head(), &v.resource(), v.now, SECRET).unwrap();
            signed.version == version && signed.presigned == presigned
        })
    };
    for version in [Version::OssV1, Version::OssV2, Version::OssV4, Version::SigV2, Version::SigV4]
    {
        assert!(seen(version, false) && seen(version, true), "{version:?}");
    }
}

#[test]
fn requests_of_the_sdks_are_addressed_and_verified() {
    for v in vectors() {
        let head = v.head();
        assert_eq!(detect(&head), v.dialect, "{}", v.name);
        let bucket = match address::host(head.header("host").unwrap(), &["oss.test", "s3.test"]) {
            Host::Bucket(bucket) => Some(bucket),
            Host::Service => None,
            Host::Other(name) => panic!("{name}"),
        };
        let found = address::parse(head.path, bucket, v.dialect).unwrap();
        assert_eq!(found.bucket.as_deref(), v.bucket.as_deref(), "{}", v.name);
        assert_eq!(found.key.as_deref().map(str::as_bytes), v.key.as_deref(), "{}", v.name);
        let signed = v.answer(&head, &found.resource(), v.now, SECRET).unwrap_or_else(|error| {
            panic!("{}: {error} {:?}", v.name, error.fields());
        });
        assert_eq!(signed.key_id, KEY_ID);
        assert_eq!(
            signed.token.as_deref(),
            v.name.contains("token").then_some(TOKEN),
            "{}",
            v.name
        );
    }
}

#[test]
fn another_secret_method_key_or_parameter_does_not_match() {
    for v in vectors() {
        let (whole, resource) = (v.head(), v.resource());
        let mismatch = |head: &Head<'_>, resource: &Resource<'_>, secret: &str| {
            assert_eq!(
                v.refusal(head, resource, v.now, secret),
                "SignatureDoesNotMatch",
                "{}",
                v.name
            );
        };
        mismatch(&whole, &resource, "another");
        mismatch(&Head { method: "PATCH", ..whole }, &resource, SECRET);
        let acl = if whole.query.is_empty() {
            "acl=x".to_owned()
        } else {
            format!("{}&acl=x", whole.query)
        };
        mismatch(&Head { query: &acl, ..whole }, &resource, SECRET);
        if let Some(key) = &v.key {
            let longer = [key.as_slice(), b"x"].concat();
            let path = format!("{}x", whole.path);
            mismatch(
                &Head { path: &path, ..whole },
                &Resource { key: Some(&longer), ..resource },
                SECRET,
            );
        }
    }
}

#[test]
fn an_old_request_is_too_skewed_and_an_old_url_has_expired() {
    for v in vectors() {
        let (whole, resource) = (v.head(), v.resource());
        let presigned = v.name.contains("url");
        let expect = if presigned { "AccessDenied" } else { "RequestTimeTooSkewed" };
        let later = Duration::from_secs(if presigned { 3602 } else { 15 * 60 + 2 });
        assert_eq!(v.refusal(&whole, &resource, v.now.plus(later), SECRET), expect, "{}", v.name);
        let within = later - Duration::from_secs(5);
        assert!(v.answer(&whole, &resource, v.now.plus(within), SECRET).is_ok(), "{}", v.name);
    }
}

#[test]
fn a_mismatch_shows_our_calculation() {
    for v in vectors() {
        let refused = v.answer(&v.head(), &v.resource(), v.now, "another").unwrap_err();
        assert_eq!(refused.status(), 403);
        let field = |name: &str| {
            refused.fields().iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
        };
        assert!(field("StringToSign").is_some_and(|text| !text.is_empty()));
        assert!(field("SignatureProvided").is_some_and(|text| !text.is_empty()));
        let key_field = if v.dialect == Dialect::Oss { "OSSAccessKeyId" } else { "AWSAccessKeyId" };
        assert_eq!(field(key_field), Some(KEY_ID));
        let four = refused.fields().iter().any(|(_, value)| value.contains("4-HMAC-SHA256"));
        assert_eq!(field("CanonicalRequest").is_some(), four, "{}", v.name);
    }
}

fn check(dialect: Dialect, target: &str, pairs: &[(&str, &str)], expect: &str) {
    let headers = headers(pairs);
    let resource = Resource { bucket: Some("b"), key: Some(b"k") };
    let now = Time::parse_iso("2026-01-02T03:04:05Z").unwrap();
    let got = match parse(&head("GET", target, &headers), dialect, &resource, REGION, now) {
        Ok(Auth::Anonymous) => "anonymous".to_owned(),
        Ok(Auth::Signed(_)) => "signed".to_owned(),
        Err(refused) => format!("{} {}", refused.status(), refused.code()),
    };
    assert_eq!(got, expect, "{target} {pairs:?}");
}

#[test]
fn oss_refuses_what_it_cannot_read() {
    let check = |target: &str, pairs: &[(&str, &str)], expect: &str| {
        check(Dialect::Oss, target, pairs, expect)
    };
    let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT");
    check("/b/k", &[], "anonymous");
    check("/b/k", &[("authorization", "")], "anonymous");
    check("/b/k", &[("authorization", "Basic abc")], "400 InvalidArgument");
    check("/b/k", &[("authorization", "OSS nosignature")], "400 InvalidArgument");
    check("/b/k", &[("authorization", "OSS a:b")], "403 AccessDenied");
    check("/b/k", &[("authorization", "OSS a:b"), ("date", "yesterday")], "403 AccessDenied");
    check("/b/k", &[("authorization", "OSS a:b"), date], "signed");
    check("/b/k?OSSAccessKeyId=a", &[("authorization", "OSS a:b"), date], "400 InvalidArgument");
    check("/b/k?OSSAccessKeyId=a", &[], "403 AccessDenied");
    check("/b/k?OSSAccessKeyId=a&Expires=soon&Signature=b", &[], "403 AccessDenied");
    check("/b/k?OSSAccessKeyId=a&Expires=1767323045&Signature=b", &[], "403 AccessDenied");
    check("/b/k?OSSAccessKeyId=a&Expires=1767323046&Signature=b", &[], "signed");
    check("/b/k?x-oss-signature-version=OSS9&x-oss-signature=b", &[], "400 InvalidArgument");
    check("/b/k?x-oss-signature=b", &[], "400 InvalidArgument");
    check("/b/k", &[("authorization", "OSS2 AccessKeyId:a"), date], "400 InvalidArgument");
    let four = |rest: &str| format!("OSS4-HMAC-SHA256 Credential=a/{rest},Signature=00");
    for (scope, expect) in [
        ("20260102/ap-southeast-5/oss/aliyun_v4_request", "signed"),
        ("20260102/cn-hangzhou/oss/aliyun_v4_request", "400 InvalidArgument"),
        ("20260102/ap-southeast-5/s3/aliyun_v4_request", "400 InvalidArgument"),
        ("20260103/ap-southeast-5/oss/aliyun_v4_request", "400 InvalidArgument"),
        ("20260102/ap-southeast-5/oss/aws4_request", "400 InvalidArgument"),
        ("oss", "400 InvalidArgument"),
    ] {
        check(
            "/b/k",
            &[("authorization", &four(scope)), ("x-oss-date", "20260102T030405Z")],
            expect,
        );
    }
}

#[test]
fn s3_refuses_what_it_cannot_read() {
    let check = |target: &str, pairs: &[(&str, &str)], expect: &str| {
        check(Dialect::S3, target, pairs, expect)
    };
    let date = ("x-amz-date", "20260102T030405Z");
    let sha = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let four = |scope: &str, listed: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=a/20260102/{scope}/aws4_request, SignedHeaders={listed}, Signature=00"
        )
    };
    let good = four("ap-southeast-5/s3", "host;x-amz-date");
    check("/b/k", &[], "anonymous");
    check("/b/k", &[("authorization", "Bearer x")], "400 InvalidArgument");
    check("/b/k", &[("authorization", "AWS HAHAHA")], "400 InvalidArgument");
    check("/b/k", &[("authorization", "AWS a:b")], "403 AccessDenied");
    check(
        "/b/k",
        &[("authorization", "AWS a:b"), ("date", "Tue, 07 Jul 1910 21:53:04 GMT")],
        "403 AccessDenied",
    );
    check(
        "/b/k",
        &[("authorization", "AWS a:b"), ("date", "Tue, 07 Jul 2020 21:53:04 GMT")],
        "403 RequestTimeTooSkewed",
    );
    check(
        "/b/k",
        &[("authorization", "AWS4-HMAC-SHA256 Credential=HAHA")],
        "400 AuthorizationHeaderMalformed",
    );
    check(
        "/b/k",
        &[("authorization", "AWS4-ECDSA-P256-SHA256 Credential=a")],
        "501 NotImplemented",
    );
    check("/b/k", &[("authorization", &good), date], "400 InvalidRequest");
    check("/b/k", &[("authorization", &good), sha], "403 AccessDenied");
    check("/b/k", &[("authorization", &good), sha, date], "signed");
    check(
        "/b/k",
        &[("authorization", &good), ("x-amz-content-sha256", "x"), date],
        "400 InvalidArgument",
    );
    check(
        "/b/k",
        &[("authorization", &good), sha, date, ("x-amz-acl", "private")],
        "403 AccessDenied",
    );
    check(
        "/b/k",
        &[("authorization", &four("ap-southeast-5/s3", "x-amz-date")), sha, date],
        "403 AccessDenied",
    );
    check(
        "/b/k",
        &[("authorization", &four("us-east-1/s3", "host;x-amz-date")), sha, date],
        "signed",
    );
    check(
        "/b/k",
        &[("authorization", &four("eu-x/s3", "host;x-amz-date")), sha, date],
        "400 AuthorizationHeaderMalformed",
    );
    check(
        "/b/k",
        &[("authorization", &four("eu-x/ec2", "host;x-amz-date")), sha, date],
        "400 AuthorizationHeaderMalformed",
    );
}

#[test]
fn s3_refuses_presigned_urls_that_it_cannot_read() {
    let check = |target: &str, pairs: &[(&str, &str)], expect: &str| {
        check(Dialect::S3, target, pairs, expect)
    };
    check("/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256", &[], "400 AuthorizationQueryParametersError");
    let url = |expires: &str| {
        format!(
            "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2F20260102%2Fap-southeast-5%2Fs3%2Faws4_request\
             &X-Amz-Date=20260102T030405Z&X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Expires={expires}"
        )
    };
    check(&url("1"), &[], "signed");
    check(&url("604800"), &[], "signed");
    for expires in ["0", "604801", "-7", "x"] {
        check(&url(expires), &[], "403 AccessDenied");
    }
    check(&url("1"), &[("x-amz-acl", "private")], "403 AccessDenied");
    check(&format!("{}&AWSAccessKeyId=a", url("1")), &[], "400 InvalidArgument");
}

#[test]
fn the_payload_is_what_the_header_says() {
    let empty = "E3B0C44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert!(
        matches!(Payload::parse(empty), Ok(Payload::Sha256(bytes)) if bytes[0] == 0xe3 && bytes[31] == 0x55)
    );
    for (text, expect) in [
        ("UNSIGNED-PAYLOAD", Payload::Unsigned),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", Payload::StreamingSigned { trailer: false }),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", Payload::StreamingSigned { trailer: true }),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", Payload::StreamingUnsignedTrailer),
    ] {
        assert_eq!(Payload::parse(text).unwrap(), expect);
    }
    assert_eq!(
        Payload::parse("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD").unwrap_err().status(),
        501
    );
    assert_eq!(Payload::parse(&empty[2..]).unwrap_err().code(), "InvalidArgument");
    let map = headers(&[("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")]);
    assert!(Payload::unsigned(&head("PUT", "/b/k", &map), Dialect::S3).is_err());
}

/// Signs in one of the six ways that our own clients have; answers the query and headers to send.
fn signed_in(
    way: usize,
    signer: &Signer<'_>,
    draft: &Draft<'_>,
    mut headers: HeaderMap,
) -> (String, HeaderMap) {
    let hour = Duration::from_secs(3600);
    let query = match way {
        0 => oss_v1::sign(signer, draft, &mut headers).map(|()| draft.query.to_owned()).unwrap(),
        1 => oss_v1::presign(signer, draft, &headers, hour),
        2 => oss_v4::sign(signer, draft, &mut headers).map(|()| draft.query.to_owned()).unwrap(),
        3 => oss_v4::presign(signer, draft, &headers, hour),
        4 => sigv4::sign(signer, draft, sigv4::UNSIGNED_PAYLOAD, &mut headers)
            .map(|()| draft.query.to_owned())
            .unwrap(),
        _ => sigv4::presign(signer, draft, &headers, hour),
    };
    (query, headers)
}

proptest! {
    #[test]
    fn what_our_clients_sign_is_verified(
        way in 0..6usize,
        key in "[^\\x00]{1,40}",
        pairs in prop::collection::vec(("[a-z+ é&=/-]{1,8}", "[ -~é]{0,12}"), 0..5),
        value in "[!-~]([ -~]{0,10}[!-~])?",
        token in prop::option::of("[!-~]{1,20}"),
    ) {
        let dialect = if way < 4 { Dialect::Oss } else { Dialect::S3 };
        prop_assume!(address::check_key(&key, dialect).is_ok());
        let path = format!("/bucket/{}", base::text::percent_encode_keeping(&key, b"/"));
        let query = crate::query::encode(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let resource = Resource { bucket: Some("bucket"), key: Some(key.as_bytes()) };
        let (secret, now) = (secret(), Time::from_secs(1_767_323_045));
        let signer = Signer { key_id: KEY_ID, secret: &secret, token: token.as_deref(), region: REGION, now };
        let draft = Draft { method: "PUT", path: &path, query: &query, resource };
        let own = if dialect == Dialect::Oss { "x-oss-meta-a" } else { "x-amz-meta-a" };
        let sent = headers(&[("host", "h:1"), (own, &value), ("content-type", "text/plain")]);
        let (query, sent) = signed_in(way, &signer, &draft, sent);

        let head = Head { method: "PUT", path: &path, query: &query, headers: &sent };
        prop_assert_eq!(detect(&head), dialect);
        let Ok(Auth::Signed(signed)) = parse(&head, dialect, &resource, REGION, now) else { panic!("way {way}") };
        prop_assert!(signed.verify(&secret).is_ok());
        prop_assert_eq!(signed.token, token);

        let mut changed = sent.clone();
        changed.insert(HeaderName::from_static(own), HeaderValue::from_static("changed~value"));
        let head = Head { headers: &changed, ..head };
        let Ok(Auth::Signed(signed)) = parse(&head, dialect, &resource, REGION, now) else { panic!("way {way}") };
        prop_assert!(signed.verify(&secret).is_err());
    }

    #[test]
    fn any_head_is_taken_without_panic(
        authorization in prop::option::of("(OSS |OSS2 |OSS4-HMAC-SHA256 |AWS |AWS4-HMAC-SHA256 )?[ -~]{0,80}"),
        date in "[ -~]{0,30}",
        path in "/?\\PC{0,40}",
        query in "((x-oss-|X-Amz-|OSS|AWS)?[ -~]{0,30}&?){0,6}",
        host in "[ -~]{0,40}",
        key in prop::option::of("\\PC{0,20}"),
    ) {
        let mut pairs = vec![("date", date.as_str()), ("x-amz-date", &date), ("x-oss-date", &date), ("host", &host)];
        pairs.extend(authorization.as_deref().map(|value| ("authorization", value)));
        let sent = headers(&pairs);
        let head = Head { method: "GET", path: &path, query: &query, headers: &sent };
        let resource = Resource { bucket: key.as_deref().map(|_| "b"), key: key.as_deref().map(str::as_bytes) };
        detect(&head);
        for dialect in [Dialect::Oss, Dialect::S3] {
            let _ = address::parse(&path, None, dialect);
            let answer = parse(&head, dialect, &resource, REGION, Time::from_secs(1_767_323_045));
            if let Ok(Auth::Signed(signed)) = answer {
                prop_assert!(signed.verify(&secret()).is_err());
            }
        }
        address::host(&host, &["oss.test"]);
    }
}
