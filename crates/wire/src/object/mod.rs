//! The two object-storage protocols, OSS and S3, as pure functions: where a request points
//! ([`address`]), who signed it ([`auth`]), how its body is framed ([`chunked`]) and summed
//! ([`checksum`]), and how bodies and errors are written and read ([`xml`], [`body`], [`error`]).
//!
//! Not here: sockets, storage, keys, policies and the meaning of any operation. Nothing in this
//! module knows whether a bucket exists.
//!
//! | file | owns |
//! |---|---|
//! | `address.rs` | host and path to bucket and key |
//! | `auth.rs` | the one entry to all signature versions, and their verification |
//! | `oss_v1.rs` `oss_v2.rs` `oss_v4.rs` | the OSS signatures, both ways |
//! | `sigv2.rs` `sigv4.rs` | the S3 signatures; SigV4 both ways |
//! | `v4.rs` `canonical.rs` | what those share |
//! | `chunked.rs` | `aws-chunked` bodies |

pub mod address;
pub mod auth;
pub mod body;
mod canonical;
pub mod checksum;
pub mod chunked;
pub mod error;
pub mod form;
pub mod oss_v1;
pub mod oss_v2;
pub mod oss_v4;
mod sigv2;
pub mod sigv4;
mod v4;
pub mod xml;

use base::{Secret, Time};

use crate::Head;

/// Which of the two protocols a request speaks, and so which one its answer must speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Alibaba Cloud Object Storage Service.
    Oss,
    /// Amazon Simple Storage Service.
    S3,
}

/// What a request acts on, as the signatures of both protocols name it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource<'a> {
    /// The bucket, wherever it stood (path, host or CNAME); `None` for requests to the service.
    pub bucket: Option<&'a str>,
    /// The decoded key; `None` for requests to the service or to a bucket.
    pub key: Option<&'a [u8]>,
}

/// Who signs a request of ours, and when.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// The access key's id.
    pub key_id: &'a str,
    /// The access key's secret.
    pub secret: &'a Secret<String>,
    /// The security token, where the key is a temporary one.
    pub token: Option<&'a str>,
    /// The region that is signed for. The signatures before V4 do not use it.
    pub region: &'a str,
    /// The moment of signing.
    pub now: Time,
}

/// A request that is about to be signed.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path as it will be sent, percent-encoded.
    pub path: &'a str,
    /// The query as it will be sent, percent-encoded, without the question mark.
    pub query: &'a str,
    /// What the request acts on.
    pub resource: Resource<'a>,
}

/// Tells the protocol of a request: by its signature; else by its `x-oss-` or `x-amz-` headers; else
/// by a label `oss` or `s3` of its host (the one nearest the top level wins, since buckets may have
/// these names); else it is OSS.
pub fn detect(head: &Head<'_>) -> Dialect {
    by_authorization(head)
        .or_else(|| by_query(head.query))
        .or_else(|| by_headers(head))
        .or_else(|| by_host(head.header("host").unwrap_or("")))
        .unwrap_or(Dialect::Oss)
}

fn by_authorization(head: &Head<'_>) -> Option<Dialect> {
    let value = head.header("authorization")?;
    if value.starts_with("OSS ") || value.starts_with("OSS2 ") || value.starts_with("OSS4-") {
        Some(Dialect::Oss)
    } else if value.starts_with("AWS ") || value.starts_with("AWS4-") {
        Some(Dialect::S3)
    } else {
        None
    }
}

fn by_query(query: &str) -> Option<Dialect> {
    query.split('&').find_map(|pair| {
        let name = pair.split('=').next().unwrap_or(pair);
        if name.starts_with("x-oss-signature") || name == "OSSAccessKeyId" {
            Some(Dialect::Oss)
        } else if name.starts_with("X-Amz-") || name == "AWSAccessKeyId" {
            Some(Dialect::S3)
        } else {
            None
        }
    })
}

fn by_headers(head: &Head<'_>) -> Option<Dialect> {
    let has = |prefix: &str| head.headers.keys().any(|name| name.as_str().starts_with(prefix));
    if has("x-oss-") {
        Some(Dialect::Oss)
    } else if has("x-amz-") {
        Some(Dialect::S3)
    } else {
        None
    }
}

fn by_host(host: &str) -> Option<Dialect> {
    let name = host.split(':').next().unwrap_or(host);
    let is = |label: &str, word: &str| {
        let start = label.get(..word.len());
        let rest = label.get(word.len()..).unwrap_or("");
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
            && (rest.is_empty() || rest.starts_with('-'))
    };
    name.rsplit('.').find_map(|label| {
        if is(label, "oss") {
            Some(Dialect::Oss)
        } else if is(label, "s3") {
            Some(Dialect::S3)
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests;
