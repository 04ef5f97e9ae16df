//! Cosignatures of version 1 (c2sp.org/tlog-cosignature): a witness says that it saw a checkpoint at a
//! time, and that the log had only grown until then. Made and verified here over a checkpoint's note;
//! whether a witness *may* say so is [`crate::witness`]'s part, and how many are enough is
//! [`crate::policy`]'s.

use std::fmt;
use std::str::FromStr;

use base::{Rng, Secret, Time};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use crate::Note;
use crate::note::{
    Error, KEY_BYTES, Signature, check_id, check_name, key_id, key_pair, key_text, parse_key,
    parse_private, private_text,
};

/// The signature type byte of a timestamped Ed25519 cosignature.
const COSIGNATURE_TYPE: u8 = 0x04;

/// What a witness signs: when it saw the checkpoint, and the text of its note.
fn message(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// The public key of a witness with the name under which it cosigns. Its text form is a *vkey* of
/// type 0x04.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    id: u32,
    key: [u8; KEY_BYTES],
}

impl CosignerKey {
    /// The name under which the witness cosigns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the key itself, whatever it is called.
    pub(crate) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    /// When this witness cosigned the note: the latest time, where it did so more than once; `None`
    /// where it did not.
    ///
    /// # Errors
    /// [`Error::Signature`] where one signature claims to be this witness's and is not: such a note is
    /// refused whole.
    pub fn verify(&self, note: &Note) -> Result<Option<Time>, Error> {
        let mut latest = None;
        for signature in note.signatures() {
            if signature.id == self.id && signature.name == self.name {
                latest = latest.max(Some(self.check(note.text(), signature)?));
            }
        }
        Ok(latest)
    }

    fn check(&self, text: &str, signature: &Signature) -> Result<Time, Error> {
        let wrong = || Error::Signature(self.name.clone());
        let (seconds, bytes) = signature.bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let seconds = u64::from_be_bytes(*seconds);
        // The specification has no times beyond those of a signed 64-bit clock.
        let time = i64::try_from(seconds).map_err(|_| wrong())?;
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(message(seconds, text).as_bytes(), bytes)
            .map_err(|_| wrong())?;
        Ok(Time::from_secs(time))
    }
}

/// Reads a vkey: `<name>+<8 hexadecimal digits>+<base64>`.
impl FromStr for CosignerKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, written, key) = parse_key(text, COSIGNATURE_TYPE)?;
        let id = key_id(name, COSIGNATURE_TYPE, &key);
        check_id(written, id)?;
        Ok(Self { name: name.to_owned(), id, key })
    }
}

impl fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, self.id, COSIGNATURE_TYPE, &self.key))
    }
}

/// The private key of a witness. The caller keeps its text form where only the owner can read it.
///
/// The signed message does not name the witness, so a key must never be used under two names.
pub struct Cosigner {
    seed: Secret<[u8; KEY_BYTES]>,
    pair: Ed25519KeyPair,
    key: CosignerKey,
}

impl Cosigner {
    /// A new key.
    pub fn generate(rng: &dyn Rng, name: &str) -> Result<Self, Error> {
        Self::from_seed(name, Secret::new(rng.bytes()))
    }

    /// The key with this Ed25519 seed (RFC 8032, 5.1.5).
    pub fn from_seed(name: &str, seed: Secret<[u8; KEY_BYTES]>) -> Result<Self, Error> {
        check_name(name)?;
        let (pair, key) = key_pair(&seed);
        let id = key_id(name, COSIGNATURE_TYPE, &key);
        Ok(Self { seed, pair, key: CosignerKey { name: name.to_owned(), id, key } })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<base64>`, the base64 being of the byte 0x04 and the seed.
    pub fn parse(text: &Secret<String>) -> Result<Self, Error> {
        let (name, written, seed) = parse_private(text.expose(), COSIGNATURE_TYPE)?;
        let cosigner = Self::from_seed(name, seed)?;
        check_id(written, cosigner.key.id)?;
        Ok(cosigner)
    }

    /// The form that [`Cosigner::parse`] reads.
    pub fn text(&self) -> Secret<String> {
        private_text(&self.key.name, self.key.id, COSIGNATURE_TYPE, &self.seed)
    }

    /// The public half.
    pub const fn key(&self) -> &CosignerKey {
        &self.key
    }

    /// The cosignature of a checkpoint's note that was seen at a time, to the second. Times before
    /// 1970 cannot be written and count as 1970.
    pub fn cosign(&self, note: &Note, at: Time) -> Signature {
        let seconds = u64::try_from(at.secs()).unwrap_or(0);
        let signed = self.pair.sign(message(seconds, note.text()).as_bytes());
        let bytes = [&seconds.to_be_bytes()[..], signed.as_ref()].concat();
        Signature { name: self.key.name.clone(), id: self.key.id, bytes }
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("name", &self.key.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
