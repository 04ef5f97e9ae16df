//! `cargo xtask bench`: how much a request costs, in a release build, on this machine, now.
//!
//! The load comes from the hidden client verb `awan load`, which prints one line of JSON. What is
//! compared is the *server's CPU time per request*, read from `/proc` before and after: on a shared
//! machine it moves far less than the wall clock. A peer is measured in the same run by the same
//! generator, so that the ratio holds even where the figures do not.

use std::fs;
use std::path::PathBuf;
use std::process::{self, Command};

use crate::args::Args;
use crate::cloud::{Cloud, Life, free_port_base};
use crate::json::Json;
use crate::peer::{self, Peer};
use crate::workspace::{Scratch, Workspace, write};
use crate::{Result, Verdict, process as program, setup};

mod keys;
mod log;

pub(crate) const HELP: &str = "\
Measure a release build, and a peer (SeaweedFS) with the same load in the same run.

Usage: cargo xtask bench [control|oss|log|keys] [OPTIONS]

Targets:
  control   the control API: a read and a write action
  oss       object storage: 4 KiB, 1 MiB and 64 MiB objects, and the 2024 region tree
  log       the public log: entries per second, and from commit to published checkpoint
  keys      a bucket with very many keys: start, listings, memory

Options:
  --seconds N   how long each scenario lasts; the ingest ends by itself [default: 10]
  --keys N      how many keys `keys` makes [default: 10000000]
  --no-peer     do not measure the peer
";

/// One kind of load.
struct Scenario {
    /// The scenario's name for `awan load`.
    name: &'static str,
    connections: u32,
    target: Target,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Control,
    /// Object storage, over S3, so that the peer understands it too.
    Oss,
}

const SCENARIOS: [Scenario; 9] = [
    Scenario { name: "get-caller-identity", connections: 16, target: Target::Control },
    Scenario { name: "create-user", connections: 16, target: Target::Control },
    Scenario { name: "put-4k", connections: 16, target: Target::Oss },
    Scenario { name: "get-4k", connections: 16, target: Target::Oss },
    Scenario { name: "put-1m", connections: 8, target: Target::Oss },
    Scenario { name: "get-1m", connections: 8, target: Target::Oss },
    Scenario { name: "put-64m", connections: 2, target: Target::Oss },
    Scenario { name: "get-64m", connections: 2, target: Target::Oss },
    Scenario { name: "ingest", connections: 16, target: Target::Oss },
];

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let seconds = args.value("--seconds")?.unwrap_or_else(|| "10".to_owned());
    let with_peer = !args.flag("--no-peer");
    let keys = keys::wanted(&mut args)?;
    let target = match args.word().as_deref() {
        None => None,
        Some("log") => return args.finish().and_then(|()| log::run(workspace)),
        Some("keys") => return args.finish().and_then(|()| keys::run(workspace, &keys)),
        Some("control") => Some(Target::Control),
        Some("oss") => Some(Target::Oss),
        Some(other) => return Err(format!("there is no target `{other}`; see `--help`")),
    };
    args.finish()?;

    let with_peer = with_peer && target != Some(Target::Control);
    if with_peer && let Some((need, why)) = setup::ensure(&[&setup::PYTHON]).into_iter().next() {
        return Err(format!("the peer needs {need}: {why}; --no-peer does without it"));
    }
    let bench = Bench::start(workspace, seconds)?;
    let peer = if with_peer { Some(Peer::start(workspace)?) } else { None };
    print_head(peer.is_some());
    let wanted = |scenario: &&Scenario| target.is_none_or(|target| scenario.target == target);
    for scenario in SCENARIOS.iter().filter(wanted) {
        let ours = bench.measure(scenario)?;
        print_row("Awan", scenario, &ours, None);
        if let (Some(peer), Target::Oss) = (&peer, scenario.target) {
            let theirs = bench.measure_peer(scenario, peer)?;
            print_row("SeaweedFS", scenario, &theirs, Some(&ours));
        }
    }
    bench.cloud.stop()?;
    Ok(true)
}

/// What a scenario came to.
struct Figures {
    requests: f64,
    errors: f64,
    seconds: f64,
    p50_us: f64,
    p99_us: f64,
    server_cpu_us: f64,
}

impl Figures {
    fn cpu_us_per_request(&self) -> f64 {
        self.server_cpu_us / self.requests.max(1.0)
    }
}

struct Bench {
    // Field order is drop order: the cloud ends before its folder goes.
    cloud: Cloud,
    scratch: Scratch,
    awan: PathBuf,
    tree: PathBuf,
    seconds: String,
}

impl Bench {
    fn start(workspace: &Workspace, seconds: String) -> Result<Self> {
        let awan = workspace.build_awan(true)?;
        let scratch = Scratch::new("bench")?;
        let config = scratch.path().join("awan.toml");
        // One principal makes the whole load here.
        write(&config, "[limits]\nrequests_per_second = 0\n")?;
        let options = [
            "--config".to_owned(),
            config.display().to_string(),
            "--port-base".to_owned(),
            free_port_base()?.to_string(),
        ];
        let cloud = Cloud::start(&awan, &scratch.path().join("data"), &options, Life::Run)?;
        let tree = workspace.root.join("examples/pemilu2024");
        Ok(Self { cloud, scratch, awan, tree, seconds })
    }

    fn measure(&self, scenario: &Scenario) -> Result<Figures> {
        let data_dir = self.scratch.path().join("data");
        self.run(scenario, self.cloud.pid(), |load| {
            load.arg("--data-dir").arg(&data_dir);
        })
    }

    fn measure_peer(&self, scenario: &Scenario, peer: &Peer) -> Result<Figures> {
        self.run(scenario, peer.pid(), |load| {
            load.args(["--oss-endpoint", &peer::endpoint(), "--region", "us-east-1"]);
            load.arg("--key-file").arg(peer.key_file());
        })
    }

    /// Runs a scenario against the server with that process id; `place` adds where it answers.
    fn run(
        &self,
        scenario: &Scenario,
        server: u32,
        place: impl Fn(&mut Command),
    ) -> Result<Figures> {
        let load = || {
            let mut load = self.load(scenario);
            place(&mut load);
            load
        };
        // Reading begins with storing what is to be read. That costs the server too, so it is
        // measured by itself first and taken off.
        let storing_us = if scenario.name.starts_with("get-") && scenario.target == Target::Oss {
            measure(load().args(["--requests", "1"]), server)?.server_cpu_us
        } else {
            0.0
        };
        let mut figures = measure(load().args(["--seconds", &self.seconds]), server)?;
        figures.server_cpu_us = (figures.server_cpu_us - storing_us).max(0.0);
        Ok(figures)
    }

    fn load(&self, scenario: &Scenario) -> Command {
        let mut load = Command::new(&self.awan);
        load.args(["load", scenario.name, "--connections", &scenario.connections.to_string()]);
        if scenario.target == Target::Oss {
            load.args(["--dialect", "s3"]);
        }
        if scenario.name == "ingest" {
            load.arg("--tree").arg(&self.tree);
        }
        load
    }
}

fn measure(load: &mut Command, server: u32) -> Result<Figures> {
    let before = cpu_us(server)?;
    let line = program::output(load)?;
    let server_cpu_us = cpu_us(server)? - before;
    let json = Json::parse(line.trim())?;
    let figure = |name: &str| {
        let number = json.get(name).and_then(Json::number);
        number.ok_or_else(|| format!("`awan load` told no `{name}`"))
    };
    Ok(Figures {
        requests: figure("requests")?,
        errors: figure("errors")?,
        seconds: figure("seconds")?,
        p50_us: figure("p50_us")?,
        p99_us: figure("p99_us")?,
        server_cpu_us,
    })
}

/// The CPU time of a process and of the children it waited for, so far.
fn cpu_us(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).map_err(|e| format!("read {path}: {e}"))?;
    // The kernel counts in 1/100 s on every Linux that a person meets.
    const TICK_US: f64 = 10_000.0;
    ticks(&stat).map(|ticks| ticks * TICK_US).ok_or_else(|| format!("{path} is not understood"))
}

/// utime + stime of a `/proc/<pid>/stat`. The program's name, in parentheses, may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn print_head(with_peer: bool) {
    println!("\nLoad average at the start: {}", load_average());
    if with_peer {
        println!("Peer: {}; Awan waits for the disk before it answers a write.", peer::SETTINGS);
    }
    println!("Process {} drives the load on the same machine.\n", process::id());
    println!(
        "{:<10} {:<20} {:>4} {:>10} {:>7} {:>10} {:>9} {:>9} {:>12} {:>14}",
        "server",
        "scenario",
        "conn",
        "requests",
        "errors",
        "req/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/req",
        "CPU of Awan's"
    );
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

fn print_row(server: &str, scenario: &Scenario, figures: &Figures, ours: Option<&Figures>) {
    let cpu = figures.cpu_us_per_request();
    let ratio = ours.map_or_else(String::new, |ours| {
        format!("{:.1} times", cpu / ours.cpu_us_per_request().max(0.001))
    });
    println!(
        "{server:<10} {:<20} {:>4} {:>10.0} {:>7.0} {:>10.1} {:>9.0} {:>9.0} {cpu:>12.1} {ratio:>14}",
        scenario.name,
        scenario.connections,
        figures.requests,
        figures.errors,
        figures.requests / figures.seconds.max(0.001),
        figures.p50_us,
        figures.p99_us,
    );
}

#[cfg(test)]
mod tests;
