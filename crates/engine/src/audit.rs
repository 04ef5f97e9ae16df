//! The audit trail: one row for each committed change and each refused one, written in the change's
//! own transaction, and the public leaf that commits to it.
//!
//! A row carries no place in the log; the sequencer gives it one after the commit. The leaf holds
//! nothing of the tenant's but what was declared public ([`crate::public`]): action, outcome, second,
//! and a salted commitment. Whoever holds the row
//! (its tenant) can open the commitment; nobody else can guess it.

use std::sync::Arc;

use base::text::hex;
use base::{AccountId, ApiError, Time};
use serde_json::json;
use store::{Row, Tx, params};

use crate::{Cloud, Cx, Session, public, sequencer};

/// What an audit row of an accomplished change says as its outcome.
pub const DONE: &str = "OK";

/// What it says of a request that a client token made a repeat: it got the first one's answer and changed nothing, so
/// it is no second placement, nor a refusal.
pub const REPEAT: &str = "Repeat";

/// An entry that is to be written.
pub struct NewEntry {
    at: Time,
    request_id: String,
    account: AccountId,
    principal: String,
    key_id: String,
    source_ip: String,
    product: &'static str,
    action: &'static str,
    resource: String,
    outcome: String,
    detail: String,
    public: String,
}

impl NewEntry {
    /// The entry of a change that is about to be committed.
    pub(crate) fn of(cx: &Cx<'_>) -> Self {
        let detail = match cx.audit.detail.as_slice() {
            [] => String::new(),
            pairs => {
                let map =
                    pairs.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
                serde_json::Value::Object(map).to_string()
            }
        };
        Self {
            at: cx.now,
            request_id: cx.request.id.to_string(),
            account: cx.audit.account.unwrap_or(cx.caller.account),
            principal: cx.caller.arn(),
            key_id: cx.caller.key_id.clone(),
            source_ip: cx.request.source_ip.clone(),
            product: cx.meta.product,
            action: cx.meta.name,
            resource: cx.audit.resource.clone(),
            outcome: if cx.audit.repeat { REPEAT } else { DONE }.to_owned(),
            detail,
            public: public::text(&cx.audit.public),
        }
    }

    /// The entry of a change that was refused.
    pub(crate) fn refusal(session: &Session, resource: &str, error: &ApiError) -> Self {
        Self {
            at: Time::default(),
            request_id: session.request.id.to_string(),
            account: error.concerned().unwrap_or(session.caller.account),
            principal: session.caller.arn(),
            key_id: session.caller.key_id.clone(),
            source_ip: session.request.source_ip.clone(),
            product: session.meta.product,
            action: session.meta.name,
            resource: resource.to_owned(),
            outcome: error.code().to_owned(),
            detail: String::new(),
            public: error.public_facts().to_owned(),
        }
    }
}

/// Writes an entry; the sequencer is told when it is committed.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    cloud: &Arc<Cloud>,
    entry: &NewEntry,
) -> Result<(), ApiError> {
    let salt: [u8; 16] = cloud.rng.bytes();
    let at = if entry.at == Time::default() { cloud.clock.now() } else { entry.at };
    tx.execute(
        "INSERT INTO audit (at, request_id, account, principal, key_id, source_ip, product, action, resource, outcome, detail, salt, public)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        params![
            at, &entry.request_id, entry.account, &entry.principal, &entry.key_id, &entry.source_ip,
            entry.product, entry.action, &entry.resource, &entry.outcome, &entry.detail, &salt[..], &entry.public
        ],
    )?;
    cloud.wakes.wake_on_commit(tx, sequencer::KIND);
    Ok(())
}

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in this database; not its place in the log.
    pub id: i64,
    /// When.
    pub at: Time,
    /// The request that did it.
    pub request_id: String,
    /// Whose trail it belongs to.
    pub account: AccountId,
    /// Who did it, as an ARN.
    pub principal: String,
    /// With which key.
    pub key_id: String,
    /// From where.
    pub source_ip: String,
    /// The product.
    pub product: String,
    /// The action.
    pub action: String,
    /// What it was about, as an ARN.
    pub resource: String,
    /// `OK`, or the code of the refusal.
    pub outcome: String,
    /// More facts, a JSON object; empty where there are none.
    pub detail: String,
    /// Blinds the commitment.
    pub salt: Vec<u8>,
    /// What the leaf says in clear, a JSON object; empty where it says nothing.
    pub public: String,
    /// Its place in the log, once it has one.
    pub log_index: Option<i64>,
}

/// What the public may read of an outcome: the code without the parameter that it names, which may be
/// a tenant's own word.
pub fn public_outcome(code: &str) -> &str {
    let parameter = &base::code::INVALID_PARAMETER;
    if code.starts_with(parameter.name) { parameter.name } else { code }
}

/// The columns that [`Entry::read`] takes.
const COLUMNS: &str = "id, at, request_id, account, principal, key_id, source_ip, product, action, resource, outcome, detail, salt, public, log_index";

impl Entry {
    fn read(row: &Row<'_>) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.get(0)?,
            at: row.get(1)?,
            request_id: row.get(2)?,
            account: row.get(3)?,
            principal: row.get(4)?,
            key_id: row.get(5)?,
            source_ip: row.get(6)?,
            product: row.get(7)?,
            action: row.get(8)?,
            resource: row.get(9)?,
            outcome: row.get(10)?,
            detail: row.get(11)?,
            salt: row.get(12)?,
            public: row.get(13)?,
            log_index: row.get(14)?,
        })
    }

    /// The statement that the leaf commits to: a JSON object with its keys in this order.
    pub fn statement(&self) -> String {
        json!({
            "account": self.account.to_string(),
            "action": format!("{}:{}", self.product, self.action),
            "at": self.at.micros(),
            "detail": self.detail,
            "key": self.key_id,
            "outcome": self.outcome,
            "principal": self.principal,
            "request": self.request_id,
            "resource": self.resource,
            "source": self.source_ip,
        })
        .to_string()
    }

    /// The public leaf. The same row always gives the same bytes.
    pub fn leaf(&self) -> Vec<u8> {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(&self.salt);
        hash.update(self.statement().as_bytes());
        let mut leaf = json!({
            "v": 1,
            "at": self.at.iso(),
            "action": format!("{}:{}", self.product, self.action),
            "outcome": public_outcome(&self.outcome),
            "commitment": hex(hash.finish().as_ref()),
        })
        .to_string();
        if !self.public.is_empty() {
            // The facts are JSON already, and stay the bytes that the row has.
            leaf.truncate(leaf.len() - 1);
            leaf.push_str(",\"public\":");
            leaf.push_str(&self.public);
            leaf.push('}');
        }
        leaf.into_bytes()
    }
}

/// Up to `limit` entries that have no place in the log yet, oldest first.
pub(crate) fn unsequenced(tx: &mut Tx<'_>, limit: i64) -> Result<Vec<i64>, ApiError> {
    let sql = "SELECT id FROM audit WHERE log_index IS NULL ORDER BY id LIMIT ?1";
    Ok(tx.query(sql, params![limit], |row| row.get(0))?)
}

/// Gives up to `limit` of them the places from `index` on, oldest first. Says how many.
pub(crate) fn sequence(tx: &mut Tx<'_>, index: i64, limit: i64) -> Result<u64, ApiError> {
    // One statement for all: it runs for every change of the cloud.
    let sql = "WITH waiting AS (
            SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS nth FROM
                (SELECT id FROM audit WHERE log_index IS NULL ORDER BY id LIMIT ?2) AS oldest
        )
        UPDATE audit SET log_index = CAST(?1 AS BIGINT) + waiting.nth - 1
        FROM waiting WHERE audit.id = waiting.id";
    Ok(tx.execute(sql, params![index, limit])?)
}

/// The entries at `from..until` of the log, in order.
pub(crate) fn sequenced(tx: &mut Tx<'_>, from: i64, until: i64) -> Result<Vec<Entry>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE log_index >= ?1 AND log_index < ?2 ORDER BY log_index"
    );
    Ok(tx.query(&sql, params![from, until], Entry::read)?)
}

/// Up to `limit` entries of an account's trail, newest first, older than `before`.
pub fn list(
    tx: &mut Tx<'_>,
    account: AccountId,
    before: i64,
    limit: usize,
) -> Result<Vec<Entry>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE account = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"
    );
    Ok(tx.query(&sql, params![account, before, limit], Entry::read)?)
}

/// The entries of one request, oldest first: the change, and what else was recorded for it. There are
/// few, and no more than `limit` are answered.
pub fn of_request(tx: &mut Tx<'_>, request_id: &str, limit: usize) -> Result<Vec<Entry>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE request_id = ?1 ORDER BY id LIMIT ?2");
    Ok(tx.query(&sql, params![request_id, limit], Entry::read)?)
}
