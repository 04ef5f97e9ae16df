//! Large objects in pieces: multipart uploads, and reading a range. Which pieces there are, and what
//! happens when one fails, is the caller's matter.

use http::Method;
use wire::object::xml::Writer;

use super::answer::{document, etag, text};
use super::sums::Sums;
use super::{Answer, Ask, Body, Store};
use crate::error::Error;
use crate::http::Http;

/// A piece of an upload that the cloud has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1 to 10,000.
    pub number: u32,
    /// Lower-case, without quotes: the MD5 of its bytes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

impl Store {
    /// Begins an upload in parts; answers its id.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn initiate(
        &self,
        bucket: &str,
        key: &str,
        content_type: Option<&str>,
    ) -> Result<String, Error> {
        let media: Vec<(&str, String)> =
            content_type.map(|media| ("content-type", media.to_owned())).into_iter().collect();
        let mut ask = Ask::new(Method::POST, bucket, key);
        ask.query = &[("uploads", "")];
        ask.headers = &media;
        let bytes = self.answer(&ask, b"")?;
        let root = document(&bytes, "InitiateMultipartUploadResult")?;
        match text(&root, "UploadId") {
            "" => Err(Error::Corrupt(format!("{key}: the upload that was begun has no id"))),
            id => Ok(id.to_owned()),
        }
    }

    /// Sends one part. What the cloud received is compared with what was sent.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Corrupt`] where the checksums differ.
    pub fn upload_part(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        number: u32,
        bytes: &[u8],
    ) -> Result<Part, Error> {
        let counted = number.to_string();
        let query = [("partNumber", counted.as_str()), ("uploadId", upload)];
        let mut ask = Ask::new(Method::PUT, bucket, key);
        ask.query = &query;
        let response = self.send(&ask, Body::Bytes(bytes))?;
        let mut sums = Sums::new(self.dialect);
        sums.update(bytes);
        sums.compare(response.headers(), key)?;
        Ok(Part { number, etag: etag(response.headers()), size: bytes.len() as u64 })
    }

    /// The parts that an upload has so far, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Error`]; `NoSuchUpload` where it was ended.
    pub fn parts(&self, bucket: &str, key: &str, upload: &str) -> Result<Vec<Part>, Error> {
        let (mut found, mut marker) = (Vec::new(), "0".to_owned());
        loop {
            let query = [("part-number-marker", marker.as_str()), ("uploadId", upload)];
            let mut ask = Ask::new(Method::GET, bucket, key);
            ask.query = &query;
            let bytes = self.read(&ask)?;
            let root = document(&bytes, "ListPartsResult")?;
            for part in root.all("Part") {
                let corrupt = |_| Error::Corrupt("a part in the listing has no number".to_owned());
                found.push(Part {
                    number: text(part, "PartNumber").parse().map_err(corrupt)?,
                    etag: text(part, "ETag").trim_matches('"').to_ascii_lowercase(),
                    size: text(part, "Size").parse().map_err(corrupt)?,
                });
            }
            let next = text(&root, "NextPartNumberMarker");
            if text(&root, "IsTruncated") != "true" || next.is_empty() || next == marker {
                return Ok(found);
            }
            marker = next.to_owned();
        }
    }

    /// Makes an object of these parts.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn complete(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        parts: &[Part],
    ) -> Result<(), Error> {
        let mut xml = Writer::new();
        xml.open("CompleteMultipartUpload");
        for part in parts {
            xml.open("Part").value("PartNumber", part.number);
            xml.text("ETag", &format!("\"{}\"", part.etag)).close();
        }
        let query = [("uploadId", upload)];
        let mut ask = Ask::new(Method::POST, bucket, key);
        ask.query = &query;
        // Both dialects may answer a failure with status 200 and an error document.
        let bytes = self.answer(&ask, &xml.finish())?;
        document(&bytes, "CompleteMultipartUploadResult").map(drop)
    }

    /// Gives an upload up; its parts are removed.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn abort(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
        let query = [("uploadId", upload)];
        let mut ask = Ask::new(Method::DELETE, bucket, key);
        ask.query = &query;
        self.send(&ask, Body::Empty).map(drop)
    }

    /// Keeps from now on what is overwritten or deleted in a bucket, as versions.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn enable_versioning(&self, bucket: &str) -> Result<(), Error> {
        let mut xml = Writer::new();
        xml.open("VersioningConfiguration").text("Status", "Enabled");
        let mut ask = Ask::new(Method::PUT, bucket, "");
        ask.query = &[("versioning", "")];
        self.send(&ask, Body::Bytes(&xml.finish())).map(drop)
    }

    /// The bytes from `first` to `last`, both included, of the object that has this ETag. A range has
    /// no checksum of its own: the caller verifies the whole.
    ///
    /// # Errors
    /// As [`Error`]; [`Error::Corrupt`] where the object is another one now, or bytes are missing.
    pub fn get_range(
        &self,
        (bucket, key): (&str, &str),
        expected: &str,
        (first, last): (u64, u64),
    ) -> Result<Vec<u8>, Error> {
        let headers = [("range", format!("bytes={first}-{last}"))];
        let mut ask = Ask::new(Method::GET, bucket, key);
        ask.headers = &headers;
        let response = self.send(&ask, Body::Empty)?;
        if etag(response.headers()) != expected {
            return Err(Error::Corrupt(format!("{key}: it was replaced while it was read")));
        }
        if response.status() != http::StatusCode::PARTIAL_CONTENT {
            return Err(Error::Corrupt(format!("{key}: the cloud does not answer a range")));
        }
        let bytes = read_up_to(response, last - first + 1, self.uri(&ask)?)?;
        match bytes.len() as u64 == last - first + 1 {
            true => Ok(bytes),
            false => Err(Error::Corrupt(format!("{key}: bytes {first}-{last} came in part only"))),
        }
    }

    /// What the cloud knows of a bucket, as the fields of one document of its own.
    ///
    /// # Errors
    /// As [`Error`].
    pub fn bucket_facts(
        &self,
        bucket: &str,
        view: &'static str,
    ) -> Result<Vec<(String, String)>, Error> {
        let query = [(view, "")];
        let mut ask = Ask::new(Method::GET, bucket, "");
        ask.query = &query;
        let bytes = self.read(&ask)?;
        let (name, nested) = match view {
            "stat" => ("BucketStat", None),
            _ => ("BucketInfo", Some("Bucket")),
        };
        let root = document(&bytes, name)?;
        let element = nested.and_then(|nested| root.child(nested)).unwrap_or(&root);
        let plain = element.children.iter().filter(|child| child.children.is_empty());
        Ok(plain.map(|child| (child.name.to_string(), child.text.to_string())).collect())
    }

    fn answer(&self, ask: &Ask<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        Http::read(&self.uri(ask)?, self.send(ask, Body::Bytes(body))?)
    }
}

/// Reads a body that should have `length` bytes, and never more than one beyond them.
fn read_up_to(
    response: http::Response<Answer>,
    length: u64,
    uri: http::Uri,
) -> Result<Vec<u8>, Error> {
    use std::io::Read;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    let mut reader = response.into_body().into_reader().take(length + 1);
    reader.read_to_end(&mut bytes).map_err(|source| Error::Transport {
        url: crate::http::shown(&uri),
        source: Box::new(source.into()),
    })?;
    Ok(bytes)
}
