#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::tests::headers;
use super::*;

#[test]
fn the_canonical_request_holds_the_bucket_wherever_it_was_sent() {
    let headers = headers(&[
        ("host", "h"),
        ("content-type", "t"),
        ("x-oss-date", "D"),
        ("range", "r"),
        ("zoo", "z"),
    ]);
    let parts = Parts {
        method: "PUT",
        resource: &Resource { bucket: Some("b"), key: Some(b"a/b c") },
        pairs: &Pairs::parse("uploads=&b=%2F&x-oss-signature=no&a=1"),
        headers: &headers,
        additional: &additional_headers("range;absent"),
        sha256: UNSIGNED,
    };
    assert_eq!(
        String::from_utf8(canonical(&parts)).unwrap(),
        "PUT\n/b/a/b%20c\na=1&b=%2F&uploads\ncontent-type:t\nrange:r\nx-oss-date:D\n\nabsent;range\nUNSIGNED-PAYLOAD"
    );
}

#[test]
fn the_payload_is_unsigned_or_a_digest() {
    assert_eq!(payload(UNSIGNED).unwrap(), Payload::Unsigned);
    assert!(matches!(payload(&"0".repeat(64)).unwrap(), Payload::Sha256(_)));
    assert!(payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER").is_err());
    assert!(payload("").is_err());
}
