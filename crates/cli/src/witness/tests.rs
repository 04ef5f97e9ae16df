#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use base::{Clock, Time};
use http::Method;
use tlog::witness::{Reply, Request, SplitView, cosignature};
use tlog::{Checkpoint, Hash, Note, Publisher, Reader, Signer};
use tokio::sync::oneshot;

use super::server::Page;
use super::*;

const LOG: &str = "log.example/awan";

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Time {
        Time::from_secs(1_800_000_000)
    }
}

fn log_key() -> Signer {
    Signer::from_seed(LOG, Secret::new([7; 32])).unwrap()
}

/// A log in a directory, and a witness of it in another.
struct World {
    log: tempfile::TempDir,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { log: tempfile::tempdir().unwrap(), dir: tempfile::tempdir().unwrap() }
    }

    /// The log with so many entries more; its checkpoint.
    fn grow(&self, by: usize) -> Reader<tlog::Directory> {
        let store = tlog::DirectoryWriter::open(self.log.path()).unwrap();
        let mut publisher = Publisher::open(store, log_key(), 0).unwrap();
        let from = publisher.size();
        publisher.publish((0..by).map(|at| format!("entry {from}+{at}"))).unwrap();
        self.reader()
    }

    fn reader(&self) -> Reader<tlog::Directory> {
        Reader::open(tlog::Directory::new(self.log.path()), log_key().verifier()).unwrap()
    }

    /// The witness, as after a start.
    fn witness(&self) -> Arc<Service> {
        let key = open_key(&self.dir.path().join("witness.key"), None, &SystemRng).unwrap();
        let logs = vec![log_key().verifier().clone()];
        let memory = Memory::open(self.dir.path(), &logs).unwrap();
        let witness = Witness::new(key, logs, memory);
        Arc::new(Service::new(witness, self.dir.path().to_owned(), Box::new(Noon)))
    }

    fn request(&self, old: u64) -> String {
        let reader = self.reader();
        let proof = reader.consistency(old, reader.checkpoint().size).unwrap();
        Request { old, proof, note: reader.note().clone() }.to_string()
    }

    fn key(&self) -> tlog::CosignerKey {
        let key = open_key(&self.dir.path().join("witness.key"), None, &SystemRng).unwrap();
        key.key().clone()
    }
}

fn post(service: &Service, body: &str) -> Page {
    service.answer(&Method::POST, "/add-checkpoint", body.as_bytes())
}

fn get(service: &Service, path: &str) -> Page {
    service.answer(&Method::GET, path, b"")
}

fn kept_path() -> String {
    format!("/{}/checkpoint", memory::origin_hash(LOG))
}

/// A checkpoint of a size that the log signed, with entries that it does not have.
fn forged(size: u64) -> String {
    let checkpoint = Checkpoint { origin: LOG.to_owned(), size, root: Hash::leaf(b"forged") };
    let note = checkpoint.sign(&log_key()).unwrap();
    Request { old: size, proof: Vec::new(), note }.to_string()
}

#[test]
fn what_is_cosigned_can_be_read_and_is_there_after_a_restart() {
    let world = World::new();
    world.grow(10);
    let witness = world.witness();
    assert_eq!(get(&witness, &kept_path()).status, 404);
    let answer = post(&witness, &world.request(0));
    assert_eq!(answer.status, 200, "{answer:?}");
    let note = Note::parse(get(&witness, &kept_path()).body.as_bytes()).unwrap();
    assert_eq!(world.key().verify(&note), Ok(Some(Noon.now())));
    assert!(Checkpoint::verify(&note, log_key().verifier()).is_ok());
    drop(witness);
    world.grow(5);
    let witness = world.witness();
    assert_eq!(get(&witness, &kept_path()).body, note.to_string());
    assert_eq!(post(&witness, &world.request(0)).body, "10\n", "it has forgotten nothing");
    assert_eq!(post(&witness, &world.request(10)).status, 200);
}

#[test]
fn a_split_view_is_refused_and_its_proof_is_kept_once() {
    let world = World::new();
    world.grow(10);
    let witness = world.witness();
    assert_eq!(post(&witness, &world.request(0)).status, 200);
    for _ in 0..2 {
        assert_eq!(post(&witness, &forged(10)).status, 422);
    }
    let files: Vec<_> = fs::read_dir(world.dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("split-view"))
        .collect();
    assert_eq!(files, ["split-view-10.txt"]);
    let text = fs::read_to_string(world.dir.path().join("split-view-10.txt")).unwrap();
    let (_, notes) = text.split_once("--- one\n").unwrap();
    let (one, other) = notes.split_once("--- the other\n").unwrap();
    let read = |text: &str| Note::parse(format!("{}\n", text.trim_end()).as_bytes()).unwrap();
    let split = SplitView::of(&read(one), &read(other)).unwrap();
    assert!(split.is_proof(log_key().verifier()), "anybody can check it");
    // The witness stays with what it cosigned.
    world.grow(1);
    assert_eq!(post(&witness, &world.request(10)).status, 200);
}

#[test]
fn two_witnesses_that_were_shown_two_logs_give_the_proof_together() {
    let (here, there) = (World::new(), World::new());
    here.grow(10);
    let (one, other) = (here.witness(), there.witness());
    assert_eq!(post(&one, &here.request(0)).status, 200);
    assert_eq!(post(&other, &forged(10).replace("old 10", "old 0")).status, 200);
    let note = |witness: &Service| Note::parse(get(witness, &kept_path()).body.as_bytes()).unwrap();
    let split = SplitView::of(&note(&one), &note(&other)).unwrap();
    assert!(split.is_proof(log_key().verifier()));
}

#[test]
fn the_key_is_made_once_and_for_its_owner_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("witness.key");
    let made = open_key(&path, Some("witness.kampus.example"), &SystemRng).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(open_key(&path, None, &SystemRng).unwrap().key(), made.key());
    let refused = open_key(&path, Some("another.example"), &SystemRng).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "this witness is called witness.kampus.example, not another.example"
    );
    fs::write(&path, log_key().text().expose()).unwrap();
    assert!(open_key(&path, None, &SystemRng).is_err(), "a log's key is not taken for a witness's");
    assert!(open_key(&dir.path().join("new"), Some("two words"), &SystemRng).is_err());
}

#[test]
fn two_witnesses_cannot_share_a_directory_and_a_damaged_memory_is_not_gone_on_from() {
    let world = World::new();
    world.grow(3);
    let witness = world.witness();
    assert_eq!(post(&witness, &world.request(0)).status, 200);
    let logs = [log_key().verifier().clone()];
    let refused = Memory::open(world.dir.path(), &logs).err().unwrap();
    assert!(format!("{refused:#}").contains("another process"), "{refused:#}");
    drop(witness);
    let kept = world.dir.path().join(memory::origin_hash(LOG)).join("checkpoint");
    let text = fs::read_to_string(&kept).unwrap();
    fs::write(&kept, text.replace("\n3\n", "\n2\n")).unwrap();
    assert!(Memory::open(world.dir.path(), &logs).is_err());
}

#[test]
fn people_are_told_what_this_is() {
    let world = World::new();
    world.grow(1_234);
    let witness = world.witness();
    post(&witness, &world.request(0));
    let page = get(&witness, "/");
    assert_eq!((page.status, page.kind), (200, "text/plain; charset=utf-8"));
    for part in [&world.key().to_string(), "log.example/awan: 1,234 entries", &kept_path()] {
        assert!(page.body.contains(part), "{}", page.body);
    }
    assert_eq!(get(&witness, "/elsewhere").status, 404);
    assert_eq!(witness.answer(&Method::PUT, "/", b"").status, 405);
}

#[test]
fn a_log_asks_a_witness_over_http() {
    let world = World::new();
    world.grow(10);
    let service = world.witness();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving =
        runtime.spawn(server::serve_until(listener, service, async { drop(stopped.await) }));
    let client = client::Client::new(&[&url], None).unwrap();
    let ask = |body: &str| {
        let (status, answer) = client.add_checkpoint(&url, body).unwrap();
        Reply::parse(status, &answer).unwrap()
    };
    let Reply::Cosigned(lines) = ask(&world.request(0)) else { unreachable!("it cosigns") };
    assert!(cosignature(world.reader().note(), &lines, &world.key()).is_some());
    assert_eq!(ask(&world.request(0)), Reply::At(10));
    assert!(matches!(ask("nonsense"), Reply::Refused { status: 400, .. }));
    let long = "x".repeat(tlog::witness::REQUEST_BYTES_MAX + 1);
    // Refused, or cut off while it was still being sent.
    let refused = client.add_checkpoint(&url, &long);
    assert!(refused.is_err() || refused.is_ok_and(|(status, _)| status == 413));
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap();
    assert!(client.add_checkpoint(&url, &world.request(0)).is_err(), "it has ended");
}

/// Notes for whom the lock is: a `Service` is used by many threads at once.
#[test]
fn of_two_requests_at_once_one_is_told_the_others_size() {
    let world = World::new();
    world.grow(10);
    let witness = world.witness();
    assert_eq!(post(&witness, &world.request(0)).status, 200);
    let mut requests = Vec::new();
    for _ in 0..8 {
        world.grow(3);
        requests.push(world.request(10));
    }
    let statuses = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for request in &requests {
            scope.spawn(|| statuses.lock().unwrap().push(post(&witness, request).status));
        }
    });
    let mut statuses = statuses.into_inner().unwrap();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
}
