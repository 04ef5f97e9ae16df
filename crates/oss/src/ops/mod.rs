//! What requests do. One file for each kind of thing; each operation is a method of [`crate::Oss`].
//!
//! Every operation takes a [`RequestCtx`] and authorizes by it. A mutation is one transaction, in
//! which it authorizes again, checks its conditions, and leaves its audit entry and its usage. None
//! of this knows in which dialect it was asked.

mod accesses;
mod acl;
mod append;
mod attributes;
mod bucket;
mod class;
mod commit;
mod control;
mod copy;
mod document;
mod encryption;
mod inventory;
mod lifecycle;
mod list;
mod logging;
mod meta;
mod multipart;
mod object;
mod origin;
mod overwrite;
mod policy;
mod read;
mod report;
mod restore;
pub(crate) mod retention;
mod source;
mod stream;
mod style;
mod symlink;
mod tags;
mod version;
mod versions_list;

use base::{AccountId, ApiError};
use engine::Cx;
use engine::places::{self, Placement};
use terms::clauses::DataClass;

pub(crate) use accesses::Accesses;
pub use append::APPENDABLE_BYTES_MAX;
pub(crate) use append::NEXT_POSITION;
pub(crate) use bucket::require_to_read;
pub use bucket::{BucketPage, BucketView, CreateBucket, Created, ListBuckets};
pub use copy::{CopyOptions, CopySource, Directive};
pub use document::Document;
pub(crate) use encryption::Keys;
pub(crate) use inventory::NO_INVENTORY;
pub use lifecycle::{LifecycleReport, Pace};
pub use list::{ListPage, ListQuery, ListedObject, ListedUpload, UploadPage, UploadQuery};
pub use multipart::{
    CompleteOptions, CompleteParts, InitiateOptions, ListedPart, NamedPart, PartOptions, PartPage,
    PartStored,
};
pub use object::{DeleteKey, Fetched, GetOptions};
pub use restore::Restoring;
pub use retention::LockView;
pub use source::{Source, Whole};
pub use stream::ObjectStream;
pub use style::{Style, StyleView};
pub(crate) use version::DELETE_MARKER;
pub use version::Deleted;
pub use versions_list::{ListedVersion, VersionPage, VersionQuery};

use crate::error;
use crate::model::{Bucket, RequestCtx};
use crate::tables;

/// The largest body that comes in one request, bytes (5 GiB).
pub const PUT_BYTES_MAX: u64 = 5 << 30;
/// The largest object, bytes (5 TiB).
pub const OBJECT_BYTES_MAX: u64 = 5 << 40;
/// The longest key, bytes of UTF-8; the OSS skin stops one byte earlier.
pub const KEY_BYTES_MAX: usize = 1024;
/// The highest number of a part.
pub const PART_NUMBER_MAX: u32 = 10_000;
/// Keys that one `delete_many` takes, and lines that one page of a listing holds.
pub const PAGE_MAX: usize = 1000;

/// The bucket of that name.
///
/// # Errors
/// `NoSuchBucket`.
fn find_bucket(cx: &mut Cx<'_>, name: &str) -> Result<Bucket, ApiError> {
    cx.known(name, |tx| {
        let found = tables::bucket::find(tx, name)?;
        found.ok_or_else(|| ApiError::new(&error::NO_SUCH_BUCKET).field("BucketName", name))
    })
}

/// Decides whether bytes may be written where a bucket's are, by what binds its owner at this moment.
///
/// # Errors
/// As [`places::decide`].
fn decide(cx: &mut Cx<'_>, bucket: &Bucket) -> Result<Placement, ApiError> {
    let (cloud, now) = (cx.cloud, cx.now);
    places::decide(cx.tx(), cloud, &bucket.want(), now)
}

/// Whose a copy's source is, and how sensitive: what binds its bytes wherever they go.
#[derive(Clone, Copy, Debug)]
struct Origin {
    account: AccountId,
    class: DataClass,
}

impl Origin {
    fn of(bucket: &Bucket) -> Self {
        Self { account: bucket.owner, class: bucket.class }
    }

    /// Decides whether they may go to where `target` is.
    ///
    /// # Errors
    /// As [`places::decide_copy`].
    fn decide(self, cx: &mut Cx<'_>, target: &Placement) -> Result<(), ApiError> {
        let (cloud, now) = (cx.cloud, cx.now);
        places::decide_copy(cx.tx(), cloud, (self.account, self.class), target, now)
    }
}

/// The first data centre of a placement.
fn home(placement: &Placement) -> &str {
    placement.places().first().map_or("", places::Place::site)
}

fn no_such_key(key: &str) -> ApiError {
    ApiError::new(&error::NO_SUCH_KEY).field("Key", key)
}

/// Keys are opaque text here; what more a dialect forbids, its skin refuses.
fn check_key(key: &str) -> Result<(), ApiError> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX || key.contains('\0') {
        return Err(ApiError::new(&error::INVALID_OBJECT_NAME));
    }
    Ok(())
}
