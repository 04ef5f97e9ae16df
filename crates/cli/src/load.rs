//! `awan load`: a load generator for the benchmarks (hidden from the help). One thread per connection,
//! each request signed as any client signs it, over plain HTTP with as little work of its own as it
//! can. It prints one JSON line and judges nothing.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use crate::error::{Error, advise};
use crate::http::Http;
use crate::object::{Body, Dialect, Store};
use crate::output;
use crate::parallel;
use crate::profile::{PlaceArgs, Profile};

mod raw;
mod work;

use raw::Connection;
use work::Work;

/// What to do over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// STS GetCallerIdentity: a signed read that touches only the key.
    GetCallerIdentity,
    /// RAM CreateUser with a new name each time: a durable write.
    CreateUser,
    /// PUT of objects of so many bytes.
    Put,
    /// GET of objects of so many bytes, which are stored first.
    Get,
    /// Listing of a bucket that holds the objects of `put`, 1,000 keys a page.
    List,
    /// PUT of every file of a tree, once.
    Ingest,
}

/// A scenario by its name, which may end in a size: `put-4k`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    name: String,
    kind: Kind,
    size: Option<usize>,
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let (kind, size) = match name {
            "get-caller-identity" => (Kind::GetCallerIdentity, None),
            "create-user" => (Kind::CreateUser, None),
            "ingest" => (Kind::Ingest, None),
            "list" => (Kind::List, None),
            "put" => (Kind::Put, None),
            "get" => (Kind::Get, None),
            _ => {
                let sized = name.strip_prefix("put-").map(|size| (Kind::Put, size));
                let sized =
                    sized.or_else(|| name.strip_prefix("get-").map(|size| (Kind::Get, size)));
                let sized = sized.and_then(|(kind, size)| Some((kind, Some(bytes(size)?))));
                sized.ok_or("known are get-caller-identity, create-user, put, get, put-4k, get-1m, …, list, ingest")?
            }
        };
        Ok(Self { name: name.to_owned(), kind, size })
    }
}

/// A number of bytes, with `k` or `m` for the binary thousands.
fn bytes(text: &str) -> Option<usize> {
    let (digits, unit) = match text.strip_suffix(['k', 'm']) {
        Some(digits) => (digits, if text.ends_with('k') { 1 << 10 } else { 1 << 20 }),
        None => (text, 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(unit)
}

/// Arguments of `awan load`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example: awan load put-4k --connections 8 --seconds 10 --data-dir ./cloud")]
pub struct LoadArgs {
    /// get-caller-identity, create-user, put, get (or put-4k, get-1m, …), list, ingest
    scenario: Scenario,
    /// Connections, each with a thread of its own
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections: u16,
    /// Stop after so many requests
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// Stop after so many seconds; 10 unless --requests is given. An ingest ends by itself
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// Bytes of an object, where the scenario's name does not say
    #[arg(long, default_value = "4k", value_name = "BYTES", value_parser = |text: &str| bytes(text).ok_or("a number of bytes, as 4096 or 4k"))]
    size: usize,
    /// Different objects to write or read; as many as come to 256 MiB unless given, at most 1000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keys: Option<u64>,
    /// The bucket, and what is to be read or listed, are there already
    #[arg(long)]
    prepared: bool,
    /// Over S3, do not sign the bodies: as S3 clients do over TLS, and OSS clients always
    #[arg(long)]
    unsigned_payload: bool,
    /// Directory, or the directory of the packed election data, to ingest
    #[arg(long, value_name = "DIR")]
    tree: Option<PathBuf>,
    /// Bucket to use; made where it is missing
    #[arg(long, default_value = "awan-load", value_name = "NAME")]
    bucket: String,
    /// Protocol of the object scenarios
    #[arg(long, value_enum, default_value = "oss")]
    dialect: Dialect,
    #[command(flatten)]
    place: PlaceArgs,
}

impl LoadArgs {
    fn size(&self) -> usize {
        self.scenario.size.unwrap_or(self.size)
    }

    fn keys(&self) -> u64 {
        const BYTES: u64 = 256 << 20;
        self.keys.unwrap_or_else(|| (BYTES / (self.size().max(1) as u64)).clamp(2, 1000))
    }
}

/// What one connection measured.
#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    errors: u64,
    bytes: u64,
    first_error: Option<String>,
}

/// Runs the scenario and prints its line.
///
/// # Errors
/// Where it cannot be prepared, or every request failed.
pub fn run(args: &LoadArgs) -> Result<()> {
    let profile = Profile::resolve(&args.place)?;
    let work = Work::prepare(args, &profile)?;
    prepare_bucket(args, &profile, &work)?;
    let address = work.address();
    let connect = |_| Connection::open(address).with_context(|| format!("connect to {address}"));
    let connections: Vec<Connection> = (0..args.connections).map(connect).collect::<Result<_>>()?;

    let limit = work.requests_max().or(args.requests).unwrap_or(u64::MAX);
    // A tree is ingested whole, however long it takes: half a tree is no figure.
    let timed = args.scenario.kind != Kind::Ingest;
    let seconds = args.seconds.or_else(|| (limit == u64::MAX).then_some(10)).filter(|_| timed);
    let cpu_before = cpu_seconds();
    let start = Instant::now();
    let deadline = seconds.map(|seconds| start + Duration::from_secs(seconds));
    let tickets = AtomicU64::new(0);
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let spawn =
            |connection| scope.spawn(|| labour(connection, &work, &tickets, limit, deadline));
        let threads: Vec<_> = connections.into_iter().map(spawn).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a panic of a worker is a panic of the program"))
            .collect()
    });
    let seconds = start.elapsed().as_secs_f64();
    report(&args.scenario.name, &tallies, seconds, cpu_seconds() - cpu_before)
}

/// One connection: takes a ticket, sends its request, waits for the answer, until there is no more.
fn labour(
    mut connection: Connection,
    work: &Work,
    tickets: &AtomicU64,
    limit: u64,
    deadline: Option<Instant>,
) -> Tally {
    let mut tally = Tally::default();
    let mut request = Vec::with_capacity(2048);
    while deadline.is_none_or(|deadline| Instant::now() < deadline) {
        let ticket = tickets.fetch_add(1, Ordering::Relaxed);
        if ticket >= limit {
            break;
        }
        request.clear();
        let body = work.write(ticket, &mut request);
        let sent = Instant::now();
        let answer = connection.exchange(&request, body);
        let micros = u32::try_from(sent.elapsed().as_micros()).unwrap_or(u32::MAX);
        match answer {
            Ok(answer) if answer.status == 200 => {
                tally.micros.push(micros);
                tally.bytes += (body.len() as u64).max(answer.bytes);
            }
            Ok(answer) => {
                tally.fail(|| format!("HTTP {}: {}", answer.status, connection.last_text()))
            }
            Err(error) => {
                tally.fail(|| error.to_string());
                match connection.reopen() {
                    Ok(()) => {}
                    Err(_) => break,
                }
            }
        }
    }
    tally
}

impl Tally {
    fn fail(&mut self, why: impl FnOnce() -> String) {
        self.errors += 1;
        self.first_error.get_or_insert_with(why);
    }
}

fn report(scenario: &str, tallies: &[Tally], seconds: f64, cpu: f64) -> Result<()> {
    let mut micros: Vec<u32> =
        tallies.iter().flat_map(|tally| tally.micros.iter().copied()).collect();
    micros.sort_unstable();
    let errors: u64 = tallies.iter().map(|tally| tally.errors).sum();
    let first = tallies.iter().find_map(|tally| tally.first_error.clone());
    if micros.is_empty() {
        bail!("no request succeeded: {}", first.unwrap_or_else(|| "none was sent".to_owned()));
    }
    if let Some(first) = first {
        output::talk(format_args!("{errors} requests failed, the first with {first}"));
    }
    output::line(json!({
        "scenario": scenario,
        "requests": micros.len(),
        "errors": errors,
        "seconds": rounded(seconds),
        "p50_us": percentile(&micros, 50),
        "p99_us": percentile(&micros, 99),
        "max_us": micros.last(),
        "bytes": tallies.iter().map(|tally| tally.bytes).sum::<u64>(),
        "client_cpu_s": rounded(cpu),
    }))?;
    Ok(())
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The smallest value that `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Makes the bucket, and for reading also the objects, before the clock starts.
fn prepare_bucket(args: &LoadArgs, profile: &Profile, work: &Work) -> Result<()> {
    if args.prepared || matches!(args.scenario.kind, Kind::GetCallerIdentity | Kind::CreateUser) {
        return Ok(());
    }
    let http = Http::new(profile, args.connections.into())?;
    let store = Store::new(&http, profile, args.dialect)?;
    match store.create_bucket(&args.bucket) {
        Ok(()) => {}
        Err(Error::Service(failure)) if failure.code.starts_with("BucketAlready") => {}
        Err(error) => {
            return Err(error).with_context(|| format!("make the bucket {}", args.bucket));
        }
    }
    if args.scenario.kind == Kind::Get {
        let body = work.sample();
        parallel::run(
            args.connections.into(),
            |feed| (0..args.keys()).try_for_each(|index| feed.put(index)),
            |(): &mut (), index| {
                store
                    .put(&args.bucket, &work::key(index), Body::Bytes(body), None)
                    .context("store an object to read")?;
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// CPU time of this process so far, user and system; 0 where the system does not say. The resolution
/// is that of the kernel's clock tick, 10 ms.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the program's name, may hold spaces; the fields after it are counted.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

/// `host:port` of a plain-HTTP address.
fn plain_address(url: &str) -> Result<String> {
    match url.strip_prefix("http://") {
        Some(rest) => Ok(rest.to_owned()),
        None => Err(advise(
            format!("{url} is not a plain HTTP address"),
            "the load generator does not speak TLS",
        )),
    }
}

#[cfg(test)]
mod tests;
