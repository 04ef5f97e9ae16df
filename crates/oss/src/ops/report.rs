//! Reports of inventories: a manifest, its checksum, and the lists that it names, as both protocols have them.
//!
//! A report is written while the bucket changes: each page of it is what the bucket was at that moment, as
//! with both protocols. Memory is bounded: a page of rows and what the compression holds.

use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::text::percent_encode_keeping;
use base::{ApiError, Time};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use store::Tx;

use super::inventory::may_write;
use super::{Source, Whole};
use crate::config;
use crate::config::inventory::{Encryption as Wish, Field, Form, Inventory};
use crate::model::{
    Attributes, Bucket, Encryption, PutOptions, StorageClass, Stored, VersionId, Wanted,
};
use crate::tables::inventory::{Due, Line};
use crate::{Oss, tables};

/// Rows read at a time.
const PAGE: usize = 1000;
/// Lines of one list, at most; the next begins another.
const LINES_MAX: u64 = 5_000_000;
/// A piece of a list on its way into the store, bytes, or a little more.
const PIECE: usize = 256 << 10;
/// Within this a report is written, or tried again.
const LEASE: Duration = Duration::from_secs(6 * 3600);
/// A report that failed is tried again after this.
const AGAIN: Duration = Duration::from_secs(3600);

impl Oss {
    /// Writes the reports that are due; says how many.
    ///
    /// # Errors
    /// Those of the database. A report that fails does not keep the others.
    pub async fn write_due_inventories(&self) -> Result<usize, ApiError> {
        let cloud = &self.0.cloud;
        let mut written = 0;
        loop {
            let now = cloud.clock.now();
            let look = move |tx: &mut Tx<'_>| tables::inventory::due(tx, now);
            if cloud.db.read(look).await?.is_none() {
                return Ok(written);
            }
            let find = move |tx: &mut Tx<'_>| {
                let Some(due) = tables::inventory::due(tx, now)? else { return Ok(None) };
                let bucket = tables::bucket::find(tx, &due.bucket)?;
                let taken = match &bucket {
                    // So that no other process writes it too.
                    Some(found) => {
                        tables::inventory::put_off(tx, found.id, &due.id, now, now.plus(LEASE))?
                    }
                    None => false,
                };
                Ok::<_, ApiError>(Some((due, bucket.filter(|_| taken))))
            };
            let Some((due, bucket)) = cloud.db.write(find).await? else { return Ok(written) };
            let Some(bucket) = bucket else { continue };
            let Due { id, document, .. } = due;
            let inventory: Inventory = config::restore(&document)?;
            let days = if inventory.weekly { 7 } else { 1 };
            let mut next = now.plus(self.0.blobs.limits.inventory_day * days);
            if inventory.enabled {
                match self.write_report(&bucket, inventory, now).await {
                    Ok(()) => written += 1,
                    Err(error) => {
                        tracing::warn!(?error, bucket = bucket.name, id, "write a report later");
                        next = next.min(now.plus(AGAIN));
                    }
                }
            }
            let (bucket, lease) = (bucket.id, now.plus(LEASE));
            let put_off = move |tx: &mut Tx<'_>| {
                tables::inventory::put_off(tx, bucket, &id, lease, next).map(drop)
            };
            cloud.db.write(put_off).await?;
        }
    }

    async fn write_report(
        &self,
        bucket: &Bucket,
        inventory: Inventory,
        now: Time,
    ) -> Result<(), ApiError> {
        let to = inventory.destination.bucket.clone();
        let target = self.0.cloud.db.read(move |tx| tables::bucket::find(tx, &to)).await?;
        let may = match &target {
            Some(target) => may_write(bucket, target, &inventory, now)?,
            None => false,
        };
        if !may {
            // It was when the inventory was set; whose bucket it is may have it so again.
            tracing::info!(bucket = bucket.name, id = inventory.id, "a report may not be written");
            return Ok(());
        }
        let inventory = Arc::new(inventory);
        let folder = folder(bucket, &inventory);
        let walk = Arc::new(Mutex::new(Walk::new(&inventory)));
        let mut files = Vec::new();
        while !lock(&walk).done {
            let unique = base::text::hex(&self.0.cloud.rng.bytes::<16>());
            let key = format!("{folder}/data/{unique}.csv.gz");
            let list = List::new(self, bucket, &inventory, &walk);
            let stored = self.put_part(&inventory, &key, "application/gzip", list).await?;
            files.push(file(&key, &stored, inventory.form));
        }
        let manifest = manifest(bucket, &inventory, files, now).to_string();
        let stamp = now.iso();
        let at = format!("{folder}/{}Z", stamp[..16].replace(':', "-"));
        let (key, body) = (format!("{at}/manifest.json"), Whole::new(manifest));
        let stored = self.put_part(&inventory, &key, "application/json", body).await?;
        let (key, body) = (format!("{at}/manifest.checksum"), Whole::new(stored.etag.lower()));
        self.put_part(&inventory, &key, "text/plain", body).await.map(drop)
    }

    async fn put_part(
        &self,
        inventory: &Inventory,
        key: &str,
        content_type: &str,
        body: impl Source,
    ) -> Result<Stored, ApiError> {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let encryption = inventory.destination.encryption.as_ref().map(|wish| {
            Wanted::Managed(match wish {
                Wish::Managed => Encryption::Aes256,
                Wish::Key(id) => Encryption::Kms(id.clone()),
            })
        });
        let attributes = Attributes { headers, ..Attributes::default() };
        let options = PutOptions { attributes, encryption, ..PutOptions::default() };
        self.put(&self.as_system(), &inventory.destination.bucket, key, options, body).await
    }
}

/// What a report's objects have in common.
pub(super) fn folder(bucket: &Bucket, inventory: &Inventory) -> String {
    let prefix = inventory.destination.prefix.trim_end_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{slash}{}/{}", bucket.name, inventory.id)
}

fn file(key: &str, stored: &Stored, form: Form) -> Value {
    let md5 = match form {
        Form::Oss => stored.etag.upper(),
        Form::S3 => stored.etag.lower(),
    };
    json!({ "key": key, "size": stored.size, "MD5checksum": md5 })
}

fn manifest(bucket: &Bucket, inventory: &Inventory, files: Vec<Value>, now: Time) -> Value {
    let to = &inventory.destination.bucket;
    let (to, version, created) = match inventory.form {
        Form::Oss => (to.clone(), "2019-09-01", now.secs().to_string()),
        Form::S3 => {
            let millis = now.micros() / 1000;
            (format!("arn:aws:s3:::{to}"), "2016-11-30", millis.to_string())
        }
    };
    let mut schema = vec!["Bucket", "Key"];
    if inventory.versions {
        schema.extend(["VersionId", "IsLatest", "IsDeleteMarker"]);
    }
    schema.extend(inventory.fields.iter().map(|field| field.name()));
    json!({
        "sourceBucket": bucket.name,
        "destinationBucket": to,
        "version": version,
        "creationTimestamp": created,
        "fileFormat": "CSV",
        "fileSchema": schema.join(", "),
        "files": files,
    })
}

/// How far a report has come: first the current objects, then what is behind them.
struct Walk {
    behind: bool,
    key: String,
    ordinal: i64,
    done: bool,
}

impl Walk {
    fn new(inventory: &Inventory) -> Self {
        let key = inventory.filter.prefix.clone().unwrap_or_default();
        // No version is newer: the key itself comes first.
        Self { behind: false, key, ordinal: i64::MAX, done: false }
    }
}

fn lock(walk: &Mutex<Walk>) -> std::sync::MutexGuard<'_, Walk> {
    walk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A list on its way into the store.
struct List {
    oss: Oss,
    bucket: Bucket,
    inventory: Arc<Inventory>,
    walk: Arc<Mutex<Walk>>,
    packer: Option<GzEncoder<Vec<u8>>>,
    lines: u64,
}

impl List {
    fn new(
        oss: &Oss,
        bucket: &Bucket,
        inventory: &Arc<Inventory>,
        walk: &Arc<Mutex<Walk>>,
    ) -> Self {
        Self {
            oss: oss.clone(),
            bucket: bucket.clone(),
            inventory: Arc::clone(inventory),
            walk: Arc::clone(walk),
            packer: Some(GzEncoder::new(Vec::new(), Compression::default())),
            lines: 0,
        }
    }

    /// Reads a page of rows, and moves on.
    async fn page(&self) -> Result<Vec<(Line, bool)>, ApiError> {
        let (behind, key, ordinal) = {
            let walk = lock(&self.walk);
            (walk.behind, walk.key.clone(), walk.ordinal)
        };
        let (bucket, after) = (self.bucket.id, key.clone());
        let read = move |tx: &mut Tx<'_>| match behind {
            false => tables::inventory::objects(tx, bucket, (&after, ordinal), PAGE),
            true => tables::inventory::versions(tx, bucket, (&after, ordinal), PAGE),
        };
        let lines = self.oss.0.cloud.db.read(read).await?;
        let prefix = self.inventory.filter.prefix.as_deref().unwrap_or_default();
        let is_last = lines.len() < PAGE
            || lines
                .last()
                .is_some_and(|line| line.key.as_str() > prefix && !line.key.starts_with(prefix));
        let mut walk = lock(&self.walk);
        if is_last {
            walk.done = behind || !self.inventory.versions;
            *walk = Walk { behind: true, done: walk.done, ..Walk::new(&self.inventory) };
        } else if let Some(line) = lines.last() {
            walk.key.clone_from(&line.key);
            walk.ordinal = line.ordinal;
        }
        drop(walk);
        // Before the first page there is no version of the key that it begins at.
        let mut previous = if ordinal < i64::MAX { key } else { String::new() };
        let newest = |line: &Line| {
            let first = previous != line.key;
            previous.clone_from(&line.key);
            !behind || (first && line.bare)
        };
        Ok(with(lines, newest))
    }

    fn write(&mut self, lines: &[(Line, bool)]) -> io::Result<()> {
        let Some(packer) = &mut self.packer else { return Ok(()) };
        let filter = &self.inventory.filter;
        let prefix = filter.prefix.as_deref().unwrap_or_default();
        for (line, latest) in lines {
            if line.key.starts_with(prefix)
                && filter.lists(line.modified.secs(), line.size, line.class)
            {
                packer.write_all(csv(&self.bucket, &self.inventory, line, *latest).as_bytes())?;
                self.lines += 1;
            }
        }
        Ok(())
    }
}

fn with(lines: Vec<Line>, mut newest: impl FnMut(&Line) -> bool) -> Vec<(Line, bool)> {
    let pair = |line: Line| {
        let newest = newest(&line);
        (line, newest)
    };
    lines.into_iter().map(pair).collect()
}

impl Source for List {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let Some(packer) = &mut self.packer else { return Ok(None) };
            if packer.get_ref().len() >= PIECE {
                return Ok(Some(std::mem::take(packer.get_mut()).into()));
            }
            if lock(&self.walk).done || self.lines >= LINES_MAX {
                let packed = self.packer.take().map(GzEncoder::finish).transpose();
                return Ok(packed.map_err(ApiError::internal)?.map(Bytes::from));
            }
            let lines = self.page().await?;
            self.write(&lines).map_err(ApiError::internal)?;
        }
    }
}

const fn s3_class(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Standard => "STANDARD",
        StorageClass::InfrequentAccess => "STANDARD_IA",
        StorageClass::Archive => "GLACIER",
        StorageClass::ColdArchive | StorageClass::DeepColdArchive => "DEEP_ARCHIVE",
    }
}

/// One line of a list, every field in quotation marks. Keys are percent-encoded.
fn csv(bucket: &Bucket, inventory: &Inventory, line: &Line, latest: bool) -> String {
    let word = |flag: bool| if flag { "true" } else { "false" }.to_owned();
    let mut fields = vec![bucket.name.clone(), percent_encode_keeping(&line.key, b"/")];
    if inventory.versions {
        let version = bucket.version_id(line.version);
        fields.push(version.as_ref().map(VersionId::to_string).unwrap_or_default());
        fields.extend([word(latest), word(line.marker)]);
    }
    // A delete marker has nothing but its time.
    let of_body = |text: String| if line.marker { String::new() } else { text };
    fields.extend(inventory.fields.iter().map(|field| match (field, inventory.form) {
        (Field::Size, _) => of_body(line.size.to_string()),
        (Field::LastModifiedDate, Form::Oss) => line.modified.iso(),
        (Field::LastModifiedDate, Form::S3) => line.modified.iso_millis(),
        (Field::StorageClass, Form::Oss) => of_body(line.class.as_str().to_owned()),
        (Field::StorageClass, Form::S3) => of_body(s3_class(line.class).to_owned()),
        (Field::ETag, Form::Oss) => of_body(line.etag.upper()),
        (Field::ETag, Form::S3) => of_body(line.etag.lower()),
        (Field::IsMultipartUploaded, _) => of_body(word(line.etag.parts > 0)),
        (Field::EncryptionStatus, Form::Oss) => of_body(word(line.facts.encryption.is_some())),
        (Field::EncryptionStatus, Form::S3) => {
            let status = match &line.facts.encryption {
                None => "NOT-SSE",
                Some(Encryption::Account | Encryption::Aes256) => "SSE-S3",
                Some(Encryption::Kms(_)) => "SSE-KMS",
                Some(Encryption::Customer { .. }) => "SSE-C",
            };
            of_body(status.to_owned())
        }
    }));
    // None of them has a quotation mark: they are numbers, words, and encoded keys.
    format!("\"{}\"\n", fields.join("\",\""))
}
