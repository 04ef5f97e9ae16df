//! What writes of objects answer.

use base::{ApiError, Time};
use wire::object::error;
use wire::object::xml::Writer;

use super::super::respond::{coverage, etag};
use super::{Style, moment};
use crate::digest::Checksum;
use crate::model::{Etag, Stored, VersionId};

/// CopyObject.
pub(in crate::http) fn copy(style: Style, stored: &Stored) -> Vec<u8> {
    copied(style, "CopyObjectResult", &stored.etag, stored.modified, &stored.checksums)
}

/// UploadPartCopy.
pub(in crate::http) fn copy_part(
    style: Style,
    tag: &Etag,
    modified: Time,
    checksums: &[Checksum],
) -> Vec<u8> {
    copied(style, "CopyPartResult", tag, modified, checksums)
}

fn copied(
    style: Style,
    root: &'static str,
    tag: &Etag,
    modified: Time,
    checksums: &[Checksum],
) -> Vec<u8> {
    let mut xml = style.root(root);
    xml.text("LastModified", &moment(modified)).text("ETag", &etag(tag, style.dialect));
    self::checksums(&mut xml, style, checksums);
    xml.finish()
}

fn checksums(xml: &mut Writer, style: Style, checksums: &[Checksum]) {
    for checksum in checksums.iter().filter(|_| !style.is_oss()) {
        xml.text(checksum.algorithm.element(), &checksum.text())
            .text("ChecksumType", coverage(checksum));
    }
}

/// InitiateMultipartUpload.
pub(in crate::http) fn initiate(style: Style, bucket: &str, key: &str, upload_id: &str) -> Vec<u8> {
    let mut xml = style.root("InitiateMultipartUploadResult");
    style.encoding(&mut xml);
    xml.text("Bucket", bucket).text("Key", &style.key(key)).text("UploadId", upload_id);
    xml.finish()
}

/// CompleteMultipartUpload.
pub(in crate::http) fn complete(
    style: Style,
    location: &str,
    bucket: &str,
    key: &str,
    stored: &Stored,
) -> Vec<u8> {
    let mut xml = style.root("CompleteMultipartUploadResult");
    style.encoding(&mut xml);
    xml.text("Location", location).text("Bucket", bucket).text("Key", &style.key(key));
    xml.text("ETag", &etag(&stored.etag, style.dialect));
    checksums(&mut xml, style, &stored.checksums);
    xml.finish()
}

/// PostObject, where the form asks for a document.
pub(in crate::http) fn posted(location: &str, bucket: &str, key: &str, etag: &str) -> Vec<u8> {
    let mut xml = Writer::new();
    xml.open("PostResponse").text("Bucket", bucket).text("ETag", etag);
    xml.text("Key", key).text("Location", location);
    xml.finish()
}

/// What came of one key of a multi-object delete.
#[derive(Debug)]
pub(in crate::http) struct Outcome {
    pub(in crate::http) key: String,
    pub(in crate::http) version: Option<String>,
    /// The delete marker that was made or deleted.
    pub(in crate::http) marker: Option<VersionId>,
    pub(in crate::http) refused: Option<ApiError>,
}

/// DeleteMultipleObjects. A quiet answer lists refusals only.
pub(in crate::http) fn deleted(style: Style, quiet: bool, outcomes: &[Outcome]) -> Vec<u8> {
    let mut xml = style.root("DeleteResult");
    style.encoding(&mut xml);
    for Outcome { key, version, marker, refused } in outcomes {
        let Some(refused) = refused else {
            if !quiet {
                xml.open("Deleted")
                    .text("Key", &style.key(key))
                    .text_opt("VersionId", version.as_deref());
                if let Some(marker) = marker {
                    xml.value("DeleteMarker", true).value("DeleteMarkerVersionId", marker);
                }
                xml.close();
            }
            continue;
        };
        let (code, _) = error::words(style.dialect, refused);
        xml.open("Error").text("Key", &style.key(key)).text_opt("VersionId", version.as_deref());
        xml.text("Code", &code).text("Message", refused.text()).close();
    }
    xml.finish()
}
