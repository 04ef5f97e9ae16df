//! Uploads by HTML form, as a browser sends them.

use base::Clock;
use base::text::hex;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde_json::{Value, json};

use crate::http_client::{Answer, REGION, Server, Sign, check};

const FILE: &[u8] = b"suara sah: 1.234";

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// How a form is signed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    OssV1,
    OssV4,
    S3V2,
    S3V4,
}

const WAYS: [Way; 4] = [Way::OssV1, Way::OssV4, Way::S3V2, Way::S3V4];

impl Way {
    fn is_oss(self) -> bool {
        matches!(self, Self::OssV1 | Self::OssV4)
    }

    /// The fields of a policy and its signature by the owner.
    fn sign(self, server: &Server, conditions: &Value) -> Vec<(String, String)> {
        let (id, now) = (server.owner.key_id.clone(), server.test.clock.now());
        let expiration = now.plus(std::time::Duration::from_secs(600)).iso();
        let mut conditions = conditions.as_array().unwrap().clone();
        let (moment, day) = (now.compact(), now.compact()[..8].to_owned());
        let secret = format!("{id}-secret");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (prefix, start, end, service) = match self {
            Self::OssV4 => ("x-oss-", "aliyun_v4", "aliyun_v4_request", "oss"),
            _ => ("x-amz-", "AWS4", "aws4_request", "s3"),
        };
        let credential = format!("{id}/{day}/{REGION}/{service}/{end}");
        let is_v4 = matches!(self, Self::OssV4 | Self::S3V4);
        if is_v4 {
            conditions.push(json!({ format!("{prefix}credential"): credential }));
            conditions.push(json!({ format!("{prefix}date"): moment }));
            conditions.push(json!(["eq", "$x-amz-algorithm", "AWS4-HMAC-SHA256"]));
            if self == Self::OssV4 {
                conditions.pop();
            }
        }
        let policy = json!({ "expiration": expiration, "conditions": conditions }).to_string();
        let policy = BASE64.encode(policy);
        if is_v4 {
            let key = [REGION, service, end]
                .iter()
                .fold(mac(format!("{start}{secret}").as_bytes(), &day), |key, part| {
                    mac(&key, part)
                });
            let signature = hex(&mac(&key, &policy));
            let algorithm = match self {
                Self::OssV4 => pair("x-oss-signature-version", "OSS4-HMAC-SHA256"),
                _ => pair("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            };
            return vec![
                algorithm,
                pair(&format!("{prefix}credential"), &credential),
                pair(&format!("{prefix}date"), &moment),
                pair("policy", &policy),
                pair(&format!("{prefix}signature"), &signature),
            ];
        }
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        let signature = BASE64.encode(hmac::sign(&key, policy.as_bytes()));
        let id_field = if self.is_oss() { "OSSAccessKeyId" } else { "AWSAccessKeyId" };
        vec![pair(id_field, &id), pair("policy", &policy), pair("Signature", &signature)]
    }
}

fn framed(fields: &[(String, String)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                .bytes(),
        );
    }
    body.extend(
        b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tps 1.txt\"\r\n",
    );
    body.extend(b"Content-Type: text/plain\r\n\r\n");
    body.extend(file);
    body.extend(b"\r\n--edge--\r\n");
    body
}

fn post(server: &Server, body: Vec<u8>) -> Answer {
    let kind = "multipart/form-data; boundary=edge";
    server.ask("POST", "/pemilu").header("content-type", kind).body(body).send(Sign::No)
}

fn conditions() -> Value {
    json!([{ "bucket": "pemilu" }, ["starts-with", "$key", "up/"], ["content-length-range", 1, 100],
           ["starts-with", "$x-oss-meta-desa", ""], ["starts-with", "$x-amz-meta-desa", ""],
           ["starts-with", "$success_action_status", ""], ["starts-with", "$success_action_redirect", ""]])
}

fn form(way: Way, server: &Server, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut fields = vec![("key".to_owned(), "up/${filename}".to_owned())];
    fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    fields.extend(way.sign(server, &conditions()));
    fields
}

#[test]
fn a_form_that_any_version_signed_stores_its_file() {
    check(|server| {
        for way in WAYS {
            let meta = if way.is_oss() { "x-oss-meta-desa" } else { "x-amz-meta-desa" };
            let fields = form(way, server, &[(meta, "sukamaju")]);
            let done = post(server, framed(&fields, FILE));
            assert_eq!(done.status, 204, "{way:?} {done:?}");
            let got = server.ask("GET", "/pemilu/up/tps%201.txt").send(Sign::OssV4);
            assert_eq!((got.status, got.body.as_slice()), (200, FILE), "{way:?}");
            assert_eq!(got.header("x-oss-meta-desa"), Some("sukamaju"), "{way:?}");
            let gone = server.ask("DELETE", "/pemilu/up/tps%201.txt").send(Sign::OssV4);
            assert_eq!(gone.status, 204);
        }
    });
}

#[test]
fn the_answer_is_the_one_that_the_form_asks_for() {
    check(|server| {
        let way = Way::S3V4;
        let answer = |more: &[(&str, &str)]| post(server, framed(&form(way, server, more), FILE));
        assert_eq!(answer(&[("success_action_status", "200")]).status, 200);
        assert_eq!(answer(&[("success_action_status", "404")]).status, 204);
        let created = answer(&[("success_action_status", "201")]);
        assert_eq!((created.status, created.element("Key").as_str()), (201, "up/tps 1.txt"));
        assert_eq!(created.element("Bucket"), "pemilu");
        let to = "http://a.example/done?x=1";
        let moved = answer(&[("success_action_redirect", to)]);
        let target = moved.header("location").unwrap().to_owned();
        assert_eq!(moved.status, 303);
        assert!(
            target
                .starts_with("http://a.example/done?x=1&bucket=pemilu&key=up%2Ftps%201.txt&etag="),
            "{target}"
        );
    });
}

#[test]
fn what_the_policy_does_not_permit_is_not_stored() {
    check(|server| {
        for way in WAYS {
            let good = form(way, server, &[]);
            let changed = |name: &str, value: &str| {
                let change = |(known, old): &(String, String)| {
                    let new = if known.eq_ignore_ascii_case(name) { value } else { old };
                    (known.clone(), new.to_owned())
                };
                good.iter().map(change).collect::<Vec<_>>()
            };
            post(server, framed(&changed("key", "down/a"), FILE)).refused(403, "AccessDenied");
            post(server, framed(&good, &[b'x'; 101])).refused(400, "EntityTooLarge");
            post(server, framed(&good, b"")).refused(400, "EntityTooSmall");
            let other = BASE64.encode(
                json!({ "expiration": "2099-01-01T00:00:00Z", "conditions": [] }).to_string(),
            );
            post(server, framed(&changed("policy", &other), FILE))
                .refused(403, "SignatureDoesNotMatch");
            let unsigned: Vec<_> = good
                .iter()
                .filter(|(name, _)| !name.to_ascii_lowercase().ends_with("signature"))
                .cloned()
                .collect();
            post(server, framed(&unsigned, FILE)).refused(400, "InvalidArgument");
        }
        let nobody = vec![("key".to_owned(), "up/a".to_owned())];
        post(server, framed(&nobody, FILE)).refused(403, "AccessDenied");
        let listed = server.ask("GET", "/pemilu").send(Sign::OssV4);
        assert!(!listed.text().contains("<Contents>"), "{}", listed.text());
    });
}

#[test]
fn a_frame_that_is_broken_stores_nothing() {
    check(|server| {
        let fields = form(Way::OssV1, server, &[]);
        let whole = framed(&fields, FILE);
        let cut = |to: usize| post(server, whole[..to].to_vec());
        cut(whole.len() - 12).refused(400, "IncompleteBody");
        assert!(cut(20).status == 400);
        let mut long = fields.clone();
        long.insert(0, ("x-ignore-a".to_owned(), "x".repeat(70_000)));
        post(server, framed(&long, FILE)).refused(400, "MaxPOSTPreDataLengthExceededError");
        let fileless = framed(&fields, FILE);
        let end = fileless.windows(11).position(|window| window == b"name=\"file\"").unwrap();
        let mut fileless = fileless;
        fileless[end + 6..end + 10].copy_from_slice(b"fill");
        post(server, fileless).refused(400, "InvalidArgument");
        let plain = server.ask("POST", "/pemilu").header("content-type", "text/plain").body("a");
        plain.send(Sign::No).refused(400, "InvalidArgument");
        let listed = server.ask("GET", "/pemilu").send(Sign::OssV4);
        assert!(!listed.text().contains("<Contents>"), "{}", listed.text());
    });
}

#[test]
fn what_comes_before_the_file_is_bounded_before_anybody_signed() {
    check(|server| {
        // No boundary at all, a header that never ends, and a key that a long name multiplies.
        let endless = vec![b'a'; 400_000];
        let mut header = b"--edge\r\nX: ".to_vec();
        header.extend_from_slice(&endless);
        let mut filled = b"--edge\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n".to_vec();
        filled.extend_from_slice("${filename}".repeat(5000).as_bytes());
        filled.extend_from_slice(
            b"\r\n--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"",
        );
        filled.extend_from_slice(&vec![b'n'; 20_000]);
        filled.extend_from_slice(b"\"\r\n\r\nx\r\n--edge--\r\n");
        for (body, code) in [
            (endless, "MaxPOSTPreDataLengthExceededError"),
            (header, "MaxPOSTPreDataLengthExceededError"),
            (filled, "KeyTooLongError"),
        ] {
            post(server, body).refused(400, code);
        }
    });
}
