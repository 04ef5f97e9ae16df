//! Host names of their owners' choice for buckets (CNAME): bind, unbind, list. A name belongs to one
//! bucket at a time, and the first to bind it has it, until somebody proves that the name's owner wants it otherwise
//! (`cname_token`). Without a DNS record that points to this service, a binding has no effect. TLS is not ended
//! here under such names: certificates for them are refused.

use base::{ApiError, Code};
use engine::{Cx, Meta};
use http::StatusCode;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::{error, xml};

use super::call::{Call, Payload};
use super::cname_token::UNPROVEN;
use super::respond::{self, empty};
use super::{Answer, Storage, render};
use crate::access::{Ask, Need, require};
use crate::meter::GETS;
use crate::model::Bucket;
use crate::ops::require_to_read;
use crate::tables;

pub(super) const fn read(name: &'static str) -> Meta {
    Meta::read("oss", "2019-05-17", name).denied_as(&error::ACCESS_DENIED)
}

pub(super) const fn write(name: &'static str) -> Meta {
    Meta::write("oss", "2019-05-17", name).denied_as(&error::ACCESS_DENIED)
}

const TAKEN: Code =
    Code::new("CnameAlreadyExists", 409, "The domain name is bound to another bucket.");
const NOT_BOUND: Code =
    Code::new("NoSuchCname", 404, "The domain name is not bound to this bucket.");
pub(super) const TOO_MANY: Code =
    Code::new("TooManyCname", 400, "No more domain names can be bound to this bucket.");

/// Host names of one bucket, and tokens for them, at most.
pub(super) const CNAMES_MAX: u64 = 100;

/// What the body of a request names.
pub(super) struct Asked {
    /// Lower case.
    pub(super) host: String,
    /// Whether a certificate comes with it.
    certified: bool,
}

pub(super) fn find(cx: &mut Cx<'_>, name: &str) -> Result<Bucket, ApiError> {
    let missing = || ApiError::new(&error::NO_SUCH_BUCKET).field("BucketName", name);
    tables::bucket::find(cx.tx(), name)?.ok_or_else(missing)
}

/// The bucket, for a caller who has the permission of the operation, which changes it.
pub(super) fn own(cx: &mut Cx<'_>, name: &str) -> Result<Bucket, ApiError> {
    let bucket = find(cx, name)?;
    let action = cx.meta.permission();
    require(cx, &bucket, Ask::new(&action, Need::Own))?;
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.arn());
    Ok(bucket)
}

impl Storage {
    pub(super) async fn put_cname(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let session = call.ctx.session(write("PutCname"));
        let Asked { host, certified } = self.asked_cname(call, payload).await?;
        let proof = self.proof(&session, &call.bucket, &host).await;
        let name = call.bucket.clone();
        let bind = move |cx: &mut Cx<'_>| {
            let bucket = own(cx, &name)?;
            cx.audit_detail("domain", host.as_str());
            let proven = check_proof(cx, &bucket, &host, proof.as_deref())?;
            if certified {
                let why = "CertificateConfiguration: TLS is not ended here under bound names.";
                let refused = error::NOT_IMPLEMENTED.error(why);
                return Err(refused.field("Header", "CertificateConfiguration"));
            }
            match tables::cname::bucket_of(cx.tx(), &host)? {
                Some(bound) if bound == bucket.name => return Ok(()),
                Some(bound) if proven => {
                    cx.audit_detail("from", bound);
                    tables::cname::unbind(cx.tx(), &host)?;
                }
                Some(_) => return Err(ApiError::new(&TAKEN).field("Domain", host.as_str())),
                None => {}
            }
            if tables::cname::count(cx.tx(), bucket.id)? >= CNAMES_MAX {
                return Err(ApiError::new(&TOO_MANY));
            }
            let now = cx.now;
            tables::cname::insert(cx.tx(), &host, bucket.id, now)
        };
        self.oss.cloud().write(session, bind).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn delete_cname(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let (name, host) = (call.bucket.clone(), self.asked_cname(call, payload).await?.host);
        let unbind = move |cx: &mut Cx<'_>| {
            let bucket = own(cx, &name)?;
            cx.audit_detail("domain", host.as_str());
            let unasked = tables::cname::forget_token(cx.tx(), bucket.id, &host)?;
            let unbound = tables::cname::delete(cx.tx(), &host, bucket.id)?;
            if unbound || unasked {
                Ok(())
            } else {
                Err(ApiError::new(&NOT_BOUND).field("Domain", host.as_str()))
            }
        };
        self.oss.cloud().write(call.ctx.session(write("DeleteCname")), unbind).await?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn list_cname(&self, call: &Call<'_>) -> Answer {
        let name = call.bucket.clone();
        let list = move |cx: &mut Cx<'_>| {
            let bucket = find(cx, &name)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let bound = tables::cname::list(cx.tx(), bucket.id)?;
            Ok((bucket, bound))
        };
        let seen = self.oss.read(&call.ctx, (read("ListCname"), GETS), &call.bucket, list).await?;
        Ok(respond::xml(render::cnames(&seen.bucket, &seen.found)))
    }

    /// What the body names.
    ///
    /// Errors: `MalformedXML`; as [`Self::host_name`].
    pub(super) async fn asked_cname(
        &self,
        call: &Call<'_>,
        payload: Payload,
    ) -> Result<Asked, ApiError> {
        let document = call.read(payload, SMALL_BYTES_MAX).await?;
        let root = xml::read(&document, "BucketCnameConfiguration", SMALL_BYTES_MAX)?;
        let cname = root.child("Cname");
        let told = cname.and_then(|cname| cname.word_of("Domain")).unwrap_or_default();
        let certificate = cname.and_then(|cname| cname.child("CertificateConfiguration"));
        // That none is wanted any more is said of what never is there.
        let certified = certificate.is_some_and(|certificate| {
            let given = ["Certificate", "PrivateKey", "CertId"];
            given.iter().any(|name| certificate.word_of(name).is_some())
        });
        Ok(Asked { host: self.host_name(told)?, certified })
    }

    /// A host name that can be bound, in lower case.
    ///
    /// Errors: `InvalidArgument` for what is no host name, or is one of the service's.
    pub(super) fn host_name(&self, told: &str) -> Result<String, ApiError> {
        let host = told.to_ascii_lowercase();
        if self.is_ours(&host) || !is_host_name(&host) {
            return Err(error::INVALID_ARGUMENT
                .error("The domain name is not valid.")
                .field("Domain", told));
        }
        Ok(host)
    }

    /// True for a name that is one of the service's, lies below it or above it: whoever had it bound
    /// would answer in the service's place.
    fn is_ours(&self, name: &str) -> bool {
        let endpoint = authority(&self.config.endpoint);
        let ours = self.config.hosts.iter().map(String::as_str).chain([endpoint.as_str()]);
        ours.filter(|host| !host.is_empty()).any(|host| is_related(name, host))
    }
}

/// Whether the name's owner proved that it wants the binding; used up by it.
///
/// Errors: `NeedVerifyDomainOwnership` where there is a token, and it is not what was proven.
fn check_proof(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    host: &str,
    proof: Option<&str>,
) -> Result<bool, ApiError> {
    let now = cx.now;
    match tables::cname::token(cx.tx(), bucket.id, host, now)? {
        None => Ok(false),
        Some(token) if proof == Some(token.text.as_str()) => {
            tables::cname::forget_token(cx.tx(), bucket.id, host)
        }
        Some(_) => Err(ApiError::new(&UNPROVEN).field("Domain", host)),
    }
}

/// The host name in a URL, lower case.
fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

/// True where the names are the same, or one lies below the other.
fn is_related(one: &str, other: &str) -> bool {
    let below = |name: &str, parent: &str| {
        name.strip_suffix(parent).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    below(one, other) || below(other, one)
}

/// True for a name of at least two labels (RFC 1123). No address ends in a label with a letter.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
            && bytes.first() != Some(&b'-')
            && bytes.last() != Some(&b'-')
    };
    host.len() <= 253
        && host.contains('.')
        && host.split('.').all(label)
        && !host.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::{authority, is_host_name, is_related};

    #[test]
    fn a_name_is_related_to_itself_its_parents_and_its_children() {
        let host = authority("https://OSS.Awan.example:7101/x");
        assert_eq!(host, "oss.awan.example");
        for name in ["oss.awan.example", "awan.example", "a.b.oss.awan.example"] {
            assert!(is_related(name, &host), "{name}");
        }
        for name in ["data.awan.example", "xoss.awan.example", "wan.example"] {
            assert!(!is_related(name, &host), "{name}");
        }
    }

    #[test]
    fn a_host_name_has_two_labels_of_letters_digits_and_hyphens() {
        for name in ["data.kpu.example", "a-1.b", "xn--bcher-kva.example"] {
            assert!(is_host_name(name), "{name}");
        }
        for name in [
            "",
            "localhost",
            "a..b",
            "-a.b",
            "a-.b",
            "a_b.c",
            "192.0.2.1",
            "127.1",
            "a.b/c",
            "ü.example",
            "a b.c",
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }
}
