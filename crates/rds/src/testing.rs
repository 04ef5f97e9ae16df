//! What tests of the control API need of what is inside: instances and backups without nodes. Nothing of the program
//! calls it.

use std::sync::Arc;

use base::{AccountId, ApiError, RequestId, Time};
use engine::{Caller, Cloud, Cx, Meta, RequestInfo, Session};
use store::{Tx, params};
use terms::clauses::DataClass;

use crate::engines::{Build, Extension, Setting};
use crate::machine;
use crate::machine::parts::{self, Parts};
use crate::model::{Category, Engine, Keeper, Options, Origin, Secrets, Status};
use crate::node::api::{ExtensionWish, InstalledExtension, Observed, RefusedExtension};
use crate::nodes::Hosts;
use crate::scratch;
use crate::tables::instance::{self, New};
use crate::tables::member::{self, Member};
use crate::tables::text;
use crate::tables::{backup, engine as builds, extension};

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
        offers: Vec::new(),
        libraries: None,
        settings,
    };
    tx.execute(
        "INSERT INTO rds_engine (site, engine, major, build, facts) VALUES ('jkt-a', ?1, '17', '17.1', ?2)",
        params![engine.as_str(), &text(&build)?],
    )?;
    Ok(())
}

/// Does as if the engine at `jkt-a` offered these extensions to tenants.
///
/// # Errors
/// Those of the database.
pub fn offer(tx: &mut Tx<'_>, engine: Engine, offers: &[Extension]) -> Result<(), ApiError> {
    let mut builds = builds::at(tx, "jkt-a")?;
    for build in builds.iter_mut().filter(|build| build.engine == engine) {
        build.offers = offers.to_vec();
    }
    builds::replace(tx, "jkt-a", &builds)
}

/// What the node of an instance would be told of extensions.
///
/// # Errors
/// Those of the database.
pub fn wished(tx: &mut Tx<'_>, id: &str) -> Result<Vec<ExtensionWish>, ApiError> {
    extension::wished(tx, id)
}

/// Does as if the node had reached the present generation, with these extensions in one database, and a refusal.
///
/// # Errors
/// Those of the database.
pub fn extended(
    tx: &mut Tx<'_>,
    id: &str,
    (database, installed): (&str, &[InstalledExtension]),
    refused: &[RefusedExtension],
) -> Result<(), ApiError> {
    for mut member in member::of(tx, id)? {
        member.observed.extensions.insert(database.to_owned(), installed.to_vec());
        member::put(tx, &member)?;
    }
    extension::settle(tx, id, refused)?;
    settle(tx, id)
}

/// Does as if the nodes of an instance had reached its present generation.
///
/// # Errors
/// Those of the database.
pub fn settle(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    parts::settle(tx, id, &[])?;
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

/// Does as if the nodes had taken an instance off that was to go.
///
/// # Errors
/// Those of the database.
pub async fn release(cloud: &Arc<Cloud>, id: &str) -> Result<(), ApiError> {
    let id = id.to_owned();
    let forget = move |cx: &mut Cx<'_>| {
        cx.authorize("acs:rds:*:*:dbinstance/*")?;
        machine::forget(cx, &id)
    };
    let meta = Meta::write("rds", "2014-08-15", "DeleteDBInstance");
    let request = RequestInfo { id: RequestId::random(&*cloud.rng), ..RequestInfo::default() };
    let session = Session { meta, caller: Caller::system(), request };
    cloud.write(Arc::new(session), forget).await
}

/// What its nodes would be told.
///
/// # Errors
/// Those of the database.
pub fn told(tx: &mut Tx<'_>, cloud: &Cloud, id: &str) -> Result<Parts, ApiError> {
    let instance = found(tx, id)?;
    parts::spec_parts(tx, cloud, &instance)
}

/// Removes scratch members that nobody needs from the nodes that run.
///
/// # Errors
/// Those of the database.
pub async fn sweep(cloud: &Cloud, nodes: &dyn Hosts) -> Result<(), ApiError> {
    scratch::sweep(cloud, nodes).await
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
