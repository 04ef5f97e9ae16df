//! A bucket with very many keys: how long a start takes, how long a page of a listing, and how much memory.
//! `cargo xtask bench keys` runs this in a release build; `AWAN_BENCH_KEYS` is the number of keys.
//!
//! The rows are written by SQL, all with the body of one object: what is measured reads rows only.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark ends where something fails, prints what it found, and is told by its environment"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{RequestId, SystemRng};
use engine::RequestInfo;
use engine::ports::Authority;
use oss::{CreateBucket, ListQuery, Oss, PutOptions, RequestCtx, VersionQuery, Versioning, Whole};
use store::{Db, params};
use testkit::{FakeClock, Home, Keys};

const BUCKET: &str = "keys";
/// Keys under each common prefix.
const UNDER_PREFIX: u64 = 1_000;
const ROWS_AT_ONCE: u64 = 50_000;
/// Of so many keys one has an older version too.
const VERSIONED: u64 = 10;
const ROUNDS: u32 = 40;
const COLUMNS: &str = "version, modified_at, size, md5, parts, crc64, storage_class, owner, site, acl, attributes, \
                       tags, extents, blob, facts, seal";

fn main() {
    let keys = std::env::var("AWAN_BENCH_KEYS").map_or(1_000_000, |text| text.parse().unwrap());
    let (home, clock) = (Home::new(), FakeClock::start());
    let authority = Arc::new(Keys::default()) as Arc<dyn Authority>;
    let open = || {
        let cloud = home.cloud(&clock, Arc::clone(&authority), &[], &[oss::MIGRATIONS]);
        Oss::open(cloud).unwrap()
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let first = open();
    runtime.block_on(seed(&first));
    let began = Instant::now();
    fill(&first.cloud().db, keys);
    println!("fill     {keys} keys, {} older versions in {:?}", keys / VERSIONED, began.elapsed());
    first.cloud().db.close();
    drop(first);

    let before = memory("VmRSS:");
    let began = Instant::now();
    let oss = open();
    println!("start    {:?} (goal: 2 s)", began.elapsed());
    runtime.block_on(measure(&oss, keys));
    println!(
        "memory   {} MiB at most, filling included; {before} MiB before the start (goal: 300 MiB)",
        memory("VmHWM:")
    );
}

fn ctx() -> RequestCtx {
    let id = RequestId::random(&SystemRng);
    RequestCtx { caller: testkit::root(1), request: RequestInfo { id, ..RequestInfo::default() } }
}

/// The bucket, and the object whose row all others are copies of.
async fn seed(oss: &Oss) {
    oss.create_bucket(&ctx(), BUCKET, CreateBucket::default()).await.unwrap();
    oss.set_bucket_versioning(&ctx(), BUCKET, Versioning::Enabled).await.unwrap();
    let body = Whole::new(vec![7; 4_096]);
    oss.put(&ctx(), BUCKET, "seed", PutOptions::default(), body).await.unwrap();
}

fn fill(db: &Db, keys: u64) {
    let numbers =
        "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2)";
    let key = format!("CAST(printf('d%06d/f%09d', i / {UNDER_PREFIX}, i) AS BLOB)");
    let seed = "FROM oss_object o CROSS JOIN n WHERE o.key = CAST('seed' AS BLOB)";
    let objects = format!(
        "INSERT INTO oss_object (bucket, key, ordinal, {COLUMNS}) {numbers} SELECT bucket, {key}, 2, {COLUMNS} {seed}"
    );
    let versions = format!(
        "INSERT INTO oss_version (bucket, key, age, marker, superseded_at, {COLUMNS}) {numbers}
         SELECT bucket, {key}, -1, 0, modified_at, {COLUMNS} {seed} AND i % {VERSIONED} = 0"
    );
    let mut from = 0;
    while from < keys {
        let to = keys.min(from + ROWS_AT_ONCE);
        let (objects, versions) = (objects.clone(), versions.clone());
        let written: Result<(), store::Error> = db.write_blocking(move |tx| {
            tx.execute(&objects, params![from.cast_signed(), to.cast_signed()])?;
            tx.execute(&versions, params![from.cast_signed(), to.cast_signed()])?;
            Ok(())
        });
        written.unwrap();
        from = to;
    }
}

/// Times pages that begin all over the bucket.
async fn measure(oss: &Oss, keys: u64) {
    let place = |round: u32| u64::from(round) * (keys / u64::from(ROUNDS)) / UNDER_PREFIX;
    let after = |round| format!("d{:06}/f", place(round));
    let list = async |query: ListQuery| {
        let page = oss.list(&ctx(), BUCKET, ListQuery { limit: 1_000, ..query }).await.unwrap();
        page.objects.len() + page.prefixes.len()
    };
    let mut figures = Figures::default();
    for round in 0..ROUNDS {
        let query = ListQuery { after: after(round), ..ListQuery::default() };
        figures.time("plain", list(query)).await;
        let query = ListQuery { prefix: after(round), ..ListQuery::default() };
        figures.time("prefix", list(query)).await;
        let delimiter = "/".to_owned();
        let query = ListQuery { after: after(round), delimiter, ..ListQuery::default() };
        figures.time("delimiter", list(query)).await;
        let versions = async {
            let (after_key, limit) = (after(round), 1_000);
            let query = VersionQuery { after_key, limit, ..VersionQuery::default() };
            oss.list_versions(&ctx(), BUCKET, query).await.unwrap().versions.len()
        };
        figures.time("versions", versions).await;
    }
    figures.print();
}

/// Times by kind of page, with what the pages had.
#[derive(Default)]
struct Figures(Vec<(&'static str, Duration, usize)>);

impl Figures {
    async fn time(&mut self, kind: &'static str, page: impl Future<Output = usize>) {
        let began = Instant::now();
        let lines = page.await;
        self.0.push((kind, began.elapsed(), lines));
    }

    fn print(&self) {
        for kind in ["plain", "prefix", "delimiter", "versions"] {
            let of_kind = self.0.iter().filter(|figure| figure.0 == kind);
            let (mut times, lines): (Vec<_>, Vec<_>) =
                of_kind.map(|figure| (figure.1, figure.2)).unzip();
            times.sort_unstable();
            println!(
                "list     {kind:<10} median {:?}, slowest {:?}, {} lines at most (goal: 20 ms)",
                times[times.len() / 2],
                times[times.len() - 1],
                lines.iter().max().unwrap()
            );
        }
    }
}

/// A figure of this process, MiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}
