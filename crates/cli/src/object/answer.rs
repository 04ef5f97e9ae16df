//! What the cloud answers: listings and errors, read out of XML and header fields.

use base::text::percent_decode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderMap;
use wire::object::xml::{self, Element};

use super::{Ask, Entry, Page};
use crate::error::{Error, Failure};

/// A document whose root element has this name; an error document becomes an error.
pub(super) fn document<'a>(bytes: &'a [u8], root: &str) -> Result<Element<'a>, Error> {
    // The answer was bounded when it was read, so its own length is limit enough.
    xml::read(bytes, root, bytes.len()).map_err(|refused| match error_document(bytes, 200) {
        Some(failure) => Error::Service(failure),
        None => Error::Corrupt(format!("the answer is not a {root}: {}", refused.text())),
    })
}

/// The text of the first child of that name, or nothing.
pub(super) fn text<'e>(element: &'e Element<'_>, name: &str) -> &'e str {
    element.text_of(name).unwrap_or_default()
}

fn error_document(bytes: &[u8], status: u16) -> Option<Failure> {
    let root = xml::read(bytes, "Error", bytes.len()).ok()?;
    Some(Failure {
        status,
        code: text(&root, "Code").to_owned(),
        message: text(&root, "Message").to_owned(),
        request_id: text(&root, "RequestId").to_owned(),
    })
}

/// The error in an answer: in its body, else in the header that OSS has for answers to HEAD, else as
/// much as the status says.
pub(super) fn failure(ask: &Ask<'_>, status: u16, headers: &HeaderMap, body: &[u8]) -> Failure {
    let in_header = || BASE64.decode(headers.get("x-oss-err")?.as_bytes()).ok();
    let named = error_document(body, status).or_else(|| error_document(&in_header()?, status));
    let mut failure = named.unwrap_or_else(|| by_status(ask, status));
    if failure.request_id.is_empty() {
        let ids = ["x-oss-request-id", "x-amz-request-id"];
        let id = ids.iter().find_map(|name| headers.get(*name)?.to_str().ok());
        failure.request_id = id.unwrap_or_default().to_owned();
    }
    failure
}

fn by_status(ask: &Ask<'_>, status: u16) -> Failure {
    let (code, message) = match (status, ask.key) {
        (404, "") => ("NoSuchBucket".to_owned(), "The bucket does not exist."),
        (404, _) => ("NoSuchKey".to_owned(), "The object does not exist."),
        (403, _) => ("AccessDenied".to_owned(), "This key may not do that."),
        _ => (format!("HTTP {status}"), "The answer says no more."),
    };
    Failure { status, code, message: message.to_owned(), request_id: String::new() }
}

/// One page of a listing (ListObjectsV2).
pub(super) fn page(bytes: &[u8]) -> Result<Page, Error> {
    let root = document(bytes, "ListBucketResult")?;
    let encoded = text(&root, "EncodingType") == "url";
    let plain = |raw: &str| {
        let bytes = if encoded { percent_decode(raw, true) } else { raw.as_bytes().to_vec() };
        let corrupt = || Error::Corrupt("a key in the listing is not UTF-8".to_owned());
        String::from_utf8(bytes).map_err(|_| corrupt())
    };
    let mut page = Page::default();
    for item in root.all("Contents") {
        let corrupt = || Error::Corrupt("an object in the listing has no size".to_owned());
        page.entries.push(Entry {
            key: plain(text(item, "Key"))?,
            size: text(item, "Size").parse().map_err(|_| corrupt())?,
            etag: text(item, "ETag").trim_matches('"').to_ascii_lowercase(),
            modified: text(item, "LastModified").to_owned(),
        });
    }
    for item in root.all("CommonPrefixes") {
        page.prefixes.push(plain(text(item, "Prefix"))?);
    }
    if text(&root, "IsTruncated") == "true" {
        let next = text(&root, "NextContinuationToken");
        if next.is_empty() {
            let cut = "the listing is cut and does not say where it goes on";
            return Err(Error::Corrupt(cut.to_owned()));
        }
        page.next = Some(next.to_owned());
    }
    Ok(page)
}

/// The ETag in lower case, without its quotes.
pub(super) fn etag(headers: &HeaderMap) -> String {
    let value = headers.get("etag").and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    value.trim_matches('"').to_ascii_lowercase()
}

/// The number of bytes that were promised.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
