//! Listings of objects, versions, uploads and parts.

use base::{AccountId, Time};
use wire::object::xml::Writer;

use super::super::class::restored as restored_text;
use super::super::headers::class_name;
use super::super::respond::{coverage_name, etag};
use super::{Style, moment, owner};
use crate::ops::{
    ListPage, ListQuery, ListedObject, ListedPart, ListedVersion, PartPage, UploadPage,
    UploadQuery, VersionPage, VersionQuery,
};

/// What a listing of objects was asked with.
#[derive(Debug)]
pub(in crate::http) struct Listed<'a> {
    pub(in crate::http) query: &'a ListQuery,
    /// As the client gave it: `marker`, or `start-after` of a V2 listing.
    pub(in crate::http) after: &'a str,
    /// V2: the token that the client came with.
    pub(in crate::http) token: Option<&'a str>,
    /// V2: where the next page begins.
    pub(in crate::http) next_token: Option<String>,
    pub(in crate::http) owners: bool,
    pub(in crate::http) now: Time,
}

/// ListObjects.
pub(in crate::http) fn list_objects(style: Style, asked: &Listed<'_>, page: &ListPage) -> Vec<u8> {
    let query = asked.query;
    let mut xml = style.root("ListBucketResult");
    head(&mut xml, style, page, query);
    xml.text("Marker", &style.key(asked.after));
    // S3 tells it only where the last key would not do.
    if let Some(next) =
        page.next.as_deref().filter(|_| style.is_oss() || !query.delimiter.is_empty())
    {
        xml.text("NextMarker", &style.key(next));
    }
    entries(&mut xml, style, asked, page);
    xml.finish()
}

/// ListObjectsV2.
pub(in crate::http) fn list_objects_v2(
    style: Style,
    asked: &Listed<'_>,
    page: &ListPage,
) -> Vec<u8> {
    let mut xml = style.root("ListBucketResult");
    head(&mut xml, style, page, asked.query);
    if !asked.after.is_empty() {
        xml.text("StartAfter", &style.key(asked.after));
    }
    xml.text_opt("ContinuationToken", asked.token);
    xml.text_opt("NextContinuationToken", asked.next_token.as_deref());
    xml.value("KeyCount", page.objects.len() + page.prefixes.len());
    entries(&mut xml, style, asked, page);
    xml.finish()
}

fn head(xml: &mut Writer, style: Style, page: &ListPage, query: &ListQuery) {
    let asked = (page.bucket.name.as_str(), query.prefix.as_str(), query.delimiter.as_str());
    frame(xml, style, asked, query.limit, page.next.is_some());
}

fn frame(
    xml: &mut Writer,
    style: Style,
    (bucket, prefix, delimiter): (&str, &str, &str),
    limit: usize,
    more: bool,
) {
    xml.text("Name", bucket).text("Prefix", &style.key(prefix));
    xml.value("MaxKeys", limit);
    if style.is_oss() || !delimiter.is_empty() {
        xml.text("Delimiter", &style.key(delimiter));
    }
    style.encoding(xml);
    xml.value("IsTruncated", more);
}

fn entries(xml: &mut Writer, style: Style, asked: &Listed<'_>, page: &ListPage) {
    for object in &page.objects {
        xml.open("Contents");
        entry(xml, style, object, asked.now);
        if asked.owners {
            owner(xml, "Owner", page.bucket.owner);
        }
        xml.close();
    }
    prefixes(xml, style, &page.prefixes);
}

fn entry(xml: &mut Writer, style: Style, object: &ListedObject, now: Time) {
    xml.text("Key", &style.key(&object.key)).text("LastModified", &moment(object.modified));
    xml.text("ETag", &etag(&object.etag, style.dialect));
    if style.is_oss() {
        xml.text("Type", object.object_type());
    }
    xml.value("Size", object.size)
        .text("StorageClass", class_name(object.storage_class, style.dialect));
    let restored = object.restored.as_ref().filter(|_| style.is_oss());
    if let Some(text) = restored.and_then(|it| restored_text(it, now)) {
        xml.text("RestoreInfo", &text);
    }
}

fn prefixes(xml: &mut Writer, style: Style, prefixes: &[String]) {
    for prefix in prefixes {
        xml.open("CommonPrefixes").text("Prefix", &style.key(prefix)).close();
    }
}

/// ListObjectVersions.
pub(in crate::http) fn list_versions(
    style: Style,
    query: &VersionQuery,
    page: &VersionPage,
    now: Time,
) -> Vec<u8> {
    let mut xml = style.root("ListVersionsResult");
    let VersionQuery { prefix, delimiter, after_key, after_version, limit } = query;
    frame(&mut xml, style, (&page.bucket.name, prefix, delimiter), *limit, page.next.is_some());
    let after_version = after_version.map(|id| id.to_string()).unwrap_or_default();
    xml.text("KeyMarker", &style.key(after_key)).text("VersionIdMarker", &after_version);
    if let Some((key, version)) = &page.next {
        let version = version.map(|id| id.to_string()).unwrap_or_default();
        xml.text("NextKeyMarker", &style.key(key)).text("NextVersionIdMarker", &version);
    }
    for listed in &page.versions {
        let ListedVersion { object, version, latest, marker } = listed;
        if *marker {
            xml.open("DeleteMarker").text("Key", &style.key(&object.key));
            xml.text("LastModified", &moment(object.modified));
        } else {
            xml.open("Version");
            entry(&mut xml, style, object, now);
        }
        xml.value("VersionId", version).value("IsLatest", latest);
        owner(&mut xml, "Owner", page.bucket.owner);
        xml.close();
    }
    prefixes(&mut xml, style, &page.prefixes);
    xml.finish()
}

/// ListMultipartUploads.
pub(in crate::http) fn list_uploads(
    style: Style,
    query: &UploadQuery,
    page: &UploadPage,
) -> Vec<u8> {
    // OSS tells where a listing ended also where it is the last one.
    let last = page.uploads.last().filter(|_| style.is_oss());
    let last = last.map_or(("", ""), |last| (last.key.as_str(), last.upload_id.as_str()));
    let (next_key, next_upload) =
        page.next.as_ref().map_or(last, |(key, id)| (key.as_str(), id.as_str()));
    let mut xml = style.root("ListMultipartUploadsResult");
    xml.text("Bucket", &page.bucket.name);
    xml.text("KeyMarker", &style.key(&query.after_key)).text("UploadIdMarker", &query.after_upload);
    xml.text("NextKeyMarker", &style.key(next_key)).text("NextUploadIdMarker", next_upload);
    if style.is_oss() || !query.delimiter.is_empty() {
        xml.text("Delimiter", &style.key(&query.delimiter));
    }
    xml.text("Prefix", &style.key(&query.prefix)).value("MaxUploads", query.limit);
    style.encoding(&mut xml);
    xml.value("IsTruncated", page.next.is_some());
    for upload in &page.uploads {
        xml.open("Upload").text("Key", &style.key(&upload.key)).text("UploadId", &upload.upload_id);
        xml.text("StorageClass", class_name(upload.storage_class, style.dialect));
        xml.text("Initiated", &moment(upload.initiated));
        owners(&mut xml, style, upload.owner);
        xml.close();
    }
    prefixes(&mut xml, style, &page.prefixes);
    xml.finish()
}

fn owners(xml: &mut Writer, style: Style, account: AccountId) {
    if !style.is_oss() {
        owner(xml, "Initiator", account);
        owner(xml, "Owner", account);
    }
}

/// ListParts of this key and upload, after this number.
pub(in crate::http) fn list_parts(
    style: Style,
    (key, upload_id): (&str, &str),
    (after, limit): (u32, usize),
    page: &PartPage,
) -> Vec<u8> {
    let mut xml = style.root("ListPartsResult");
    xml.text("Bucket", &page.bucket.name).text("Key", &style.key(key)).text("UploadId", upload_id);
    xml.text("StorageClass", class_name(page.storage_class, style.dialect));
    let last = page.parts.last().map_or(after, |part| part.number);
    xml.value("PartNumberMarker", after)
        .value("NextPartNumberMarker", last)
        .value("MaxParts", limit);
    style.encoding(&mut xml);
    xml.value("IsTruncated", page.next.is_some());
    owners(&mut xml, style, page.owner);
    if let Some((algorithm, covers)) = page.checksum.filter(|_| !style.is_oss()) {
        xml.text("ChecksumAlgorithm", algorithm.name());
        xml.text("ChecksumType", coverage_name(covers));
    }
    if style.is_oss() {
        client_encryption(&mut xml, &page.user);
    }
    for part in &page.parts {
        self::part(&mut xml, style, part);
    }
    xml.finish()
}

/// What the parts of an upload are called by whose client encrypts them: told of metadata of the object to be.
const CLIENT_ENCRYPTION: [(&str, &str); 6] = [
    ("client-side-encryption-key", "ClientEncryptionKey"),
    ("client-side-encryption-start", "ClientEncryptionStart"),
    ("client-side-encryption-cek-alg", "ClientEncryptionCekAlg"),
    ("client-side-encryption-wrap-alg", "ClientEncryptionWrapAlg"),
    ("client-side-encryption-data-size", "ClientEncryptionDataSize"),
    ("client-side-encryption-part-size", "ClientEncryptionPartSize"),
];

fn client_encryption(xml: &mut Writer, user: &[(String, String)]) {
    for (name, element) in CLIENT_ENCRYPTION {
        let found = user.iter().find(|(known, _)| known == name);
        xml.text_opt(element, found.map(|(_, value)| value.as_str()));
    }
}

fn part(xml: &mut Writer, style: Style, ListedPart { number, part }: &ListedPart) {
    xml.open("Part").value("PartNumber", number).text("LastModified", &moment(part.modified));
    xml.text("ETag", &etag(&part.etag, style.dialect)).value("Size", part.size);
    if style.is_oss() {
        xml.value("HashCrc64ecma", part.crc64);
    } else {
        for checksum in &part.checksums {
            xml.text(checksum.algorithm.element(), &checksum.text());
        }
    }
    xml.close();
}
