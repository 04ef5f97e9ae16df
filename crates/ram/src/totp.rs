//! Time-based one-time passwords (RFC 6238 over RFC 4226: HMAC-SHA1, six digits, 30 seconds), and
//! Base32 (RFC 4648) for the seeds that people type.

use base::Time;
use ring::hmac::{self, HMAC_SHA1_FOR_LEGACY_USE_ONLY};

const STEP_SECS: i64 = 30;

/// How many steps a device's clock may be off, either way.
const DRIFT_STEPS: i64 = 2;

/// The length of a seed, bytes: that of the hash, as RFC 4226 recommends.
pub(crate) const SEED_LEN: usize = 20;

/// The code of one step.
fn code(seed: &hmac::Key, step: i64) -> u32 {
    let tag = hmac::sign(seed, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let word = u32::from_be_bytes([tag[at], tag[at + 1], tag[at + 2], tag[at + 3]]);
    (word & 0x7FFF_FFFF) % 1_000_000
}

/// Whether two codes are those of two steps in a row, about now.
pub(crate) fn verify_pair(seed: &[u8], first: &str, second: &str, now: Time) -> bool {
    let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let step = now.secs().div_euclid(STEP_SECS);
    let given = format!("{first} {second}");
    // Every step is tried and compared as a tag: what the time tells is not which code was near.
    let tries = (step - DRIFT_STEPS - 1..=step + DRIFT_STEPS).map(|step| {
        let expected = format!("{:06} {:06}", code(&key, step), code(&key, step + 1));
        let tag = hmac::sign(&key, expected.as_bytes());
        hmac::verify(&key, given.as_bytes(), tag.as_ref()).is_ok()
    });
    tries.fold(false, |found, matches| found | matches)
}

/// Base32 without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let mut word = [0; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        for digit in 0..(chunk.len() * 8).div_ceil(5) {
            out.push(char::from(ALPHABET[(word >> (35 - 5 * digit)) as usize & 31]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B (the last six digits of its eight).
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"12345678901234567890");
        for (secs, expected) in [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_234_567_890, 5_924),
            (20_000_000_000, 353_130),
        ] {
            assert_eq!(code(&key, secs / STEP_SECS), expected);
        }
    }

    #[test]
    fn two_codes_in_a_row_are_taken_near_their_time_only() {
        let seed = b"12345678901234567890";
        let key = hmac::Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
        let at = |step: i64| format!("{:06}", code(&key, step));
        let now = Time::from_secs(1_000 * STEP_SECS);
        let check = |one: i64, other: i64| verify_pair(seed, &at(one), &at(other), now);
        assert!(check(999, 1000) && check(1000, 1001) && check(997, 998) && check(1002, 1003));
        assert!(!check(1000, 1000) && !check(1001, 1000) && !check(996, 997) && !check(1003, 1004));
        assert!(!verify_pair(seed, "", "", now));
    }

    /// RFC 4648, section 10.
    #[test]
    fn base32_is_that_of_the_standard() {
        for (plain, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }
}
