#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! The worked examples of the Amazon S3 API reference ("Authenticating Requests"): their request,
//! their key, their signature.

use base::Secret;
use bytes::Bytes;

use super::super::auth::{Auth, parse};
use super::super::chunked::Decoder;
use super::super::tests::{head, headers};
use super::super::{Dialect, Resource};
use super::*;

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn secret() -> Secret<String> {
    Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned())
}

fn now() -> Time {
    Time::parse_compact("20130524T000000Z").unwrap()
}

fn signed(method: &str, target: &str, pairs: &[(&str, &str)]) -> Signed {
    let headers = headers(pairs);
    let auth = parse(
        &head(method, target, &headers),
        Dialect::S3,
        &Resource::default(),
        "us-east-1",
        now(),
    );
    match auth.unwrap() {
        Auth::Signed(signed) => signed,
        Auth::Anonymous => panic!("the request is signed"),
    }
}

/// A request to the examples' bucket with a signature over `listed`.
fn check(
    method: &str,
    target: &str,
    extra: &[(&str, &str)],
    sha256: &str,
    listed: &str,
    signature: &str,
) {
    let value = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={listed},Signature={signature}"
    );
    let mut pairs = vec![
        ("host", "examplebucket.s3.amazonaws.com"),
        ("x-amz-content-sha256", sha256),
        ("x-amz-date", "20130524T000000Z"),
        ("authorization", &value),
    ];
    pairs.extend(extra);
    let signed = signed(method, target, &pairs);
    assert_eq!(signed.key_id, "AKIAIOSFODNN7EXAMPLE");
    signed.verify(&secret()).unwrap();
    assert!(signed.verify(&Secret::new("another".to_owned())).is_err());
}

#[test]
fn get_object_with_a_range() {
    let listed = "host;range;x-amz-content-sha256;x-amz-date";
    let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    check("GET", "/test.txt", &[("range", "bytes=0-9")], EMPTY, listed, signature);
}

#[test]
fn put_object_with_a_character_that_needs_encoding() {
    let sha256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
    let listed = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class";
    let signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
    let extra =
        [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    for target in ["/test$file.text", "/test%24file.text"] {
        check("PUT", target, &extra, sha256, listed, signature);
    }
}

#[test]
fn get_bucket_lifecycle_and_list() {
    let listed = "host;x-amz-content-sha256;x-amz-date";
    let lifecycle = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543";
    check("GET", "/?lifecycle", &[], EMPTY, listed, lifecycle);
    let list = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    check("GET", "/?max-keys=2&prefix=J", &[], EMPTY, listed, list);
    check("GET", "/?prefix=J&max-keys=2", &[], EMPTY, listed, list);
}

const PRESIGNED: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1\
    %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";

#[test]
fn presigned_get() {
    let target = format!("/test.txt?{PRESIGNED}");
    let signed = signed("GET", &target, &[("host", "examplebucket.s3.amazonaws.com")]);
    assert!(signed.presigned);
    signed.verify(&secret()).unwrap();
}

#[test]
fn our_own_url_is_that_of_the_example() {
    let secret = secret();
    let signer = Signer {
        key_id: "AKIAIOSFODNN7EXAMPLE",
        secret: &secret,
        token: None,
        region: "us-east-1",
        now: now(),
    };
    let draft =
        Draft { method: "GET", path: "/test.txt", query: "", resource: Resource::default() };
    let headers = headers(&[("host", "examplebucket.s3.amazonaws.com")]);
    assert_eq!(presign(&signer, &draft, &headers, Duration::from_secs(86_400)), PRESIGNED);
}

/// The head of the two streaming examples; answers what the body decodes to.
fn streamed(
    form: &str,
    listed: &str,
    seed: &str,
    extra: &[(&str, &str)],
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let value = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={listed},Signature={seed}"
    );
    let mut pairs = vec![
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", form),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("authorization", &value),
    ];
    pairs.extend(extra);
    let signed = signed("PUT", "/examplebucket/chunkObject.txt", &pairs);
    let key = signed.verify(&secret())?;
    let mut decoder = Decoder::new(signed.payload, Some(66_560), key)?.unwrap();
    let mut out = Vec::new();
    for piece in body.chunks(7919) {
        decoder.feed(Bytes::copy_from_slice(piece), &mut out)?;
    }
    decoder.finish()?;
    Ok(out.concat())
}

fn framed(signatures: [&str; 3], end: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (len, signature) in [65_536usize, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{len:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend_from_slice(&vec![b'a'; len]);
        if len > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(end.as_bytes());
    body
}

#[test]
fn put_object_in_signed_chunks() {
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let body = framed(signatures, "\r\n");
    assert_eq!(body.len(), 66_824);
    let decode = |body: &[u8]| {
        streamed(
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
            "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
            &[("content-length", "66824")],
            body,
        )
    };
    assert_eq!(decode(&body).unwrap(), vec![b'a'; 66_560]);
    let mut changed = body.clone();
    changed[66_000] = b'b';
    assert_eq!(decode(&changed).unwrap_err().code(), "SignatureDoesNotMatch");
    assert_eq!(decode(&body[..60_000]).unwrap_err().code(), "IncompleteBody");
}

#[test]
fn put_object_in_signed_chunks_with_a_trailing_checksum() {
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let decode = |end: &str| {
        streamed(
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
            &[("x-amz-trailer", "x-amz-checksum-crc32c")],
            &framed(signatures, end),
        )
    };
    let signature =
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    for end in [
        format!("x-amz-checksum-crc32c:sOO8/Q==\r\n{signature}\r\n\r\n"),
        format!("x-amz-checksum-crc32c:sOO8/Q==\n\r\n{signature}\r\n\r\n"),
    ] {
        assert_eq!(decode(&end).unwrap(), vec![b'a'; 66_560]);
    }
    let changed = format!("x-amz-checksum-crc32c:sOO8/R==\r\n{signature}\r\n\r\n");
    assert_eq!(decode(&changed).unwrap_err().code(), "SignatureDoesNotMatch");
    assert_eq!(
        decode("x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n").unwrap_err().code(),
        "MalformedTrailerError"
    );
}

#[test]
fn signed_headers_are_sorted_and_each_named_once() {
    let check = |listed: &str| {
        let headers = headers(&[("host", "a"), ("x-amz-date", "20130524T000000Z")]);
        check_coverage(&headers, listed).map_err(|refused| refused.code().to_owned())
    };
    assert_eq!(check("host;x-amz-date"), Ok(()));
    for listed in ["host;host;x-amz-date", "x-amz-date;host", "host;x-amz-date;x-amz-date"] {
        assert_eq!(check(listed), Err("AccessDenied".to_owned()), "{listed}");
    }
}
