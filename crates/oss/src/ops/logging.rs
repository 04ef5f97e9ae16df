//! Access logging: who may have a bucket's records delivered where, and their way there.
//!
//! Records wait in memory for a second ([`crate::access_log`]), then in the database until their delivery
//! is due, which puts them into the target bucket as anybody's objects are put. Where a delivery came to
//! its end and its rows could not be deleted, it is made once more: no record is lost then, and some come
//! twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, ApiError, Code, RequestId, Time};
use engine::{Caller, Cx, RequestInfo};
use policy::bucket::Says;
use store::Tx;
use wire::object::Dialect;

use super::bucket::require_on;
use super::{Document, RequestCtx, Whole, find_bucket};
use crate::access::{Need, says_of_service};
use crate::access_log::{self, Lines, Record, Route, Source};
use crate::config;
use crate::config::logging::{Delivery, Fields, Logging, Status};
use crate::meter::PUTS;
use crate::model::{Attributes, Bucket, PutOptions};
use crate::tables::access_log::Waiting;
use crate::{Oss, error, tables};

/// The service that delivers records, as policies of S3 name it.
const SERVICE: &str = "logging.s3.amazonaws.com";
/// One delivered object, bytes, or a little more. When so much waits it is delivered before its time.
const OBJECT_BYTES: usize = 8 << 20;
/// What may wait for one route, bytes. More is lost.
const WAITING_BYTES_MAX: u64 = 256 << 20;
/// How long a delivery that failed waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(60);

static NO_TARGET: Code =
    Code::new("InvalidTargetBucketForLogging", 400, "There is no such target bucket.");

impl Oss {
    /// Has the requests to a bucket recorded, or (without a configuration) no longer.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied` (also where records may not be delivered to the target), and
    /// `InvalidTargetBucketForLogging`, `NoSuchKey` or `InvalidArgument` for a target that cannot be one.
    pub(crate) async fn set_bucket_logging(
        &self,
        ctx: &RequestCtx,
        name: &str,
        status: Status,
    ) -> Result<(), ApiError> {
        let name = name.to_owned();
        let (put, delete) = Document::Logging.changes();
        let meta = if status.0.is_some() { put } else { delete };
        let set = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            require_on(cx, &bucket, Need::Own)?;
            cx.audit_account(bucket.owner);
            cx.audit_resource(bucket.arn());
            cx.count(bucket.owner, &bucket.arn(), PUTS, 1);
            let document = Document::Logging.name();
            let Some(logging) = &status.0 else {
                return tables::bucket::delete_document(cx.tx(), bucket.id, document).map(drop);
            };
            cx.audit_detail("target", logging.target.as_str());
            let now = cx.now;
            check_target(cx.tx(), &bucket, logging, now)?;
            let kept = serde_json::to_string(&status).map_err(ApiError::internal)?;
            tables::bucket::set_document(cx.tx(), bucket.id, document, &kept)
        };
        self.0.cloud.write(ctx.session(meta), set).await?;
        self.find_logged().await
    }

    /// What is recorded of the requests to a bucket, if anything is.
    pub(crate) fn logged(&self, bucket: &str) -> Option<Arc<Source>> {
        self.0.access_log.source(bucket)
    }

    /// Records a request.
    pub(crate) fn record(&self, source: &Source, record: &Record<'_>) {
        self.0.access_log.add(source, record);
    }

    /// Finds out which buckets are logged. Another process may have changed it.
    pub(crate) async fn find_logged(&self) -> Result<(), ApiError> {
        let find = |tx: &mut Tx<'_>| {
            let logged = tables::access_log::configured(tx, Document::Logging.name())?;
            // Most clouds have none, and need not look further every second.
            let fields = match logged.is_empty() {
                true => Vec::new(),
                false => tables::access_log::configured(tx, Document::LogFields.name())?,
            };
            Ok::<_, ApiError>((logged, fields))
        };
        let (logged, fields) = self.0.cloud.db.read(find).await?;
        let mut of: HashMap<String, Fields> = HashMap::new();
        for (bucket, _, document) in fields {
            of.insert(bucket, config::restore(&document)?);
        }
        let mut sources = HashMap::with_capacity(logged.len());
        for (bucket, account, document) in logged {
            let Status(Some(logging)) = config::restore(&document)? else { continue };
            let dialect = logging.names.dialect();
            let route = Route { bucket: bucket.clone(), account: account.to_i64(), logging };
            let route = serde_json::to_string(&route).map_err(ApiError::internal)?.into();
            let fields = of.remove(&bucket).unwrap_or_default();
            sources.insert(bucket, Arc::new(Source { route, account, dialect, fields }));
        }
        self.0.access_log.set_sources(sources);
        Ok(())
    }

    /// Writes the access records so far into the database, where they wait for their delivery.
    pub async fn flush_access_log(&self) {
        let (log, cloud) = (&self.0.access_log, &self.0.cloud);
        let lines = log.take();
        if !lines.is_empty() {
            let lines = Arc::new(lines);
            let (rows, now) = (Arc::clone(&lines), cloud.clock.now());
            let keep = move |tx: &mut Tx<'_>| {
                let mut lost = Vec::new();
                for Lines { account, route, lines } in rows.iter() {
                    if !tables::access_log::keep(tx, route, lines, now, WAITING_BYTES_MAX)? {
                        lost.push((*account, access_log::count(lines)));
                    }
                }
                Ok::<_, ApiError>(lost)
            };
            match cloud.db.write(keep).await {
                Ok(lost) => lost.into_iter().for_each(|(account, lost)| log.lose(account, lost)),
                Err(error) => {
                    tracing::error!(?error, "keep access records; they are tried again");
                    log.put_back(Arc::unwrap_or_clone(lines));
                }
            }
        }
        let (lost, all) = log.lost();
        for (account, records) in lost {
            tracing::warn!(%account, records, "access records of an account were lost: too many waited");
        }
        if all > 0 {
            let help = "Access records that were lost because too many waited.";
            cloud.metrics.gauge("awan_oss_log_lost_total", help, tables::int(all));
        }
    }

    /// Delivers the access records that have waited for the interval; says how many objects that made.
    ///
    /// # Errors
    /// Those of the database. A delivery that fails does not keep the others.
    pub async fn deliver_access_logs(&self) -> Result<usize, ApiError> {
        let cloud = &self.0.cloud;
        let before = cloud.clock.now().minus(self.0.blobs.limits.log_interval);
        let due = move |tx: &mut Tx<'_>| tables::access_log::due(tx, before, OBJECT_BYTES as u64);
        let mut delivered = 0;
        for waiting in cloud.db.read(due).await? {
            match self.deliver(&waiting).await {
                Ok(objects) => delivered += objects,
                Err(error) => {
                    tracing::warn!(?error, route = waiting.route, "deliver access records later");
                    let began = before.plus(AGAIN);
                    let put_off =
                        move |tx: &mut Tx<'_>| tables::access_log::put_off(tx, waiting.id, began);
                    cloud.db.write(put_off).await?;
                }
            }
        }
        Ok(delivered)
    }

    /// Delivers what waits for one route. What may not go there any more is dropped.
    async fn deliver(&self, waiting: &Waiting) -> Result<usize, ApiError> {
        let route: Route = config::restore(&waiting.route)?;
        let (cloud, id) = (&self.0.cloud, waiting.id);
        let mut objects = 0;
        loop {
            let read = move |tx: &mut Tx<'_>| tables::access_log::lines(tx, id, OBJECT_BYTES);
            let Some((last, lines)) = cloud.db.read(read).await? else { return Ok(objects) };
            let now = cloud.clock.now();
            let unique = cloud.rng.bytes::<8>();
            let key = route.logging.key(&Delivery {
                account: AccountId::from_i64(route.account),
                region: &cloud.region.id,
                bucket: &route.bucket,
                now,
                began: waiting.began,
                unique: &base::text::hex_upper(&unique),
            });
            if self.may_deliver(&route, &key).await? {
                let put = self.put_as_system(&route.logging.target, &key, "text/plain", lines);
                put.await?;
                objects += 1;
            } else {
                tracing::info!(route = waiting.route, "access records may not be delivered");
            }
            let forget = move |tx: &mut Tx<'_>| tables::access_log::forget(tx, id, last, now);
            cloud.db.write(forget).await?;
        }
    }

    async fn may_deliver(&self, route: &Route, key: &str) -> Result<bool, ApiError> {
        let (route, key, now) = (route.clone(), key.to_owned(), self.0.cloud.clock.now());
        let ask = move |tx: &mut Tx<'_>| {
            let Some(target) = tables::bucket::find(tx, &route.logging.target)? else {
                return Ok(false);
            };
            let from = (AccountId::from_i64(route.account), route.bucket.as_str());
            may_take(&target, from, &route.logging, &key, now)
        };
        self.0.cloud.db.read(ask).await
    }

    /// Stores an object that the cloud itself makes, as anybody's is stored.
    pub(super) async fn put_as_system(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), ApiError> {
        let ctx = self.as_system();
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let attributes = Attributes { headers, ..Attributes::default() };
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.put(&ctx, bucket, key, options, Whole::new(body)).await.map(drop)
    }

    /// The cloud itself as the one who asks.
    pub(crate) fn as_system(&self) -> RequestCtx {
        let id = RequestId::random(&*self.0.cloud.rng);
        let request = RequestInfo { id, ..RequestInfo::default() };
        RequestCtx { caller: Caller::system(), request }
    }
}

/// Refuses a target that cannot be one, or that records may not be delivered to.
fn check_target(
    tx: &mut Tx<'_>,
    bucket: &Bucket,
    logging: &Logging,
    now: Time,
) -> Result<(), ApiError> {
    let is_s3 = logging.names.dialect() == Dialect::S3;
    let target = tables::bucket::find(tx, &logging.target)?;
    let target = target.ok_or_else(|| {
        // Clients of S3 are told so.
        let code = if is_s3 { &error::NO_SUCH_KEY } else { &NO_TARGET };
        ApiError::new(code).field("TargetBucket", logging.target.as_str())
    })?;
    if is_s3 {
        let refuse = |why: &str| Err(error::INVALID_ARGUMENT.error(why));
        if target.id == bucket.id {
            return refuse("A bucket's records cannot be delivered to itself.");
        }
        if tables::bucket::document(tx, target.id, Document::Logging.name())?.is_some() {
            return refuse("The target bucket is logged itself.");
        }
        if target.settings.encryption.is_some() {
            return refuse("The target bucket has a default encryption.");
        }
        if target.settings.requester_pays {
            return refuse("Requesters pay for the target bucket.");
        }
    }
    let owner = target.owner.to_string();
    if logging.grantees.iter().any(|grantee| *grantee != owner) {
        return Err(error_of_grants());
    }
    let from = (bucket.owner, bucket.name.as_str());
    if may_take(&target, from, logging, &logging.prefix, now)? {
        return Ok(());
    }
    let why = "The target bucket does not let records be delivered to it.";
    Err(error::ACCESS_DENIED.error(why).field("TargetBucket", target.name))
}

fn error_of_grants() -> ApiError {
    wire::object::error::NOT_IMPLEMENTED
        .error("Delivered objects are their bucket owner's; they can be granted to nobody else.")
}

/// Whether records of a bucket may be delivered to another: in OSS within an account, in S3 where the
/// target's policy lets the service put the object, or the prefix itself and does not deny the object. There is
/// nothing else that a statement on a prefix can mean, for no delivery has so short a key.
fn may_take(
    target: &Bucket,
    from: (AccountId, &str),
    logging: &Logging,
    key: &str,
    now: Time,
) -> Result<bool, ApiError> {
    if logging.names.dialect() == Dialect::Oss {
        return Ok(target.owner == from.0);
    }
    let says = |key| says_of_service(target, SERVICE, from, key, now);
    Ok(match says(key)? {
        Says::Allows => true,
        Says::Denies => false,
        Says::Nothing | Says::AllowsAccount => says(&logging.prefix)? == Says::Allows,
    })
}
