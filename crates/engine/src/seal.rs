//! Secrets at rest: sealed under the master key, which lives in a file of its own (mode 0600) and
//! never in the database.

use std::sync::Arc;

use base::{ApiError, Rng};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Seals and opens with AES-256-GCM. Nonces are random: with 96 bits the chance of a repeat stays
/// below 2^-32 for the first 2^32 seals, more secrets than a cloud's life sees.
pub struct Seal {
    key: LessSafeKey,
    rng: Arc<dyn Rng>,
}

impl Seal {
    /// The length of the master key, bytes.
    pub const KEY_LEN: usize = 32;

    /// From the master key.
    pub fn new(key: &[u8; Self::KEY_LEN], rng: Arc<dyn Rng>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the key's length is the algorithm's");
        Self { key: LessSafeKey::new(key), rng }
    }

    /// Seals. `context` says what it is and for whom (`ram.key/LTAI…`), so that a sealed value that
    /// is moved to another row does not open.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = self.rng.bytes();
        let mut sealed = nonce.to_vec();
        let mut text = plain.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context.as_bytes()),
                &mut text,
            )
            .expect("a secret is far below the 64 GiB that the algorithm takes");
        sealed.append(&mut text);
        sealed
    }

    /// Opens what was sealed in the same context.
    ///
    /// # Errors
    /// `InternalError` where it was not sealed under this key and context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, ApiError> {
        let broken =
            || ApiError::internal(format!("{context} does not open under this master key"));
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut text = text.to_vec();
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut text)
            .map_err(|_| broken())?;
        Ok(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_in_its_own_context_only_and_not_when_touched() {
        let seal = Seal::new(&[7; 32], Arc::new(base::SystemRng));
        let mut sealed = seal.seal("ram.key/a", b"secret");
        assert_eq!(seal.open("ram.key/a", &sealed).ok().as_deref(), Some(&b"secret"[..]));
        assert!(seal.open("ram.key/b", &sealed).is_err());
        assert!(seal.open("ram.key/a", &sealed[..5]).is_err());
        *sealed.last_mut().expect("it is not empty") ^= 1;
        assert!(seal.open("ram.key/a", &sealed).is_err());
        assert!(Seal::new(&[8; 32], Arc::new(base::SystemRng)).open("ram.key/a", &sealed).is_err());
    }
}
