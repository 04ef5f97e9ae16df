#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use base::text::hex;
use proptest::prelude::*;

use super::*;

fn of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[test]
fn the_check_values_of_the_algorithms_are_met() {
    let check = |algorithm, expect: &str| assert_eq!(hex(&of(algorithm, b"123456789")), expect);
    check(Algorithm::Crc32, "cbf43926");
    check(Algorithm::Crc32c, "e3069283");
    check(Algorithm::Crc64Nvme, "ae8b14860a799888");
    check(Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
    check(Algorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    assert_eq!(crc64(b"123456789"), 0x995d_c9bb_df19_39fa);
    let mut md5 = Md5::default();
    md5.update(b"123456789");
    assert_eq!(hex(&md5.finish()), "25f9e794323b453885f5181f1b624d0b");
}

#[test]
fn names_headers_and_values_are_told_apart() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(&algorithm.name().to_lowercase()), Some(algorithm));
        assert_eq!(Algorithm::from_header(&algorithm.header().to_uppercase()), Some(algorithm));
        let value = of(algorithm, b"x");
        assert_eq!(value.len(), algorithm.bytes());
        assert_eq!(algorithm.parse(&base64(&value)).unwrap(), value);
        for wrong in ["", "AA==", "not base64!"] {
            assert_eq!(algorithm.parse(wrong).unwrap_err().code(), "BadDigest");
        }
    }
    assert_eq!(Algorithm::from_name("MD5"), None);
    assert_eq!(parse_content_md5("XUFAKrxLKna5cZ2REBfFkg==").unwrap()[0], 0x5d);
    for wrong in ["", "YWJj", "XUFAKrxLKna5cZ2REBfFkg"] {
        assert_eq!(parse_content_md5(wrong).unwrap_err().code(), "InvalidDigest");
    }
}

proptest! {
    #[test]
    fn the_checksum_of_two_pieces_is_that_of_the_whole(first: Vec<u8>, second: Vec<u8>) {
        let whole = [first.as_slice(), &second].concat();
        let len = second.len() as u64;
        prop_assert_eq!(crc64_combine(crc64(&first), crc64(&second), len), crc64(&whole));
        let mut pieces = Crc64::default();
        pieces.update(&first);
        pieces.update(&second);
        prop_assert_eq!(pieces.value(), crc64(&whole));
        for algorithm in Algorithm::ALL {
            let combined = algorithm.combine(&of(algorithm, &first), &of(algorithm, &second), len);
            let is_crc = !matches!(algorithm, Algorithm::Sha1 | Algorithm::Sha256);
            prop_assert_eq!(combined, is_crc.then(|| of(algorithm, &whole)));
        }
    }
}
