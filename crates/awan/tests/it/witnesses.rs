//! Witnesses beside a cloud: what they let through, what they stop, and that they are not forgotten.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base::{Secret, SystemRng};
use cli::witness::client::Client;
use tlog::witness::Request;
use tlog::{Checkpoint, Directory, DirectoryWriter, Note, Policy, Publisher, Reader, Signer};

use crate::dice::{Dice, variable};
use crate::server::{self, Server, awan, verb, wait_for};
use crate::web::{Web, copy};

const ORIGIN: &str = "awan.local/log";

/// A running `awan witness`.
struct Witness {
    child: Child,
    dir: PathBuf,
    port: u16,
    log_key: String,
    /// Its verifier key.
    key: String,
}

impl Witness {
    /// Starts one with a memory and a key of its own.
    fn start(home: &Path, name: &str, log_key: &str) -> Self {
        let dir = home.join(name);
        let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // Below the ports that the kernel gives to others, so that it is still free after a kill.
        for port in (10_000 + first % 9_000..20_000).step_by(7) {
            if let Some((child, key)) = run(home, &dir, port, log_key) {
                return Self { child, dir, port, log_key: log_key.to_owned(), key };
            }
        }
        panic!("there is no free port");
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, where it was and with what it remembers.
    fn restart(&mut self) {
        let home = self.dir.parent().unwrap();
        let again = || run(home, &self.dir, self.port, &self.log_key);
        let (child, key) = wait_for("the witness is back", again);
        assert_eq!(key, self.key, "a witness keeps its key");
        self.child = child;
    }

    /// Shows it a checkpoint and the proof that leads there from `old`; status and answer.
    fn show(&self, log: &Path, note: &Note, old: u64) -> (u16, String) {
        let verifier = self.log_key.parse().unwrap();
        let reader = Reader::at(Directory::new(log), note.clone(), &verifier).unwrap();
        let proof = reader.consistency(old, reader.checkpoint().size).unwrap_or_default();
        let body = Request { old, proof, note: note.clone() }.to_string();
        let client = Client::new(&[&self.url()], None).unwrap();
        let (status, answer) = client.add_checkpoint(&self.url(), &body).unwrap();
        (status, String::from_utf8(answer).unwrap())
    }

    /// The proofs of split views that it keeps.
    fn evidence(&self) -> Vec<String> {
        evidence(&self.dir)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process and the key that it says it has; `None` where it does not come up.
fn run(home: &Path, dir: &Path, port: u16, log_key: &str) -> Option<(Child, String)> {
    let listen = format!("127.0.0.1:{port}");
    let args = ["witness", "--dir", dir.to_str().unwrap(), "--listen", &listen, "--log", log_key];
    let mut child = verb(home, &args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut named = |label: &str| {
        let line = lines.next()?;
        Some(line.strip_prefix(label)?.trim().to_owned())
    };
    let key = named("witness ");
    // To the last line: a pipe that is closed meanwhile would end it.
    let told = key.filter(|_| named("listen ").and_then(|_| named("log ")).is_some());
    if told.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
    Some((child, told?))
}

fn evidence(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let proofs = files.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("split-view-")
    });
    proofs.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// A cloud's directory whose log has a key already, so that witnesses can be told of it first.
fn prepare(home: &Path) -> (PathBuf, Signer) {
    let dir = home.join("cloud");
    fs::create_dir(&dir).unwrap();
    let signer = Signer::generate(&SystemRng, ORIGIN).unwrap();
    fs::write(dir.join("log.key"), signer.text().expose()).unwrap();
    (dir, signer)
}

/// Writes a policy that wants so many of the witnesses.
fn write_policy(file: &Path, log_key: &str, count: &str, witnesses: [&Witness; 2]) -> Policy {
    let [one, two] = witnesses.map(|witness| format!("{} {}", witness.key, witness.url()));
    let text = format!(
        "log {log_key}\nwitness one {one}\nwitness two {two}\ngroup enough {count} one two\nquorum enough\n"
    );
    fs::write(file, &text).unwrap();
    Policy::parse(text.as_bytes()).unwrap()
}

fn published(dir: &Path) -> (Note, Checkpoint) {
    let note = Note::parse(&fs::read(dir.join("log/checkpoint")).unwrap()).unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    (note, checkpoint)
}

/// Waits until the published log is larger than `size`; answers the note.
fn wait_beyond(dir: &Path, size: u64) -> Note {
    wait_for("the log is published on", || {
        let file = dir.join("log/checkpoint");
        let (note, checkpoint) = file.exists().then(|| published(dir))?;
        (checkpoint.size > size).then_some(note)
    })
}

fn make_user(cloud: &Server, name: &str) -> String {
    let made = cloud.api().call("2015-05-01", "CreateUser", &[("UserName", name)]).unwrap();
    made["RequestId"].as_str().unwrap().to_owned()
}

/// Waits until the published log holds what a request left in it; answers the log's size.
fn wait_published(cloud: &Server, dir: &Path, request: &str) -> u64 {
    let api = cloud.api();
    let index = wait_for("the entry has its place", || {
        let answer = api.call("2026-01-01", "GetReceipt", &[("ReceiptId", request)]).unwrap();
        answer["Receipts"]["Receipt"][0]["LogIndex"].as_u64()
    });
    let note = wait_beyond(dir, index);
    Checkpoint::parse(note.text()).unwrap().size
}

struct Watched {
    home: tempfile::TempDir,
    dir: PathBuf,
    signer: Signer,
    witnesses: [Witness; 2],
}

impl Watched {
    fn new() -> Self {
        let home = tempfile::TempDir::new().unwrap();
        let (dir, signer) = prepare(home.path());
        let key = signer.verifier().to_string();
        let witnesses = ["one", "two"].map(|name| Witness::start(home.path(), name, &key));
        Self { home, dir, signer, witnesses }
    }

    fn file(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the policy file `name`, which wants so many, and the configuration that goes by it.
    fn want(&self, name: &str, count: &str) -> Policy {
        let file = self.file(name);
        fs::write(self.dir.join("awan.toml"), format!("[log]\npolicy = {file:?}\n")).unwrap();
        let [one, two] = &self.witnesses;
        write_policy(Path::new(&file), &self.signer.verifier().to_string(), count, [one, two])
    }

    fn verify(&self, policy: &str) -> server::Ran {
        let (dir, policy) = (self.dir.to_str().unwrap(), self.file(policy));
        awan(self.home.path(), &["verify", "--data-dir", dir, "--policy", &policy])
    }
}

#[test]
fn nothing_is_published_that_the_witnesses_of_the_policy_have_not_cosigned() {
    let mut world = Watched::new();
    let both = world.want("both.txt", "all");
    let cloud = Server::start(&world.dir, &[]);
    let (dir, home) = (world.dir.clone(), world.home.path().to_owned());
    let id = make_user(&cloud, "ani");
    let size = wait_published(&cloud, &dir, &id);
    let (note, _) = published(&dir);
    assert_eq!(both.verify(&note).unwrap().size, size);
    assert_eq!(both.satisfied_by(&note).unwrap().len(), 2);
    let told = world.verify("both.txt").ok();
    assert!(told.contains("by one, two, which satisfies the policy"), "{told}");
    let receipt = world.file("ani.tlog-proof");
    let place = dir.to_str().unwrap();
    awan(&home, &["receipt", &id, "-o", &receipt, "--data-dir", place]).ok();

    world.witnesses[0].kill();
    let requests = ["budi", "citra", "dewi", "eka", "fajar"].map(|name| make_user(&cloud, name));
    wait_for("leaves wait", || (cloud.metric("awan_log_waiting_leaves")? >= 5).then_some(()));
    let seconds = cloud.metric("awan_log_witness_wait_seconds");
    assert!(seconds.is_some_and(|seconds| seconds >= 1), "{seconds:?}");
    assert_eq!(published(&dir).1.size, size, "one of two is not enough");
    world.verify("both.txt").ok();
    world.witnesses[0].restart();
    let size = wait_published(&cloud, &dir, &requests[4]);
    assert_eq!(both.satisfied_by(&published(&dir).0).unwrap().len(), 2);
    assert_eq!(cloud.metric("awan_log_witness_wait_seconds"), Some(0));
    cloud.stop();

    let one = world.want("one.txt", "any");
    world.witnesses[1].kill();
    let cloud = Server::start(&dir, &[]);
    make_user(&cloud, "gita");
    let note = wait_beyond(&dir, size);
    let cosigned = one.satisfied_by(&note).unwrap();
    assert_eq!(cosigned.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["one"]);
    world.verify("one.txt").ok();
    let told = world.verify("both.txt").refused();
    assert!(told.contains("the quorum enough is not met without two"), "{told}");
    cloud.stop();

    // The receipt is checked with nothing but itself and a policy.
    world.witnesses[0].kill();
    let policies = ["both.txt", "one.txt"].map(|name| world.file(name));
    for policy in &policies {
        let told = awan(&home, &["verify", "--receipt", &receipt, "--policy", policy]).ok();
        assert!(told.contains("CreateUser"), "{told}");
    }
    let stranger = Witness::start(&home, "stranger", &world.signer.verifier().to_string());
    let other = world.home.path().join("other.txt");
    let key = world.signer.verifier().to_string();
    write_policy(&other, &key, "all", [&world.witnesses[0], &stranger]);
    let policy = other.to_str().unwrap();
    let told = awan(&home, &["verify", "--receipt", &receipt, "--policy", policy]).refused();
    assert!(told.contains("is not met without two"), "{told}");
}

#[test]
fn a_cloud_that_is_put_back_to_an_older_copy_is_not_cosigned() {
    let mut world = Watched::new();
    world.want("both.txt", "all");
    let cloud = Server::start(&world.dir, &[]);
    make_user(&cloud, "ani");
    cloud.stop();
    let older = world.home.path().join("older");
    copy(&world.dir, &older);
    let (old_note, old) = published(&older);
    let cloud = Server::start(&world.dir, &[]);
    make_user(&cloud, "budi");
    make_user(&cloud, "citra");
    cloud.stop();
    let (note, Checkpoint { size, .. }) = published(&world.dir);
    assert!(size > old.size, "a cloud that stops publishes what it has");

    // What a witness cosigned it knows after a crash too.
    let log = world.dir.join("log");
    for witness in &mut world.witnesses {
        witness.kill();
        witness.restart();
        let at = size.to_string();
        assert_eq!(witness.show(&log, &old_note, 0), (409, format!("{at}\n")));
        assert_eq!(witness.show(&log, &old_note, old.size), (409, format!("{at}\n")));
        assert_eq!(witness.show(&log, &old_note, size).0, 400, "a proof leads forward only");
        assert_eq!(witness.show(&log, &note, size).0, 200, "the same again is no change");
    }
    // A log of the same size with another end, signed with the log's own key.
    let forged = forge(&world, &older, size);
    for witness in &world.witnesses {
        assert_eq!(witness.show(&forged.0, &forged.1, size).0, 422);
        assert_eq!(witness.evidence().len(), 1);
        assert!(witness.evidence()[0].contains(note.text()));
    }

    // The whole cloud from its older copy: it serves, but what it writes is seen by nobody.
    let cloud = Server::start(&older, &[]);
    for n in 0..4 {
        make_user(&cloud, &format!("again-{n}"));
    }
    wait_for("leaves wait", || (cloud.metric("awan_log_waiting_leaves")? >= 4).then_some(()));
    // It need not wait for anybody to stop.
    cloud.stop();
    assert_eq!(published(&older).1, old);
    let told = server::log(&older);
    assert!(told.contains("the log waits for its witnesses"), "{told}");
}

#[test]
fn no_kill_parts_a_cloud_from_its_witnesses() {
    let seed = variable("AWAN_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 7883);
    println!("witnesses test: seed {seed}");
    let mut dice = Dice(seed);
    let mut world = Watched::new();
    let both = world.want("both.txt", "all");
    let mut made = 0;
    for _ in 0..12 {
        let cloud = Server::start(&world.dir, &[]);
        let api = cloud.api();
        let life = Duration::from_millis(30 + dice.roll(400));
        let began = Instant::now();
        while began.elapsed() < life {
            made += 1;
            api.call("2015-05-01", "CreateUser", &[("UserName", &format!("user-{made}"))]).unwrap();
        }
        // Whoever dies: the other may have heard of a checkpoint that is published nowhere.
        let witness = &mut world.witnesses[usize::try_from(dice.roll(2)).unwrap()];
        if dice.roll(2) == 0 {
            witness.kill();
            cloud.kill();
        } else {
            cloud.kill();
            witness.kill();
        }
        witness.restart();
    }
    let cloud = Server::start(&world.dir, &[]);
    let last = make_user(&cloud, "last");
    wait_published(&cloud, &world.dir, &last);
    cloud.stop();
    let (note, _) = published(&world.dir);
    assert_eq!(both.satisfied_by(&note).unwrap().len(), 2);
    let key = world.signer.verifier().to_string();
    let log = world.file("cloud/log");
    awan(world.home.path(), &["verify", "--log", &log, "--log-key", &key]).ok();
    for witness in &world.witnesses {
        assert!(witness.evidence().is_empty(), "the log never contradicted itself");
    }
}

/// Goes on from an older copy of the log to `size` entries, as whoever has the log's key could.
fn forge(world: &Watched, older: &Path, size: u64) -> (PathBuf, Note) {
    let dir = world.home.path().join("forged");
    copy(&older.join("log"), &dir);
    let store = DirectoryWriter::open(&dir).unwrap();
    let signer = Signer::parse(&Secret::new(world.signer.text().expose().clone())).unwrap();
    let mut publisher = Publisher::open(store, signer, 0).unwrap();
    let missing = size - publisher.size();
    publisher.publish((0..missing).map(|n| format!("another history {n}"))).unwrap();
    let note = Note::parse(&fs::read(dir.join("checkpoint")).unwrap()).unwrap();
    (dir, note)
}

/// A log of these entries below `dir/log`.
fn write_log(dir: &Path, key: &Signer, entries: &[String]) -> Note {
    let log = dir.join("log");
    fs::create_dir_all(&log).unwrap();
    let signer = Signer::parse(&key.text()).unwrap();
    let mut publisher = Publisher::open(DirectoryWriter::open(&log).unwrap(), signer, 0).unwrap();
    publisher.publish(entries).unwrap();
    Note::parse(&fs::read(log.join("checkpoint")).unwrap()).unwrap()
}

#[test]
fn a_log_that_shows_two_faces_is_told_on_by_whoever_sees_both() {
    let home = tempfile::TempDir::new().unwrap();
    let home = home.path();
    let key = Signer::generate(&SystemRng, ORIGIN).unwrap();
    let vkey = key.verifier().to_string();
    let entries = |last: &str| -> Vec<String> {
        (0..299).map(|n| format!("entry {n}")).chain([last.to_owned()]).collect()
    };
    let faces = ["one", "two"].map(|name| {
        let dir = home.join(format!("face-{name}"));
        let note = write_log(&dir, &key, &entries(name));
        (dir, note)
    });
    let [one, two] = ["one", "two"].map(|name| Witness::start(home, name, &vkey));
    for (witness, (dir, note)) in [(&one, &faces[0]), (&two, &faces[1])] {
        assert_eq!(witness.show(&dir.join("log"), note, 0).0, 200);
    }
    let web = Web::serve(&faces[0].0, Duration::ZERO);
    let log = format!("{}/log", web.url);
    let kept = home.join("mirror");
    let mirror = kept.to_str().unwrap();
    let mirrored = ["mirror", "--log", &log, "--log-key", &vkey, "--dir", mirror, "--once"];
    awan(home, &[&mirrored[..], &["--witness", &one.url()]].concat()).ok();
    assert!(evidence(&kept).is_empty());
    let told = awan(home, &[&mirrored[..], &["--witness", &two.url()]].concat()).refused();
    assert!(told.contains("was shown another log"), "{told}");
    let [proof] = &evidence(&kept)[..] else { panic!("one proof is kept") };
    for (_, note) in &faces {
        assert!(proof.contains(&note.to_string()), "both are kept as they were signed: {proof}");
    }

    // Who saw one face is shown the other.
    for (dir, code) in [(&faces[0].0, true), (&faces[1].0, false)] {
        let log = dir.join("log");
        let ran = awan(home, &["verify", "--log", log.to_str().unwrap(), "--log-key", &vkey]);
        assert_eq!(ran.success, code, "{}", ran.text);
    }
    for (witness, (dir, note)) in [(&one, &faces[1]), (&two, &faces[0])] {
        let log = dir.join("log");
        assert!(witness.evidence().is_empty());
        assert_eq!(witness.show(&log, note, 300).0, 422);
        assert_eq!(witness.show(&log, note, 0), (409, "300\n".to_owned()));
        assert_eq!(witness.evidence().len(), 1, "the same proof is kept once");
        assert!(witness.evidence()[0].contains(&note.to_string()));
    }
}
