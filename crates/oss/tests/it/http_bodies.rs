//! Bodies that are framed, checked, cut short or lied about; and requests that are barely requests.

use std::io::{Read, Write};

use base::text::hex;
use ring::{digest, hmac};

use super::http_client::{Answer, Ask, REGION, Server, Sign, check};

const STREAMING: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

fn nothing_is_stored(server: &Server, key: &str) {
    server.ask("GET", &format!("/pemilu/{key}")).send(Sign::OssV4).refused(404, "NoSuchKey");
    let stat = server.ask("GET", "/pemilu?stat").send(Sign::OssV4);
    assert_eq!(stat.element("Storage"), "0");
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

/// Frames a body in chunks, each signed from the signature before.
fn chunked(ask: &Ask<'_>, chunks: &[&[u8]]) -> Vec<u8> {
    let moment = ask.header_value("x-amz-date");
    let day = &moment[..8];
    let secret = format!("AWS4{}-secret", ask.caller.key_id);
    let key = [day, REGION, "s3", "aws4_request"]
        .iter()
        .fold(secret.into_bytes(), |key, text| mac(&key, text));
    let mut previous = ask.header_value("authorization").rsplit_once('=').unwrap().1.to_owned();
    let mut body = Vec::new();
    for chunk in chunks.iter().copied().chain([&b""[..]]) {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{moment}\n{day}/{REGION}/s3/aws4_request\n{previous}\n{}\n{}",
            sha256(b""),
            sha256(chunk)
        );
        previous = hex(&mac(&key, &text));
        body.extend_from_slice(
            format!("{:x};chunk-signature={previous}\r\n", chunk.len()).as_bytes(),
        );
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body
}

/// Sends chunks after `spoil` had its way with the framed body.
fn stream(
    server: &Server,
    key: &str,
    declared: usize,
    chunks: &[&[u8]],
    spoil: impl Fn(&mut Vec<u8>),
) -> Answer {
    // The length of the frame does not depend on the signatures.
    let length = chunked_length(chunks);
    let ask = server
        .ask("PUT", &format!("/pemilu/{key}"))
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", &declared.to_string())
        .header("content-length", &length.to_string())
        .payload(STREAMING)
        .signed(Sign::S3);
    let mut body = chunked(&ask, chunks);
    assert_eq!(body.len(), length);
    spoil(&mut body);
    server.raw(&[ask.head(), body].concat())
}

fn chunked_length(chunks: &[&[u8]]) -> usize {
    let frame = |len: usize| format!("{len:x};chunk-signature=").len() + 64 + 4;
    chunks.iter().map(|chunk| frame(chunk.len()) + chunk.len()).sum::<usize>() + frame(0)
}

#[test]
fn an_upload_in_signed_chunks_is_stored_without_its_frame() {
    check(|server| {
        let done = stream(server, "s", 70_005, &[&[b'a'; 70_000], b"tail!"], |_| {});
        assert_eq!(done.status, 200, "{done:?}");
        let got = server.ask("GET", "/pemilu/s").send(Sign::OssV4);
        assert_eq!((got.body.len(), &got.body[69_999..]), (70_005, &b"atail!"[..]));
        assert_eq!(got.header("content-encoding"), None);
    });
}

#[test]
fn a_tampered_chunk_is_refused_and_nothing_is_stored() {
    check(|server| {
        let refused = stream(server, "t", 70_005, &[&[b'a'; 70_000], b"tail!"], |body| {
            let at = body.len() / 2;
            body[at] ^= 1;
        });
        refused.refused(403, "SignatureDoesNotMatch");
        nothing_is_stored(server, "t");
    });
}

#[test]
fn a_body_is_as_long_as_was_declared_or_refused() {
    check(|server| {
        for declared in [4, 6] {
            stream(server, "d", declared, &[b"12345"], |_| {}).refused(400, "IncompleteBody");
        }
        for sign in [Sign::OssV4, Sign::S3] {
            let cut = server.ask("PUT", "/pemilu/d").header("content-length", "10").signed(sign);
            let mut connection = server.connect();
            connection.write_all(&[cut.head(), b"12345".to_vec()].concat()).unwrap();
            connection.shutdown(std::net::Shutdown::Write).unwrap();
            let mut rest = Vec::new();
            let _ = connection.read_to_end(&mut rest);
        }
        nothing_is_stored(server, "d");
    });
}

#[test]
fn a_checksum_in_a_trailer_is_compared_kept_and_told() {
    check(|server| {
        let send = |key: &str, sum: &str| {
            let body = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{sum}\r\n\r\n");
            let ask = server
                .ask("PUT", &format!("/pemilu/{key}"))
                .header("x-amz-decoded-content-length", "5")
                .header("x-amz-trailer", "x-amz-checksum-crc32");
            ask.payload(UNSIGNED_TRAILER).body(body).send(Sign::S3)
        };
        let done = send("sum", "NhCmhg==");
        assert_eq!(
            (done.status, done.header("x-amz-checksum-crc32")),
            (200, Some("NhCmhg==")),
            "{done:?}"
        );
        let got = server
            .ask("GET", "/pemilu/sum")
            .header("x-amz-checksum-mode", "ENABLED")
            .send(Sign::S3);
        assert_eq!(got.header("x-amz-checksum-crc32"), Some("NhCmhg=="));
        assert_eq!(got.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
        assert_eq!(server.ask("DELETE", "/pemilu/sum").send(Sign::S3).status, 204);
        send("wrong", "AAAAAA==").refused(400, "BadDigest");
        nothing_is_stored(server, "wrong");
    });
}

#[test]
fn a_wrong_digest_is_refused_in_each_dialects_words() {
    check(|server| {
        let put = || server.ask("PUT", "/pemilu/d").body("hello");
        let wrong = "XrY7u+Ae7tCTyyK7j1rNww==";
        put().header("content-md5", wrong).send(Sign::OssV4).refused(400, "InvalidDigest");
        put().header("content-md5", wrong).send(Sign::S3).refused(400, "BadDigest");
        put().header("content-md5", "nonsense").send(Sign::S3).refused(400, "InvalidDigest");
        put().header("x-oss-hash-crc64ecma", "1").send(Sign::OssV4).refused(400, "InvalidDigest");
        put().payload(&sha256(b"other")).send(Sign::S3).refused(400, "XAmzContentSHA256Mismatch");
        nothing_is_stored(server, "d");
        let right =
            put().header("content-md5", "XUFAKrxLKna5cZ2REBfFkg==").payload(&sha256(b"hello"));
        assert_eq!(right.send(Sign::S3).status, 200);
    });
}

#[test]
fn a_body_without_a_length_comes_in_chunks() {
    check(|server| {
        let ask = || server.ask("PUT", "/pemilu/l").header("transfer-encoding", "chunked");
        let send = |ask: Ask<'_>, sign| {
            let ask = ask.signed(sign);
            server.raw(&[ask.head(), b"5\r\nhello\r\n0\r\n\r\n".to_vec()].concat())
        };
        for sign in [Sign::S3, Sign::OssV4] {
            assert_eq!(send(ask(), sign).status, 200);
            assert_eq!(server.ask("GET", "/pemilu/l").send(Sign::S3).text(), "hello");
        }
        let bare = server.ask("PUT", "/pemilu/l").signed(Sign::S3);
        server.raw(&bare.head()).refused(411, "MissingContentLength");
    });
}

#[test]
fn a_large_body_streams_both_ways() {
    check(|server| {
        let body: Vec<u8> = (0..9_000_000u32).map(|at| (at / 7).to_le_bytes()[0]).collect();
        assert_eq!(
            server.ask("PUT", "/pemilu/big").body(body.clone()).send(Sign::OssV4).status,
            200
        );
        let got = server.ask("GET", "/pemilu/big").send(Sign::S3);
        assert_eq!(got.header("content-length"), Some("9000000"));
        assert!(got.body == body);
    });
}

#[test]
fn who_sends_a_large_body_in_vain_still_reads_why() {
    check(|server| {
        let stranger = testkit::root(7);
        let ask = server.ask("PUT", "/pemilu/v").by(&stranger).body(vec![0; 8 << 20]);
        ask.send(Sign::OssV4).refused(403, "InvalidAccessKeyId");
    });
}

#[test]
fn who_asks_before_sending_is_told_before_sending() {
    check(|server| {
        let expect = |caller: &engine::Caller| {
            let ask = server.ask("PUT", "/pemilu/e").by(caller).header("expect", "100-continue");
            ask.header("content-length", "5").signed(Sign::S3).head()
        };
        server.raw(&expect(&testkit::root(7))).refused(403, "InvalidAccessKeyId");
        let mut connection = server.connect();
        connection.write_all(&expect(&server.owner)).unwrap();
        assert_eq!(Answer::read(&mut connection, false).status, 100);
        connection.write_all(b"hello").unwrap();
        assert_eq!(Answer::read(&mut connection, false).status, 200);
    });
}

#[test]
fn dots_in_a_key_never_leave_the_bucket() {
    check(|server| {
        for key in ["..", "../up", "a/../b", "a/./b", "%2e%2e/up", "a/%2E%2E", "..%2Fup"] {
            let put = |sign| server.ask("PUT", &format!("/pemilu/{key}")).body("x").send(sign);
            put(Sign::OssV4).refused(400, "InvalidObjectName");
            put(Sign::S3).refused(400, "InvalidURI");
        }
        let copied = server
            .ask("PUT", "/pemilu/a")
            .header("x-oss-copy-source", "/pemilu/..%2F..%2Fetc")
            .body("");
        copied.send(Sign::OssV4).refused(400, "InvalidObjectName");
        nothing_is_stored(server, "a");
    });
}

#[test]
fn what_is_hardly_a_request_gets_an_answer_in_xml() {
    check(|server| {
        let flood =
            format!("GET / HTTP/1.1\r\nhost: x\r\nx-flood: {}\r\n\r\n", "a".repeat(1 << 20));
        let refused = server.raw(flood.as_bytes());
        assert!(matches!(refused.status, 400 | 431), "{refused:?}");
        assert!(
            refused.element("Code") == "InvalidRequest" && refused.element("RequestId").len() == 24
        );
        let refused = server.raw(b"NONSENSE\r\n\r\n");
        assert_eq!((refused.status, refused.element("Code").as_str()), (400, "InvalidRequest"));
    });
}

#[test]
fn a_connection_serves_one_request_after_another() {
    check(|server| {
        let mut connection = server.connect();
        for round in 0..20 {
            let put = server
                .ask("PUT", "/pemilu/again")
                .body(format!("round {round}"))
                .signed(Sign::OssV4);
            connection
                .write_all(&[put.head(), format!("round {round}").into_bytes()].concat())
                .unwrap();
            assert_eq!(Answer::read(&mut connection, false).status, 200);
            connection
                .write_all(&server.ask("GET", "/pemilu/again").signed(Sign::S3).head())
                .unwrap();
            assert_eq!(Answer::read(&mut connection, false).text(), format!("round {round}"));
            connection
                .write_all(&server.ask("HEAD", "/pemilu/gone").signed(Sign::S3).head())
                .unwrap();
            assert_eq!(Answer::read(&mut connection, true).status, 404);
        }
    });
}
