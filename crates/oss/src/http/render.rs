//! The XML of answers. Both dialects have the same documents with few differences: S3 names a name
//! space, writes entity tags in lower case and calls storage classes otherwise.

mod attributes;
mod bucket;
mod listing;
mod object;

use std::borrow::Cow;

use base::text::{percent_encode, percent_encode_keeping};
use base::{AccountId, Time};
use wire::object::Dialect;
use wire::object::xml::Writer;

use crate::config::S3_NAMESPACE;

pub(super) use attributes::{Attributes, attributes};
pub(super) use bucket::{
    ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY, Place, acl, bucket_info, bucket_stat,
    cloud_boxes, cnames, default_configuration, list_buckets, live_channels, location, regions,
    tagging, versioning,
};
pub(super) use listing::{
    Listed, list_objects, list_objects_v2, list_parts, list_uploads, list_versions,
};
pub(super) use object::{Outcome, complete, copy, copy_part, deleted, initiate, posted};

/// How the documents of one answer are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) dialect: Dialect,
    /// Keys and prefixes are percent-encoded, as the client asked with `encoding-type=url`.
    pub(super) encoded: bool,
}

impl Style {
    pub(super) const fn plain(dialect: Dialect) -> Self {
        Self { dialect, encoded: false }
    }

    const fn is_oss(self) -> bool {
        matches!(self.dialect, Dialect::Oss)
    }

    /// A document with its root open.
    fn root(self, name: &'static str) -> Writer {
        let mut xml = Writer::new();
        match self.dialect {
            Dialect::Oss => xml.open(name),
            Dialect::S3 => xml.open_in(name, S3_NAMESPACE),
        };
        xml
    }

    /// A key, a prefix or a delimiter. S3 leaves slashes as they are, OSS does not.
    fn key(self, text: &str) -> Cow<'_, str> {
        match (self.encoded, self.dialect) {
            (false, _) => Cow::Borrowed(text),
            (true, Dialect::Oss) => Cow::Owned(percent_encode(text)),
            (true, Dialect::S3) => Cow::Owned(percent_encode_keeping(text, b"/")),
        }
    }

    fn encoding(self, xml: &mut Writer) {
        if self.encoded {
            xml.text("EncodingType", "url");
        }
    }
}

/// A moment in documents: whole seconds, as `Last-Modified` tells it, with the `.000` that some
/// clients insist on.
fn moment(time: Time) -> String {
    Time::from_secs(time.secs()).iso_millis()
}

/// `Owner{ID, DisplayName}`, or another element of that form.
fn owner(xml: &mut Writer, element: &'static str, account: AccountId) {
    xml.open(element).value("ID", account).value("DisplayName", account).close();
}

#[cfg(test)]
mod tests;
