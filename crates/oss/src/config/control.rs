//! The documents of what is about others in a bucket: whose objects are, what is kept from being public, who
//! pays. What they say are settings of the bucket, so they are not kept as documents.

use base::{ApiError, Code};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::read;

use super::{flag, malformed, root, word};
use crate::acl::{AccessBlock, Ownership};

/// `OwnershipControlsNotFoundError`, status 404.
pub(crate) static NO_OWNERSHIP: Code = Code::new(
    "OwnershipControlsNotFoundError",
    404,
    "The bucket ownership controls were not found.",
);

/// `NoSuchPublicAccessBlockConfiguration`, status 404.
pub(crate) static NO_BLOCK: Code = Code::new(
    "NoSuchPublicAccessBlockConfiguration",
    404,
    "The public access block configuration was not found.",
);

/// Reads `OwnershipControls{Rule{ObjectOwnership}}`, of one rule.
///
/// Errors: `MalformedXML`.
pub(crate) fn read_ownership(body: &[u8]) -> Result<Ownership, ApiError> {
    let document = read(body, "OwnershipControls", SMALL_BYTES_MAX)?;
    let mut rules = document.all("Rule");
    let (Some(rule), None) = (rules.next(), rules.next()) else {
        return Err(malformed("There must be one Rule."));
    };
    let named = word(rule, "ObjectOwnership")?;
    named
        .and_then(|word| Ownership::parse(&word))
        .ok_or_else(|| malformed("The element ObjectOwnership is not valid."))
}

/// Writes what [`read_ownership`] reads.
pub(crate) fn tell_ownership(ownership: Ownership) -> Vec<u8> {
    let mut xml = root("OwnershipControls", Dialect::S3);
    xml.open("Rule").text("ObjectOwnership", ownership.as_str()).close();
    xml.finish()
}

const BLOCK: &str = "PublicAccessBlockConfiguration";

/// Reads `PublicAccessBlockConfiguration`: S3's four switches, OSS's one. What is not told is off.
///
/// Errors: `MalformedXML`.
pub(crate) fn read_block(body: &[u8], dialect: Dialect) -> Result<AccessBlock, ApiError> {
    let document = read(body, BLOCK, SMALL_BYTES_MAX)?;
    let on = |name: &str| Ok::<_, ApiError>(flag(&document, name)?.unwrap_or(false));
    Ok(match dialect {
        Dialect::Oss if on("BlockPublicAccess")? => AccessBlock::ALL,
        Dialect::Oss => AccessBlock::default(),
        Dialect::S3 => AccessBlock {
            block_acls: on("BlockPublicAcls")?,
            ignore_acls: on("IgnorePublicAcls")?,
            block_policy: on("BlockPublicPolicy")?,
            restrict: on("RestrictPublicBuckets")?,
        },
    })
}

/// Writes what [`read_block`] reads. OSS's one switch is on where all of S3's are.
pub(crate) fn tell_block(block: AccessBlock, dialect: Dialect) -> Vec<u8> {
    let mut xml = root(BLOCK, dialect);
    match dialect {
        Dialect::Oss => drop(xml.value("BlockPublicAccess", block == AccessBlock::ALL)),
        Dialect::S3 => {
            xml.value("BlockPublicAcls", block.block_acls);
            xml.value("IgnorePublicAcls", block.ignore_acls);
            xml.value("BlockPublicPolicy", block.block_policy);
            xml.value("RestrictPublicBuckets", block.restrict);
        }
    }
    xml.finish()
}

const PAYMENT: &str = "RequestPaymentConfiguration";

/// Reads `RequestPaymentConfiguration{Payer}`; answers whether the requester pays.
///
/// Errors: `MalformedXML`.
pub(crate) fn read_payment(body: &[u8]) -> Result<bool, ApiError> {
    let document = read(body, PAYMENT, SMALL_BYTES_MAX)?;
    match word(&document, "Payer")?.as_deref() {
        Some("Requester") => Ok(true),
        Some("BucketOwner") => Ok(false),
        _ => Err(malformed("The element Payer must be Requester or BucketOwner.")),
    }
}

/// Writes what [`read_payment`] reads.
pub(crate) fn tell_payment(requester: bool, dialect: Dialect) -> Vec<u8> {
    let mut xml = root(PAYMENT, dialect);
    xml.text("Payer", if requester { "Requester" } else { "BucketOwner" });
    xml.finish()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_told_is_read_back() {
        for word in ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"] {
            let ownership = Ownership::parse(word).unwrap();
            assert_eq!(read_ownership(&tell_ownership(ownership)).unwrap(), ownership);
        }
        for dialect in [Dialect::Oss, Dialect::S3] {
            for requester in [true, false] {
                assert_eq!(read_payment(&tell_payment(requester, dialect)).unwrap(), requester);
            }
            for block in [AccessBlock::ALL, AccessBlock::default()] {
                assert_eq!(read_block(&tell_block(block, dialect), dialect).unwrap(), block);
            }
        }
        let some = AccessBlock { ignore_acls: true, ..AccessBlock::default() };
        assert_eq!(read_block(&tell_block(some, Dialect::S3), Dialect::S3).unwrap(), some);
        let told = String::from_utf8(tell_block(some, Dialect::Oss)).unwrap();
        assert!(told.contains("<BlockPublicAccess>false<"), "{told}");
    }

    #[test]
    fn documents_that_say_nothing_are_malformed() {
        let refused = [
            read_ownership(b"<OwnershipControls/>").unwrap_err(),
            read_ownership(b"<OwnershipControls><Rule><ObjectOwnership>Me</ObjectOwnership></Rule></OwnershipControls>")
                .unwrap_err(),
            read_payment(b"<RequestPaymentConfiguration><Payer>me</Payer></RequestPaymentConfiguration>").unwrap_err(),
            read_block(b"<PublicAccessBlockConfiguration><BlockPublicAccess>x</BlockPublicAccess></PublicAccessBlockConfiguration>", Dialect::Oss)
                .unwrap_err(),
        ];
        for refused in refused {
            assert_eq!(refused.code(), "MalformedXML");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body: Vec<u8>) {
            let _ = (read_ownership(&body), read_payment(&body), read_block(&body, Dialect::S3));
        }
    }
}
