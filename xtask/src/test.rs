//! `cargo xtask test`: everything that must pass. Rust tests on both databases, then real clients
//! against a real `awan serve`, over plain HTTP and over TLS, first on SQLite and then, shorter, on
//! PostgreSQL; then outside judges of what the cloud published. Everything it starts it stops again.

mod backends;
mod bill;
mod log;
mod outside;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Args;
use crate::cloud::{Cloud, Life, free_port_base};
use crate::lanes::{Counts, Lanes, Runner};
use crate::postgres::Postgres;
use crate::workspace::{Scratch, Workspace, read, write};
use crate::{Result, Verdict, conformance, process, setup};
use bill::Bills;
use log::{Evidence, Keeper};
use outside::Outside;

pub(crate) const HELP: &str = "\
Run everything that must pass, real clients included.

Usage: cargo xtask test [OPTIONS] [-- FILTER]

Options:
  --only rust       only the Rust tests, on SQLite and PostgreSQL
  --only clients    only the outside clients, with the cloud on SQLite
  --only postgres   only the outside clients, with the cloud on PostgreSQL
  --only backends   only the clouds whose bytes are in stores that others made

FILTER goes to the runners: a part of the names of the tests to run.
The last line is the sum: `N passed, N failed`.
";

/// Where the store's test suite is told of a PostgreSQL server.
const POSTGRES_VARIABLE: &str = "AWAN_TEST_POSTGRES";

/// Where the in-process cloud of the tests is told which database to use.
const ENGINE_VARIABLE: &str = "AWAN_TEST_ENGINE";

/// Where tests of database servers are told of a store of engines.
const STORE_VARIABLE: &str = "AWAN_TEST_DB_ENGINES";

/// The crates whose integration tests run on an in-process cloud.
const SERVICES: [&str; 5] = ["engine", "agreement", "billing", "ram", "oss"];

pub(crate) fn run(workspace: &Workspace, mut args: Args) -> Verdict {
    let only = args.choice("--only", &["rust", "clients", "postgres", "backends"])?;
    let filter = args.after_dashes();
    args.finish()?;
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);

    let mut lanes = Lanes::default();
    let absent = setup::ensure(&needs(&wanted));
    let postgres = if wanted("clients") && only.is_some() { None } else { start_postgres() };
    if wanted("rust") {
        rust(workspace, &mut lanes, postgres.as_ref(), &filter);
    }
    if wanted("clients") || wanted("postgres") {
        let run =
            clients(workspace, &mut lanes, &absent, filter.clone(), postgres.as_ref(), &wanted);
        run.unwrap_or_else(|why| lanes.add("clients", || Err(why)));
    }
    if wanted("backends") {
        far(workspace, &mut lanes, &absent, (postgres.as_ref(), &filter));
    }
    Ok(lanes.conclude())
}

fn needs(wanted: &dyn Fn(&str) -> bool) -> Vec<&'static setup::Need> {
    let mut needs = Vec::new();
    if wanted("rust") || wanted("postgres") || wanted("backends") {
        needs.push(&setup::POSTGRES);
    }
    if wanted("rust") {
        needs.extend([&setup::MARIADB, &setup::PIP]);
    }
    if wanted("clients") || wanted("postgres") {
        needs.extend([&setup::PYTHON, &setup::NODE, &setup::GO, &setup::CHROMIUM]);
        needs.extend([&setup::FAKETIME, &setup::RCLONE, &setup::RESTIC]);
    }
    if wanted("backends") && !needs.iter().any(|need| need.name == setup::PYTHON.name) {
        needs.push(&setup::PYTHON);
    }
    needs
}

/// Clouds on stores that others made.
fn far(
    workspace: &Workspace,
    lanes: &mut Lanes,
    absent: &[(&'static str, String)],
    (postgres, filter): (Option<&Postgres>, &[String]),
) {
    let pins = workspace.root.join("tests/clients/requirements.txt");
    let missing = absent.iter().find(|(name, _)| *name == setup::PYTHON.name);
    let python = match missing {
        Some((name, why)) => Err(format!("{name} is missing: {why}")),
        None => setup::python(workspace, &pins),
    };
    match workspace.build_awan(false) {
        Ok(awan) => backends::run(workspace, lanes, &awan, &python, (postgres, filter)),
        Err(why) => lanes.add("storage backends", || Err(why)),
    }
}

fn start_postgres() -> Option<Postgres> {
    Postgres::start().inspect_err(|why| eprintln!("no PostgreSQL: {why}")).ok()
}

fn rust(workspace: &Workspace, lanes: &mut Lanes, postgres: Option<&Postgres>, filter: &[String]) {
    let mut cargo = workspace.cargo();
    let runner = if process::succeeds(workspace.cargo().args(["nextest", "--version"])) {
        cargo.args(["nextest", "run", "--no-tests=pass"]);
        Runner::Nextest
    } else {
        cargo.arg("test");
        Runner::Cargo
    };
    cargo.args(["--workspace", "--locked", "--no-fail-fast"]).args(filter);
    let awan = workspace.build_awan(false);
    match awan.and_then(|awan| setup::engines(workspace, &awan)) {
        Ok(store) => {
            cargo.env(STORE_VARIABLE, store);
        }
        // The tests that need one say so by failing.
        Err(why) => eprintln!("no store of database engines: {why}"),
    }
    match postgres {
        Some(server) => {
            cargo.env(POSTGRES_VARIABLE, server.conninfo("postgres"));
        }
        None => lanes.skip("Rust, PostgreSQL", "there is no PostgreSQL server"),
    }
    lanes.run("Rust", runner, &mut cargo);
    if let Some(server) = postgres {
        let mut cargo = workspace.cargo();
        let tested = SERVICES.iter().flat_map(|name| ["--package", name]);
        cargo
            .args(["test", "--locked", "--no-fail-fast", "--test", "it"])
            .args(tested)
            .args(filter);
        cargo.env(POSTGRES_VARIABLE, server.conninfo("postgres")).env(ENGINE_VARIABLE, "postgres");
        lanes.run("Rust, services on PostgreSQL", Runner::Cargo, &mut cargo);
    }
}

fn clients(
    workspace: &Workspace,
    lanes: &mut Lanes,
    absent: &[(&'static str, String)],
    filter: Vec<String>,
    postgres: Option<&Postgres>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let clients = Clients::install(workspace, absent, filter)?;
    if wanted("clients") {
        clients.against(lanes, &Backend::Sqlite);
        if clients.filter.is_empty() {
            let python = clients.python.as_ref().map(|_| ()).map_err(Clone::clone);
            conformance::packaged(workspace, lanes, &clients.awan, python);
            clients.outside.sample_pages(workspace, lanes);
        }
    }
    if wanted("postgres") {
        match postgres {
            Some(server) => clients.against(lanes, &Backend::Postgres(server)),
            None => lanes.skip("clients, PostgreSQL", "there is no PostgreSQL server"),
        }
    }
    Ok(())
}

enum Backend<'a> {
    Sqlite,
    Postgres(&'a Postgres),
}

impl Backend<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// The options with which `awan serve` runs on this database, with the clients' data centres.
    fn options(&self, scratch: &Path, clients: &Path) -> Result<Vec<String>> {
        let mut text = read(&clients.join("awan.toml"))?;
        if let Self::Postgres(server) = self {
            server.create_database("awan_clients")?;
            let secret = scratch.join("conninfo");
            write(&secret, server.conninfo("awan_clients"))?;
            text.push_str(&format!("\n[store]\npostgres = \"file:{}\"\n", secret.display()));
        }
        let config = scratch.join("awan.toml");
        write(&config, text)?;
        Ok(vec!["--config".to_owned(), config.display().to_string()])
    }
}

/// The outside clients as installed; an error tells why one is not.
struct Clients {
    dir: PathBuf,
    root: PathBuf,
    awan: PathBuf,
    python: Result<PathBuf>,
    node: Result<PathBuf>,
    go: Result<()>,
    faketime: Result<()>,
    outside: Outside,
    filter: Vec<String>,
}

impl Clients {
    fn install(
        workspace: &Workspace,
        absent: &[(&'static str, String)],
        filter: Vec<String>,
    ) -> Result<Self> {
        let dir = workspace.root.join("tests/clients");
        let there = |need: &setup::Need| {
            let missing = absent.iter().find(|(name, _)| *name == need.name);
            missing.map_or(Ok(()), |(name, why)| Err(format!("{name} is missing: {why}")))
        };
        let python = there(&setup::PYTHON)
            .and_then(|()| setup::python(workspace, &dir.join("requirements.txt")));
        let node = there(&setup::NODE).and_then(|()| setup::node(workspace, &dir.join("node")));
        let go = there(&setup::GO);
        let faketime = there(&setup::FAKETIME);
        let awan = workspace.build_awan(false)?;
        let outside = Outside::install(workspace, &there);
        let root = workspace.root.clone();
        Ok(Self { dir, root, awan, python, node, go, faketime, outside, filter })
    }

    /// Starts a cloud on `backend`, runs every client against it and stops it.
    fn against(&self, lanes: &mut Lanes, backend: &Backend<'_>) {
        let name = backend.name();
        let (cloud, scratch, options) = match self.serve(backend) {
            Ok(served) => served,
            Err(why) => return lanes.add(&format!("clients, {name}"), || Err(why)),
        };
        let public_log = cloud.data_dir().join("log");
        let keeper = Keeper::start(&public_log, scratch.path());
        self.python(lanes, backend, &cloud);
        self.node(lanes, backend, &cloud);
        let mut bills = None;
        if self.filter.is_empty() {
            bills = self.demonstrate(lanes, backend, &cloud, (scratch.path(), options));
            self.judge(lanes, backend, &cloud);
        }
        let key = cloud.file().and_then(|file| file.log_key().map(str::to_owned));
        let mut log = Ok(String::new());
        lanes.add(&format!("drain, {name}"), || {
            log = cloud.stop();
            log.as_ref().map(|_| ONE).map_err(Clone::clone)
        });
        self.quiet_log(lanes, &format!("quiet log, {name}"), log);
        let checkpoints = keeper.and_then(Keeper::finish);
        if self.filter.is_empty() {
            let evidence = key
                .and_then(|key| Ok(Evidence { log: public_log, key, checkpoints: checkpoints? }));
            match evidence {
                Ok(evidence) => self.verify_log(lanes, name, scratch.path(), &evidence),
                Err(why) => lanes.add(&format!("log verifiers, {name}"), || Err(why)),
            }
        }
        // Last, for the log grows by it.
        if let Some(bills) = bills {
            let log = bills.judge(lanes);
            self.quiet_log(lanes, "quiet log, a day later", log);
        }
    }

    /// Runs the demonstration, whose bill is judged when its hours are over. A bill is the same on
    /// every database, so one is enough.
    fn demonstrate(
        &self,
        lanes: &mut Lanes,
        backend: &Backend<'_>,
        cloud: &Cloud,
        (scratch, options): (&Path, Vec<String>),
    ) -> Option<Bills<'_>> {
        let Backend::Sqlite = backend else { return None };
        if let Err(why) = &self.faketime {
            lanes.skip("bills", why);
            return None;
        }
        let bills = Bills::new(&self.awan, &self.outside, cloud, scratch, options);
        let bills = bills.inspect_err(|why| lanes.add("bills", || Err(why.clone()))).ok()?;
        bills.demonstrate(lanes, &self.root.join("examples/pemilu2024"));
        Some(bills)
    }

    fn quiet_log(&self, lanes: &mut Lanes, name: &str, log: Result<String>) {
        let allowed = read(&self.dir.join("log.allowed"));
        lanes.add(name, || quiet_log(&log?, &allowed?));
    }

    /// Lets outside judges look at the running cloud. What the database cannot change is judged
    /// on one database only.
    fn judge(&self, lanes: &mut Lanes, backend: &Backend<'_>, cloud: &Cloud) {
        let name = backend.name();
        if let Backend::Sqlite = backend {
            let load = || self.load(cloud);
            lanes.add(&format!("long log, {name}"), || log::grow(cloud.data_dir(), load));
            self.outside.pages(lanes, name, cloud);
        }
        self.outside.releases(lanes, name, cloud);
    }

    /// What makes entries in the log, four at a time.
    fn load(&self, cloud: &Cloud) -> Command {
        let mut load = Command::new(&self.awan);
        load.args(["load", "create-user", "--connections", "4"]);
        load.arg("--data-dir").arg(cloud.data_dir());
        load
    }

    /// A cloud for the clients, and the options with which it can be started again.
    fn serve(&self, backend: &Backend<'_>) -> Result<(Cloud, Scratch, Vec<String>)> {
        let scratch = Scratch::new("clients")?;
        let options = backend.options(scratch.path(), &self.dir)?;
        let ports = ["--port-base".to_owned(), free_port_base()?.to_string()];
        let data_dir = scratch.path().join("data");
        let cloud =
            Cloud::start(&self.awan, &data_dir, &[&options, &ports[..]].concat(), Life::Run)?;
        Ok((cloud, scratch, options))
    }

    fn python(&self, lanes: &mut Lanes, backend: &Backend<'_>, cloud: &Cloud) {
        let name = format!("Python clients, {}", backend.name());
        let venv = match &self.python {
            Ok(venv) => venv,
            Err(why) => return lanes.skip(&name, why),
        };
        let mut command = Command::new(venv.join("bin/python"));
        setup::enter_python(&mut command, venv);
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
        if let Backend::Postgres(_) = backend {
            command.arg("--short");
        }
        if !self.filter.is_empty() {
            command.arg("-k").arg(self.filter.join(" or "));
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("AWAN_CLOUD", cloud.file_path()).env("AWAN_PROGRAM", &self.awan);
        lanes.run(&name, Runner::Pytest, command.current_dir(&self.dir));
    }

    fn node(&self, lanes: &mut Lanes, backend: &Backend<'_>, cloud: &Cloud) {
        let name = format!("Node clients, {}", backend.name());
        let modules = match &self.node {
            Ok(modules) => modules,
            Err(why) => return lanes.skip(&name, why),
        };
        let mut command = Command::new("node");
        command.args(["--test", "--test-reporter=spec"]);
        for word in &self.filter {
            command.arg(format!("--test-name-pattern={word}"));
        }
        command.arg(self.dir.join("node/test.mjs"));
        command.env("NODE_PATH", modules).env("AWAN_CLOUD", cloud.file_path());
        if let Ok(ca_cert) = cloud.file().and_then(|file| file.ca_cert().map(str::to_owned)) {
            command.env("NODE_EXTRA_CA_CERTS", ca_cert);
        }
        lanes.run(&name, Runner::Node, command.current_dir(&self.root));
    }

    /// Lets two programs that share no code with the log judge it, now that its cloud has ended.
    fn verify_log(&self, lanes: &mut Lanes, backend: &str, scratch: &Path, evidence: &Evidence) {
        let name = format!("Go log verifier, {backend}");
        match self.go.as_ref().map(|()| self.build_go_verifier(scratch)) {
            Err(why) => lanes.skip(&name, why),
            Ok(Err(why)) => lanes.add(&name, || Err(why)),
            Ok(Ok(program)) => evidence.judge(lanes, &name, || Command::new(&program)),
        }
        let name = format!("aics-tlog, {backend}");
        match self.outside.log_verifier() {
            Err(why) => lanes.skip(&name, &why),
            Ok(verifier) => evidence.judge(lanes, &name, verifier),
        }
    }

    /// Builds the log verifier that uses Go's own checksum-database code. Gives the program.
    fn build_go_verifier(&self, scratch: &Path) -> Result<PathBuf> {
        let program = scratch.join("verifylog");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(self.dir.join("go/verifylog/main.go"));
        build.env("GO111MODULE", "off").env("GOPATH", setup::GO_PATH).env("GOFLAGS", "");
        process::run(&mut build).map(|()| program)
    }
}

/// One test that passed.
const ONE: Counts = Counts { passed: 1, failed: 0, skipped: 0 };

/// A cloud that served only right and wrong *requests* has no reason to log an error or a warning.
fn quiet_log(log: &str, allowed: &str) -> Result<Counts> {
    let allowed: Vec<&str> = allowed
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let loud: Vec<&str> = log
        .lines()
        .filter(|line| is_loud(line) && !allowed.iter().any(|part| line.contains(part)))
        .collect();
    if loud.is_empty() {
        return Ok(ONE);
    }
    Err(format!("{} lines that nobody expected\n{}", loud.len(), loud.join("\n")))
}

/// Whether a log line, as text or as JSON, is an error, a warning or a panic.
fn is_loud(line: &str) -> bool {
    let level = |word: &str| {
        line.contains(&format!("\"level\":\"{word}\""))
            || line.split_whitespace().take(3).any(|part| part == word)
    };
    level("ERROR") || level("WARN") || line.contains("panicked at")
}

#[cfg(test)]
mod tests;
