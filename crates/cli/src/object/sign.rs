//! Puts the signature of the store's dialect on a request, in its headers or its address.

use std::time::Duration;

use base::text::hex;
use base::{Clock, SystemClock};
use http::HeaderMap;
use http::header::HOST;
use ring::digest::{SHA256, digest};
use wire::object::{Draft, Resource, Signer, oss_v4, sigv4};
use wire::query;

use super::{Ask, Body, Dialect, Store, unsendable};
use crate::error::Error;

/// Sets the headers that sign the request; those that are to be signed must be there already.
pub(super) fn sign(
    store: &Store,
    ask: &Ask<'_>,
    body: &Body<'_>,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    headers.insert(HOST, host(store)?);
    let raw = query::encode(ask.query.iter().copied());
    let path = ask.path();
    let draft = draft(ask, &path, &raw);
    match store.dialect {
        Dialect::Oss => oss_v4::sign(&signer(store), &draft, headers),
        Dialect::S3 => {
            let payload = match body {
                Body::Empty => hex(digest(&SHA256, b"").as_ref()),
                Body::Bytes(bytes) => hex(digest(&SHA256, bytes).as_ref()),
                // The digest would have to stand before the body; the answer's ETag is compared instead.
                Body::Stream(..) => sigv4::UNSIGNED_PAYLOAD.to_owned(),
            };
            sigv4::sign(&signer(store), &draft, &payload, headers)
        }
    }
    .map_err(unsendable)
}

/// The query that signs the request.
pub(super) fn presigned(store: &Store, ask: &Ask<'_>, valid: Duration) -> Result<String, Error> {
    let raw = query::encode(ask.query.iter().copied());
    let path = ask.path();
    let draft = draft(ask, &path, &raw);
    let mut headers = HeaderMap::new();
    Ok(match store.dialect {
        Dialect::Oss => oss_v4::presign(&signer(store), &draft, &headers, valid),
        Dialect::S3 => {
            headers.insert(HOST, host(store)?);
            sigv4::presign(&signer(store), &draft, &headers, valid)
        }
    })
}

fn host(store: &Store) -> Result<http::HeaderValue, Error> {
    http::HeaderValue::from_str(&store.host).map_err(unsendable)
}

fn draft<'a>(ask: &'a Ask<'_>, path: &'a str, query: &'a str) -> Draft<'a> {
    Draft {
        method: ask.method.as_str(),
        path,
        query,
        resource: Resource {
            bucket: Some(ask.bucket).filter(|bucket| !bucket.is_empty()),
            key: Some(ask.key.as_bytes()).filter(|key| !key.is_empty()),
        },
    }
}

fn signer(store: &Store) -> Signer<'_> {
    Signer {
        key_id: &store.credentials.id,
        secret: &store.credentials.secret,
        token: store.credentials.token.as_deref(),
        region: &store.region,
        now: SystemClock.now(),
    }
}
