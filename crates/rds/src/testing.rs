//! What tests of the control API need of what is inside: instances and backups without nodes. Nothing of the program
//! calls it.

use base::{AccountId, ApiError, Time};
use engine::Cloud;
use store::{Tx, params};
use terms::clauses::DataClass;

use crate::engines::{Build, Setting};
use crate::machine::parts::{self, Parts};
use crate::model::{Category, Engine, Keeper, Options, Origin, Secrets, Status};
use crate::node::api::Observed;
use crate::tables::backup;
use crate::tables::instance::{self, New};
use crate::tables::member::{self, Member};
use crate::tables::text;

/// Adds an instance that runs at `jkt-a`, as if its nodes had made it.
///
/// # Errors
/// Those of the database.
pub fn instance(
    tx: &mut Tx<'_>,
    cloud: &Cloud,
    (id, account): (&str, AccountId),
    engine: Engine,
    parent: Option<&str>,
) -> Result<(), ApiError> {
    let now = cloud.clock.now();
    let secrets = Secrets::default();
    let new = New {
        id: id.to_owned(),
        account,
        region: cloud.region.id.clone(),
        engine,
        major: "17".to_owned(),
        class: "pg.n2.2c.1m".to_owned(),
        storage_gib: 20,
        category: Category::Basic,
        data_class: DataClass::Internal,
        parent: parent.map(str::to_owned),
        keeper: Keeper::Awan,
        status: Status::Running,
        name: id.to_owned(),
        origin: Origin::Template,
        options: Options::default(),
        secrets,
    };
    instance::insert(tx, &cloud.seal, &new, now)?;
    let member = Member {
        instance: id.to_owned(),
        site: "jkt-a".to_owned(),
        zone: "ap-southeast-5a".to_owned(),
        primary: true,
        host: "127.0.0.1".to_owned(),
        port: 5432,
        observed: Observed::default(),
        seen: now,
    };
    member::put(tx, &member)?;
    settle(tx, id)
}

/// Adds what a node at `jkt-a` says that its engine can be set to.
///
/// # Errors
/// Those of the database.
pub fn engine(tx: &mut Tx<'_>, engine: Engine, settings: Vec<Setting>) -> Result<(), ApiError> {
    let build = Build {
        engine,
        major: "17".to_owned(),
        version: "17.1".to_owned(),
        programs: std::path::PathBuf::new(),
        sha256: String::new(),
        extensions: Vec::new(),
        libraries: None,
        settings,
    };
    tx.execute(
        "INSERT INTO rds_engine (site, engine, major, build, facts) VALUES ('jkt-a', ?1, '17', '17.1', ?2)",
        params![engine.as_str(), &text(&build)?],
    )?;
    Ok(())
}

/// Does as if the nodes of an instance had reached its present generation.
///
/// # Errors
/// Those of the database.
pub fn settle(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    parts::settle(tx, id)?;
    let mut instance = found(tx, id)?;
    instance.settled = instance.generation;
    instance.status = Status::Running;
    instance::save(tx, &instance)
}

/// Gives an instance another status.
///
/// # Errors
/// Those of the database.
pub fn set_status(tx: &mut Tx<'_>, id: &str, status: Status) -> Result<(), ApiError> {
    let mut instance = found(tx, id)?;
    instance.status = status;
    instance::save(tx, &instance)
}

/// The status, how often a restart was asked for, and the generation of an instance.
///
/// # Errors
/// Those of the database.
pub fn state(tx: &mut Tx<'_>, id: &str) -> Result<(Status, i64, i64), ApiError> {
    let instance = found(tx, id)?;
    Ok((instance.status, instance.restarts, instance.generation))
}

/// How an instance came to be.
///
/// # Errors
/// Those of the database.
pub fn origin(tx: &mut Tx<'_>, id: &str) -> Result<Origin, ApiError> {
    found(tx, id).map(|instance| instance.origin)
}

/// What its nodes would be told.
///
/// # Errors
/// Those of the database.
pub fn told(tx: &mut Tx<'_>, cloud: &Cloud, id: &str) -> Result<Parts, ApiError> {
    let instance = found(tx, id)?;
    parts::spec_parts(tx, cloud, &instance)
}

/// Does as if a backup had ended well.
///
/// # Errors
/// Those of the database.
pub fn finish_backup(tx: &mut Tx<'_>, id: &str, lsn: u64, ended: Time) -> Result<(), ApiError> {
    let Some(mut row) = backup::find(tx, id)? else { return Ok(()) };
    row.status = backup::State::Success;
    row.build = "17.1".to_owned();
    row.timeline = 1;
    (row.start_lsn, row.end_lsn) = (lsn - 1, lsn);
    row.ended = Some(ended);
    row.bytes = 1000;
    backup::finish(tx, &row).map(drop)
}

/// Does as if a backup had come to nothing.
///
/// # Errors
/// Those of the database.
pub fn fail_backup(tx: &mut Tx<'_>, id: &str, ended: Time) -> Result<(), ApiError> {
    backup::fail(tx, id, "on demand", ended).map(drop)
}

fn found(tx: &mut Tx<'_>, id: &str) -> Result<instance::Instance, ApiError> {
    instance::find(tx, id)?.ok_or_else(|| ApiError::internal(format!("there is no {id}")))
}
