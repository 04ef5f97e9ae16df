//! `kill -9` at random moments of a mixed load.
//!
//! Every round starts the cloud, lets clients store, overwrite, copy and delete objects and make users,
//! kills it, starts it again and looks. What was acknowledged must be there; what was not must be there
//! whole or not at all; audit entries, usage and the log must say exactly what happened; and nothing
//! may be left behind on disk. The seed is printed, and `AWAN_CRASH_SEED` repeats a run's choices (not
//! its timing); `AWAN_CRASH_ROUNDS` sets the number of kills.

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cli::api::Api;
use cli::object::{Body, Dialect, Listing, Store};
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
}

/// The operation that a kill may have caught.
enum Pending {
    Put(String, Content),
    Copy(String, Content),
    Delete(String),
    User(String),
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
}

impl Client {
    fn new(id: u64, seed: u64) -> Self {
        let dice = Dice(seed ^ (id + 1).wrapping_mul(0x1234_5678_9abc_def1));
        let bucket = if id < CLIENTS / 2 { LOCAL } else { ZONED };
        let (objects, done) = (BTreeMap::new(), Done::default());
        Self { id, bucket, dice, objects, pending: None, done, made: 0 }
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
                self.objects.insert(key, content);
                self.done.puts += 1;
            }
            Pending::Copy(key, content) => {
                self.objects.insert(key, content);
                self.done.copies += 1;
            }
            Pending::Delete(key) => {
                self.objects.remove(&key);
                self.done.deletes += 1;
            }
            Pending::User(_) => self.done.users += 1,
        }
    }

    /// After a restart: finds out what became of the pending operation. Its new content is unlike the
    /// old, so what is there tells; anything else is torn.
    fn look(&mut self, store: &Store, api: &Api) {
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
            let dialect = if client.id % 2 == 0 { Dialect::Oss } else { Dialect::S3 };
            let (store, api, stop) = (server.store(dialect), server.api(), &stop);
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
    // A copy is audited as what it is permitted as: a PutObject.
    let audited = ["PutObject", "DeleteObject", "CreateUser"].map(|action| {
        let found: Result<Option<i64>, store::Error> = db.read_blocking(move |tx| {
            let sql = "SELECT COUNT(*) FROM audit WHERE action = ?1 AND outcome = 'OK'";
            tx.query_opt(sql, store::params![action], |row| row.get(0))
        });
        found.unwrap().unwrap()
    });
    assert_eq!(audited, [done.puts + done.copies, done.deletes, done.users], "the audit trail");
    let stored: i64 =
        clients.iter().flat_map(|client| client.objects.values()).map(|(_, size)| size).sum();
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
    // The creation of a bucket is a request of this class too.
    assert_eq!(writes, done.puts + done.copies + done.deletes + 2, "the count of requests");
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
    let unsure = |key: &String| {
        pending.iter().any(|pending| match pending {
            Pending::Put(it, _) | Pending::Copy(it, _) | Pending::Delete(it) => it == key,
            Pending::User(_) => false,
        })
    };
    let rows: Result<Vec<ZonedRow>, store::Error> = open(dir).read_blocking(|tx| {
        let sql = "SELECT o.key, o.extents, b.mirrors FROM oss_object o
                       JOIN oss_bucket b ON b.id = o.bucket WHERE b.mirrors <> ''";
        let row = |row: &store::Row<'_>| {
            Ok((row.blob(0)?.to_vec(), row.blob(1)?.to_vec(), row.text(2)?.to_owned()))
        };
        tx.query(sql, &[], row)
    });
    let mut found = 0;
    for (key, extents, mirrors) in rows.unwrap() {
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
            let objects = place["objects"].as_i64().unwrap();
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
        let objects: usize = objects.map(|client| client.objects.len()).sum();
        let further: Vec<String> = serde_json::from_str(&mirrors).unwrap_or_default();
        for site in [site].into_iter().chain(further) {
            let owner = format!("{owner:016}");
            *stored.entry((owner, site)).or_default() += i64::try_from(objects).unwrap();
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
    let size = |client: &Client| -> i64 {
        client.objects.values().map(|(_, size)| size).sum::<i64>() * copies(client)
    };
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
    assert!(total(&clients).puts > 0);
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
    for bucket in [LOCAL, ZONED] {
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
