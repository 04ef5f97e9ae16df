#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! How a request's protocol is told, and what the other tests of this module share.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Dialect, detect};
use crate::Head;

/// A header map of these pairs.
pub(super) fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    headers
}

/// The head of a request with these headers; `target` is path and query.
pub(super) fn head<'a>(method: &'a str, target: &'a str, headers: &'a HeaderMap) -> Head<'a> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Head { method, path, query, headers }
}

fn check(target: &str, pairs: &[(&str, &str)], expect: Dialect) {
    let headers = headers(pairs);
    assert_eq!(detect(&head("GET", target, &headers)), expect, "{target} {pairs:?}");
}

#[test]
fn a_signature_tells_the_protocol_whatever_else_is_there() {
    for value in ["OSS a:b", "OSS2 AccessKeyId:a,Signature:b", "OSS4-HMAC-SHA256 Credential=a"] {
        check(
            "/",
            &[("authorization", value), ("x-amz-date", "1"), ("host", "s3.test")],
            Dialect::Oss,
        );
    }
    for value in ["AWS a:b", "AWS4-HMAC-SHA256 Credential=a"] {
        check(
            "/",
            &[("authorization", value), ("x-oss-date", "1"), ("host", "oss.test")],
            Dialect::S3,
        );
    }
    for name in ["OSSAccessKeyId", "x-oss-signature-version", "x-oss-signature"] {
        check(&format!("/b/k?a=1&{name}=x"), &[("host", "s3.test")], Dialect::Oss);
    }
    for name in ["AWSAccessKeyId", "X-Amz-Algorithm", "X-Amz-Signature"] {
        check(&format!("/b/k?a=1&{name}=x"), &[("host", "oss.test")], Dialect::S3);
    }
}

#[test]
fn an_anonymous_request_is_told_by_headers_then_host_then_is_oss() {
    check("/b/k", &[("x-oss-meta-a", "1"), ("host", "s3.test")], Dialect::Oss);
    check("/b/k", &[("x-amz-meta-a", "1"), ("host", "oss.test")], Dialect::S3);
    check("/k", &[("host", "s3.b.oss.test:80")], Dialect::Oss);
    check("/k", &[("host", "oss.S3.test")], Dialect::S3);
    check("/k", &[("host", "b.oss-ap-southeast-5.test")], Dialect::Oss);
    check("/k", &[("host", "s3store.test")], Dialect::Oss);
    check("/k", &[], Dialect::Oss);
}
