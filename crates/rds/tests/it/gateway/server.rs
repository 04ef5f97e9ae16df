//! A real PostgreSQL with TLS under an authority of the test's own.
#![allow(clippy::disallowed_methods, reason = "runs the programs that the gateway is for")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

pub const PASSWORD: &str = "rahasia-uji";
/// Nobody, who may be a server.
const USER: u32 = 65_534;

/// Where the programs of a PostgreSQL are.
fn programs() -> PathBuf {
    let found = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        found.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("postgres").exists());
    found.max().expect("a PostgreSQL server in /usr/lib/postgresql; cargo xtask setup installs it")
}

pub fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join(name));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command
}

/// A server, ended and removed with this.
pub struct Postgres {
    dir: TempDir,
    child: Option<Child>,
    port: u16,
}

impl Postgres {
    /// Makes one whose certificate has these names, and starts it.
    pub fn start(names: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("rds-gateway").tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut this = Self { dir, child: None, port };
        let root = rustix::process::getuid().is_root();
        if root {
            chown(this.dir.path(), Some(USER), Some(USER)).unwrap();
        }
        fs::write(this.path("password"), PASSWORD).unwrap();
        fs::set_permissions(this.path("password"), fs::Permissions::from_mode(0o644)).unwrap();
        let made = this
            .own("initdb")
            .args(["-N", "-U", "app", "-A", "scram-sha-256", "-E", "UTF8", "--locale", "C.UTF-8"])
            .arg("--pwfile")
            .arg(this.path("password"))
            .arg("-D")
            .arg(this.path("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        this.certify(names);
        let rules = "local all all trust\nhostssl all all 127.77.0.1/32 scram-sha-256\n\
             hostssl all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(this.path("data/pg_hba.conf"), rules).unwrap();
        this.run();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program as the user that the server is.
    fn own(&self, name: &str) -> Command {
        let mut command = program(name);
        command.current_dir(self.dir.path());
        if rustix::process::getuid().is_root() {
            command.uid(USER).gid(USER);
        }
        command
    }

    fn certify(&self, names: &[&str]) {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.distinguished_name.push(DnType::CommonName, "authority of a test");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let root = authority.clone().self_signed(&authority_key).unwrap();
        fs::write(self.ca(), root.pem()).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        for (name, text) in [("server.crt", leaf.pem()), ("server.key", key.serialize_pem())] {
            let path = self.path("data").join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            if rustix::process::getuid().is_root() {
                chown(&path, Some(USER), Some(USER)).unwrap();
            }
        }
    }

    /// The authority's certificate.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Starts it and waits until it serves.
    pub fn run(&mut self) {
        let mut server = self.own("postgres");
        server.arg("-D").arg(self.path("data")).arg("-k").arg(self.dir.path());
        server.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        for setting in ["ssl=on", "fsync=off", "shared_buffers=64MB", "max_connections=50"] {
            server.args(["-c", setting]);
        }
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        self.child = Some(server.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        for _ in 0..600 {
            let asked = program("psql")
                .args(["-h", &self.dir.path().display().to_string(), "-p", &self.port.to_string()])
                .args(["-U", "app", "-d", "postgres", "-Atc", "select 1"])
                .output()
                .unwrap();
            if asked.status.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no server: {}", fs::read_to_string(self.path("log")).unwrap_or_default());
    }

    /// Ends it as an administrator does.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = rustix::process::Pid::from_child(&child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            child.wait().unwrap();
        }
    }

    /// A client program against that port, for an instance's name, with full verification.
    pub fn client(&self, name: &str, port: u16, host: &str, more: &str) -> Command {
        let mut command = program(name);
        let ca = self.ca().display().to_string();
        command.env("PGPASSWORD", PASSWORD).env("PGHOSTADDR", "127.0.0.1").env("PGHOST", host);
        command.env("PGPORT", port.to_string()).env("PGUSER", "app").env("PGDATABASE", "postgres");
        command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", ca);
        for pair in more.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap();
            command.env(key, value);
        }
        command
    }

    /// What psql says to a statement, on both streams.
    pub async fn psql(&self, port: u16, host: &str, more: &str, sql: &str) -> (bool, String) {
        let mut command = self.client("psql", port, host, more);
        command.args(["-X", "-At", "-c", sql]);
        let output: Output =
            tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
