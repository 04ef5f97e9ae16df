//! Instances.

use base::{AccountId, ApiError, Time};
use store::{Row, Tx, params};
use terms::clauses::DataClass;

use super::backup::{Released, Was};
use super::{read, route, text};
use crate::model::{Category, Engine, Keeper, Options, Origin, Secrets, Status, Wanted};

/// An instance, as stored.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `pgm-…`, `rm-…`; read-only ones `pgr-…`, `rr-…`.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// In which region.
    pub region: String,
    /// Its engine.
    pub engine: Engine,
    /// The engine's major version.
    pub major: String,
    /// Its class.
    pub class: String,
    /// Its storage, GiB.
    pub storage_gib: i64,
    /// How many members it has.
    pub category: Category,
    /// The class of the data in it.
    pub data_class: DataClass,
    /// Of a read-only instance: which it follows.
    pub parent: Option<String>,
    /// Who keeps its servers.
    pub keeper: Keeper,
    /// Where it is.
    pub status: Status,
    /// What it is to be.
    pub wanted: Wanted,
    /// Counts what was asked of it.
    pub generation: i64,
    /// Up to where that is done.
    pub settled: i64,
    /// Counts restarts that were asked for.
    pub restarts: i64,
    /// Counts its primaries.
    pub term: i64,
    /// The first label of its host name.
    pub name: String,
    /// How its first data came to be.
    pub origin: Origin,
    /// Everything else that may be set.
    pub options: Options,
    /// Sealed [`Secrets`].
    secrets: Vec<u8>,
    /// When it was made.
    pub created: Time,
}

/// A new instance: what [`insert`] needs.
pub struct New {
    /// As [`Instance::id`].
    pub id: String,
    /// As [`Instance::account`].
    pub account: AccountId,
    /// As [`Instance::region`].
    pub region: String,
    /// As [`Instance::engine`].
    pub engine: Engine,
    /// As [`Instance::major`].
    pub major: String,
    /// As [`Instance::class`].
    pub class: String,
    /// As [`Instance::storage_gib`].
    pub storage_gib: i64,
    /// As [`Instance::category`].
    pub category: Category,
    /// As [`Instance::data_class`].
    pub data_class: DataClass,
    /// As [`Instance::parent`].
    pub parent: Option<String>,
    /// As [`Instance::keeper`].
    pub keeper: Keeper,
    /// As [`Instance::status`].
    pub status: Status,
    /// As [`Instance::name`].
    pub name: String,
    /// As [`Instance::origin`].
    pub origin: Origin,
    /// As [`Instance::options`].
    pub options: Options,
    /// See [`Secrets`].
    pub secrets: Secrets,
}

const COLUMNS: &str =
    "id, account, region, engine, major, class, storage_gib, category, data_class, parent,
    status, wanted, generation, settled, restarts, term, name, origin, options, secrets, created, keeper";

/// The columns as they are, before anything is understood.
type Raw = ([String; 13], Option<String>, [i64; 7], Vec<u8>);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok((
        [
            row.get(0)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get(7)?,
            row.get(8)?,
            row.get(10)?,
            row.get(11)?,
            row.get(16)?,
            row.get(17)?,
            row.get(18)?,
            row.get(21)?,
        ],
        row.get(9)?,
        [
            row.get(1)?,
            row.get(6)?,
            row.get(12)?,
            row.get(13)?,
            row.get(14)?,
            row.get(15)?,
            row.get(20)?,
        ],
        row.get(19)?,
    ))
}

fn understood((texts, parent, numbers, secrets): Raw) -> Result<Instance, ApiError> {
    let [
        id,
        region,
        engine,
        major,
        class,
        category,
        data_class,
        status,
        wanted,
        name,
        origin,
        options,
        keeper,
    ] = texts;
    let [account, storage_gib, generation, settled, restarts, term, created] = numbers;
    let unknown =
        |what: &str, text: &str| ApiError::internal(format!("instance {id}: {what} {text:?}"));
    Ok(Instance {
        engine: Engine::parse(&engine).ok_or_else(|| unknown("engine", &engine))?,
        category: Category::parse(&category).ok_or_else(|| unknown("category", &category))?,
        data_class: DataClass::parse(&data_class).ok_or_else(|| unknown("class", &data_class))?,
        keeper: Keeper::parse(&keeper).ok_or_else(|| unknown("keeper", &keeper))?,
        status: Status::parse(&status).ok_or_else(|| unknown("status", &status))?,
        wanted: Wanted::parse(&wanted).ok_or_else(|| unknown("wish", &wanted))?,
        origin: read(&origin)?,
        options: read(&options)?,
        account: AccountId::from_i64(account),
        created: Time::from_micros(created),
        id,
        region,
        major,
        class,
        storage_gib,
        parent,
        generation,
        settled,
        restarts,
        term,
        name,
        secrets,
    })
}

/// Adds one. It has to become what it is to be: the caller spawns its task.
pub fn insert(
    tx: &mut Tx<'_>,
    seal: &engine::seal::Seal,
    new: &New,
    now: Time,
) -> Result<(), ApiError> {
    let secrets = seal.seal(&context(&new.id), text(&new.secrets)?.as_bytes());
    tx.execute(
        "INSERT INTO rds_instance (id, account, region, engine, major, class, storage_gib, category, data_class,
             parent, status, wanted, generation, settled, restarts, term, name, origin, options, secrets, created, keeper)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1, 0, 0, 1, ?13, ?14, ?15, ?16, ?17, ?18)",
        params![
            &new.id,
            new.account,
            &new.region,
            new.engine.as_str(),
            &new.major,
            &new.class,
            new.storage_gib,
            new.category.as_str(),
            new.data_class.as_str(),
            new.parent.as_ref(),
            new.status.as_str(),
            Wanted::Running.as_str(),
            &new.name,
            &text(&new.origin)?,
            &text(&new.options)?,
            &secrets,
            now,
            new.keeper.as_str()
        ],
    )?;
    route::changed(tx);
    Ok(())
}

/// The context that an instance's secrets are sealed in.
fn context(id: &str) -> String {
    format!("rds.instance/{id}")
}

impl Instance {
    /// Opens its secrets.
    ///
    /// # Errors
    /// `InternalError` where they were sealed under another master key.
    pub fn secrets(&self, seal: &engine::seal::Seal) -> Result<Secrets, ApiError> {
        let plain = seal.open(&context(&self.id), &self.secrets)?;
        serde_json::from_slice(&plain)
            .map_err(|_| ApiError::internal(format!("the secrets of {} do not read", self.id)))
    }

    /// Seals other secrets; [`save`] stores them.
    pub fn set_secrets(
        &mut self,
        seal: &engine::seal::Seal,
        secrets: &Secrets,
    ) -> Result<(), ApiError> {
        self.secrets = seal.seal(&context(&self.id), text(secrets)?.as_bytes());
        Ok(())
    }

    /// What it was, for when it is gone.
    pub fn was(&self) -> Was {
        Was {
            engine: self.engine,
            major: self.major.clone(),
            class: self.class.clone(),
            storage_gib: self.storage_gib,
            category: self.category.as_str().to_owned(),
            options: self.options.clone(),
            created: self.created.micros(),
        }
    }

    /// One that is gone, as far as it is known: to tell of it, and to make another like it. It has no secrets and no
    /// row. `None` where nothing is kept that could be restored.
    pub fn of_released(released: Released) -> Option<Self> {
        let Released { instance: id, account, facts, .. } = released;
        let was = facts.was?;
        Some(Self {
            keeper: Keeper::Awan,
            account,
            region: facts.region,
            engine: was.engine,
            category: was.category(),
            major: was.major,
            class: was.class,
            storage_gib: was.storage_gib,
            data_class: DataClass::parse(&facts.data_class)?,
            parent: None,
            status: Status::Released,
            wanted: Wanted::Gone,
            generation: 0,
            settled: 0,
            restarts: 0,
            term: 0,
            name: id.clone(),
            origin: Origin::Template,
            options: was.options,
            secrets: Vec::new(),
            created: Time::from_micros(was.created),
            id,
        })
    }

    /// True for one that is made by following another.
    pub fn is_read_only(&self) -> bool {
        self.parent.is_some()
    }
}

/// Stores everything about it that may change.
pub fn save(tx: &mut Tx<'_>, instance: &Instance) -> Result<(), ApiError> {
    tx.execute(
        "UPDATE rds_instance SET major = ?2, class = ?3, storage_gib = ?4, category = ?5, parent = ?6, status = ?7,
             wanted = ?8, generation = ?9, settled = ?10, restarts = ?11, term = ?12, name = ?13, options = ?14,
             secrets = ?15, origin = ?16
         WHERE id = ?1",
        params![
            &instance.id,
            &instance.major,
            &instance.class,
            instance.storage_gib,
            instance.category.as_str(),
            instance.parent.as_ref(),
            instance.status.as_str(),
            instance.wanted.as_str(),
            instance.generation,
            instance.settled,
            instance.restarts,
            instance.term,
            &instance.name,
            &text(&instance.options)?,
            &instance.secrets,
            &text(&instance.origin)?
        ],
    )?;
    route::changed(tx);
    Ok(())
}

/// The instance of that id, whoever owns it.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Instance>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_instance WHERE id = ?1");
    tx.query_opt(&sql, params![id], raw)?.map(understood).transpose()
}

/// The instance of which a host name, the first or the second one, begins with that label.
pub fn named(tx: &mut Tx<'_>, name: &str) -> Result<Option<Instance>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_instance
         WHERE name = ?1 OR id = (SELECT instance FROM rds_host WHERE name = ?1)"
    );
    tx.query_opt(&sql, params![name], raw)?.map(understood).transpose()
}

/// The instances of an account after that id, in order of their ids, at most so many.
pub fn of_account(
    tx: &mut Tx<'_>,
    account: AccountId,
    after: &str,
    limit: usize,
) -> Result<Vec<Instance>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_instance WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
    );
    let rows = tx.query(&sql, params![account, after, limit], raw)?;
    rows.into_iter().map(understood).collect()
}

/// How many instances an account has.
pub fn count(tx: &mut Tx<'_>, account: AccountId) -> Result<u64, ApiError> {
    let sql = "SELECT COUNT(*) FROM rds_instance WHERE account = ?1";
    let count: Option<i64> = tx.query_opt(sql, params![account], |row| row.get(0))?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// The read-only instances that follow that one.
pub fn followers(tx: &mut Tx<'_>, parent: &str) -> Result<Vec<Instance>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_instance WHERE parent = ?1 ORDER BY id");
    let rows = tx.query(&sql, params![parent], raw)?;
    rows.into_iter().map(understood).collect()
}

/// All instances of a category that the cloud keeps: for the watch over highly available ones.
pub fn of_category(tx: &mut Tx<'_>, category: Category) -> Result<Vec<Instance>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_instance WHERE category = ?1 AND keeper = ?2 ORDER BY id"
    );
    let rows = tx.query(&sql, params![category.as_str(), Keeper::Awan.as_str()], raw)?;
    rows.into_iter().map(understood).collect()
}

/// All instances that the cloud keeps after that id, at most so many: for the cloud's own tasks.
pub fn all(tx: &mut Tx<'_>, after: &str, limit: usize) -> Result<Vec<Instance>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM rds_instance WHERE id > ?1 AND keeper = ?2 ORDER BY id LIMIT ?3"
    );
    let rows = tx.query(&sql, params![after, Keeper::Awan.as_str(), limit], raw)?;
    rows.into_iter().map(understood).collect()
}

/// Removes the row. Everything that hangs on it is removed by whoever owns those rows.
pub fn remove(tx: &mut Tx<'_>, id: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_instance WHERE id = ?1", params![id])?;
    route::changed(tx);
    Ok(())
}
