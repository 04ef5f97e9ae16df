//! `cargo xtask bench rds`: what being managed costs a PostgreSQL, as a table in Markdown.
//!
//! Beside the managed instance runs a bare server: the same program, the same settings, the same certificate, on
//! the same disk. Rounds take turns, so that what else the machine does meets all of them alike, and what is
//! compared is the median of a round's ratios. Everything is asked of the cloud as any client would.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Bench, load_average, watch};
use crate::args::Args;
use crate::json::Json;
use crate::postgres::Owner;
use crate::process::{self as program, Running, wait_for};
use crate::workspace::{Scratch, Workspace, read, write};
use crate::{Result, Verdict};

/// The account and the database of every instance here.
const NAME: &str = "bench";
/// How long a new instance, or a server that starts, may take.
const WAIT: Duration = Duration::from_secs(60);
/// Clients that ask for instances side by side.
const HANDS: usize = 4;
/// How long an instance is left alone before its memory is counted.
const REST: Duration = Duration::from_secs(10);
/// Settings that say where a server is and to whom it belongs, and none that says how fast it is.
const OWN: &str = "'port', 'listen_addresses', 'cluster_name', 'config_file', 'hba_file', 'ident_file', \
    'data_directory', 'external_pid_file', 'unix_socket_directories', 'ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', \
    'ssl_crl_file', 'ssl_crl_dir', 'log_directory', 'log_filename', 'log_destination', 'logging_collector', \
    'restore_command', 'archive_command', 'archive_mode', 'primary_conninfo', 'primary_slot_name'";

/// What is to be measured.
struct Plan {
    rounds: usize,
    seconds: String,
    scale: String,
    clients: String,
    creates: usize,
    instances: usize,
}

impl Plan {
    fn parse(args: &mut Args) -> Result<Self> {
        let quick = args.flag("--quick");
        let mut value = |name: &str, usual: &str, short: &str| {
            let or = if quick { short } else { usual }.to_owned();
            args.value(name).map(|told| told.unwrap_or(or))
        };
        let count = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        Ok(Self {
            rounds: count(value("--rounds", "5", "2")?)?,
            seconds: value("--seconds", "10", "2")?,
            scale: value("--scale", "10", "2")?,
            clients: value("--clients", "8", "8")?,
            creates: count(value("--creates", "11", "2")?)?,
            instances: count(value("--instances", "50", "3")?)?,
        })
    }
}

pub(super) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let plan = Plan::parse(&mut args)?;
    args.finish()?;
    let bench = Bench::start(workspace)?;
    println!("\nLoad average at the start: {}", load_average());
    creations(&bench, plan.creates)?;
    many(&bench, plan.instances)?;
    let instance = Instance::create(&bench, NAME)?;
    let bare = Bare::start(&instance)?;
    rates(&plan, &instance, &bare)?;
    drop(bare);
    bench.cloud.stop()?;
    Ok(true)
}

/// An instance, reached through the gateway.
struct Instance {
    id: String,
    /// The name in its certificate.
    host: String,
    gateway: u16,
    authority: String,
    passfile: PathBuf,
}

/// How long each part of a creation took, milliseconds.
#[derive(Clone, Copy, Default)]
struct Split {
    accepted: f64,
    serves: f64,
    account: f64,
    answers: f64,
}

impl Instance {
    /// Makes one with its account and its database, by the client verb.
    fn create(bench: &Bench, name: &str) -> Result<Self> {
        let passfile = bench.scratch.path().join(format!("{name}.pgpass"));
        let mut create = verb(bench, &["rds", "create", name, "--allow", "127.0.0.1"]);
        create.args(["--account", NAME, "--database", NAME]).arg("--passfile").arg(&passfile);
        let told = program::output(&mut create)?;
        let field = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim().to_owned()).ok_or_else(|| format!("no {name} in: {told}"))
        };
        let file = bench.cloud.file()?;
        Ok(Self {
            id: field("instance")?,
            host: field("host")?,
            gateway: port(file.endpoint("postgres")?)?,
            authority: file.ca_cert()?.to_owned(),
            passfile,
        })
    }

    /// A client program, at that port of this machine, with the certificate checked.
    fn client(&self, name: &str, port: u16) -> Command {
        let mut command = Command::new(name);
        command.env("PGPASSFILE", &self.passfile).env("PGHOST", &self.host);
        command.env("PGHOSTADDR", "127.0.0.1").env("PGPORT", port.to_string());
        command.env("PGUSER", NAME).env("PGDATABASE", NAME);
        command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", &self.authority);
        command
    }

    fn ask(&self, sql: &str) -> Result<String> {
        let mut psql = self.client("psql", self.gateway);
        program::output(psql.args(["-XAtc", sql])).map(|text| text.trim().to_owned())
    }

    /// The process that is the parent of its others.
    fn server(&self) -> Result<u32> {
        let all = fs::read_dir("/proc").map_err(|e| format!("read /proc: {e}"))?;
        let pids = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        let is_server = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
            let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
            text(words[0]).ends_with("/postgres")
                && words.iter().any(|word| text(word).contains(&self.id))
        };
        let found = pids.filter(is_server).min();
        found.ok_or_else(|| format!("no server of {} runs on this machine", self.id))
    }
}

/// A client verb of the cloud's own program.
fn verb(bench: &Bench, words: &[&str]) -> Command {
    let mut command = Command::new(&bench.awan);
    command.args(words).arg("--data-dir").arg(bench.scratch.path().join("data"));
    command
}

/// The port in `scheme://host:port` or `host:port`.
fn port(address: &str) -> Result<u16> {
    let digits =
        address.trim_end_matches('/').rsplit(':').next().and_then(|text| text.parse().ok());
    digits.ok_or_else(|| format!("{address} has no port"))
}

/// An action of the API, with an answer that is an object.
fn call(bench: &Bench, action: &str, params: &[(&str, &str)]) -> Result<Json> {
    Json::parse(program::output(&mut action_with(bench, action, params))?.trim())
}

fn action_with(bench: &Bench, action: &str, params: &[(&str, &str)]) -> Command {
    let mut call = verb(bench, &["call", "rds", action]);
    call.args(params.iter().map(|(name, value)| format!("--{name}={value}")));
    call
}

/// What is at the end of a path of names and numbers.
fn text_at(json: &Json, path: &[&str]) -> Option<String> {
    let end = path.iter().try_fold(json, |at, step| match step.parse::<usize>() {
        Ok(index) => at.list().get(index),
        Err(_) => at.get(step),
    });
    end.and_then(Json::text).map(str::to_owned)
}

/// From asking for an instance to the first answer of a tenant's own session, and what it costs to have it.
fn creations(bench: &Bench, count: usize) -> Result<()> {
    let region = bench.cloud.file()?.region()?.to_owned();
    let path =
        ["AvailableZones", "0", "SupportedEngines", "0", "SupportedEngineVersions", "0", "Version"];
    let asked = [("RegionId", region.as_str()), ("Engine", "PostgreSQL")];
    let version = wait_for("a PostgreSQL that runs here", WAIT, || {
        Ok(text_at(&call(bench, "DescribeAvailableZones", &asked)?, &path))
    })?;
    let (mut splits, mut memory) = (Vec::new(), Vec::new());
    for number in 0..count {
        let (instance, split) = creation(bench, &region, &version, number)?;
        splits.push(split);
        thread::sleep(REST.min(Duration::from_secs(2)));
        memory.push(pss_mib(instance.server()?)?);
        call(bench, "DeleteDBInstance", &[("DBInstanceId", &instance.id)])?;
    }
    let median_of = |part: fn(&Split) -> f64| median(splits.iter().map(part).collect());
    println!(
        "\nPostgreSQL {version}, median of {count}, milliseconds from asking (each look costs the start of a client):\n"
    );
    println!(
        "| accepted | serves | account is there | first SQL answered | accepted to answered (goal 1000) | idle memory, MiB (Pss) |"
    );
    println!("|---|---|---|---|---|---|");
    println!(
        "| {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.1} |",
        median_of(|it| it.accepted),
        median_of(|it| it.serves),
        median_of(|it| it.account),
        median_of(|it| it.answers),
        median_of(|it| it.answers - it.accepted),
        median(memory)
    );
    Ok(())
}

fn creation(
    bench: &Bench,
    region: &str,
    version: &str,
    number: usize,
) -> Result<(Instance, Split)> {
    let start = Instant::now();
    let ms = || start.elapsed().as_secs_f64() * 1000.0;
    let name = format!("fresh-{number}");
    let made = call(
        bench,
        "CreateDBInstance",
        &[
            ("RegionId", region),
            ("Engine", "PostgreSQL"),
            ("EngineVersion", version),
            ("DBInstanceClass", "pg.n1e.1c.1m"),
            ("DBInstanceStorage", "20"),
            ("DBInstanceNetType", "Intranet"),
            ("PayType", "Postpaid"),
            ("SecurityIPList", "127.0.0.1"),
            ("DBInstanceDescription", &name),
        ],
    )?;
    let id = text_at(&made, &["DBInstanceId"]).ok_or("CreateDBInstance told no id")?;
    let host = text_at(&made, &["ConnectionString"]).ok_or("CreateDBInstance told no host")?;
    let mut split = Split { accepted: ms(), ..Split::default() };
    let named = [("DBInstanceId", id.as_str())];
    wait_for("the instance", WAIT, || {
        let told = call(bench, "DescribeDBInstanceAttribute", &named)?;
        let status = text_at(&told, &["Items", "DBInstanceAttribute", "0", "DBInstanceStatus"]);
        Ok((status.as_deref() == Some("Running")).then_some(()))
    })?;
    split.serves = ms();
    let password = format!("Ukur-{number}-cepat");
    let passfile = bench.scratch.path().join(&name);
    write(&passfile, &password)?;
    private(&passfile)?;
    let typed = File::open(&passfile).map_err(|e| format!("open {}: {e}", passfile.display()))?;
    let account = [named[0], ("AccountName", NAME), ("AccountType", "Super")];
    let mut create = action_with(bench, "CreateAccount", &account);
    program::output_of(create.args(["--hidden", "AccountPassword"]), typed.into())?;
    wait_for("the account", WAIT, || {
        let told = call(bench, "DescribeAccounts", &named)?;
        let status = text_at(&told, &["Accounts", "DBInstanceAccount", "0", "AccountStatus"]);
        Ok((status.as_deref() == Some("Available")).then_some(()))
    })?;
    split.account = ms();
    write(&passfile, format!("*:*:*:*:{password}\n"))?;
    let file = bench.cloud.file()?;
    let gateway = port(file.endpoint("postgres")?)?;
    let authority = file.ca_cert()?.to_owned();
    let instance = Instance { id, host, gateway, authority, passfile };
    let mut psql = instance.client("psql", gateway);
    program::output(psql.env("PGDATABASE", "postgres").args(["-XAtc", "select 1"]))?;
    split.answers = ms();
    Ok((instance, split))
}

/// Many instances at once: how long until the last serves, whether all answer at the same moment, and what they hold.
fn many(bench: &Bench, count: usize) -> Result<()> {
    let start = Instant::now();
    let made: Result<Vec<Vec<Instance>>> = thread::scope(|scope| {
        let create = |hand: usize| {
            let numbers = (hand..count).step_by(HANDS);
            numbers.map(|number| Instance::create(bench, &format!("many-{number}"))).collect()
        };
        let hands: Vec<_> = (0..HANDS).map(|hand| scope.spawn(move || create(hand))).collect();
        hands.into_iter().map(joined).collect()
    });
    let made: Vec<Instance> = made?.into_iter().flatten().collect();
    let created = start.elapsed();
    thread::sleep(REST);
    let start = Instant::now();
    let answered: Result<Vec<String>> = thread::scope(|scope| {
        let asked: Vec<_> =
            made.iter().map(|it| scope.spawn(|| it.ask("select count(*) from pg_class"))).collect();
        asked.into_iter().map(joined).collect()
    });
    let (answered, took) = (answered?.len(), start.elapsed());
    let memory: Result<Vec<f64>> = made.iter().map(|it| pss_mib(it.server()?)).collect();
    println!(
        "\n{count} instances at once: all serve after {:.1} s ({HANDS} asked for at a time), {answered} answer within {:.2} s, \
         {:.0} MiB of memory in all (Pss), load average {}.",
        created.as_secs_f64(),
        took.as_secs_f64(),
        memory?.iter().sum::<f64>(),
        load_average()
    );
    for instance in &made {
        call(bench, "DeleteDBInstance", &[("DBInstanceId", &instance.id)])?;
    }
    Ok(())
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| "a thread panicked".to_owned())?
}

/// Memory of a server with all its processes, each shared page counted once among those that share it, MiB.
fn pss_mib(server: u32) -> Result<f64> {
    let kib = |pid: &u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()
    };
    Ok(watch::tree(server)?.iter().filter_map(kib).sum::<f64>() / 1024.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn private(path: &Path) -> Result<()> {
    let told = |e| format!("{}: {e}", path.display());
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(told)
}

/// A server that nobody manages.
struct Bare {
    // Field order is drop order: the server ends before its folder goes.
    _running: Running,
    _scratch: Scratch,
    port: u16,
}

impl Bare {
    /// As an instance, but for who looks after it.
    fn start(like: &Instance) -> Result<Self> {
        let managed = like.server()?;
        let exe = fs::read_link(format!("/proc/{managed}/exe"))
            .map_err(|e| format!("its program: {e}"))?;
        let bin = exe.parent().ok_or("its program is nowhere")?;
        let scratch = Scratch::new("bare")?;
        let owner = Owner::choose()?;
        owner.give(scratch.path())?;
        let data = scratch.path().join("data");
        let line = read(&like.passfile)?;
        let password = line.trim_end().rsplit(':').next().unwrap_or_default();
        let pwfile = scratch.path().join("password");
        write(&pwfile, password)?;
        let mut initdb = owner.command(bin.join("initdb"));
        initdb.args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--data-checksums",
        ]);
        initdb.args(["--username", NAME]).arg("--pwfile").arg(&pwfile);
        program::output(initdb.arg("--pgdata").arg(&data))?;
        for (setting, name) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
            // Beside the data where it is a plain name, else where it says.
            let from = PathBuf::from(like.ask("show data_directory")?)
                .join(like.ask(&format!("show {setting}"))?);
            let to = data.join(name);
            fs::copy(&from, &to).map_err(|e| format!("copy {}: {e}", from.display()))?;
            owner.give(&to)?;
            private(&to)?;
        }
        write(&data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 scram-sha-256\n")?;
        let sql = format!(
            "select name || '=' || current_setting(name) from pg_settings
             where source in ('configuration file', 'command line') and name not in ({OWN})"
        );
        let port = free_port()?;
        let log = File::create(scratch.path().join("log")).map_err(|e| format!("log: {e}"))?;
        let mut server = owner.command(bin.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(scratch.path());
        for setting in like.ask(&sql)?.lines() {
            server.args(["-c", setting]);
        }
        server.args(["-c", "listen_addresses=127.0.0.1", "-c", "ssl=on", "-p", &port.to_string()]);
        let mut running = Running::start(server.stdout(Stdio::null()).stderr(log))?;
        wait_for("the bare server", WAIT, || {
            running.check_alive()?;
            let mut psql = like.client("psql", port);
            psql.env("PGDATABASE", "postgres").args(["-XAtc", "select 1"]);
            Ok(program::succeeds(&mut psql).then_some(()))
        })
        .map_err(|e| format!("{e}\n{}", read(&scratch.path().join("log")).unwrap_or_default()))?;
        let mut made = like.client("psql", port);
        let sql = format!("create database {NAME}");
        program::output(made.env("PGDATABASE", "postgres").args(["-XAtc", &sql]))?;
        Ok(Self { _running: running, _scratch: scratch, port })
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr());
    listener.map(|address| address.port()).map_err(|e| format!("a free port: {e}"))
}

/// Transactions a second: bare, managed at its own port, managed through the gateway; all with TLS.
fn rates(plan: &Plan, instance: &Instance, bare: &Bare) -> Result<()> {
    let direct: u16 = instance
        .ask("select inet_server_port()")?
        .parse()
        .map_err(|_| "the server's own port is not understood".to_owned())?;
    for port in [bare.port, direct] {
        let mut fill = instance.client("pgbench", port);
        program::output(fill.args(["-i", "-q", "-s", &plan.scale]))?;
    }
    let ways = [("bare", bare.port), ("own port", direct), ("gateway", instance.gateway)];
    println!(
        "\nScale {}, {} clients, {} rounds of {} s, TLS everywhere; transactions a second:\n",
        plan.scale, plan.clients, plan.rounds, plan.seconds
    );
    println!("| load | bare | own port | ratio (goal 0.97) | gateway | ratio (goal 0.90) |");
    println!("|---|---|---|---|---|---|");
    for (load, words) in [("select-only", &["-S"][..]), ("TPC-B", &[])] {
        let mut found: [Vec<f64>; 3] = Default::default();
        for round in 0..plan.rounds {
            for turn in 0..ways.len() {
                // Nobody is always first.
                let way = (round + turn) % ways.len();
                let mut pgbench = instance.client("pgbench", ways[way].1);
                pgbench.args(words).args(["-n", "-M", "prepared", "-c", &plan.clients, "-j", "2"]);
                found[way].push(tps(&program::output(pgbench.args(["-T", &plan.seconds]))?)?);
            }
        }
        let ratio = |way: usize| {
            median(found[way].iter().zip(&found[0]).map(|(managed, bare)| managed / bare).collect())
        };
        let rate = |way: usize| median(found[way].clone());
        println!(
            "| {load} | {:.0} | {:.0} | {:.3} | {:.0} | {:.3} |",
            rate(0),
            rate(1),
            ratio(1),
            rate(2),
            ratio(2)
        );
    }
    Ok(())
}

/// What pgbench says that it reached.
fn tps(told: &str) -> Result<f64> {
    let line = told.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = line.and_then(|rest| rest.split(' ').next()?.parse().ok());
    number.ok_or_else(|| format!("pgbench told no rate: {told}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_tell_is_read() {
        let told = "latency average = 0.2 ms\ntps = 39793.1 (without initial connection time)\n";
        assert_eq!(tps(told), Ok(39793.1));
        assert!(tps("nothing").is_err());
        assert_eq!(port("postgres://127.0.0.1:7105"), Ok(7105));
        assert!(port("nowhere").is_err());
        let json = Json::parse(r#"{"Items": {"A": [{"B": "x"}]}}"#).expect("well formed");
        assert_eq!(text_at(&json, &["Items", "A", "0", "B"]).as_deref(), Some("x"));
        assert_eq!(text_at(&json, &["Items", "A", "1", "B"]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
