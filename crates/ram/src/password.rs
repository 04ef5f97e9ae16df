//! Passwords: PBKDF2 (RFC 8018) with a salt for each user.
//!
//! How many may be hashed is the business of `password_throttle`.

use std::num::NonZeroU32;

use base::{ApiError, Rng};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA512};

/// The function of new passwords, as it is stored with them. SHA-512 because OWASP asks a third of the
/// rounds of SHA-256 for it: as fast here where the processor has instructions for SHA-256, and
/// faster where it has none.
const ALGORITHM: &str = "PBKDF2-HMAC-SHA512";
/// Rounds for new passwords: what OWASP recommends for this function.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(210_000).expect("it is not zero");

/// A password as it is stored: with what it takes to check it after the constants have changed.
pub(crate) struct Hashed {
    pub(crate) algorithm: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) hash: Vec<u8>,
}

impl Hashed {
    /// Hashes a password. Takes about a tenth of a second, by design.
    pub(crate) fn new(rng: &dyn Rng, password: &str) -> Self {
        let salt: [u8; 16] = rng.bytes();
        let mut hash = [0; 64];
        pbkdf2::derive(PBKDF2_HMAC_SHA512, ITERATIONS, &salt, password.as_bytes(), &mut hash);
        Self {
            algorithm: ALGORITHM.to_owned(),
            salt: salt.to_vec(),
            iterations: ITERATIONS.get(),
            hash: hash.to_vec(),
        }
    }

    /// Whether this is the password.
    pub(crate) fn verify(&self, password: &str) -> Result<bool, ApiError> {
        let algorithm = match self.algorithm.as_str() {
            ALGORITHM => PBKDF2_HMAC_SHA512,
            other => return Err(ApiError::internal(format!("a password hashed by {other}"))),
        };
        let iterations = NonZeroU32::new(self.iterations)
            .ok_or_else(|| ApiError::internal("a password of no rounds"))?;
        let password = password.as_bytes();
        Ok(pbkdf2::verify(algorithm, iterations, &self.salt, password, &self.hash).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use base::SystemRng;

    use super::*;

    #[test]
    fn a_password_is_checked_with_the_algorithm_and_rounds_stored_with_it() {
        let made = Hashed::new(&SystemRng, "Correct-horse-7");
        assert!(made.verify("Correct-horse-7").expect("it is sound"));
        assert!(!made.verify("Correct-horse-8").expect("it is sound"));

        let mut hash = vec![0; 64];
        let rounds = NonZeroU32::MIN;
        pbkdf2::derive(PBKDF2_HMAC_SHA512, rounds, b"salt", b"Correct-horse-7", &mut hash);
        let salt = b"salt".to_vec();
        let old = Hashed { algorithm: ALGORITHM.to_owned(), salt, iterations: 1, hash };
        assert!(old.verify("Correct-horse-7").expect("it is sound"));
        assert!(Hashed { iterations: 0, ..old }.verify("Correct-horse-7").is_err());
        let unknown = Hashed { algorithm: "md5".to_owned(), ..made };
        assert!(unknown.verify("Correct-horse-7").is_err());
    }
}
