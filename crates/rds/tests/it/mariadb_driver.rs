//! The MariaDB driver over a real server: made, changed, backed up, recovered, followed, promoted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rds::engines::Build;
use rds::model::Engine;
use rds::node::api::{
    Account, Database, Dump, Figures, Grant, Limits, Observed, Privilege, Role, Seed, Spec,
    Upstream,
};
use rds::node::driver::{Change, Driver, LogQuery, Seat, Stop, Stream};
use rds::node::home::Home;
use rds::node::mariadb::MariaDb;
use rds::node::process::{Programs, Server, User};
use tokio::io::AsyncReadExt;

/// The MariaDB of this machine: of its packages, or of the store that `AWAN_TEST_DB_ENGINES` names.
#[allow(clippy::disallowed_methods, reason = "the set-up of tests says where engines are")]
fn build() -> Build {
    let store = std::env::var("AWAN_TEST_DB_ENGINES").unwrap_or_else(|_| "/nonexistent".to_owned());
    let builds = rds::engines::discover(&[], Path::new(&store));
    builds.into_iter().find(|build| build.engine == Engine::MariaDb).expect(
        "there is no MariaDB: `cargo xtask test` installs it; by hand, `awan engine install mariadb --store DIR` and \
         AWAN_TEST_DB_ENGINES=DIR",
    )
}

/// A node's directory with programs, and what runs in it.
struct World {
    home: Home,
    build: Build,
    programs: Programs,
    user: Option<User>,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("m").tempdir().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let home = Home::open(dir.path()).unwrap();
        let root = rustix::process::geteuid().is_root();
        let user = root.then_some(User { uid: 65_534, gid: 65_534 });
        let world =
            Self { home, build: build(), programs: Programs::new().unwrap(), user, _dir: dir };
        MariaDb.warm(&world.build, &world.home.templates(), &world.programs, user).await.unwrap();
        world
    }

    fn seat(&self, id: &str) -> Seat {
        let dir = self.home.instance(id).unwrap();
        dir.make(self.user).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Seat {
            dir,
            build: self.build.clone(),
            templates: self.home.templates(),
            programs: self.programs.clone(),
            user: self.user,
            listen: vec!["127.0.0.1".parse().unwrap()],
            port,
            authority: "".into(),
        }
    }
}

/// A server that runs.
struct Running {
    seat: Seat,
    server: Server,
}

async fn start(seat: Seat, spec: &Spec) -> Running {
    MariaDb.configure(&seat, spec).await.unwrap();
    let program = MariaDb.server(&seat, spec);
    let mut server = seat.programs.server(&program, &seat.dir.log()).await.unwrap();
    let begun = Instant::now();
    while !MariaDb.ready(&seat).await.unwrap() {
        let log = || std::fs::read_to_string(seat.dir.log()).unwrap_or_default();
        assert!(server.ended().is_none(), "{}", log());
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Running { seat, server }
}

impl Running {
    async fn stop(mut self, how: Stop) -> Seat {
        self.server.signal(MariaDb.signal(how));
        self.server.wait().await.unwrap();
        self.seat
    }

    /// What a tenant's client gets: the output, or what it complains of.
    async fn tenant(
        &self,
        account: &str,
        password: &str,
        options: &[&str],
        sql: &str,
    ) -> Result<String, String> {
        let file = self.seat.dir.path().join(format!("{account}.cnf"));
        std::fs::write(&file, format!("[client]\nuser={account}\npassword={password}\n")).unwrap();
        let mut client = rds::node::process::Program::new(self.seat.build.program("mariadb"))
            .arg(format!("--defaults-file={}", file.display()))
            .args(["--host=127.0.0.1", "--batch", "--skip-column-names"])
            .arg(format!("--port={}", self.seat.port))
            .args(options.iter().copied())
            .arg(format!("--execute={sql}"));
        if let Some(libraries) = &self.seat.build.libraries {
            client = client.env("LD_LIBRARY_PATH", libraries);
        }
        let said = self.seat.programs.run(&client, Duration::from_secs(60)).await;
        said.map(|bytes| String::from_utf8(bytes).unwrap().trim().to_owned())
            .map_err(|error| error.to_string())
    }

    async fn app(&self, sql: &str) -> Result<String, String> {
        self.tenant("app", "password", &["--ssl"], sql).await
    }

    async fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        MariaDb.observe(&self.seat, &mut observed).await.unwrap();
        observed
    }
}

/// The hash of `password`.
const VERIFIER: &str = "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19";

fn spec(id: &str) -> Spec {
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let account = |name: &str, privileged| Account {
        name: name.to_owned(),
        privileged,
        locked: false,
        verifier: VERIFIER.to_owned(),
        wanted: true,
    };
    let grant = |account: &str, privilege| Grant {
        account: account.to_owned(),
        database: "shop_1".to_owned(),
        privilege,
        wanted: true,
    };
    let database = |name: &str| Database {
        name: name.to_owned(),
        owner: String::new(),
        charset: "UTF8".to_owned(),
        collation: String::new(),
        ctype: String::new(),
        wanted: true,
    };
    Spec {
        id: id.to_owned(),
        generation: 1,
        term: 1,
        engine: Engine::MariaDb,
        major: "10.11".to_owned(),
        running: true,
        restarts: 0,
        role: Role::Primary,
        seed: Seed::Template,
        listen: vec!["127.0.0.1".parse().unwrap()],
        limits: Limits { memory_mib: 128, cpu_milli: 1000, storage_gib: 1, connections: 20 },
        parameters: BTreeMap::new(),
        hba: vec!["127.0.0.0/8".to_owned()],
        accounts: vec![account("app", false), account("reader", false), account("chief", true)],
        databases: vec![database("shop_1"), database("shopx1")],
        grants: vec![grant("app", Privilege::Owner), grant("reader", Privilege::ReadOnly)],
        replicator: "replicate-me".to_owned(),
        peers: Vec::new(),
        certificate: certificate.cert.pem(),
        key: certificate.signing_key.serialize_pem(),
        leased: false,
        synchronous: String::new(),
        slots: None,
        extensions: Vec::new(),
        time_zone: String::new(),
    }
}

async fn made(world: &World, id: &str, spec: &Spec) -> Running {
    let seat = world.seat(id);
    assert_eq!(MariaDb.major(&seat).unwrap(), None);
    MariaDb.make(&seat, spec).await.unwrap();
    assert_eq!(MariaDb.major(&seat).unwrap().as_deref(), Some(world.build.major.as_str()));
    let running = start(seat, spec).await;
    MariaDb.apply(&running.seat, spec).await.unwrap();
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_instance_serves_its_accounts_over_tls_only() {
    let world = World::new().await;
    let mut spec = spec("rm-tls");
    let running = made(&world, "rm-tls", &spec).await;
    assert_eq!(
        running.app("CREATE TABLE shop_1.t (a INT); INSERT INTO shop_1.t VALUES (7)").await,
        Ok(String::new())
    );
    assert!(
        running.tenant("app", "password", &["--skip-ssl"], "SELECT 1").await.is_err(),
        "without TLS"
    );
    assert!(running.tenant("app", "wrong", &["--ssl"], "SELECT 1").await.is_err());
    assert!(running.app("SELECT 1 FROM mysql.user").await.is_err());
    assert!(
        running.app("CREATE TABLE shopx1.t (a INT)").await.is_err(),
        "`_` in a name means only itself"
    );
    assert!(running.app("SELECT LOAD_FILE('/etc/passwd') IS NULL").await.is_ok_and(|it| it == "1"));
    assert_eq!(
        running.tenant("reader", "password", &["--ssl"], "SELECT a FROM shop_1.t").await.as_deref(),
        Ok("7")
    );
    assert!(
        running.tenant("reader", "password", &["--ssl"], "DELETE FROM shop_1.t").await.is_err()
    );
    let chief = |sql: &'static str| running.tenant("chief", "password", &["--ssl"], sql);
    assert_eq!(chief("CREATE TABLE shopx1.c (a INT)").await, Ok(String::new()));
    assert!(chief("SELECT 1 FROM mysql.global_priv").await.is_err());
    assert!(chief("SET GLOBAL read_only=1").await.is_err());
    assert!(chief("ALTER USER 'awan_admin'@'localhost' IDENTIFIED BY 'x'").await.is_err());
    assert_eq!(chief("SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME='Ssl_version'").await.as_deref(), Ok("1"));

    // The same again writes nothing.
    let before = running.observed().await;
    assert!(before.writable && before.lsn > 0 && before.pending_restart.is_empty(), "{before:?}");
    MariaDb.apply(&running.seat, &spec).await.unwrap();
    assert_eq!(running.observed().await.lsn, before.lsn);

    spec.accounts[0].locked = true;
    spec.accounts[1].wanted = false;
    spec.grants[0].privilege = Privilege::ReadOnly;
    spec.databases[1].wanted = false;
    MariaDb.apply(&running.seat, &spec).await.unwrap();
    assert!(running.app("SELECT 1").await.is_err(), "locked");
    assert!(running.tenant("reader", "password", &["--ssl"], "SELECT 1").await.is_err(), "gone");
    spec.accounts[0].locked = false;
    MariaDb.apply(&running.seat, &spec).await.unwrap();
    assert_eq!(running.app("SELECT a FROM shop_1.t").await.as_deref(), Ok("7"));
    assert!(running.app("INSERT INTO shop_1.t VALUES (8)").await.is_err(), "reads only now");
    assert!(chief("SELECT 1 FROM shopx1.c").await.is_err(), "the database is gone");
    running.stop(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_take_effect_or_wait_for_a_restart() {
    let world = World::new().await;
    let mut spec = spec("rm-set");
    let running = made(&world, "rm-set", &spec).await;
    assert_eq!(MariaDb.configure(&running.seat, &spec).await.unwrap(), Change::None);
    spec.parameters.insert("wait_timeout".to_owned(), "77".to_owned());
    spec.parameters.insert("sql_mode".to_owned(), "NO_BACKSLASH_ESCAPES".to_owned());
    assert_eq!(MariaDb.configure(&running.seat, &spec).await.unwrap(), Change::Reload);
    MariaDb.reload(&running.seat).await.unwrap();
    assert_eq!(running.app("SELECT @@global.wait_timeout").await.as_deref(), Ok("77"));
    // Under that mode a backslash is a character; names and passwords are still what they are.
    spec.accounts.push(Account { name: "it's\\".to_owned(), ..spec.accounts[0].clone() });
    MariaDb.apply(&running.seat, &spec).await.unwrap();
    spec.parameters.clear();
    spec.parameters.insert("back_log".to_owned(), "99".to_owned());
    assert_eq!(MariaDb.configure(&running.seat, &spec).await.unwrap(), Change::Restart);
    MariaDb.reload(&running.seat).await.unwrap();
    assert_eq!(running.app("SELECT @@global.wait_timeout").await.as_deref(), Ok("28800"));
    assert_eq!(running.observed().await.pending_restart, ["back_log"]);
    let running = start(running.stop(Stop::Fast).await, &spec).await;
    assert_eq!(running.observed().await.pending_restart, Vec::<String>::new());
    for (name, value) in
        [("datadir", "/tmp"), ("sync_binlog", "0"), ("wait_timeout", "1\nplugin_load=x")]
    {
        let mut bad = spec.clone();
        bad.parameters.insert(name.to_owned(), value.to_owned());
        assert!(MariaDb.configure(&running.seat, &bad).await.is_err(), "{name}");
    }
    running.stop(Stop::Immediate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_effect_at_once_is_what_the_server_lets_set() {
    let world = World::new().await;
    let running = made(&world, "rm-var", &spec("rm-var")).await;
    let question = "SELECT LOWER(VARIABLE_NAME) FROM information_schema.SYSTEM_VARIABLES WHERE READ_ONLY = 'NO'";
    let settable = running.app(question).await.unwrap();
    let settable: std::collections::BTreeSet<&str> = settable.lines().collect();
    let at_once = world.build.settings.iter().filter(|it| it.tenant && !it.restart);
    let not: Vec<&str> =
        at_once.map(|it| it.name.as_str()).filter(|it| !settable.contains(it)).collect();
    assert_eq!(not, Vec::<&str>::new());
    running.stop(Stop::Fast).await;
}

/// Copies a running primary's backup and binary logs to a directory to be recovered.
async fn send(from: &Running, backup: Vec<u8>, to: &Seat) {
    let mut plain = Vec::new();
    let mut decoder = lz4_flex::frame::FrameDecoder::new(&backup[..]);
    std::io::Read::read_to_end(&mut decoder, &mut plain).unwrap();
    let stream: Stream = Box::new(std::io::Cursor::new(plain));
    MariaDb.unpack(to, stream).await.unwrap();
    for entry in std::fs::read_dir(from.seat.dir.data()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if MariaDb.log_file(&name) {
            let target = to.dir.wal().join(name);
            std::fs::copy(&path, &target).unwrap();
            rds::node::home::own(&target, to.user).unwrap();
        }
    }
}

async fn backup(from: &Running) -> Vec<u8> {
    let mut bytes = Vec::new();
    MariaDb.backup(&from.seat).await.unwrap().read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Waits until the server's clock shows another second, and gives that second, microseconds since 1970.
async fn next_second(running: &Running) -> i64 {
    let now = running.app("SELECT UNIX_TIMESTAMP()").await.unwrap();
    loop {
        let later = running.app("SELECT UNIX_TIMESTAMP()").await.unwrap();
        if later != now {
            return later.parse::<i64>().unwrap() * 1_000_000;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_recovered_to_a_second_and_to_its_own_end() {
    let world = World::new().await;
    let first = spec("rm-old");
    let running = made(&world, "rm-old", &first).await;
    running.app("CREATE TABLE shop_1.t (a INT)").await.unwrap();
    running.app("INSERT INTO shop_1.t VALUES (1)").await.unwrap();
    let backup = backup(&running).await;
    running.app("INSERT INTO shop_1.t VALUES (2)").await.unwrap();
    let until = next_second(&running).await;
    running.app("INSERT INTO shop_1.t VALUES (3)").await.unwrap();
    for (id, until, rows) in [("rm-second", Some(until), "1,2"), ("rm-end", None, "1")] {
        let spec = spec(id);
        let seat = world.seat(id);
        send(&running, backup.clone(), &seat).await;
        assert_eq!(MariaDb.major(&seat).unwrap(), None, "not before it is recovered");
        MariaDb.recover(&seat, &spec, until).await.unwrap();
        let recovered = start(seat, &spec).await;
        MariaDb.apply(&recovered.seat, &spec).await.unwrap();
        let found = recovered.app("SELECT GROUP_CONCAT(a ORDER BY a) FROM shop_1.t").await;
        assert_eq!(found.as_deref(), Ok(rows), "{id}");
        assert_ne!(
            recovered.observed().await.system_identifier,
            running.observed().await.system_identifier
        );
        recovered.stop(Stop::Fast).await;
    }
    // A gap in the logs is not passed over.
    let seat = world.seat("rm-gap");
    send(&running, backup, &seat).await;
    for entry in std::fs::read_dir(seat.dir.wal()).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        std::fs::rename(&path, path.with_extension("000977")).unwrap();
    }
    assert!(MariaDb.recover(&seat, &spec("rm-gap"), Some(until)).await.is_err());
    running.stop(Stop::Fast).await;
}

/// A standby's spec.
fn follower(of: &Spec, upstream: &Running, readable: bool) -> Spec {
    let upstream = Upstream {
        host: "127.0.0.1".to_owned(),
        port: upstream.seat.port,
        slot: "standby".to_owned(),
        name: String::new(),
    };
    Spec { role: Role::Standby { upstream, readable }, ..of.clone() }
}

async fn caught_up(standby: &Running, primary: &Running) {
    let goal = primary.observed().await.lsn;
    let begun = Instant::now();
    loop {
        let observed = standby.observed().await;
        if observed.replayed >= goal {
            return;
        }
        let log = std::fs::read_to_string(standby.seat.dir.log()).unwrap_or_default();
        assert!(begun.elapsed() < Duration::from_secs(60), "{observed:?} before {goal}\n{log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_follows_takes_over_and_is_followed_by_the_old_primary() {
    let world = World::new().await;
    let first = spec("rm-ha");
    let primary = made(&world, "rm-ha", &first).await;
    primary.app("CREATE TABLE shop_1.t (a INT PRIMARY KEY)").await.unwrap();
    primary.app("INSERT INTO shop_1.t VALUES (1)").await.unwrap();
    let standby_spec = follower(&first, &primary, false);
    let Role::Standby { upstream, .. } = &standby_spec.role else { unreachable!() };
    let seat = world.seat("rm-ha-2");
    MariaDb.copy(&seat, &standby_spec, upstream).await.unwrap();
    let standby = start(seat, &standby_spec).await;
    primary.app("INSERT INTO shop_1.t VALUES (2)").await.unwrap();
    caught_up(&standby, &primary).await;
    assert!(!standby.observed().await.writable);
    assert!(standby.app("SELECT 1").await.is_err(), "this standby is not for reading");
    // A restart goes on following.
    let standby = start(standby.stop(Stop::Immediate).await, &standby_spec).await;
    primary.app("INSERT INTO shop_1.t VALUES (3)").await.unwrap();
    caught_up(&standby, &primary).await;
    assert!(!MariaDb.lost(&standby.seat).await.unwrap());

    let old = primary.stop(Stop::Immediate).await;
    MariaDb.promote(&standby.seat, &first).await.unwrap();
    assert!(standby.observed().await.writable);
    standby.app("INSERT INTO shop_1.t VALUES (4)").await.unwrap();
    let old_spec = follower(&first, &standby, true);
    let Role::Standby { upstream, .. } = &old_spec.role else { unreachable!() };
    assert!(MariaDb.follow(&old, &old_spec, upstream).await.unwrap());
    let old = start(old, &old_spec).await;
    caught_up(&old, &standby).await;
    let rows = "SELECT GROUP_CONCAT(a ORDER BY a) FROM shop_1.t";
    assert_eq!(old.app(rows).await.as_deref(), Ok("1,2,3,4"));
    assert!(old.app("INSERT INTO shop_1.t VALUES (5)").await.is_err(), "reads only");
    old.stop(Stop::Fast).await;
    standby.stop(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_primary_with_a_history_of_its_own_is_lost() {
    let world = World::new().await;
    let first = spec("rm-split");
    let primary = made(&world, "rm-split", &first).await;
    primary.app("CREATE TABLE shop_1.t (a INT PRIMARY KEY)").await.unwrap();
    let standby_spec = follower(&first, &primary, true);
    let seat = world.seat("rm-split-2");
    // A standby by a backup of files.
    send(&primary, backup(&primary).await, &seat).await;
    MariaDb.recover(&seat, &standby_spec, None).await.unwrap();
    let standby = start(seat, &standby_spec).await;
    caught_up(&standby, &primary).await;
    MariaDb.promote(&standby.seat, &first).await.unwrap();
    // Both write.
    primary.app("INSERT INTO shop_1.t VALUES (1), (2)").await.unwrap();
    primary.app("INSERT INTO shop_1.t VALUES (3)").await.unwrap();
    standby.app("INSERT INTO shop_1.t VALUES (9)").await.unwrap();
    let old = primary.stop(Stop::Fast).await;
    let old_spec = follower(&first, &standby, true);
    let Role::Standby { upstream, .. } = &old_spec.role else { unreachable!() };
    MariaDb.follow(&old, &old_spec, upstream).await.unwrap();
    let old = start(old, &old_spec).await;
    let begun = Instant::now();
    while !MariaDb.lost(&old.seat).await.unwrap() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", old.observed().await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    old.stop(Stop::Fast).await;
    standby.stop(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_is_loaded_and_figures_and_logs_are_told() {
    let world = World::new().await;
    let spec = spec("rm-dump");
    let running = made(&world, "rm-dump", &spec).await;
    running
        .app("CREATE TABLE shop_1.t (a INT, b BLOB); INSERT INTO shop_1.t VALUES (1, x'0027FF')")
        .await
        .unwrap();
    running.app("CREATE TABLE shop_1.other (a INT)").await.unwrap();
    let tables = vec![("shop_1.t".to_owned(), "shop_1.t".to_owned())];
    let dump = Dump { database: "shop_1".to_owned(), tables };
    let stream = MariaDb.dump(&running.seat, &dump).await.unwrap();
    MariaDb.load(&running.seat, "shopx1", stream).await.unwrap();
    let chief = |sql: &'static str| running.tenant("chief", "password", &["--ssl"], sql);
    assert_eq!(chief("SELECT HEX(b) FROM shopx1.t").await.as_deref(), Ok("0027FF"));
    assert!(chief("SELECT 1 FROM shopx1.other").await.is_err(), "was not asked for");
    let renamed = Dump {
        database: "shop_1".to_owned(),
        tables: vec![("shop_1.t".to_owned(), "shop_1.u".to_owned())],
    };
    assert!(MariaDb.dump(&running.seat, &renamed).await.is_err());

    let mut figures = Figures::default();
    MariaDb.figures(&running.seat, &mut figures).await.unwrap();
    assert!(
        figures.commits > 0 && figures.rows_written > 0 && figures.log_bytes > 0,
        "{figures:?}"
    );
    assert!(figures.databases.contains_key("shop_1") && !figures.databases.contains_key("mysql"));

    running.app("SELECT SLEEP(1.2)").await.unwrap();
    let query = LogQuery { slow: true, since: 0, until: i64::MAX, limit: 100 };
    let slow = MariaDb.logs(&running.seat, query).await.unwrap();
    let slept = slow.iter().find(|line| line.text.contains("SLEEP(1.2)")).unwrap();
    assert_eq!(slept.account, "app");
    assert!(slept.duration_us >= 1_200_000 && slept.at > 1_600_000_000_000_000, "{slept:?}");
    running.stop(Stop::Fast).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_ended_in_order_tells_where_its_log_ends() {
    let world = World::new().await;
    let spec = spec("rm-end");
    let running = made(&world, "rm-end", &spec).await;
    assert_eq!(running.app("CREATE TABLE shop_1.t (a INT)").await, Ok(String::new()));
    let written = running.observed().await.lsn;
    let seat = running.stop(Stop::Fast).await;
    assert_eq!(MariaDb.end(&seat, &spec).await.unwrap(), Some(written));
    let running = start(seat, &spec).await;
    let seat = running.stop(Stop::Immediate).await;
    assert_eq!(MariaDb.end(&seat, &spec).await.unwrap(), None, "it was killed");
}
