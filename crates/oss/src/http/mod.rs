//! The skins: OSS and S3 over HTTP, both thin over the operations of [`Oss`]. A request is read into
//! the engine's words, the engine acts, and what comes of it is told in the client's dialect. Read
//! [`Storage::answer`] from top to bottom.
//!
//! | file | owns |
//! |---|---|
//! | `access.rs` | the records of access logging |
//! | `call.rs` | one request as the operations see it; where it points (path, host, CNAME) |
//! | `route.rs` | method and sub-resource to operation |
//! | `auth.rs` | who asks |
//! | `service.rs` `bucket.rs` `listing.rs` `object.rs` `multipart.rs` `cname.rs` `cname_token.rs` `policy.rs` `version.rs` | the operations, one function each |
//! | `class.rs` | restoring what is archived; headers of lifecycles |
//! | `style.rs` | styles of images, kept and told |
//! | `configuration.rs` | reading and setting configurations of a bucket |
//! | `acl.rs` | access control lists |
//! | `control.rs` | whose objects are, what is kept from being public, who pays; what policies ask of a request |
//! | `cors.rs` | requests from pages of other origins |
//! | `encryption.rs` | headers and documents of encryption at rest |
//! | `form.rs` | uploads by HTML form |
//! | `gzip.rs` | bodies that leave compressed |
//! | `inventory.rs` | inventories |
//! | `referer.rs` | from which pages objects may be fetched |
//! | `retention.rs` | headers and requests of object lock and WORM |
//! | `append.rs` `symlink.rs` `attributes.rs` `process.rs` | what is done with objects of other kinds, parts and images |
//! | `callback.rs` | what clients ask to be posted to their servers |
//! | `traffic.rs` | how fast a body may pass |
//! | `body.rs` | bodies on their way in |
//! | `headers.rs` `conditions.rs` | request headers in the engine's words, and what both dialects call them |
//! | `render.rs` | XML |
//! | `respond.rs` | status and headers of answers |
//! | `website.rs` | buckets as websites |
//! | `origin.rs` | what buckets fetch from elsewhere |
//!
//! Not here: what an operation does, who may, and any SQL but that of host names.

mod access;
mod acl;
mod append;
mod attributes;
mod auth;
mod body;
mod bucket;
mod call;
mod callback;
mod class;
mod cname;
mod cname_token;
mod conditions;
mod configuration;
mod control;
mod cors;
mod encryption;
mod form;
mod gzip;
mod headers;
mod inventory;
mod listing;
mod multipart;
mod object;
mod origin;
mod policy;
mod process;
mod referer;
mod render;
mod respond;
mod retention;
mod route;
mod service;
mod style;
mod symlink;
mod traffic;
mod version;
mod website;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use base::{ApiError, Code, RequestId};
use engine::RequestInfo;
use engine::pipeline::{self, Peer};
use engine::server::{Body, Handler};
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use tracing::Instrument;
use wire::Head;
use wire::object::{Dialect, error};

use self::body::Connection;
use self::call::{Asked, Call, Payload};
use self::respond::Frame;
use self::route::{Operation, Query};
use crate::Oss;
use crate::dns::Names;
use crate::model::RequestCtx;
use crate::outbound::{Network, Outbound};

/// What the skins tell clients about where they are.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host names of the service, lower case: below each of them a label is a bucket.
    pub hosts: Vec<String>,
    /// Where clients reach the service, with scheme; listings of buckets tell it verbatim, and some
    /// clients go on with it.
    pub endpoint: String,
    /// What callbacks and mirrors may reach besides public addresses.
    pub callback_networks: Vec<Network>,
    /// Who is asked for the records of names; the machine's own name servers where not told.
    pub name_server: Option<SocketAddr>,
}

/// Object storage over HTTP, in both dialects.
pub struct Storage {
    oss: Oss,
    config: Config,
    outbound: Outbound,
    turns: origin::Turns,
    names: Names,
    /// Host names below which a label is a bucket's website.
    sites: Vec<String>,
}

impl Storage {
    /// The skins over this engine.
    pub fn new(oss: Oss, config: Config) -> Self {
        let outbound = Outbound::new(config.callback_networks.clone());
        let region = &oss.cloud().region.id;
        let names =
            |host: &String| [format!("s3-website.{host}"), format!("s3-website-{region}.{host}")];
        let sites = config.hosts.iter().flat_map(names).collect();
        let names = Names::new(config.name_server, Arc::clone(&oss.cloud().rng));
        Self { oss, config, outbound, turns: origin::Turns::default(), names, sites }
    }

    /// One request, from head to answer.
    async fn answer(
        &self,
        head: Head<'_>,
        frame: &mut Frame<'_>,
        connection: Connection,
    ) -> Answer {
        let dialect = frame.dialect;
        let asked = self.locate(&head, dialect).await?;
        frame.bucket.clone_from(&asked.bucket);
        frame.logged = self.oss.logged(&asked.bucket);
        if frame.logged.is_some() {
            frame.key.clone_from(&asked.key);
        }
        if asked.website {
            (frame.dialect, frame.operation) = (Dialect::S3, "Website");
            return self.website(&head, frame, asked).await;
        }
        let query = Query::parse(head.query);
        let hoisted = match headers::hoisted(&head, dialect, &query) {
            Ok(hoisted) => hoisted,
            Err(refused) => return self.refuse_known(&head, dialect, &asked, refused).await,
        };
        let told = Head { headers: hoisted.as_ref().unwrap_or(head.headers), ..head };
        let copies = told.headers.contains_key(headers::names(dialect).copy_source);
        let operation = route::parse(dialect, head.method, asked.scope(), &query, copies);
        let operation = match operation {
            Ok(operation) => operation,
            Err(refused) => return self.refuse_known(&head, dialect, &asked, refused).await,
        };
        frame.operation = operation.name();
        if operation == Operation::PostObject {
            if form::is_none(&head) {
                // Signed as no form is: something that there is not is asked for.
                let refused = ApiError::new(&error::METHOD_NOT_ALLOWED);
                let refused = refused.field("Method", head.method);
                return self.refuse_known(&head, dialect, &asked, refused).await;
            }
            return Box::pin(self.post_object(&head, frame, &asked, connection)).await;
        }
        let identity = self.authenticate(&head, dialect, &asked, Some(operation)).await?;
        let caller = &identity.caller;
        if frame.logged.is_some() && !caller.is_anonymous() {
            frame.requester = Some((caller.account, caller.key_id.clone()));
        }
        let payload = Payload::new(connection, identity.payload, identity.chunk_key);
        let mut request = frame.request.clone();
        request.told = control::told(&told, dialect, &query);
        if let (Dialect::Oss, true, Some(acl)) =
            (dialect, asked.key.is_empty(), told.header("x-oss-acl"))
        {
            // OSS calls that of a bucket otherwise. Before any other that is sent and not acted upon.
            request.told.insert(0, ("oss:x-oss-acl", acl.to_owned()));
        }
        let ctx = RequestCtx { caller: identity.caller, request };
        // The signature was made of the headers as sent; the operation sees also those of the query.
        let Asked { bucket, key, hosted, .. } = asked;
        let body_max = match operation {
            Operation::DeleteMultipleObjects | Operation::CompleteMultipartUpload => {
                self.body_max(&bucket, &ctx).await?
            }
            // What nobody may do who did not sign; or it is streamed.
            _ => call::body_max(&ctx, false),
        };
        let call = Call { head: told, dialect, query, bucket, key, hosted, ctx, body_max };
        self.check_owner(&call).await?;
        self.check_referer(&call).await?;
        let mut response = self.run(operation, &call, payload).await?;
        self.put_charged(&call, &mut response).await?;
        Ok(response)
    }

    /// Refuses what there is not to callers whose key is right; whose key is wrong is told that, whatever was
    /// asked for.
    async fn refuse_known(
        &self,
        head: &Head<'_>,
        dialect: Dialect,
        asked: &Asked,
        refused: ApiError,
    ) -> Answer {
        self.authenticate(head, dialect, asked, None).await?;
        Err(refused)
    }

    async fn run(&self, operation: Operation, call: &Call<'_>, payload: Payload) -> Answer {
        use Operation as Op;
        // What takes bytes in is boxed, so that it does not make every other future as large as its own.
        match operation {
            Op::ListBuckets => self.list_buckets(call).await,
            Op::DescribeRegions => self.describe_regions(call),
            Op::ListCloudBoxes => self.list_cloud_boxes(call).await,
            Op::PutBucket => self.put_bucket(call, payload).await,
            Op::DeleteBucket => self.delete_bucket(call).await,
            Op::HeadBucket => self.head_bucket(call).await,
            Op::GetBucketInfo => self.bucket_info(call).await,
            Op::GetBucketStat => self.bucket_stat(call).await,
            Op::GetBucketLocation => self.bucket_location(call).await,
            Op::GetBucketVersioning => self.bucket_versioning(call).await,
            Op::PutBucketVersioning => self.put_bucket_versioning(call, payload).await,
            Op::GetBucketTagging => self.bucket_tagging(call).await,
            Op::PutBucketTagging => self.put_bucket_tagging(call, payload).await,
            Op::DeleteBucketTagging => self.delete_bucket_tagging(call).await,
            Op::GetBucketEncryption => self.bucket_encryption(call).await,
            Op::PutBucketEncryption => self.put_bucket_encryption(call, payload).await,
            Op::DeleteBucketEncryption => self.delete_bucket_encryption(call).await,
            Op::ListCname => self.list_cname(call).await,
            Op::PutCname => self.put_cname(call, payload).await,
            Op::DeleteCname => self.delete_cname(call, payload).await,
            Op::GetCnameToken => self.cname_token(call).await,
            Op::CreateCnameToken => self.create_cname_token(call, payload).await,
            Op::PutBucketLogging => self.put_bucket_logging(call, payload).await,
            Op::PutBucketNotification => self.put_notification(call, payload).await,
            Op::GetBucketInventory => self.inventory(call).await,
            Op::PutBucketInventory => self.put_inventory(call, payload).await,
            Op::DeleteBucketInventory => self.delete_inventory(call).await,
            Op::ListLiveChannel => self.list_live_channels(call).await,
            Op::GetConfiguration(kind) => self.configuration(call, kind).await,
            Op::PutConfiguration(kind) => self.put_configuration(call, kind, payload).await,
            Op::DeleteConfiguration(kind) => self.delete_configuration(call, kind).await,
            Op::ListObjects => self.list_or_page(call).await,
            Op::ListObjectsV2 => self.list_objects_v2(call).await,
            Op::ListObjectVersions => self.list_versions(call).await,
            Op::ListMultipartUploads => self.list_uploads(call).await,
            Op::ListParts => self.list_parts(call).await,
            Op::DeleteMultipleObjects => self.delete_objects(call, payload).await,
            Op::GetObject | Op::HeadObject => self.object_or_page(call).await,
            Op::GetObjectMeta => self.object_meta(call).await,
            Op::PutObject => Box::pin(self.put_object(call, payload)).await,
            Op::AppendObject => Box::pin(self.append_object(call, payload)).await,
            Op::PutSymlink => self.put_symlink(call).await,
            Op::GetSymlink => self.get_symlink(call).await,
            Op::GetObjectAttributes => self.object_attributes(call).await,
            Op::ProcessObject => Box::pin(self.process_object(call, payload)).await,
            Op::CopyObject => Box::pin(self.copy_object(call)).await,
            Op::DeleteObject => self.delete_object(call).await,
            Op::GetObjectTagging => self.object_tagging(call).await,
            Op::PutObjectTagging => self.put_object_tagging(call, payload).await,
            Op::DeleteObjectTagging => self.delete_object_tagging(call).await,
            Op::InitiateMultipartUpload => self.initiate_upload(call).await,
            Op::UploadPart => Box::pin(self.upload_part(call, payload)).await,
            Op::UploadPartCopy => Box::pin(self.upload_part_copy(call)).await,
            Op::CompleteMultipartUpload => self.complete_upload(call, payload).await,
            Op::AbortMultipartUpload => self.abort_upload(call).await,
            Op::OptionObject => self.preflight(call).await,
            Op::RestoreObject => self.restore_object(call, payload).await,
            Op::CleanRestoredObject => self.clean_restored(call).await,
            Op::AccessPointPublicAccessBlock => self.no_access_point(call).await,
            Op::GetStyle => self.style(call).await,
            Op::ListStyle => self.styles(call).await,
            Op::PutStyle => self.put_style(call, payload).await,
            Op::DeleteStyle => self.delete_style(call).await,
            other => self.control(other, call, payload).await,
        }
    }
}

/// What an operation answers.
type Answer = Result<Response<Body>, ApiError>;

impl Handler for Storage {
    async fn handle(&self, request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let started = Instant::now();
        let (parts, incoming) = request.into_parts();
        let head = Head {
            method: parts.method.as_str(),
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: &parts.headers,
        };
        let cloud = self.oss.cloud();
        let request = pipeline::request_info(cloud, &head, &peer);
        let mut frame = Frame::new(&request, &head);
        let idle = body::is_idle(&head);
        let withheld = idle || head.headers.contains_key(http::header::EXPECT);
        let connection = Connection::new(incoming, withheld, self.oss.0.blobs.limits.idle_max);
        let span = tracing::info_span!("request", id = %request.id);
        let result = self.answer(head, &mut frame, connection).instrument(span).await;
        let (mut response, code) = match result {
            Ok(response) => (response, "OK".into()),
            Err(refused) => {
                if refused.status() >= 500 && !refused.is(&error::NOT_IMPLEMENTED) {
                    tracing::error!(request = %request.id, operation = frame.operation, error = ?refused, "request failed");
                }
                frame.error(&refused)
            }
        };
        self.share(&head, frame.dialect, &frame.bucket, response.headers_mut()).await;
        let took = started.elapsed();
        cloud.metrics.observe("oss", frame.operation, &code, took);
        let mut response = frame.complete(response, took);
        if idle {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(source) = &frame.logged {
            self.record(source, &head, &frame, (&code, took), &response);
        }
        response
    }

    fn refuse(&self, status: u16) -> (&'static str, Vec<u8>) {
        let request =
            RequestInfo { id: RequestId::random(&*self.oss.cloud().rng), ..RequestInfo::default() };
        let code = Code { status, ..error::INVALID_REQUEST };
        let body = error::render(Dialect::Oss, &ApiError::new(&code), &request.id.short(), "", "");
        (body.content_type, body.bytes)
    }
}
