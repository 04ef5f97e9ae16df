//! A running `awan serve` on free ports, and the client verbs beside it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli::api::Api;
use cli::http::Http;
use cli::object::{Dialect, Store};
use cli::profile::{PlaceArgs, Profile};
use serde_json::Value;

/// The doors' distances that must be free.
const DOORS: [u16; 5] = [0, 1, 4, 5, 6];

pub struct Server {
    pub child: Child,
    pub profile: Profile,
}

/// A port base whose doors are free now. Another process may take them meanwhile; starting retries.
pub fn port_base() -> u16 {
    let first = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = 20_000 + first % 30_000;
    let free =
        |base: &u16| DOORS.iter().all(|door| TcpListener::bind(("127.0.0.1", base + door)).is_ok());
    (start..60_000).step_by(10).find(free).expect("some ports are free")
}

pub fn spawn(dir: &Path, base: u16, more: &[&str]) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.with_extension("log"))
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_awan"))
        .args(["serve", "--data-dir", dir.to_str().unwrap(), "--port-base", &base.to_string()])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(dir: &Path, more: &[&str]) -> Self {
        for _ in 0..5 {
            let _ = std::fs::remove_file(dir.join("cloud.json"));
            let mut child = spawn(dir, port_base(), more);
            if ready(dir, &mut child) {
                let place = PlaceArgs { data_dir: Some(dir.to_owned()), ..PlaceArgs::default() };
                return Self { child, profile: Profile::resolve(&place).unwrap() };
            }
        }
        panic!("the cloud does not start: {}", log(dir));
    }

    pub fn store(&self, dialect: Dialect) -> Store {
        Store::new(&self.http(), &self.profile, dialect).unwrap()
    }

    pub fn api(&self) -> Api {
        Api::new(&self.http(), &self.profile).unwrap()
    }

    pub fn http(&self) -> Http {
        Http::new(&self.profile, 4).unwrap()
    }

    /// The address of one of its doors.
    pub fn door(&self, name: &str) -> &str {
        let (_, cloud) = self.profile.cloud.as_ref().unwrap();
        &cloud.endpoints[name]
    }

    /// The log's verifier key.
    pub fn log_key(&self) -> &str {
        let (_, cloud) = self.profile.cloud.as_ref().unwrap();
        cloud.log_key.as_deref().unwrap()
    }

    /// What a metric without labels says now; `None` before it was ever set.
    pub fn metric(&self, name: &str) -> Option<i64> {
        let (status, text) =
            self.http().fetch(&format!("{}/metrics", self.door("metrics"))).unwrap();
        assert_eq!(status, 200);
        let text = String::from_utf8(text).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }

    /// Makes a bucket of which each object lies in two zones. The client has no verb for it yet.
    pub fn create_zoned_bucket(&self, bucket: &str) {
        let store = self.store(Dialect::Oss);
        let minute = Duration::from_secs(60);
        let url = store.presign(&http::Method::PUT, bucket, "", minute).unwrap();
        let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let body = "<CreateBucketConfiguration><DataRedundancyType>ZRS</DataRedundancyType></CreateBucketConfiguration>";
        let mut stream = TcpStream::connect(host).unwrap();
        let length = body.len();
        write!(
            stream,
            "PUT /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// Kills it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(mut self) {
        terminate(&self.child);
        assert!(self.child.wait().unwrap().success());
    }
}

/// A test that fails leaves nothing running.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a client verb came to.
pub struct Ran {
    pub success: bool,
    /// All that it printed.
    pub text: String,
}

impl Ran {
    /// Asserts that it went well, and answers what it printed.
    pub fn ok(self) -> String {
        assert!(self.success, "{}", self.text);
        self.text
    }

    /// Asserts that it found something wrong, and answers what it printed.
    pub fn refused(self) -> String {
        assert!(!self.success, "this should have been refused: {}", self.text);
        self.text
    }
}

/// A client verb, for somebody whose home is `home` and whose environment says nothing.
pub fn verb(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awan"));
    command.args(args).current_dir(home).env_clear().env("HOME", home).stdin(Stdio::null());
    command
}

/// Runs a client verb to its end.
pub fn awan(home: &Path, args: &[&str]) -> Ran {
    let out = verb(home, args).output().unwrap();
    let text = [out.stdout, out.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    Ran { success: out.status.success(), text }
}

/// Hands every leaf of a cloud's log to `each`, verified.
pub fn each_leaf(profile: &Profile, mut each: impl FnMut(&Value)) {
    let log = cli::verify::open(profile, None, None).unwrap();
    let read = log.each(|_, leaf| each(&serde_json::from_slice(leaf).unwrap()));
    read.unwrap();
}

/// Looks until there is something, half a minute at most.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn terminate(child: &Child) {
    let asked = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(asked.success());
}

pub fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.with_extension("log")).unwrap_or_default()
}

fn ready(dir: &Path, child: &mut Child) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if dir.join("cloud.json").exists() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    false
}
