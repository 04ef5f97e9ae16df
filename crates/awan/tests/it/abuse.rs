//! Clients that do everything wrong, many at once: bodies half sent, lengths and checksums that are not true,
//! headers without end, answers that nobody takes. The program goes on serving others, tells each what is
//! wrong, and afterwards has what it had before: memory, file descriptors, space on disk.
//! `AWAN_TEST_SLOW_CLIENTS` is their number.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use cli::object::{Body, Dialect, Store};
use http::Method;

use crate::dice::variable;
use crate::server::{Server, wait_for};

const BUCKET: &str = "abuse";
/// How long the program waits for a client here, seconds; and one more for so many clients, whom a busy machine
/// takes a while to connect.
const IDLE: u64 = 4;
const CLIENTS_A_SECOND: u64 = 50;
const BIG: usize = 16 << 20;
/// What all of them together may have in memory of what was read for them, and what the program takes besides.
const TOGETHER_KIB: u64 = (64 + 48) << 10;
/// What one client may cost besides, at most: a piece on its way in or out, and its connection. Only a few of them
/// send or take bodies.
const CLIENT_KIB: u64 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Sends a part of a body, then nothing.
    Half,
    /// Sends a body a few bytes at a time, all of it.
    Slow,
    /// Ends before the length that it told.
    Short,
    /// Tells a digest that is not the body's.
    Digest,
    /// Begins a head and never ends it.
    Head,
    /// Sends more headers than anybody needs.
    Flood,
    /// Goes away in the middle of an answer.
    Leaves,
    /// Asks for an object and takes nothing of it.
    Deaf,
}

const KINDS: [Kind; 8] = [
    Kind::Half,
    Kind::Slow,
    Kind::Short,
    Kind::Digest,
    Kind::Head,
    Kind::Flood,
    Kind::Leaves,
    Kind::Deaf,
];

struct Client {
    kind: Kind,
    stream: TcpStream,
}

impl Client {
    /// Connects and does the first half of what is wrong.
    fn begin(kind: Kind, store: &Store, at: usize) -> Self {
        let key = format!("client-{at}");
        let (method, key) = match kind {
            Kind::Leaves | Kind::Deaf => (Method::GET, "big"),
            _ => (Method::PUT, key.as_str()),
        };
        let minute = Duration::from_secs(600);
        let url = store.presign(&method, BUCKET, key, minute).unwrap();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let head = |more: &str| format!("{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{more}");
        let body = |len: usize| vec![b'x'; len];
        let sent = match kind {
            Kind::Half => {
                [head("content-length: 1000000\r\n\r\n").into_bytes(), body(200_000)].concat()
            }
            Kind::Slow => [head("content-length: 500\r\n\r\n").into_bytes(), body(100)].concat(),
            Kind::Short => [head("content-length: 1000\r\n\r\n").into_bytes(), body(500)].concat(),
            Kind::Digest => {
                let head = head(
                    "content-length: 1000\r\ncontent-md5: AAAAAAAAAAAAAAAAAAAAAA==\r\nconnection: close\r\n\r\n",
                );
                [head.into_bytes(), body(1000)].concat()
            }
            Kind::Head => head("x-more: 1\r\n").into_bytes(),
            Kind::Flood => head(&"x-more: 0123456789\r\n".repeat(6_000)).into_bytes(),
            Kind::Leaves | Kind::Deaf => head("\r\n").into_bytes(),
        };
        // One that is refused early may be cut off while it still sends.
        let _ = stream.write_all(&sent);
        match kind {
            Kind::Short => stream.shutdown(Shutdown::Write).unwrap(),
            Kind::Leaves => drop(stream.read_exact(&mut [0; 1000])),
            _ => {}
        }
        Self { kind, stream }
    }

    /// The next bytes of one that sends little at a time.
    fn go_on(&mut self) {
        if self.kind == Kind::Slow {
            self.stream.write_all(&[b'x'; 100]).unwrap();
        }
    }

    /// Asserts that it was told what it should be told.
    fn end(mut self) {
        let mut answer = Vec::new();
        let expected = match self.kind {
            // Both dialects have this code with 400.
            Kind::Half => ("400", "<Code>RequestTimeout</Code>"),
            Kind::Slow => ("200", ""),
            Kind::Short => ("400", "<Code>IncompleteBody</Code>"),
            Kind::Digest => ("400", "<Code>BadDigest</Code>"),
            Kind::Head => ("408", ""),
            Kind::Flood => ("431", ""),
            Kind::Leaves => return,
            Kind::Deaf => {
                // What is in the pipe still comes; then it ends early.
                let _ = self.stream.read_to_end(&mut answer);
                assert!(answer.len() < BIG, "{} bytes for one that took none", answer.len());
                return;
            }
        };
        if self.kind == Kind::Slow {
            let mut start = [0; 12];
            self.stream.read_exact(&mut start).unwrap();
            answer.extend(start);
        } else {
            let _ = self.stream.read_to_end(&mut answer);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        // The library closes without a word where there is no request yet to answer, or where what it wrote
        // meets bytes that nobody read.
        if matches!(self.kind, Kind::Head | Kind::Flood) && answer.is_empty() {
            return;
        }
        let status = answer.get(9..12).unwrap_or_default();
        assert!(
            status == expected.0 && answer.contains(expected.1),
            "{:?}: {answer:.600}",
            self.kind
        );
    }
}

/// A figure of `/proc/<pid>/status`, KiB.
fn memory(server: &Server, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.child.id())).unwrap().count()
}

/// What the segments take of the disk, bytes.
fn used(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = fs::read_dir(dir.join("oss/segments")).unwrap();
    files.filter_map(|file| Some(file.unwrap().metadata().ok()?.blocks() * 512)).sum()
}

fn configure(dir: &Path, text: &str) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("awan.toml"), text).unwrap();
}

#[test]
fn clients_that_do_everything_wrong_cost_little_and_leave_nothing() {
    let count = usize::try_from(variable("AWAN_TEST_SLOW_CLIENTS").unwrap_or(200)).unwrap();
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let idle = IDLE + count as u64 / CLIENTS_A_SECOND;
    configure(&dir, &format!("[limits]\nidle_seconds = {idle}\n"));
    let server = Server::start(&dir, &[]);
    // V4 signs no more headers than it says, so that others can be wrong.
    let store = server.store(Dialect::S3);
    store.create_bucket(BUCKET).unwrap();
    store.put(BUCKET, "big", Body::Bytes(&vec![7; BIG]), None).unwrap();
    let (memory_before, files_before) = (memory(&server, "VmRSS:"), descriptors(&server));

    let began = Instant::now();
    let mut clients: Vec<Client> =
        (0..count).map(|at| Client::begin(KINDS[at % KINDS.len()], &store, at)).collect();
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(300));
        clients.iter_mut().for_each(Client::go_on);
    }
    let all = began.elapsed();
    // Others are served meanwhile.
    let asked = Instant::now();
    store.put(BUCKET, "other", Body::Bytes(b"well"), None).unwrap();
    store.get(BUCKET, "other", &mut Vec::new()).unwrap();
    let others = asked.elapsed();
    assert!(others < Duration::from_secs(10), "others wait {others:?}");
    std::thread::sleep(Duration::from_secs(2 * idle));
    clients.into_iter().for_each(Client::end);

    let peak = memory(&server, "VmHWM:") - memory_before;
    println!(
        "{count} clients within {all:?}: {memory_before} KiB before, at most {peak} KiB more, others served in {others:?}"
    );
    assert!(peak < TOGETHER_KIB + CLIENT_KIB * count as u64, "{peak} KiB for {count} clients");
    // What the runtime opened meanwhile for itself stays.
    wait_for("the connections are gone", || {
        (descriptors(&server) <= files_before + 12).then_some(())
    });
    for at in (0..count).filter(|at| KINDS[at % KINDS.len()] == Kind::Slow) {
        store.delete(BUCKET, &format!("client-{at}")).unwrap();
    }
    store.delete(BUCKET, "big").unwrap();
    store.delete(BUCKET, "other").unwrap();
    // No reader holds anything, and nothing that was half sent stays.
    wait_for("the space is given back", || (used(&dir) < 256 << 10).then_some(()));
    server.stop();
}

#[test]
fn a_disk_that_has_only_its_reserve_left_takes_no_bodies_and_goes_on_otherwise() {
    let home = tempfile::TempDir::new().unwrap();
    let dir = home.path().join("cloud");
    let first = Server::start(&dir, &[]);
    first.store(Dialect::Oss).create_bucket(BUCKET).unwrap();
    first.store(Dialect::Oss).put(BUCKET, "there", Body::Bytes(b"before"), None).unwrap();
    first.stop();
    configure(&dir, &format!("[oss]\ndisk_reserve_bytes = {}\n", 1_u64 << 60));
    let server = Server::start(&dir, &[]);
    for dialect in [Dialect::Oss, Dialect::S3] {
        let store = server.store(dialect);
        let refused = store.put(BUCKET, "new", Body::Bytes(b"more"), None).unwrap_err();
        assert_eq!(refused.status(), Some(507), "{refused}");
        assert!(refused.to_string().contains("InsufficientStorage"), "{refused}");
        let mut body = Vec::new();
        store.get(BUCKET, "there", &mut body).unwrap();
        assert_eq!(body, b"before");
    }
    server.store(Dialect::Oss).delete(BUCKET, "there").unwrap();
    server.stop();
}

#[test]
fn a_disk_that_is_not_there_is_told_at_the_start() {
    let home = tempfile::TempDir::new().unwrap();
    let (dir, disk) = (home.path().join("cloud"), home.path().join("jkt-b"));
    let text = format!("[oss.disks]\njkt-b = \"{}\"\n", disk.display());
    configure(&dir, &text);
    let refused = |what: &str| {
        let output = crate::server::verb(
            home.path(),
            &["serve", "--data-dir", dir.to_str().unwrap(), "--port-base", "45000"],
        )
        .output()
        .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(what), "{told}");
    };
    refused("there is no such directory");
    fs::create_dir(&disk).unwrap();
    let server = Server::start(&dir, &[]);
    server.create_zoned_bucket(BUCKET);
    let store = server.store(Dialect::Oss);
    store.put(BUCKET, "k", Body::Bytes(b"two copies"), None).unwrap();
    assert!(fs::read_dir(disk.join("mirror")).unwrap().count() > 0, "one of them is on the disk");
    server.stop();

    let away = home.path().join("away");
    fs::rename(&disk, &away).unwrap();
    fs::create_dir(&disk).unwrap();
    refused("mount it");
    fs::remove_dir(&disk).unwrap();
    fs::rename(&away, &disk).unwrap();
    configure(&dir, "");
    refused("add it to [oss.disks]");
    configure(&dir, &text);
    let server = Server::start(&dir, &[]);
    let mut body = Vec::new();
    server.store(Dialect::Oss).get(BUCKET, "k", &mut body).unwrap();
    assert_eq!(body, b"two copies");
    server.stop();
}
