//! Power loss: what was not synced is gone, torn, zeroed or garbage; what was acknowledged is there.
//!
//! A recorder is told of every write to a segment, every sync and every new name, so that it is known which
//! bytes the disk has for certain. At some step of an operation (before a sync, between a sync and the commit,
//! after the answer) the directory is copied as a power loss could leave it then. The database runs with
//! `synchronous=FULL`, which syncs its log within every commit: so the log is whole up to the last commit
//! that was answered, and any piece of what the next one appends may follow. `AWAN_TEST_POWER_LOSSES` is the
//! number of points.
#![allow(clippy::disallowed_methods, reason = "a longer run is asked for by the environment")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oss::{
    CompleteOptions, CompleteParts, CopyOptions, CopySource, DeleteKey, DiskStep, Fetched,
    GetOptions, InitiateOptions, Limits, NamedPart, PartOptions, PutOptions, Recorder, Versioning,
    Whole, WriteConditions,
};
use store::params;
use tempfile::TempDir;

use crate::harness::{BUCKET, End, OWNER, Pieces, World, check, noise, root};
use crate::mirror::{ZONED, zoned};

const VERSIONED: &str = "versioned";
const BUCKETS: [&str; 3] = [BUCKET, ZONED, VERSIONED];
const SECTOR: usize = 512;
const PAGE: usize = 4096;
/// What a body that never ends has written before it hangs: bytes.
const HANGING: usize = 2_200_000;

/// Chance that can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn size(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }
}

/// How far a write is from being durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Writing,
    Written,
    /// A sync that began afterwards is under way.
    Syncing,
}

/// What is known of one file.
#[derive(Clone, Debug, Default)]
struct Bytes {
    /// Not durable: from, to, how far.
    unsynced: Vec<(u64, u64, Stage)>,
    /// Where durable bytes end.
    synced_len: u64,
}

#[derive(Debug, Default)]
struct Known {
    dir: PathBuf,
    /// By inode.
    files: HashMap<u64, Bytes>,
    /// Files whose names are not durable.
    unnamed: BTreeSet<PathBuf>,
    written: u64,
    /// Steps until the power goes, and the dice for what it does.
    armed: Option<(u64, u64)>,
    image: Option<TempDir>,
}

/// Knows which bytes are durable.
#[derive(Debug, Default)]
struct Ledger(Mutex<Known>);

impl Ledger {
    fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    /// The power goes in so many steps.
    fn arm(&self, dir: &Path, steps: u64, seed: u64) {
        let mut known = self.0.lock().unwrap();
        known.dir = dir.to_owned();
        known.armed = Some((steps, seed));
    }

    fn image(&self) -> Option<TempDir> {
        self.0.lock().unwrap().image.take()
    }

    /// The power goes now, if it has not gone yet.
    fn now(&self) -> TempDir {
        let mut known = self.0.lock().unwrap();
        let (_, seed) = known.armed.take().unwrap();
        known.lose_power(seed)
    }

    fn written(&self) -> u64 {
        self.0.lock().unwrap().written
    }

    /// Whether any of these bytes of a file are not durable.
    fn unsynced(&self, file: &Path, from: u64, to: u64) -> bool {
        let inode = fs::metadata(file).unwrap().ino();
        let known = self.0.lock().unwrap();
        let bytes = known.files.get(&inode);
        bytes.is_none_or(|bytes| bytes.unsynced.iter().any(|at| at.0 < to && from < at.1))
    }
}

impl Recorder for Ledger {
    fn note(&self, step: DiskStep<'_>) {
        // Held while a copy is made: no segment changes meanwhile.
        let mut known = self.0.lock().unwrap();
        known.note(step);
        match known.armed {
            Some((0, seed)) => {
                known.armed = None;
                known.image = Some(known.lose_power(seed));
            }
            Some((steps, seed)) => known.armed = Some((steps - 1, seed)),
            None => {}
        }
    }
}

fn inode(file: &File) -> u64 {
    file.metadata().unwrap().ino()
}

impl Known {
    fn note(&mut self, step: DiskStep<'_>) {
        match step {
            DiskStep::Asks(_) | DiskStep::Creates(_) | DiskStep::Reads(..) => {}
            DiskStep::Created(path) => {
                self.unnamed.insert(path.to_owned());
                self.files.insert(fs::metadata(path).unwrap().ino(), Bytes::default());
            }
            DiskStep::Named(dir) => self.unnamed.retain(|path| path.parent() != Some(dir)),
            DiskStep::Writes(file, start, len) => {
                let bytes = self.files.entry(inode(file)).or_default();
                bytes.unsynced.push((start, start + len as u64, Stage::Writing));
            }
            DiskStep::Wrote(file, start, len) => {
                self.written += len as u64;
                self.turn(file, |at| {
                    (at.0, at.1) == (start, start + len as u64) && at.2 == Stage::Writing
                });
            }
            DiskStep::Syncs(file) => self.turn(file, |at| at.2 == Stage::Written),
            DiskStep::Synced(file) => {
                let bytes = self.files.entry(inode(file)).or_default();
                let done = |at: &(u64, u64, Stage)| at.2 == Stage::Syncing;
                let end = bytes.unsynced.iter().filter(|at| done(at)).map(|at| at.1).max();
                bytes.synced_len = bytes.synced_len.max(end.unwrap_or(0));
                bytes.unsynced.retain(|at| !done(at));
            }
        }
    }

    fn turn(&mut self, file: &File, which: impl Fn(&(u64, u64, Stage)) -> bool) {
        let bytes = self.files.entry(inode(file)).or_default();
        for at in bytes.unsynced.iter_mut().filter(|at| which(at)) {
            at.2 = if at.2 == Stage::Writing { Stage::Written } else { Stage::Syncing };
        }
    }

    /// Copies the directory as a power loss may leave it.
    fn lose_power(&self, seed: u64) -> TempDir {
        let (image, mut dice) = (TempDir::new().unwrap(), Dice(seed));
        self.copy(&self.dir, image.path(), &mut dice);
        image
    }

    fn copy(&self, from: &Path, to: &Path, dice: &mut Dice) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type().unwrap().is_dir() {
                self.copy(&source, &target, dice);
            } else if self.unnamed.contains(&source) && dice.below(2) == 0 {
                // It was made, and nobody remembers.
            } else if source.extension().is_some_and(|kind| kind == "seg") {
                let bytes = self.files.get(&entry.metadata().unwrap().ino());
                fs::write(target, maul(&source, bytes, dice)).unwrap();
            } else if !target.to_str().unwrap().ends_with("-shm") {
                fs::copy(source, target).unwrap();
            }
        }
    }
}

/// A segment whose unsynced bytes a power loss mistreated. Of one that the ledger does not know, nothing was
/// written since it was copied.
fn maul(file: &Path, known: Option<&Bytes>, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    let Some(Bytes { unsynced, synced_len }) = known else { return bytes };
    let grain = if dice.below(2) == 0 { SECTOR } else { PAGE };
    let fate = dice.below(4);
    for (from, to, _) in unsynced {
        let end = usize::try_from(*to).unwrap().min(bytes.len());
        let mut at = usize::try_from(*from).unwrap().min(end);
        while at < end {
            let next = (at / grain * grain + grain).min(end);
            match (fate, dice.below(3)) {
                (0, _) | (1, 0) => bytes[at..next].fill(0),
                (2, 0) => {
                    let garbage = noise(next - at, dice.below(u64::MAX >> 34));
                    bytes[at..next].copy_from_slice(&garbage);
                }
                _ => {}
            }
            at = next;
        }
    }
    // The file's length is any between the synced one and the last one, or beyond it.
    let synced = usize::try_from(*synced_len).unwrap().min(bytes.len());
    let len = match dice.below(4) {
        0 => synced,
        1 => synced + dice.size(bytes.len() - synced + 1),
        2 => bytes.len(),
        _ if unsynced.is_empty() => bytes.len(),
        _ => bytes.len() + PAGE + 5,
    };
    bytes.resize(len, 0);
    bytes
}

/// What the commit in which the power went had appended to the database's log: any piece of it may be there.
fn tear_log(world: &Path, image: &Path, dice: &mut Dice) {
    let log = image.join("cloud.db-wal");
    let (Ok(before), Ok(mut after)) = (fs::read(&log), fs::read(world.join("cloud.db-wal"))) else {
        return;
    };
    if after.len() <= before.len() || !after.starts_with(&before) {
        return; // it began anew
    }
    after.truncate(before.len() + dice.size(after.len() - before.len() + 1));
    for sector in after[before.len()..].chunks_mut(SECTOR) {
        if dice.below(6) == 0 {
            sector.fill(0);
        }
    }
    fs::write(log, after).unwrap();
}

/// Bodies by bucket and key: length and seed.
type Model = BTreeMap<(&'static str, String), (usize, u64)>;

/// One operation, and what it leaves under its key once it is acknowledged.
struct Act {
    bucket: &'static str,
    key: String,
    kind: Kind,
    len: usize,
    seed: u64,
}

enum Kind {
    Put,
    Delete,
    Multipart,
    Copy(String),
    Part,
    Hang,
}

impl Act {
    fn new(model: &Model, dice: &mut Dice, seed: u64) -> Self {
        let bucket = BUCKETS[dice.size(BUCKETS.len())];
        let len = match dice.below(8) {
            0 => 1_300_000,
            1..=3 => 70_000,
            _ => 700,
        } + dice.size(999);
        let known: Vec<&String> =
            model.keys().filter(|at| at.0 == bucket).map(|at| &at.1).collect();
        let kind = match dice.below(12) {
            0 | 1 => Kind::Delete,
            2 => Kind::Hang,
            3 => Kind::Part,
            4 | 5 => Kind::Multipart,
            6 if !known.is_empty() => Kind::Copy(known[dice.size(known.len())].clone()),
            _ => Kind::Put,
        };
        Self { bucket, key: dice.below(12).to_string(), kind, len, seed }
    }

    /// What is under the key afterwards; `None` where the operation does not touch it.
    fn outcome(&self, model: &Model) -> Option<Option<(usize, u64)>> {
        match &self.kind {
            Kind::Put | Kind::Multipart => Some(Some((self.len, self.seed))),
            Kind::Delete => Some(None),
            Kind::Copy(from) => Some(model.get(&(self.bucket, from.clone())).copied()),
            Kind::Part | Kind::Hang => None,
        }
    }

    fn apply(&self, model: &mut Model) {
        let at = (self.bucket, self.key.clone());
        match self.outcome(model) {
            Some(Some(body)) => drop(model.insert(at, body)),
            Some(None) => drop(model.remove(&at)),
            None => {}
        }
    }

    async fn run(&self, world: &World, ledger: &Ledger) {
        let (owner, oss, bucket) = (root(OWNER), &world.oss, self.bucket);
        let body = noise(self.len, self.seed);
        match &self.kind {
            Kind::Put => {
                let body = Whole::new(body);
                oss.put(&owner, bucket, &self.key, PutOptions::default(), body).await.unwrap();
            }
            Kind::Delete => {
                let gone = DeleteKey { key: self.key.clone(), ..DeleteKey::default() };
                oss.delete(&owner, bucket, gone).await.unwrap();
            }
            Kind::Copy(from) => {
                let source = CopySource {
                    bucket: bucket.to_owned(),
                    key: from.clone(),
                    ..CopySource::default()
                };
                let options = CopyOptions::default();
                oss.copy(&owner, source, bucket, &self.key, options).await.unwrap();
            }
            Kind::Part => {
                self.parts(world, "part", &[&body]).await;
            }
            Kind::Multipart => {
                let (one, two) = body.split_at(self.len / 2);
                let (upload, parts) = self.parts(world, &self.key, &[one, two]).await;
                let options = CompleteOptions {
                    parts: CompleteParts::Named(parts),
                    conditions: WriteConditions::default(),
                    part_bytes_min: 100,
                    crc64: None,
                    checksums: Vec::new(),
                    acl: None,
                    customer_key: None,
                };
                let target = (bucket, self.key.as_str(), upload.as_str());
                oss.complete(&owner, target, options).await.unwrap();
            }
            Kind::Hang => self.hang(world, ledger).await,
        }
    }

    async fn parts(&self, world: &World, key: &str, bodies: &[&[u8]]) -> (String, Vec<NamedPart>) {
        let (owner, oss) = (root(OWNER), &world.oss);
        let options = InitiateOptions::default();
        let upload = oss.initiate(&owner, self.bucket, key, options).await.unwrap();
        let mut parts = Vec::new();
        for (body, number) in bodies.iter().zip(1..) {
            let options = PartOptions { number, ..PartOptions::default() };
            let target = (self.bucket, key, upload.as_str());
            let body = Whole::new(body.to_vec());
            let stored = oss.upload_part(&owner, target, options, body).await.unwrap();
            let (etag, checksums) = (stored.etag.lower(), Vec::new());
            parts.push(NamedPart { number, etag, checksums });
        }
        (upload, parts)
    }

    /// A body that hangs in the middle until the power goes.
    async fn hang(&self, world: &World, ledger: &Ledger) {
        let body = Pieces::new(&noise(HANGING, self.seed), 50_000, End::Silent);
        let (oss, bucket, before) = (world.oss.clone(), self.bucket, ledger.written());
        tokio::spawn(async move {
            oss.put(&root(OWNER), bucket, "unfinished", PutOptions::default(), body).await
        });
        // Two whole extents for each copy; nothing is to write any more when the next operation begins.
        let copies = if bucket == ZONED { 2 } else { 1 };
        while ledger.written() < before + copies * (2 << 20) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn get(world: &World, bucket: &str, key: &str) -> Option<Vec<u8>> {
    let mut body = match world.oss.get(&root(OWNER), bucket, key, GetOptions::default()).await {
        Ok(Fetched::Found { body, .. }) => body,
        Ok(Fetched::NotModified(_)) => panic!("there were no conditions"),
        Err(error) if error.status() == 404 => return None,
        Err(error) => panic!("{bucket}/{key}: {error:?}"),
    };
    let mut bytes = Vec::new();
    while let Some(next) = body.next().await {
        bytes.extend_from_slice(&next.unwrap());
    }
    Some(bytes)
}

/// Notes whether the operation that the power caught happened: its key has what it had or what it was to have.
async fn settle(world: &World, model: &mut Model, caught: &Act, point: u64) {
    let Some(new) = caught.outcome(model) else { return };
    let at = (caught.bucket, caught.key.clone());
    let there = get(world, at.0, &at.1).await;
    let is = |body: Option<&(usize, u64)>| there == body.map(|(len, seed)| noise(*len, *seed));
    if is(new.as_ref()) {
        caught.apply(model);
    } else {
        assert!(is(model.get(&at)), "{at:?} is torn at {point}");
    }
}

/// Every object is what was acknowledged, nothing else is there, and the sums are those of the rows.
async fn assert_whole(world: &World, model: &Model, point: u64) {
    for ((bucket, key), (len, seed)) in model {
        let found = get(world, bucket, key).await;
        assert!(found == Some(noise(*len, *seed)), "{bucket}/{key} at {point}");
    }
    let objects = world.number("SELECT COUNT(*) FROM oss_object").await;
    assert_eq!(objects, i64::try_from(model.len()).unwrap(), "at {point}");
    let live = world.live().await;
    for sum in [
        "SELECT CAST(SUM(bytes) AS BIGINT) FROM oss_bucket_stat",
        "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_level WHERE meter = 'oss.storage'",
    ] {
        assert_eq!(world.number(sum).await, live, "{sum} at {point}");
    }
    let sum = "SELECT CAST(SUM(objects) AS BIGINT) FROM oss_bucket_stat";
    assert_eq!(world.number(sum).await, objects, "at {point}");
    let report = world.oss.scrub().await.unwrap();
    assert_eq!((report.damaged, report.lost, report.rows), (0, 0, 0), "at {point}");
}

async fn buckets(world: &World) {
    zoned(world).await;
    world.bucket(VERSIONED, oss::CreateBucket::default()).await.unwrap();
    let versioning = Versioning::Enabled;
    world.oss.set_bucket_versioning(&root(OWNER), VERSIONED, versioning).await.unwrap();
}

fn limits(ledger: &'static Ledger) -> Limits {
    Limits { segment_bytes_max: 6 << 20, recorder: Some(ledger), ..Limits::default() }
}

/// Works until the power goes: what it left, and the operation that it caught.
async fn until_power_goes(
    (world, ledger): (&World, &Ledger),
    model: &mut Model,
    dice: &mut Dice,
    point: u64,
) -> (TempDir, Option<Act>) {
    ledger.arm(world.dir.path(), dice.below(30), dice.below(u64::MAX >> 34));
    for at in 0..1 + dice.below(6) {
        let act = Act::new(model, dice, point * 10 + at);
        act.run(world, ledger).await;
        if let Some(image) = ledger.image() {
            tear_log(world.dir.path(), image.path(), dice);
            return (image, Some(act));
        }
        act.apply(model);
    }
    if dice.below(4) == 0 {
        world.oss.reclaim().await.unwrap();
    }
    (ledger.image().unwrap_or_else(|| ledger.now()), None)
}

#[test]
fn what_was_acknowledged_survives_a_power_loss_at_any_point() {
    let points = std::env::var("AWAN_TEST_POWER_LOSSES").map_or(40, |text| text.parse().unwrap());
    let mut ledger = Ledger::new();
    check(limits(ledger), |mut world| async move {
        buckets(&world).await;
        let (mut model, mut dice) = (Model::new(), Dice(42));
        let mut caught_some = 0;
        for point in 0..points {
            let (image, caught) =
                until_power_goes((&world, ledger), &mut model, &mut dice, point).await;
            let (mut then, next_ledger) = (model.clone(), Ledger::new());
            let opened = tokio::task::spawn_blocking(move || World::at(image, limits(next_ledger)));
            let next = opened.await.unwrap();
            if let Some(caught) = &caught {
                settle(&next, &mut then, caught, point).await;
                caught.apply(&mut model);
                caught_some += 1;
            }
            assert_whole(&next, &then, point).await;
            // It goes on from there now and then, so that recoveries follow on each other.
            if dice.below(5) == 0 {
                (world, ledger, model) = (next, next_ledger, then);
            }
        }
        assert!(model.len() > 5 && points > 0, "the points said something");
        assert!(caught_some * 3 > points, "the power went within operations: {caught_some}");
    });
}

/// The extents of an object: segment, first byte, end.
async fn extents(world: &World, bucket: &'static str, key: String) -> Vec<(u32, u64, u64)> {
    let packed: Result<Vec<u8>, store::Error> = world
        .cloud
        .db
        .read(move |tx| {
            let sql = "SELECT extents FROM oss_object o JOIN oss_bucket b ON b.id = o.bucket
                       WHERE b.name = ?1 AND o.key = ?2";
            let row =
                tx.query_opt(sql, params![bucket, key.as_bytes()], |row| row.get::<Vec<u8>>(0))?;
            Ok(row.unwrap())
        })
        .await;
    let extent = |packed: &[u8]| {
        let number = |at: usize| u32::from_le_bytes(packed[at..at + 4].try_into().unwrap());
        (number(0), u64::from(number(4)), u64::from(number(4)) + u64::from(number(8)))
    };
    packed.unwrap().chunks(20).map(extent).collect()
}

#[test]
fn whatever_is_acknowledged_among_many_writers_was_synced_in_every_copy() {
    let ledger = Ledger::new();
    check(limits(ledger), |world| async move {
        buckets(&world).await;
        let world = Arc::new(world);
        let client = |id: u64| {
            let world = Arc::clone(&world);
            async move {
                let mut dice = Dice(id);
                for round in 0..20 {
                    let bucket = BUCKETS[dice.size(2)];
                    let (key, len) = (format!("{id}-{round}"), 100 + dice.size(90_000));
                    let body = Whole::new(noise(len, id * 1000 + round));
                    let options = PutOptions::default();
                    world.oss.put(&root(OWNER), bucket, &key, options, body).await.unwrap();
                    let mut copies = vec![world.dir.path().join("oss/segments")];
                    if bucket == ZONED {
                        copies.push(world.dir.path().join("oss/mirror/jkt-2/segments"));
                    }
                    for (segment, from, to) in extents(&world, bucket, key.clone()).await {
                        for copy in &copies {
                            let file = copy.join(format!("{segment}.seg"));
                            assert!(!ledger.unsynced(&file, from, to), "{bucket}/{key}");
                        }
                    }
                }
            }
        };
        let clients: Vec<_> = (0..24).map(|id| tokio::spawn(client(id))).collect();
        for client in clients {
            client.await.unwrap();
        }
    });
}
