//! Signed notes (c2sp.org/signed-note) with Ed25519 keys: text, signatures, and the text forms of keys.
//! What the text says is not known here. Signatures of other types are carried along and ignored; those
//! of witnesses are [`crate::cosign`]'s.

use std::fmt;
use std::str::FromStr;

use base::text::hex;
use base::{Rng, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// The longest note that is read.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// The most signatures that a note may carry; the specification asks for at least 16.
pub const SIGNATURES_MAX: usize = 100;

/// The signature type byte of plain Ed25519.
const ED25519_TYPE: u8 = 0x01;
/// The length of an Ed25519 key, public or private.
pub(crate) const KEY_BYTES: usize = 32;

/// Why a key or a note was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Names must be non-empty, without spaces, control characters and `+`.
    #[error("not a key name")]
    Name,
    /// Not the text form of an Ed25519 key, or its id belongs to another key.
    #[error("not an Ed25519 note key: {0}")]
    Key(&'static str),
    /// Not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A signature that claims to be by a known key is not.
    #[error("the signature by {0} is wrong")]
    Signature(String),
    /// None of the signatures is by a known key.
    #[error("no signature by a known key")]
    Unsigned,
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let bad = |c: char| c.is_whitespace() || c < ' ' || c == '+';
    if name.is_empty() || name.contains(bad) { Err(Error::Name) } else { Ok(()) }
}

/// `SHA-256(name || 0x0A || type || public key)[:4]`
pub(crate) fn key_id(name: &str, kind: u8, public_key: &[u8; KEY_BYTES]) -> u32 {
    let hash = digest(&SHA256, &[name.as_bytes(), b"\n", &[kind], public_key].concat());
    let (id, _) = hash.as_ref().split_first_chunk::<4>().expect("SHA-256 gives 32 bytes");
    u32::from_be_bytes(*id)
}

/// Reads `<name>+<id>+<base64 of type and key>`, the form that all kinds of key share.
pub(crate) fn parse_key(text: &str, kind: u8) -> Result<(&str, &str, [u8; KEY_BYTES]), Error> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Key("it has three parts"));
    };
    check_name(name)?;
    let key = STANDARD.decode(key).map_err(|_| Error::Key("the last part is base64"))?;
    match key.split_first() {
        Some((&found, key)) if found == kind => {
            let key = key.try_into().map_err(|_| Error::Key("it is 32 bytes long"))?;
            Ok((name, id, key))
        }
        _ => Err(Error::Key("its type byte is that of its use: 0x01 signs, 0x04 cosigns")),
    }
}

pub(crate) fn check_id(written: &str, id: u32) -> Result<(), Error> {
    if written == hex(&id.to_be_bytes()) {
        Ok(())
    } else {
        Err(Error::Key("its id is that of its name and key"))
    }
}

pub(crate) fn key_text(name: &str, id: u32, kind: u8, key: &[u8; KEY_BYTES]) -> String {
    let typed = [&[kind][..], key].concat();
    format!("{name}+{}+{}", hex(&id.to_be_bytes()), STANDARD.encode(typed))
}

/// Both halves of the Ed25519 key with this seed (RFC 8032, 5.1.5).
pub(crate) fn key_pair(seed: &Secret<[u8; KEY_BYTES]>) -> (Ed25519KeyPair, [u8; KEY_BYTES]) {
    let pair =
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("every 32 bytes are a seed");
    let key = pair.public_key().as_ref().try_into().expect("an Ed25519 public key is 32 bytes");
    (pair, key)
}

/// Reads `PRIVATE+KEY+<name>+<id>+<base64 of type and seed>`.
pub(crate) fn parse_private(
    text: &str,
    kind: u8,
) -> Result<(&str, &str, Secret<[u8; KEY_BYTES]>), Error> {
    let text =
        text.strip_prefix("PRIVATE+KEY+").ok_or(Error::Key("it begins with PRIVATE+KEY+"))?;
    let (name, written, seed) = parse_key(text, kind)?;
    Ok((name, written, Secret::new(seed)))
}

/// The form that [`parse_private`] reads.
pub(crate) fn private_text(
    name: &str,
    id: u32,
    kind: u8,
    seed: &Secret<[u8; KEY_BYTES]>,
) -> Secret<String> {
    Secret::new(format!("PRIVATE+KEY+{}", key_text(name, id, kind, seed.expose())))
}

/// A public key with the name under which it signs. Its text form is the *vkey*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: u32,
    key: [u8; KEY_BYTES],
}

impl Verifier {
    /// The name under which the key signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes of the key itself, whatever it is called.
    pub(crate) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }

    fn made(&self, signature: &Signature) -> bool {
        self.id == signature.id && self.name == signature.name
    }

    fn verify(&self, text: &str, signature: &Signature) -> Result<(), Error> {
        UnparsedPublicKey::new(&ED25519, &self.key)
            .verify(text.as_bytes(), &signature.bytes)
            .map_err(|_| Error::Signature(self.name.clone()))
    }
}

/// Reads a vkey: `<name>+<8 hexadecimal digits>+<base64>`.
impl FromStr for Verifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, written, key) = parse_key(text, ED25519_TYPE)?;
        let id = key_id(name, ED25519_TYPE, &key);
        check_id(written, id)?;
        Ok(Self { name: name.to_owned(), id, key })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_text(&self.name, self.id, ED25519_TYPE, &self.key))
    }
}

/// A private key with its name. The caller keeps its text form where only the owner can read it.
pub struct Signer {
    seed: Secret<[u8; KEY_BYTES]>,
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl Signer {
    /// A new key.
    pub fn generate(rng: &dyn Rng, name: &str) -> Result<Self, Error> {
        Self::from_seed(name, Secret::new(rng.bytes()))
    }

    /// The key with this Ed25519 seed (RFC 8032, 5.1.5).
    pub fn from_seed(name: &str, seed: Secret<[u8; KEY_BYTES]>) -> Result<Self, Error> {
        check_name(name)?;
        let (pair, key) = key_pair(&seed);
        let id = key_id(name, ED25519_TYPE, &key);
        let verifier = Verifier { name: name.to_owned(), id, key };
        Ok(Self { seed, pair, verifier })
    }

    /// Reads `PRIVATE+KEY+<name>+<id>+<base64>`.
    pub fn parse(text: &Secret<String>) -> Result<Self, Error> {
        let (name, written, seed) = parse_private(text.expose(), ED25519_TYPE)?;
        let signer = Self::from_seed(name, seed)?;
        check_id(written, signer.verifier.id)?;
        Ok(signer)
    }

    /// The form that [`Signer::parse`] reads.
    pub fn text(&self) -> Secret<String> {
        let Verifier { name, id, .. } = &self.verifier;
        private_text(name, *id, ED25519_TYPE, &self.seed)
    }

    /// The public half.
    pub const fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    fn sign(&self, text: &str) -> Signature {
        let Verifier { name, id, .. } = &self.verifier;
        let bytes = self.pair.sign(text.as_bytes()).as_ref().to_vec();
        Signature { name: name.clone(), id: *id, bytes }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("name", &self.verifier.name).finish_non_exhaustive()
    }
}

/// One signature line: whose it claims to be, and its bytes. It proves nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Signature {
    /// The name of the key that it claims to be by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a signature line, without the newline at its end.
    pub fn parse(line: &str) -> Result<Self, Error> {
        let rest = line
            .strip_prefix("— ")
            .ok_or(Error::Malformed("a signature line begins with a dash"))?;
        let (name, encoded) =
            rest.split_once(' ').ok_or(Error::Malformed("a signature line has a name"))?;
        check_name(name)?;
        let decoded =
            STANDARD.decode(encoded).map_err(|_| Error::Malformed("a signature is base64"))?;
        match decoded.split_first_chunk::<4>() {
            Some((id, bytes)) if !bytes.is_empty() => Ok(Self {
                name: name.to_owned(),
                id: u32::from_be_bytes(*id),
                bytes: bytes.to_vec(),
            }),
            _ => Err(Error::Malformed("a signature is longer than its key id")),
        }
    }
}

/// The line that [`Signature::parse`] reads.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id.to_be_bytes()[..], &self.bytes].concat();
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

/// A text with the signatures under it. Reading one proves nothing: see [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// Signs a text, which must end in a newline and have no other control characters, with at least
    /// one key.
    pub fn sign(text: String, signers: &[&Signer]) -> Result<Self, Error> {
        check_text(&text)?;
        if signers.is_empty() {
            return Err(Error::Unsigned);
        }
        let signatures = signers.iter().map(|signer| signer.sign(&text)).collect();
        Ok(Self { text, signatures })
    }

    /// Reads a note.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(Error::Malformed("it is too long"));
        }
        let all = str::from_utf8(bytes).map_err(|_| Error::Malformed("it is UTF-8"))?;
        check_text(all)?;
        let text_end =
            all.rfind("\n\n").ok_or(Error::Malformed("an empty line ends the text"))? + 1;
        let lines = &all[text_end + 1..];
        if lines.is_empty() || lines.lines().count() > SIGNATURES_MAX {
            return Err(Error::Malformed("it has 1 to 100 signatures"));
        }
        let signatures = lines.lines().map(Signature::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: all[..text_end].to_owned(), signatures })
    }

    /// The text, which proves nothing until the note is verified.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures under the text, none of which is checked.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The note with these signatures added, each once.
    #[must_use]
    pub fn with_signatures(mut self, more: impl IntoIterator<Item = Signature>) -> Self {
        for signature in more {
            if !self.signatures.contains(&signature) {
                self.signatures.push(signature);
            }
        }
        self
    }

    /// The note without the signatures that claim to be by none of `known`: what a stranger added is
    /// not worth keeping.
    #[must_use]
    pub fn signed_by(mut self, known: &[&Verifier]) -> Self {
        self.signatures.retain(|signature| known.iter().any(|key| key.made(signature)));
        self
    }

    /// Checks the signatures by `known` keys and returns the keys that signed. Signatures by others
    /// are ignored; one wrong signature by a known key refuses the note, and so does none at all.
    pub fn verify<'k>(&self, known: &[&'k Verifier]) -> Result<Vec<&'k Verifier>, Error> {
        let mut signed = Vec::new();
        for signature in &self.signatures {
            let Some(key) = known.iter().find(|key| key.made(signature)) else { continue };
            key.verify(&self.text, signature)?;
            if !signed.contains(key) {
                signed.push(*key);
            }
        }
        if signed.is_empty() { Err(Error::Unsigned) } else { Ok(signed) }
    }
}

/// The form that [`Note::parse`] reads, byte for byte.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "{signature}")?;
        }
        Ok(())
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    if !text.ends_with('\n') {
        return Err(Error::Malformed("it ends in a newline"));
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(Error::Malformed("it has no control characters"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
