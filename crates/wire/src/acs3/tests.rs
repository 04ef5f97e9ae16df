#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::call::Style;
use crate::call::tests::{KEY, NONCE, Sent, now, secret, temporary_secret};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const QUERY: &[Pair<'static>] = &[
    ("ClientToken", "tok 1/+"),
    ("DataDisk.1.Size", "100"),
    ("InstanceName", "wéb (a)*'!~"),
    ("RegionId", "cn-hangzhou"),
    ("Tag.1.Key", "t/2"),
    ("Tag.1.Value", ""),
];
/// The same as a client may send it: unsorted, with three spellings of what may be escaped.
const RAW_QUERY: &str = "Tag.1.Value=&Tag.1.Key=t%2F2&ClientToken=tok+1%2f%2B&InstanceName=w%C3%A9b%20(a)*%27!%7E&\
                         DataDisk.1.Size=100&RegionId=cn-hangzhou";

fn a1() -> String {
    format!(
        "POST /?{RAW_QUERY}
Host: 127.0.0.1:8080
x-acs-action: RunInstances
x-acs-content-sha256: {EMPTY}
x-acs-date: 2026-01-02T03:04:05Z
x-acs-signature-nonce: {NONCE}
x-acs-version: 2014-05-26
Authorization: ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
         x-acs-signature-nonce;x-acs-version,Signature=5eb08bba9c805014b1a83aab6f61bb48e9a83db3c9b84c5d481b09d89b4ab2e9"
    )
}

fn a2() -> String {
    format!(
        "POST /?{RAW_QUERY}
accept: application/json
Host: 127.0.0.1:8080
user-agent: AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2
x-acs-action: RunInstances
x-acs-content-sha256: {EMPTY}
x-acs-credentials-provider: static_ak
x-acs-date: 2026-01-02T03:04:05Z
x-acs-signature-nonce: {NONCE}
x-acs-version: 2014-05-26
Authorization: ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=accept;host;user-agent;x-acs-action;\
         x-acs-content-sha256;x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,\
         Signature=ab3608a2a04dd657c1582e8e825a2d9de9851e898a6b1ff368276b62f088ec5f"
    )
}

const A3_BODY: &str = "ObjectPath=http%3A%2F%2Fa%2Fb+c%0Ahttp%3A%2F%2Fd&ObjectType=File";

fn a3() -> String {
    format!(
        "POST /
content-type: application/x-www-form-urlencoded
Host: 127.0.0.1:8080
x-acs-accesskey-id: STS.tmpakid0000000000
x-acs-action: RefreshObjectCaches
x-acs-content-sha256: 8008676bf0971121c43285982415e30a7a4bf5b08b31ae5882c7f9ee69da2714
x-acs-date: 2026-01-02T03:04:05Z
x-acs-security-token: CAIS/tok+en==
x-acs-signature-nonce: {NONCE}
x-acs-version: 2018-05-10
Authorization: ACS3-HMAC-SHA256 Credential=STS.tmpakid0000000000,SignedHeaders=content-type;host;x-acs-accesskey-id;\
         x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-security-token;x-acs-signature-nonce;x-acs-version,\
         Signature=0f9f83dfaf82c9959abb198c657cd1a51e79760b9f4891af4512a3034bf51c39

{A3_BODY}"
    )
}

fn a4() -> String {
    format!(
        "GET /api/v1/projects/my%20p%2F%C3%BC?verbose=true
Host: 127.0.0.1:8080
x-acs-action: GetProject
x-acs-content-sha256: {EMPTY}
x-acs-date: 2026-01-02T03:04:05Z
x-acs-signature-nonce: {NONCE}
x-acs-version: 2022-01-04
Authorization: ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
         x-acs-signature-nonce;x-acs-version,Signature=5f647db1961ad561d6fc21e8db70351260a57ea277d6e998dae59f241aced8d9"
    )
}

fn vectors() -> [(String, Secret<String>); 4] {
    [(a1(), secret()), (a2(), secret()), (a3(), temporary_secret()), (a4(), secret())]
}

fn sent(raw: &str) -> Sent {
    Sent::parse(raw.as_bytes()).unwrap()
}

#[test]
fn the_worked_vectors_verify() {
    for (raw, secret) in vectors() {
        let call = sent(&raw).check(&secret).unwrap_or_else(|error| panic!("{error}\n{raw}"));
        assert_eq!(call.signed.unwrap().nonce, NONCE);
    }
}

#[test]
fn a_vector_with_one_byte_flipped_is_refused() {
    for (raw, secret) in vectors() {
        let original = sent(&raw);
        let meaning = |sent: &Sent| {
            let mut pairs = query::parse(&sent.query);
            pairs.sort();
            (sent.method.clone(), sent.path.clone(), pairs, sent.headers.clone(), sent.body.clone())
        };
        for at in 0..raw.len() {
            for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
                let mut bytes = raw.clone().into_bytes();
                bytes[at] ^= mask;
                // Another spelling of the same request (`%2f`, `Host`) is not a forgery.
                let Some(forged) =
                    Sent::parse(&bytes).filter(|sent| meaning(sent) != meaning(&original))
                else {
                    continue;
                };
                assert!(!forged.is_accepted(&secret), "byte {at}, mask {mask:#x}\n{raw}");
            }
        }
    }
}

#[test]
fn a_call_of_each_vector_says_what_was_sent() {
    let call = sent(&a1()).check(&secret()).unwrap();
    assert_eq!(
        (call.style, call.action.as_deref(), call.version.as_str()),
        (Style::Rpc, Some("RunInstances"), "2014-05-26")
    );
    for (name, value) in QUERY {
        assert_eq!(call.params.get(name), Some(*value));
    }
    let call = sent(&a3()).check(&temporary_secret()).unwrap();
    assert_eq!(call.params.get("ObjectPath"), Some("http://a/b c\nhttp://d"));
    let signed = call.signed.unwrap();
    assert_eq!(
        (signed.key_id.as_str(), signed.security_token.as_deref()),
        ("STS.tmpakid0000000000", Some("CAIS/tok+en=="))
    );
    let call = sent(&a4()).check(&secret()).unwrap();
    assert_eq!((call.style, call.action.as_deref()), (Style::Roa, Some("GetProject")));
}

#[test]
fn a_wrong_secret_is_told_what_the_server_signed() {
    let error = sent(&a4()).check(&temporary_secret()).unwrap_err();
    let expected = format!(
        "Specified signature is not matched with our calculation. server string to sign is:ACS3-HMAC-SHA256
dc0ec9d6b1f50c8428a2a02e7434929982b8ef1e5191cb047f9b5b33c6d70de8
GET
/api/v1/projects/my%20p%2F%C3%BC
verbose=true
host:127.0.0.1:8080
x-acs-action:GetProject
x-acs-content-sha256:{EMPTY}
x-acs-date:2026-01-02T03:04:05Z
x-acs-signature-nonce:{NONCE}
x-acs-version:2022-01-04

host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version
{EMPTY}"
    );
    assert_eq!((error.code(), error.text()), ("SignatureDoesNotMatch", expected.as_str()));
}

#[test]
fn the_canonical_requests_are_as_long_as_published() {
    for ((raw, _), length) in vectors().into_iter().zip([540, 720, 586, 443]) {
        assert_eq!(
            sent(&raw).decode().unwrap().signed.unwrap().proof.readings[0].canonical.len(),
            length
        );
    }
}

fn request<'a>(query: &'a [Pair<'a>]) -> Request<'a> {
    Request {
        method: "POST",
        host: "127.0.0.1:8080",
        path: "/",
        query,
        content_type: None,
        body: b"",
        action: "RunInstances",
        version: "2014-05-26",
        date: now(),
        nonce: NONCE,
    }
}

fn authorization_of<'a>(headers: &'a [(&'static str, String)]) -> &'a str {
    &headers.iter().find(|(name, _)| *name == "authorization").unwrap().1
}

#[test]
fn signing_gives_the_worked_vectors() {
    let permanent = Credentials { key_id: KEY, secret: &secret(), token: None };
    let temporary = Credentials {
        key_id: "STS.tmpakid0000000000",
        secret: &temporary_secret(),
        token: Some("CAIS/tok+en=="),
    };
    let a3_request = Request {
        content_type: Some("application/x-www-form-urlencoded"),
        body: A3_BODY.as_bytes(),
        action: "RefreshObjectCaches",
        version: "2018-05-10",
        ..request(&[])
    };
    let a4_request = Request {
        method: "GET",
        path: "/api/v1/projects/my%20p%2F%C3%BC",
        action: "GetProject",
        version: "2022-01-04",
        ..request(&[("verbose", "true")])
    };
    for (request, credentials, raw) in [
        (request(QUERY), permanent, a1()),
        (a3_request, temporary, a3()),
        (a4_request, permanent, a4()),
    ] {
        let headers = sign(&request, &credentials);
        assert_eq!(authorization_of(&headers), sent(&raw).headers["authorization"]);
        assert!(
            headers.iter().all(|(name, value)| sent(&raw).headers[*name] == value),
            "{headers:?}"
        );
    }
}

#[test]
fn signing_gives_the_signature_that_alibaba_published() {
    let secret = Secret::new("YourAccessKeySecret".to_owned());
    let query = [
        ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"),
        ("RegionId", "cn-shanghai"),
    ];
    let published = Request {
        host: "ecs.cn-shanghai.aliyuncs.com",
        date: Time::parse_iso("2023-10-26T10:22:32Z").unwrap(),
        nonce: "3156853299f313e23d1673dc12e1703d",
        ..request(&query)
    };
    let headers =
        sign(&published, &Credentials { key_id: "YourAccessKeyId", secret: &secret, token: None });
    assert_eq!(
        authorization_of(&headers),
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
         x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

#[test]
fn a_host_is_signed_as_given() {
    for host in ["http://127.0.0.1:8080", "127.0.0.1", "ecs.ap-southeast-5.localhost:7100"] {
        let request = Request { host, ..request(&[]) };
        let mut sent = Sent::new("POST", "/", "", "");
        for (name, value) in
            sign(&request, &Credentials { key_id: KEY, secret: &secret(), token: None })
        {
            sent = sent.header(name, &value);
        }
        assert!(sent.check(&secret()).is_ok(), "{host}");
    }
}

#[test]
fn keys_may_be_signed_raw_or_encoded() {
    let names = "host;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce";
    let lines = format!(
        "host:h\nx-acs-content-sha256:{EMPTY}\nx-acs-date:2026-01-02T03:04:05Z\nx-acs-signature-nonce:{NONCE}\n"
    );
    for (key, good) in [("Label.a b", true), ("Label.a%20b", true), ("Label.a+b", false)] {
        let query = format!("Action=A&{key}=v&Version=2014-05-26");
        let signature =
            signature(&secret(), &reading("GET", "/", &query, &lines, names, EMPTY).to_sign);
        let sent = Sent::new("GET", "/", "Action=A&Label.a+b=v&Version=2014-05-26", "")
            .header("host", "h")
            .header("x-acs-content-sha256", EMPTY)
            .header("x-acs-date", "2026-01-02T03:04:05Z")
            .header("x-acs-signature-nonce", NONCE)
            .header(
                "authorization",
                &format!(
                    "{ALGORITHM} Credential={KEY}, SignedHeaders={names}, Signature={signature}"
                ),
            );
        assert_eq!(sent.check(&secret()).is_ok(), good, "{key}");
    }
}

#[test]
fn what_decides_must_be_signed() {
    let check = |from: &str, to: &str, code: &str| {
        let raw = a1().replacen(from, to, 1);
        assert_ne!(raw, a1());
        assert_eq!(sent(&raw).refusal(), code, "{from} -> {to}");
    };
    check("Headers=host;", "Headers=", "IncompleteSignature");
    for name in ["x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce"] {
        check(&format!("{name};"), "", "IncompleteSignature");
        check(
            &format!("{name}: "),
            &format!("y-{name}: "),
            if name == "x-acs-action" { "IncompleteSignature" } else { "MissingParameter" },
        );
    }
    check("Host: 127.0.0.1:8080", "x-acs-extra: 1\nHost: 127.0.0.1:8080", "IncompleteSignature");
    check(
        "Host: 127.0.0.1:8080",
        "content-type: text/plain\nHost: 127.0.0.1:8080",
        "IncompleteSignature",
    );
    check("Headers=host;", "Headers=host;host;", "IncompleteSignature");
    check("Headers=host;", "Headers=accept;host;", "IncompleteSignature");
    check("Headers=host;x-acs-action;", "Headers=x-acs-action;host;", "IncompleteSignature");
    check("Signature=5eb", "Signature=5EB", "SignatureDoesNotMatch");
    check("Signature=5eb", "Signature=5e", "SignatureDoesNotMatch");
    check("Signature=5eb", "Sig=5eb", "IncompleteSignature");
    check(EMPTY, "0", "InvalidContentDigest");
    // Headers that an HTTP library or a proxy adds are not signed and do not matter.
    let added = a1().replacen("Host:", "Accept-Encoding: identity\nConnection: close\nHost:", 1);
    assert!(sent(&added).check(&secret()).is_ok());
}

#[test]
fn a_body_must_have_the_signed_digest() {
    let mut forged = sent(&a3());
    forged.body.push(b' ');
    assert_eq!(forged.refusal(), "InvalidContentDigest");
}
