#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use base::Secret;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    pairs.iter().for_each(|(name, value)| fields.push(name, (*value).to_owned()));
    fields
}

fn policy(conditions: &Value) -> Result<Policy, ApiError> {
    let document = json!({ "expiration": "2030-01-01T00:00:00Z", "conditions": conditions });
    Policy::parse(&BASE64.encode(document.to_string()))
}

fn check(conditions: &Value, pairs: &[(&str, &str)], dialect: Dialect) -> Result<Sizes, ApiError> {
    let place = ("b", "dir/a.txt");
    policy(conditions)?.check(&fields(pairs), place, dialect, Time::from_secs(NOW))
}

#[test]
fn every_condition_must_hold() {
    let s3 = Dialect::S3;
    let held = [
        (json!([{ "bucket": "b" }, { "KEY": "dir/a.txt" }]), vec![]),
        (json!([["eq", "$bucket", "b"], ["starts-with", "$key", "dir/"]]), vec![]),
        (json!([["Starts-With", "$Content-Type", ""]]), vec![("Content-Type", "text/plain")]),
        (json!([["in", "$key", ["x", "dir/a.txt"]], ["not-in", "$bucket", ["c"]]]), vec![]),
        (json!([["starts-with", "$acl", "p"]]), vec![("acl", "public-read, private")]),
    ];
    for (conditions, pairs) in held {
        assert_eq!(check(&conditions, &pairs, s3).unwrap(), Sizes::ANY, "{conditions}");
    }
    let broken = [
        (json!([{ "bucket": "c" }]), vec![]),
        (json!([["starts-with", "$key", "other/"]]), vec![]),
        (json!([{ "acl": "private" }]), vec![]),
        (json!([{ "acl": "private" }]), vec![("acl", "public-read")]),
        (json!([["not-in", "$bucket", ["b"]]]), vec![]),
        (json!([]), vec![("x-amz-meta-a", "1")]),
    ];
    for (conditions, pairs) in broken {
        let refused = check(&conditions, &pairs, s3).unwrap_err();
        assert_eq!((refused.code(), refused.status()), ("AccessDenied", 403), "{conditions}");
    }
}

#[test]
fn only_s3_refuses_fields_that_the_policy_does_not_name() {
    let extra = [("x-oss-meta-a", "1")];
    assert!(check(&json!([]), &extra, Dialect::S3).is_err());
    assert!(check(&json!([]), &extra, Dialect::Oss).is_ok());
    assert!(check(&json!([]), &[("x-ignore-a", "1"), ("policy", "p")], Dialect::S3).is_ok());
}

#[test]
fn sizes_are_the_narrowest_of_all_ranges() {
    let ranges = json!([["content-length-range", 1, 10], ["content-length-range", "2", "20"]]);
    assert_eq!(check(&ranges, &[], Dialect::S3).unwrap(), Sizes { min: 2, max: 10 });
}

#[test]
fn a_policy_that_is_over_or_malformed_is_refused() {
    let over = json!({ "expiration": "2020-01-01T00:00:00Z", "conditions": [] }).to_string();
    let over = Policy::parse(&BASE64.encode(over)).unwrap();
    let now = Time::from_secs(NOW);
    assert!(over.check(&fields(&[]), ("b", "k"), Dialect::S3, now).is_err());
    for malformed in [
        json!({ "conditions": [] }),
        json!({ "expiration": "tomorrow", "conditions": [] }),
        json!({ "EXPIRATION": "2030-01-01T00:00:00Z", "conditions": [] }),
        json!({ "expiration": "2030-01-01T00:00:00Z" }),
        json!({ "expiration": "2030-01-01T00:00:00Z", "conditions": [{}] }),
        json!({ "expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 0]] }),
        json!({ "expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "key", "k"]] }),
        json!([]),
    ] {
        let refused = Policy::parse(&BASE64.encode(malformed.to_string())).unwrap_err();
        assert_eq!(refused.code(), "InvalidPolicyDocument", "{malformed}");
    }
}

#[test]
fn each_signature_is_of_the_policy_and_of_nothing_else() {
    let secret = Secret::new("secret".to_owned());
    let hmac = |algorithm| {
        let key = ring::hmac::Key::new(algorithm, b"secret");
        BASE64.encode(ring::hmac::sign(&key, b"UA=="))
    };
    let v4 = |family: &'static Family, service: &str, text: &str| {
        let scope = Scope::new(Time::from_secs(NOW), "r", service);
        let tag = ring::hmac::sign(&scope.key(family, &secret), text.as_bytes());
        (format!("AK/{}", scope.text(family)), base::text::hex(tag.as_ref()), scope.date)
    };
    let (oss, oss_tag, day) = v4(&v4::OSS, "oss", "UA==");
    let (s3, s3_tag, _) = v4(&v4::S3, "s3", "UA==");
    let moment = format!("{day}T000000Z");
    let sha1_tag = hmac(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY);
    let sha256_tag = hmac(ring::hmac::HMAC_SHA256);
    let forms = [
        (
            Dialect::Oss,
            vec![("OSSAccessKeyId", "AK"), ("Signature", sha1_tag.as_str())],
            Version::OssV1,
        ),
        (
            Dialect::S3,
            vec![("AWSAccessKeyId", "AK"), ("signature", sha1_tag.as_str())],
            Version::SigV2,
        ),
        (
            Dialect::Oss,
            vec![
                ("x-oss-signature-version", "OSS2"),
                ("x-oss-access-key-id", "AK"),
                ("x-oss-signature", &*sha256_tag),
            ],
            Version::OssV2,
        ),
        (
            Dialect::Oss,
            vec![
                ("x-oss-signature-version", "OSS4-HMAC-SHA256"),
                ("x-oss-credential", &*oss),
                ("x-oss-date", &*moment),
                ("x-oss-signature", &*oss_tag),
            ],
            Version::OssV4,
        ),
        (
            Dialect::S3,
            vec![
                ("X-Amz-Credential", &*s3),
                ("X-Amz-Date", &*moment),
                ("X-Amz-Signature", &*s3_tag),
            ],
            Version::SigV4,
        ),
    ];
    for (dialect, pairs, version) in forms {
        let mut form = fields(&pairs);
        form.push("policy", "UA==".to_owned());
        assert_eq!(form.dialect(), Some(dialect));
        let signed = form.signed(dialect, "r").unwrap().unwrap();
        assert_eq!((signed.version, signed.key_id.as_str()), (version, "AK"));
        signed.verify(&secret).unwrap();
        assert!(signed.verify(&Secret::new("other".to_owned())).is_err());
        let other = fields(&[&pairs[..], &[("policy", "Ug==")]].concat());
        assert!(other.signed(dialect, "r").unwrap().unwrap().verify(&secret).is_err());
        assert!(fields(&pairs).signed(dialect, "r").is_err(), "a signature of no policy");
    }
    assert!(fields(&[("key", "k")]).signed(Dialect::S3, "r").unwrap().is_none());
}

#[test]
fn the_files_name_is_its_last_part() {
    let form = fields(&[("Key", "up/${filename}")]);
    for (sent, key) in [("a.txt", "up/a.txt"), ("C:\\d\\a.txt", "up/a.txt"), ("../a", "up/a")] {
        assert_eq!(form.key(sent).unwrap(), key);
    }
    assert!(fields(&[]).key("a").is_err());
}

proptest! {
    #[test]
    fn any_policy_is_read_or_refused(bytes: Vec<u8>, text: String) {
        let _ = (Policy::parse(&BASE64.encode(bytes)), Policy::parse(&text));
        let _ = policy(&json!([["eq", text.as_str(), text.as_str()]]));
    }

    #[test]
    fn any_fields_are_signed_by_somebody_nobody_or_are_refused(
        pairs in prop::collection::vec(
            (prop::sample::select(vec![
                "policy", "signature", "ossaccesskeyid", "awsaccesskeyid", "x-oss-signature-version",
                "x-oss-access-key-id", "x-oss-credential", "x-oss-date", "x-amz-credential", "x-amz-date", "x-amz-signature",
            ]), any::<String>()), 0..8),
    ) {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for dialect in [Dialect::Oss, Dialect::S3] {
            let _ = fields(&pairs).signed(dialect, "r");
        }
    }
}
