//! Sealed extents: a random salt, the encrypted bytes, and what proves them untouched. Every extent has a
//! key of its own, made of the body's key and the salt.
//!
//! Not here: where a body's key comes from.

use std::fmt;

use base::{Rng, Secret};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

use super::{Error, Extent};

/// What stands before the encrypted bytes.
pub(super) const SALT_LEN: usize = 16;
/// What stands behind them.
pub(super) const TAG_LEN: usize = 16;
/// By how much a sealed extent is longer than the bytes in it.
pub(crate) const OVERHEAD: usize = SALT_LEN + TAG_LEN;

/// The number of a key that only the client has.
pub(crate) const CUSTOMER: i64 = -1;

/// The key that a body's extents are sealed under, and its number in their rows.
#[derive(Clone)]
pub(crate) struct BodyKey {
    pub(crate) number: i64,
    key: hmac::Key,
}

impl fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyKey({})", self.number)
    }
}

impl BodyKey {
    /// The key of that number.
    pub(crate) fn new(number: i64, key: &Secret<[u8; 32]>) -> Self {
        Self { number, key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()) }
    }

    /// The key of one extent. It seals once only, which is why its nonce may always be the same.
    fn of_extent(&self, salt: &[u8]) -> Result<LessSafeKey, Error> {
        let key = hmac::sign(&self.key, salt);
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref());
        key.map(LessSafeKey::new).map_err(|_| Error::Row("no key of an extent".to_owned()))
    }

    /// Seals what stands in `buffer` behind room for the salt, in place.
    pub(super) fn seal(&self, buffer: &mut Vec<u8>, rng: &dyn Rng) -> Result<(), Error> {
        let too_long = || Error::Row("an extent too long to be sealed".to_owned());
        let (salt, plain) = buffer.split_at_mut_checked(SALT_LEN).ok_or_else(too_long)?;
        rng.fill(salt);
        let tag = self.of_extent(salt)?.seal_in_place_separate_tag(nonce(), Aad::empty(), plain);
        let tag = tag.map_err(|_| too_long())?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens a stored extent in place: the plain bytes stand behind the salt.
    pub(super) fn open(&self, stored: &mut [u8], extent: &Extent) -> Result<(), Error> {
        let closed = || {
            let Extent { segment, start, .. } = *extent;
            Error::Closed { segment, start }
        };
        let (salt, sealed) = stored.split_at_mut_checked(SALT_LEN).ok_or_else(closed)?;
        let opened = self.of_extent(salt)?.open_in_place(nonce(), Aad::empty(), sealed);
        opened.map(drop).map_err(|_| closed())
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXTENT: Extent = Extent { segment: 1, start: 2, len: 3, crc64: 4, seal: 5 };

    fn key(byte: u8) -> BodyKey {
        BodyKey::new(5, &Secret::new([byte; 32]))
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut buffer = vec![0; SALT_LEN];
        buffer.extend_from_slice(plain);
        key(7).seal(&mut buffer, &base::SystemRng).unwrap();
        buffer
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_under_its_key_only(plain: Vec<u8>) {
            let mut stored = sealed(&plain);
            prop_assert_eq!(stored.len(), plain.len() + OVERHEAD);
            prop_assert!(key(8).open(&mut stored.clone(), &EXTENT).is_err());
            key(7).open(&mut stored, &EXTENT).unwrap();
            prop_assert_eq!(&stored[SALT_LEN..stored.len() - TAG_LEN], &plain[..]);
        }

        #[test]
        fn what_was_touched_does_not_open(plain: Vec<u8>, at: prop::sample::Index, bit in 0..8_u32) {
            let mut stored = sealed(&plain);
            let at = at.index(stored.len());
            stored[at] ^= 1_u8 << bit;
            prop_assert!(key(7).open(&mut stored, &EXTENT).is_err());
        }

        #[test]
        fn any_bytes_are_refused(mut bytes: Vec<u8>) {
            prop_assert!(key(7).open(&mut bytes, &EXTENT).is_err());
        }
    }

    #[test]
    fn the_same_bytes_are_never_stored_twice_alike() {
        assert_ne!(sealed(b"same"), sealed(b"same"));
    }
}
