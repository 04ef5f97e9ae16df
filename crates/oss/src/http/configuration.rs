//! Configurations of a bucket that nothing here acts on yet. They cannot be set (`NotImplemented`:
//! storing what is not obeyed would be a lie), so reading one answers what both protocols answer of
//! a bucket that has none: an error of its own, or the default.

use base::Code;
use wire::object::{Dialect, error};

use crate::ops::Document;

/// One kind of configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// The sub-resource.
    pub(super) name: &'static str,
    /// The engine's word for it, under which it has a permission of its own.
    pub(super) document: Option<Document>,
    /// What each protocol answers where there is none; `None` where it does not know this kind.
    oss: Option<Unset>,
    s3: Option<Unset>,
}

/// What reading a configuration answers that was never set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unset {
    /// This error.
    Error(&'static Code),
    /// A root element with these children.
    Default(&'static str, &'static [(&'static str, &'static str)]),
}

impl Configuration {
    /// What a client of that protocol is told.
    pub(super) fn unset(&self, dialect: Dialect) -> Option<Unset> {
        match dialect {
            Dialect::Oss => self.oss,
            Dialect::S3 => self.s3,
        }
    }
}

/// The kind of that sub-resource.
pub(super) fn find(dialect: Dialect, name: &str) -> Option<&'static Configuration> {
    ALL.iter().find(|kind| kind.name == name && kind.unset(dialect).is_some())
}

const fn missing(name: &'static str) -> Code {
    Code::new(name, 404, "The bucket has no such configuration.")
}

static NO_LIFECYCLE: Code = missing("NoSuchLifecycle");
static NO_OSS_ENCRYPTION: Code = missing("NoSuchServerSideEncryptionRule");
static NO_S3_ENCRYPTION: Code = missing("ServerSideEncryptionConfigurationNotFoundError");
static NO_OSS_REPLICATION: Code = missing("NoSuchReplicationConfiguration");
static NO_S3_REPLICATION: Code = missing("ReplicationConfigurationNotFoundError");
static NO_INVENTORY: Code = missing("NoSuchInventory");
static NO_CONFIGURATION: Code = missing("NoSuchConfiguration");
static NO_OBJECT_LOCK: Code = missing("ObjectLockConfigurationNotFoundError");
static NO_OWNERSHIP: Code = missing("OwnershipControlsNotFoundError");
static NO_ACCESS_BLOCK: Code = missing("NoSuchPublicAccessBlockConfiguration");
static NO_WORM: Code = missing("NoSuchWORMConfiguration");

const fn kind(
    name: &'static str,
    document: Option<Document>,
    oss: Option<Unset>,
    s3: Option<Unset>,
) -> Configuration {
    Configuration { name, document, oss, s3 }
}

const fn error(code: &'static Code) -> Option<Unset> {
    Some(Unset::Error(code))
}

const fn default(
    root: &'static str,
    children: &'static [(&'static str, &'static str)],
) -> Option<Unset> {
    Some(Unset::Default(root, children))
}

static ALL: &[Configuration] = &[
    kind(
        "accelerate",
        Some(Document::TransferAcceleration),
        None,
        default("AccelerateConfiguration", &[]),
    ),
    kind("cors", Some(Document::Cors), error(&error::NO_SUCH_CORS), error(&error::NO_SUCH_CORS)),
    kind("encryption", None, error(&NO_OSS_ENCRYPTION), error(&NO_S3_ENCRYPTION)),
    kind("inventory", None, error(&NO_INVENTORY), error(&NO_CONFIGURATION)),
    kind(
        "lifecycle",
        Some(Document::Lifecycle),
        error(&NO_LIFECYCLE),
        error(&error::NO_SUCH_LIFECYCLE),
    ),
    kind(
        "logging",
        Some(Document::Logging),
        default("BucketLoggingStatus", &[]),
        default("BucketLoggingStatus", &[]),
    ),
    kind("notification", None, None, default("NotificationConfiguration", &[])),
    kind("object-lock", None, None, error(&NO_OBJECT_LOCK)),
    kind("ownershipControls", None, None, error(&NO_OWNERSHIP)),
    kind("publicAccessBlock", None, NOT_BLOCKED, error(&NO_ACCESS_BLOCK)),
    kind(
        "referer",
        Some(Document::Referer),
        default("RefererConfiguration", &[("AllowEmptyReferer", "true"), ("RefererList", "")]),
        None,
    ),
    kind("replication", None, error(&NO_OSS_REPLICATION), error(&NO_S3_REPLICATION)),
    kind("requestPayment", Some(Document::RequestPayment), OWNER_PAYS, OWNER_PAYS),
    kind(
        "transferAcceleration",
        Some(Document::TransferAcceleration),
        default("TransferAccelerationConfiguration", &[("Enabled", "false")]),
        None,
    ),
    kind(
        "website",
        Some(Document::Website),
        error(&error::NO_SUCH_WEBSITE),
        error(&error::NO_SUCH_WEBSITE),
    ),
    kind("worm", None, error(&NO_WORM), None),
];

const OWNER_PAYS: Option<Unset> =
    default("RequestPaymentConfiguration", &[("Payer", "BucketOwner")]);
const NOT_BLOCKED: Option<Unset> =
    default("PublicAccessBlockConfiguration", &[("BlockPublicAccess", "false")]);
