//! Restores: what can be restored, a new instance from it, tables of it back into their instance. Restored data
//! never takes the place of what is there.

use base::{ApiError, Time};
use engine::places::{self, Want};
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::backups::START;
use super::common::{invalid, writable};
use super::{is_plain, owned, read, write};
use crate::errors::{ENGINE_UNSUPPORTED, IS_FOLLOWER, NO_BACKUP, NO_DATABASE, RESTORE_TIME};
use crate::machine;
use crate::model::{Category, Engine, Origin, Secrets, Status};
use crate::names;
use crate::node::api::Observed;
use crate::tables::backup::{self, Backup, Piece};
use crate::tables::instance::{self, Instance};
use crate::tables::member::{self, Member};
use crate::tables::{account, database, grant, hba, job, parameter, text};

/// The kind of the task that brings tables back, as stored. Its id is that of the row with the wish.
pub(super) const RESTORE_TABLE: &str = "rds.restore_table";

/// From when to when an instance can be restored without a gap, given its backups and the pieces of its log.
///
/// A backup reaches as far as the log goes on from its end without a gap, over timelines; the newest backup says up
/// to when, and the oldest that reaches every later one from when.
fn window(backups: &[Backup], log: &[Piece]) -> Option<(Time, Time)> {
    let mut done: Vec<&Backup> =
        backups.iter().filter(|backup| backup.status == backup::SUCCESS).collect();
    done.sort_by_key(|backup| backup.ended);
    let newest = done.pop()?;
    let end = reach(newest, log);
    let mut begin = newest.ended;
    for backup in done.into_iter().rev() {
        if reach(backup, log) < begin {
            break;
        }
        begin = backup.ended;
    }
    Some((begin, end))
}

/// Up to when a backup can be rolled forward.
fn reach(backup: &Backup, log: &[Piece]) -> Time {
    let (mut timeline, mut lsn, mut until) = (backup.timeline, backup.end_lsn, backup.ended);
    let mut left: Vec<&Piece> = log.iter().filter(|piece| piece.timeline >= timeline).collect();
    left.sort_by_key(|piece| (piece.timeline, piece.start_lsn));
    for piece in left {
        let joins = piece.start_lsn <= lsn && piece.end_lsn >= lsn;
        if joins && piece.timeline - timeline <= 1 {
            (timeline, lsn, until) = (piece.timeline, piece.end_lsn, until.max(piece.newest));
        }
    }
    until
}

fn window_of(cx: &mut Cx<'_>, instance: &str) -> Result<Option<(Time, Time)>, ApiError> {
    let backups = backup::all_of(cx.tx(), instance)?;
    let log = backup::log(cx.tx(), instance)?;
    Ok(window(&backups, &log))
}

#[derive(Deserialize)]
pub(super) struct OneInstance {
    #[serde(rename = "DBInstanceId")]
    instance: String,
}

/// Shows from when to when an instance can be restored; empty texts where it has no backup yet.
pub(super) struct DescribeLocalAvailableRecoveryTime;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LocalRecoveryTime {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    recovery_begin_time: String,
    recovery_end_time: String,
}

fn recovery_time(cx: &mut Cx<'_>, id: &str) -> Result<LocalRecoveryTime, ApiError> {
    let instance = owned(cx, id)?;
    let window = window_of(cx, &instance.id)?;
    let (begin, end) = window.map(|(begin, end)| (begin.iso(), end.iso())).unwrap_or_default();
    Ok(LocalRecoveryTime {
        instance: instance.id,
        recovery_begin_time: begin,
        recovery_end_time: end,
    })
}

impl Action for DescribeLocalAvailableRecoveryTime {
    const META: Meta = read("DescribeLocalAvailableRecoveryTime");
    type Request = OneInstance;
    type Response = LocalRecoveryTime;

    fn run(cx: &mut Cx<'_>, request: OneInstance) -> Result<LocalRecoveryTime, ApiError> {
        recovery_time(cx, &request.instance)
    }
}

/// As [`DescribeLocalAvailableRecoveryTime`], with the region: there is one archive, wherever it lies.
pub(super) struct DescribeAvailableRecoveryTime;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AvailableRecoveryTime {
    recovery_begin_time: String,
    recovery_end_time: String,
    region_id: String,
}

impl Action for DescribeAvailableRecoveryTime {
    const META: Meta = read("DescribeAvailableRecoveryTime");
    type Request = OneInstance;
    type Response = AvailableRecoveryTime;

    fn run(cx: &mut Cx<'_>, request: OneInstance) -> Result<AvailableRecoveryTime, ApiError> {
        let region_id = owned(cx, &request.instance)?.region;
        let found = recovery_time(cx, &request.instance)?;
        Ok(AvailableRecoveryTime {
            recovery_begin_time: found.recovery_begin_time,
            recovery_end_time: found.recovery_end_time,
            region_id,
        })
    }
}

/// A point of an instance: one of its backups, or a moment that its archive reaches.
fn point(
    cx: &mut Cx<'_>,
    instance: &str,
    (backup_id, time): (&str, &str),
) -> Result<Origin, ApiError> {
    let archive = |backup, until| Origin::Archive { instance: instance.to_owned(), backup, until };
    match (backup_id, time) {
        ("", "") => Err(invalid("RestoreTime", "Give either BackupId or RestoreTime.")),
        (id, "") if !is_plain(id) => Err(ApiError::new(&NO_BACKUP)),
        (id, "") => {
            let found = backup::find(cx.tx(), id)?;
            found
                .filter(|it| it.instance == instance && it.status == backup::SUCCESS)
                .map(|it| archive(Some(it.id), None))
                .ok_or_else(|| ApiError::new(&NO_BACKUP))
        }
        ("", time) => {
            let bad =
                || invalid("RestoreTime", "RestoreTime is a time such as 2026-01-02T03:04:05Z.");
            let time = Time::parse_iso(time).ok_or_else(bad)?;
            let window = window_of(cx, instance)?;
            if window.is_some_and(|(begin, end)| begin <= time && time <= end) {
                Ok(archive(None, Some(time.micros())))
            } else {
                Err(ApiError::new(&RESTORE_TIME))
            }
        }
        _ => Err(invalid("RestoreTime", "Give either BackupId or RestoreTime, not both.")),
    }
}

/// Makes a new instance as another one was at a point.
pub(super) struct CloneDBInstance;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloneDBInstanceRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(default)]
    backup_id: String,
    #[serde(default)]
    restore_time: String,
    #[serde(rename = "DBInstanceClass", default)]
    class: String,
    #[serde(rename = "DBInstanceStorage")]
    storage: Option<i64>,
    #[serde(default)]
    category: String,
    #[serde(rename = "DBInstanceDescription", default)]
    description: String,
    #[serde(default)]
    pay_type: String,
    #[serde(default)]
    deletion_protection: bool,
    #[serde(rename = "DbNames", default)]
    databases: String,
    #[serde(default)]
    restore_table: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloneDBInstanceResponse {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    order_id: String,
}

impl Action for CloneDBInstance {
    const META: Meta = write("CloneDBInstance").replay_by("ClientToken");
    type Request = CloneDBInstanceRequest;
    type Response = CloneDBInstanceResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: CloneDBInstanceRequest,
    ) -> Result<CloneDBInstanceResponse, ApiError> {
        names::description("DBInstanceDescription", &request.description)?;
        if !request.databases.is_empty() || !matches!(request.restore_table.as_str(), "" | "0") {
            let message = "A clone has all databases: RestoreTable brings single tables back.";
            return Err(invalid("RestoreTable", message));
        }
        if !matches!(request.pay_type.as_str(), "" | "Postpaid") {
            return Err(invalid("PayType", "A clone begins as Postpaid."));
        }
        let source = owned(cx, &request.instance)?;
        if source.is_read_only() {
            return Err(ApiError::new(&IS_FOLLOWER));
        }
        let new = planned(cx, &source, &request)?;
        place(cx, &new)?;
        copy_rows(cx, &source, &new.id)?;
        cx.audit_detail("SourceDBInstanceId", &source.id);
        let now = cx.now;
        cx.spawn(machine::KIND, new.id.clone(), machine::CONVERGE, now);
        Ok(CloneDBInstanceResponse { order_id: order(cx), instance: new.id })
    }
}

/// There are no orders here; clients want a number.
fn order(cx: &Cx<'_>) -> String {
    cx.rng().string(b"123456789", 15)
}

fn planned(
    cx: &mut Cx<'_>,
    source: &Instance,
    request: &CloneDBInstanceRequest,
) -> Result<instance::New, ApiError> {
    if !request.class.is_empty() && request.class != source.class {
        let message = "A clone begins with the class of its source: change it afterwards.";
        return Err(invalid("DBInstanceClass", message));
    }
    let storage_gib = request.storage.unwrap_or(source.storage_gib);
    if storage_gib < source.storage_gib || storage_gib > 32_000 {
        let message = format!("DBInstanceStorage is at least {} GiB.", source.storage_gib);
        return Err(invalid("DBInstanceStorage", message));
    }
    let category = match request.category.as_str() {
        "" => source.category,
        word => Category::parse(word)
            .ok_or_else(|| invalid("Category", "Category is Basic or HighAvailability."))?,
    };
    let origin = point(cx, &source.id, (&request.backup_id, &request.restore_time))?;
    let prefix = match source.engine {
        Engine::Postgres => "pgm",
        Engine::MariaDb => "rm",
    };
    let label = cx.rng().string(b"abcdefghijklmnopqrstuvwxyz0123456789", 16);
    let mut options = source.options.clone();
    options.description.clone_from(&request.description);
    options.deletion_protection = request.deletion_protection;
    options.public_name = String::new();
    let replicator = cx.rng().alphanumeric(32);
    Ok(instance::New {
        id: format!("{prefix}-{label}"),
        account: source.account,
        region: source.region.clone(),
        engine: source.engine,
        major: source.major.clone(),
        class: source.class.clone(),
        storage_gib,
        category,
        data_class: source.data_class,
        parent: None,
        status: Status::Restoring,
        name: format!("{prefix}-{label}"),
        origin,
        options,
        // The machine gives it a certificate once it has a host name.
        secrets: Secrets { replicator, certificate: String::new(), key: String::new() },
    })
}

/// Decides where the data may be, and writes the rows of the instance and its members there.
fn place(cx: &mut Cx<'_>, new: &instance::New) -> Result<(), ApiError> {
    let (cloud, now) = (cx.cloud, cx.now);
    let zones = match new.category {
        Category::Basic => 1,
        Category::HighAvailability => 2,
    };
    let within = (new.region.as_str(), zones);
    let sites = places::choose(cx.tx(), cloud, new.account, new.data_class, within, now)?;
    let want = Want { account: new.account, class: new.data_class, sites: &sites };
    let placement = places::decide(cx.tx(), cloud, &want, now)?;
    places::state(cx, &placement, "instances", 1);
    instance::insert(cx.tx(), &cloud.seal, new, now)?;
    for (count, place) in placement.places().iter().enumerate() {
        let member = Member {
            instance: new.id.clone(),
            site: place.site().to_owned(),
            zone: place.zone().to_owned(),
            primary: count == 0,
            host: String::new(),
            port: 0,
            observed: Observed::default(),
            seen: Time::from_micros(0),
        };
        member::put(cx.tx(), &member)?;
    }
    Ok(())
}

/// Gives a clone what its source has now: the data may be older, and the nodes make the one like the other. White
/// lists are not copied: nobody may reach a clone until its owner says so.
fn copy_rows(cx: &mut Cx<'_>, source: &Instance, to: &str) -> Result<(), ApiError> {
    let (cloud, now, from) = (cx.cloud, cx.now, source.id.as_str());
    for row in account::of(cx.tx(), from)?.into_iter().filter(|row| row.wanted) {
        let verifier = row.verifier(&cloud.seal, from)?;
        let new = account::New {
            instance: to,
            name: &row.name,
            privileged: row.privileged,
            description: &row.description,
            verifier: &verifier,
        };
        account::insert(cx.tx(), &cloud.seal, &new, now)?;
        if row.status == account::Status::Locked {
            account::set_status(cx.tx(), to, &row.name, account::Status::Locked)?;
        }
    }
    for row in database::of(cx.tx(), from)?.into_iter().filter(|row| row.wanted) {
        database::insert(cx.tx(), to, &row, now)?;
    }
    for row in grant::of(cx.tx(), from)?.into_iter().filter(|row| row.wanted) {
        grant::put(cx.tx(), to, (&row.account, &row.database), row.privilege)?;
    }
    for row in parameter::of(cx.tx(), from)? {
        parameter::put(cx.tx(), to, &row.name, &row.value, now)?;
    }
    let rules = hba::of(cx.tx(), from)?;
    hba::replace(cx.tx(), to, &rules)
}

/// Brings tables of a database back as they were at a point, into a database of the same instance, under names that
/// are free.
pub(super) struct RestoreTable;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestoreTableRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(default)]
    backup_id: String,
    #[serde(default)]
    restore_time: String,
    table_meta: String,
}

/// What a task brings back, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// From when: always [`Origin::Archive`].
    pub(crate) origin: Origin,
    /// What.
    pub(crate) databases: Vec<WishedDatabase>,
}

/// Tables of one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WishedDatabase {
    /// Where they were.
    pub(crate) name: String,
    /// Where they are to be.
    #[serde(alias = "newname")]
    pub(crate) new_name: String,
    /// Which.
    pub(crate) tables: Vec<WishedTable>,
}

/// A table: `table`, or `schema.table`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WishedTable {
    /// Its name then.
    pub(crate) name: String,
    /// The name that it is to get.
    #[serde(alias = "newname")]
    pub(crate) new_name: String,
}

#[derive(Serialize)]
pub(super) struct RestoreTableResponse {}

impl Action for RestoreTable {
    const META: Meta = write("RestoreTable").replay_by("ClientToken");
    type Request = RestoreTableRequest;
    type Response = RestoreTableResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: RestoreTableRequest,
    ) -> Result<RestoreTableResponse, ApiError> {
        let databases = wished(&request.table_meta).map_err(|why| invalid("TableMeta", why))?;
        let instance = writable(cx, &request.instance)?;
        if instance.engine != Engine::Postgres {
            return Err(ApiError::new(&ENGINE_UNSUPPORTED));
        }
        for wished in &databases {
            let there = database::find(cx.tx(), &instance.id, &wished.new_name)?;
            if !there.is_some_and(|it| it.wanted && it.status == database::RUNNING) {
                return Err(
                    NO_DATABASE.error("The database that tables are to come into is not there.")
                );
            }
        }
        let origin = point(cx, &instance.id, (&request.backup_id, &request.restore_time))?;
        let job = job::Job {
            id: format!("rt-{}", cx.rng().alphanumeric(20)),
            instance: instance.id,
            kind: RESTORE_TABLE.to_owned(),
            wish: text(&Wish { origin, databases })?,
            status: "Running".to_owned(),
            created: cx.now,
        };
        job::insert(cx.tx(), &job)?;
        cx.audit_detail("Job", &job.id);
        let now = cx.now;
        cx.spawn(RESTORE_TABLE, job.id, START, now);
        Ok(RestoreTableResponse {})
    }
}

/// The most tables that one wish brings back.
const TABLES_MAX: usize = 100;

/// Reads `TableMeta`. A table never comes back over the one that it was.
fn wished(meta: &str) -> Result<Vec<WishedDatabase>, &'static str> {
    let databases: Vec<WishedDatabase> = serde_json::from_str(meta).map_err(|_| {
        "TableMeta is a JSON list of databases with name, newname and tables, each with name and newname."
    })?;
    let count: usize = databases.iter().map(|it| it.tables.len()).sum();
    if databases.iter().any(|it| it.tables.is_empty()) || count == 0 || count > TABLES_MAX {
        return Err("TableMeta names between 1 and 100 tables, one at least of each database.");
    }
    let table = |name: &str| {
        let part = |part: &str| {
            (1..=63).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-$".contains(&byte))
        };
        name.split('.').count() <= 2 && name.split('.').all(part)
    };
    for wished in &databases {
        if !names::is_database(&wished.name) || !names::is_database(&wished.new_name) {
            return Err("TableMeta names a database that a tenant cannot have.");
        }
        for it in &wished.tables {
            if !table(&it.name) || !table(&it.new_name) {
                return Err(
                    "TableMeta names a table otherwise than table or schema.table, of letters, digits and _.",
                );
            }
            if wished.name == wished.new_name && it.name == it.new_name {
                return Err("A table comes back under another name, or into another database.");
            }
        }
    }
    Ok(databases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::AccountId;
    use proptest::prelude::*;

    fn made(ended: i64, end_lsn: i64, timeline: i64, status: &str) -> Backup {
        Backup {
            id: ended.to_string(),
            instance: "pgm-1".to_owned(),
            account: AccountId::new(1),
            status: status.to_owned(),
            mode: "Manual".to_owned(),
            engine: "PostgreSQL".to_owned(),
            build: "17.1".to_owned(),
            timeline,
            start_lsn: end_lsn - 1,
            end_lsn,
            started: Time::from_secs(ended - 1),
            ended: Time::from_secs(ended),
            bytes: 1,
            facts: "{}".to_owned(),
        }
    }

    fn piece(timeline: i64, start_lsn: i64, end_lsn: i64, newest: i64) -> Piece {
        Piece { timeline, start_lsn, end_lsn, bytes: 1, newest: Time::from_secs(newest) }
    }

    #[test]
    fn what_can_be_restored_has_no_gap_and_goes_over_timelines() {
        let ok = backup::SUCCESS;
        let backups =
            [made(100, 10, 1, ok), made(200, 20, 1, ok), made(250, 25, 1, backup::FAILED)];
        let span = |log: &[Piece]| window(&backups, log).map(|(b, e)| (b.secs(), e.secs()));
        assert_eq!(window(&[], &[]), None);
        assert_eq!(span(&[]), Some((200, 200)), "no log, only the newest backup itself");
        assert_eq!(span(&[piece(1, 5, 40, 300)]), Some((100, 300)));
        assert_eq!(span(&[piece(1, 5, 15, 150), piece(1, 18, 40, 300)]), Some((200, 300)));
        assert_eq!(span(&[piece(1, 5, 30, 280), piece(2, 30, 50, 400)]), Some((100, 400)));
        assert_eq!(span(&[piece(1, 5, 30, 280), piece(2, 31, 50, 400)]), Some((100, 280)));
    }

    #[test]
    fn tables_come_back_under_other_names() {
        let meta = |database: &str, new: &str, table: &str, to: &str| {
            format!(
                r#"[{{"type": "db", "name": "{database}", "newname": "{new}",
                     "tables": [{{"type": "table", "name": "{table}", "newname": "{to}"}}]}}]"#
            )
        };
        assert!(wished(&meta("toko", "toko", "public.jual", "public.jual_lama")).is_ok());
        assert!(wished(&meta("toko", "toko_lama", "jual", "jual")).is_ok());
        for bad in [
            meta("toko", "toko", "jual", "jual"),
            meta("postgres", "toko", "jual", "jual2"),
            meta("toko", "toko", "a.b.c", "jual2"),
            meta("toko", "toko", "jual'", "jual2"),
            meta("toko", "toko", "", "jual2"),
            "[]".to_owned(),
            r#"[{"name": "toko", "newname": "toko2", "tables": []}]"#.to_owned(),
            "rubbish".to_owned(),
        ] {
            assert!(wished(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader_of_wishes(text: String) {
            let _ = wished(&text);
        }

        #[test]
        fn a_window_is_never_upside_down(
            backups in prop::collection::vec((1i64..100, 1i64..100, 1i64..3), 0..6),
            log in prop::collection::vec((1i64..3, 1i64..100, 0i64..50, 1i64..200), 0..6),
        ) {
            let backups: Vec<_> =
                backups.into_iter().map(|(at, lsn, line)| made(at, lsn, line, backup::SUCCESS)).collect();
            let log: Vec<_> =
                log.into_iter().map(|(line, from, more, at)| piece(line, from, from + more, at)).collect();
            if let Some((begin, end)) = window(&backups, &log) {
                prop_assert!(begin <= end);
            }
        }
    }
}
