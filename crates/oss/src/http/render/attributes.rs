//! GetObjectAttributes (S3).

use super::super::headers::class_name;
use super::super::respond::coverage;
use super::Style;
use crate::model::{ObjectInfo, ObjectPart};

/// What was asked, and what is known.
#[derive(Debug)]
pub(in crate::http) struct Attributes<'a> {
    pub(in crate::http) wanted: &'a [&'static str],
    pub(in crate::http) info: &'a ObjectInfo,
    /// The number of parts; 0 for an object that came at once.
    pub(in crate::http) total: usize,
    /// The number of the part after which the page begins.
    pub(in crate::http) after: u32,
    pub(in crate::http) limit: usize,
    pub(in crate::http) truncated: bool,
    /// The page.
    pub(in crate::http) parts: &'a [&'a ObjectPart],
}

/// The document. An attribute that the object does not have is left out.
pub(in crate::http) fn attributes(style: Style, told: &Attributes<'_>) -> Vec<u8> {
    let mut xml = style.root("GetObjectAttributesResponse");
    let wants = |name: &str| told.wanted.contains(&name);
    if wants("ETag") {
        xml.text("ETag", &told.info.etag.lower());
    }
    if wants("Checksum")
        && let Some(kind) = told.info.attributes.checksums.first()
    {
        xml.open("Checksum");
        for checksum in &told.info.attributes.checksums {
            // Without the number of parts, which stands beside it.
            let text = checksum.text();
            xml.text(checksum.algorithm.element(), &text);
        }
        xml.text("ChecksumType", coverage(kind)).close();
    }
    if wants("ObjectParts") && told.total > 0 {
        xml.open("ObjectParts").value("PartsCount", told.total);
        xml.value("PartNumberMarker", told.after);
        let last = told.parts.last().map_or(told.after, |part| part.number);
        xml.value("NextPartNumberMarker", last).value("MaxParts", told.limit);
        xml.value("IsTruncated", told.truncated);
        for part in told.parts {
            xml.open("Part").value("PartNumber", part.number).value("Size", part.size);
            for checksum in &part.checksums {
                xml.text(checksum.algorithm.element(), &checksum.text());
            }
            xml.close();
        }
        xml.close();
    }
    if wants("StorageClass") {
        xml.text("StorageClass", class_name(told.info.storage_class, style.dialect));
    }
    if wants("ObjectSize") {
        xml.value("ObjectSize", told.info.size);
    }
    xml.finish()
}
