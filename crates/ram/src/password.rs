//! Passwords: PBKDF2-HMAC-SHA256 with a salt for each user.

use std::num::NonZeroU32;

use base::{ApiError, Rng};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};

/// Rounds for new passwords: what OWASP recommends for this function.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(600_000).expect("it is not zero");

/// A password as it is stored.
pub(crate) struct Hashed {
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
    pub(crate) hash: Vec<u8>,
}

impl Hashed {
    /// Hashes a password. Takes about a tenth of a second, by design.
    pub(crate) fn new(rng: &dyn Rng, password: &str) -> Self {
        let salt: [u8; 16] = rng.bytes();
        let mut hash = [0; 32];
        pbkdf2::derive(PBKDF2_HMAC_SHA256, ITERATIONS, &salt, password.as_bytes(), &mut hash);
        Self { salt: salt.to_vec(), iterations: ITERATIONS.get(), hash: hash.to_vec() }
    }

    /// Whether this is the password.
    pub(crate) fn verify(&self, password: &str) -> Result<bool, ApiError> {
        let iterations = NonZeroU32::new(self.iterations)
            .ok_or_else(|| ApiError::internal("a password of no rounds"))?;
        Ok(pbkdf2::verify(
            PBKDF2_HMAC_SHA256,
            iterations,
            &self.salt,
            password.as_bytes(),
            &self.hash,
        )
        .is_ok())
    }
}
