//! The checksums of both protocols, made piece by piece: MD5 (`Content-MD5`, ETag), the five
//! `x-amz-checksum-` algorithms, and CRC-64/XZ (`x-oss-hash-crc64ecma`). What a checksum is compared
//! with, and when, is the caller's matter.

use base::ApiError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use md5::Digest as _;
use ring::digest;

use super::error;

/// An additional checksum of S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The value of `x-amz-checksum-algorithm` and `x-amz-sdk-checksum-algorithm`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header (or trailing header) that holds the value, lower case.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The element that holds the value in XML bodies.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// By its name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// By its header's name, in either case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }

    /// The length of its value in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Reads a value (Base64).
    ///
    /// Errors: `InvalidRequest` where it is not a value of this algorithm.
    pub fn parse(self, value: &str) -> Result<Vec<u8>, ApiError> {
        let bytes = BASE64.decode(value.trim()).ok().filter(|bytes| bytes.len() == self.bytes());
        bytes.ok_or_else(|| {
            error::BAD_DIGEST.error(format!("Value for {} header is invalid.", self.header()))
        })
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// The checksum of two pieces together, from those of each (big-endian bytes) and the second's
    /// length: how a full-object checksum is made of parts. `None` for SHA-1 and SHA-256, for which
    /// there is no such thing, and for values of a wrong length.
    pub fn combine(self, first: &[u8], second: &[u8], second_len: u64) -> Option<Vec<u8>> {
        let number = |bytes: &[u8]| {
            (bytes.len() == self.bytes())
                .then(|| bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)))
        };
        let combined =
            crc_fast::checksum_combine(self.crc()?, number(first)?, number(second)?, second_len);
        Some(big_endian(combined, self.bytes()))
    }
}

fn big_endian(crc: u64, len: usize) -> Vec<u8> {
    crc.to_be_bytes()[8 - len..].to_vec()
}

/// A checksum in the making.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Ring(digest::Context),
}

impl Hasher {
    /// Of no bytes yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm.crc() {
            Some(crc) => State::Crc(crc_fast::Digest::new(crc)),
            None if algorithm == Algorithm::Sha1 => {
                State::Ring(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY))
            }
            None => State::Ring(digest::Context::new(&digest::SHA256)),
        };
        Self { algorithm, state }
    }

    /// Which one it is.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Ring(context) => context.update(bytes),
        }
    }

    /// The value: a CRC in big-endian order, or the digest.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(digest) => big_endian(digest.finalize(), self.algorithm.bytes()),
            State::Ring(context) => context.finish().as_ref().to_vec(),
        }
    }
}

/// The text form of a checksum in headers and bodies.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// CRC-64/XZ in the making: what `x-oss-hash-crc64ecma` holds, in decimal.
pub struct Crc64(crc_fast::Digest);

impl Default for Crc64 {
    fn default() -> Self {
        Self(crc_fast::Digest::new(CrcAlgorithm::Crc64Xz))
    }
}

impl Crc64 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The value so far.
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

/// The CRC-64/XZ of these bytes.
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Xz, bytes)
}

/// The CRC-64/XZ of two pieces together, from those of each and the second's length in bytes. Takes
/// time logarithmic in the length.
pub fn crc64_combine(first: u64, second: u64, second_len: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Xz, first, second, second_len)
}

/// MD5 in the making: the ETag, and what `Content-MD5` holds. It protects from accidents only.
#[derive(Clone, Default)]
pub struct Md5(md5::Md5);

impl Md5 {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> [u8; 16] {
        self.0.finalize().into()
    }
}

/// Reads a `Content-MD5` header.
///
/// Errors: `InvalidDigest` where it is not sixteen bytes in Base64.
pub fn parse_content_md5(value: &str) -> Result<[u8; 16], ApiError> {
    BASE64
        .decode(value.trim())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| ApiError::new(&error::INVALID_DIGEST))
}

#[cfg(test)]
mod tests;
