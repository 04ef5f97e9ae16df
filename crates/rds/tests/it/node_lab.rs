//! A node in a directory of its own, with the PostgreSQL of this machine, and what tests ask of its servers.
#![allow(clippy::disallowed_methods, reason = "tests run psql and other clients")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres_protocol::password::scram_sha_256;
use rds::engines::Build;
use rds::model::Engine;
use rds::node::Node;
use rds::node::api::{Account, Database, Limits, Observed, Role, Seed, Spec, Upstream};
use rds::node::driver::Driver;
use rds::node::pool::Network;
use rds::node::postgres::Postgres;
use tempfile::TempDir;

pub const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
pub const WAIT: Duration = Duration::from_secs(120);
pub const PASSWORD: &str = "Correct-horse-7";

pub fn build() -> Build {
    let server = PathBuf::from(PROGRAMS).join("postgres");
    let bytes = std::fs::read(&server).expect("PostgreSQL 15 is installed");
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let sha256 = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let version = Command::new(&server).arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    Build {
        engine: Engine::Postgres,
        major: "15".to_owned(),
        version: version.split_whitespace().nth(2).unwrap().to_owned(),
        programs: PathBuf::from(PROGRAMS),
        sha256,
        extensions: vec!["pg_stat_statements".to_owned()],
        offers: Vec::new(),
        libraries: None,
        settings: Vec::new(),
    }
}

pub fn drivers() -> Vec<Arc<dyn Driver>> {
    vec![Arc::new(Postgres)]
}

/// A directory that users of servers may pass through.
pub fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    dir
}

/// A node whose servers have been stopped, and whose directory goes, when [`Lab::end`] was called.
pub struct Lab {
    pub dir: TempDir,
    pub node: Node,
}

impl Lab {
    pub fn new() -> Self {
        Self::at(directory())
    }

    pub fn at(dir: TempDir) -> Self {
        // A range of its own for each test: they run at the same time.
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let from = 700_000 + NEXT.fetch_add(20, Ordering::Relaxed);
        let node = Node::open(
            dir.path(),
            Network::default(),
            from..from + 20,
            Arc::new(|| vec![build()]),
            drivers(),
        )
        .unwrap();
        Self { dir, node }
    }

    pub async fn put(&self, spec: &Spec) -> Observed {
        self.node.put(&spec.id, spec.clone(), WAIT).await.unwrap()
    }

    /// As [`Self::put`], where everything has to go well.
    pub async fn serve(&self, spec: &Spec) -> Observed {
        let observed = self.put(spec).await;
        assert_eq!(observed.trouble, "");
        assert_eq!(observed.generation, spec.generation, "{observed:?}");
        observed
    }

    pub async fn observed(&self, id: &str) -> Observed {
        self.node.keeper(id).unwrap().observed().await
    }

    pub async fn end(self) {
        for observed in self.node.all_observed().await {
            self.node.delete(&observed.id, i64::MAX, WAIT).await.unwrap();
        }
    }
}

pub fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["db.test".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

pub fn spec(id: &str) -> Spec {
    let (certificate, key) = certificate();
    Spec {
        id: id.to_owned(),
        generation: 1,
        term: 1,
        engine: Engine::Postgres,
        major: "15".to_owned(),
        running: true,
        restarts: 0,
        role: Role::Primary,
        seed: Seed::Template,
        listen: vec!["127.0.0.1".parse().unwrap()],
        limits: Limits { memory_mib: 512, cpu_milli: 1000, storage_gib: 5, connections: 30 },
        parameters: BTreeMap::new(),
        hba: vec!["hostssl all all 127.0.0.1/32 scram-sha-256".to_owned()],
        accounts: vec![account("chief", true)],
        databases: vec![database("shop", "chief")],
        grants: Vec::new(),
        replicator: "replicator-password".to_owned(),
        peers: Vec::new(),
        certificate,
        key,
        leased: false,
        synchronous: String::new(),
        slots: None,
        extensions: Vec::new(),
        time_zone: String::new(),
    }
}

/// That spec as the standby of a server.
pub fn standby_of(spec: &Spec, id: &str, primary: &Observed) -> Spec {
    let upstream = Upstream {
        host: primary.host.clone(),
        port: primary.port,
        slot: id.replace('-', "_"),
        name: String::new(),
    };
    Spec {
        id: id.to_owned(),
        role: Role::Standby { upstream, readable: true },
        seed: Seed::Copy,
        ..spec.clone()
    }
}

pub fn account(name: &str, privileged: bool) -> Account {
    Account {
        name: name.to_owned(),
        privileged,
        locked: false,
        verifier: scram_sha_256(PASSWORD.as_bytes()),
        wanted: true,
    }
}

pub fn database(name: &str, owner: &str) -> Database {
    Database {
        name: name.to_owned(),
        owner: owner.to_owned(),
        charset: "UTF8".to_owned(),
        collation: String::new(),
        ctype: String::new(),
        wanted: true,
    }
}

/// `psql`, as that account, over TLS.
pub fn psql(observed: &Observed, account: &str, database: &str) -> Command {
    let mut command = Command::new(format!("{PROGRAMS}/psql"));
    command
        .env("PGPASSWORD", PASSWORD)
        .env("PGSSLMODE", "require")
        .env("PGCONNECT_TIMEOUT", "10")
        .args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"])
        .args(["--host", &observed.host, "--port", &observed.port.to_string()])
        .args(["--username", account, "--dbname", database]);
    command
}

/// What a statement answers, or the error.
pub fn sql(
    observed: &Observed,
    account: &str,
    database: &str,
    text: &str,
) -> Result<String, String> {
    let output = psql(observed, account, database).args(["--command", text]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

/// The same as the chief in the shop, who may.
pub fn ask(observed: &Observed, text: &str) -> String {
    sql(observed, "chief", "shop", text).unwrap()
}

/// The same as the administrator, who comes from the machine itself.
pub fn administer(lab: &Lab, observed: &Observed, text: &str) -> String {
    let conf = lab.dir.path().join("instances").join(&observed.id).join("conf/postgresql.conf");
    let conf = std::fs::read_to_string(conf).unwrap();
    let word = "unix_socket_directories = '";
    let socket = conf.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    let output = psql(observed, "awan_admin", "postgres")
        .args(["--host", socket.trim_end_matches('\''), "--command", text])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Waits until that is so.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begin.elapsed() < WAIT, "waited too long: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the instance serves, with another process than that.
pub async fn serving(lab: &Lab, id: &str, not: u32) -> Observed {
    until("serving", async || {
        let observed = lab.observed(id).await;
        let serves = observed.phase == rds::node::api::Phase::Serving && observed.pid != not;
        (serves && observed.pid != 0 && observed.timeline != 0).then_some(observed)
    })
    .await
}

/// The effective user of a process, and whether there is one.
pub fn uid_of(pid: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
