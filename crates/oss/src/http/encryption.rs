//! Encryption at rest in both dialects: the headers that ask for it and tell it, and the default of buckets.

use base::{ApiError, Code, Secret};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode};
use wire::Head;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::checksum::Md5;
use wire::object::xml::{self, Writer};
use wire::object::{Dialect, error};

use super::call::{Call, Payload};
use super::respond::{empty, put, xml};
use super::{Answer, Storage};
use crate::model::{CustomerKey, Encryption, Wanted};

static NO_OSS_ENCRYPTION: Code =
    Code::new("NoSuchServerSideEncryptionRule", 404, "The bucket has no such configuration.");
static NO_S3_ENCRYPTION: Code = Code::new(
    "ServerSideEncryptionConfigurationNotFoundError",
    404,
    "The bucket has no such configuration.",
);

static UNKNOWN_ALGORITHM: Code =
    Code::new("InvalidEncryptionAlgorithmError", 400, "The encryption method is not supported.");

/// The names of a protocol's headers, and its word for keys of the key service.
struct Names {
    algorithm: &'static str,
    key_id: &'static str,
    kms: &'static str,
}

const fn names(dialect: Dialect) -> Names {
    match dialect {
        Dialect::Oss => Names {
            algorithm: "x-oss-server-side-encryption",
            key_id: "x-oss-server-side-encryption-key-id",
            kms: "KMS",
        },
        Dialect::S3 => Names {
            algorithm: "x-amz-server-side-encryption",
            key_id: "x-amz-server-side-encryption-aws-kms-key-id",
            kms: "aws:kms",
        },
    }
}

/// What OSS calls the default key of an account (a KMS alias).
const DEFAULT_KEY: &str = "alias/acs/oss";

/// The headers of a client's own key. OSS has none.
type CustomerNames = [&'static str; 3];

const CUSTOMER: CustomerNames = [
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
];

const SOURCE_CUSTOMER: CustomerNames = [
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-key",
    "x-amz-copy-source-server-side-encryption-customer-key-md5",
];

/// The encryption that a request asks for.
///
/// Errors: `InvalidArgument`; `NotImplemented` for SM4 and for two layers.
pub(super) fn wanted(head: &Head<'_>, dialect: Dialect) -> Result<Option<Wanted>, ApiError> {
    let Names { algorithm, key_id, .. } = names(dialect);
    let (word, id) = (head.header(algorithm), head.header(key_id));
    if head.header("x-oss-server-side-data-encryption").is_some() && dialect == Dialect::Oss {
        return Err(ApiError::new(&error::NOT_IMPLEMENTED)
            .field("Header", "x-oss-server-side-data-encryption"));
    }
    let managed = match word {
        Some(word) => Some(parse(word, id, dialect)?),
        None if id.is_some() => {
            return Err(invalid(key_id, "A key is named without its algorithm."));
        }
        None => None,
    };
    match (managed, customer_key(head, dialect)?) {
        (Some(_), Some(_)) => {
            Err(invalid(algorithm, "Encryption under a key of ours and one of the client's."))
        }
        (managed, None) => Ok(managed.map(Wanted::Managed)),
        (None, Some(key)) => Ok(Some(Wanted::Customer(key))),
    }
}

/// Refuses a read that says how the object is to be sealed: what it says would be ignored.
///
/// Errors: `InvalidArgument` (S3). OSS ignores it.
pub(super) fn check_read(head: &Head<'_>, dialect: Dialect) -> Result<(), ApiError> {
    let Names { algorithm, .. } = names(dialect);
    if dialect == Dialect::S3 && head.headers.contains_key(algorithm) {
        return Err(invalid(algorithm, "A read takes no such header."));
    }
    Ok(())
}

/// Reads an algorithm and the name of a key.
fn parse(word: &str, key_id: Option<&str>, dialect: Dialect) -> Result<Encryption, ApiError> {
    let Names { algorithm, kms, .. } = names(dialect);
    match word {
        "AES256" if key_id.is_none_or(str::is_empty) => Ok(Encryption::Aes256),
        "AES256" => Err(invalid(algorithm, "AES256 takes no name of a key.")),
        word if word == kms => {
            let name = key_id.filter(|id| *id != DEFAULT_KEY).unwrap_or_default();
            Ok(Encryption::Kms(name.to_owned()))
        }
        "SM4" | "aws:kms:dsse" => Err(ApiError::new(&error::NOT_IMPLEMENTED)
            .field("Header", algorithm)
            .field("ArgumentValue", word)),
        _ if dialect == Dialect::Oss => Err(ApiError::new(&UNKNOWN_ALGORITHM)
            .field("ArgumentName", algorithm)
            .field("ArgumentValue", word)),
        _ => Err(invalid(algorithm, "The encryption method is not supported.")
            .field("ArgumentValue", word)),
    }
}

fn invalid(name: &'static str, text: &'static str) -> ApiError {
    error::INVALID_ARGUMENT.error(text).field("ArgumentName", name)
}

/// The client's key that a request brings for its object.
///
/// Errors: `InvalidArgument`.
pub(super) fn customer_key(
    head: &Head<'_>,
    dialect: Dialect,
) -> Result<Option<CustomerKey>, ApiError> {
    customer(head, dialect, CUSTOMER)
}

/// The client's key that a request brings for the source of a copy.
///
/// Errors: `InvalidArgument`.
pub(super) fn source_key(
    head: &Head<'_>,
    dialect: Dialect,
) -> Result<Option<CustomerKey>, ApiError> {
    customer(head, dialect, SOURCE_CUSTOMER)
}

fn customer(
    head: &Head<'_>,
    dialect: Dialect,
    [algorithm, key, md5]: CustomerNames,
) -> Result<Option<CustomerKey>, ApiError> {
    let told = [algorithm, key, md5].map(|name| head.header(name));
    if dialect == Dialect::Oss || told == [None; 3] {
        return Ok(None);
    }
    let [Some(word), Some(text), Some(promised)] = told else {
        return Err(invalid(algorithm, "Algorithm, key and MD5 of the key belong together."));
    };
    if word != "AES256" {
        return Err(invalid(algorithm, "The encryption method is not supported."));
    }
    // What was sent is told to nobody, also where it is no key.
    let bytes = BASE64_STANDARD.decode(text).ok();
    let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
    let bytes = bytes.ok_or_else(|| invalid(key, "The key must be the Base64 of 32 bytes."))?;
    let mut digest = Md5::default();
    digest.update(&bytes);
    let found = BASE64_STANDARD.encode(digest.finish());
    if found != promised {
        return Err(invalid(md5, "The MD5 is not that of the key."));
    }
    Ok(Some(CustomerKey { key: Secret::new(bytes), md5: found }))
}

/// Tells how bytes are sealed.
pub(super) fn put_encryption(
    headers: &mut HeaderMap,
    dialect: Dialect,
    encryption: Option<&Encryption>,
) {
    let Names { algorithm, key_id, kms } = names(dialect);
    match encryption {
        None => {}
        // OSS tells only what was asked for.
        Some(Encryption::Account) if dialect == Dialect::Oss => {}
        Some(Encryption::Account | Encryption::Aes256) => put(headers, algorithm, "AES256"),
        Some(Encryption::Kms(id)) => {
            put(headers, algorithm, kms);
            match (dialect, id.as_str()) {
                // OSS tells the name of the account's default key too, and clients use it.
                (Dialect::Oss, "") => put(headers, key_id, DEFAULT_KEY),
                (Dialect::S3, "") => {}
                _ => put(headers, key_id, id),
            }
        }
        Some(Encryption::Customer { md5, .. }) => {
            let [algorithm, _, key_md5] = CUSTOMER;
            put(headers, algorithm, "AES256");
            put(headers, key_md5, md5);
        }
    }
}

/// Tells what a request asked for.
pub(super) fn put_wanted(headers: &mut HeaderMap, dialect: Dialect, wanted: Option<&Wanted>) {
    match wanted {
        None => {}
        Some(Wanted::Managed(encryption)) => put_encryption(headers, dialect, Some(encryption)),
        Some(Wanted::Customer(key)) => {
            let [algorithm, _, md5] = CUSTOMER;
            put(headers, algorithm, "AES256");
            put(headers, md5, &key.md5);
        }
    }
}

impl Storage {
    pub(super) async fn bucket_encryption(&self, call: &Call<'_>) -> Answer {
        let found = self.oss.bucket_encryption(&call.ctx, &call.bucket).await?;
        let found = found.ok_or_else(|| {
            let code = if call.is_oss() { &NO_OSS_ENCRYPTION } else { &NO_S3_ENCRYPTION };
            ApiError::new(code).field("BucketName", call.bucket.as_str())
        })?;
        Ok(xml(render(call.dialect, &found)))
    }

    pub(super) async fn put_bucket_encryption(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let rule = read_rule(&document, call.dialect)?;
        self.oss.set_bucket_encryption(&call.ctx, &call.bucket, Some(rule)).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_bucket_encryption(&self, call: &Call<'_>) -> Answer {
        self.oss.set_bucket_encryption(&call.ctx, &call.bucket, None).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }
}

/// The root of a rule and, where S3 has one more, the element within.
const fn roots(dialect: Dialect) -> (&'static str, Option<&'static str>) {
    match dialect {
        Dialect::Oss => ("ServerSideEncryptionRule", None),
        Dialect::S3 => ("ServerSideEncryptionConfiguration", Some("Rule")),
    }
}

const DEFAULT: &str = "ApplyServerSideEncryptionByDefault";

/// Reads the default encryption of a bucket.
///
/// Errors: `MalformedXML`; as [`wanted`].
fn read_rule(document: &[u8], dialect: Dialect) -> Result<Encryption, ApiError> {
    let (root, within) = roots(dialect);
    let document = xml::read(document, root, SMALL_BYTES_MAX)?;
    let missing = || ApiError::new(&error::MALFORMED_XML);
    let rule = match within {
        Some(name) if document.all(name).count() != 1 => return Err(missing()),
        Some(name) => document.child(name).ok_or_else(missing)?,
        None => &document,
    };
    let rule = rule.child(DEFAULT).ok_or_else(missing)?;
    if rule.word_of("KMSDataEncryption").is_some_and(|word| word != "AES256" && !word.is_empty()) {
        return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Element", "KMSDataEncryption"));
    }
    let word = rule.word_of("SSEAlgorithm").ok_or_else(missing)?;
    parse(word, rule.word_of("KMSMasterKeyID"), dialect)
}

fn render(dialect: Dialect, rule: &Encryption) -> Vec<u8> {
    let (root, within) = roots(dialect);
    let mut xml = Writer::new();
    match dialect {
        Dialect::Oss => xml.open(root),
        Dialect::S3 => xml.open_in(root, crate::config::S3_NAMESPACE),
    };
    if let Some(name) = within {
        xml.open(name);
    }
    xml.open(DEFAULT);
    match rule {
        Encryption::Kms(id) => {
            xml.text("SSEAlgorithm", names(dialect).kms);
            if !id.is_empty() {
                xml.text("KMSMasterKeyID", id);
            }
        }
        Encryption::Account | Encryption::Aes256 | Encryption::Customer { .. } => {
            xml.text("SSEAlgorithm", "AES256");
        }
    }
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DIALECTS: [Dialect; 2] = [Dialect::Oss, Dialect::S3];

    proptest! {
        #[test]
        fn a_rule_comes_back_from_its_document(id in "[a-z0-9:/-]{0,40}", kms: bool) {
            let rule = if kms { Encryption::Kms(id) } else { Encryption::Aes256 };
            for dialect in DIALECTS {
                prop_assert_eq!(read_rule(&render(dialect, &rule), dialect).ok(), Some(rule.clone()));
            }
        }

        #[test]
        fn a_rule_that_is_none_is_refused(document: Vec<u8>, word in "[A-Za-z0-9]{0,8}") {
            for dialect in DIALECTS {
                prop_assert!(read_rule(&document, dialect).is_err());
                let known = ["AES256", "KMS", "SM4"].contains(&word.as_str());
                prop_assert!(known || parse(&word, None, dialect).is_err());
            }
        }

        #[test]
        fn any_headers_of_a_key_are_read_or_refused(
            algorithm in "AES256|AES|", key in "[A-Za-z0-9+/=]{0,50}", md5 in "[A-Za-z0-9+/=]{0,30}",
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in CUSTOMER.into_iter().zip([&algorithm, &key, &md5]) {
                put(&mut headers, name, value);
            }
            let head = Head { method: "PUT", path: "/", query: "", headers: &headers };
            // Nobody finds the MD5 of a key by chance.
            prop_assert!(customer_key(&head, Dialect::S3).is_err());
            prop_assert_eq!(customer_key(&head, Dialect::Oss).ok(), Some(None));
        }
    }
}
