//! Extensions in tenants' databases. A tenant's wish is carried out with the rights of its account, so that PostgreSQL
//! itself judges whom it trusts with what; only the few of [`made_by_node`] are the administrator's. What the server
//! refuses is said and not tried again: nobody's other wishes wait for it.

use tokio_postgres::{Client, Error as SqlError, Transaction};

use super::super::api::{
    ExtensionChange, ExtensionWish, InstalledExtension, RefusedExtension, Spec,
};
use super::super::driver::Seat;
use super::super::error::Result;
use super::ADMIN;
use super::admin::{connect, ident};
use crate::engines::{made_by_node, refused_extension};

/// Does what is wished; says what the server refused.
pub async fn extend(seat: &Seat, spec: &Spec) -> Result<Vec<RefusedExtension>> {
    let mut refused = Vec::new();
    for wish in &spec.extensions {
        if !spec.databases.iter().any(|it| it.wanted && it.name == wish.database) {
            continue; // it went with its database
        }
        let mut client = connect(seat, &wish.database).await?;
        let reason = match carry_out(&mut client, wish).await {
            Ok(()) => continue,
            Err(error) => words(error)?,
        };
        let (database, name) = (wish.database.clone(), wish.name.clone());
        refused.push(RefusedExtension { database, name, reason });
    }
    Ok(refused)
}

/// The extensions in a database, by name.
pub async fn installed(seat: &Seat, database: &str) -> Result<Vec<InstalledExtension>> {
    let client = connect(seat, database).await?;
    let sql = "SELECT extname::text, extversion, pg_get_userbyid(extowner)::text
               FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname";
    let rows = client.query(sql, &[]).await?;
    let understood = |row: tokio_postgres::Row| InstalledExtension {
        name: row.get(0),
        version: row.get(1),
        owner: row.get(2),
    };
    Ok(rows.into_iter().map(understood).collect())
}

/// What a server says why not. A server that is gone refused nothing.
fn words(error: SqlError) -> Result<String> {
    let Some(said) = error.as_db_error() else { return Err(error.into()) };
    let detail = said.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    Ok(format!("{}{detail}", said.message()))
}

async fn carry_out(client: &mut Client, wish: &ExtensionWish) -> Result<(), SqlError> {
    let extension = ident(&wish.name);
    let transaction = client.transaction().await?;
    match wish.what {
        // The cloud does not ask for these; a node does not make them for anybody.
        ExtensionChange::Create if refused_extension(&wish.name).is_some() => return Ok(()),
        ExtensionChange::Create => {
            // Where a tenant's own sessions would put it.
            transaction.batch_execute("SET LOCAL search_path = public, pg_temp").await?;
            if made_by_node(&wish.name) {
                let create = format!("CREATE EXTENSION IF NOT EXISTS {extension}");
                transaction.batch_execute(&create).await?;
            } else {
                let create = format!("CREATE EXTENSION IF NOT EXISTS {extension} CASCADE");
                as_account(&transaction, wish, &wish.account, &create).await?;
            }
        }
        ExtensionChange::Update => {
            let update = format!("ALTER EXTENSION {extension} UPDATE");
            let sql =
                "SELECT pg_get_userbyid(extowner)::text FROM pg_extension WHERE extname = $1::text";
            let owner = transaction.query_opt(sql, &[&wish.name]).await?;
            match owner.map(|row| row.get::<_, String>(0)) {
                None => {}
                Some(owner) if owner == ADMIN => transaction.batch_execute(&update).await?,
                Some(owner) => as_account(&transaction, wish, &owner, &update).await?,
            }
        }
        ExtensionChange::Drop => {
            let drop = format!("DROP EXTENSION IF EXISTS {extension}");
            transaction.batch_execute(&drop).await?;
        }
    }
    transaction.commit().await
}

/// Runs a statement with the rights of a role, which may create in that database while it lasts.
async fn as_account(
    transaction: &Transaction<'_>,
    wish: &ExtensionWish,
    role: &str,
    statement: &str,
) -> Result<(), SqlError> {
    let database = ident(&wish.database);
    let may = "SELECT has_database_privilege($1::text, current_database(), 'CREATE')";
    let may: bool = transaction.query_one(may, &[&role]).await?.get(0);
    let role = ident(role);
    if !may {
        transaction
            .batch_execute(&format!("GRANT CREATE ON DATABASE {database} TO {role}"))
            .await?;
    }
    let run = format!("SET LOCAL ROLE {role}; {statement}; SET LOCAL ROLE NONE");
    transaction.batch_execute(&run).await?;
    if !may {
        let revoke = format!("REVOKE CREATE ON DATABASE {database} FROM {role}");
        transaction.batch_execute(&revoke).await?;
    }
    Ok(())
}
