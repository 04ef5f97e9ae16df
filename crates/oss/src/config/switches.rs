//! Small configurations that are one switch or one name each.
//!
//! Not here: what is done by them (`ops::class`, `ops::accesses`). Accelerated transfer and versions of TLS are kept
//! and told: there is one endpoint, and its door speaks TLS 1.2 and 1.3 only.

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};

use super::{Config, flag, malformed, root};
use crate::ops::Document;

/// Whether it is noted when objects were read (OSS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessMonitor {
    pub(crate) enabled: bool,
}

/// Whether objects of class Archive are read without being restored (OSS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveDirectRead {
    pub(crate) enabled: bool,
}

/// Whether clients asked for accelerated transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acceleration {
    pub(crate) enabled: bool,
}

/// Which versions of TLS clients may speak (OSS); any where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Https {
    pub(crate) versions: Vec<String>,
}

/// The group of resources that a bucket is counted to (OSS): a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResourceGroup {
    pub(crate) id: String,
}

/// Reads one of two words in the first child of that name.
///
/// Errors: `MalformedXML`.
fn either(element: &Element<'_>, name: &str, on: &str, off: &str) -> Result<bool, ApiError> {
    match element.word_of(name) {
        Some(word) if word == on => Ok(true),
        Some(word) if word == off => Ok(false),
        _ => Err(malformed(format!("The element {name} is {on} or {off}."))),
    }
}

fn needed(element: &Element<'_>, name: &str) -> Result<bool, ApiError> {
    flag(element, name)?.ok_or_else(|| malformed(format!("The element {name} is missing.")))
}

impl Config for AccessMonitor {
    const DOCUMENT: Document = Document::AccessMonitor;

    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "AccessMonitorConfiguration", SMALL_BYTES_MAX)?;
        Ok(Self { enabled: either(&element, "Status", "Enabled", "Disabled")? })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("AccessMonitorConfiguration", dialect);
        xml.text("Status", if self.enabled { "Enabled" } else { "Disabled" });
        xml.finish()
    }
}

impl Config for ArchiveDirectRead {
    const DOCUMENT: Document = Document::ArchiveDirectRead;

    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "ArchiveDirectReadConfiguration", SMALL_BYTES_MAX)?;
        Ok(Self { enabled: needed(&element, "Enabled")? })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("ArchiveDirectReadConfiguration", dialect);
        xml.value("Enabled", self.enabled);
        xml.finish()
    }
}

impl Config for Acceleration {
    const DOCUMENT: Document = Document::TransferAcceleration;

    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let enabled = match dialect {
            Dialect::Oss => {
                let root = "TransferAccelerationConfiguration";
                needed(&xml::read(body, root, SMALL_BYTES_MAX)?, "Enabled")?
            }
            Dialect::S3 => {
                let element = xml::read(body, "AccelerateConfiguration", SMALL_BYTES_MAX)?;
                either(&element, "Status", "Enabled", "Suspended")?
            }
        };
        Ok(Self { enabled })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        match dialect {
            Dialect::Oss => {
                let mut xml = root("TransferAccelerationConfiguration", dialect);
                xml.value("Enabled", self.enabled);
                xml.finish()
            }
            Dialect::S3 => {
                let mut xml = root("AccelerateConfiguration", dialect);
                xml.text("Status", if self.enabled { "Enabled" } else { "Suspended" });
                xml.finish()
            }
        }
    }
}

const TLS_VERSIONS: [&str; 4] = ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

impl Config for Https {
    const DOCUMENT: Document = Document::Https;

    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "HttpsConfiguration", SMALL_BYTES_MAX)?;
        let tls = element.child("TLS").ok_or_else(|| malformed("The element TLS is missing."))?;
        let mut versions: Vec<String> = Vec::new();
        for version in tls.all("TLSVersion").map(|version| version.text.trim()) {
            if !TLS_VERSIONS.contains(&version) {
                return Err(malformed("A TLSVersion is not known."));
            }
            if !versions.iter().any(|known| known == version) {
                versions.push(version.to_owned());
            }
        }
        match (needed(tls, "Enable")?, versions.is_empty()) {
            (true, true) => Err(malformed("At least one TLSVersion must be enabled.")),
            (true, false) => Ok(Self { versions }),
            (false, _) => Ok(Self::default()),
        }
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("HttpsConfiguration", dialect);
        xml.open("TLS").value("Enable", !self.versions.is_empty());
        for version in &self.versions {
            xml.text("TLSVersion", version);
        }
        xml.finish()
    }
}

/// The group of a bucket of which nobody said one.
pub(crate) const DEFAULT_GROUP: &str = "rg-default";

impl Config for ResourceGroup {
    const DOCUMENT: Document = Document::ResourceGroup;

    fn parse(body: &[u8], _: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "BucketResourceGroupConfiguration", SMALL_BYTES_MAX)?;
        // An empty name is the default group.
        let id = element.word_of("ResourceGroupId").unwrap_or(DEFAULT_GROUP);
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !id.starts_with("rg-") || id.len() > 64 || !id.chars().all(known) {
            return Err(wire::object::error::INVALID_ARGUMENT
                .error("The ResourceGroupId is not that of a resource group."));
        }
        Ok(Self { id: id.to_owned() })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("BucketResourceGroupConfiguration", dialect);
        xml.text("ResourceGroupId", &self.id);
        xml.finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn again<T: Config + PartialEq + std::fmt::Debug>(body: &[u8]) {
        for dialect in [Dialect::Oss, Dialect::S3] {
            if let Ok(read) = T::parse(body, dialect) {
                assert_eq!(T::parse(&read.render(dialect), dialect).unwrap(), read);
            }
        }
    }

    fn all(body: &[u8]) {
        again::<AccessMonitor>(body);
        again::<ArchiveDirectRead>(body);
        again::<Acceleration>(body);
        again::<Https>(body);
        again::<ResourceGroup>(body);
    }

    #[test]
    fn a_policy_of_tls_names_versions_once_and_only_known_ones() {
        let parse = |inside: &str| {
            let body = format!("<HttpsConfiguration><TLS>{inside}</TLS></HttpsConfiguration>");
            Https::parse(body.as_bytes(), Dialect::Oss).map(|https| https.versions)
        };
        let twice =
            "<Enable>true</Enable><TLSVersion>TLSv1.2</TLSVersion><TLSVersion>TLSv1.2</TLSVersion>";
        assert_eq!(parse(twice).unwrap(), ["TLSv1.2"]);
        assert!(parse("<Enable>false</Enable>").unwrap().is_empty());
        for wrong in ["<Enable>true</Enable>", "<Enable>true</Enable><TLSVersion>a</TLSVersion>"] {
            assert_eq!(parse(wrong).unwrap_err().code(), "MalformedXML");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_told_so_that_it_reads_the_same(
            root in prop::sample::select(vec![
                "AccessMonitorConfiguration", "ArchiveDirectReadConfiguration", "AccelerateConfiguration",
                "TransferAccelerationConfiguration", "BucketResourceGroupConfiguration", "HttpsConfiguration",
            ]),
            inside in prop::collection::vec(prop::sample::select(vec![
                "<Status>Enabled</Status>", "<Status>Disabled</Status>", "<Status>Suspended</Status>",
                "<Enabled>true</Enabled>", "<Enabled>FALSE</Enabled>", "<Enabled/>", "<ResourceGroupId/>",
                "<ResourceGroupId>rg-1</ResourceGroupId>", "<ResourceGroupId>x</ResourceGroupId>",
                "<TLS><Enable>true</Enable><TLSVersion>TLSv1.3</TLSVersion></TLS>", "<TLS/>",
            ]), 0..4),
        ) {
            all(format!("<{root}>{}</{root}>", inside.concat()).as_bytes());
        }

        #[test]
        fn no_body_breaks_a_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            all(&body);
        }
    }
}
