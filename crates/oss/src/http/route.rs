//! Which operation a request asks for: method, scope and sub-resource, read without a server. What
//! else its parameters say is read by the operation itself.
//!
//! The sub-resources of both protocols are closed lists. One that is known and not served is
//! `NotImplemented`, so that no client takes a listing for the configuration it asked for; any other
//! parameter is ignored, as both protocols do it.

use base::ApiError;
use wire::object::{Dialect, error};

use super::configuration::{self, Configuration};

/// The decoded pairs of a query, in the order sent.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: &str) -> Self {
        Self(if raw.is_empty() { Vec::new() } else { wire::query::parse(raw) })
    }

    /// The first value of that name; empty where it has none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Service,
    Bucket,
    Object,
}

macro_rules! operations {
    ($($name:ident)*) => {
        /// What a client can ask for, by the names of the OSS protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Operation {
            $($name,)*
            GetConfiguration(&'static Configuration),
            PutConfiguration(&'static Configuration),
            DeleteConfiguration(&'static Configuration),
        }

        impl Operation {
            /// Its name, for metrics and the log.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::GetConfiguration(_) => "GetBucketConfiguration",
                    Self::PutConfiguration(_) => "PutBucketConfiguration",
                    Self::DeleteConfiguration(_) => "DeleteBucketConfiguration",
                }
            }
        }
    };
}

operations! {
    ListBuckets DescribeRegions ListCloudBoxes
    PutBucket DeleteBucket HeadBucket GetBucketInfo GetBucketStat GetBucketLocation GetBucketVersioning
    PutBucketVersioning
    GetBucketAcl PutBucketAcl GetBucketTagging PutBucketTagging DeleteBucketTagging
    GetBucketEncryption PutBucketEncryption DeleteBucketEncryption
    GetBucketPolicy PutBucketPolicy DeleteBucketPolicy GetBucketPolicyStatus
    GetBucketOwnershipControls PutBucketOwnershipControls DeleteBucketOwnershipControls
    GetBucketPublicAccessBlock PutBucketPublicAccessBlock DeleteBucketPublicAccessBlock
    AccessPointPublicAccessBlock
    GetPublicAccessBlock PutPublicAccessBlock DeletePublicAccessBlock
    GetBucketRequestPayment PutBucketRequestPayment
    GetObjectLock PutObjectLock
    GetBucketWorm InitiateBucketWorm CompleteBucketWorm ExtendBucketWorm AbortBucketWorm
    ListCname PutCname DeleteCname GetCnameToken CreateCnameToken ListLiveChannel PutBucketLogging PutBucketNotification
    GetBucketInventory PutBucketInventory DeleteBucketInventory
    ListObjects ListObjectsV2 ListObjectVersions DeleteMultipleObjects
    GetObject HeadObject GetObjectMeta PutObject CopyObject DeleteObject
    GetObjectRetention PutObjectRetention GetObjectLegalHold PutObjectLegalHold
    AppendObject PutSymlink GetSymlink GetObjectAttributes ProcessObject
    GetObjectAcl PutObjectAcl GetObjectTagging PutObjectTagging DeleteObjectTagging
    InitiateMultipartUpload UploadPart UploadPartCopy CompleteMultipartUpload AbortMultipartUpload
    ListParts ListMultipartUploads PostObject OptionObject
    RestoreObject CleanRestoredObject GetStyle ListStyle PutStyle DeleteStyle
}

/// Sub-resources that both protocols know.
const SHARED: &[&str] = &[
    "acl",
    "cors",
    "delete",
    "encryption",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "tagging",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

const OF_OSS: &[&str] = &[
    "accessPoint",
    "accessPointPolicy",
    "accessmonitor",
    "append",
    "asyncFetch",
    "bucketArchiveDirectRead",
    "bucketInfo",
    "callback",
    "cleanRestoredObject",
    "cloudboxes",
    "cname",
    "httpsConfig",
    "legalHold",
    "live",
    "metaQuery",
    "objectMeta",
    "objectWorm",
    "overwriteConfig",
    "position",
    "processConfiguration",
    "qos",
    "qosInfo",
    "qosRequester",
    "redundancyTransition",
    "referer",
    "regions",
    "replicationLocation",
    "replicationProgress",
    "requesterQosInfo",
    "resourceGroup",
    "resourcePool",
    "rtc",
    "seal",
    "stat",
    "style",
    "styleName",
    "symlink",
    "transferAcceleration",
    "userDefinedLogFieldsConfig",
    "vod",
    "worm",
    "wormExtend",
    "wormId",
    "x-oss-async-process",
    "x-oss-process",
];

const OF_S3: &[&str] = &[
    "accelerate",
    "analytics",
    "attributes",
    "intelligent-tiering",
    "legal-hold",
    "metadataConfiguration",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "renameObject",
    "select",
    "session",
    "torrent",
];

/// The first sub-resource that the query names. An upload's id tells more than the part's number
/// beside it.
fn sub_resource(dialect: Dialect, query: &Query) -> Option<&'static str> {
    let own = match dialect {
        Dialect::Oss => OF_OSS,
        Dialect::S3 => OF_S3,
    };
    let known = |name: &str| SHARED.iter().chain(own).copied().find(|known| *known == name);
    // The names beside it are parameters, in whatever order they come.
    let told = ["uploadId", "style"].into_iter().find(|name| query.has(name)).and_then(known);
    told.or_else(|| query.names().find_map(known))
}

/// Finds the operation. `copies` is true where the request names a source to copy from.
///
/// Errors: `NotImplemented`, `MethodNotAllowed`, `InvalidArgument`.
pub(super) fn parse(
    dialect: Dialect,
    method: &str,
    scope: Scope,
    query: &Query,
    copies: bool,
) -> Result<Operation, ApiError> {
    let sub = sub_resource(dialect, query);
    let found = match scope {
        // A browser asks before the request itself, whose parameters stand here too.
        Scope::Bucket | Scope::Object if method == "OPTIONS" => Some(Operation::OptionObject),
        Scope::Service => of_service(dialect, method, sub),
        Scope::Bucket => of_bucket(dialect, method, sub, query),
        Scope::Object => of_object(method, sub, query, copies)?,
    };
    found.ok_or_else(|| refusal(method, sub))
}

fn refusal(method: &str, sub: Option<&str>) -> ApiError {
    let known = matches!(method, "GET" | "HEAD" | "PUT" | "POST" | "DELETE");
    match sub {
        Some(sub) if known => ApiError::new(&error::NOT_IMPLEMENTED).field("Header", sub),
        _ => ApiError::new(&error::METHOD_NOT_ALLOWED).field("Method", method),
    }
}

fn of_service(dialect: Dialect, method: &str, sub: Option<&'static str>) -> Option<Operation> {
    if (dialect, sub) == (Dialect::Oss, Some("publicAccessBlock")) {
        return match method {
            "GET" => Some(Operation::GetPublicAccessBlock),
            "PUT" => Some(Operation::PutPublicAccessBlock),
            "DELETE" => Some(Operation::DeletePublicAccessBlock),
            _ => None,
        };
    }
    match (method, sub) {
        // Here the parameter tells which buckets.
        ("GET", None | Some("tagging")) => Some(Operation::ListBuckets),
        ("GET", Some("regions")) => Some(Operation::DescribeRegions),
        ("GET", Some("cloudboxes")) => Some(Operation::ListCloudBoxes),
        _ => None,
    }
}

fn of_bucket(
    dialect: Dialect,
    method: &str,
    sub: Option<&'static str>,
    query: &Query,
) -> Option<Operation> {
    use Operation as Op;
    let is_oss = dialect == Dialect::Oss;
    Some(match (method, sub) {
        ("GET", None) if query.get("list-type") == Some("2") => Op::ListObjectsV2,
        ("GET", None) => Op::ListObjects,
        ("HEAD", None) => Op::HeadBucket,
        ("PUT", None) => Op::PutBucket,
        ("POST", None) => Op::PostObject,
        ("DELETE", None) => Op::DeleteBucket,
        ("GET", Some("acl")) => Op::GetBucketAcl,
        ("PUT", Some("acl")) => Op::PutBucketAcl,
        ("GET", Some("bucketInfo")) => Op::GetBucketInfo,
        ("GET", Some("stat")) => Op::GetBucketStat,
        ("GET", Some("location")) => Op::GetBucketLocation,
        ("GET", Some("versioning")) => Op::GetBucketVersioning,
        ("PUT", Some("versioning")) => Op::PutBucketVersioning,
        ("GET", Some("versions")) => Op::ListObjectVersions,
        ("GET", Some("uploads")) => Op::ListMultipartUploads,
        ("GET", Some("live")) => Op::ListLiveChannel,
        ("POST", Some("delete")) => Op::DeleteMultipleObjects,
        ("GET", Some("tagging")) => Op::GetBucketTagging,
        ("PUT", Some("tagging")) => Op::PutBucketTagging,
        ("DELETE", Some("tagging")) => Op::DeleteBucketTagging,
        ("GET", Some("encryption")) => Op::GetBucketEncryption,
        ("PUT", Some("encryption")) => Op::PutBucketEncryption,
        ("DELETE", Some("encryption")) => Op::DeleteBucketEncryption,
        (method, Some("policy")) if is_oss && query.get("comp") == Some("callback") => {
            configured(method, &configuration::CALLBACKS)?
        }
        (_, Some("publicAccessBlock")) if is_oss && query.has("x-oss-access-point-name") => {
            Op::AccessPointPublicAccessBlock
        }
        ("GET", Some("policy")) => Op::GetBucketPolicy,
        ("PUT", Some("policy")) => Op::PutBucketPolicy,
        ("DELETE", Some("policy")) => Op::DeleteBucketPolicy,
        ("GET", Some("policyStatus")) => Op::GetBucketPolicyStatus,
        ("GET", Some("ownershipControls")) => Op::GetBucketOwnershipControls,
        ("PUT", Some("ownershipControls")) => Op::PutBucketOwnershipControls,
        ("DELETE", Some("ownershipControls")) => Op::DeleteBucketOwnershipControls,
        ("GET", Some("publicAccessBlock")) => Op::GetBucketPublicAccessBlock,
        ("PUT", Some("publicAccessBlock")) => Op::PutBucketPublicAccessBlock,
        ("DELETE", Some("publicAccessBlock")) => Op::DeleteBucketPublicAccessBlock,
        ("GET", Some("requestPayment")) => Op::GetBucketRequestPayment,
        ("PUT", Some("requestPayment")) => Op::PutBucketRequestPayment,
        (method, Some(sub)) => of_setting(dialect, method, sub, query)?,
        _ => return None,
    })
}

/// An operation on what a bucket is set to.
fn of_setting(
    dialect: Dialect,
    method: &str,
    sub: &'static str,
    query: &Query,
) -> Option<Operation> {
    use Operation as Op;
    Some(match (method, sub) {
        ("GET", "object-lock" | "objectWorm") => Op::GetObjectLock,
        ("PUT", "object-lock" | "objectWorm") => Op::PutObjectLock,
        ("GET", "worm") => Op::GetBucketWorm,
        ("POST", "worm") => Op::InitiateBucketWorm,
        ("POST", "wormExtend" | "wormId") if query.has("wormExtend") => Op::ExtendBucketWorm,
        ("POST", "wormId") => Op::CompleteBucketWorm,
        ("DELETE", "worm") => Op::AbortBucketWorm,
        ("GET", "style") if query.has("styleName") => Op::GetStyle,
        ("GET", "style") => Op::ListStyle,
        ("PUT", "style") => Op::PutStyle,
        ("DELETE", "style") => Op::DeleteStyle,
        ("GET", "cname") if !query.has("comp") => Op::ListCname,
        ("GET", "cname") if query.get("comp") == Some("token") => Op::GetCnameToken,
        ("POST", "cname") if query.get("comp") == Some("token") => Op::CreateCnameToken,
        ("POST", "cname") if query.get("comp") == Some("add") => Op::PutCname,
        ("POST", "cname") if query.get("comp") == Some("delete") => Op::DeleteCname,
        ("PUT", "logging") => Op::PutBucketLogging,
        ("PUT", "notification") => Op::PutBucketNotification,
        ("GET", "inventory") => Op::GetBucketInventory,
        ("PUT", "inventory") => Op::PutBucketInventory,
        ("DELETE", "inventory") => Op::DeleteBucketInventory,
        // Without an id: all that there are.
        ("GET", "analytics") if !query.has("id") => {
            Op::GetConfiguration(&configuration::NO_ANALYTICS)
        }
        ("GET", "metrics") if !query.has("id") => Op::GetConfiguration(&configuration::NO_METRICS),
        ("GET", "intelligent-tiering") if !query.has("id") => {
            Op::GetConfiguration(&configuration::NO_TIERING)
        }
        (method, name) => configured(method, configuration::find(dialect, name)?)?,
    })
}

fn configured(method: &str, kind: &'static Configuration) -> Option<Operation> {
    match method {
        "GET" => Some(Operation::GetConfiguration(kind)),
        "PUT" => kind.is_served().then_some(Operation::PutConfiguration(kind)),
        "DELETE" => Some(Operation::DeleteConfiguration(kind)),
        _ => None,
    }
}

fn of_object(
    method: &str,
    sub: Option<&'static str>,
    query: &Query,
    copies: bool,
) -> Result<Option<Operation>, ApiError> {
    use Operation as Op;
    Ok(Some(match (method, sub) {
        ("GET", None) => Op::GetObject,
        ("HEAD", None) => Op::HeadObject,
        ("GET" | "HEAD", Some("objectMeta")) => Op::GetObjectMeta,
        ("PUT", None) if copies => Op::CopyObject,
        ("PUT", Some("callback")) if copies => return Ok(None),
        ("PUT", None | Some("callback")) => Op::PutObject,
        // A link is deleted as any object is; clients say again what they asked of it before.
        ("DELETE", None | Some("symlink")) => Op::DeleteObject,
        ("POST", Some("append")) => Op::AppendObject,
        ("PUT", Some("symlink")) => Op::PutSymlink,
        ("GET", Some("symlink")) => Op::GetSymlink,
        ("GET", Some("attributes")) => Op::GetObjectAttributes,
        ("GET", Some("partNumber" | "x-oss-process")) => Op::GetObject,
        ("HEAD", Some("partNumber")) => Op::HeadObject,
        ("POST", Some("x-oss-process")) => Op::ProcessObject,
        ("GET", Some("acl")) => Op::GetObjectAcl,
        ("PUT", Some("acl")) => Op::PutObjectAcl,
        ("GET", Some("tagging")) => Op::GetObjectTagging,
        ("PUT", Some("tagging")) => Op::PutObjectTagging,
        ("DELETE", Some("tagging")) => Op::DeleteObjectTagging,
        ("GET", Some("retention")) => Op::GetObjectRetention,
        ("PUT", Some("retention")) => Op::PutObjectRetention,
        ("GET", Some("legal-hold" | "legalHold")) => Op::GetObjectLegalHold,
        ("PUT", Some("legal-hold" | "legalHold")) => Op::PutObjectLegalHold,
        ("POST", Some("uploads")) => Op::InitiateMultipartUpload,
        ("PUT", Some("uploadId")) if !query.has("partNumber") => {
            return Err(error::INVALID_ARGUMENT.error("The parameter partNumber is missing."));
        }
        ("PUT", Some("uploadId")) if copies => Op::UploadPartCopy,
        ("PUT", Some("uploadId")) => Op::UploadPart,
        ("POST", Some("uploadId")) => Op::CompleteMultipartUpload,
        ("DELETE", Some("uploadId")) => Op::AbortMultipartUpload,
        ("GET", Some("uploadId")) => Op::ListParts,
        ("POST", Some("restore")) => Op::RestoreObject,
        ("POST", Some("cleanRestoredObject")) => Op::CleanRestoredObject,
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests;
