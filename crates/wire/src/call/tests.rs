#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::str::FromStr;
use std::time::Duration;

use base::text::hex;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;
use crate::query::encode;

/// The moment of all worked examples.
pub(crate) fn now() -> Time {
    Time::parse_iso("2026-01-02T03:04:05Z").unwrap()
}

pub(crate) const KEY: &str = "testakid0000000000000000";
pub(crate) const TEMPORARY_KEY: &str = "STS.tmpakid0000000000";
pub(crate) const NONCE: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn secret() -> Secret<String> {
    Secret::new("testaksecret000000000000000000".to_owned())
}

pub(crate) fn temporary_secret() -> Secret<String> {
    Secret::new("tmpsecret0000000000000000000000".to_owned())
}

/// A request as a server has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Sent {
    /// Reads `METHOD target`, header lines, an empty line and a body. `None` where no HTTP server
    /// would take it.
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        let raw = std::str::from_utf8(raw).ok()?;
        let (head, body) = raw.split_once("\n\n").unwrap_or((raw, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut sent = Self::new(method, path, query, body);
        for line in lines {
            let (name, value) = line.split_once(':')?;
            sent.headers.append(
                HeaderName::from_str(name).ok()?,
                HeaderValue::from_str(value.trim()).ok()?,
            );
        }
        Some(sent)
    }

    pub(crate) fn new(method: &str, path: &str, query: &str, body: &str) -> Self {
        let (method, path, query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Self { method, path, query, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    fn head(&self) -> Head<'_> {
        Head { method: &self.method, path: &self.path, query: &self.query, headers: &self.headers }
    }

    pub(crate) fn decode(&self) -> Result<Call, ApiError> {
        decode(&self.head(), &self.body, now())
    }

    /// Decodes and, where there is a signature, verifies.
    pub(crate) fn check(&self, secret: &Secret<String>) -> Result<Call, ApiError> {
        let call = self.decode()?;
        call.signed.as_ref().map_or(Ok(()), |signed| signed.verify(secret))?;
        Ok(call)
    }

    /// True where a server that knows the two keys of the examples would take it for theirs. (A
    /// flipped byte can also name another key, or take the whole signature away.)
    pub(crate) fn is_accepted(&self, secret: &Secret<String>) -> bool {
        let signed = self.check(secret).ok().and_then(|call| call.signed);
        signed.is_some_and(|signed| [KEY, TEMPORARY_KEY].contains(&signed.key_id.as_str()))
    }

    /// The code that it is refused with.
    pub(crate) fn refusal(&self) -> String {
        self.check(&secret()).expect_err("this request should be refused").code().to_owned()
    }
}

/// A request of RPC V1, signed, all in the query.
fn rpc_v1_query(method: &str, extra: &[(&str, &str)]) -> String {
    let mut pairs = vec![
        ("AccessKeyId", KEY),
        ("Action", "DescribeRegions"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", NONCE),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
        ("Version", "2014-05-26"),
    ];
    pairs.retain(|(name, _)| !extra.iter().any(|(other, _)| name == other));
    pairs.extend(extra);
    let signature = rpc_v1::sign(method, &pairs, &secret()).unwrap();
    pairs.push(("Signature", &signature));
    encode(pairs)
}

/// A request of ACS3, signed.
fn acs3_sent(path: &str, query: &[(&str, &str)], content_type: Option<&str>, body: &str) -> Sent {
    let request = acs3::Request {
        method: "POST",
        host: "127.0.0.1:8080",
        path,
        query,
        content_type,
        body: body.as_bytes(),
        action: "DescribeRegions",
        version: "2014-05-26",
        date: now(),
        nonce: NONCE,
    };
    let mut sent = Sent::new("POST", path, &encode(query.iter().copied()), body);
    for (name, value) in
        acs3::sign(&request, &Credentials { key_id: KEY, secret: &secret(), token: None })
    {
        sent = sent.header(name, &value);
    }
    sent
}

#[test]
fn parameters_count_the_same_in_query_and_form() {
    let all = rpc_v1_query("POST", &[("Tag.1.Value", ""), ("Name", "a b&c=d")]);
    let pairs: Vec<&str> = all.split('&').collect();
    for split in 0..=pairs.len() {
        let (query, form) = pairs.split_at(split);
        let sent = Sent::new("POST", "/", &query.join("&"), &form.join("&"));
        let call = sent
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .check(&secret());
        let call = call.unwrap_or_else(|error| panic!("{split}: {error}"));
        assert_eq!((call.style, call.action.as_deref()), (Style::Rpc, Some("DescribeRegions")));
        assert_eq!(
            (call.params.get("Name"), call.params.get("Tag.1.Value")),
            (Some("a b&c=d"), Some(""))
        );
        assert_eq!(call.params.get("Signature"), None);
    }
}

#[test]
fn a_name_given_twice_is_refused() {
    let query = rpc_v1_query("POST", &[("Name", "a")]);
    for (query, form) in
        [(format!("{query}&Name=a"), ""), (query, "Name=a"), (rpc_v1_query("POST", &[]), "B=1&B=1")]
    {
        assert_eq!(
            Sent::new("POST", "/", &query, form).refusal(),
            "InvalidParameter",
            "{query} {form}"
        );
    }
    let json = acs3_sent("/api", &[("name", "a")], None, r#"{"name":"b"}"#);
    assert_eq!(json.refusal(), "InvalidParameter");
}

#[test]
fn rpc_v1_does_not_believe_headers() {
    let sent =
        Sent::new("GET", "/", &rpc_v1_query("GET", &[]), "").header("x-acs-action", "DeleteUser");
    assert_eq!(sent.check(&secret()).unwrap().action.as_deref(), Some("DescribeRegions"));
    let unnamed = rpc_v1_query("GET", &[("Action", "")]);
    assert_eq!(
        Sent::new("GET", "/", &unnamed, "").header("x-acs-action", "DeleteUser").refusal(),
        "MissingParameter"
    );
}

#[test]
fn header_and_parameter_may_not_name_two_actions() {
    let same = acs3_sent("/", &[("Action", "describeregions")], None, "");
    assert_eq!(same.check(&secret()).unwrap().version, "2014-05-26");
    assert_eq!(acs3_sent("/", &[("Action", "DeleteUser")], None, "").refusal(), "InvalidParameter");
}

#[test]
fn assume_role_with_oidc_is_anonymous() {
    let query = "Action=AssumeRoleWithOIDC&Format=json&Version=2015-04-01&Timestamp=x&SignatureNonce=1&OIDCToken=eyJ";
    let sent = Sent::new("POST", "/", query, "")
        .header("x-acs-action", "AssumeRoleWithOIDC")
        .header("x-acs-version", "2015-04-01");
    let call = sent.decode().unwrap();
    assert!(call.signed.is_none());
    assert_eq!((call.params.get("OIDCToken"), call.format), (Some("eyJ"), Format::Json));
}

#[test]
fn a_request_with_any_credential_is_not_anonymous() {
    let check = |sent: Sent, code: &str| assert_eq!(sent.refusal(), code, "{sent:?}");
    let plain =
        |extra: &str| Sent::new("POST", "/", &format!("Action=A&Version=2015-04-01&{extra}"), "");
    check(plain("AccessKeyId=a"), "MissingParameter");
    check(plain("Signature=a"), "MissingParameter");
    check(plain("Signature="), "MissingParameter");
    check(plain("SecurityToken=a"), "IncompleteSignature");
    check(plain("").header("x-acs-security-token", "a"), "IncompleteSignature");
    check(plain("").header("x-acs-accesskey-id", "a"), "IncompleteSignature");
    check(plain("BearerToken=a"), "UnsupportedSignatureMethod");
    check(plain("SignatureType=BEARERTOKEN"), "UnsupportedSignatureMethod");
    check(plain("").header("x-acs-bearer-token", "BT"), "UnsupportedSignatureMethod");
    check(plain("").header("authorization", "Bearer BT"), "UnsupportedSignatureMethod");
    check(
        plain("").header("authorization", "ACS3-HMAC-SM3 Credential=a"),
        "UnsupportedSignatureMethod",
    );
    check(
        plain("").header("authorization", "ACS3-RSA-SHA256 Credential=a"),
        "UnsupportedSignatureMethod",
    );
    check(plain("").header("authorization", "ACS3-HMAC-SHA256"), "IncompleteSignature");
    check(plain("").header("authorization", "acs a:b"), "IncompleteSignature");
    check(plain("").header("authorization", ""), "UnsupportedSignatureMethod");
    check(acs3_sent("/", &[("Signature", "a")], None, ""), "IncompleteSignature");
}

#[test]
fn the_format_is_xml_only_for_rpc_v1_that_does_not_say_json() {
    for (format, expected) in
        [("json", Format::Json), ("JSON", Format::Json), ("XML", Format::Xml), ("", Format::Xml)]
    {
        let extra: &[(&str, &str)] = if format.is_empty() { &[] } else { &[("Format", format)] };
        let query = rpc_v1_query("POST", extra);
        let in_query = Sent::new("POST", "/", &query, "");
        let in_body = Sent::new("POST", "/", "", &query);
        for sent in [in_query, in_body] {
            assert_eq!(sent.check(&secret()).unwrap().format, expected, "{format}");
            assert_eq!(format_of(&sent.head(), &sent.body), expected, "{format}");
        }
    }
    let acs3 = acs3_sent("/", &[], None, "");
    assert_eq!(acs3.check(&secret()).unwrap().format, Format::Json);
    assert_eq!(format_of(&acs3.head(), b""), Format::Json);
    assert_eq!(format_of(&Sent::new("PUT", "/x", "", "").head(), b"\xff\x00"), Format::Json);
}

#[test]
fn the_signed_date_may_be_a_quarter_hour_off() {
    let code_at = |seconds: i64| {
        let date = Time::from_secs(now().secs() + seconds).iso();
        let sent = Sent::new("GET", "/", &rpc_v1_query("GET", &[("Timestamp", &date)]), "");
        sent.check(&secret()).err().map(|error| error.code().to_owned())
    };
    let window = i64::try_from(WINDOW.as_secs()).unwrap();
    assert_eq!(WINDOW, Duration::from_secs(900));
    assert_eq!((code_at(window), code_at(-window)), (None, None));
    assert_eq!(code_at(window + 1).as_deref(), Some("InvalidTimeStamp.Expired"));
    assert_eq!(code_at(-window - 1).as_deref(), Some("InvalidTimeStamp.Expired"));
    let sent = Sent::new("GET", "/", &rpc_v1_query("GET", &[("Timestamp", "yesterday")]), "");
    assert_eq!(sent.refusal(), "InvalidTimeStamp.Format");
}

#[test]
fn nonces_of_every_client_are_taken() {
    let check = |nonce: &str| {
        Sent::new("GET", "/", &rpc_v1_query("GET", &[("SignatureNonce", nonce)]), "")
            .check(&secret())
            .map(|call| call.signed.unwrap().nonce)
            .map_err(|error| error.code().to_owned())
    };
    let long = "n".repeat(257);
    for nonce in
        [NONCE, &hex(&[7; 32]), "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf", "1", "é", &long[1..]]
    {
        assert_eq!(check(nonce).as_deref(), Ok(nonce));
    }
    assert_eq!(check("").unwrap_err(), "MissingParameter");
    assert_eq!(check(&long).unwrap_err(), "InvalidParameter.SignatureNonce");
    assert_eq!(check("a\nb").unwrap_err(), "InvalidParameter.SignatureNonce");
}

#[test]
fn a_roa_path_is_kept_and_taken_apart() {
    let call =
        acs3_sent("/api/v1/projects/my%20p%2F%C3%BC", &[], None, "").check(&secret()).unwrap();
    assert_eq!((call.style, call.path.as_str()), (Style::Roa, "/api/v1/projects/my%20p%2F%C3%BC"));
    assert_eq!(call.segments, ["api", "v1", "projects", "my p/ü"]);
    assert_eq!(acs3_sent("/api/%FF", &[], None, "").refusal(), "MalformedRequest");
}

#[test]
fn a_roa_body_is_json() {
    let check = |body: &str| {
        acs3_sent("/api", &[("q", "1")], Some("application/json"), body).check(&secret())
    };
    let call = check(r#"{"name":"p1","n":{"x":1}}"#).unwrap();
    assert_eq!(
        (call.params.get("name"), call.params.get("q"), call.body),
        (Some("p1"), Some("1"), None)
    );
    assert_eq!(check("[1]").unwrap().body, Some(serde_json::json!([1])));
    assert_eq!(check("{").unwrap_err().code(), "MalformedRequest");
}

#[test]
fn an_rpc_body_is_a_form() {
    let json = acs3_sent("/", &[], Some("application/json"), "{}");
    assert_eq!(json.refusal(), "MalformedRequest");
    assert_eq!(
        acs3_sent("/", &[], Some("application/json"), "").check(&secret()).unwrap().style,
        Style::Rpc
    );
}

#[test]
fn a_deciding_header_may_come_once_only() {
    let sent = acs3_sent("/", &[], None, "").header("x-acs-action", "DeleteUser");
    assert_eq!(sent.refusal(), "MalformedRequest");
}

#[test]
fn rpc_knows_two_methods() {
    let sent = Sent::new("DELETE", "/", &rpc_v1_query("DELETE", &[]), "");
    assert_eq!(sent.check(&secret()).unwrap_err().status(), 405);
}

#[test]
fn a_missing_version_or_action_is_named() {
    for (query, name) in [
        ("Version=2015-04-01", "Action"),
        ("Action=A", "Version"),
        ("Action=A&Version=", "Version"),
    ] {
        let error = Sent::new("POST", "/", query, "").decode().unwrap_err();
        let text = format!(
            "The input parameter \"{name}\" that is mandatory for processing this request is not supplied."
        );
        assert_eq!((error.code(), error.text()), ("MissingParameter", text.as_str()));
    }
}

#[test]
fn neither_a_call_nor_its_parts_print_what_is_secret() {
    let query = rpc_v1_query("GET", &[("Password", "hunter2"), ("SecurityToken", "CAIS/tok")]);
    let call = Sent::new("GET", "/", &query, "").check(&secret()).unwrap();
    let text = format!("{call:?}");
    assert!(text.contains("Password") && text.contains(KEY), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("CAIS"), "{text}");
}

prop_compose! {
    fn headers()(pairs in proptest::collection::vec((
        prop_oneof![
            Just("authorization"), Just("x-acs-date"), Just("x-acs-content-sha256"), Just("x-acs-signature-nonce"),
            Just("host"), Just("date"), Just("content-md5"), Just("x-acs-version"), Just("content-type"),
        ],
        prop_oneof![
            Just(b"ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host;x-acs-date,Signature=00".to_vec()),
            Just(b"ACS3-HMAC-SHA256 ,=".to_vec()),
            Just(b"acs a:b".to_vec()),
            Just(b"2026-01-02T03:04:05Z".to_vec()),
            Just(b"Fri, 02 Jan 2026 03:04:05 GMT".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ],
    ), 0..6)) -> HeaderMap {
        let pairs = pairs.into_iter();
        pairs.filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_bytes(&value).ok()?))).collect()
    }
}

proptest! {
    #[test]
    fn any_request_is_taken_without_panic(
        method in "GET|POST|\\PC*",
        path in "/?|\\PC*",
        query in "(Signature=|AccessKeyId=|Action=|Timestamp=2026|&|[a-z.1=]|%[0-9a-fA-F]{0,2}|\\PC){0,20}",
        headers in headers(),
        body: Vec<u8>,
    ) {
        let sent = Sent { method, path, query, headers, body };
        let _ = sent.check(&secret());
        let _ = format_of(&sent.head(), &sent.body);
    }

    #[test]
    fn what_is_signed_verifies(
        params in proptest::collection::btree_map("\\PC{1,12}", ".{0,20}", 0..6),
        form in proptest::collection::btree_map("[a-z]{1,8}", ".{0,20}", 0..4),
    ) {
        let mut extra: Vec<(&str, &str)> = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let v1 = Sent::new("GET", "/", &rpc_v1_query("GET", &extra), "");
        prop_assert!(v1.check(&secret()).is_ok());
        prop_assert!(v1.check(&temporary_secret()).is_err());

        extra.retain(|(name, _)| !form.contains_key(*name));
        let body = encode(form.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let media = (!body.is_empty()).then_some("application/x-www-form-urlencoded");
        let acs3 = acs3_sent("/", &extra, media, &body);
        let call = acs3.check(&secret()).unwrap();
        for (name, value) in extra.into_iter().chain(form.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            prop_assert_eq!(call.params.get(name), Some(value));
        }
        prop_assert!(acs3.check(&temporary_secret()).is_err());
    }
}
