//! Accounts: tenants' roles in an instance.

use base::{ApiError, Time};
use engine::seal::Seal;
use store::{Row, Tx, params};

/// Where an account is, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not there yet, or going.
    Unavailable,
    /// There.
    Available,
    /// There, and may not log in.
    Locked,
}

impl Status {
    /// As the API spells it, and as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "Unavailable",
            Self::Available => "Available",
            Self::Locked => "Lock",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Unavailable, Self::Available, Self::Locked]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// An account, as stored.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// May make roles and databases (`Super`).
    pub privileged: bool,
    /// Where it is.
    pub status: Status,
    /// What its owner says of it.
    pub description: String,
    /// Sealed: what the server checks a password with.
    verifier: Vec<u8>,
    /// False: it is to go.
    pub wanted: bool,
}

/// A new account.
pub struct New<'a> {
    /// Of which instance.
    pub instance: &'a str,
    /// Its name.
    pub name: &'a str,
    /// As [`Account::privileged`].
    pub privileged: bool,
    /// As [`Account::description`].
    pub description: &'a str,
    /// What the server checks a password with, in clear: it is stored sealed.
    pub verifier: &'a str,
}

const COLUMNS: &str = "name, kind, status, description, verifier, wanted";

type Raw = ([String; 4], Vec<u8>, bool);

fn raw(row: &Row<'_>) -> Result<Raw, store::Error> {
    Ok(([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?], row.get(4)?, row.get(5)?))
}

fn understood(
    ([name, kind, status, description], verifier, wanted): Raw,
) -> Result<Account, ApiError> {
    let status = Status::parse(&status)
        .ok_or_else(|| ApiError::internal(format!("account {name}: status {status:?}")))?;
    Ok(Account { privileged: kind == "Super", status, name, description, verifier, wanted })
}

/// The context that a verifier is sealed in.
fn context(instance: &str, name: &str) -> String {
    format!("rds.account/{instance}/{name}")
}

impl Account {
    /// Opens what the server checks a password with.
    ///
    /// # Errors
    /// `InternalError` where it was sealed under another master key, or for another account.
    pub fn verifier(&self, seal: &Seal, instance: &str) -> Result<String, ApiError> {
        let plain = seal.open(&context(instance, &self.name), &self.verifier)?;
        String::from_utf8(plain).map_err(|_| ApiError::internal("a verifier is no text"))
    }
}

/// Adds one, which is not there yet.
pub fn insert(tx: &mut Tx<'_>, seal: &Seal, new: &New<'_>, now: Time) -> Result<(), ApiError> {
    let verifier = seal.seal(&context(new.instance, new.name), new.verifier.as_bytes());
    tx.execute(
        "INSERT INTO rds_account (instance, name, kind, status, description, verifier, wanted, created)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)",
        params![
            new.instance,
            new.name,
            if new.privileged { "Super" } else { "Normal" },
            Status::Unavailable.as_str(),
            new.description,
            &verifier,
            now
        ],
    )?;
    Ok(())
}

/// The accounts of an instance by name, those that are going too.
pub fn of(tx: &mut Tx<'_>, instance: &str) -> Result<Vec<Account>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_account WHERE instance = ?1 ORDER BY name");
    tx.query(&sql, params![instance], raw)?.into_iter().map(understood).collect()
}

/// One of them.
pub fn find(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<Option<Account>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM rds_account WHERE instance = ?1 AND name = ?2");
    tx.query_opt(&sql, params![instance, name], raw)?.map(understood).transpose()
}

/// Stores another verifier, sealed.
pub fn set_verifier(
    tx: &mut Tx<'_>,
    seal: &Seal,
    (instance, name): (&str, &str),
    verifier: &str,
) -> Result<(), ApiError> {
    let sealed = seal.seal(&context(instance, name), verifier.as_bytes());
    let sql = "UPDATE rds_account SET verifier = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, &sealed])?;
    Ok(())
}

/// Stores where it is.
pub fn set_status(tx: &mut Tx<'_>, instance: &str, name: &str, to: Status) -> Result<(), ApiError> {
    let sql = "UPDATE rds_account SET status = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, to.as_str()])?;
    Ok(())
}

/// Stores what its owner says of it.
pub fn describe(tx: &mut Tx<'_>, instance: &str, name: &str, text: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_account SET description = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, text])?;
    Ok(())
}

/// It is to go.
pub fn retire(tx: &mut Tx<'_>, instance: &str, name: &str) -> Result<(), ApiError> {
    let sql = "UPDATE rds_account SET wanted = 0, status = ?3 WHERE instance = ?1 AND name = ?2";
    tx.execute(sql, params![instance, name, Status::Unavailable.as_str()])?;
    Ok(())
}

/// The server has all that are wanted, and none of the others.
pub fn settle(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_account WHERE instance = ?1 AND wanted = 0", params![instance])?;
    tx.execute(
        "UPDATE rds_account SET status = ?2 WHERE instance = ?1 AND status = ?3",
        params![instance, Status::Available.as_str(), Status::Unavailable.as_str()],
    )?;
    Ok(())
}

/// Removes all of an instance that is gone.
pub fn remove(tx: &mut Tx<'_>, instance: &str) -> Result<(), ApiError> {
    tx.execute("DELETE FROM rds_account WHERE instance = ?1", params![instance])?;
    Ok(())
}
