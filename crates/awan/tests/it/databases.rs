//! A database of a running cloud as a Rust program uses it, by the driver that most of them have.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, Row};
use tokio::net::{TcpStream, UnixListener};

use crate::server::{Server, awan};

/// What `awan rds create` made.
struct Database {
    options: PgConnectOptions,
}

impl Database {
    /// An instance with the account `app` and the database `app`, which clients reach below `home`.
    fn create(home: &Path, server: &Server) -> Self {
        let (dir, cloud) = server.profile.cloud.as_ref().unwrap();
        let dir = dir.to_str().unwrap();
        let made =
            ["rds", "create", "suara", "--class", "pg.n1e.1c.1m", "--account", "app", "--database"];
        awan(home, &[&made[..], &["app", "--allow", "127.0.0.1", "--data-dir", dir]].concat()).ok();
        // host:port:database:account:password
        let line = std::fs::read_to_string(home.join("suara.pgpass")).unwrap();
        let [host, _, _, account, password] =
            line.trim_end().splitn(5, ':').collect::<Vec<_>>().try_into().unwrap();
        let gateway = cloud.endpoints["postgres"].rsplit_once(':').unwrap().1;
        let options = PgConnectOptions::new_without_pgpass()
            .host(host)
            .port(gateway.parse().unwrap())
            .socket(home)
            .username(account)
            .password(password)
            .database("app")
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(cloud.ca_cert.as_ref().unwrap());
        Self { options }
    }

    /// Takes connections to the gateway. The driver knows no address beside the host name, and no name server knows
    /// that one here: it comes through a socket, and does its TLS by the name as always.
    fn lead(&self, home: &Path) {
        let port = self.options.get_port();
        let socket: PathBuf = home.join(format!(".s.PGSQL.{port}"));
        let listener = UnixListener::bind(socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut gateway = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    // Either side may end first.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut gateway).await;
                });
            }
        });
    }
}

#[test]
fn a_program_with_sqlx_writes_and_reads_through_the_gateway() {
    let home = tempfile::TempDir::new().unwrap();
    // Servers run under users of their own, who have to get to their directories.
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let server = Server::start(&home.path().join("cloud"), &[]);
    let database = Database::create(home.path(), &server);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        database.lead(home.path());
        refuses_another_name(&database).await;
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .acquire_timeout(Duration::from_secs(60))
            .connect_with(database.options.clone())
            .await
            .unwrap();
        writes_and_reads(&pool).await;
        takes_all_or_nothing(&pool).await;
        works_at_once(&pool).await;
        pool.close().await;
    });
    // They are published now and then.
    let counted = || server.metric("awan_rds_gateway_connections_total").unwrap_or_default();
    let shown = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        counted() >= 5
    });
    assert!(shown, "{} connections through the gateway", counted());
    server.stop();
}

/// The certificate is checked: the same server under another name is none.
async fn refuses_another_name(database: &Database) {
    let host = database.options.get_host().replace(".pg.", ".pg.elsewhere.");
    let options = database.options.clone().host(&host);
    let refused = PgConnection::connect_with(&options).await.unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused:?}");
}

async fn writes_and_reads(pool: &PgPool) {
    let row = sqlx::query("select ssl, version from pg_stat_ssl where pid = pg_backend_pid()");
    let row = row.fetch_one(pool).await.unwrap();
    assert!(row.get::<bool, _>(0));
    assert_eq!(row.get::<String, _>(1), "TLSv1.3");
    let table =
        "create table suara (tps int primary key, sah bigint not null, catatan text, foto bytea)";
    sqlx::query(table).execute(pool).await.unwrap();
    let photo: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    for tps in 0..20 {
        let insert = "insert into suara values ($1, $2, $3, $4)";
        let insert = sqlx::query(insert).bind(tps).bind(i64::from(tps) * 300);
        let note = (tps % 2 == 0).then_some("it's \"sah\"; drop table suara");
        let done = insert.bind(note).bind(&photo).execute(pool).await.unwrap();
        assert_eq!(done.rows_affected(), 1);
    }
    let rows = sqlx::query("select sah, catatan, foto from suara where tps >= $1 order by tps");
    let rows = rows.bind(18).fetch_all(pool).await.unwrap();
    let [even, odd] = &rows[..] else { panic!("{} rows", rows.len()) };
    assert_eq!(even.get::<i64, _>("sah"), 5400);
    assert_eq!(even.get::<&str, _>("catatan"), "it's \"sah\"; drop table suara");
    assert_eq!(odd.get::<Option<&str>, _>("catatan"), None);
    assert!(even.get::<&[u8], _>("foto") == photo);
    let again = sqlx::query("insert into suara values ($1, 1)").bind(18).execute(pool).await;
    let refused = again.unwrap_err();
    assert!(refused.as_database_error().is_some_and(|error| error.is_unique_violation()));
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from suara").fetch_one(pool).await.unwrap()
}

async fn takes_all_or_nothing(pool: &PgPool) {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("delete from suara").execute(&mut *transaction).await.unwrap();
    assert_eq!(count(pool).await, 20, "nobody else sees it");
    transaction.rollback().await.unwrap();
    assert_eq!(count(pool).await, 20);
    let mut transaction = pool.begin().await.unwrap();
    let delete = sqlx::query("delete from suara where tps < $1").bind(10);
    delete.execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(count(pool).await, 10);
}

/// All five connections are in use at the same time, and more tasks than that have their turn.
async fn works_at_once(pool: &PgPool) {
    let meet = std::sync::Arc::new(tokio::sync::Barrier::new(5));
    let work = (0..10).map(|_| {
        let (pool, meet) = (pool.clone(), std::sync::Arc::clone(&meet));
        tokio::spawn(async move {
            let mut session = pool.acquire().await.unwrap();
            meet.wait().await;
            let pid: i32 = sqlx::query_scalar("select pg_backend_pid() + $1 - $1")
                .bind(7)
                .fetch_one(&mut *session)
                .await
                .unwrap();
            pid
        })
    });
    let mut sessions = std::collections::BTreeSet::new();
    for task in work.collect::<Vec<_>>() {
        sessions.insert(task.await.unwrap());
    }
    assert_eq!(sessions.len(), 5, "{sessions:?}");
}
