//! Restores: what can be restored, a new instance from it, tables of it back into their instance. Restored data
//! never takes the place of what is there.

use base::{ApiError, Time};
use engine::places::Placement;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::{arn, is_plain, owned, read, write};
use crate::backup::schedule::{Expired, expired_of_released};
use crate::backup::{major_of, restore};
use crate::classes::{self, STORAGE_GIB};
use crate::errors::{
    ENGINE_UNSUPPORTED, INSTANCE_STATUS, IS_FOLLOWER, NO_BACKUP, NO_CLASS, NO_DATABASE,
    NO_INSTANCE, RESTORE_TIME,
};
use crate::machine::restore_table::{self, Wish, WishedDatabase};
use crate::model::{Category, Engine, Origin, Status};
use crate::names;
use crate::requests::forms::{Rest, not_supported, refuse_unprovided};
use crate::requests::make::{Made, Plan, make};
use crate::requests::place::{Spot, place};
use crate::requests::within::{invalid, writable};
use crate::scratch;
use crate::tables::backup::{self, Backup, State};
use crate::tables::instance::Instance;
use crate::tables::{account, database, grant, hba, job, parameter, text};

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

/// What is restored: an instance that is there, or what is kept of one that is gone.
struct Source {
    instance: Instance,
    /// Of one that is gone: what is not kept of it, though it may be there for a moment.
    going: Expired,
}

/// The caller's own instance of that id, also one that is gone, while something is kept of it that can be restored.
fn source(cx: &mut Cx<'_>, id: &str) -> Result<Source, ApiError> {
    let missing = match owned(cx, id) {
        Ok(instance) => return Ok(Source { instance, going: Expired::default() }),
        Err(error) if error.is(&NO_INSTANCE) && is_plain(id) => error,
        Err(error) => return Err(error),
    };
    let (account, now) = (cx.account(), cx.now);
    let released = backup::find_released(cx.tx(), id)?;
    let Some(released) = released.filter(|it| it.account == account && it.until > now) else {
        return Err(missing);
    };
    let backups = backup::of_instance(cx.tx(), id)?;
    let going = expired_of_released(&released, &backups, now);
    let instance = Instance::of_released(released).ok_or(missing)?;
    Ok(Source { instance, going })
}

/// From when to when something can be restored.
fn window(cx: &mut Cx<'_>, source: &Source) -> Result<Option<(Time, Time)>, ApiError> {
    match source.going.log {
        // It may be there for a moment, and is gone the next.
        Some(_) => Ok(None),
        None => restore::window(cx.tx(), &source.instance.id),
    }
}

fn recovery_time(cx: &mut Cx<'_>, source: Source) -> Result<LocalRecoveryTime, ApiError> {
    let window = window(cx, &source)?;
    let (begin, end) = window.map(|(begin, end)| (begin.iso(), end.iso())).unwrap_or_default();
    Ok(LocalRecoveryTime {
        instance: source.instance.id,
        recovery_begin_time: begin,
        recovery_end_time: end,
    })
}

impl Action for DescribeLocalAvailableRecoveryTime {
    const META: Meta = read("DescribeLocalAvailableRecoveryTime");
    type Request = OneInstance;
    type Response = LocalRecoveryTime;

    fn run(cx: &mut Cx<'_>, request: OneInstance) -> Result<LocalRecoveryTime, ApiError> {
        let source = source(cx, &request.instance)?;
        recovery_time(cx, source)
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
        let source = source(cx, &request.instance)?;
        let region_id = source.instance.region.clone();
        let found = recovery_time(cx, source)?;
        Ok(AvailableRecoveryTime {
            recovery_begin_time: found.recovery_begin_time,
            recovery_end_time: found.recovery_end_time,
            region_id,
        })
    }
}

/// A point that can be gone back to.
struct Point {
    origin: Origin,
    /// Of the backup that a restore begins with; its instance may have been upgraded since.
    major: String,
}

/// A point of an instance: one of its backups, or a moment that its archive reaches.
fn point(
    cx: &mut Cx<'_>,
    source: &Source,
    (backup_id, time): (&str, &str),
) -> Result<Point, ApiError> {
    let instance = &source.instance;
    let point = |begins: Backup, backup, until| Point {
        major: match major_of(instance.engine, &begins.build) {
            "" => instance.major.clone(),
            major => major.to_owned(),
        },
        origin: Origin::Archive { instance: begins.instance, backup, until },
    };
    match (backup_id, time) {
        ("", "") => Err(invalid("RestoreTime", "Give either BackupId or RestoreTime.")),
        (id, "") if !is_plain(id) => Err(ApiError::new(&NO_BACKUP)),
        (id, "") => {
            let found = backup::find(cx.tx(), id)?.filter(|it| {
                it.instance == instance.id
                    && it.status == State::Success
                    && !source.going.backups.contains(&it.id)
            });
            let found = found.ok_or_else(|| ApiError::new(&NO_BACKUP))?;
            Ok(point(found, Some(id.to_owned()), None))
        }
        ("", time) => {
            let bad =
                || invalid("RestoreTime", "RestoreTime is a time such as 2026-01-02T03:04:05Z.");
            let time = Time::parse_iso(time).ok_or_else(bad)?;
            let reached = window(cx, source)?;
            let begins = match reached.is_some_and(|(begin, end)| begin <= time && time <= end) {
                true => backup::newest_before(cx.tx(), &instance.id, time)?,
                false => None,
            };
            let begins = begins.ok_or_else(|| ApiError::new(&RESTORE_TIME))?;
            Ok(point(begins, None, Some(time.micros())))
        }
        _ => Err(invalid("RestoreTime", "Give either BackupId or RestoreTime, not both.")),
    }
}

/// What a clone could be asked for and is not given.
const UNPROVIDED: &[(&str, &[&str])] = &[
    ("BpeEnabled", &["0", "false"]),
    ("BurstingEnabled", &["false"]),
    ("DedicatedHostGroupId", &[]),
    ("IoAccelerationEnabled", &["0", "false", "off"]),
    ("PrivateIpAddress", &[]),
    ("ServerlessConfig", &[]),
];

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
    #[serde(default)]
    region_id: String,
    #[serde(default)]
    zone_id: String,
    #[serde(rename = "ZoneIdSlave1", default)]
    standby_zone: String,
    #[serde(flatten)]
    rest: Rest,
}

impl Action for CloneDBInstance {
    const META: Meta = write("CloneDBInstance").replay_by("ClientToken");
    type Request = CloneDBInstanceRequest;
    type Response = Made;

    fn run(cx: &mut Cx<'_>, request: CloneDBInstanceRequest) -> Result<Made, ApiError> {
        names::description("DBInstanceDescription", &request.description)?;
        if !request.databases.is_empty() || !matches!(request.restore_table.as_str(), "" | "0") {
            let message = "A clone has all databases: RestoreTable brings single tables back.";
            return Err(invalid("RestoreTable", message));
        }
        if !matches!(request.pay_type.as_str(), "" | "Postpaid") {
            return Err(invalid("PayType", "A clone begins as Postpaid."));
        }
        let source = source(cx, &request.instance)?;
        let all = arn(cx, cx.account(), "*");
        cx.authorize(&all)?;
        refuse_unprovided(&request.rest, UNPROVIDED)?;
        if source.instance.is_read_only() {
            return Err(ApiError::new(&IS_FOLLOWER));
        }
        if !request.region_id.is_empty() && request.region_id != source.instance.region {
            return Err(not_supported("A clone in another region is"));
        }
        let plan = planned(cx, &source, &request)?;
        cx.audit_detail("SourceDBInstanceId", &source.instance.id);
        let made = make(cx, plan)?;
        copy_rows(cx, &source.instance, &made.id)?;
        Ok(made)
    }
}

fn planned(
    cx: &mut Cx<'_>,
    from: &Source,
    request: &CloneDBInstanceRequest,
) -> Result<Plan, ApiError> {
    let source = &from.instance;
    if source.engine == Engine::MariaDb && !request.restore_time.is_empty() {
        // Their binary logs are not archived.
        let message = "An instance of MariaDB is restored from a backup (BackupId), not to a time.";
        return Err(ENGINE_UNSUPPORTED.error(message));
    }
    let point = point(cx, from, (&request.backup_id, &request.restore_time))?;
    let name = if request.class.is_empty() { &source.class } else { &request.class };
    let class = classes::find(name).filter(|class| class.engine == source.engine);
    let class = class.ok_or_else(|| ApiError::new(&NO_CLASS))?;
    if !request.category.is_empty() && Category::parse(&request.category) != Some(class.category) {
        let message = format!("Category is {}, as the class says.", class.category.as_str());
        return Err(invalid("Category", message));
    }
    let storage_gib = request.storage.unwrap_or(source.storage_gib);
    if storage_gib < source.storage_gib || storage_gib > STORAGE_GIB.1 {
        let message = format!("DBInstanceStorage is at least {} GiB.", source.storage_gib);
        return Err(invalid("DBInstanceStorage", message));
    }
    let mut options = source.options.clone();
    options.description.clone_from(&request.description);
    options.deletion_protection = request.deletion_protection;
    options.public_name = String::new();
    options.switch_to = String::new();
    options.seeded = false;
    options.metered.clear();
    options.deleted_accounts.clear();
    Ok(Plan {
        region: source.region.clone(),
        engine: source.engine,
        placement: placement(cx, source, (&point.major, class.category), request)?,
        major: point.major,
        class,
        storage_gib,
        data_class: source.data_class,
        parent: None,
        status: Status::Restoring,
        origin: point.origin,
        options,
        tags: Vec::new(),
        arrays: Vec::new(),
    })
}

/// Decides where the data of a clone may be: the agreement says so as of any new instance.
fn placement(
    cx: &mut Cx<'_>,
    source: &Instance,
    (major, category): (&str, Category),
    request: &CloneDBInstanceRequest,
) -> Result<Placement, ApiError> {
    let spot = Spot {
        region: &source.region,
        zone: &request.zone_id,
        standby_zone: &request.standby_zone,
        category,
        beside: &[],
    };
    place(cx, source.data_class, (source.engine, major), &spot)
}

/// Gives a clone what its source has now, or had in the end: the data may be older, and the nodes make the one like the
/// other. White lists are not copied: nobody may reach a clone until its owner says so.
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
    // Those that were deleted since are in the data: nobody who lost an account logs in to the past.
    for name in source.options.deleted_accounts.keys() {
        if account::find(cx.tx(), to, name)?.is_none() {
            let (privileged, description, verifier) = (false, "", "");
            let new = account::New { instance: to, name, privileged, description, verifier };
            account::insert(cx.tx(), &cloud.seal, &new, now)?;
            account::retire(cx.tx(), to, name)?;
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

/// Brings tables of a database back as they were at a point, under their names, into another database of the same
/// instance that has no such tables.
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
        // Two for the same names would each take what the other brought for its own.
        let jobs = job::of_instance(cx.tx(), &instance.id)?;
        if jobs.iter().any(|it| it.kind == restore_table::KIND && it.status == "Running") {
            return Err(INSTANCE_STATUS.error("Tables are being brought back already."));
        }
        let source = Source { instance, going: Expired::default() };
        let Point { origin, major } =
            point(cx, &source, (&request.backup_id, &request.restore_time))?;
        if major != source.instance.major {
            let message =
                "That is of another major version of the engine: restore it to a new instance.";
            return Err(ENGINE_UNSUPPORTED.error(message));
        }
        let job = job::Job {
            id: format!("{}{}", scratch::JOB, cx.rng().alphanumeric(20)),
            instance: source.instance.id,
            kind: restore_table::KIND.to_owned(),
            wish: text(&Wish { origin, databases, failed: String::new() })?,
            status: "Running".to_owned(),
            created: cx.now,
        };
        job::insert(cx.tx(), &job)?;
        cx.audit_detail("Job", &job.id);
        let now = cx.now;
        cx.spawn(restore_table::KIND, job.id, restore_table::BEGIN, now);
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
        if wished.name == wished.new_name {
            return Err(
                "Tables come back into another database of the instance, never over what is there.",
            );
        }
        for it in &wished.tables {
            if !table(&it.name) || !table(&it.new_name) {
                return Err(
                    "TableMeta names a table otherwise than table or schema.table, of letters, digits and _.",
                );
            }
            if it.name != it.new_name {
                return Err(
                    "Tables keep their names when they come back: name another database for them, under newname.",
                );
            }
        }
    }
    Ok(databases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tables_come_back_into_other_databases_under_their_names() {
        let meta = |database: &str, new: &str, table: &str, to: &str| {
            format!(
                r#"[{{"type": "db", "name": "{database}", "newname": "{new}",
                     "tables": [{{"type": "table", "name": "{table}", "newname": "{to}"}}]}}]"#
            )
        };
        assert!(wished(&meta("toko", "toko_lama", "public.jual", "public.jual")).is_ok());
        assert!(wished(&meta("toko", "toko_lama", "jual", "jual")).is_ok());
        for bad in [
            meta("toko", "toko", "jual", "jual"),
            meta("toko", "toko_lama", "jual", "jual_lama"),
            meta("postgres", "toko", "jual", "jual"),
            meta("toko", "toko_lama", "a.b.c", "a.b.c"),
            meta("toko", "toko_lama", "jual'", "jual'"),
            meta("toko", "toko_lama", "", ""),
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
    }
}
