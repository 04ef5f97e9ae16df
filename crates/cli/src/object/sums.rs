//! The checksum that a dialect keeps of an object, computed here too and compared.

use std::io::Read;

use base::text::hex;
use http::HeaderMap;
use wire::object::checksum::{Crc64, Md5};

use super::Dialect;
use super::answer::etag;
use crate::error::Error;

/// The checksum of a stream that the dialect compares.
pub(super) enum Sums {
    /// OSS.
    Crc64(Crc64),
    /// S3.
    Md5(Md5),
}

impl Sums {
    pub(super) fn new(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Oss => Self::Crc64(Crc64::default()),
            Dialect::S3 => Self::Md5(Md5::default()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc64(crc) => crc.update(bytes),
            Self::Md5(md5) => md5.update(bytes),
        }
    }

    /// Compares with what the answer's headers say, where they say something comparable: an ETag
    /// with a dash is that of an object put together from parts, and is no MD5.
    pub(super) fn compare(self, headers: &HeaderMap, key: &str) -> Result<(), Error> {
        let (ours, theirs) = match self {
            Self::Crc64(crc) => {
                let header = headers.get("x-oss-hash-crc64ecma").and_then(|crc| crc.to_str().ok());
                (crc.value().to_string(), header.map(str::to_owned))
            }
            Self::Md5(md5) => {
                (hex(&md5.finish()), Some(etag(headers)).filter(|etag| etag.len() == 32))
            }
        };
        match theirs {
            Some(theirs) if theirs != ours => Err(Error::Corrupt(format!(
                "{key}: the checksum is {ours} here and {theirs} in the cloud"
            ))),
            _ => Ok(()),
        }
    }
}

/// A reader whose bytes are summed as they pass.
pub(super) struct Summed<'a> {
    pub(super) inner: &'a mut dyn Read,
    pub(super) sums: &'a mut Sums,
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sums.update(&buffer[..read]);
        Ok(read)
    }
}
