//! `awan oss` against a running cloud: trees, interruptions, hostile names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cli::object::{Body, Dialect};
use tempfile::TempDir;

use crate::dice::Dice;
use crate::server::{self, Server, awan, verb, wait_for};

/// A cloud with a bucket, and somebody's home beside it.
struct World {
    server: Server,
    home: TempDir,
    cloud: PathBuf,
}

impl World {
    fn new(bucket: &str) -> Self {
        let home = TempDir::new().unwrap();
        let cloud = home.path().join("cloud");
        let server = Server::start(&cloud, &[]);
        server.store(Dialect::Oss).create_bucket(bucket).unwrap();
        Self { server, home, cloud }
    }

    fn place<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        [&["oss"], args, &["--data-dir", self.cloud.to_str().unwrap()]].concat()
    }

    fn oss(&self, args: &[&str]) -> server::Ran {
        awan(self.home.path(), &self.place(args))
    }

    fn code(&self, args: &[&str]) -> Option<i32> {
        verb(self.home.path(), &self.place(args)).output().unwrap().status.code()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// How often a part of an upload was stored.
    fn parts_stored(&self) -> u64 {
        let url = format!("{}/metrics", self.server.door("metrics"));
        let (_, text) = self.server.http().fetch(&url).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().filter(|line| {
            line.starts_with("awan_requests_total") && line.contains("\"UploadPart\"")
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

fn random(seed: u64, size: usize) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = vec![0; size];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&dice.roll(u64::MAX).to_le_bytes()[..chunk.len()]);
    }
    bytes
}

fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(dir: &Path, prefix: &str, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), out);
            } else {
                out.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(dir, "", &mut out);
    out
}

#[test]
fn a_tree_with_hostile_names_goes_up_and_down_and_the_second_sync_moves_nothing() {
    let world = World::new("arsip");
    let up = world.path("up");
    for name in ["a b/c+d.txt", "%2F%/é 中文/🙂.json", "q?x=1&y#z", "back\\slash", "plain", "big"]
    {
        let path = up.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let size = if name == "big" { 20 << 20 } else { name.len() };
        fs::write(path, random(name.len() as u64, size)).unwrap();
    }
    world.oss(&["sync", "up", "oss://arsip/t"]).ok();
    let text = world.oss(&["sync", "up", "oss://arsip/t"]).ok();
    assert!(text.contains("sync: 0 files") && text.contains("6 were already there"), "{text}");
    world.oss(&["sync", "s3://arsip/t", "down"]).ok();
    assert_eq!(tree(&up), tree(&world.path("down")));
    let text = world.oss(&["sync", "oss://arsip/t", "down", "--checksum"]).ok();
    assert!(text.contains("sync: 0 files"), "{text}");
    world.oss(&["sync", "oss://arsip/t", "oss://arsip/u"]).ok();
    let text = world.oss(&["sync", "oss://arsip/t", "s3://arsip/u", "--dry-run"]).ok();
    assert_eq!(text, "");

    fs::remove_file(up.join("plain")).unwrap();
    let text = world.oss(&["sync", "up", "oss://arsip/t", "--delete", "--dry-run"]).ok();
    assert_eq!(text, "would remove plain\n");
    world.oss(&["sync", "up", "oss://arsip/t", "--delete", "--exclude", "plain"]).ok();
    assert_eq!(world.code(&["cat", "oss://arsip/t/plain", "--range", "1-2"]), Some(0));
    world.oss(&["sync", "up", "oss://arsip/t", "--delete"]).ok();
    assert_eq!(world.code(&["cat", "oss://arsip/t/plain"]), Some(1));
    world.server.stop();
}

#[test]
fn a_key_that_leads_out_of_the_directory_is_named_and_the_rest_is_done() {
    let world = World::new("arsip");
    let oss = world.server.store(Dialect::Oss);
    for key in ["d/good", "d/a//b", "d//etc/evil", "d/x/"] {
        oss.put("arsip", key, Body::Bytes(b"x"), None).unwrap();
    }
    let text = world.oss(&["cp", "-r", "oss://arsip/d", "in/down"]).refused();
    assert!(
        text.contains("\"/etc/evil\"")
            && text.contains("a//b")
            && text.contains("2 of them failed"),
        "{text}"
    );
    assert_eq!(tree(&world.path("in")).keys().collect::<Vec<_>>(), ["down/good"]);
    assert!(!world.path("evil").exists());
    assert_eq!(world.code(&["rm", "-r", "oss://arsip/d"]), Some(2));
    assert_eq!(world.code(&["cp", "here", "there"]), Some(2));
    world.oss(&["rm", "-r", "--yes", "oss://arsip/d"]).ok();
    assert_eq!(world.oss(&["ls", "-r", "oss://arsip"]).ok(), "");
    world.server.stop();
}

#[test]
fn an_upload_that_was_killed_goes_on_without_sending_finished_parts_again() {
    let world = World::new("arsip");
    let bytes = random(7, (96 << 20) + 12345);
    fs::write(world.path("large"), &bytes).unwrap();
    let args = ["cp", "large", "oss://arsip/large", "--jobs", "1"];
    let mut child = verb(world.home.path(), &world.place(&args)).spawn().unwrap();
    wait_for("two parts", || (world.parts_stored() >= 2).then_some(()));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was over before it was killed");
    // What was on its way may still arrive.
    std::thread::sleep(Duration::from_millis(500));
    let before = world.parts_stored();
    assert!((2..13).contains(&before), "{before}");
    let text = world.oss(&args).ok();
    assert!(text.contains("going on"), "{text}");
    // The one that the kill cut off may have been answered with an error, and counts too.
    let after = world.parts_stored();
    assert!((13..=14).contains(&after), "{before} {after}");
    let mut read = Vec::new();
    world.server.store(Dialect::Oss).get("arsip", "large", &mut read).unwrap();
    assert!(read == bytes);
    let left = fs::read_dir(world.path(".cache/awan/uploads")).unwrap().count();
    assert_eq!(left, 0, "the checkpoint is gone");
    world.server.stop();
}

#[test]
fn an_unfinished_download_goes_on_and_damage_in_it_is_found() {
    let world = World::new("arsip");
    let bytes = random(8, (48 << 20) + 7);
    let mut reader = bytes.as_slice();
    let oss = world.server.store(Dialect::Oss);
    oss.put("arsip", "large", Body::Stream(&mut reader, bytes.len() as u64), None).unwrap();
    let args = ["cp", "oss://arsip/large", "large", "--jobs", "1"];
    let mut child = verb(world.home.path(), &world.place(&args)).spawn().unwrap();
    let facts = world.path(".large.awan-part.json");
    let pieces = || -> Option<serde_json::Value> {
        let facts: serde_json::Value = serde_json::from_slice(&fs::read(&facts).ok()?).unwrap();
        (facts["done"].as_object()?.len() >= 2).then_some(facts)
    };
    wait_for("two pieces", pieces);
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it was over before it was killed");
    assert!(!world.path("large").exists());
    let draft = world.path(".large.awan-part");
    let mut half = fs::read(&draft).unwrap();
    half[5] ^= 1;
    fs::write(&draft, half).unwrap();
    let text = world.oss(&args).ok();
    assert!(text.contains("1 pieces on disk are damaged") && text.contains("going on"), "{text}");
    assert!(fs::read(world.path("large")).unwrap() == bytes);
    assert!(!draft.exists() && !facts.exists());
    world.server.stop();
}

#[test]
fn a_presigned_address_and_the_other_verbs_work() {
    let world = World::new("arsip");
    fs::write(world.path("a"), "isi").unwrap();
    world.oss(&["cp", "a", "oss://arsip/x/a b+%.txt"]).ok();
    for scheme in ["oss", "s3"] {
        let url = world.oss(&["presign", &format!("{scheme}://arsip/x/a b+%.txt")]).ok();
        let (status, body) = world.server.http().fetch(url.trim()).unwrap();
        assert_eq!((status, body.as_slice()), (200, b"isi".as_slice()), "{url}");
    }
    assert_eq!(world.oss(&["cp", "oss://arsip/x/a b+%.txt", "-"]).ok(), "isi");
    let du = world.oss(&["du", "oss://arsip"]).ok();
    assert!(du.contains("oss://arsip/x/"), "{du}");
    let stat = world.oss(&["stat", "oss://arsip"]).ok();
    assert!(stat.contains("ObjectCount"), "{stat}");
    let ls = world.oss(&["ls", "--long", "--human", "oss://arsip/x/"]).ok();
    assert!(ls.contains("3 B") && ls.contains("a b+%.txt"), "{ls}");
    world.server.stop();
}
