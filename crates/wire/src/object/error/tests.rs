#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::xml;
use super::*;

fn text(dialect: Dialect, refused: &ApiError) -> String {
    String::from_utf8(render(dialect, refused, "REQ", "host", "/b/k").bytes).unwrap()
}

#[test]
fn each_dialect_has_its_own_body() {
    let refused = NO_SUCH_KEY.error("No <such> key.").field("Key", "a&b");
    assert_eq!(
        text(Dialect::Oss, &refused),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>No &lt;such&gt; key.</Message>\
         <RequestId>REQ</RequestId><HostId>host</HostId><Key>a&amp;b</Key><EC>0026-00000001</EC></Error>"
    );
    assert_eq!(
        text(Dialect::S3, &refused),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>No &lt;such&gt; key.</Message>\
         <Key>a&amp;b</Key><Resource>/b/k</Resource><RequestId>REQ</RequestId><HostId>host</HostId></Error>"
    );
    let body = render(Dialect::Oss, &refused, "", "", "");
    assert_eq!((body.status, body.content_type), (404, "application/xml"));
    assert!(head_header(&body).starts_with("PD94bWwg"));
}

#[test]
fn codes_of_the_shared_path_are_said_in_the_dialects_words() {
    for (code, oss, s3) in [
        (&code::FORBIDDEN_RAM, "403 AccessDenied", "403 AccessDenied"),
        (&code::NO_PERMISSION, "403 AccessDenied", "403 AccessDenied"),
        (&code::NO_AGREEMENT, "403 Forbidden.NoAgreement", "403 Forbidden.NoAgreement"),
        (&code::ACCOUNT_SUSPENDED, "403 UserDisable", "403 AccountProblem"),
        (&code::INVALID_KEY, "403 InvalidAccessKeyId", "403 InvalidAccessKeyId"),
        (&code::INACTIVE_KEY, "403 InvalidAccessKeyId", "403 InvalidAccessKeyId"),
        (&code::TOKEN_EXPIRED, "403 SecurityTokenExpired", "400 ExpiredToken"),
        (&code::TOKEN_MALFORMED, "403 InvalidSecurityToken", "400 InvalidToken"),
        (&code::SIGNATURE_MISMATCH, "403 SignatureDoesNotMatch", "403 SignatureDoesNotMatch"),
        (&code::THROTTLED, "503 QpsLimitExceeded", "503 SlowDown"),
        (&code::QUOTA_EXCEEDED, "403 QuotaExceeded", "403 QuotaExceeded"),
        (&code::INTERNAL_ERROR, "500 InternalError", "500 InternalError"),
        (&code::UNAVAILABLE, "503 ServiceUnavailable", "503 ServiceUnavailable"),
        (&code::INVALID_PARAMETER, "400 InvalidArgument", "400 InvalidArgument"),
        (&NO_SUCH_UPLOAD, "404 NoSuchUpload", "404 NoSuchUpload"),
    ] {
        for (dialect, expect) in [(Dialect::Oss, oss), (Dialect::S3, s3)] {
            let refused = ApiError::new(code);
            let (name, status) = words(dialect, &refused);
            assert_eq!(format!("{status} {name}"), expect);
            assert_eq!(render(dialect, &refused, "", "", "").status, status);
        }
    }
    let suffixed = ApiError::new(&code::INVALID_PARAMETER).suffix("RegionId");
    assert_eq!(words(Dialect::S3, &suffixed).0, "InvalidArgument");
}

#[test]
fn every_code_is_found_once_and_renders_to_xml() {
    let mut names: Vec<&str> = ALL.iter().map(|code| code.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    for code in ALL {
        // Some clients search whole bodies for the codes that they expect.
        assert!(ALL.iter().all(|other| !code.message.contains(other.name)), "{}", code.name);
        for dialect in [Dialect::Oss, Dialect::S3] {
            let (body, refused) = (text(dialect, &ApiError::new(code)), ApiError::new(code));
            // S3 has no word of its own for what a retention keeps.
            let kept = dialect == Dialect::S3 && code.name == FILE_IMMUTABLE.name;
            let (name, status) =
                if kept { ("AccessDenied", 403) } else { (code.name, code.status) };
            assert_eq!(words(dialect, &refused), (Cow::Borrowed(name), status));
            let root = xml::read(body.as_bytes(), "Error", usize::MAX).unwrap();
            assert_eq!(
                (root.need("Code").unwrap(), root.need("Message").unwrap()),
                (name, code.message)
            );
            assert_eq!(root.text_of("EC").map(str::len), (dialect == Dialect::Oss).then_some(13));
        }
    }
}
