//! Disks that fail or hang in the middle of something: what was acknowledged is there all the same, and who does
//! not need such a disk does not notice.

use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use base::ApiError;
use bytes::Bytes;
use oss::{CreateBucket, DiskStep, Limits, Options, PutOptions, Recorder, Source, Whole};
use tokio::sync::Notify;

use crate::disks::reopen_with;
use crate::harness::{OWNER, World, check, noise, root};
use crate::mirror::{self, ZONED, home, mirror, segments, zoned};
use crate::scrub::{of_object, rot};

const MIB: usize = 1 << 20;

/// What is done to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ask,
    Create,
    Read,
    Write,
    Sync,
}

#[derive(Debug, Default)]
struct State {
    /// What fails next, below which directory, and how often.
    failing: Option<(Kind, PathBuf, u32)>,
    /// What hangs below which directory.
    hanging: Option<(Vec<Kind>, PathBuf)>,
    /// How many threads hang.
    held: usize,
}

/// A disk that does as it is told.
#[derive(Debug, Default)]
struct Faults {
    state: Mutex<State>,
    changed: Condvar,
}

impl Faults {
    fn new() -> &'static Self {
        Box::leak(Box::default())
    }

    fn fail(&self, kind: Kind, below: &Path, times: u32) {
        self.state.lock().unwrap().failing = Some((kind, below.to_owned(), times));
    }

    fn hang(&self, kinds: &[Kind], below: &Path) {
        self.state.lock().unwrap().hanging = Some((kinds.to_vec(), below.to_owned()));
    }

    fn release(&self) {
        self.state.lock().unwrap().hanging = None;
        self.changed.notify_all();
    }

    /// Whatever hangs goes on after a while, so that a test which it holds fails and ends.
    fn release_in(&'static self, after: Duration) {
        std::thread::spawn(move || {
            std::thread::sleep(after);
            self.release();
        });
    }

    /// Waits until so many threads hang.
    async fn held(&self, count: usize) {
        soon(|| self.state.lock().unwrap().held >= count).await;
    }
}

/// Waits until something is so, for ten seconds.
async fn soon(is_so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came to that");
}

impl Recorder for Faults {
    fn note(&self, _: DiskStep<'_>) {}

    fn fails(&self, step: DiskStep<'_>) -> Option<io::Error> {
        let path = |file: &std::fs::File| {
            std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap()
        };
        let (kind, path) = match step {
            DiskStep::Asks(path) => (Kind::Ask, path.to_owned()),
            DiskStep::Reads(file, ..) => (Kind::Read, path(file)),
            DiskStep::Creates(path) => (Kind::Create, path.to_owned()),
            DiskStep::Writes(file, ..) => (Kind::Write, path(file)),
            DiskStep::Syncs(file) => (Kind::Sync, path(file)),
            _ => return None,
        };
        self.act(kind, &path)
    }
}

impl Faults {
    fn act(&self, kind: Kind, path: &Path) -> Option<io::Error> {
        let mut state = self.state.lock().unwrap();
        let hangs = |state: &State| {
            let hanging = state.hanging.as_ref();
            hanging.is_some_and(|(kinds, below)| kinds.contains(&kind) && path.starts_with(below))
        };
        if hangs(&state) {
            state.held += 1;
            while hangs(&state) {
                state = self.changed.wait(state).unwrap();
            }
            state.held -= 1;
        }
        match &mut state.failing {
            Some((failing, below, times))
                if *failing == kind && *times > 0 && path.starts_with(&*below) =>
            {
                *times -= 1;
                Some(io::Error::from_raw_os_error(5))
            }
            _ => None,
        }
    }
}

/// A body whose end waits for leave.
struct Gated {
    pieces: std::vec::IntoIter<Bytes>,
    gate: Arc<Notify>,
}

impl Gated {
    fn new(body: Vec<u8>, gate: &Arc<Notify>) -> Self {
        Self { pieces: vec![Bytes::from(body)].into_iter(), gate: Arc::clone(gate) }
    }
}

impl Source for Gated {
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        match self.pieces.next() {
            Some(piece) => Ok(Some(piece)),
            None => {
                self.gate.notified().await;
                Ok(None)
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<oss::Checksum>, ApiError> {
        Ok(Vec::new())
    }
}

fn length(dir: &Path) -> usize {
    segments(dir).iter().map(|(_, bytes)| bytes.len()).sum()
}

#[test]
fn a_sync_that_fails_while_a_copy_is_mended_is_not_kept_from_those_who_wait_for_the_segment() {
    let faults = Faults::new();
    let limits = Limits { recorder: Some(faults), ..Limits::default() };
    check(limits, |world| async move {
        zoned(&world).await;
        mirror::put(&world, "k", noise(200_000, 1)).await;
        let first = home(world.dir.path());
        let before = length(&first);
        // A body of which a piece is written and not synced.
        let (gate, oss) = (Arc::new(Notify::new()), world.oss.clone());
        let body = Gated::new(noise(MIB + MIB / 2, 2), &gate);
        let put = tokio::spawn(async move {
            oss.put(&root(OWNER), ZONED, "torn", PutOptions::default(), body).await
        });
        soon(|| length(&first) >= before + MIB).await;
        rot(&first, of_object(&world, "k").await[0], 100);
        // The kernel tells of it once.
        faults.fail(Kind::Sync, &first, 1);
        assert!(mirror::get(&world, "k").await.unwrap() == noise(200_000, 1));
        gate.notify_one();
        assert_eq!(put.await.unwrap().unwrap_err().status(), 500);
        assert_eq!(mirror::get(&world, "torn").await, Err("NoSuchKey".to_owned()));
        // Another segment takes what comes next.
        mirror::put(&world, "next", noise(200_000, 3)).await;
        assert!(mirror::get(&world, "next").await.unwrap() == noise(200_000, 3));
    });
}

#[test]
fn a_body_is_not_given_back_while_a_thread_mends_it_for_a_reader_who_went_away() {
    let faults = Faults::new();
    let limits = Limits { recorder: Some(faults), ..Limits::default() };
    check(limits, |world| async move {
        let free = "SELECT COUNT(*) FROM oss_free";
        zoned(&world).await;
        mirror::put(&world, "k", noise(300_000, 1)).await;
        let (first, second) = (home(world.dir.path()), mirror(world.dir.path()));
        rot(&first, of_object(&world, "k").await[0], 100);
        faults.hang(&[Kind::Write], &first);
        let world = Arc::new(world);
        let reader = Arc::clone(&world);
        let read = tokio::spawn(async move { mirror::get(&reader, "k").await });
        faults.held(1).await;
        read.abort();
        assert!(read.await.unwrap_err().is_cancelled());
        mirror::delete(&world, "k").await;
        world.oss.reclaim().await.unwrap();
        assert_eq!(world.number(free).await, 1, "somebody writes there");
        faults.release();
        for _ in 0..1000 {
            world.oss.reclaim().await.unwrap();
            if world.number(free).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(world.number(free).await, 0);
        assert!(segments(&first) == segments(&second), "nothing was written after that");
    });
}

/// A bucket abroad, in a data centre with a disk of its own.
const ABROAD: &str = "abroad";

async fn abroad(world: World, limits: Limits, disk: &Path) -> World {
    let disks = [("sg-1".to_owned(), disk.to_owned())].into();
    let world = reopen_with(world, Options { disks, ..limits.into() }).await.unwrap();
    let region = Some("ap-southeast-1".to_owned());
    world.bucket(ABROAD, CreateBucket { region, ..CreateBucket::default() }).await.unwrap();
    world
}

/// Puts on a task of its own.
fn put_abroad(
    world: &World,
    key: String,
    len: usize,
) -> tokio::task::JoinHandle<Result<(), String>> {
    let oss = world.oss.clone();
    tokio::spawn(async move {
        let body = Whole::new(noise(len, 5));
        let put = oss.put(&root(OWNER), ABROAD, &key, PutOptions::default(), body).await;
        put.map(drop).map_err(|error| error.code().to_owned())
    })
}

#[test]
fn a_disk_that_hangs_holds_those_who_need_it_and_nobody_else() {
    let (faults, disk) = (Faults::new(), tempfile::TempDir::new().unwrap());
    let limits = Limits {
        recorder: Some(faults),
        disk_wait_max: Duration::from_millis(500),
        ..Limits::default()
    };
    let path = disk.path().to_owned();
    check(limits, |world| async move {
        let world = abroad(world, limits, &path).await;
        world.put("before", &noise(3000, 1)).await;
        put_abroad(&world, "well".to_owned(), 3000).await.unwrap().unwrap();
        faults.hang(&[Kind::Sync], &path);
        let mut puts = vec![put_abroad(&world, "first".to_owned(), 3000)];
        faults.held(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        faults.hang(&[Kind::Ask, Kind::Create, Kind::Write, Kind::Sync], &path);
        faults.release_in(Duration::from_secs(20));
        let lens = [3000, MIB + 5].into_iter().cycle().take(200);
        puts.extend(lens.enumerate().map(|(at, len)| put_abroad(&world, at.to_string(), len)));
        faults.held(30).await;
        let begun = Instant::now();
        for at in 0..50 {
            let body = noise(if at % 2 == 0 { 3000 } else { MIB + 5 }, at);
            world.put(&at.to_string(), &body).await;
            assert!(world.get(&at.to_string()).await.unwrap() == body);
        }
        assert_eq!(world.get("before").await.unwrap(), noise(3000, 1));
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
        // As many as the disk has threads wait for it, and the others were told so.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let refused = puts.iter().filter(|put| put.is_finished()).count();
        assert!((100..=180).contains(&refused), "{refused}");
        faults.release();
        let mut stored = 0;
        for put in puts {
            match put.await.unwrap() {
                Ok(()) => stored += 1,
                Err(code) => assert_eq!(code, "ServiceUnavailable"),
            }
        }
        assert_eq!(stored, 201 - refused);
        put_abroad(&world, "after".to_owned(), 3000).await.unwrap().unwrap();
    });
}

#[test]
fn a_disk_on_which_no_file_can_be_made_holds_no_segment_elsewhere() {
    let (faults, disk) = (Faults::new(), tempfile::TempDir::new().unwrap());
    let limits = Limits { recorder: Some(faults), ..Limits::default() };
    let path = disk.path().to_owned();
    check(limits, |world| async move {
        let world = abroad(world, limits, &path).await;
        faults.hang(&[Kind::Create], &path);
        faults.release_in(Duration::from_secs(20));
        let put = put_abroad(&world, "k".to_owned(), 3000);
        faults.held(1).await;
        let begun = Instant::now();
        // The first of its kind: it begins a segment, too.
        zoned(&world).await;
        mirror::put(&world, "k", noise(3000, 2)).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(!put.is_finished());
        faults.release();
        put.await.unwrap().unwrap();
        // Each has a segment of its own.
        assert!(mirror::get(&world, "k").await.unwrap() == noise(3000, 2));
        assert!(world.get_from(ABROAD, "k").await == noise(3000, 5));
    });
}

#[test]
fn a_copy_whose_disk_hangs_is_passed_over_for_the_other() {
    let faults = Faults::new();
    let limits = Limits {
        recorder: Some(faults),
        disk_wait_max: Duration::from_millis(200),
        ..Limits::default()
    };
    check(limits, |world| async move {
        zoned(&world).await;
        mirror::put(&world, "k", noise(300_000, 1)).await;
        let first = home(world.dir.path());
        // So that it is not served from the page cache.
        rot(&first, of_object(&world, "k").await[0], 100);
        faults.hang(&[Kind::Read], &first);
        faults.release_in(Duration::from_secs(20));
        let begun = Instant::now();
        assert!(mirror::get(&world, "k").await.unwrap() == noise(300_000, 1));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        faults.release();
    });
}
