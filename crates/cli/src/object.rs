//! A client of object storage that speaks both dialects, OSS (signature V4) and S3 (SigV4), with the
//! bucket in the path. What is written and read is checked against the checksums of the dialect:
//! CRC-64/XZ in OSS, the MD5 in the ETag in S3. It does not retry.

use std::io::{Read, Write};
use std::time::Duration;

use anyhow::Result;
use base::text::percent_encode_keeping;
use http::{HeaderMap, Request, Response};
use ureq::{Body as Answer, SendBody};
use wire::object::xml::Writer;
use wire::query;

use crate::error::Error;
use crate::http::{Http, authority};
use crate::profile::{Credentials, Profile};

mod answer;
mod multipart;
mod sign;
mod sums;

pub use multipart::Part;

use answer::{content_length, document, etag, text};
use sums::{Summed, Sums};

/// The largest object that one PUT takes (both dialects).
pub const PUT_BYTES_MAX: u64 = 5 << 30;
const BUFFER_BYTES: usize = 256 << 10;

/// The protocol to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Alibaba Cloud OSS, signature V4.
    Oss,
    /// Amazon S3, signature version 4.
    S3,
}

impl Dialect {
    /// The dialect's own headers start with this.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Oss => "x-oss-",
            Self::S3 => "x-amz-",
        }
    }
}

impl std::fmt::Display for Dialect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Oss => "oss",
            Self::S3 => "s3",
        })
    }
}

/// Object storage of one cloud, asked by one key in one dialect. Shared by threads.
#[derive(Clone)]
pub struct Store {
    http: Http,
    endpoint: String,
    host: String,
    region: String,
    credentials: Credentials,
    dialect: Dialect,
}

/// What is sent with a request.
pub enum Body<'a> {
    /// Nothing.
    Empty,
    /// Bytes at hand.
    Bytes(&'a [u8]),
    /// A stream of exactly so many bytes.
    Stream(&'a mut dyn Read, u64),
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case, without quotes; the MD5 of what was sent in one PUT.
    pub etag: String,
    /// As the protocol writes it (ISO 8601).
    pub modified: String,
}

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects, in key order.
    pub entries: Vec<Entry>,
    /// Common prefixes, where a delimiter was given.
    pub prefixes: Vec<String>,
    /// Where the next page starts; `None` on the last one.
    pub next: Option<String>,
}

/// Which part of a bucket to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing<'a> {
    /// Keys that start with this.
    pub prefix: &'a str,
    /// Folds keys that share what stands before this; empty lists everything.
    pub delimiter: &'a str,
    /// From the page before.
    pub token: Option<&'a str>,
    /// Entries per page, at most 1000; 0 means 1000.
    pub max: u16,
}

/// What a new bucket is to be. What is not told, the cloud and the agreement choose.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewBucket<'a> {
    /// The region that it is to be in.
    pub region: Option<&'a str>,
    /// The data centre that is to hold it, or the first copy of it.
    pub site: Option<&'a str>,
    /// `public`, `internal`, `personal` or `strategic`.
    pub data_class: Option<&'a str>,
    /// `LRS`, or `ZRS` for a copy in each of several zones.
    pub redundancy: Option<&'a str>,
}

impl NewBucket<'_> {
    /// How a dialect says it: headers and a document, which is empty where there is nothing to say.
    fn told(&self, dialect: Dialect) -> (Vec<(&'static str, String)>, String) {
        let mut headers = Vec::new();
        let mut tell = |name, value: Option<&str>| {
            headers.extend(value.map(|value| (name, value.to_owned())));
        };
        tell("x-awan-data-class", self.data_class);
        tell("x-awan-site", self.site);
        let mut elements = Vec::new();
        match dialect {
            Dialect::Oss => {
                elements.extend(self.region.map(|it| ("LocationConstraint", format!("oss-{it}"))));
                elements.extend(self.redundancy.map(|it| ("DataRedundancyType", it.to_owned())));
            }
            Dialect::S3 => {
                tell("x-awan-redundancy", self.redundancy); // S3 has no word for it
                elements.extend(self.region.map(|it| ("LocationConstraint", it.to_owned())));
            }
        }
        if elements.is_empty() {
            return (headers, String::new());
        }
        let mut xml = Writer::new();
        xml.open("CreateBucketConfiguration");
        for (name, value) in elements {
            xml.text(name, &value);
        }
        (headers, String::from_utf8_lossy(&xml.finish()).into_owned())
    }
}

/// What the cloud says about an object.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Bytes.
    pub size: u64,
    /// Lower-case, without quotes.
    pub etag: String,
    /// All header fields of the answer.
    pub headers: HeaderMap,
}

/// One request before it is signed.
struct Ask<'a> {
    method: http::Method,
    bucket: &'a str,
    key: &'a str,
    query: &'a [(&'a str, &'a str)],
    headers: &'a [(&'a str, String)],
}

impl<'a> Ask<'a> {
    fn new(method: http::Method, bucket: &'a str, key: &'a str) -> Self {
        Self { method, bucket, key, query: &[], headers: &[] }
    }

    /// The path as it is sent: each segment percent-encoded, slashes kept.
    fn path(&self) -> String {
        match (self.bucket, self.key) {
            ("", _) => "/".to_owned(),
            (bucket, "") => format!("/{bucket}/"),
            (bucket, key) => format!("/{bucket}/{}", percent_encode_keeping(key, b"/")),
        }
    }
}

impl Store {
    /// Object storage of the cloud that the profile names.
    ///
    /// # Errors
    /// Where the profile has no address or no key.
    pub fn new(http: &Http, profile: &Profile, dialect: Dialect) -> Result<Self> {
        let endpoint = profile.oss()?.to_owned();
        Ok(Self {
            http: http.clone(),
            host: authority(&endpoint)?,
            endpoint,
            region: profile.region.clone(),
            credentials: profile.credentials()?.clone(),
            dialect,
        })
    }

    /// The dialect that this client speaks.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// As [`Error`]; S3 answers `BucketAlreadyOwnedByYou` where it is there already.
    pub fn create_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.make_bucket(bucket, &NewBucket::default())
    }

    /// Makes a bucket in a region of the cloud.
    ///
    /// # Errors
    /// As [`Self::create_bucket`]; the agreement's refusal where data may not be there.
    pub fn create_bucket_in(&self, bucket: &str, region: &str) -> Result<(), Error> {
        self.make_bucket(bucket, &NewBucket { region: Some(region), ..NewBucket::default() })
    }

    /// Makes a bucket that is what somebody wants of it.
    ///
    /// # Errors
    /// As [`Self::create_bucket`]; the agreement's refusal where data of that class may not be there.
    pub fn make_bucket(&self, bucket: &str, new: &NewBucket<'_>) -> Result<(), Error> {
        let (headers, body) = new.told(self.dialect);
        let mut ask = Ask::new(http::Method::PUT, bucket, "");
        ask.headers = &headers;
        self.send(&ask, Body::Bytes(body.as_bytes())).map(drop)
    }

    /// Removes an empty bucket.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn delete_bucket(&self, bucket: &str) -> Result<(), Error> {
        self.send(&Ask::new(http::Method::DELETE, bucket, ""), Body::Empty).map(drop)
    }

    /// Names and creation dates of the account's buckets.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn buckets(&self) -> Result<Vec<(String, String)>, Error> {
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
            let name = if self.dialect == Dialect::Oss { "marker" } else { "continuation-token" };
            let query = [(name, marker.as_str())];
            let mut ask = Ask::new(http::Method::GET, "", "");
            if !marker.is_empty() {
                ask.query = &query;
            }
            let bytes = self.read(&ask)?;
            let root = document(&bytes, "ListAllMyBucketsResult")?;
            for bucket in root.all("Buckets").flat_map(|buckets| buckets.all("Bucket")) {
                let created = text(bucket, "CreationDate").to_owned();
                found.push((text(bucket, "Name").to_owned(), created));
            }
            let next = match self.dialect {
                Dialect::Oss => text(&root, "NextMarker"),
                Dialect::S3 => text(&root, "ContinuationToken"),
            };
            if next.is_empty() || next == marker {
                return Ok(found);
            }
            marker = next.to_owned();
        }
    }

    /// Stores an object; answers its ETag. What the cloud received is compared with what was sent.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Corrupt`] where the checksums differ.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        body: Body<'_>,
        content_type: Option<&str>,
    ) -> Result<String, Error> {
        let media: Vec<(&str, String)> =
            content_type.map(|media| ("content-type", media.to_owned())).into_iter().collect();
        let mut ask = Ask::new(http::Method::PUT, bucket, key);
        ask.headers = &media;
        let mut sums = Sums::new(self.dialect);
        let response = match body {
            Body::Empty => self.send(&ask, Body::Bytes(b""))?,
            Body::Bytes(bytes) => {
                sums.update(bytes);
                self.send(&ask, Body::Bytes(bytes))?
            }
            Body::Stream(reader, length) => {
                let mut reader = Summed { inner: reader, sums: &mut sums };
                self.send(&ask, Body::Stream(&mut reader, length))?
            }
        };
        sums.compare(response.headers(), key)?;
        Ok(etag(response.headers()))
    }

    /// Copies an object inside the cloud; answers nothing but success.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), Error> {
        let source = format!("/{}/{}", from.0, percent_encode_keeping(from.1, b"/"));
        let name = format!("{}copy-source", self.dialect.prefix());
        let headers = [(name.as_str(), source)];
        let mut ask = Ask::new(http::Method::PUT, to.0, to.1);
        ask.headers = &headers;
        // S3 may answer a copy that failed halfway with status 200 and an error document.
        document(&self.read(&ask)?, "CopyObjectResult").map(drop)
    }

    /// Writes an object's bytes to `out`; answers how many. They are compared with the checksum that
    /// the cloud keeps, so on success `out` holds what was stored.
    ///
    /// # Errors
    /// As [`Error`]; after an error `out` may hold a part.
    pub fn get(&self, bucket: &str, key: &str, out: &mut dyn Write) -> Result<u64, Error> {
        let response = self.send(&Ask::new(http::Method::GET, bucket, key), Body::Empty)?;
        let headers = response.headers().clone();
        let mut sums = Sums::new(self.dialect);
        let mut reader = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut total = 0;
        loop {
            let broke = |source: std::io::Error| Error::Transport {
                url: format!("{}/{bucket}/{key}", self.endpoint),
                source: Box::new(source.into()),
            };
            let read = reader.read(&mut buffer).map_err(broke)?;
            if read == 0 {
                break;
            }
            sums.update(&buffer[..read]);
            total += read as u64;
            out.write_all(&buffer[..read])
                .map_err(|source| Error::Local { context: "write what was read", source })?;
        }
        sums.compare(&headers, key)?;
        match content_length(&headers) {
            Some(length) if length != total => {
                Err(Error::Corrupt(format!("{key}: {total} bytes came, {length} were promised")))
            }
            _ => Ok(total),
        }
    }

    /// What the cloud says about an object.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn head(&self, bucket: &str, key: &str) -> Result<Meta, Error> {
        let response = self.send(&Ask::new(http::Method::HEAD, bucket, key), Body::Empty)?;
        let headers = response.headers().clone();
        Ok(Meta { size: content_length(&headers).unwrap_or(0), etag: etag(&headers), headers })
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), Error> {
        self.send(&Ask::new(http::Method::DELETE, bucket, key), Body::Empty).map(drop)
    }

    /// One page of a bucket (ListObjectsV2, which both dialects have).
    ///
    /// # Errors
    /// As [`Error`].
    pub fn list(&self, bucket: &str, listing: Listing<'_>) -> Result<Page, Error> {
        let max = if listing.max == 0 { 1000 } else { listing.max }.to_string();
        // Keys may hold characters that XML cannot; encoded they always can be read.
        let mut query =
            vec![("list-type", "2"), ("max-keys", max.as_str()), ("encoding-type", "url")];
        let optional = [
            ("prefix", listing.prefix),
            ("delimiter", listing.delimiter),
            ("continuation-token", listing.token.unwrap_or_default()),
        ];
        query.extend(optional.into_iter().filter(|(_, value)| !value.is_empty()));
        let mut ask = Ask::new(http::Method::GET, bucket, "");
        ask.query = &query;
        answer::page(&self.read(&ask)?)
    }

    /// Every object under a prefix, page by page.
    ///
    /// # Errors
    /// The first error of a page, or of `each`.
    pub fn walk<E: From<Error>>(
        &self,
        bucket: &str,
        listing: Listing<'_>,
        mut each: impl FnMut(Page) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut token: Option<String> = None;
        loop {
            let mut page = self.list(bucket, Listing { token: token.as_deref(), ..listing })?;
            let next = page.next.take();
            each(page)?;
            match next {
                Some(next) if Some(&next) != token.as_ref() => token = Some(next),
                Some(_) => {
                    return Err(Error::Corrupt("the listing does not move on".to_owned()).into());
                }
                None => return Ok(()),
            }
        }
    }

    /// An address that lets anyone do this for a while (at most seven days).
    ///
    /// # Errors
    /// Where the address of the store cannot be a `Host` header.
    pub fn presign(
        &self,
        method: &http::Method,
        bucket: &str,
        key: &str,
        valid: Duration,
    ) -> Result<String, Error> {
        let ask = Ask::new(method.clone(), bucket, key);
        let query = sign::presigned(self, &ask, valid)?;
        Ok(format!("{}{}?{query}", self.endpoint, ask.path()))
    }

    fn read(&self, ask: &Ask<'_>) -> Result<Vec<u8>, Error> {
        Http::read(&self.uri(ask)?, self.send(ask, Body::Empty)?)
    }

    fn uri(&self, ask: &Ask<'_>) -> Result<http::Uri, Error> {
        let query = query::encode(ask.query.iter().copied());
        let separator = if query.is_empty() { "" } else { "?" };
        let uri = format!("{}{}{separator}{query}", self.endpoint, ask.path());
        uri.parse().map_err(unsendable)
    }

    /// Signs and sends; an answer that is not a success becomes an error.
    fn send(&self, ask: &Ask<'_>, body: Body<'_>) -> Result<Response<Answer>, Error> {
        let mut headers = HeaderMap::with_capacity(12);
        for (name, value) in ask.headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).map_err(unsendable)?;
            headers.insert(name, http::HeaderValue::from_str(value).map_err(unsendable)?);
        }
        let length = match &body {
            // A PUT without a body (a bucket, a copy) says so.
            Body::Empty => (ask.method == http::Method::PUT).then_some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Stream(_, length) => Some(*length),
        };
        if let Some(length) = length {
            headers.insert(http::header::CONTENT_LENGTH, length.into());
        }
        sign::sign(self, ask, &body, &mut headers)?;
        let uri = self.uri(ask)?;
        let mut builder = Request::builder().method(ask.method.clone()).uri(uri.clone());
        if let Some(map) = builder.headers_mut() {
            *map = headers;
        }
        let (parts, ()) = builder.body(()).map_err(unsendable)?.into_parts();
        let response = match body {
            Body::Empty => self.http.send(Request::from_parts(parts, SendBody::none()))?,
            Body::Bytes(mut bytes) => {
                self.http.send(Request::from_parts(parts, crate::api::send_body(&mut bytes)))?
            }
            Body::Stream(reader, _) => {
                self.http.send(Request::from_parts(parts, SendBody::from_reader(reader)))?
            }
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let headers = response.headers().clone();
        // The status counts even where the rest of the answer breaks off.
        let body = Http::read(&uri, response).unwrap_or_default();
        Err(Error::Service(answer::failure(ask, status.as_u16(), &headers, &body)))
    }
}

fn unsendable(error: impl Into<http::Error>) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, error.into());
    Error::Local { context: "the request cannot be written as HTTP", source }
}

#[cfg(test)]
mod tests;
