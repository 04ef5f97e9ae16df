//! Databases of an instance.

use base::{ApiError, code};
use engine::page::ByNumber;
use engine::{Action, Cx, Meta};
use serde::{Deserialize, Serialize};

use super::privileges::privilege;
use super::{Done, accounts, ask, owned, read, write};
use crate::errors::{DATABASE_EXISTS, DATABASE_STATUS, NO_DATABASE};
use crate::machine::parts;
use crate::model::{Engine, Status};
use crate::names::{self, CLUSTER_LOCALE};
use crate::node::api::{Grant, Privilege};
use crate::requests::within::{Page, cut, invalid, writable};
use crate::tables::database::{self, Database};
use crate::tables::instance::Instance;
use crate::tables::{extension, grant};

/// The most databases of an instance.
const DATABASES_MAX: usize = 500;

#[derive(Deserialize)]
pub(super) struct OneDatabase {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBName")]
    name: String,
}

/// The database of a name that is not going.
pub(super) fn find(cx: &mut Cx<'_>, instance: &str, name: &str) -> Result<Database, ApiError> {
    if !names::is_database(name) {
        return Err(ApiError::new(&NO_DATABASE));
    }
    let found = database::find(cx.tx(), instance, name)?.filter(|database| database.wanted);
    found.ok_or_else(|| ApiError::new(&NO_DATABASE))
}

/// Makes a database: of PostgreSQL for its owner, where one is named; of MariaDB that account gets a right in it.
pub(super) struct CreateDatabase;

#[derive(Deserialize)]
pub(super) struct CreateDatabaseRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBName")]
    name: String,
    #[serde(rename = "CharacterSetName", default)]
    charset: String,
    #[serde(rename = "CollationName", default)]
    collation: String,
    #[serde(rename = "DBDescription", default)]
    description: String,
    #[serde(rename = "AccountName", default)]
    account: String,
    #[serde(rename = "AccountPrivilege", default)]
    privilege: String,
}

impl Action for CreateDatabase {
    const META: Meta = write("CreateDatabase");
    type Request = CreateDatabaseRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: CreateDatabaseRequest) -> Result<Done, ApiError> {
        names::database(&request.name)?;
        names::description("DBDescription", &request.description)?;
        let mut instance = writable(cx, &request.instance)?;
        let given = first_right(instance.engine, &request.privilege)?;
        let locale = names::locale(instance.engine, &request.charset, &request.collation)?;
        if !request.account.is_empty() {
            accounts::find(cx, &instance.id, &request.account)?;
        }
        refuse_taken(cx, &instance, &request.name)?;
        let owner = match instance.engine {
            Engine::Postgres => request.account.clone(),
            Engine::MariaDb => String::new(),
        };
        let new = Database {
            name: request.name,
            owner,
            charset: locale.charset,
            collation: locale.collation,
            ctype: locale.ctype,
            status: String::new(),
            description: request.description,
            wanted: true,
        };
        let now = cx.now;
        database::insert(cx.tx(), &instance.id, &new, now)?;
        if !request.account.is_empty() {
            grant::put(cx.tx(), &instance.id, (&request.account, &new.name), given)?;
        }
        cx.audit_detail("DBName", &new.name);
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}

/// What the account that a database is made for may do in it: of PostgreSQL it owns it.
fn first_right(engine: Engine, word: &str) -> Result<Privilege, ApiError> {
    match (engine, word) {
        (Engine::Postgres, "" | "DBOwner") => Ok(Privilege::Owner),
        (Engine::Postgres, _) => {
            let message = "The account that a database of PostgreSQL is made for owns it: AccountPrivilege is DBOwner.";
            Err(invalid("AccountPrivilege", message))
        }
        (Engine::MariaDb, "") => Ok(Privilege::ReadWrite),
        (Engine::MariaDb, word) => privilege(engine, word),
    }
}

fn refuse_taken(cx: &mut Cx<'_>, instance: &Instance, name: &str) -> Result<(), ApiError> {
    let rows = database::of(cx.tx(), &instance.id)?;
    match rows.iter().find(|row| row.name == name) {
        Some(row) if !row.wanted => Err(DATABASE_EXISTS
            .error("A database of this name is being deleted: wait until it is gone.")),
        Some(_) => Err(ApiError::new(&DATABASE_EXISTS)),
        None if rows.len() >= DATABASES_MAX => Err(code::QUOTA_EXCEEDED
            .error(format!("An instance has at most {DATABASES_MAX} databases."))
            .suffix("Database")),
        None => Ok(()),
    }
}

/// Says whether a database could be called so.
pub(super) struct CheckDBNameAvailable;

impl Action for CheckDBNameAvailable {
    const META: Meta = read("CheckDBNameAvailable");
    type Request = OneDatabase;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneDatabase) -> Result<Done, ApiError> {
        names::database(&request.name)?;
        let instance = owned(cx, &request.instance)?;
        refuse_taken(cx, &instance, &request.name)?;
        Ok(Done {})
    }
}

/// Lists databases by name, with who may what in them.
pub(super) struct DescribeDatabases;

#[derive(Deserialize)]
pub(super) struct DescribeDatabasesRequest {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBName", default)]
    name: String,
    #[serde(rename = "DBStatus", default)]
    status: String,
    #[serde(flatten)]
    page: ByNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeDatabasesResponse {
    databases: Databases,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Databases {
    database: Vec<View>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    #[serde(rename = "DBInstanceId")]
    instance: String,
    #[serde(rename = "DBName")]
    name: String,
    #[serde(rename = "DBStatus")]
    status: String,
    #[serde(rename = "DBDescription")]
    description: String,
    engine: &'static str,
    character_set_name: String,
    collate: String,
    ctype: String,
    accounts: Rights,
    page_number: u32,
    page_size: usize,
    total_count: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Rights {
    account_privilege_info: Vec<Right>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Right {
    account: String,
    account_privilege: &'static str,
    account_privilege_detail: &'static str,
}

impl View {
    /// `paged`: the page's number, its size, and how many rows there are.
    fn of(
        instance: &Instance,
        row: Database,
        grants: &[Grant],
        paged: (u32, usize, usize),
    ) -> Self {
        let own = grants.iter().filter(|grant| grant.wanted && grant.database == row.name);
        let rights = own.map(|grant| Right {
            account: grant.account.clone(),
            account_privilege: grant::word(grant.privilege),
            account_privilege_detail: "",
        });
        let locale = |text: String| match (instance.engine, text.as_str()) {
            (Engine::Postgres, "") => CLUSTER_LOCALE.to_owned(),
            _ => text,
        };
        Self {
            instance: instance.id.clone(),
            engine: instance.engine.as_str(),
            character_set_name: row.charset,
            collate: locale(row.collation),
            ctype: locale(row.ctype),
            accounts: Rights { account_privilege_info: rights.collect() },
            name: row.name,
            status: row.status,
            description: row.description,
            page_number: paged.0,
            page_size: paged.1,
            total_count: paged.2,
        }
    }
}

impl Action for DescribeDatabases {
    const META: Meta = read("DescribeDatabases");
    type Request = DescribeDatabasesRequest;
    type Response = DescribeDatabasesResponse;

    fn run(
        cx: &mut Cx<'_>,
        request: DescribeDatabasesRequest,
    ) -> Result<DescribeDatabasesResponse, ApiError> {
        let size = request.page.size(30, 200)?;
        let instance = owned(cx, &request.instance)?;
        let of = parts::source(&instance);
        let mut rows = database::of(cx.tx(), of)?;
        rows.retain(|row| {
            (request.name.is_empty() || row.name == request.name)
                && (request.status.is_empty() || row.status == request.status)
        });
        let grants = grant::of(cx.tx(), of)?;
        let Page { rows, total, number } = cut(rows, &request.page)?;
        let views =
            rows.into_iter().map(|row| View::of(&instance, row, &grants, (number, size, total)));
        Ok(DescribeDatabasesResponse { databases: Databases { database: views.collect() } })
    }
}

/// Changes what its owner says of a database.
pub(super) struct ModifyDBDescription;

#[derive(Deserialize)]
pub(super) struct ModifyDBDescriptionRequest {
    #[serde(flatten)]
    database: OneDatabase,
    #[serde(rename = "DBDescription")]
    description: String,
}

impl Action for ModifyDBDescription {
    const META: Meta = write("ModifyDBDescription");
    type Request = ModifyDBDescriptionRequest;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: ModifyDBDescriptionRequest) -> Result<Done, ApiError> {
        names::description("DBDescription", &request.description)?;
        let OneDatabase { instance, name } = request.database;
        let instance = owned(cx, &instance)?;
        find(cx, &instance.id, &name)?;
        database::describe(cx.tx(), &instance.id, &name, &request.description)?;
        Ok(Done {})
    }
}

/// Removes a database with everything in it.
pub(super) struct DeleteDatabase;

impl Action for DeleteDatabase {
    const META: Meta = write("DeleteDatabase");
    type Request = OneDatabase;
    type Response = Done;

    fn run(cx: &mut Cx<'_>, request: OneDatabase) -> Result<Done, ApiError> {
        if request.name.is_empty() {
            return Err(invalid("DBName", "DBName is empty."));
        }
        let mut instance = writable(cx, &request.instance)?;
        let found = find(cx, &instance.id, &request.name)?;
        if found.status != database::RUNNING {
            return Err(DATABASE_STATUS.error(format!("The database is {}.", found.status)));
        }
        grant::retire_database(cx.tx(), &instance.id, &request.name)?;
        extension::remove_database(cx.tx(), &instance.id, &request.name)?;
        database::retire(cx.tx(), &instance.id, &request.name)?;
        cx.audit_detail("DBName", &request.name);
        ask(cx, &mut instance, Status::Running)?;
        Ok(Done {})
    }
}
