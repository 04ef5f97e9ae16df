//! `cargo xtask bench oss`: object storage beside its peers, row by row, as a table in Markdown.
//!
//! Every server runs from the beginning to the end, on an empty folder of the same disk; a row is measured
//! against one after the other. All of them get the same requests of the same generator: signature V4 without
//! a digest of the body, bodies that do not compress, and for writes a bucket of the row's own, so that keys
//! are new for as long as the row lasts (until they come to [`WRITTEN_BYTES`]).

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{self, Command};

use super::{Bench, Figures, generator, load_average, measure};
use crate::args::Args;
use crate::peer::{Kind, Peer};
use crate::workspace::{Workspace, make_dir};
use crate::{Result, Verdict, process as program, setup};

/// Of one bucket that is written to.
const WRITTEN_BYTES: u64 = 1 << 30;
/// Of one bucket that is read from; the same as the generator's own choice.
const READ_BYTES: u64 = 256 << 20;
/// What a page of a listing holds.
const PAGE: f64 = 1000.0;
/// The keys of the bucket that is listed, made with so many connections.
const FILLING: &str = "64";

/// One row of the table.
struct Row {
    /// `put`, `get`, `list`, `ingest`.
    what: &'static str,
    /// Of an object, as the generator takes it: `4k`.
    size: String,
    connections: String,
}

/// What is to be measured.
struct Plan {
    rows: Vec<Row>,
    seconds: String,
    keys: String,
    peers: Vec<Kind>,
}

impl Plan {
    fn parse(args: &mut Args) -> Result<Self> {
        let quick = args.flag("--quick");
        let or = |usual: &str, short: &str| if quick { short } else { usual }.to_owned();
        let mut value = |name: &str, usual: &str, short: &str| {
            args.value(name).map(|told| told.unwrap_or_else(|| or(usual, short)))
        };
        let whats = value("--rows", "put,get,list,ingest", "put,get,list")?;
        let sizes = value("--sizes", "4k,64k,1m,64m", "4k,1m")?;
        let connections = value("--connections", "1,16,64", "16")?;
        let seconds = value("--seconds", "5", "2")?;
        let keys = value("--keys", "1000000", "20000")?;
        let all: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
        let peers = value("--peers", &all.join(","), &all.join(","))?;
        let mut rows = Vec::new();
        for what in whats.split(',') {
            let known = ["put", "get", "list", "ingest"].into_iter().find(|known| *known == what);
            let what = known.ok_or_else(|| format!("there is no row `{what}`; see `--help`"))?;
            match what {
                "list" => rows.push(Row::new(what, "", "1")),
                "ingest" => rows.push(Row::new(what, "", "16")),
                _ => rows.extend(sizes.split(',').flat_map(|size| {
                    connections.split(',').map(move |number| Row::new(what, size, number))
                })),
            }
        }
        let peers = peers.split(',').filter(|name| *name != "none").map(peer);
        Ok(Self { rows, seconds, keys, peers: peers.collect::<Result<_>>()? })
    }
}

fn peer(name: &str) -> Result<Kind> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| format!("there is no peer `{name}`; see `--help`"))
}

impl Row {
    fn new(what: &'static str, size: &str, connections: &str) -> Self {
        Self { what, size: size.to_owned(), connections: connections.to_owned() }
    }

    fn scenario(&self) -> String {
        if self.size.is_empty() {
            self.what.to_owned()
        } else {
            format!("{}-{}", self.what, self.size)
        }
    }

    fn bucket(&self) -> String {
        match self.what {
            // What is written is new; what is read serves all numbers of connections.
            "put" => format!("bench-put-{}-{}", self.size, self.connections),
            "get" => format!("bench-get-{}", self.size),
            what => format!("bench-{what}"),
        }
    }

    /// Bytes of an object; 0 where the row's are of many sizes.
    fn bytes(&self) -> u64 {
        let unit = if self.size.ends_with('m') { 1 << 20 } else { 1 << 10 };
        self.size.trim_end_matches(['k', 'm']).parse::<u64>().map_or(0, |number| number * unit)
    }

    /// Different keys of the row, where objects have a size.
    fn keys(&self) -> u64 {
        let all = if self.what == "get" { READ_BYTES } else { WRITTEN_BYTES };
        let most = if self.what == "get" { 1000 } else { u64::MAX };
        (all / self.bytes().max(1)).clamp(2, most)
    }
}

/// A server of the run.
enum Server<'a> {
    Awan(&'a Bench),
    Peer(&'a Peer, &'a Path),
}

impl Server<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Awan(_) => "Awan",
            Self::Peer(peer, _) => peer.kind().name(),
        }
    }

    fn pid(&self) -> u32 {
        match self {
            Self::Awan(bench) => bench.cloud.pid(),
            Self::Peer(peer, _) => peer.pid(),
        }
    }

    fn takes(&self, row: &Row) -> bool {
        match self {
            Self::Peer(peer, _) if peer.kind().reads_only() => row.what == "get",
            _ => true,
        }
    }

    /// The generator, against this server.
    fn load(&self, words: &[&str]) -> Command {
        let mut load = match self {
            Self::Awan(bench) => bench.load(words),
            Self::Peer(peer, awan) => {
                let mut load = generator(awan, words);
                load.args(["--oss-endpoint", peer.endpoint(), "--region", "us-east-1"]);
                load.arg("--key-file").arg(peer.key_file());
                load
            }
        };
        load.args(["--dialect", "s3", "--unsigned-payload"]);
        load
    }

    /// Puts there what the row reads or lists, if it is not there; makes its bucket.
    fn prepare(&self, row: &Row, keys: &str) -> Result<()> {
        let (bucket, scenario) = (row.bucket(), row.scenario());
        let words = match (self, row.what) {
            (Self::Peer(peer, _), "get") if peer.kind().reads_only() => {
                return files(&peer.data().join(&bucket).join("load"), row);
            }
            (_, "get") => vec![scenario.as_str(), "--requests", "1"],
            (_, "list") => vec![
                "put",
                "--size",
                "1",
                "--connections",
                FILLING,
                "--requests",
                keys,
                "--keys",
                keys,
            ],
            _ => return Ok(()),
        };
        program::output(self.load(&words).args(["--bucket", &bucket])).map(drop)
    }

    fn measure(&self, row: &Row, plan: &Plan, tree: &Path) -> Result<Figures> {
        let (bucket, scenario, keys) = (row.bucket(), row.scenario(), row.keys().to_string());
        let words = [scenario.as_str(), "--connections", &row.connections, "--bucket", &bucket];
        let mut load = self.load(&words);
        match row.what {
            "ingest" => load.arg("--tree").arg(tree),
            "list" => load.args(["--prepared", "--seconds", &plan.seconds, "--keys", &plan.keys]),
            "get" => load.args(["--prepared", "--seconds", &plan.seconds, "--keys", &keys]),
            _ => load.args(["--seconds", &plan.seconds, "--keys", &keys]),
        };
        measure(&mut load, self.pid())
    }
}

pub(super) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let plan = Plan::parse(&mut args)?;
    args.finish()?;
    if plan.peers.contains(&Kind::SeaweedFs)
        && let Some((need, why)) = setup::ensure(&[&setup::PYTHON]).into_iter().next()
    {
        return Err(format!("the peer needs {need}: {why}; --peers leaves it out"));
    }
    let bench = Bench::start(workspace)?;
    let peers: Vec<Peer> =
        plan.peers.iter().map(|kind| kind.start(workspace)).collect::<Result<_>>()?;
    let tree = workspace.root.join("examples/pemilu2024");
    let mut servers = vec![Server::Awan(&bench)];
    servers.extend(peers.iter().map(|peer| Server::Peer(peer, &bench.awan)));
    print_head(&plan, bench.scratch.path());
    for row in &plan.rows {
        let mut ours = None;
        for server in servers.iter().filter(|server| server.takes(row)) {
            server.prepare(row, &plan.keys)?;
            // What one server left to be written must not be written on another's time.
            program::output(&mut Command::new("sync"))?;
            match server.measure(row, &plan, &tree) {
                Ok(figures) => {
                    print_row(server.name(), row, &figures, ours.as_ref());
                    ours.get_or_insert(figures);
                }
                // A peer that cannot do it says so in its row, and the others go on.
                Err(why) if matches!(server, Server::Peer(..)) => {
                    println!(
                        "| {} | {} | {} | failed: {why} |",
                        row.scenario(),
                        row.connections,
                        server.name()
                    );
                }
                Err(why) => return Err(why),
            }
        }
    }
    drop(servers);
    bench.cloud.stop()?;
    Ok(true)
}

/// Files for a peer that serves plain ones.
fn files(dir: &Path, row: &Row) -> Result<()> {
    make_dir(dir)?;
    let mut body = Vec::new();
    let random = fs::File::open("/dev/urandom").map_err(|e| format!("/dev/urandom: {e}"))?;
    random.take(row.bytes()).read_to_end(&mut body).map_err(|e| format!("/dev/urandom: {e}"))?;
    for index in 0..row.keys() {
        let path = dir.join(format!("{index:010}"));
        if !path.is_file() {
            let written = fs::File::create(&path).and_then(|mut file| file.write_all(&body));
            written.map_err(|e| format!("write {}: {e}", path.display()))?;
        }
    }
    Ok(())
}

fn print_head(plan: &Plan, disk: &Path) {
    println!("\n{}; load average at the start {}.", machine(disk), load_average());
    println!("Awan: `fdatasync` of the bytes and a synced commit before it answers a write.");
    for peer in &plan.peers {
        println!("{}.", peer.settings());
    }
    println!(
        "Process {} drives the load on the same machine, {} s a row.\n",
        process::id(),
        plan.seconds
    );
    println!(
        "| row | connections | server | requests/s | MiB/s | p50 / p99 / max ms | CPU µs/request | peak MiB | errors | load | Awan's rate | its CPU |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
}

/// What the figures are of, in a line.
fn machine(disk: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map_or_else(String::new, |(_, value)| value.trim().to_owned())
    };
    let cpus = read("/proc/cpuinfo");
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let kernel = read("/proc/sys/kernel/osrelease");
    let said =
        |command: &mut Command| program::output(command).unwrap_or_default().trim().to_owned();
    let system = said(Command::new("stat").args(["-f", "-c", "%T"]).arg(disk));
    let date = said(Command::new("date").args(["-u", "+%F"]));
    format!(
        "{date}, {cores} cores ({}), {memory} of memory, Linux {}, {system}",
        value(&cpus, "model name"),
        kernel.trim()
    )
}

fn print_row(server: &str, row: &Row, figures: &Figures, ours: Option<&Figures>) {
    let cpu = figures.cpu_us_per_request();
    let (rate, ratio) = ours.map_or_else(
        || (String::new(), String::new()),
        |ours| {
            let cpu = cpu / ours.cpu_us_per_request().max(0.001);
            (format!("{:.1}×", ours.rate() / figures.rate().max(0.001)), format!("{cpu:.1}×"))
        },
    );
    let seconds = figures.seconds.max(0.001);
    let unit = if row.what == "list" {
        format!("{:.0} keys/s", figures.rate() * PAGE)
    } else {
        format!("{:.1}", figures.bytes / seconds / f64::from(1 << 20))
    };
    println!(
        "| {} | {} | {server} | {:.1} | {unit} | {:.1} / {:.1} / {:.0} | {cpu:.0} | {:.0} | {:.0} | {} | {rate} | {ratio} |",
        row.scenario(),
        row.connections,
        figures.rate(),
        figures.p50_us / 1000.0,
        figures.p99_us / 1000.0,
        figures.max_us / 1000.0,
        figures.peak_bytes / f64::from(1 << 20),
        figures.errors,
        load_average().split(' ').next().unwrap_or_default(),
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn plan(words: &[&str]) -> Result<Plan> {
        let mut args = Args::new(words.iter().map(|word| (*word).to_owned()));
        let plan = Plan::parse(&mut args)?;
        args.finish().map(|()| plan)
    }

    #[test]
    fn rows_are_sizes_by_connections() {
        let plan = plan(&["--rows=put,list", "--sizes", "4k,1m", "--connections=1,16"]).unwrap();
        let rows: Vec<String> =
            plan.rows.iter().map(|row| format!("{} {}", row.scenario(), row.connections)).collect();
        assert_eq!(rows, ["put-4k 1", "put-4k 16", "put-1m 1", "put-1m 16", "list 1"]);
        assert_eq!(plan.peers, Kind::ALL);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for words in [["--rows", "delete"], ["--peers", "disk"], ["--row", "put"]] {
            assert!(plan(&words).is_err(), "{words:?}");
        }
        assert!(plan(&["--peers", "none"]).unwrap().peers.is_empty());
    }

    #[test]
    fn a_rows_keys_bound_its_bytes() {
        for (what, size, keys) in
            [("put", "4k", 262_144), ("put", "64m", 16), ("get", "4k", 1000), ("get", "1m", 256)]
        {
            assert_eq!(Row::new(what, size, "1").keys(), keys);
        }
    }
}
