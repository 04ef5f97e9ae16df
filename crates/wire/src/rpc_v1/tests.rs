#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use super::*;
use crate::call::tests::{KEY, NONCE, Sent, secret, temporary_secret};

/// The parameters of R1 and R2 but for the signature, as four clients may spell them.
const R1: &str = "AccessKeyId=testakid0000000000000000&Action=RunInstances&Format=JSON&SignatureMethod=HMAC-SHA1&\
    SignatureNonce=0123456789abcdef0123456789abcdef&SignatureVersion=1.0&Timestamp=2026-01-02T03%3A04%3A05Z&\
    Version=2014-05-26&ClientToken=tok+1%2F%2B&DataDisk.1.Size=100&InstanceName=w%C3%A9b%20(a)*'!~&\
    RegionId=cn-hangzhou&Tag.1.Key=t/2&Tag.1.Value=";
const R3: &str = "AccessKeyId=STS.tmpakid0000000000&Action=DescribeRegions&Format=JSON&RegionId=cn-hangzhou&\
    SecurityToken=CAIS%2Ftok%2Ben%3D%3D&SignatureMethod=HMAC-SHA1&\
    SignatureNonce=0123456789abcdef0123456789abcdef&SignatureType=&SignatureVersion=1.0&\
    Timestamp=2026-01-02T03%3A04%3A05Z&Version=2014-05-26";

fn vectors() -> [(String, Secret<String>); 4] {
    let r2_body = format!("{R1}&Signature=Z7uGz1fXT7h6qCGnniH6%2BpzBzMY%3D");
    [
        (format!("GET /?{R1}&Signature=%2BUNWPnNF9f7Z%2FLH%2B0ci4ST4ePB8%3D"), secret()),
        (format!("POST /?{r2_body}"), secret()),
        (format!("POST /\ncontent-type: application/x-www-form-urlencoded\n\n{r2_body}"), secret()),
        (format!("GET /?{R3}&Signature=RfOxJYp%2BYIM9X4K6buNvYDOm5Ss%3D"), temporary_secret()),
    ]
}

fn sent(raw: &str) -> Sent {
    Sent::parse(raw.as_bytes()).unwrap()
}

#[test]
fn the_worked_vectors_verify() {
    for (raw, secret) in vectors() {
        let call = sent(&raw).check(&secret).unwrap_or_else(|error| panic!("{error}\n{raw}"));
        assert_eq!(call.params.get("RegionId"), Some("cn-hangzhou"));
        assert_eq!(call.signed.unwrap().nonce, NONCE);
    }
}

#[test]
fn a_vector_with_one_byte_flipped_is_refused() {
    for (raw, secret) in vectors() {
        // Headers are not signed: what counts is the method, the path and the parameters.
        let meaning = |sent: &Sent| {
            let mut pairs = query::parse(&sent.query);
            pairs.extend(query::parse(std::str::from_utf8(&sent.body).unwrap()));
            pairs.sort();
            (sent.method.clone(), sent.path.clone(), pairs)
        };
        let original = sent(&raw);
        for at in 0..raw.len() {
            for mask in [0x01, 0x02, 0x10, 0x20, 0x80] {
                let mut bytes = raw.clone().into_bytes();
                bytes[at] ^= mask;
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
fn a_wrong_secret_is_told_exactly_the_string_to_sign() {
    let (raw, _) = &vectors()[0];
    let error = sent(raw).check(&temporary_secret()).unwrap_err();
    let string_to_sign = "GET&%2F&AccessKeyId%3Dtestakid0000000000000000%26Action%3DRunInstances%26ClientToken%3D\
        tok%25201%252F%252B%26DataDisk.1.Size%3D100%26Format%3DJSON%26InstanceName%3Dw%25C3%25A9b%2520%2528a%2529\
        %252A%2527%2521~%26RegionId%3Dcn-hangzhou%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D\
        0123456789abcdef0123456789abcdef%26SignatureVersion%3D1.0%26Tag.1.Key%3Dt%252F2%26Tag.1.Value%3D%26\
        Timestamp%3D2026-01-02T03%253A04%253A05Z%26Version%3D2014-05-26";
    assert_eq!(error.code(), "SignatureDoesNotMatch");
    assert_eq!(error.text().split_once("server string to sign is:").unwrap().1, string_to_sign);
    // The older Python SDK takes all after the first colon for the string to sign.
    assert_eq!(error.text().split_once(':').unwrap().1, string_to_sign);
}

#[test]
fn signing_gives_the_signature_that_alibaba_published() {
    let pairs = [
        ("AccessKeyId", "testid"),
        ("Action", "DescribeRegions"),
        ("Format", "XML"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2016-02-23T12:46:24Z"),
        ("Version", "2014-05-26"),
    ];
    let secret = Secret::new("testsecret".to_owned());
    assert_eq!(sign("GET", &pairs, &secret).unwrap(), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
}

fn assume_role(method_name: &str) -> Vec<(String, String)> {
    let mut pairs = query::parse(
        "Action=AssumeRole&RoleArn=acs%3Aram%3A%3A1234567890123456%3Arole%2Fdev&RoleSessionName=s1&Version=2015-04-01&\
         SignatureNonce=1&Timestamp=2026-01-02T03:04:05Z&Format=JSON&SignatureVersion=1.0",
    );
    pairs.push(("AccessKeyId".to_owned(), KEY.to_owned()));
    pairs.push(("SignatureMethod".to_owned(), method_name.to_owned()));
    pairs
}

/// A signed AssumeRole; the pairs for which `in_form` holds go into the body.
fn signed(http_method: &str, method_name: &str, in_form: fn(&str) -> bool) -> Sent {
    let mut pairs = assume_role(method_name);
    let refs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let signature = sign(http_method, &refs, &secret()).unwrap();
    pairs.push(("Signature".to_owned(), signature));
    let part = |form: bool| {
        let pairs = pairs.iter().filter(|(name, _)| in_form(name) == form);
        query::encode(pairs.map(|(name, value)| (name.as_str(), value.as_str())))
    };
    Sent::new(http_method, "/", &part(false), &part(true))
}

#[test]
fn assume_role_works_as_the_credentials_libraries_send_it() {
    let business = |name: &str| name.starts_with("Role");
    for sent in [signed("GET", "HMAC-SHA1", |_| false), signed("POST", "HMAC-SHA1", business)] {
        let call = sent.check(&secret()).unwrap();
        assert_eq!(call.params.get("RoleArn"), Some("acs:ram::1234567890123456:role/dev"));
    }
}

#[test]
fn hmac_sha256_is_another_signature() {
    let sent = signed("GET", "HMAC-SHA256", |_| false);
    assert!(sent.check(&secret()).is_ok());
    assert_eq!(sent.check(&temporary_secret()).unwrap_err().code(), "SignatureDoesNotMatch");
}

#[test]
fn other_algorithms_are_refused_by_name() {
    let pairs = assume_role("HMAC-SM3");
    let refs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(sign("GET", &refs, &secret()).unwrap_err().code(), "UnsupportedSignatureMethod");
    let (raw, _) = &vectors()[0];
    for (from, to) in [
        ("HMAC-SHA1", "HMAC-SM3"),
        ("HMAC-SHA1", "RSA-SHA256"),
        ("Version=1.0", "Version=2.0"),
        ("&SignatureNonce", "&SignatureType=PRIVATEKEY&SignatureNonce"),
    ] {
        assert_eq!(
            sent(&raw.replacen(from, to, 1)).refusal(),
            "UnsupportedSignatureMethod",
            "{to}"
        );
    }
}

#[test]
fn a_signature_that_is_not_base64_does_not_match() {
    for signature in ["x", "%2BUNWPnNF9f7Z", "%00", "+UNWPnNF9f7Z/LH+0ci4ST4ePB8="] {
        assert_eq!(
            sent(&format!("GET /?{R1}&Signature={signature}")).refusal(),
            "SignatureDoesNotMatch"
        );
    }
}
