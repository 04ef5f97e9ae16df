#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;

use super::*;

fn key() -> ChunkKey {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a signing key");
    ChunkKey::new(
        key,
        "20260102T030405Z".to_owned(),
        "20260102/r/s3/aws4_request".to_owned(),
        "00".repeat(32),
    )
}

impl ChunkKey {
    /// Signs, as a client does; the next one continues from it.
    fn sign(&mut self, text: &str) -> String {
        self.previous = hex(hmac::sign(&self.key, text.as_bytes()).as_ref());
        self.previous.clone()
    }
}

const SIGNED: Payload = Payload::StreamingSigned { trailer: false };
const SIGNED_TRAILER: Payload = Payload::StreamingSigned { trailer: true };

/// The body that a client would send.
fn encode(payload: Payload, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut key = (payload != Payload::StreamingUnsignedTrailer).then(key);
    let mut out = Vec::new();
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()).chain([&Vec::new()]) {
        out.extend_from_slice(format!("{:x}", chunk.len()).as_bytes());
        if let Some(key) = &mut key {
            let text = key.chunk_text(&hex(digest::digest(&digest::SHA256, chunk).as_ref()));
            out.extend_from_slice(format!(";chunk-signature={}", key.sign(&text)).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(chunk);
        if !chunk.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
    }
    if payload != SIGNED {
        out.extend_from_slice(b"x-amz-checksum-crc32:AAAAAA==\r\n");
    }
    if let Some(key) = key.as_mut().filter(|_| payload == SIGNED_TRAILER) {
        let digest = digest::digest(&digest::SHA256, b"x-amz-checksum-crc32:AAAAAA==\n");
        let text = key.trailer_text(&hex(digest.as_ref()));
        out.extend_from_slice(
            format!("x-amz-trailer-signature:{}\r\n", key.sign(&text)).as_bytes(),
        );
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What the body decodes to when it comes in pieces of these lengths (in turn).
fn decode(
    payload: Payload,
    body: &[u8],
    declared: Option<u64>,
    cuts: &[usize],
) -> Result<(Vec<u8>, Trailers), ApiError> {
    let key = (payload != Payload::StreamingUnsignedTrailer).then(key);
    let mut decoder = Decoder::new(payload, declared, key)?.unwrap();
    let mut out = Vec::new();
    let mut rest = Bytes::copy_from_slice(body);
    for cut in cuts.iter().chain([&body.len()]).cycle() {
        if rest.is_empty() {
            break;
        }
        let piece = rest.split_to((*cut).clamp(1, rest.len()));
        decoder.feed(piece, &mut out)?;
        assert!(decoder.line.capacity() <= 2 * LINE_BYTES_MAX);
    }
    Ok((out.concat(), decoder.finish()?))
}

fn check(payload: Payload, body: &str, declared: Option<u64>, expect: &str) {
    let got = match decode(payload, body.as_bytes(), declared, &[]) {
        Ok((bytes, _)) => String::from_utf8(bytes).unwrap(),
        Err(refused) => refused.code().to_owned(),
    };
    assert_eq!(got, expect, "{body:?}");
}

#[test]
fn an_unsigned_body_with_a_trailer_is_read() {
    // As botocore 1.44.5 writes it.
    let body = "20\r\nhello hello hello hello hello he\r\n1c\r\nllo hello hello hello hello \r\n0\r\nx-amz-checksum-crc32:WdBN5A==\r\n\r\n";
    for cut in 1..body.len() {
        let (bytes, trailers) =
            decode(Payload::StreamingUnsignedTrailer, body.as_bytes(), Some(60), &[cut]).unwrap();
        assert_eq!(bytes, b"hello ".repeat(10));
        assert_eq!(trailers.get("x-amz-checksum-crc32"), Some("WdBN5A=="));
        assert_eq!(trailers.iter().count(), 1);
    }
}

#[test]
fn broken_frames_are_refused() {
    let check = |body: &str, declared, expect: &str| {
        check(Payload::StreamingUnsignedTrailer, body, declared, expect)
    };
    check("0\r\n\r\n", Some(0), "");
    check("0\r\n", None, "");
    check("2\r\nhi\r\n0\r\n\r\n", Some(2), "hi");
    check("2\nhi\n0\n\n", Some(2), "hi");
    check("", None, "IncompleteBody");
    check("2\r\nhi\r\n", None, "IncompleteBody");
    check("2\r\nh", None, "IncompleteBody");
    check("2\r\nhi\r\n0\r\n\r\n", Some(3), "IncompleteBody");
    check("2\r\nhi\r\n0\r\n\r\n", Some(1), "IncompleteBody");
    check("ffffffffffffffff\r\nhi", Some(2), "IncompleteBody");
    check("2\r\nhi!\r\n0\r\n\r\n", None, "InvalidRequest");
    check("x\r\nhi\r\n", None, "InvalidRequest");
    check("+2\r\nhi\r\n", None, "InvalidRequest");
    check("\r\n", None, "InvalidRequest");
    check("10000000000000000\r\n", None, "InvalidRequest");
    check(&"1".repeat(LINE_BYTES_MAX + 1), None, "InvalidRequest");
    check("0\r\n\r\nmore", None, "InvalidRequest");
    check("0\r\nno colon\r\n\r\n", None, "MalformedTrailerError");
    check(
        &format!("0\r\n{}\r\n", "a:b\r\n".repeat(TRAILERS_MAX + 1)),
        None,
        "MalformedTrailerError",
    );
    check("0\r\na:b", None, "IncompleteBody");
}

#[test]
fn signed_frames_need_their_signatures() {
    check(SIGNED, "0\r\n\r\n", None, "InvalidRequest");
    check(SIGNED, "0;chunk-signature=00\r\n\r\n", None, "SignatureDoesNotMatch");
    assert!(Decoder::new(SIGNED, None, None).is_err());
    assert!(Decoder::new(Payload::Unsigned, None, None).unwrap().is_none());
    let with_trailer =
        String::from_utf8(encode(SIGNED, &[])).unwrap().replace("\r\n\r\n", "\r\na:b\r\n\r\n");
    check(SIGNED, &with_trailer, None, "MalformedTrailerError");
    // The data of two chunks that were signed in another order.
    let body = String::from_utf8(encode(SIGNED, &[b"aa".to_vec(), b"bb".to_vec()])).unwrap();
    check(SIGNED, &body, Some(4), "aabb");
    check(
        SIGNED,
        &body.replace("aa\r\n", "??\r\n").replace("bb\r\n", "aa\r\n"),
        Some(4),
        "SignatureDoesNotMatch",
    );
}

fn payloads() -> impl Strategy<Value = Payload> {
    prop::sample::select(vec![SIGNED, SIGNED_TRAILER, Payload::StreamingUnsignedTrailer])
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)
}

proptest! {
    #[test]
    fn what_was_framed_comes_back_however_it_is_cut(
        payload in payloads(),
        chunks in chunks(),
        cuts in prop::collection::vec(1..70usize, 1..8),
        declare: bool,
    ) {
        let whole = chunks.concat();
        let body = encode(payload, &chunks);
        let (bytes, trailers) = decode(payload, &body, declare.then_some(whole.len() as u64), &cuts).unwrap();
        prop_assert_eq!(bytes, whole);
        let expect = (payload != SIGNED).then_some("AAAAAA==");
        prop_assert_eq!(trailers.get("x-amz-checksum-crc32"), expect);
    }

    #[test]
    fn a_flipped_bit_of_a_signed_body_is_found(chunks in chunks(), at: prop::sample::Index, bit in 0..8u32, trailer: bool) {
        let payload = Payload::StreamingSigned { trailer };
        let mut body = encode(payload, &chunks);
        let whole = chunks.concat();
        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        // What changes neither data nor trailing headers (the letter case of a hexadecimal digit or of a
        // name, white space) may pass.
        if let Ok((bytes, trailers)) = decode(payload, &body, Some(whole.len() as u64), &[]) {
            prop_assert_eq!(bytes, whole);
            prop_assert_eq!(trailers.get("x-amz-checksum-crc32"), trailer.then_some("AAAAAA=="));
        }
    }

    #[test]
    fn a_shortened_body_is_never_whole(payload in payloads(), chunks in chunks(), at: prop::sample::Index) {
        let body = encode(payload, &chunks);
        let whole = chunks.concat();
        // The last line end may be missing.
        let cut = at.index(body.len() - 2);
        if let Ok((bytes, _)) = decode(payload, &body[..cut], Some(whole.len() as u64), &[]) {
            prop_assert_eq!(bytes, whole);
            prop_assert_eq!(payload, Payload::StreamingUnsignedTrailer);
        }
    }

    #[test]
    fn any_bytes_are_taken_without_panic(payload in payloads(), body: Vec<u8>, cut in 1..20usize) {
        let _ = decode(payload, &body, None, &[cut]);
    }

    #[test]
    fn any_text_is_taken_without_panic(payload in payloads(), body in "([0-9a-f]{0,3}(;chunk-signature=00)?\r?\n?){0,9}") {
        let _ = decode(payload, body.as_bytes(), None, &[]);
    }
}
