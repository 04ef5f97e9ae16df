//! The hashes of an RFC 6962 tree, and their base64 text form. Nothing here knows a tree's shape.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{Context, Digest, SHA256};

/// A SHA-256 hash: of a leaf, of an inner node, or of a whole tree.
///
/// Hashes are public, so `==` is fine; they are never used as secrets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; Hash::BYTES]);

impl Hash {
    /// The length of a hash.
    pub const BYTES: usize = 32;

    /// The root of the tree without leaves: SHA-256 of nothing.
    pub fn empty_tree() -> Self {
        Self::of(Context::new(&SHA256))
    }

    /// The hash of one log entry: `SHA-256(0x00 || entry)`.
    pub fn leaf(entry: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[0x00]);
        context.update(entry);
        Self::of(context)
    }

    /// The hash of an inner node: `SHA-256(0x01 || left || right)`.
    pub fn node(left: Self, right: Self) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&[0x01]);
        context.update(&left.0);
        context.update(&right.0);
        Self::of(context)
    }

    fn of(context: Context) -> Self {
        let digest: Digest = context.finish();
        Self(digest.as_ref().try_into().expect("SHA-256 gives 32 bytes"))
    }

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Reads standard, padded base64 of exactly 32 bytes.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// Standard base64, as checkpoints and proofs write a hash.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
