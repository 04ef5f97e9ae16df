//! How much a bucket may hold (OSS).
//!
//! Not here: refusing what is more (`ops::commit`).

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::{error, xml};

use super::{Config, malformed, root};
use crate::ops::Document;

const GIGABYTE: u64 = 1 << 30;

/// The capacity of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Capacity {
    /// GiB; as much as there is room for where there is none.
    pub(crate) gigabytes: Option<u64>,
}

impl Capacity {
    /// In bytes.
    pub(crate) fn bytes(self) -> Option<u64> {
        self.gigabytes.map(|gigabytes| gigabytes.saturating_mul(GIGABYTE))
    }
}

impl Config for Capacity {
    const DOCUMENT: Document = Document::Capacity;

    /// Errors: `MalformedXML`; `InvalidArgument` for what is less than -1, which stands for no limit.
    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "BucketUserQos", SMALL_BYTES_MAX)?;
        let word = element.word_of("StorageCapacity").unwrap_or_default();
        let number: i64 =
            word.parse().map_err(|_| malformed("The element StorageCapacity is not a number."))?;
        match u64::try_from(number) {
            Ok(gigabytes) => Ok(Self { gigabytes: Some(gigabytes) }),
            Err(_) if number == -1 => Ok(Self::default()),
            Err(_) => Err(error::INVALID_ARGUMENT
                .error("The StorageCapacity must be -1 or a number of gigabytes.")
                .field("ArgumentName", "StorageCapacity")
                .field("ArgumentValue", word)),
        }
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("BucketUserQos", dialect);
        match self.gigabytes {
            Some(gigabytes) => xml.value("StorageCapacity", gigabytes),
            None => xml.value("StorageCapacity", -1),
        };
        xml.finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn parse(word: &str) -> Result<Capacity, ApiError> {
        let body =
            format!("<BucketUserQos><StorageCapacity>{word}</StorageCapacity></BucketUserQos>");
        Capacity::parse(body.as_bytes(), Dialect::Oss)
    }

    #[test]
    fn a_capacity_is_in_gigabytes_or_without_limit() {
        assert_eq!(parse("2").unwrap().bytes(), Some(2 << 30));
        assert_eq!(parse("-1").unwrap().bytes(), None);
        assert_eq!(parse("-2").unwrap_err().code(), "InvalidArgument");
        assert_eq!(parse("much").unwrap_err().code(), "MalformedXML");
    }

    proptest! {
        #[test]
        fn what_is_read_is_told_so_that_it_reads_the_same(number in -3_i64..) {
            if let Ok(read) = parse(&number.to_string()) {
                let told = read.render(Dialect::Oss);
                prop_assert_eq!(Capacity::parse(&told, Dialect::Oss).unwrap(), read);
            }
        }

        #[test]
        fn no_body_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Capacity::parse(&body, Dialect::Oss);
        }
    }
}
