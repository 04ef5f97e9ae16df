#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::call::Style;
use crate::call::tests::{KEY, NONCE, Sent, secret, temporary_secret};
use crate::query;

const O1: &str = "POST /api/v1/projects?verbose=true&x=a+b%26c
accept: application/json
authorization: acs testakid0000000000000000:+Bey/F3rkok6jEnsPiIDrHlVMJo=
content-type: application/json; charset=utf-8
date: Fri, 02 Jan 2026 03:04:05 GMT
x-acs-signature-method: HMAC-SHA1
x-acs-signature-nonce: 0123456789abcdef0123456789abcdef
x-acs-signature-version: 1.0
x-acs-version: 2022-01-04

{\"defaultQuota\":\"os_PayAsYouGoQuota\",\"name\":\"p1\"}";

fn sent(raw: &str) -> Sent {
    Sent::parse(raw.as_bytes()).unwrap()
}

#[test]
fn the_worked_vector_verifies_without_an_action() {
    let call = sent(O1).check(&secret()).unwrap();
    assert_eq!((call.style, call.action, call.version.as_str()), (Style::Roa, None, "2022-01-04"));
    assert_eq!(call.segments, ["api", "v1", "projects"]);
    assert_eq!((call.params.get("x"), call.params.get("name")), (Some("a b&c"), Some("p1")));
    assert_eq!(call.signed.unwrap().nonce, NONCE);
}

#[test]
fn the_vector_with_one_byte_of_its_head_flipped_is_refused() {
    let head = O1.split_once("\n\n").unwrap().0;
    let original = sent(head);
    for at in 0..head.len() {
        for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
            let mut bytes = head.as_bytes().to_vec();
            bytes[at] ^= mask;
            let meaning = |sent: &Sent| {
                (
                    sent.method.clone(),
                    sent.path.clone(),
                    query::parse(&sent.query),
                    sent.headers.clone(),
                )
            };
            let Some(forged) =
                Sent::parse(&bytes).filter(|sent| meaning(sent) != meaning(&original))
            else {
                continue;
            };
            assert!(!forged.is_accepted(&secret()), "byte {at}, mask {mask:#x}");
        }
    }
}

#[test]
fn a_wrong_secret_is_told_exactly_the_string_to_sign() {
    let error = sent(O1).check(&temporary_secret()).unwrap_err();
    assert_eq!(
        error.text().split_once("server string to sign is:").unwrap().1,
        "POST\napplication/json\n\napplication/json; charset=utf-8\nFri, 02 Jan 2026 03:04:05 GMT\n\
         x-acs-signature-method:HMAC-SHA1\nx-acs-signature-nonce:0123456789abcdef0123456789abcdef\n\
         x-acs-signature-version:1.0\nx-acs-version:2022-01-04\n/api/v1/projects?verbose=true&x=a b&c"
    );
}

const HEADERS: [(&str, &str); 4] = [
    ("x-acs-version", "2022-01-04"),
    ("x-acs-signature-nonce", NONCE),
    ("date", "Fri, 02 Jan 2026 03:04:05 GMT"),
    ("accept", "application/json"),
];

fn signed(query: &[(&str, &str)], extra: &[(&'static str, &str)], body: &str) -> Sent {
    let headers = [HEADERS.as_slice(), extra].concat();
    let credentials = Credentials { key_id: KEY, secret: &secret(), token: None };
    let authorization = sign("PUT", "/api/p%2Fq", query, &headers, &credentials).unwrap();
    let mut sent = Sent::new("PUT", "/api/p%2Fq", &query::encode(query.iter().copied()), body);
    for (name, value) in headers {
        sent.headers.append(name, value.parse().unwrap());
    }
    sent.header("authorization", &authorization)
}

#[test]
fn what_is_signed_verifies() {
    let sent =
        signed(&[("b", "1 2"), ("a", "é")], &[("x-acs-security-token", "CAIS/tok+en==")], "");
    let call = sent.check(&secret()).unwrap();
    assert_eq!(call.signed.unwrap().security_token.as_deref(), Some("CAIS/tok+en=="));
    assert_eq!(sent.check(&temporary_secret()).unwrap_err().code(), "SignatureDoesNotMatch");
}

#[test]
fn an_empty_value_is_signed_with_or_without_its_equals_sign() {
    assert!(signed(&[("k", ""), ("x", "1")], &[], "").check(&secret()).is_ok());
    let mut sorted = HEADERS;
    sorted.sort_unstable();
    for empty in [Empty::Bare, Empty::Equals] {
        let to_sign = string_to_sign("GET", "/api", &[("k", ""), ("x", "1")], &sorted, empty);
        let signature = STANDARD.encode(tag(algorithm(None).unwrap(), &secret(), "", &to_sign));
        let mut sent = Sent::new("GET", "/api", "x=1&k", "");
        for (name, value) in HEADERS {
            sent = sent.header(name, value);
        }
        let sent = sent.header("authorization", &format!("acs {KEY}:{signature}"));
        assert!(sent.check(&secret()).is_ok(), "{to_sign}");
    }
}

#[test]
fn a_content_md5_is_checked_where_it_was_sent() {
    let check = |digest: &str, body: &str| {
        signed(&[], &[("content-md5", digest)], body)
            .check(&secret())
            .err()
            .map(|error| error.code().to_owned())
    };
    assert_eq!(check("1B2M2Y8AsgTpgAmY7PhCfg==", ""), None);
    assert_eq!(check("1B2M2Y8AsgTpgAmY7PhCfg==", "{}").as_deref(), Some("InvalidContentDigest"));
    assert_eq!(check("mZFLkyvTelC5g8XnyQrpOw==", "{}"), None);
}

#[test]
fn a_malformed_authorization_is_refused() {
    let check = |value: &str, code: &str| {
        let mut sent = signed(&[], &[], "");
        sent.headers.insert("authorization", value.parse().unwrap());
        assert_eq!(sent.refusal(), code, "{value}");
    };
    check("acs", "IncompleteSignature");
    check("acs key", "IncompleteSignature");
    check("acs :sig", "IncompleteSignature");
    check("acs key:sig", "SignatureDoesNotMatch");
    assert_eq!(
        signed(&[], &[("x-acs-signature-version", "2.0")], "").refusal(),
        "UnsupportedSignatureMethod"
    );
}
