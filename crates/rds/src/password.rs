//! What a server checks a password with. Passwords come in, verifiers go out; nothing here keeps either.

use std::num::NonZeroU32;

use base::Rng;
use base::text::hex_upper;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use crate::model::Engine;

/// As many rounds as PostgreSQL itself takes, so that logins cost what they cost everywhere.
const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).expect("it is not zero");

/// What `engine` stores of a password, under a new salt where it takes one.
pub fn verifier(engine: Engine, password: &str, rng: &dyn Rng) -> String {
    match engine {
        Engine::Postgres => scram(password, &rng.bytes::<16>(), ROUNDS),
        Engine::MariaDb => native(password),
    }
}

/// PostgreSQL's form of a SCRAM-SHA-256 verifier (RFC 5803, RFC 7677):
/// `SCRAM-SHA-256$<rounds>:<salt>$<StoredKey>:<ServerKey>`.
///
/// Takes ASCII without control characters, which is what [`acceptable`] lets through: `SASLprep` (RFC 4013) changes
/// nothing of it.
pub fn scram(password: &str, salt: &[u8], rounds: NonZeroU32) -> String {
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, password.as_bytes(), &mut salted);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
    let client = hmac::sign(&key, b"Client Key");
    let stored = digest::digest(&digest::SHA256, client.as_ref());
    let server = hmac::sign(&key, b"Server Key");
    let [salt, stored, server] =
        [salt, stored.as_ref(), server.as_ref()].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256${rounds}:{salt}${stored}:{server}")
}

/// MariaDB's `mysql_native_password`: `*` and SHA-1 of SHA-1, upper-case hexadecimal.
fn native(password: &str) -> String {
    let sha1 = |bytes: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    format!("*{}", hex_upper(sha1(sha1(password.as_bytes()).as_ref()).as_ref()))
}

/// Whether a password is one that accounts may have: 8 to 32 visible ASCII characters, of three at least of the
/// four kinds (upper case, lower case, digits, others), and not the name of its account.
pub fn acceptable(password: &str, account: &str) -> bool {
    let kinds: [fn(&u8) -> bool; 4] = [
        u8::is_ascii_uppercase,
        u8::is_ascii_lowercase,
        u8::is_ascii_digit,
        u8::is_ascii_punctuation,
    ];
    let bytes = password.as_bytes();
    (8..=32).contains(&bytes.len())
        && bytes.iter().all(u8::is_ascii_graphic)
        && kinds.iter().filter(|kind| bytes.iter().any(kind)).count() >= 3
        && !password.eq_ignore_ascii_case(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3: what its client proves and its server signs follows from this verifier.
    #[test]
    fn a_scram_verifier_is_that_of_the_exchange_in_rfc_7677() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("it is base64");
        let verifier = scram("pencil", &salt, ROUNDS);
        let text = verifier.strip_prefix("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$");
        let (stored, server) = text.and_then(|keys| keys.split_once(':')).expect("two keys");
        let [stored, server] = [stored, server].map(|key| STANDARD.decode(key).expect("base64"));
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let sign =
            |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let client: Vec<u8> = proof
            .expect("base64")
            .iter()
            .zip(sign(&stored).as_ref())
            .map(|(proof, signature)| proof ^ signature)
            .collect();
        assert_eq!(digest::digest(&digest::SHA256, &client).as_ref(), stored);
        let signature = STANDARD.encode(sign(&server).as_ref());
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_mariadb_hash_is_what_its_password_function_answers() {
        assert_eq!(native("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn every_verifier_has_a_salt_of_its_own() {
        let one = verifier(Engine::Postgres, "Rahasia-2026", &base::SystemRng);
        let other = verifier(Engine::Postgres, "Rahasia-2026", &base::SystemRng);
        assert_ne!(one, other);
        assert!(!one.contains("Rahasia"));
    }

    #[test]
    fn passwords_have_a_length_three_kinds_and_are_not_the_name() {
        for good in ["Rahasia1", "rahasia-1", "RAHASIA_1", "Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!"] {
            assert!(acceptable(good, "app"), "{good}");
        }
        let long = "Aa1!".repeat(9);
        for bad in
            ["", "Aa1!", "rahasia12", "RAHASIA-", "Rahasia 1", "Rahasiaé1", "Rahasia\u{7f}1", &long]
        {
            assert!(!acceptable(bad, "app"), "{bad}");
        }
        assert!(!acceptable("Aplikasi1", "aplikasi1"));
    }
}
