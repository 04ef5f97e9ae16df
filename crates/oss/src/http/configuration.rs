//! The kinds of configurations of a bucket, and what reading one answers where it was not set: an
//! error of its own, or the default.
//!
//! Those that nothing acts on cannot be set (`NotImplemented`: storing what is not obeyed would be a
//! lie). What the others say is the matter of [`crate::config`].

use base::{ApiError, Code};
use http::StatusCode;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::{Dialect, error};

use super::call::{Call, Payload};
use super::render::{self, Style};
use super::respond::{empty, xml};
use super::{Answer, Storage};
use crate::config::switches::DEFAULT_GROUP;
use crate::config::{self, lifecycle};
use crate::error::NO_SUCH_TRANSFER_ACCELERATION;
use crate::ops::{BucketView, Document};

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
    /// The document of a kind that is acted upon.
    fn served(&self) -> Option<Document> {
        self.document.filter(|document| config::is_served(*document))
    }

    /// True where it can be set.
    pub(super) fn is_served(&self) -> bool {
        self.served().is_some()
    }

    /// What a client of that protocol is told where there is none.
    pub(super) fn unset(&self, dialect: Dialect) -> Option<Unset> {
        match dialect {
            Dialect::Oss => self.oss,
            Dialect::S3 => self.s3,
        }
    }
}

impl Storage {
    pub(super) async fn configuration(&self, call: &Call<'_>, kind: &Configuration) -> Answer {
        if let (Some(document), Some(kept)) =
            (kind.served(), self.kept_configuration(call, kind).await?)
        {
            return Ok(xml(config::tell(document, &kept, call.dialect)?));
        }
        match kind.unset(call.dialect) {
            Some(Unset::Default(root, children)) => {
                Ok(xml(render::default_configuration(Style::plain(call.dialect), root, children)))
            }
            Some(Unset::Error(code)) => {
                Err(ApiError::new(code).field("BucketName", call.bucket.as_str()))
            }
            None => Err(ApiError::new(&error::NOT_IMPLEMENTED)),
        }
    }

    pub(super) async fn put_configuration(
        &self,
        call: &Call<'_>,
        kind: &Configuration,
        payload: Payload,
    ) -> Answer {
        let document = kind.served().ok_or_else(|| ApiError::new(&error::NOT_IMPLEMENTED))?;
        let bytes_max =
            if document == Document::Lifecycle { lifecycle::BYTES_MAX } else { SMALL_BYTES_MAX };
        let body = call.read(payload, bytes_max).await?;
        let kept = config::accept(document, &body, call.dialect)?;
        self.oss.set_bucket_config(&call.ctx, &call.bucket, document, Some(kept)).await?;
        Ok(empty(StatusCode::OK))
    }

    /// Nobody is notified of anything here: only that is taken.
    pub(super) async fn put_notification(&self, call: &Call<'_>, payload: Payload) -> Answer {
        let body = call.read(payload, SMALL_BYTES_MAX).await?;
        let wanted = wire::object::xml::read(&body, "NotificationConfiguration", SMALL_BYTES_MAX)?;
        if !wanted.children.is_empty() {
            return Err(ApiError::new(&error::NOT_IMPLEMENTED).field("Header", "notification"));
        }
        let document = Document::Notification;
        self.oss.set_bucket_config(&call.ctx, &call.bucket, document, None).await?;
        Ok(empty(StatusCode::OK))
    }

    /// Deleting what is not there is a success.
    pub(super) async fn delete_configuration(
        &self,
        call: &Call<'_>,
        kind: &Configuration,
    ) -> Answer {
        match kind.served() {
            Some(document) => {
                self.oss.set_bucket_config(&call.ctx, &call.bucket, document, None).await?;
            }
            None => drop(self.kept_configuration(call, kind).await?),
        }
        Ok(empty(StatusCode::NO_CONTENT))
    }

    /// What is kept of that kind. Requires the bucket, and the permission for the kind where there is one
    /// of its own.
    async fn kept_configuration(
        &self,
        call: &Call<'_>,
        kind: &Configuration,
    ) -> Result<Option<String>, ApiError> {
        let Some(document) = kind.document else {
            self.oss.bucket(&call.ctx, &call.bucket, BucketView::Info).await?;
            return Ok(None);
        };
        match self.oss.bucket_config(&call.ctx, &call.bucket, document).await {
            Ok(kept) => Ok(Some(kept)),
            Err(refused) if refused.is(&crate::error::NO_SUCH_CONFIGURATION) => Ok(None),
            Err(refused) => Err(refused),
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
static NO_OSS_REPLICATION: Code = missing("NoSuchReplicationConfiguration");
static NO_S3_REPLICATION: Code = missing("ReplicationConfigurationNotFoundError");
static NO_CONFIGURATION: Code = missing("NoSuchConfiguration");
static NO_LOG_FIELDS: Code = missing("NoSuchUserDefinedLogFieldsConfig");
static NO_OVERWRITE: Code = missing("NoSuchBucketOverwriteConfig");
static NO_CALLBACKS: Code = missing("BucketCallbackPolicyNotExist");
static NO_META_QUERY: Code = missing("MetaQueryNotExist");

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

/// Lists of what S3 has more than one of, and nobody has any of here.
pub(super) static NO_ANALYTICS: Configuration =
    kind("analytics", None, None, none_of("ListBucketAnalyticsConfigurationResult"));
pub(super) static NO_METRICS: Configuration =
    kind("metrics", None, None, none_of("ListMetricsConfigurationsResult"));
pub(super) static NO_TIERING: Configuration = kind(
    "intelligent-tiering",
    None,
    None,
    none_of("ListBucketIntelligentTieringConfigurationsOutput"),
);

const fn none_of(root: &'static str) -> Option<Unset> {
    default(root, &[("IsTruncated", "false")])
}

/// Has no name of its own: it is asked for beside the bucket's policy.
pub(super) static CALLBACKS: Configuration =
    kind("policy", Some(Document::Callbacks), error(&NO_CALLBACKS), None);

static ALL: &[Configuration] = &[
    kind("overwriteConfig", Some(Document::Overwrite), error(&NO_OVERWRITE), None),
    kind(
        "qos",
        Some(Document::Capacity),
        default("BucketUserQos", &[("StorageCapacity", "-1")]),
        None,
    ),
    kind(
        "accelerate",
        Some(Document::TransferAcceleration),
        None,
        default("AccelerateConfiguration", &[]),
    ),
    kind(
        "accessmonitor",
        Some(Document::AccessMonitor),
        default("AccessMonitorConfiguration", &[("Status", "Disabled")]),
        None,
    ),
    kind(
        "bucketArchiveDirectRead",
        Some(Document::ArchiveDirectRead),
        default("ArchiveDirectReadConfiguration", &[("Enabled", "false")]),
        None,
    ),
    kind("httpsConfig", Some(Document::Https), default("HttpsConfiguration", &[]), None),
    kind(
        "resourceGroup",
        Some(Document::ResourceGroup),
        default("BucketResourceGroupConfiguration", &[("ResourceGroupId", DEFAULT_GROUP)]),
        None,
    ),
    kind("cors", Some(Document::Cors), error(&error::NO_SUCH_CORS), error(&error::NO_SUCH_CORS)),
    kind("analytics", None, None, error(&NO_CONFIGURATION)),
    kind("intelligent-tiering", None, None, error(&NO_CONFIGURATION)),
    kind("metaQuery", None, error(&NO_META_QUERY), None),
    kind("metrics", None, None, error(&NO_CONFIGURATION)),
    kind("replicationLocation", None, default("ReplicationLocation", &[]), None),
    kind("replicationProgress", None, error(&NO_OSS_REPLICATION), None),
    kind("userDefinedLogFieldsConfig", Some(Document::LogFields), error(&NO_LOG_FIELDS), None),
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
    kind(
        "notification",
        Some(Document::Notification),
        None,
        default("NotificationConfiguration", &[]),
    ),
    kind(
        "referer",
        Some(Document::Referer),
        default("RefererConfiguration", &[("AllowEmptyReferer", "true"), ("RefererList", "")]),
        None,
    ),
    kind("replication", None, error(&NO_OSS_REPLICATION), error(&NO_S3_REPLICATION)),
    kind(
        "transferAcceleration",
        Some(Document::TransferAcceleration),
        error(&NO_SUCH_TRANSFER_ACCELERATION),
        None,
    ),
    kind(
        "website",
        Some(Document::Website),
        error(&error::NO_SUCH_WEBSITE),
        error(&error::NO_SUCH_WEBSITE),
    ),
];
