//! `kill -9` at random moments of a mixed load.
//!
//! Every round starts the cloud, lets clients store (whole and in parts), overwrite, copy and delete objects,
//! in one zone, in two and with versions, and make users, kills it, starts it again and looks. What was acknowledged must be there; what was not must be there
//! whole or not at all; audit entries, usage and the log must say exactly what happened; and nothing
//! may be left behind on disk. The seed is printed, and `AWAN_CRASH_SEED` repeats a run's choices (not
//! its timing); `AWAN_CRASH_ROUNDS` sets the number of kills.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cli::api::Api;
use cli::object::{Body, Dialect, Listing, Part, Store};
use cli::profile::Profile;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use store::{Backend, Db};
use tlog::{Directory, Note, Reader, Verifier};

use crate::dice::{Dice, variable};
use crate::server::{self, Server};

const CLIENTS: u64 = 6;
/// Its objects lie in one zone.
const LOCAL: &str = "crash";
/// Its objects lie in two.
const ZONED: &str = "crash-zoned";
/// It keeps what is overwritten or deleted.
const VERSIONED: &str = "crash-versioned";
const BUCKETS: [&str; 3] = [LOCAL, ZONED, VERSIONED];
/// Parts but the last are no smaller, in OSS.
const PART_BYTES_MIN: usize = 100 << 10;

impl Dice {
    /// A body that no other operation has, of a size that is small, middling or several extents long.
    fn body(&mut self) -> Vec<u8> {
        let size = match self.roll(20) {
            0 => 1_000_000 + self.roll(2_500_000),
            1..=4 => 60_000 + self.roll(300_000),
            _ => 8 + self.roll(3000),
        };
        let mut body = vec![0; usize::try_from(size).unwrap()];
        for chunk in body.chunks_mut(8) {
            let bytes = self.roll(u64::MAX).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        body
    }
}

/// What an object holds: digest and size.
type Content = (Vec<u8>, i64);

fn content(body: &[u8]) -> Content {
    (digest(&SHA256, body).as_ref().to_vec(), i64::try_from(body.len()).unwrap())
}

/// How often each kind of change happened for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    puts: i64,
    copies: i64,
    deletes: i64,
    users: i64,
    parts: i64,
    completes: i64,
}

/// The operation that a kill may have caught.
enum Pending {
    Put(String, Content),
    Copy(String, Content),
    Delete(String),
    User(String),
    Initiate,
    Part(Part),
    Complete,
}

/// An upload in parts under way.
struct Upload {
    id: String,
    key: String,
    body: Vec<u8>,
    parts: Vec<Part>,
}

/// One client: its own keys, and what it knows of them.
struct Client {
    id: u64,
    bucket: &'static str,
    dice: Dice,
    objects: BTreeMap<String, Content>,
    pending: Option<Pending>,
    done: Done,
    made: u64,
    upload: Option<Upload>,
    /// Versions behind the current ones, and their bytes.
    behind: (i64, i64),
}

impl Client {
    fn new(id: u64, seed: u64) -> Self {
        let dice = Dice(seed ^ (id + 1).wrapping_mul(0x1234_5678_9abc_def1));
        let bucket = BUCKETS[usize::try_from(id).unwrap() % BUCKETS.len()];
        let (objects, done) = (BTreeMap::new(), Done::default());
        let (pending, upload) = (None, None);
        Self { id, bucket, dice, objects, pending, done, made: 0, upload, behind: (0, 0) }
    }

    const fn dialect(&self) -> Dialect {
        // Neighbours in number share a dialect, since every third has the same bucket.
        if self.id < CLIENTS / 2 { Dialect::Oss } else { Dialect::S3 }
    }

    /// The next request of an upload in parts: begins one, sends the next part, or completes it.
    fn upload(&mut self, store: &Store, key: String) -> Result<(), cli::error::Error> {
        let Some(upload) = &self.upload else {
            let body = self.dice.body();
            self.pending = Some(Pending::Initiate);
            let id = store.initiate(self.bucket, &key, None)?;
            self.upload = Some(Upload { id, key, body, parts: Vec::new() });
            return Ok(());
        };
        let Upload { id, key, body, parts } = upload;
        let target = (self.bucket, key.as_str());
        let sent: usize = parts.iter().map(|part| usize::try_from(part.size).unwrap()).sum();
        if sent == body.len() && !parts.is_empty() {
            self.pending = Some(Pending::Complete);
            return store.complete(target, id, parts);
        }
        // The smallest part of S3 is larger than these bodies.
        let split = self.dialect() == Dialect::Oss && body.len() > 2 * PART_BYTES_MIN;
        let end = if split && sent == 0 { body.len() / 2 } else { body.len() };
        let number = u32::try_from(parts.len()).unwrap() + 1;
        let piece = &body[sent..end];
        let part = Part { number, etag: String::new(), size: piece.len() as u64 };
        self.pending = Some(Pending::Part(part));
        let part = store.upload_part(target, id, number, piece)?;
        self.pending = Some(Pending::Part(part));
        Ok(())
    }

    /// What is under the key is from now on.
    fn replace(&mut self, key: String, content: Option<Content>) {
        let old = match content {
            Some(content) => self.objects.insert(key, content),
            None => self.objects.remove(&key),
        };
        if self.bucket == VERSIONED {
            self.behind.0 += i64::from(old.is_some());
            self.behind.1 += old.map_or(0, |(_, size)| size);
        }
    }

    /// Bytes that the cloud keeps for this client.
    fn stored(&self) -> i64 {
        let parts = self.upload.iter().flat_map(|upload| &upload.parts);
        let parts: u64 = parts.map(|part| part.size).sum();
        let objects: i64 = self.objects.values().map(|(_, size)| size).sum();
        objects + self.behind.1 + i64::try_from(parts).unwrap()
    }

    /// Works until the cloud is gone.
    fn work(&mut self, store: &Store, api: &Api, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            if !self.act(store, api) {
                return;
            }
        }
    }

    /// One operation; false where it was not acknowledged.
    fn act(&mut self, store: &Store, api: &Api) -> bool {
        let key = format!("client-{}/key-{}", self.id, self.dice.roll(40));
        let known = self.objects.keys().nth(usize::try_from(self.dice.roll(40)).unwrap()).cloned();
        let sent = match (self.dice.roll(20), known) {
            (0, _) => {
                self.made += 1;
                let name = format!("user-{}-{}", self.id, self.made);
                self.pending = Some(Pending::User(name.clone()));
                api.call("2015-05-01", "CreateUser", &[("UserName", &name)]).map(drop)
            }
            (1..=3, Some(old)) => {
                self.pending = Some(Pending::Delete(old.clone()));
                store.delete(self.bucket, &old)
            }
            (4..=5, Some(old)) if self.objects.get(&key) != Some(&self.objects[&old]) => {
                self.pending = Some(Pending::Copy(key.clone(), self.objects[&old].clone()));
                store.copy((self.bucket, &old), (self.bucket, &key))
            }
            (6..=8, _) => self.upload(store, key),
            _ => {
                let body = self.dice.body();
                self.pending = Some(Pending::Put(key.clone(), content(&body)));
                store.put(self.bucket, &key, Body::Bytes(&body), None).map(drop)
            }
        };
        match sent {
            Ok(()) => {
                self.settle(true);
                true
            }
            Err(cli::error::Error::Transport { .. }) => false,
            Err(other) => panic!("refused although nothing was wrong: {other}"),
        }
    }

    /// Notes whether the pending operation happened.
    fn settle(&mut self, happened: bool) {
        let Some(pending) = self.pending.take().filter(|_| happened) else { return };
        match pending {
            Pending::Put(key, content) => {
                self.replace(key, Some(content));
                self.done.puts += 1;
            }
            Pending::Copy(key, content) => {
                self.replace(key, Some(content));
                self.done.copies += 1;
            }
            Pending::Delete(key) => {
                self.replace(key, None);
                self.done.deletes += 1;
            }
            Pending::User(_) => self.done.users += 1,
            // Those whose id nobody learnt are counted where they are kept.
            Pending::Initiate => {}
            Pending::Part(part) => {
                self.upload.as_mut().unwrap().parts.push(part);
                self.done.parts += 1;
            }
            Pending::Complete => {
                let upload = self.upload.take().unwrap();
                self.replace(upload.key, Some(content(&upload.body)));
                self.done.completes += 1;
            }
        }
    }

    /// After a restart: finds out what became of the pending operation. Its new content is unlike the
    /// old, so what is there tells; anything else is torn.
    fn look(&mut self, store: &Store, api: &Api) {
        if let (Some(Pending::Part(part)), Some(upload)) = (&mut self.pending, &self.upload) {
            let there = store.parts(self.bucket, &upload.key, &upload.id).unwrap();
            let found = there.into_iter().find(|it| it.number == part.number);
            match found {
                Some(found) => {
                    assert_eq!(found.size, part.size, "a part is torn");
                    *part = found;
                }
                None => self.pending = None,
            }
            return self.settle(true);
        }
        let Some(pending) = &self.pending else { return };
        let happened = match pending {
            Pending::Put(key, new) | Pending::Copy(key, new) => {
                let there = read(store, self.bucket, key);
                let happened = there.as_ref() == Some(new);
                assert!(
                    happened || there.as_ref() == self.objects.get(key),
                    "{key} is neither what it was nor what it was to be"
                );
                happened
            }
            Pending::Delete(key) => {
                let there = read(store, self.bucket, key);
                assert!(
                    there.is_none() || there.as_ref() == self.objects.get(key),
                    "{key} is torn"
                );
                there.is_none()
            }
            Pending::User(name) => api.call("2015-05-01", "GetUser", &[("UserName", name)]).is_ok(),
            Pending::Initiate | Pending::Part(_) => false,
            Pending::Complete => {
                let Upload { key, body, .. } = self.upload.as_ref().unwrap();
                let there = read(store, self.bucket, key);
                let happened = there.as_ref() == Some(&content(body));
                assert!(happened || there.as_ref() == self.objects.get(key), "{key} is torn");
                happened
            }
        };
        self.settle(happened);
    }

    /// Reads back everything this client knows of.
    fn check_all(&self, store: &Store) {
        for (key, content) in &self.objects {
            assert_eq!(
                read(store, self.bucket, key).as_ref(),
                Some(content),
                "{key} was acknowledged and is not there"
            );
        }
    }
}

fn read(store: &Store, bucket: &str, key: &str) -> Option<Content> {
    let mut body = Vec::new();
    match store.get(bucket, key, &mut body) {
        Ok(_) => Some(content(&body)),
        Err(error) if error.status() == Some(404) => None,
        Err(error) => panic!("{key}: {error}"),
    }
}

/// Loads the cloud until it is killed.
fn round(dir: &Path, clients: &mut [Client], dice: &mut Dice) {
    if dice.roll(10) == 0 {
        // A kill while the cloud starts must not hurt either.
        let mut child = server::spawn(dir, server::port_base(), &[]);
        std::thread::sleep(Duration::from_millis(dice.roll(120)));
        child.kill().unwrap();
        child.wait().unwrap();
        return;
    }
    let server = Server::start(dir, &[]);
    let stop = AtomicBool::new(false);
    for client in &mut *clients {
        client.look(&server.store(Dialect::S3), &server.api());
    }
    let life = Duration::from_millis(20 + dice.roll(250));
    std::thread::scope(|scope| {
        for client in &mut *clients {
            let (store, api, stop) = (server.store(client.dialect()), server.api(), &stop);
            scope.spawn(move || client.work(&store, &api, stop));
        }
        std::thread::sleep(life);
        server.kill();
        stop.store(true, Ordering::Relaxed);
    });
}

fn total(clients: &[Client]) -> Done {
    clients.iter().fold(Done::default(), |sum, client| Done {
        puts: sum.puts + client.done.puts,
        copies: sum.copies + client.done.copies,
        deletes: sum.deletes + client.done.deletes,
        users: sum.users + client.done.users,
        parts: sum.parts + client.done.parts,
        completes: sum.completes + client.done.completes,
    })
}

fn open(dir: &Path) -> Db {
    let backend = Backend::Sqlite(dir.join("cloud.db"));
    Db::open(store::Config { backend, readers: 1 }).unwrap()
}

fn number(db: &Db, sql: &'static str) -> i64 {
    let found: Result<Option<i64>, store::Error> =
        db.read_blocking(move |tx| tx.query_opt(sql, &[], |row| row.get(0)));
    found.unwrap().unwrap_or(0)
}

/// The database of the stopped cloud says exactly what the clients know.
fn check_books(dir: &Path, clients: &[Client]) {
    let done = total(clients);
    let db = open(dir);
    // What nobody completed is kept, and nobody gives up.
    let initiates = number(&db, "SELECT COUNT(*) FROM oss_upload") + done.completes;
    let puts = done.puts + done.copies + initiates + done.parts + done.completes;
    // A copy is audited as what it is permitted as: a PutObject. So is each step of an upload in parts.
    let audited = ["PutObject", "DeleteObject", "CreateUser"].map(|action| {
        let found: Result<Option<i64>, store::Error> = db.read_blocking(move |tx| {
            let sql = "SELECT COUNT(*) FROM audit WHERE action = ?1 AND outcome = 'OK'";
            tx.query_opt(sql, store::params![action], |row| row.get(0))
        });
        found.unwrap().unwrap()
    });
    assert_eq!(audited, [puts, done.deletes, done.users], "the audit trail");
    let stored: i64 = clients.iter().map(Client::stored).sum();
    assert_eq!(
        number(
            &db,
            "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_level WHERE meter = 'oss.storage'"
        ),
        stored,
        "the level of stored bytes"
    );
    let writes = number(
        &db,
        "SELECT CAST(SUM(quantity) AS BIGINT) FROM usage_count WHERE meter = 'oss.requests.put'",
    );
    // The creation of a bucket is a request of this class too, and so is that it keeps versions.
    assert_eq!(writes, puts + done.deletes + 4, "the count of requests");
    assert_eq!(
        number(&db, "SELECT COUNT(*) FROM audit WHERE log_index IS NULL"),
        0,
        "a drained cloud has published everything"
    );
    let leaves = u64::try_from(number(&db, "SELECT COUNT(*) FROM audit")).unwrap();
    assert_eq!(check_log(dir), leaves, "the log has each audit entry once");
}

/// Verifies the whole log; says how many leaves it has.
fn check_log(dir: &Path) -> u64 {
    let files = Directory::new(dir.join("log"));
    let note = Note::parse(&std::fs::read(dir.join("log/checkpoint")).unwrap()).unwrap();
    assert!(note.text().starts_with("awan.local/log\n"));
    let signer = tlog::Signer::parse(&base::Secret::new(
        std::fs::read_to_string(dir.join("log.key")).unwrap().trim().to_owned(),
    ))
    .unwrap();
    let verifier: &Verifier = signer.verifier();
    let audit = Reader::open(files, verifier).unwrap().verify_all();
    assert!(audit.faults.is_empty(), "{:?}", audit.faults);
    audit.entries
}

/// Where segments are: the first copies, and the further ones of each data centre.
fn segment_dirs(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.join("oss/segments")];
    for site in std::fs::read_dir(dir.join("oss/mirror")).into_iter().flatten() {
        found.push(site.unwrap().path().join("segments"));
    }
    found
}

/// An object in two zones: its key, its packed extents, its further data centres.
type ZonedRow = (Vec<u8>, Vec<u8>, String);

/// Both copies of every object in two zones are there and the same, and as long as what was acknowledged.
/// What is in them is what a read of the object said, whichever copy that took.
fn check_copies(dir: &Path, clients: &[Client]) {
    let known: BTreeMap<_, _> = clients.iter().flat_map(|client| &client.objects).collect();
    let pending: Vec<_> = clients.iter().filter_map(|client| client.pending.as_ref()).collect();
    let completing: Vec<_> = clients
        .iter()
        .filter(|client| matches!(client.pending, Some(Pending::Complete)))
        .filter_map(|client| Some(&client.upload.as_ref()?.key))
        .collect();
    let unsure = |key: &String| {
        completing.contains(&key)
            || pending.iter().any(|pending| match pending {
                Pending::Put(it, _) | Pending::Copy(it, _) | Pending::Delete(it) => it == key,
                Pending::User(_) | Pending::Initiate | Pending::Part(_) | Pending::Complete => {
                    false
                }
            })
    };
    let mut found = 0;
    for (key, extents, mirrors) in zoned_rows(dir) {
        let key = String::from_utf8(key).unwrap();
        let sites: Vec<String> = serde_json::from_str(&mirrors).unwrap();
        let further = sites.iter().map(|site| dir.join("oss/mirror").join(site).join("segments"));
        let bodies: Vec<_> = [dir.join("oss/segments")]
            .into_iter()
            .chain(further)
            .map(|copies| body_in(&copies, &extents))
            .collect();
        assert!(bodies.len() > 1 && bodies.iter().all(|body| *body == bodies[0]), "{key}");
        if !unsure(&key) {
            let len = bodies[0].len() - extents.len() / PACKED_LEN * SEAL_LEN;
            assert_eq!(known.get(&key).map(|known| known.1), i64::try_from(len).ok(), "{key}");
            found += 1;
        }
    }
    let expected = clients.iter().filter(|client| client.bucket == ZONED);
    let expected = expected.flat_map(|client| client.objects.keys()).filter(|key| !unsure(key));
    assert_eq!(found, expected.count(), "an object in two zones is missing");
}

fn zoned_rows(dir: &Path) -> Vec<ZonedRow> {
    let rows: Result<Vec<ZonedRow>, store::Error> = open(dir).read_blocking(|tx| {
        let sql = "SELECT o.key, o.extents, b.mirrors, o.blob FROM oss_object o
                       JOIN oss_bucket b ON b.id = o.bucket WHERE b.mirrors <> ''";
        let row = |row: &store::Row<'_>| {
            let zoned = (row.blob(0)?.to_vec(), row.blob(1)?.to_vec(), row.text(2)?.to_owned());
            Ok((zoned, row.get::<Option<i64>>(3)?))
        };
        let found = tx.query(sql, &[], row)?.into_iter();
        // What came in parts has rows of extents of its own.
        let whole = |((key, mut extents, mirrors), blob): (ZonedRow, Option<i64>)| {
            if let Some(blob) = blob {
                let sql = "SELECT extents FROM oss_extent WHERE blob = ?1 ORDER BY start";
                let row = |row: &store::Row<'_>| Ok(row.blob(0)?.to_vec());
                extents = tx.query(sql, store::params![blob], row)?.concat();
            }
            Ok((key, extents, mirrors))
        };
        found.map(whole).collect()
    });
    rows.unwrap()
}

/// An extent in the row of its object.
const PACKED_LEN: usize = 20;
/// What a stored extent has besides the bytes of the body: it is sealed.
const SEAL_LEN: usize = 32;

/// The sealed body that packed extents name, out of one copy of the segments.
fn body_in(segments: &Path, extents: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for extent in extents.chunks(PACKED_LEN) {
        let number = |at: usize| u32::from_le_bytes(extent[at..at + 4].try_into().unwrap());
        let file = segments.join(format!("{}.seg", number(0)));
        let file = std::fs::File::open(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut piece = vec![0; number(8) as usize];
        file.read_exact_at(&mut piece, number(4).into()).unwrap();
        body.extend(piece);
    }
    body
}

/// The public counts of objects at each place follow from the log alone, and are what is there.
fn check_places(dir: &Path, profile: &Profile, clients: &[Client]) {
    let mut placed: BTreeMap<(String, String), i64> = BTreeMap::new();
    server::each_leaf(profile, |leaf| {
        if leaf["outcome"] != "OK" {
            return;
        }
        let public = &leaf["public"];
        for place in public["placed"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            // Uploads and versions are told apart from objects.
            let objects = place["objects"].as_i64().unwrap_or(0);
            *placed.entry((text(&public["tenant"]), text(&place["site"]))).or_default() += objects;
        }
    });
    let rows: Result<Vec<(String, String, String, i64)>, store::Error> =
        open(dir).read_blocking(|tx| {
            tx.query("SELECT name, site, mirrors, owner FROM oss_bucket", &[], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
        });
    let mut stored: BTreeMap<(String, String), i64> = BTreeMap::new();
    for (bucket, site, mirrors, owner) in rows.unwrap() {
        let objects = clients.iter().filter(|client| client.bucket == bucket);
        let bodies = |client: &Client| client.objects.len() as i64 + client.behind.0;
        let objects: i64 = objects.map(bodies).sum();
        let further: Vec<String> = serde_json::from_str(&mirrors).unwrap_or_default();
        for site in [site].into_iter().chain(further) {
            let owner = format!("{owner:016}");
            *stored.entry((owner, site)).or_default() += objects;
        }
    }
    let gone = |counts: &mut BTreeMap<_, i64>| counts.retain(|_, count| *count != 0);
    gone(&mut placed);
    gone(&mut stored);
    assert_eq!(placed, stored, "objects by tenant and place");
}

/// Nothing is in the data directory but what belongs there.
fn check_files(dir: &Path) {
    let known = [
        "awan.toml",
        "cloud.db",
        "cloud.db-shm",
        "cloud.db-wal",
        "lock",
        "log",
        "log.key",
        "master.key",
        "oss",
        "provider.key",
        "root-key.json",
        "tenant.key",
        "tls",
    ];
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name.as_str()), "{name} was left behind");
    }
    for copies in segment_dirs(dir) {
        for segment in std::fs::read_dir(copies).unwrap() {
            let name = segment.unwrap().file_name().into_string().unwrap();
            assert!(name.ends_with(".seg"), "{name} was left behind");
        }
    }
}

/// A running cloud gives back what is dead: in the end the segments hold little more than what is
/// stored.
fn wait_for_space(dir: &Path, clients: &[Client]) {
    use std::os::unix::fs::MetadataExt;
    let copies = |client: &Client| if client.bucket == ZONED { 2 } else { 1 };
    let size = |client: &Client| -> i64 { client.stored() * copies(client) };
    let stored: i64 = clients.iter().map(size).sum();
    // Space comes back in whole blocks, and small neighbours share them.
    let bound = u64::try_from(stored).unwrap() * 2 + (8 << 20);
    let mut used = 0;
    for _ in 0..300 {
        let all = segment_dirs(dir).into_iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
        // A dead segment may be removed while we look.
        used = all.filter_map(|file| Some(file.unwrap().metadata().ok()?.blocks() * 512)).sum();
        if used < bound {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{used} bytes of segments for {stored} bytes of objects, half a minute on");
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_doubled_or_left_behind() {
    let rounds = variable("AWAN_CRASH_ROUNDS").unwrap_or(200);
    let seed = variable("AWAN_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7919);
    println!("crash test: seed {seed}, {rounds} kills");
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let first = Server::start(&dir, &[]);
    first.store(Dialect::Oss).create_bucket(LOCAL).unwrap();
    first.create_zoned_bucket(ZONED);
    first.store(Dialect::Oss).create_bucket(VERSIONED).unwrap();
    first.store(Dialect::Oss).enable_versioning(VERSIONED).unwrap();
    first.kill();
    let mut dice = Dice(seed);
    let mut clients: Vec<_> = (0..CLIENTS).map(|id| Client::new(id, seed)).collect();
    for number in 1..=rounds {
        round(&dir, &mut clients, &mut dice);
        if number % 20 == 0 || number == rounds {
            check_everything(&dir, &mut clients);
            println!("after {number} kills: {:?}", total(&clients));
        }
    }
    assert!(total(&clients).puts > 0 && (rounds < 50 || total(&clients).completes > 0));
}

fn check_everything(dir: &Path, clients: &mut [Client]) {
    check_copies(dir, clients);
    let server = Server::start(dir, &[]);
    let store = server.store(Dialect::S3);
    for client in &mut *clients {
        client.look(&store, &server.api());
        client.check_all(&store);
    }
    let mut listed = BTreeMap::new();
    let listing = Listing { prefix: "", delimiter: "", token: None, max: 1000 };
    for bucket in BUCKETS {
        let walked = store.walk(bucket, listing, |page| {
            let entries = page.entries.into_iter();
            listed.extend(entries.map(|it| (it.key, i64::try_from(it.size).unwrap())));
            Ok::<_, cli::error::Error>(())
        });
        walked.unwrap();
    }
    let known = clients.iter().flat_map(|client| &client.objects);
    assert_eq!(listed, known.map(|(key, (_, size))| (key.clone(), *size)).collect(), "the listing");
    wait_for_space(dir, clients);
    let profile = server.profile.clone();
    server.stop();
    check_books(dir, clients);
    check_copies(dir, clients);
    check_places(dir, &profile, clients);
    check_files(dir);
}
