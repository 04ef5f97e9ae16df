//! What the rows of accounts, databases, rights, settings and rules mean for a node, and what becomes of them once
//! it is done. Not here: the rest of [`crate::node::api::Spec`], and when to tell it.

use std::collections::BTreeMap;

use base::ApiError;
use engine::Cloud;
use store::Tx;

use crate::hba;
use crate::model::Engine;
use crate::node::api;
use crate::tables::account::Status;
use crate::tables::instance::Instance;
use crate::tables::{self, account, database, extension, grant, parameter};

/// Those parts of a node's spec that tenants write.
pub type Parts =
    (Vec<api::Account>, Vec<api::Database>, Vec<api::Grant>, BTreeMap<String, String>, Vec<String>);

/// The instance whose rows say which accounts and databases there are: a read-only one has those of its parent.
pub fn source(instance: &Instance) -> &str {
    instance.parent.as_deref().unwrap_or(&instance.id)
}

/// Accounts with their verifiers unsealed, databases, rights, tenant's settings, and the lines of who may connect.
/// All of it is secret.
///
/// # Errors
/// `InternalError` where a verifier was sealed under another master key.
pub fn spec_parts(tx: &mut Tx<'_>, cloud: &Cloud, instance: &Instance) -> Result<Parts, ApiError> {
    let of = source(instance);
    let mut accounts = Vec::new();
    for row in account::of(tx, of)? {
        accounts.push(api::Account {
            verifier: row.verifier(&cloud.seal, of)?,
            privileged: row.privileged,
            locked: row.status == Status::Locked,
            wanted: row.wanted,
            name: row.name,
        });
    }
    let shown = |row: database::Database| api::Database {
        name: row.name,
        owner: row.owner,
        charset: row.charset,
        collation: row.collation,
        ctype: row.ctype,
        wanted: row.wanted,
    };
    let databases = database::of(tx, of)?.into_iter().map(shown).collect();
    let grants = grant::of(tx, of)?;
    let parameters =
        parameter::of(tx, &instance.id)?.into_iter().map(|row| (row.name, row.value)).collect();
    let hba = match instance.engine {
        Engine::Postgres => {
            let rules: Vec<_> =
                tables::hba::of(tx, &instance.id)?.into_iter().map(|(_, rule)| rule).collect();
            hba::lines(&rules, &tables::hba::white(tx, &instance.id)?)
        }
        Engine::MariaDb => hba::networks(&tables::hba::white(tx, &instance.id)?),
    };
    Ok((accounts, databases, grants, parameters, hba))
}

/// The nodes have done everything that the rows of this instance say: what is wanted is there, what is not is
/// forgotten. Only for the transaction that found that they have reached the instance's present generation; rows
/// of a later one would be forgotten undone. `refused` is what the server did not do of extensions.
pub fn settle(
    tx: &mut Tx<'_>,
    instance: &str,
    refused: &[api::RefusedExtension],
) -> Result<(), ApiError> {
    extension::settle(tx, instance, refused)?;
    grant::settle(tx, instance)?;
    database::settle(tx, instance)?;
    account::settle(tx, instance)
}

/// Keeps of an instance that is gone what another that is made of its backups begins with: what was wanted in the end.
pub fn retire(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    settle(tx, instance, &[])?;
    tables::job::remove(tx, instance)
}

/// Removes everything of an instance that is gone, but its backups and what they need, its figures and its logs
/// (see [`crate::monitor::forget`]).
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    extension::remove(tx, instance)?;
    grant::remove(tx, instance)?;
    database::remove(tx, instance)?;
    account::remove(tx, instance)?;
    parameter::remove(tx, instance)?;
    tables::hba::remove(tx, instance)?;
    tables::job::remove(tx, instance)
}
