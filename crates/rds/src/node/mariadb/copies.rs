//! Copies of data: backups, recovering them to a second, copies of an upstream, dumps, upgrades.
//!
//! A backup is what `mariadb-backup --stream=mbstream` gives, in LZ4 frames: whoever keeps it gives it back
//! decompressed, and [`unpack`] takes it. Files of the log are the server's binary logs under their own names.

use std::fs;
use std::path::{Path, PathBuf};

use base::Time;

use super::super::api::{Dump, Role, Spec, Upstream};
use super::super::driver::{Seat, Stream};
use super::super::error::{Doing, Error, Result};
use super::super::home;
use super::sql::{self, Offline};
use super::{BULK, REPLICATOR, blocking, files, lz4, tool};

/// The file in a backup that says where in the binary log it ends: file, position, GTIDs.
const POSITION: [&str; 2] = ["xtrabackup_binlog_info", "mariadb_backup_binlog_info"];

/// See [`super::super::driver::Driver::backup`].
pub async fn backup(seat: &Seat) -> Result<Stream> {
    let target = seat.dir.seed();
    let backup = sql::admin(seat, "mariadb-backup")
        .args(["--backup", "--stream=mbstream"])
        .arg(format!("--target-dir={}", target.display()))
        .arg(format!("--datadir={}", seat.dir.data().display()))
        .directory(seat.dir.path());
    Ok(lz4::compressed(seat.programs.stream(&backup).await?))
}

/// See [`super::super::driver::Driver::unpack`]. `mbstream` refuses names that lead out of its directory.
pub async fn unpack(seat: &Seat, stream: Stream) -> Result<()> {
    let data = seat.dir.data();
    home::remove_dir(&data)?;
    home::make_dir(&data, 0o700, seat.user)?;
    let unpack = tool(seat, "mbstream").args(["-x", "-C"]).arg(&data);
    seat.programs.feed(&unpack, stream).await?;
    if position_file(&data).is_none() {
        return Err(Error::Conflict("what was sent is no backup with a binary log".to_owned()));
    }
    Ok(())
}

/// True for the name of a binary log: `binlog.000001`.
pub fn is_log_file(name: &str) -> bool {
    let number = name.strip_prefix("binlog.").unwrap_or_default();
    (6..=10).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a backup ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct Position {
    file: String,
    offset: u64,
    gtid: String,
}

fn position_file(data: &Path) -> Option<PathBuf> {
    POSITION.iter().map(|name| data.join(name)).find(|path| path.is_file())
}

impl Position {
    /// From `binlog.000001<TAB>342<TAB>0-1-5`.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.lines().next()?.split('\t');
        let (file, offset) = (parts.next()?.to_owned(), parts.next()?.trim().parse().ok()?);
        let gtid = parts.next().unwrap_or_default().trim().to_owned();
        let plain = gtid.bytes().all(|byte| byte.is_ascii_digit() || b"-,".contains(&byte));
        (is_log_file(&file) && plain).then_some(Self { file, offset, gtid })
    }

    fn read(data: &Path) -> Result<Self> {
        let path = position_file(data)
            .ok_or_else(|| Error::Conflict("the backup is not whole".to_owned()))?;
        let text = fs::read_to_string(&path).doing(path.display())?;
        Self::parse(&text)
            .ok_or_else(|| Error::Conflict("the backup does not say where it ends".to_owned()))
    }
}

/// See [`super::super::driver::Driver::recover`]. As a standby it is made ready to follow from where the backup ends.
pub async fn recover(seat: &Seat, spec: &Spec, until: Option<i64>) -> Result<()> {
    let data = seat.dir.data();
    let position = Position::read(&data)?;
    let prepare = tool(seat, "mariadb-backup")
        .args(["--no-defaults", "--prepare"])
        .arg(format!("--target-dir={}", data.display()))
        .directory(&data);
    seat.programs.run(&prepare, BULK).await?;
    let server = Offline::start(seat, spec).await?;
    let done = match (until, &spec.role) {
        (Some(until), _) => replay(seat, &position, until).await,
        (None, Role::Standby { .. }) => set_position(seat, &position.gtid).await,
        // A primary begins a history of its own.
        (None, Role::Primary) => set_position(seat, "").await,
    };
    server.stop().await?;
    done?;
    whole(seat).await
}

/// Says that the data directory is whole, durably.
async fn whole(seat: &Seat) -> Result<()> {
    let (data, build, user) = (seat.dir.data(), seat.build.clone(), seat.user);
    blocking(move || files::mark(&data, &build, user)).await
}

async fn set_position(seat: &Seat, gtid: &str) -> Result<()> {
    sql::run(seat, &format!("SET GLOBAL gtid_slave_pos={};\n", sql::literal(gtid))).await
}

/// Replays binary logs from where the backup ends, up to the last second before `until` (microseconds since 1970):
/// their times are seconds, and what was committed later than asked for must not be there.
async fn replay(seat: &Seat, position: &Position, until: i64) -> Result<()> {
    let mut logs: Vec<String> = Vec::new();
    for entry in fs::read_dir(seat.dir.wal())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_log_file(&name) && number(&name) >= number(&position.file) {
            logs.push(name);
        }
    }
    logs.sort_by_key(|name| number(name));
    let gapless = logs.windows(2).all(|pair| number(&pair[0]) + 1 == number(&pair[1]));
    if !gapless || logs.first().is_some_and(|first| *first != position.file) {
        return Err(Error::Conflict(format!(
            "binary logs are missing: there are {}",
            logs.join(" ")
        )));
    }
    if !logs.is_empty() {
        let stop = Time::from_micros(until).iso().replace('T', " ").replace('Z', "");
        let read = tool(seat, "mariadb-binlog")
            .arg("--no-defaults")
            .arg(format!("--start-position={}", position.offset))
            .arg(format!("--stop-datetime={stop}"))
            .args(logs.iter().map(|name| seat.dir.wal().join(name)));
        let events = seat.programs.stream(&read).await?;
        let client = sql::admin(seat, "mariadb").arg("--binary-mode");
        seat.programs.feed(&client, events).await?;
    }
    set_position(seat, "").await
}

fn number(log: &str) -> u64 {
    log.rsplit_once('.').and_then(|(_, digits)| digits.parse().ok()).unwrap_or_default()
}

/// See [`super::super::driver::Driver::copy`]. Over the network a MariaDB gives rows, not files: this copy is a
/// consistent dump with the GTID where it ends. Where files are wanted, send a backup of the upstream's node as the
/// seed of a standby.
pub async fn copy(seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()> {
    home::remove_dir(&seat.dir.data())?;
    files::make(seat).await?;
    let data = seat.dir.data();
    // Not whole until the copy is.
    files::unmark(&data)?;
    let server = Offline::start(seat, spec).await?;
    let done = pull(seat, spec, upstream).await;
    server.stop().await?;
    done?;
    whole(seat).await
}

async fn pull(seat: &Seat, spec: &Spec, upstream: &Upstream) -> Result<()> {
    let login = seat.dir.conf().join("upstream.cnf");
    let file = format!(
        "[client]\nhost={}\nport={}\nprotocol=tcp\nuser={REPLICATOR}\npassword=\"{}\"\nssl\n\
         ssl-verify-server-cert=0\n",
        upstream.host,
        upstream.port,
        spec.replicator.replace('\\', "\\\\").replace('"', "\\\"")
    );
    home::replace(&login, file.as_bytes(), 0o600, seat.user)?;
    let dump = tool(seat, "mariadb-dump")
        .arg(format!("--defaults-file={}", login.display()))
        .args([
            "--all-databases",
            "--single-transaction",
            "--master-data=1",
            "--gtid",
            "--hex-blob",
        ])
        .args(["--routines", "--events", "--triggers", "--flush-privileges"])
        // The server's own counts, which it makes anew, and positions, which come by themselves.
        .args(["--ignore-table=mysql.gtid_slave_pos", "--ignore-table=mysql.innodb_index_stats"])
        .args([
            "--ignore-table=mysql.innodb_table_stats",
            "--ignore-table=mysql.transaction_registry",
        ]);
    let client = sql::admin(seat, "mariadb").arg("--binary-mode");
    let fed = match seat.programs.stream(&dump).await {
        Ok(rows) => seat.programs.feed(&client, rows).await,
        Err(error) => Err(error),
    };
    fs::remove_file(&login)?;
    fed
}

/// See [`super::super::driver::Driver::upgrade`]: the newer server opens what an older one wrote, and then its tables
/// of rights and messages are brought up to it.
pub async fn upgrade(seat: &Seat, spec: &Spec) -> Result<()> {
    let server = Offline::start(seat, spec).await?;
    let upgrade = sql::admin(seat, "mariadb-upgrade").arg("--force");
    let done = seat.programs.run(&upgrade, BULK).await;
    server.stop().await?;
    done?;
    whole(seat).await
}

/// See [`super::super::driver::Driver::dump`]. Tables keep their names.
pub async fn dump(seat: &Seat, dump: &Dump) -> Result<Stream> {
    let mut tables = Vec::new();
    for (from, to) in &dump.tables {
        if from != to {
            return Err(Error::Conflict(format!(
                "{from} cannot become {to}: MariaDB dumps under a table's own name"
            )));
        }
        tables.push(from.split_once('.').map_or(from.as_str(), |(_, table)| table));
    }
    let program = sql::admin(seat, "mariadb-dump")
        .args(["--single-transaction", "--hex-blob", "--routines", "--events", "--triggers", "--"])
        .arg(&dump.database)
        .args(tables);
    seat.programs.stream(&program).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_binary_logs_are_files_of_the_log() {
        assert!(is_log_file("binlog.000001") && is_log_file("binlog.1234567"));
        for name in
            ["binlog.index", "binlog.", "binlog.00001", "../binlog.000001", "x", "binlog.000001x"]
        {
            assert!(!is_log_file(name), "{name}");
        }
    }

    #[test]
    fn the_end_of_a_backup_is_read() {
        let read = Position::parse("binlog.000004\t3890\t17-1-5,18-1-7\n").unwrap();
        assert_eq!(
            (read.file.as_str(), read.offset, read.gtid.as_str()),
            ("binlog.000004", 3890, "17-1-5,18-1-7")
        );
        assert_eq!(Position::parse("binlog.000004\t1\t'; DROP"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_position_fail(text in "(binlog\\.|[0-9\t\n,-]|.){0,60}") {
            Position::parse(&text);
            is_log_file(&text);
        }
    }
}
