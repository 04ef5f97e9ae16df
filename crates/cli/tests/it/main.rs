//! The client against a server of this test: every request is checked as a cloud checks it, with the
//! signature verified, and objects are kept in memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agreement;
mod bill;
mod receipt;
mod server;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use cli::object::{Body, Dialect, Listing, Store};
use cli::profile::{PlaceArgs, Profile};
use server::{KEY_ID, SECRET, Server};
use tlog::{DirectoryWriter, Publisher, Signer};

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: cli::Command,
}

/// A server, and a directory that looks like its data directory.
struct World {
    server: Server,
    dir: tempfile::TempDir,
    log: RefCell<Publisher<DirectoryWriter>>,
}

impl World {
    fn new() -> Self {
        Self::with_secret(SECRET)
    }

    fn with_secret(secret: &str) -> Self {
        let server = Server::start();
        let dir = tempfile::tempdir().unwrap();
        let address = server.address();
        let (log, provider) = server.covenant(|covenant| {
            let log = Signer::parse(&covenant.log.text()).unwrap();
            (log, covenant.provider.text())
        });
        let log_key = log.verifier();
        let cloud = format!(
            r#"{{"region":"ap-southeast-5","zones":["a"],"log_key":"{log_key}","endpoints":{{"api":"{address}","oss":"{address}"}}}}"#
        );
        fs::write(dir.path().join("cloud.json"), cloud).unwrap();
        fs::write(dir.path().join("provider.key"), provider.expose()).unwrap();
        let writer = DirectoryWriter::open(dir.path().join("log")).unwrap();
        let mut log = Publisher::open(writer, log, 0).unwrap();
        log.publish(["the first entry"]).unwrap();
        let key = format!(r#"{{"AccessKeyId":"{KEY_ID}","AccessKeySecret":"{secret}"}}"#);
        fs::write(dir.path().join("root-key.json"), key).unwrap();
        Self { server, dir, log: RefCell::new(log) }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn store(&self, dialect: Dialect) -> Store {
        let place = PlaceArgs { data_dir: Some(self.dir.path().into()), ..PlaceArgs::default() };
        let profile = Profile::resolve(&place).unwrap();
        let http = cli::http::Http::new(&profile, 4).unwrap();
        Store::new(&http, &profile, dialect).unwrap()
    }

    /// Runs `awan` with these words.
    fn awan(&self, words: &[&str]) -> anyhow::Result<ExitCode> {
        let data = self.dir.path().to_str().unwrap();
        let place = ["--data-dir", data];
        let words = ["awan"].iter().chain(words).chain(&place);
        cli::run(Program::try_parse_from(words)?.command)
    }

    /// Runs `awan` with these words, which must fail; what it says.
    fn refused(&self, words: &[&str]) -> String {
        format!("{:#}", self.awan(words).unwrap_err())
    }

    /// A file of the directory, as text for a command line.
    fn name(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    fn keys(&self) -> Vec<String> {
        self.server.objects().keys().map(|(_, key)| key.clone()).collect()
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn both_dialects_write_read_list_and_remove() {
    let world = World::new();
    for (dialect, other) in [(Dialect::Oss, Dialect::S3), (Dialect::S3, Dialect::Oss)] {
        let (writer, reader) = (world.store(dialect), world.store(other));
        let key = "a b/é+%2F.json";
        writer.put("bucket", key, Body::Bytes(b"hello"), Some("application/json")).unwrap();
        let mut stream: &[u8] = b"from a stream";
        writer.put("bucket", "s", Body::Stream(&mut stream, 13), None).unwrap();
        writer.put("bucket", "empty", Body::Empty, None).unwrap();

        let mut out = Vec::new();
        assert_eq!(reader.get("bucket", key, &mut out).unwrap(), 5);
        assert_eq!(out, b"hello");
        let meta = reader.head("bucket", key).unwrap();
        assert_eq!((meta.size, meta.etag.as_str()), (5, "5d41402abc4b2a76b9719d911017c592"));

        let mut listed = Vec::new();
        // Two to a page, so that the listing has to go on.
        let listing = Listing { max: 2, ..Listing::default() };
        let walked = reader.walk("bucket", listing, |page| {
            assert!(page.entries.len() <= 2);
            listed.extend(page.entries.into_iter().map(|entry| (entry.key, entry.size)));
            Ok::<(), cli::error::Error>(())
        });
        walked.unwrap();
        let expected = [(key, 5), ("empty", 0), ("s", 13)];
        assert_eq!(listed, expected.map(|(key, size)| (key.to_owned(), size)));

        writer.delete("bucket", key).unwrap();
        let error = reader.get("bucket", key, &mut Vec::new()).unwrap_err();
        assert_eq!((error.code(), error.status()), (Some("NoSuchKey"), Some(404)));
        assert_eq!(reader.head("bucket", key).unwrap_err().code(), Some("NoSuchKey"));
    }
}

#[test]
fn a_byte_that_changed_on_the_way_is_noticed() {
    let world = World::new();
    for dialect in [Dialect::Oss, Dialect::S3] {
        let store = world.store(dialect);
        store.put("bucket", "k", Body::Bytes(b"hello"), None).unwrap();
        world.server.corrupt(true);
        let read = store.get("bucket", "k", &mut Vec::new());
        assert!(matches!(read, Err(cli::error::Error::Corrupt(_))), "{read:?}");
        let written = store.put("bucket", "k", Body::Bytes(b"hello"), None);
        assert!(matches!(written, Err(cli::error::Error::Corrupt(_))), "{written:?}");
        world.server.corrupt(false);
    }
}

#[test]
fn a_wrong_secret_is_refused_in_each_protocol() {
    let world = World::with_secret("wrong");
    for dialect in [Dialect::Oss, Dialect::S3] {
        let error = world.store(dialect).put("bucket", "k", Body::Bytes(b""), None).unwrap_err();
        assert_eq!(error.code(), Some("SignatureDoesNotMatch"), "{error}");
    }
    let error = world.awan(&["call", "sts", "GetCallerIdentity"]).unwrap_err().to_string();
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
}

#[test]
fn a_call_carries_its_parameters_long_or_short() {
    let world = World::new();
    let long = "x".repeat(10_000);
    for value in ["petugas é +&=", &long] {
        let name = format!("--UserName={value}");
        world.awan(&["call", "ram", "CreateUser", &name, "--Tag.1.Key", "k"]).unwrap();
        let (action, params) = world.server.last_call();
        let expected = [("Tag.1.Key", "k"), ("UserName", value)];
        assert_eq!(action, "CreateUser");
        assert_eq!(params, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}

#[test]
fn a_tree_goes_up_and_comes_back_the_same() {
    let world = World::new();
    for (name, text) in [("a.json", "{}"), ("d/b.txt", "bee"), ("d/e/c", "")] {
        write(&world.path("tree").join(name), text);
    }
    let tree = world.path("tree").display().to_string();
    let back = world.path("back").display().to_string();
    world.awan(&["oss", "cp", "-r", &tree, "oss://bucket/up"]).unwrap();
    assert_eq!(world.keys(), ["up/a.json", "up/d/b.txt", "up/d/e/c"]);
    world.awan(&["oss", "cp", "-r", "s3://bucket/up/", &back]).unwrap();
    for (name, text) in [("a.json", "{}"), ("d/b.txt", "bee"), ("d/e/c", "")] {
        assert_eq!(fs::read_to_string(world.path("back").join(name)).unwrap(), text);
    }
    // Nothing half-written stays behind.
    let left: Vec<_> =
        fs::read_dir(world.path("back")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_sync_moves_only_what_differs_and_removes_only_when_asked() {
    let world = World::new();
    let tree = world.path("tree");
    for (name, text) in [("same", "1"), ("changed", "2"), ("gone", "3")] {
        write(&tree.join(name), text);
    }
    let from = tree.display().to_string();
    world.awan(&["oss", "sync", &from, "oss://bucket/t"]).unwrap();
    assert_eq!(world.server.writes(), 3);
    write(&tree.join("changed"), "x");
    fs::remove_file(tree.join("gone")).unwrap();
    world.awan(&["oss", "sync", &from, "oss://bucket/t"]).unwrap();
    assert_eq!(world.server.writes(), 4);
    assert_eq!(world.keys(), ["t/changed", "t/gone", "t/same"]);
    world.awan(&["oss", "sync", "--delete", &from, "oss://bucket/t"]).unwrap();
    assert_eq!(world.server.writes(), 4);
    assert_eq!(world.keys(), ["t/changed", "t/same"]);
}

#[test]
fn a_key_that_leads_out_of_the_directory_is_not_written() {
    let world = World::new();
    world.store(Dialect::Oss).put("bucket", "p/../../evil", Body::Bytes(b"x"), None).unwrap();
    let back = world.path("deep/back").display().to_string();
    let error = world.awan(&["oss", "cp", "-r", "oss://bucket/p/", &back]).unwrap_err();
    assert!(error.to_string().contains("1 of them failed"), "{error:#}");
    assert!(!world.path("evil").exists() && !world.path("deep/evil").exists());
}

#[test]
fn a_presigned_address_is_good_without_a_key() {
    let world = World::new();
    for dialect in [Dialect::Oss, Dialect::S3] {
        let store = world.store(dialect);
        store.put("bucket", "a b", Body::Bytes(b"hello"), None).unwrap();
        let valid = std::time::Duration::from_secs(60);
        let url = store.presign(&http::Method::GET, "bucket", "a b", valid).unwrap();
        let http = cli::http::Http::to(&[&url], None, 1).unwrap();
        assert_eq!(http.fetch(&url).unwrap(), (200, b"hello".to_vec()));
        let (status, _) = http.fetch(&url.replace("a%20b", "other")).unwrap();
        assert_eq!(status, 403);
    }
}

#[test]
fn a_cloud_that_is_away_is_told_from_one_that_refuses() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let place = PlaceArgs {
        endpoint: Some(address.clone()),
        oss_endpoint: Some(address),
        key_file: Some(world.path("root-key.json")),
        ..PlaceArgs::default()
    };
    let profile = Profile::resolve(&place).unwrap();
    let http = cli::http::Http::new(&profile, 1).unwrap();
    let store = Store::new(&http, &profile, Dialect::S3).unwrap();
    assert!(store.buckets().unwrap_err().is_transport());
}

#[test]
fn the_demonstration_runs_and_runs_again() {
    let world = World::new();
    let demo = |words: &[&str]| {
        world
            .awan(&[&["demo", "pemilu", "--limit", "40", "--jobs", "4"], words].concat())
            .map(|_| ())
    };
    demo(&[]).unwrap();
    // Forty files through OSS, and the same ones through S3.
    assert_eq!((world.server.writes(), world.keys().len()), (80, 80));
    let keys = fs::read_to_string(world.path("demo-keys.json")).unwrap();
    assert!(keys.contains("petugas") && keys.contains("pengamat"));

    assert_eq!(world.server.times("CreateAccountAccessKey"), 1, "the operator's copy is retired");

    // Again: the same account, users and keys; what stands in the bucket is not sent again.
    demo(&["--keep"]).unwrap();
    assert_eq!((world.server.writes(), world.server.times("CreateAccessKey")), (120, 2));
    assert_eq!(fs::read_to_string(world.path("demo-keys.json")).unwrap(), keys);

    // The keys' file is lost: new keys, the same tenant.
    fs::remove_file(world.path("demo-keys.json")).unwrap();
    demo(&[]).unwrap();
    assert_eq!(world.server.times("CreateAccount"), 1);
    // The tenant signed for both: once to be rid of the key that the operator knows, once because it was lost.
    assert_eq!(world.server.times("CreateAccountAccessKey"), 2);
    assert_eq!(
        (world.server.times("CreateAccessKey"), world.server.times("DeleteAccessKey")),
        (4, 2)
    );
}

#[test]
fn the_demonstration_fails_where_the_cloud_does_not_do_its_job() {
    let world = World::new();
    let demo = || world.awan(&["demo", "pemilu", "--limit", "5"]).map(|_| ()).unwrap_err();
    world.server.lax(true);
    assert_eq!(demo().to_string(), "the observer writes through oss, and it was allowed");
    world.server.lax(false);
    world.server.corrupt(true);
    let error = format!("{:#}", demo());
    assert!(error.contains("store wilayah/") && error.contains("the checksum is"), "{error}");
}
