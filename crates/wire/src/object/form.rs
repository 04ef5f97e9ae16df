//! Uploads by HTML form (`POST /bucket`, OSS PostObject and the S3 form): what the fields before the
//! file say, who signed their policy, and whether the upload is what the policy permits.
//!
//! The frame (`multipart/form-data`) is undone by the caller, which hands over the fields and counts the
//! bytes of the file. Sources: the OSS reference of PostObject; the S3 guide on POST policies.

use std::collections::BTreeMap;

use base::{ApiError, Time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::auth::{Payload, Proof, Scheme, Signed, Version};
use super::v4::{self, Family, Scope};
use super::{Dialect, error};

/// The longest key, bytes, with the name of a file put into it.
const FILLED_KEY_MAX: usize = 16 << 10;

/// The bytes of all fields before the file, at most.
pub const FIELDS_BYTES_MAX: usize = 64 << 10;

/// The fields before the file; names in lower case.
#[derive(Clone, Debug, Default)]
pub struct Fields(BTreeMap<String, String>);

/// Fields that no condition need name: they are the signature, or the file.
const FREE: [&str; 10] = [
    "awsaccesskeyid",
    "file",
    "ossaccesskeyid",
    "policy",
    "signature",
    "submit",
    "x-amz-signature",
    "x-oss-security-token",
    "x-oss-signature",
    "x-oss-signature-version",
];

impl Fields {
    /// Takes a field; the first of a name counts.
    pub fn push(&mut self, name: &str, value: String) {
        self.0.entry(name.to_ascii_lowercase()).or_insert(value);
    }

    /// A field's value; the name in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The protocol, as the fields of the signature tell it; `None` for a form that nobody signed.
    pub fn dialect(&self) -> Option<Dialect> {
        let has = |prefix: &str| self.0.keys().any(|name| name.starts_with(prefix));
        if has("ossaccesskeyid") || has("x-oss-") {
            Some(Dialect::Oss)
        } else if has("awsaccesskeyid") || has("x-amz-") {
            Some(Dialect::S3)
        } else {
            None
        }
    }

    /// The key of the new object: the field `key`, in which `${filename}` stands for the file's name.
    ///
    /// # Errors
    /// `InvalidArgument` where there is none, `KeyTooLongError`.
    pub fn key(&self, filename: &str) -> Result<String, ApiError> {
        let key = self.get("key").filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| missing("key"))?;
        // Browsers of old send the whole path.
        let name = filename.rsplit(['/', '\\']).next().unwrap_or(filename);
        // Before anybody signed, two texts of the client are multiplied here.
        let more = key.matches("${filename}").count().saturating_mul(name.len());
        if key.len().saturating_add(more) > FILLED_KEY_MAX {
            return Err(ApiError::new(&error::KEY_TOO_LONG));
        }
        Ok(key.replace("${filename}", name))
    }

    /// Who signed the policy; `None` for a form without one.
    ///
    /// # Errors
    /// `InvalidArgument` for a signature of which something is missing or malformed.
    pub fn signed(&self, dialect: Dialect, region: &str) -> Result<Option<Signed>, ApiError> {
        let names: &[&str] = match dialect {
            Dialect::Oss => &["policy", "ossaccesskeyid", "signature", "x-oss-signature"],
            Dialect::S3 => &["policy", "awsaccesskeyid", "signature", "x-amz-signature"],
        };
        if names.iter().all(|name| self.get(name).is_none()) {
            return Ok(None);
        }
        let v4 = |name| self.get(name).is_some();
        match dialect {
            Dialect::Oss if self.get("x-oss-signature-version") == Some("OSS2") => self.signed_v2(),
            Dialect::Oss if v4("x-oss-signature-version") || v4("x-oss-credential") => {
                self.signed_v4(&v4::OSS, Version::OssV4, "x-oss-", region)
            }
            Dialect::S3 if v4("x-amz-algorithm") || v4("x-amz-credential") => {
                self.signed_v4(&v4::S3, Version::SigV4, "x-amz-", region)
            }
            Dialect::Oss => {
                self.signed_v1("ossaccesskeyid", Version::OssV1, "x-oss-security-token")
            }
            Dialect::S3 => self.signed_v1("awsaccesskeyid", Version::SigV2, "x-amz-security-token"),
        }
        .map(Some)
    }

    fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| missing(name))
    }

    fn signed_v1(&self, key: &str, version: Version, token: &str) -> Result<Signed, ApiError> {
        let text = self.need("policy")?.as_bytes().to_vec();
        let scheme = Scheme::Sha1 { text, alternative: None };
        self.proven(self.need(key)?, token, version, self.need("signature")?, scheme)
    }

    /// Version 2 of OSS has its key and its signature in fields of its own.
    fn signed_v2(&self) -> Result<Signed, ApiError> {
        let scheme = Scheme::Sha256(self.need("policy")?.as_bytes().to_vec());
        let signature = self.need("x-oss-signature")?;
        let key_id = self.need("x-oss-access-key-id")?;
        self.proven(key_id, "x-oss-security-token", Version::OssV2, signature, scheme)
    }

    fn signed_v4(
        &self,
        family: &'static Family,
        version: Version,
        prefix: &str,
        region: &str,
    ) -> Result<Signed, ApiError> {
        let need = |name: &str| self.need(&format!("{prefix}{name}"));
        let text = self.need("policy")?.as_bytes().to_vec();
        let malformed = || error::INVALID_ARGUMENT.error("The form's credential is not valid.");
        let (key_id, scope) = Scope::parse(need("credential")?, family).ok_or_else(malformed)?;
        let moment = need("date")?;
        if scope.region != region || !moment.starts_with(&scope.date) {
            return Err(malformed().field("Region", region));
        }
        let scheme = Scheme::V4Text { family, scope, text };
        let token = format!("{prefix}security-token");
        self.proven(&key_id, &token, version, need("signature")?, scheme)
    }

    fn proven(
        &self,
        key_id: &str,
        token: &str,
        version: Version,
        signature: &str,
        scheme: Scheme,
    ) -> Result<Signed, ApiError> {
        Ok(Signed {
            key_id: key_id.to_owned(),
            token: self.get(token).map(str::to_owned),
            payload: Payload::Unsigned,
            version,
            presigned: false,
            proof: Proof { signature: signature.to_owned(), scheme },
        })
    }
}

fn missing(name: &str) -> ApiError {
    error::INVALID_ARGUMENT
        .error(format!("The form must have the field {name} before the file."))
        .field("ArgumentName", name)
}

/// How many bytes the file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Sizes {
    /// Any number.
    pub const ANY: Self = Self { min: 0, max: u64::MAX };
}

/// What a policy demands of one field.
#[derive(Debug, PartialEq, Eq)]
enum Rule {
    Equal(String),
    Begins(String),
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// A policy document.
#[derive(Debug)]
pub struct Policy {
    expires: Time,
    rules: Vec<(String, Rule)>,
    sizes: Sizes,
}

impl Policy {
    /// Reads the field `policy`: JSON in Base64, with `expiration` and `conditions`.
    ///
    /// # Errors
    /// `InvalidPolicyDocument`.
    pub fn parse(field: &str) -> Result<Self, ApiError> {
        let refused =
            |why: &str| error::INVALID_POLICY_DOCUMENT.error(format!("The form's policy {why}."));
        let bytes = BASE64.decode(field.trim()).map_err(|_| refused("is not Base64"))?;
        let document: Value =
            serde_json::from_slice(&bytes).map_err(|_| refused("is not valid JSON"))?;
        let expires = document.get("expiration").and_then(Value::as_str);
        let expires = expires.and_then(Time::parse_iso);
        let expires = expires.ok_or_else(|| refused("has no valid expiration"))?;
        let conditions = document.get("conditions").and_then(Value::as_array);
        let conditions = conditions.ok_or_else(|| refused("has no list of conditions"))?;
        let mut policy = Self { expires, rules: Vec::new(), sizes: Sizes::ANY };
        for condition in conditions {
            policy.add(condition).ok_or_else(|| refused("has a condition that is not valid"))?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> Option<()> {
        match condition {
            Value::Object(pairs) if !pairs.is_empty() => {
                for (name, value) in pairs {
                    self.rules.push((name.to_ascii_lowercase(), Rule::Equal(text(value)?)));
                }
            }
            Value::Array(parts) => match parts.as_slice() {
                [word, min, max] if is(word, "content-length-range") => {
                    let (min, max) = (number(min)?, number(max)?);
                    self.sizes =
                        Sizes { min: self.sizes.min.max(min), max: self.sizes.max.min(max) };
                }
                [word, name, value] => {
                    let name = name.as_str()?.strip_prefix('$')?.to_ascii_lowercase();
                    self.rules.push((name, rule(word, value)?));
                }
                _ => return None,
            },
            _ => return None,
        }
        Some(())
    }

    /// Compares the fields with the conditions. `key` is the finished key, `bucket` where the form was
    /// sent. Says how long the file may be.
    ///
    /// # Errors
    /// `AccessDenied`, with the condition that does not hold or the field that no condition names.
    pub fn check(
        &self,
        fields: &Fields,
        (bucket, key): (&str, &str),
        dialect: Dialect,
        now: Time,
    ) -> Result<Sizes, ApiError> {
        let refused = |why: String| {
            error::ACCESS_DENIED.error(format!("Invalid according to Policy: {why}."))
        };
        if now >= self.expires {
            return Err(refused("Policy expired".to_owned()));
        }
        for (name, rule) in &self.rules {
            let value = match name.as_str() {
                "bucket" => Some(bucket),
                "key" => Some(key),
                name => fields.get(name),
            };
            if !rule.holds(value.unwrap_or_default()) {
                return Err(refused(format!("the condition on {name} does not hold")));
            }
        }
        // OSS lets a form have fields that the policy is silent about.
        let named = |name: &str| {
            FREE.contains(&name)
                || name.starts_with("x-ignore-")
                || self.rules.iter().any(|(known, _)| known == name)
        };
        match fields.iter().find(|(name, _)| dialect == Dialect::S3 && !named(name)) {
            Some((name, _)) => Err(refused(format!("Extra input fields: {name}"))),
            None => Ok(self.sizes),
        }
    }
}

impl Rule {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equal(wanted) => value == wanted,
            // A list in one field: each of it.
            Self::Begins(start) => {
                value.split(',').all(|one| one.trim_start().starts_with(start.as_str()))
            }
            Self::In(allowed) => allowed.iter().any(|one| one == value),
            Self::NotIn(refused) => refused.iter().all(|one| one != value),
        }
    }
}

fn rule(word: &Value, value: &Value) -> Option<Rule> {
    let list = || value.as_array()?.iter().map(text).collect::<Option<Vec<_>>>();
    if is(word, "eq") {
        Some(Rule::Equal(text(value)?))
    } else if is(word, "starts-with") {
        Some(Rule::Begins(text(value)?))
    } else if is(word, "in") {
        Some(Rule::In(list()?))
    } else if is(word, "not-in") {
        Some(Rule::NotIn(list()?))
    } else {
        None
    }
}

fn is(word: &Value, known: &str) -> bool {
    word.as_str().is_some_and(|word| word.eq_ignore_ascii_case(known))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A number, also as text: both are seen.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests;
