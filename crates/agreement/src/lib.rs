//! Agreements between the provider and its tenants, as far as the request path needs them today:
//! without an active agreement that grants a service, there is no service.
//!
//! Not here yet: the published document (an OCDS release), signatures, amendments, prices, clauses on
//! places. What grants today is a row, made when its account is.

mod actions;
mod tables;

use base::{AccountId, ApiError, Time, code};
use engine::ports::Covenant;
use store::Tx;

/// The table of this crate's actions.
pub use actions::ACTIONS;

/// The tables of this crate.
pub const MIGRATIONS: store::MigrationSet =
    store::MigrationSet { name: "agreement", steps: &[include_str!("../schema/0001.sql")] };

/// Products that stand behind every other: who has no agreement must still be able to see so.
const ALWAYS: [&str; 3] = ["awan", "sts", "location"];

/// Answers from the agreements in the database.
#[derive(Clone, Copy, Default)]
pub struct Agreements;

impl Covenant for Agreements {
    fn check(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        product: &str,
        _action: &str,
    ) -> Result<(), ApiError> {
        if ALWAYS.contains(&product) {
            return Ok(());
        }
        match tables::agreement::find(tx, account)? {
            Some(agreement) if agreement.grants(product) => Ok(()),
            Some(agreement) if agreement.active() => Err(code::NO_AGREEMENT.error(format!(
                "The agreement of this account does not grant the service {product}."
            ))),
            _ => Err(code::NO_AGREEMENT.into()),
        }
    }

    fn account_opened(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        now: Time,
    ) -> Result<(), ApiError> {
        tables::agreement::insert_default(tx, account, now)
    }
}
