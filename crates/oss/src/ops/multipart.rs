//! Multipart uploads: begin, upload or copy parts, complete, abort, list.
//!
//! A part's extents are rows from the start; completing moves the rows, never the bytes.

use std::sync::Arc;

use base::{AccountId, ApiError, Time};
use engine::places::{self, Placement};
use engine::{Cx, Session};
use wire::object::checksum::{Md5, crc64_combine};

use super::commit::{apply, receive, replace};
use super::encryption::{check_customer, resolve};
use super::lifecycle::expiry;
use super::object::admission;
use super::read::Seen;
use super::stream::{ObjectStream, Opening};
use super::{
    CopySource, OBJECT_BYTES_MAX, Origin, PAGE_MAX, PART_NUMBER_MAX, PUT_BYTES_MAX, RequestCtx,
    Source, check_key, decide, find_bucket, home, meta, retention,
};
use crate::access::{Ask, Gives, Need, payer, require, require_write, writer};
use crate::acl::{AccessList, Grant};
use crate::blob::{Body, BodyKey, Written};
use crate::digest::{Algorithm, Checksum, Coverage};
use crate::meter::{LISTS, PUTS};
use crate::model::{
    Acl, Attributes, Bucket, CustomerKey, Encryption, Etag, Expected, Facts, Lock, ObjectInfo,
    RangeSpec, StorageClass, Stored, Tags, Wanted, WriteConditions,
};
use crate::tables::bucket::{Change, bytes};
use crate::tables::object::Object;
use crate::tables::upload::{Part, Upload};
use crate::{Oss, error, tables};

/// What the object of a new upload is to have.
#[derive(Clone, Debug, Default)]
pub struct InitiateOptions {
    /// Headers and user metadata.
    pub attributes: Attributes,
    /// Its class; the bucket's where not told.
    pub storage_class: Option<StorageClass>,
    /// Its own ACL.
    pub acl: Option<Acl>,
    /// The grants of its own ACL, where no canned word says them.
    pub grants: Option<Vec<Grant>>,
    /// Its tags.
    pub tags: Tags,
    /// A checksum to make of the whole; of each part, too.
    pub checksum: Option<(Algorithm, Coverage)>,
    /// What it is to be sealed as; the bucket's default where not told.
    pub encryption: Option<Wanted>,
    /// What is to keep it; its retention is the bucket's default where not told.
    pub lock: Lock,
}

/// What is known of a part before it comes.
#[derive(Clone, Debug, Default)]
pub struct PartOptions {
    /// 1 to 10,000.
    pub number: u32,
    /// What was promised about the body.
    pub expected: Expected,
    /// The client's key, which each part takes of an upload that was begun with one.
    pub customer_key: Option<CustomerKey>,
    /// Of a part that is copied: whether the range must lie within the source.
    pub strict_range: bool,
}

impl From<u32> for PartOptions {
    fn from(number: u32) -> Self {
        Self { number, ..Self::default() }
    }
}

/// What came of storing a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStored {
    /// MD5 of the part.
    pub etag: Etag,
    /// CRC-64/XZ of the part.
    pub crc64: u64,
    /// Its size in bytes.
    pub size: u64,
    /// When.
    pub modified: Time,
    /// The checksums that were asked for.
    pub checksums: Vec<Checksum>,
    /// How it is sealed; not told in listings.
    pub encryption: Option<Encryption>,
}

/// A part as the client names it.
#[derive(Clone, Debug, Default)]
pub struct NamedPart {
    /// Its number.
    pub number: u32,
    /// Its entity tag, in either case, with or without quotes.
    pub etag: String,
    /// Checksums that it must have.
    pub checksums: Vec<Checksum>,
}

/// Which parts become the object.
#[derive(Clone, Debug)]
pub enum CompleteParts {
    /// These, in ascending order; the others are given up.
    Named(Vec<NamedPart>),
    /// All that were uploaded (`x-oss-complete-all: yes`).
    All,
}

/// How to complete an upload.
#[derive(Clone, Debug)]
pub struct CompleteOptions {
    /// Which parts.
    pub parts: CompleteParts,
    /// Conditions, checked in the commit.
    pub conditions: WriteConditions,
    /// Every part but the last must have so many bytes (OSS 100 KiB, S3 5 MiB).
    pub part_bytes_min: u64,
    /// CRC-64/XZ that the whole must have.
    pub crc64: Option<u64>,
    /// Checksums that the whole must have.
    pub checksums: Vec<Checksum>,
    /// Its own ACL, in place of what the upload began with.
    pub acl: Option<Acl>,
    /// The client's key, which must be that of an upload that was begun with one; one with checksums takes it.
    pub customer_key: Option<CustomerKey>,
}

/// A part in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub part: PartStored,
}

/// A page of parts, by number.
#[derive(Clone, Debug)]
pub struct PartPage {
    /// The bucket.
    pub bucket: Bucket,
    /// Whose the object will be.
    pub owner: AccountId,
    /// The class that the object will have.
    pub storage_class: StorageClass,
    /// The checksum that will be made of the whole.
    pub checksum: Option<(Algorithm, Coverage)>,
    /// The user metadata that it will have.
    pub user: Vec<(String, String)>,
    /// The parts.
    pub parts: Vec<ListedPart>,
    /// The last number, where there are more.
    pub next: Option<u32>,
}

fn no_such_upload(id: &str) -> ApiError {
    ApiError::new(&error::NO_SUCH_UPLOAD).field("UploadId", id)
}

/// An upload of a key, by its address.
#[derive(Clone, Debug)]
struct Target {
    bucket: String,
    key: String,
    id: String,
}

impl Target {
    fn new(bucket: &str, key: &str, id: &str) -> Result<Self, ApiError> {
        check_key(key)?;
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), id: id.to_owned() })
    }

    /// Finds it, for a caller who has the operation's permission.
    fn find(&self, cx: &mut Cx<'_>) -> Result<(Bucket, Upload), ApiError> {
        let bucket = find_bucket(cx, &self.bucket)?;
        require_write(cx, &bucket, &self.key, &Gives::default())?;
        let upload = self.upload(cx, &bucket)?;
        Ok((bucket, upload))
    }

    /// Finds it to be read. Like all of an upload it takes the right to write the object.
    fn find_to_read(&self, cx: &mut Cx<'_>) -> Result<(Bucket, Upload), ApiError> {
        let bucket = find_bucket(cx, &self.bucket)?;
        let current = tables::object::find(cx.tx(), bucket.id, &self.key)?;
        let info = current.as_ref().map(|object| &object.info);
        let action = cx.meta.permission();
        require(cx, &bucket, Ask::new(&action, Need::Write).on(&self.key).object(info).reading())?;
        let upload = self.upload(cx, &bucket)?;
        Ok((bucket, upload))
    }

    fn upload(&self, cx: &mut Cx<'_>, bucket: &Bucket) -> Result<Upload, ApiError> {
        let upload = tables::upload::find(cx.tx(), bucket.id, &self.key, &self.id)?;
        upload.ok_or_else(|| no_such_upload(&self.id))
    }
}

/// Where a part goes, and where its bytes come from if it is a copy.
struct Room {
    placement: Placement,
    key: BodyKey,
    origin: Option<Origin>,
}

impl Oss {
    /// Begins an upload; returns its id (ASCII letters and digits).
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`, those of [`engine::places::decide`].
    pub async fn initiate(
        &self,
        ctx: &RequestCtx,
        bucket: &str,
        key: &str,
        options: InitiateOptions,
    ) -> Result<String, ApiError> {
        check_key(key)?;
        let (name, key) = (bucket.to_owned(), key.to_owned());
        let begin = move |cx: &mut Cx<'_>| {
            let bucket = find_bucket(cx, &name)?;
            let (tags, lock) = (!options.tags.is_empty(), options.lock);
            let list = AccessList { acl: options.acl, grants: options.grants.clone() };
            let gives = Gives { list, tags, lock };
            require_write(cx, &bucket, &key, &gives)?;
            retention::check_wanted(&bucket, lock, cx.now)?;
            let upload = new_upload(cx, &bucket, &key, (&options, gives.list))?;
            tables::upload::insert(cx.tx(), bucket.id, &upload)?;
            note(cx, &bucket, &upload, Change { uploads: 1, ..Change::default() })?;
            Ok(upload.id)
        };
        self.0.cloud.write(ctx.session(meta::PUT_OBJECT), begin).await
    }

    /// Stores a part, in place of an earlier one of that number.
    ///
    /// # Errors
    /// As [`Self::put`], and `NoSuchUpload`.
    pub async fn upload_part(
        &self,
        ctx: &RequestCtx,
        (bucket, key, upload_id): (&str, &str, &str),
        mut options: PartOptions,
        body: impl Source,
    ) -> Result<PartStored, ApiError> {
        let target = Target::new(bucket, key, upload_id)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let (placement, bucket, upload) =
            self.admit_part(&session, &target, options.number).await?;
        options.expected.compute.extend(upload.checksum.map(|(algorithm, _)| algorithm));
        let key = self.part_key(&bucket, &upload, options.customer_key.as_ref()).await?;
        let room = Room { placement, key, origin: None };
        self.store_part(session, target, room, (options.number, options.expected), body).await
    }

    /// Stores a part that is a range of another object; says also what the source was.
    ///
    /// # Errors
    /// As [`Self::copy`], and `NoSuchUpload`.
    pub async fn upload_part_copy(
        &self,
        ctx: &RequestCtx,
        (bucket, key, upload_id): (&str, &str, &str),
        options: impl Into<PartOptions>,
        source: CopySource,
        range: Option<RangeSpec>,
    ) -> Result<(PartStored, ObjectInfo), ApiError> {
        let options = options.into();
        let target = Target::new(bucket, key, upload_id)?;
        let session = ctx.session(meta::PUT_OBJECT);
        let (placement, home, upload) = self.admit_part(&session, &target, options.number).await?;
        let opened = self.open_source(ctx, (&session, &placement), &source, false).await?;
        let opening = Opening::of(&opened.info, &source.conditions);
        let info = opened.info;
        let key = self.part_key(&home, &upload, options.customer_key.as_ref()).await?;
        let room = Room { placement, key, origin: Some(opened.origin) };
        let unsatisfiable = || {
            ApiError::new(&error::INVALID_RANGE).field("ActualObjectSize", info.size.to_string())
        };
        let (from, len) = match range {
            Some(RangeSpec::From(_, Some(last))) if options.strict_range && last >= info.size => {
                return Err(unsatisfiable());
            }
            Some(range) => range.within(info.size).ok_or_else(unsatisfiable)?,
            None => (0, info.size),
        };
        let compute = upload.checksum.map(|(algorithm, _)| algorithm).into_iter().collect();
        let expected = Expected { length: Some(len), compute, ..Expected::default() };
        let body = (opened.body, opening);
        let body = ObjectStream::new(self.clone(), body, (from, len), opened.pin, None);
        let stored =
            self.store_part(session, target, room, (options.number, expected), body).await?;
        Ok((stored, info))
    }

    /// Checks what the commit of a part checks again, and decides where its bytes go.
    async fn admit_part(
        &self,
        session: &Arc<Session>,
        target: &Target,
        number: u32,
    ) -> Result<(Placement, Bucket, Upload), ApiError> {
        if !(1..=PART_NUMBER_MAX).contains(&number) {
            let text = format!(
                "Part number must be an integer between 1 and {PART_NUMBER_MAX}, inclusive."
            );
            return Err(error::INVALID_ARGUMENT.error(text));
        }
        let target = target.clone();
        let find = move |cx: &mut Cx<'_>| {
            let (bucket, upload) = target.find(cx)?;
            Ok((decide(cx, &bucket)?, bucket, upload))
        };
        let admitted = self.0.cloud.read(admission(session), find).await;
        if let Err(error) = &admitted {
            self.0.cloud.audit_refusal(session, error).await;
        }
        admitted
    }

    /// The key that an upload's parts are sealed under. One that began before there were keys takes the
    /// account's.
    async fn part_key(
        &self,
        bucket: &Bucket,
        upload: &Upload,
        customer: Option<&CustomerKey>,
    ) -> Result<BodyKey, ApiError> {
        let encryption = upload.facts.encryption.as_ref().unwrap_or(&Encryption::Account);
        self.sealing_key(bucket.owner, encryption, customer).await
    }

    async fn store_part(
        &self,
        session: Arc<Session>,
        target: Target,
        room: Room,
        (number, expected): (u32, Expected),
        body: impl Source,
    ) -> Result<PartStored, ApiError> {
        let sealed = (&room.placement, room.key.clone());
        let (written, priors) =
            receive(&self.0.blobs, sealed, &expected, PUT_BYTES_MAX, body).await?;
        let commit = move |cx: &mut Cx<'_>| commit_part(cx, &target, number, (&written, &room));
        self.0.cloud.write_after(session, priors, commit).await
    }

    /// Makes an object of an upload's parts, in one commit and without copying a byte.
    ///
    /// # Errors
    /// `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `EntityTooLarge`, those
    /// of the conditions, `BadDigest`, `AccessDenied`.
    pub async fn complete(
        &self,
        ctx: &RequestCtx,
        (bucket, key, upload_id): (&str, &str, &str),
        options: CompleteOptions,
    ) -> Result<Stored, ApiError> {
        let target = Target::new(bucket, key, upload_id)?;
        let session = ctx.session(meta::PUT_OBJECT);
        self.0.cloud.write(session, move |cx| complete(cx, &target, &options)).await
    }

    /// Gives an upload and its parts up.
    ///
    /// # Errors
    /// `NoSuchUpload`, `AccessDenied`.
    pub async fn abort(
        &self,
        ctx: &RequestCtx,
        (bucket, key, upload_id): (&str, &str, &str),
    ) -> Result<(), ApiError> {
        let target = Target::new(bucket, key, upload_id)?;
        let session = ctx.session(meta::ABORT_MULTIPART_UPLOAD);
        let abort = move |cx: &mut Cx<'_>| {
            let (bucket, upload) = target.find(cx)?;
            abort(cx, &bucket, &upload)
        };
        self.0.cloud.write(session, abort).await
    }

    /// An upload's parts with numbers above `after`; at most `limit`, no more than 1,000.
    ///
    /// # Errors
    /// `NoSuchUpload`, `AccessDenied`.
    pub async fn list_parts(
        &self,
        ctx: &RequestCtx,
        (bucket, key, upload_id): (&str, &str, &str),
        after: u32,
        limit: usize,
    ) -> Result<PartPage, ApiError> {
        let target = Target::new(bucket, key, upload_id)?;
        let limit = limit.min(PAGE_MAX);
        let list = move |cx: &mut Cx<'_>| {
            let (bucket, upload) = target.find_to_read(cx)?;
            let parts = tables::upload::parts(cx.tx(), &upload.id, after, limit + 1)?;
            Ok((bucket, (upload, parts)))
        };
        let Seen { bucket, found: (upload, mut parts), .. } =
            self.read(ctx, (meta::LIST_PARTS, LISTS), bucket, list).await?;
        let more = parts.len() > limit;
        parts.truncate(limit);
        let next = parts.last().filter(|_| more).map(|last| last.number);
        let parts = parts
            .into_iter()
            .map(|part| ListedPart { number: part.number, part: stored(part) })
            .collect();
        Ok(PartPage {
            owner: owner_of(&bucket, &upload),
            bucket,
            storage_class: upload.storage_class,
            checksum: upload.checksum,
            user: upload.attributes.user,
            parts,
            next,
        })
    }
}

fn stored(part: Part) -> PartStored {
    let Part { modified, size, md5, crc64, checksums, .. } = part;
    PartStored { etag: Etag { md5, parts: 0 }, crc64, size, modified, checksums, encryption: None }
}

/// Whose an upload's object is to be, as it is told: where the bucket's owner has all objects, that one.
pub(super) fn owner_of(bucket: &Bucket, upload: &Upload) -> AccountId {
    if bucket.is_enforced() { bucket.owner } else { writer_of(bucket, upload) }
}

/// Who wrote an upload's object. One that began before there were owners is the bucket's owner's.
fn writer_of(bucket: &Bucket, upload: &Upload) -> AccountId {
    if upload.owner.number() == 0 { bucket.owner } else { upload.owner }
}

fn new_upload(
    cx: &mut Cx<'_>,
    bucket: &Bucket,
    key: &str,
    (options, list): (&InitiateOptions, AccessList),
) -> Result<Upload, ApiError> {
    let placement = decide(cx, bucket)?;
    places::state(cx, &placement, "parts", 0);
    let encryption = resolve(options.encryption.as_ref(), &bucket.settings, &*cx.cloud.rng);
    let (owner, AccessList { acl, grants }) = bucket.newborn(writer(cx), list);
    let random = base::text::hex_upper(&cx.rng().bytes::<8>());
    Ok(Upload {
        id: format!("{:016X}{random}", cx.now.micros()),
        key: key.to_owned(),
        created: cx.now,
        storage_class: options.storage_class.unwrap_or(bucket.storage_class),
        site: home(&placement).to_owned(),
        acl,
        attributes: options.attributes.clone(),
        tags: options.tags.clone(),
        facts: Facts {
            encryption: Some(encryption),
            lock: options.lock,
            grants,
            ..Facts::default()
        },
        owner,
        checksum: options.checksum,
    })
}

/// Sums, usage and audit of a step of an upload.
fn note(cx: &mut Cx<'_>, bucket: &Bucket, upload: &Upload, change: Change) -> Result<(), ApiError> {
    apply(cx, bucket, change)?;
    let arn = bucket.arn();
    cx.count(payer(cx, bucket), &arn, PUTS, 1);
    cx.audit_account(bucket.owner);
    cx.audit_resource(bucket.object_arn(&upload.key));
    cx.audit_detail("upload", upload.id.as_str());
    cx.audit_detail("site", upload.site.as_str());
    Ok(())
}

fn free(cx: &mut Cx<'_>, part: &Part) -> Result<(), ApiError> {
    let now = cx.now;
    tables::free::insert(cx.tx(), &Body::Blob(part.blob), now)
}

fn commit_part(
    cx: &mut Cx<'_>,
    target: &Target,
    number: u32,
    (written, room): (&Written, &Room),
) -> Result<PartStored, ApiError> {
    let (bucket, upload) = target.find(cx)?;
    // By the agreement of now: it may have been amended while the body came.
    if decide(cx, &bucket)? != room.placement {
        return Err(ApiError::new(&error::OPERATION_ABORTED));
    }
    if let Some(origin) = room.origin {
        origin.decide(cx, &room.placement)?;
    }
    let digested = &written.digested;
    let before = tables::upload::part(cx.tx(), &upload.id, number)?;
    let part = Part {
        number,
        modified: cx.now,
        size: digested.size,
        md5: digested.md5,
        crc64: digested.crc64,
        checksums: digested.checksums.clone(),
        blob: tables::extent::insert_rows(cx.tx(), &written.extents, digested.size, number)?,
    };
    written.settle(cx.tx())?;
    tables::upload::put_part(cx.tx(), &upload.id, &part)?;
    if let Some(before) = &before {
        free(cx, before)?;
    }
    places::state(cx, &room.placement, "parts", i64::from(before.is_none()));
    let bytes = bytes(part.size, before.map_or(0, |before| before.size));
    note(cx, &bucket, &upload, Change { bytes, part_bytes: bytes, ..Change::default() })?;
    cx.audit_detail("part", number.to_string());
    cx.audit_detail("size", part.size.to_string());
    cx.audit_detail("etag", base::text::hex(&part.md5));
    Ok(PartStored { encryption: upload.facts.encryption, ..stored(part) })
}

/// Ends an upload without an object.
pub(super) fn abort(cx: &mut Cx<'_>, bucket: &Bucket, upload: &Upload) -> Result<(), ApiError> {
    let parts = tables::upload::parts(cx.tx(), &upload.id, 0, PART_NUMBER_MAX as usize)?;
    let total: u64 = parts.iter().map(|part| part.size).sum();
    parts.iter().try_for_each(|part| free(cx, part))?;
    tables::upload::delete_parts(cx.tx(), &upload.id)?;
    tables::upload::delete(cx.tx(), &upload.id)?;
    if !parts.is_empty() {
        let (owner, class) = (bucket.owner, bucket.class);
        places::state_removed(cx, owner, class, &bucket.sites, "parts", -count(&parts));
    }
    let bytes = -tables::int(total);
    note(cx, bucket, upload, Change { uploads: -1, bytes, part_bytes: bytes, ..Change::default() })
}

/// Ends all uploads of a bucket that is about to be deleted.
pub(super) fn abort_all(cx: &mut Cx<'_>, bucket: &Bucket) -> Result<(), ApiError> {
    loop {
        let uploads = tables::upload::list(cx.tx(), bucket.id, b"", (b"", ""), PAGE_MAX)?;
        if uploads.is_empty() {
            return Ok(());
        }
        uploads.iter().try_for_each(|upload| abort(cx, bucket, upload))?;
    }
}

fn complete(
    cx: &mut Cx<'_>,
    target: &Target,
    options: &CompleteOptions,
) -> Result<Stored, ApiError> {
    let bucket = find_bucket(cx, &target.bucket)?;
    let list = AccessList { acl: options.acl, grants: None };
    let gives = Gives { list, ..Gives::default() };
    let current = require_write(cx, &bucket, &target.key, &gives)?;
    let upload = match target.upload(cx, &bucket) {
        Err(gone) => {
            let Some(object) = completed(target, &options.parts, current) else { return Err(gone) };
            let version = bucket.version_id(object.version);
            let expires = expiry(cx, &bucket, &object.info)?;
            return Ok(Stored::of(object.info, version, expires));
        }
        upload => upload?,
    };
    let uploaded = tables::upload::parts(cx.tx(), &upload.id, 0, PART_NUMBER_MAX as usize)?;
    // As S3 has it: a checksum tells of what only the key opens.
    let summed =
        upload.checksum.is_some() || uploaded.iter().any(|part| !part.checksums.is_empty());
    if summed || options.customer_key.is_some() {
        check_customer(upload.facts.encryption.as_ref(), options.customer_key.as_ref())?;
    }
    let all: u64 = uploaded.iter().map(|part| part.size).sum();
    // The parts are there, but as an object they are placed anew.
    let placement = decide(cx, &bucket)?;
    places::state(cx, &placement, "parts", -count(&uploaded));
    let (chosen, rest) = choose(uploaded, &options.parts)?;
    check_sizes(&chosen, options.part_bytes_min)?;
    let whole = whole(&chosen, upload.checksum);
    check_whole(&whole, options)?;
    let blob = tables::extent::insert_blob(cx.tx(), whole.size)?;
    let mut start = 0;
    for part in &chosen {
        tables::extent::move_rows(cx.tx(), part.blob, blob, start)?;
        tables::attributes::insert(cx.tx(), blob, part.number, &part.checksums)?;
        start += part.size;
    }
    rest.iter().try_for_each(|part| free(cx, part))?;
    tables::upload::delete_parts(cx.tx(), &upload.id)?;
    tables::upload::delete(cx.tx(), &upload.id)?;
    cx.audit_detail("upload", upload.id.as_str());
    let owner = writer_of(&bucket, &upload);
    let mut attributes = upload.attributes;
    attributes.checksums = whole.checksums;
    let info = ObjectInfo {
        key: upload.key,
        size: whole.size,
        etag: whole.etag,
        crc64: whole.crc64,
        modified: cx.now,
        storage_class: upload.storage_class,
        owner,
        site: upload.site,
        acl: options.acl.or(upload.acl),
        attributes,
        tags: upload.tags,
        facts: Facts { upload: Some(upload.id), ..upload.facts },
        version: None,
    };
    let parts = -tables::int(all);
    let change = Change { uploads: -1, bytes: parts, part_bytes: parts, ..Change::default() };
    let object = Object { info, body: Body::Blob(blob), ordinal: 0, version: 0 };
    replace(cx, (&bucket, &placement), current, &options.conditions, object, change)
}

/// What an upload came to that was completed before: whoever did not hear it asks again.
fn completed(target: &Target, parts: &CompleteParts, current: Option<Object>) -> Option<Object> {
    let object = current.filter(|object| object.info.facts.upload.as_ref() == Some(&target.id))?;
    let same = match parts {
        CompleteParts::Named(named) => u32::try_from(named.len()) == Ok(object.info.etag.parts),
        CompleteParts::All => true,
    };
    same.then_some(object)
}

fn count(parts: &[Part]) -> i64 {
    i64::try_from(parts.len()).unwrap_or(i64::MAX)
}

/// The parts that become the object, and the others.
fn choose(uploaded: Vec<Part>, wanted: &CompleteParts) -> Result<(Vec<Part>, Vec<Part>), ApiError> {
    let CompleteParts::Named(named) = wanted else {
        return if uploaded.is_empty() {
            Err(ApiError::new(&error::INVALID_PART))
        } else {
            Ok((uploaded, Vec::new()))
        };
    };
    if named.is_empty() {
        return Err(ApiError::new(&error::INVALID_PART));
    }
    if !named.is_sorted_by(|one, next| one.number < next.number) {
        return Err(ApiError::new(&error::INVALID_PART_ORDER));
    }
    let (mut chosen, mut rest) = (Vec::with_capacity(named.len()), Vec::new());
    let mut uploaded = uploaded.into_iter();
    for want in named {
        let invalid = || {
            let number = want.number.to_string();
            ApiError::new(&error::INVALID_PART)
                .field("PartNumber", number)
                .field("ETag", want.etag.as_str())
        };
        let part = loop {
            let part = uploaded.next().ok_or_else(invalid)?;
            if part.number == want.number {
                break part;
            }
            rest.push(part);
        };
        let etag = Etag { md5: part.md5, parts: 0 };
        let differs = |promised: &Checksum| {
            part.checksums
                .iter()
                .any(|found| found.algorithm == promised.algorithm && found != promised)
        };
        if !etag.is(&want.etag) || want.checksums.iter().any(differs) {
            return Err(invalid());
        }
        chosen.push(part);
    }
    rest.extend(uploaded);
    Ok((chosen, rest))
}

fn check_sizes(parts: &[Part], bytes_min: u64) -> Result<(), ApiError> {
    let but_last = parts.split_last().map_or(&[][..], |(_, rest)| rest);
    if let Some(small) = but_last.iter().find(|part| part.size < bytes_min) {
        return Err(ApiError::new(&error::ENTITY_TOO_SMALL)
            .field("ProposedSize", small.size.to_string())
            .field("MinSizeAllowed", bytes_min.to_string())
            .field("PartNumber", small.number.to_string()));
    }
    if parts.iter().map(|part| part.size).sum::<u64>() > OBJECT_BYTES_MAX {
        return Err(ApiError::new(&error::ENTITY_TOO_LARGE));
    }
    Ok(())
}

/// The digests of parts put together.
struct Together {
    size: u64,
    etag: Etag,
    crc64: u64,
    checksums: Vec<Checksum>,
}

fn whole(parts: &[Part], checksum: Option<(Algorithm, Coverage)>) -> Together {
    let (mut md5, mut crc64, mut size) = (Md5::default(), 0, 0);
    for part in parts {
        md5.update(&part.md5);
        crc64 = if size == 0 { part.crc64 } else { crc64_combine(crc64, part.crc64, part.size) };
        size += part.size;
    }
    // At most 10,000 parts.
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let checksums =
        checksum.and_then(|(algorithm, coverage)| checksum_of(parts, count, algorithm, coverage));
    Together {
        size,
        etag: Etag { md5: md5.finish(), parts: count },
        crc64,
        checksums: checksums.into_iter().collect(),
    }
}

/// The upload's checksum; `None` where a part came without.
fn checksum_of(
    parts: &[Part],
    count: u32,
    algorithm: Algorithm,
    coverage: Coverage,
) -> Option<Checksum> {
    let value = |part: &Part| {
        part.checksums
            .iter()
            .find(|found| found.algorithm == algorithm)
            .map(|found| found.value.clone())
    };
    if coverage == Coverage::Composite {
        let mut hasher = wire::object::checksum::Hasher::new(algorithm);
        for part in parts {
            hasher.update(&value(part)?);
        }
        return Some(Checksum { algorithm, value: hasher.finish(), parts: count });
    }
    let (first, rest) = parts.split_first()?;
    let mut sum = value(first)?;
    for part in rest {
        sum = algorithm.combine(&sum, &value(part)?, part.size)?;
    }
    Some(Checksum::whole(algorithm, sum))
}

fn check_whole(whole: &Together, options: &CompleteOptions) -> Result<(), ApiError> {
    let crc64 = options.crc64.is_none_or(|crc64| crc64 == whole.crc64);
    let differs = |promised: &Checksum| !whole.checksums.contains(promised);
    if crc64 && !options.checksums.iter().any(differs) {
        return Ok(());
    }
    Err(error::BAD_DIGEST
        .error("The checksum you specified for the whole object did not match what was uploaded."))
}
