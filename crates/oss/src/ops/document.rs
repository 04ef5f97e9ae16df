//! Bucket sub-resources that are documents: kept and given back. What those say that are acted upon
//! is in `config`.
//!
//! Documents on which safety depends (policy, encryption, versioning, retention) are not here: to
//! take one without acting on it would be a false promise.

use base::ApiError;
use engine::{Cx, Meta};

use super::bucket::{require_on, require_to_read};
use super::{RequestCtx, find_bucket, meta};
use crate::access::Need;
use crate::config::{self, Config};
use crate::meter::{GETS, PUTS};
use crate::{Oss, error, tables};

macro_rules! documents {
    ($($(#[$doc:meta])* $name:ident $stored:literal $get:literal $put:literal $delete:literal;)*) => {
        /// A kind of document.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Document { $($(#[$doc])* $name,)* }

        impl Document {
            /// The name of the sub-resource, also stored.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $stored,)* }
            }

            const fn get(self) -> Meta {
                match self { $(Self::$name => meta::get_document($get),)* }
            }

            const fn put(self) -> Meta {
                match self { $(Self::$name => meta::put_document($put),)* }
            }

            const fn delete(self) -> Meta {
                match self { $(Self::$name => meta::put_document($delete),)* }
            }
        }
    };
}

documents! {
    /// Rules for other origins.
    Cors "cors" "GetBucketCors" "PutBucketCors" "DeleteBucketCors";
    /// Rules of expiry and transition.
    Lifecycle "lifecycle" "GetBucketLifecycle" "PutBucketLifecycle" "DeleteBucketLifecycle";
    /// What records of access have besides the usual.
    LogFields "userDefinedLogFieldsConfig" "GetUserDefinedLogFieldsConfig" "PutUserDefinedLogFieldsConfig" "DeleteUserDefinedLogFieldsConfig";
    /// Where access is logged to.
    Logging "logging" "GetBucketLogging" "PutBucketLogging" "DeleteBucketLogging";
    /// Who is told of changes: nobody.
    Notification "notification" "GetBucketNotification" "PutBucketNotification" "PutBucketNotification";
    /// Which referers may.
    Referer "referer" "GetBucketReferer" "PutBucketReferer" "PutBucketReferer";
    /// Whether archived objects are read without being restored.
    ArchiveDirectRead "bucketArchiveDirectRead" "GetBucketArchiveDirectRead" "PutBucketArchiveDirectRead" "PutBucketArchiveDirectRead";
    /// Whether it is noted when objects were read.
    AccessMonitor "accessmonitor" "GetBucketAccessMonitor" "PutBucketAccessMonitor" "PutBucketAccessMonitor";
    /// Which versions of TLS its clients may speak.
    Https "httpsConfig" "GetBucketHttpsConfig" "PutBucketHttpsConfig" "PutBucketHttpsConfig";
    /// How much it may hold.
    Capacity "qos" "GetBucketStorageCapacity" "PutBucketStorageCapacity" "PutBucketStorageCapacity";
    /// Callbacks under names.
    Callbacks "callbackPolicy" "GetBucketCallbackPolicy" "PutBucketCallbackPolicy" "DeleteBucketCallbackPolicy";
    /// Which objects may not be overwritten.
    Overwrite "overwriteConfig" "GetBucketOverwriteConfig" "PutBucketOverwriteConfig" "DeleteBucketOverwriteConfig";
    /// The group of resources that it is counted to.
    ResourceGroup "resourceGroup" "GetBucketResourceGroup" "PutBucketResourceGroup" "PutBucketResourceGroup";
    /// Tags of the bucket.
    Tagging "tagging" "GetBucketTagging" "PutBucketTagging" "DeleteBucketTagging";
    /// Whether transfer is accelerated.
    TransferAcceleration "transferAcceleration" "GetBucketTransferAcceleration" "PutBucketTransferAcceleration" "PutBucketTransferAcceleration";
    /// Static website hosting.
    Website "website" "GetBucketWebsite" "PutBucketWebsite" "DeleteBucketWebsite";
}

impl Document {
    /// The operations that set and delete it.
    pub(super) const fn changes(self) -> (Meta, Meta) {
        (self.put(), self.delete())
    }
}

impl Oss {
    /// A document of a bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchConfiguration`, `AccessDenied`.
    pub async fn bucket_config(
        &self,
        ctx: &RequestCtx,
        name: &str,
        which: Document,
    ) -> Result<String, ApiError> {
        let asked = name.to_owned();
        let find = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &asked)?;
            require_to_read(cx, &bucket, Need::Own)?;
            let found = tables::bucket::document(cx.tx(), bucket.id, which.name())?;
            let document = found.ok_or_else(|| ApiError::new(&error::NO_SUCH_CONFIGURATION))?;
            Ok((bucket, document))
        };
        Ok(self.read(ctx, (which.get(), GETS), name, find).await?.found)
    }

    /// A configuration for what acts on it, whoever asks: nothing of it is told but by what is done.
    /// `None` where the bucket has none, or is not there.
    pub(crate) async fn acting_config<T: Config>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let name = name.to_owned();
        let find = move |tx: &mut store::Tx<'_>| {
            let Some(bucket) = tables::bucket::find(tx, &name)? else { return Ok(None) };
            tables::bucket::document(tx, bucket.id, T::DOCUMENT.name())
        };
        let kept: Option<String> = self.0.cloud.db.read(find).await?;
        kept.as_deref().map(config::restore).transpose()
    }

    /// Stores a document of a bucket, in place of the one before; `None` deletes it, whether it is
    /// there or not.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub async fn set_bucket_config(
        &self,
        ctx: &RequestCtx,
        name: &str,
        which: Document,
        document: Option<String>,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let meta = if document.is_some() { which.put() } else { which.delete() };
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.audit_detail("document", which.name());
            match &document {
                Some(document) => {
                    tables::bucket::set_document(cx.tx(), bucket.id, which.name(), document)?
                }
                None => drop(tables::bucket::delete_document(cx.tx(), bucket.id, which.name())?),
            }
            let mut settings = bucket.settings.clone();
            config::settle(which, document.as_deref(), &mut settings, cx.now)?;
            if settings != bucket.settings {
                tables::bucket::set_settings(cx.tx(), bucket.id, &settings)?;
            }
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            Ok(())
        };
        self.0.cloud.write(ctx.session(meta), set).await?;
        match which {
            Document::Logging | Document::LogFields => self.find_logged().await,
            _ => Ok(()),
        }
    }
}
