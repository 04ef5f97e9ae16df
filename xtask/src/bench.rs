//! `cargo xtask bench`: how much a request costs, in a release build, on this machine, now.
//!
//! The load comes from the hidden client verb `awan load`, which prints one line of JSON. What is
//! compared is the *server's CPU time per request*, read from `/proc` before and after: on a shared
//! machine it moves far less than the wall clock. Peers are measured in the same run by the same
//! generator, so that the ratio holds even where the figures do not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::cloud::{Cloud, Life, free_port_base};
use crate::json::Json;
use crate::workspace::{Scratch, Workspace, write};
use crate::{Result, Verdict, process as program};

mod keys;
mod log;
mod oss;
mod rds;
mod watch;

pub(crate) const HELP: &str = "\
Measure a release build, and peers with the same load in the same run on the same disk.

Usage: cargo xtask bench [control|oss|log|keys|rds] [OPTIONS]

Targets:
  control   the control API: a read and a write action
  oss       object storage, beside SeaweedFS, s3s-fs (with and without syncs) and nginx: prints a table in Markdown
  log       the public log: entries per second, and from commit to published checkpoint
  keys      a bucket with very many keys: start, listings, memory
  rds       a managed PostgreSQL beside a bare one, direct and through the gateway; creation; idle memory

Options:
  --seconds N        how long each row lasts; the ingest ends by itself [default: 5]

Options of oss (each takes a list, with commas, of what is to be measured):
  --rows LIST        of put, get, list, ingest [default: all]
  --sizes LIST       of objects [default: 4k,64k,1m,64m]
  --connections LIST [default: 1,16,64]
  --peers LIST       of seaweedfs, s3s-fs, s3s-fs-sync, nginx; or none [default: all]
  --keys N           how many keys the listed bucket holds [default: 1000000]
  --quick            20000 keys, 16 connections, 2 seconds: to see whether it works

Options of keys:
  --keys N           how many keys there are [default: 10000000]

Options of rds:
  --rounds N         of each load and way [default: 5]
  --seconds N        of a round [default: 10]
  --scale N          of pgbench's tables [default: 10]
  --clients N        at once [default: 8]
  --creates N        instances that are made and removed [default: 11]
  --instances N      that there are at once [default: 50]
  --quick            2 rounds of 2 seconds, scale 2, 2 creations, 3 instances: to see whether it works
";

/// The scenarios of the control API.
const CONTROL: [&str; 2] = ["get-caller-identity", "create-user"];

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    match args.word().as_deref() {
        None => {
            control(workspace, "5")?;
            oss::run(workspace, args)
        }
        Some("keys") => {
            let keys = keys::wanted(&mut args)?;
            args.finish()?;
            keys::run(workspace, &keys)
        }
        Some("log") => args.finish().and_then(|()| log::run(workspace)),
        Some("oss") => oss::run(workspace, args),
        Some("rds") => rds::run(workspace, args),
        Some("control") => {
            let seconds = args.value("--seconds")?.unwrap_or_else(|| "5".to_owned());
            args.finish()?;
            control(workspace, &seconds)
        }
        Some(other) => Err(format!("there is no target `{other}`; see `--help`")),
    }
}

fn control(workspace: &Workspace, seconds: &str) -> Verdict {
    let bench = Bench::start(workspace)?;
    println!("\nLoad average at the start: {}\n", load_average());
    println!("| scenario | connections | requests/s | p50 / p99 ms | server CPU µs/request |");
    println!("|---|---|---|---|---|");
    for scenario in CONTROL {
        let mut load = bench.load(&[scenario, "--connections", "16", "--seconds", seconds]);
        let figures = measure(&mut load, bench.cloud.pid())?;
        println!(
            "| {scenario} | 16 | {:.0} | {:.1} / {:.1} | {:.0} |",
            figures.rate(),
            figures.p50_us / 1000.0,
            figures.p99_us / 1000.0,
            figures.cpu_us_per_request()
        );
    }
    bench.cloud.stop()?;
    Ok(true)
}

/// What a row came to.
struct Figures {
    requests: f64,
    errors: f64,
    seconds: f64,
    bytes: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    server_cpu_us: f64,
    peak_bytes: f64,
}

impl Figures {
    fn cpu_us_per_request(&self) -> f64 {
        self.server_cpu_us / self.requests.max(1.0)
    }

    /// Requests a second.
    fn rate(&self) -> f64 {
        self.requests / self.seconds.max(0.001)
    }
}

/// A release build, and a cloud of it.
struct Bench {
    // Field order is drop order: the cloud ends before its folder goes.
    cloud: Cloud,
    scratch: Scratch,
    awan: PathBuf,
}

impl Bench {
    fn start(workspace: &Workspace) -> Result<Self> {
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
        Ok(Self { cloud, scratch, awan })
    }

    /// The generator, against the cloud.
    fn load(&self, words: &[&str]) -> Command {
        let mut load = generator(&self.awan, words);
        load.arg("--data-dir").arg(self.scratch.path().join("data"));
        load
    }
}

fn generator(awan: &Path, words: &[&str]) -> Command {
    let mut load = Command::new(awan);
    load.arg("load").args(words);
    load
}

/// Runs the generator, and looks at what that costs the process tree of the server.
fn measure(load: &mut Command, server: u32) -> Result<Figures> {
    watch::forget_peak(server)?;
    let before = watch::cost(server)?;
    let line = program::output(load)?;
    let after = watch::cost(server)?;
    let json = Json::parse(line.trim())?;
    let figure = |name: &str| {
        let number = json.get(name).and_then(Json::number);
        number.ok_or_else(|| format!("`awan load` told no `{name}`"))
    };
    Ok(Figures {
        requests: figure("requests")?,
        errors: figure("errors")?,
        seconds: figure("seconds")?,
        bytes: figure("bytes")?,
        p50_us: figure("p50_us")?,
        p99_us: figure("p99_us")?,
        max_us: figure("max_us")?,
        server_cpu_us: after.cpu_us - before.cpu_us,
        peak_bytes: after.peak_bytes,
    })
}

fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
