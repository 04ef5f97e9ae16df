//! Every SQL statement of this crate, one function for each, by noun.
//!
//! Functions that only read take a transaction; those that change anything take a [`Change`].

pub(crate) mod access_key;
pub(crate) mod account;
pub(crate) mod attachment;
pub(crate) mod generation;
pub(crate) mod group;
pub(crate) mod login_profile;
pub(crate) mod mfa_device;
pub(crate) mod policy;
pub(crate) mod role;
pub(crate) mod tag;
pub(crate) mod user;

use base::{ApiError, Rng};
use engine::Cx;
use store::{Tx, Value};

/// The way to change a table: each statement that changed a row draws a new generation at once, so
/// that no change can be forgotten by the caches and none can be read under the old number.
pub(crate) struct Change<'c, 't> {
    tx: &'c mut Tx<'t>,
    rng: &'c dyn Rng,
}

impl<'c, 't> Change<'c, 't> {
    pub(crate) fn new(tx: &'c mut Tx<'t>, rng: &'c dyn Rng) -> Self {
        Self { tx, rng }
    }

    /// In an action's transaction.
    pub(crate) fn of(cx: &'c mut Cx<'t>) -> Self {
        let cloud = cx.cloud;
        Self { tx: cx.tx(), rng: &*cloud.rng }
    }

    pub(crate) fn tx(&mut self) -> &mut Tx<'t> {
        self.tx
    }

    pub(crate) fn rng(&self) -> &'c dyn Rng {
        self.rng
    }

    /// Runs a statement; says whether it changed anything.
    fn execute(&mut self, sql: &str, params: &[Value<'_>]) -> Result<bool, ApiError> {
        let changed = self.tx.execute(sql, params)? > 0;
        if changed {
            generation::draw(self.tx, self.rng)?;
        }
        Ok(changed)
    }
}

/// Whether a query finds a row.
fn exists(tx: &mut Tx<'_>, sql: &str, params: &[Value<'_>]) -> Result<bool, ApiError> {
    Ok(tx.query_opt(sql, params, |_| Ok(()))?.is_some())
}

/// The number that a query counts.
fn count(tx: &mut Tx<'_>, sql: &str, params: &[Value<'_>]) -> Result<usize, ApiError> {
    Ok(tx.query_opt(sql, params, |row| row.get(0))?.unwrap_or(0))
}
