//! A PostgreSQL server of a test's own, a cloud that knows it as an instance, and a vault in memory.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base::{AccountId, ApiError, SystemClock, SystemRng, Time};
use bytes::Bytes;
use engine::Cloud;
use engine::action::Registry;
use engine::cloud::Parts;
use engine::ports::{Kept, OnePiece, Pending, Pieces, Vault, VaultBucket};
use engine::seal::Seal;
use engine::task::Runner;
use rds::backup::archive::Archiver;
use rds::backup::base::Backups;
use rds::backup::restore::{self, Seeds, Sent};
use rds::backup::restore_test::{Prover, RestoreTests};
use rds::backup::schedule::Schedule;
use rds::backup::wal::Lsn;
use rds::backup::{Desk, Pace};
use store::{Config, Db, params};
use tempfile::TempDir;
use testkit::{Granted, Keys};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, NoTls};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub const INSTANCE: &str = "pgm-backuptest";
pub const ACCOUNT: AccountId = AccountId::new(1_000_000_000_000_001);
pub const PASSWORD: &str = "a password of the replicator";

/// Where the programs are: of the version that the environment says, or of the system's.
#[allow(clippy::disallowed_methods, reason = "tests read their own environment")]
fn programs() -> PathBuf {
    let told = std::env::var("AWAN_TEST_PROGRAMS").map(PathBuf::from);
    let known = told.unwrap_or_else(|_| PathBuf::from("/usr/lib/postgresql/15/bin"));
    let is_there = known.join("postgres").is_file();
    assert!(is_there, "{} has no PostgreSQL: run the set-up", known.display());
    known
}

/// The major version of the programs.
fn major() -> String {
    let said = command("postgres").arg("--version").stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let version = said.split(' ').find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    version.unwrap().split('.').next().unwrap().trim().to_owned()
}

/// The user that servers run as where the tests run as root, which servers refuse.
fn owner() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).expect("a user for servers");
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

#[allow(clippy::disallowed_methods, reason = "the test is the parent of its servers")]
fn command(program: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(programs().join(program));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((uid, gid)) = owner() {
        command.uid(uid).gid(gid);
    }
    command
}

fn give(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    if let Some((uid, gid)) = owner() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn give_all(path: &Path) {
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            give_all(&entry.path());
        } else {
            give(&entry.path(), 0o600);
        }
    }
    give(path, 0o700);
}

/// A server: killed when dropped.
pub struct Server {
    pub dir: TempDir,
    pub port: u16,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// A new one, with these settings besides.
    fn new(settings: &str, certificate: &str, key: &str) -> Self {
        let dir = TempDir::new().unwrap();
        give(dir.path(), 0o755);
        let data = dir.path().join("data");
        let made = command("initdb")
            .args(["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"])
            .args(["--data-checksums", "--pgdata"])
            .arg(&data)
            .status();
        assert!(made.unwrap().success(), "initdb");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            std::fs::write(data.join(name), text).unwrap();
        }
        let hba = "local all postgres trust\n\
                   hostssl replication awan_replicator 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), hba).unwrap();
        append(&data, "ssl = on\nfsync = off\nmax_wal_senders = 5\nshared_buffers = 32MB\n");
        append(&data, settings);
        give_all(&data);
        let mut server = Self::start(dir);
        server.wait_blocking();
        server
    }

    /// Starts what is in a directory.
    pub fn start(dir: TempDir) -> Self {
        let port = free_port();
        let child = Self::spawn(dir.path(), port);
        Self { dir, port, child }
    }

    fn spawn(dir: &Path, port: u16) -> Child {
        let log =
            std::fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
        command("postgres")
            .arg("-D")
            .arg(dir.join("data"))
            .arg("-k")
            .arg(dir)
            .args(["-c", "listen_addresses=127.0.0.1", "-p", &port.to_string()])
            .stderr(log)
            .spawn()
            .unwrap()
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Ends all of its processes at once.
    pub fn kill(&mut self) {
        let pid = self.child.id();
        if let Some(pid) = rustix::process::Pid::from_raw(pid.cast_signed()) {
            // Its children end by themselves when they notice; at once where they are told.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = self.child.wait();
    }

    /// Kills it and everything that it has.
    pub fn destroy(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
        std::fs::remove_dir_all(self.data()).unwrap();
    }

    /// Stops it in order, and starts it as a standby that becomes the primary of another timeline.
    pub async fn fail_over(&mut self) {
        self.kill();
        std::fs::write(self.data().join("standby.signal"), "").unwrap();
        give(&self.data().join("standby.signal"), 0o600);
        self.child = Self::spawn(self.dir.path(), self.port);
        let client = self.client().await;
        let _ = client.query_one("SELECT pg_promote()", &[]).await.unwrap();
        let _ = client.batch_execute("CHECKPOINT").await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn wait_blocking(&mut self) {
        let until = Instant::now() + Duration::from_secs(60);
        let socket = self.dir.path().join(format!(".s.PGSQL.{}", self.port));
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", self.log());
            }
            assert!(Instant::now() < until, "the server does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection of the administrator's, as soon as the server takes one.
    pub async fn client(&self) -> Client {
        let until = Instant::now() + Duration::from_secs(60);
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.dir.path()).port(self.port).user("postgres").dbname("postgres");
        loop {
            match config.connect(NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => {
                    assert!(Instant::now() < until, "no connection: {error}: {}", self.log());
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Waits until it takes writes.
    pub async fn writable(&self) -> Client {
        let until = Instant::now() + Duration::from_secs(60);
        let client = self.client().await;
        loop {
            let row = client.query_one("SELECT pg_is_in_recovery()", &[]).await.unwrap();
            if !row.get::<_, bool>(0) {
                return client;
            }
            assert!(Instant::now() < until, "it does not come out of recovery: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn append(data: &Path, text: &str) {
    use std::io::Write as _;
    let path = data.join("postgresql.conf");
    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Objects in memory.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, (Bytes, Time)>>);

impl Memory {
    pub fn keys(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }

    pub fn bytes(&self, key: &str) -> Option<Bytes> {
        self.0.lock().unwrap().get(key).map(|(bytes, _)| bytes.clone())
    }

    /// Everything that is there was stored so much later.
    pub fn stored_later(&self, by: Duration) {
        for (_, modified) in self.0.lock().unwrap().values_mut() {
            *modified = modified.plus(by);
        }
    }

    pub fn total(&self) -> u64 {
        self.0.lock().unwrap().values().map(|(bytes, _)| bytes.len() as u64).sum()
    }
}

fn now() -> Time {
    base::Clock::now(&SystemClock)
}

impl Vault for Memory {
    fn ensure(&self, bucket: VaultBucket) -> Pending<'_, String> {
        let name = format!("awan-{}-{}", bucket.service, bucket.account);
        Box::pin(std::future::ready(Ok(name)))
    }

    fn put<'a>(&'a self, _: &'a str, key: &'a str, mut body: Box<dyn Pieces>) -> Pending<'a, u64> {
        Box::pin(async move {
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await? {
                bytes.extend_from_slice(&piece);
            }
            let size = bytes.len() as u64;
            self.0.lock().unwrap().insert(key.to_owned(), (bytes.into(), now()));
            Ok(size)
        })
    }

    fn get<'a>(&'a self, _: &'a str, key: &'a str) -> Pending<'a, Option<Box<dyn Pieces>>> {
        let bytes = self.bytes(key);
        let body = bytes.map(|bytes| Box::new(OnePiece::new(bytes)) as Box<dyn Pieces>);
        Box::pin(std::future::ready(Ok(body)))
    }

    fn list<'a>(
        &'a self,
        _: &'a str,
        prefix: &'a str,
        after: &'a str,
        limit: usize,
    ) -> Pending<'a, Vec<Kept>> {
        let objects = self.0.lock().unwrap();
        let all = objects.range::<str, _>((
            std::ops::Bound::Excluded(after.max("")),
            std::ops::Bound::Unbounded,
        ));
        let found = all.filter(|(key, _)| key.starts_with(prefix)).take(limit);
        let kept = found.map(|(key, (bytes, modified))| Kept {
            key: key.clone(),
            size: bytes.len() as u64,
            modified: *modified,
        });
        Box::pin(std::future::ready(Ok(kept.collect())))
    }

    fn delete<'a>(&'a self, _: &'a str, keys: Vec<String>) -> Pending<'a, ()> {
        let mut objects = self.0.lock().unwrap();
        for key in keys {
            objects.remove(&key);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

/// An archiver under way.
pub struct Archiving {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Archiving {
    /// Ends it in the middle of what it does.
    pub fn kill(&self) {
        self.task.abort();
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// Everything that a test has.
pub struct World {
    pub server: Server,
    pub desk: Arc<Desk>,
    pub vault: Arc<Memory>,
    _dir: TempDir,
}

impl World {
    /// A server that runs, and a cloud that knows it as a running instance.
    pub async fn new(settings: &str) -> Self {
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let (certificate, key) = certificate();
        let (config, chain, secret) = (settings.to_owned(), certificate.clone(), key.clone());
        let server = tokio::task::spawn_blocking(move || Server::new(&config, &chain, &secret))
            .await
            .unwrap();
        let client = server.client().await;
        let role = format!(
            "SET password_encryption = 'scram-sha-256'; \
             CREATE ROLE awan_replicator LOGIN REPLICATION PASSWORD '{PASSWORD}'; \
             CREATE TABLE line (id BIGINT PRIMARY KEY, at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp())"
        );
        client.batch_execute(&role).await.unwrap();
        let dir = TempDir::new().unwrap();
        let path = dir.path().to_owned();
        let cloud = tokio::task::spawn_blocking(move || cloud(&path)).await.unwrap();
        let mut roots = RootCertStore::empty();
        let pem = certificate.as_bytes();
        let der = pem_der(pem);
        roots.add(der.into()).unwrap();
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let vault = Arc::new(Memory::default());
        let desk = Arc::new(Desk {
            cloud: Arc::clone(&cloud),
            vault: Arc::clone(&vault) as Arc<dyn Vault>,
            tls: Arc::new(tls),
            pace: Pace { look: Duration::from_millis(50), ..Pace::default() },
            nodes: None,
        });
        let world = Self { server, desk, vault, _dir: dir };
        world.insert_instance(&certificate, &key).await;
        world
    }

    async fn insert_instance(&self, certificate: &str, key: &str) {
        let secrets = rds::model::Secrets {
            replicator: PASSWORD.to_owned(),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            ..rds::model::Secrets::default()
        };
        let plain = serde_json::to_vec(&secrets).unwrap();
        let sealed = self.desk.cloud.seal.seal(&format!("rds.instance/{INSTANCE}"), &plain);
        let (port, now, major) = (i64::from(self.server.port), now(), major());
        let insert = move |tx: &mut store::Tx<'_>| {
            tx.execute(
                "INSERT INTO rds_instance (id, account, region, engine, major, class, storage_gib, category,
                     data_class, parent, status, wanted, generation, settled, restarts, term, name, origin, options,
                     secrets, created)
                 VALUES (?1, ?2, 'ap-southeast-5', 'PostgreSQL', ?5, 'pg.n2.1c.1m', 20, 'Basic', 'internal',
                     NULL, 'Running', 'running', 1, 1, 0, 1, 'backuptest', '\"Template\"', '{}', ?3, ?4)",
                params![INSTANCE, ACCOUNT, &sealed, now, &major],
            )?;
            tx.execute(
                "INSERT INTO rds_member (instance, site, zone, role, host, port, observed, seen)
                 VALUES (?1, 'jkt-a', 'a', 'primary', '127.0.0.1', ?2, '{}', ?3)",
                params![INSTANCE, port, now],
            )?;
            Ok::<_, ApiError>(())
        };
        self.desk.cloud.db.write(insert).await.unwrap();
    }

    /// Changes what the cloud has in its rows.
    pub async fn execute(&self, sql: &'static str) {
        let write = move |tx: &mut store::Tx<'_>| tx.execute(sql, &[]);
        let _: u64 = self.desk.cloud.db.write(write).await.map_err(|e: store::Error| e).unwrap();
    }

    pub async fn number(&self, sql: &'static str) -> i64 {
        let read =
            move |tx: &mut store::Tx<'_>| tx.query_opt(sql, &[], |row| row.get::<Option<i64>>(0));
        let found: Result<_, store::Error> = self.desk.cloud.db.read(read).await;
        found.unwrap().flatten().unwrap_or(0)
    }

    /// The last moment that the archive reaches.
    pub async fn last(&self) -> Time {
        let window = |tx: &mut store::Tx<'_>| restore::window(tx, INSTANCE);
        let (_, last) = self.desk.cloud.db.read(window).await.unwrap().unwrap();
        last
    }

    /// Archives from now on.
    pub fn archive(&self) -> Archiving {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(Archiver::new(Arc::clone(&self.desk)).run(stopped));
        Archiving { stop, task }
    }

    /// Makes the backups that are due, until there are so many successful ones.
    pub async fn back_up(&self, wanted: i64) {
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::new(Arc::clone(&self.desk.cloud))
            .with(Backups::new(Arc::clone(&self.desk)))
            .with_one(Schedule::new(Arc::clone(&self.desk)), &())
            .await
            .unwrap();
        let running = tokio::spawn(runner.run(stopped));
        let until = Instant::now() + Duration::from_secs(90);
        let made = "SELECT COUNT(*) FROM rds_backup WHERE status = 'Success'";
        while self.number(made).await < wanted {
            let failed =
                self.number("SELECT COUNT(*) FROM rds_backup WHERE status = 'Failed'").await;
            assert_eq!(failed, 0, "a backup failed");
            assert!(Instant::now() < until, "no backup was made");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.send_replace(true);
        running.await.unwrap();
    }

    /// Tests restores until the newest entry about one has that outcome.
    pub async fn test_restores(&self, prover: Arc<dyn Prover>, outcome: &'static str) {
        self.execute("UPDATE rds_backup SET facts = REPLACE(facts, '\"tested\":', '\"then\":')")
            .await;
        let (stop, stopped) = watch::channel(false);
        let tests = RestoreTests::new(Arc::clone(&self.desk), prover);
        let runner = Runner::new(Arc::clone(&self.desk.cloud)).with_one(tests, &()).await.unwrap();
        let running = tokio::spawn(runner.run(stopped));
        let until = Instant::now() + Duration::from_secs(60);
        let find = |tx: &mut store::Tx<'_>| {
            let sql = "SELECT outcome FROM audit WHERE action = 'RestoreTest' AND account = ?1
                 ORDER BY id DESC LIMIT 1";
            tx.query_opt(sql, params![ACCOUNT], |row| row.get::<String>(0))
        };
        loop {
            let found: Result<_, store::Error> = self.desk.cloud.db.read(find).await;
            if found.unwrap().as_deref() == Some(outcome) {
                break;
            }
            assert!(Instant::now() < until, "no entry says {outcome}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        stop.send_replace(true);
        running.await.unwrap();
        let tested = "SELECT COUNT(*) FROM rds_backup WHERE facts LIKE '%\"tested\":1%'";
        assert_eq!(self.number(tested).await, 1);
    }

    /// Waits until the archive has everything that the server has now.
    pub async fn caught_up(&self, client: &Client) {
        let row = client.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap();
        let end = Lsn::parse(row.get(0)).unwrap().0.cast_signed();
        let until = Instant::now() + Duration::from_secs(60);
        let newest = "SELECT end_lsn FROM rds_wal ORDER BY newest DESC, end_lsn DESC LIMIT 1";
        while self.number(newest).await < end {
            assert!(Instant::now() < until, "the archive does not follow");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Restores a backup into a server of its own, with nothing but what is in it.
    pub async fn restore_backup(&self, backup: &str) -> (Server, Sent) {
        let (backup, until) = (Some(backup.to_owned()), None);
        self.restored(restore::From { instance: INSTANCE.to_owned(), backup, until }, false).await
    }

    /// Restores into a server of its own; what was committed after `until` is not there.
    pub async fn restore(&self, until: Time, target: bool) -> (Server, Sent) {
        let (backup, until) = (None, Some(until));
        self.restored(restore::From { instance: INSTANCE.to_owned(), backup, until }, target).await
    }

    async fn restored(&self, from: restore::From, target: bool) -> (Server, Sent) {
        let dir = TempDir::new().unwrap();
        give(dir.path(), 0o755);
        for name in ["data", "wal"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let seeds = Directory(dir.path().to_owned());
        let sent = restore::send(&self.desk, &from, (&seeds, "jkt-a", "new")).await.unwrap();
        let data = dir.path().join("data");
        let wal = dir.path().join("wal");
        append(&data, &format!("restore_command = 'cp {}/%f %p'\n", wal.display()));
        append(&data, "recovery_target_action = 'promote'\nsynchronous_standby_names = ''\n");
        if let Some(until) = from.until.filter(|_| target) {
            append(&data, &format!("recovery_target_time = '{}'\n", micros(until)));
        }
        std::fs::write(data.join("recovery.signal"), "").unwrap();
        give_all(&data);
        give_all(&wal);
        (Server::start(dir), sent)
    }
}

/// A moment to the microsecond, as PostgreSQL reads it.
fn micros(at: Time) -> String {
    let fraction = at.micros().rem_euclid(1_000_000);
    let iso = at.iso();
    format!("{}.{fraction:06}+00", &iso[..19].replace('T', " "))
}

/// Takes what a restore needs into a directory.
pub struct Directory(pub PathBuf);

#[async_trait::async_trait]
impl Seeds for Directory {
    async fn seed(&self, _: &str, _: &str, mut tar: Box<dyn Pieces>) -> Result<(), ApiError> {
        let mut bytes = Vec::new();
        while let Some(piece) = tar.next().await? {
            bytes.extend_from_slice(&piece);
        }
        let reader = lz4_flex::frame::FrameDecoder::new(&bytes[..]);
        tar::Archive::new(reader).unpack(self.0.join("data")).unwrap();
        Ok(())
    }

    async fn wal(&self, _: &str, _: &str, file: &str, frame: Vec<u8>) -> Result<(), ApiError> {
        let mut bytes = Vec::new();
        lz4_flex::frame::FrameDecoder::new(&frame[..]).read_to_end(&mut bytes).unwrap();
        std::fs::write(self.0.join("wal").join(file), bytes).unwrap();
        Ok(())
    }
}

fn cloud(dir: &Path) -> Arc<Cloud> {
    let db = Db::open(Config::new(store::Backend::Sqlite(dir.join("cloud.db")))).unwrap();
    db.migrate(&[engine::MIGRATIONS, rds::MIGRATIONS]).unwrap();
    Cloud::new(Parts {
        db,
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        authority: Arc::new(Keys::default()),
        covenant: Arc::new(Granted::default()),
        seal: Arc::new(Seal::new(&[7; 32], Arc::new(SystemRng))),
        region: testkit::region(),
        registry: Registry::new(&[]),
        data_dir: dir.to_owned(),
        requests_per_second: 0,
    })
}

/// A certificate for the instance's host name, and its key.
fn certificate() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["backuptest.pg.rds.localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// The bytes of a certificate in PEM.
fn pem_der(pem: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = std::str::from_utf8(pem).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}
