//! The fixed facts of each operation: its permission's name and whether it writes.

use engine::Meta;

use crate::error;

const VERSION: &str = "2019-05-17";

const fn read(name: &'static str) -> Meta {
    Meta::read("oss", VERSION, name).denied_as(&error::ACCESS_DENIED)
}

const fn write(name: &'static str) -> Meta {
    Meta::write("oss", VERSION, name).denied_as(&error::ACCESS_DENIED)
}

pub(super) const ABORT_MULTIPART_UPLOAD: Meta = write("AbortMultipartUpload");
pub(super) const DELETE_BUCKET: Meta = write("DeleteBucket");
pub(super) const DELETE_OBJECT: Meta = write("DeleteObject");
pub(super) const DELETE_OBJECT_VERSION: Meta = write("DeleteObjectVersion");
pub(super) const GET_BUCKET_ACL: Meta = read("GetBucketAcl");
pub(super) const GET_BUCKET_ENCRYPTION: Meta = read("GetBucketEncryption");
pub(super) const PUT_BUCKET_ENCRYPTION: Meta = write("PutBucketEncryption");
pub(super) const DELETE_BUCKET_ENCRYPTION: Meta = write("DeleteBucketEncryption");
pub(super) const GET_BUCKET_INVENTORY: Meta = read("GetBucketInventory");
pub(super) const LIST_BUCKET_INVENTORY: Meta = read("ListBucketInventory");
pub(super) const PUT_BUCKET_INVENTORY: Meta = write("PutBucketInventory");
pub(super) const DELETE_BUCKET_INVENTORY: Meta = write("DeleteBucketInventory");
pub(super) const GET_BUCKET_INFO: Meta = read("GetBucketInfo");
pub(super) const GET_BUCKET_LOCATION: Meta = read("GetBucketLocation");
pub(super) const GET_BUCKET_STAT: Meta = read("GetBucketStat");
pub(super) const GET_BUCKET_VERSIONING: Meta = read("GetBucketVersioning");
pub(super) const GET_OBJECT: Meta = read("GetObject");
pub(super) const GET_OBJECT_ACL: Meta = read("GetObjectAcl");
pub(super) const GET_OBJECT_TAGGING: Meta = read("GetObjectTagging");
pub(super) const GET_OBJECT_VERSION: Meta = read("GetObjectVersion");
pub(super) const GET_OBJECT_VERSION_ACL: Meta = read("GetObjectVersionAcl");
pub(super) const GET_OBJECT_VERSION_TAGGING: Meta = read("GetObjectVersionTagging");
pub(super) const LIST_BUCKETS: Meta = read("ListBuckets");
pub(super) const LIST_MULTIPART_UPLOADS: Meta = read("ListMultipartUploads");
pub(super) const LIST_OBJECTS: Meta = read("ListObjects");
pub(super) const LIST_OBJECT_VERSIONS: Meta = read("ListObjectVersions");
pub(super) const LIST_PARTS: Meta = read("ListParts");
pub(super) const RESTORE_OBJECT: Meta = write("RestoreObject");
pub(super) const RESTORE_OBJECT_VERSION: Meta = write("RestoreObjectVersion");
/// Only by the cloud itself.
pub(super) const TRANSITION_OBJECT: Meta = write("TransitionObject");
pub(super) const PUT_BUCKET: Meta = write("PutBucket");
pub(super) const PUT_BUCKET_ACL: Meta = write("PutBucketAcl");
pub(super) const PUT_BUCKET_VERSIONING: Meta = write("PutBucketVersioning");
/// Also of each step of a multipart upload: who may put an object may put it in parts.
pub(super) const PUT_OBJECT: Meta = write("PutObject");
pub(super) const PUT_OBJECT_ACL: Meta = write("PutObjectAcl");
pub(super) const PUT_OBJECT_TAGGING: Meta = write("PutObjectTagging");
pub(super) const DELETE_OBJECT_TAGGING: Meta = write("DeleteObjectTagging");
pub(super) const PUT_OBJECT_VERSION_ACL: Meta = write("PutObjectVersionAcl");
pub(super) const PUT_OBJECT_VERSION_TAGGING: Meta = write("PutObjectVersionTagging");
pub(super) const DELETE_OBJECT_VERSION_TAGGING: Meta = write("DeleteObjectVersionTagging");

pub(super) const GET_BUCKET_OWNERSHIP: Meta = read("GetBucketOwnershipControls");
pub(super) const PUT_BUCKET_OWNERSHIP: Meta = write("PutBucketOwnershipControls");
pub(super) const DELETE_BUCKET_OWNERSHIP: Meta = write("DeleteBucketOwnershipControls");
pub(super) const GET_BUCKET_BLOCK: Meta = read("GetBucketPublicAccessBlock");
pub(super) const PUT_BUCKET_BLOCK: Meta = write("PutBucketPublicAccessBlock");
pub(super) const DELETE_BUCKET_BLOCK: Meta = write("DeleteBucketPublicAccessBlock");
pub(super) const GET_ACCOUNT_BLOCK: Meta = read("GetPublicAccessBlock");
pub(super) const PUT_ACCOUNT_BLOCK: Meta = write("PutPublicAccessBlock");
pub(super) const DELETE_ACCOUNT_BLOCK: Meta = write("DeletePublicAccessBlock");
pub(super) const GET_BUCKET_PAYMENT: Meta = read("GetBucketRequestPayment");
pub(super) const PUT_BUCKET_PAYMENT: Meta = write("PutBucketRequestPayment");

/// A read of a bucket's document.
pub(super) const fn get_document(name: &'static str) -> Meta {
    read(name)
}

/// A change of a bucket's document.
pub(super) const fn put_document(name: &'static str) -> Meta {
    write(name)
}
