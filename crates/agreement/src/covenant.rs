//! What the rest of the cloud asks of the agreements: [`Agreements`], behind
//! [`engine::ports::Covenant`].
//!
//! It runs for every request. One indexed read says which release binds the account at that moment, in
//! the reader's own transaction, so that no copy of the program ever enforces a release that another
//! copy has replaced. What that release says never changes, so its clauses are compiled once and kept
//! under its digest, and so are the answers ([`crate::rules`]).

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use base::region::DataCentre;
use base::{AccountId, ApiError, Time, code};
use engine::Caller;
use engine::ports::{Covenant, Privilege};
use store::Tx;
use terms::clauses::DataClass;
use terms::{InForce, Release, statement};

use crate::rules::{Question, Rules, Verdict};
use crate::tables::term::Term;
use crate::tables::{access, release, spend, term};

/// Products that stand behind every other: who has no agreement, or has spent its limit, must still be
/// able to see so.
const ALWAYS: [&str; 4] = ["awan", "sts", "location", "bssopenapi"];

/// The product in which nothing costs anything: under a spending limit people must still be let in
/// and shut out.
const FREE: &str = "ram";

/// What an action's name begins with where it looks at, takes out or removes what there is, rather than
/// begins new use: a tenant whose spending limit is reached must be able to get its data out.
const KEEPS: [&str; 17] = [
    "Get",
    "List",
    "Head",
    "Describe",
    "Query",
    "Select",
    "Check",
    "Option",
    "Delete",
    "Abort",
    "Remove",
    "Release",
    "Stop",
    "Cancel",
    "Terminate",
    "Detach",
    "Untag",
];

/// Releases whose clauses are kept compiled. Beyond, it begins anew.
const KEPT_MAX: usize = 4096;

/// Answers from the agreements in the database.
#[derive(Default)]
pub struct Agreements {
    bound: RwLock<HashMap<String, Arc<Bound>>>,
}

/// A release that binds somebody, ready to be asked.
struct Bound {
    release: Release,
    rules: Rules,
}

impl Agreements {
    /// The release that binds an account at a moment, with the time in which it does.
    fn binding(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<(Arc<Bound>, Term), ApiError> {
        let (bound, term) = self.last_binding(tx, account, at)?;
        if term.over(at) {
            return Err(code::AGREEMENT_ENDED.into());
        }
        Ok((bound, term))
    }

    /// As [`Self::binding`], also where its time is over.
    fn last_binding(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<(Arc<Bound>, Term), ApiError> {
        let term = term::begun(tx, account, at)?.ok_or(ApiError::new(&code::NO_AGREEMENT))?;
        Ok((self.bound(tx, &term.digest)?, term))
    }

    fn bound(&self, tx: &mut Tx<'_>, digest: &str) -> Result<Arc<Bound>, ApiError> {
        if let Some(bound) = self.bound.read().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(Arc::clone(bound));
        }
        let release = parse_stored(&release::document(tx, digest)?)?;
        let rules = compile(&release).map_err(ApiError::internal)?;
        let bound = Arc::new(Bound { release, rules });
        let mut kept = self.bound.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(digest.to_owned(), Arc::clone(&bound));
        Ok(bound)
    }
}

/// Reads a document that was checked when it was stored.
pub(crate) fn parse_stored(document: &[u8]) -> Result<Release, ApiError> {
    Release::parse(document)
        .map_err(|error| ApiError::internal(format!("a stored release: {error}")))
}

/// Compiles the clauses of a release.
///
/// # Errors
/// In words, where they do not make valid policies.
pub(crate) fn compile(release: &Release) -> Result<Rules, String> {
    Rules::compile(release.terms(), release.start(), release.end())
}

fn begins_use(product: &str, action: &str) -> bool {
    product != FREE && !KEEPS.iter().any(|prefix| action.starts_with(prefix))
}

/// What is left when an agreement is over: for as long as the data is kept (`retention.afterEndDays`) the
/// tenant can look at it, take it out and remove it.
fn taking_out(
    release: &Release,
    term: &Term,
    product: &str,
    begins: bool,
    now: Time,
) -> Result<(), ApiError> {
    let terms = release.terms();
    let days = Duration::from_secs(u64::from(terms.retention.after_end_days) * 86_400);
    let kept = term.ends.is_some_and(|end| now < end.plus(days));
    let granted = terms.services.iter().any(|service| service == "*" || service == product);
    if kept && !begins && (granted || product == FREE) {
        return Ok(());
    }
    Err(code::AGREEMENT_ENDED.into())
}

impl Covenant for Agreements {
    fn check(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        product: &str,
        action: &str,
        now: Time,
    ) -> Result<(), ApiError> {
        if ALWAYS.contains(&product) {
            return Ok(());
        }
        let begins = begins_use(product, action);
        let (bound, term) = self.last_binding(tx, account, now)?;
        if term.over(now) {
            return taking_out(&bound.release, &term, product, begins, now);
        }
        let limited = begins && bound.release.terms().spending_limit.is_some();
        let spent = if limited { spend::of(tx, account, now)? } else { 0 };
        match bound.rules.ask(&Question::Use { service: product, begins, spent }, now)? {
            Verdict::Allowed => Ok(()),
            Verdict::Refused(code) if *code == code::SERVICE_NOT_GRANTED => Err(code.error(
                format!("The agreement of this account does not grant the service {product}."),
            )),
            Verdict::Refused(code) => Err(code.into()),
        }
    }

    fn may_place(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        class: DataClass,
        centre: &DataCentre,
        now: Time,
    ) -> Result<(), ApiError> {
        let (bound, _) = self.binding(tx, account, now)?;
        let (country, site) = (centre.country.as_str(), centre.site.as_str());
        match bound.rules.ask(&Question::Place { class, country, site }, now)? {
            Verdict::Allowed => Ok(()),
            Verdict::Refused(code) if *code == code::RESIDENCY => Err(code.error(format!(
                "The agreement of this account does not allow {} data in {site} ({country}).",
                class.as_str()
            ))),
            Verdict::Refused(code) => Err(code.into()),
        }
    }

    fn in_force(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<Option<Arc<InForce>>, ApiError> {
        let Some(term) = term::begun(tx, account, at)?.filter(|term| !term.over(at)) else {
            return Ok(None);
        };
        let bound = self.bound(tx, &term.digest)?;
        Ok(Some(Arc::new(bound.release.in_force(term.begins, term.ends))))
    }

    fn spent(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        month: Time,
        amount: i64,
    ) -> Result<(), ApiError> {
        spend::set(tx, account, month, amount)
    }

    fn tenant_signed(
        &self,
        tx: &mut Tx<'_>,
        account: AccountId,
        text: &str,
        line: &str,
        _: Time,
    ) -> Result<(), ApiError> {
        let term = term::last(tx, account)?.ok_or(ApiError::new(&code::NO_AGREEMENT))?;
        let bound = self.bound(tx, &term.digest)?;
        let key = &bound.release.terms().keys.tenant;
        if line.is_empty() {
            let message = format!("This takes a signature by the key {key}.");
            return Err(code::TENANT_SIGNATURE.error(message));
        }
        statement::verify(text, line, key).map_err(|error| {
            code::TENANT_SIGNATURE
                .error(format!("This takes a signature by the key {key}: {error}."))
        })
    }

    fn privilege(
        &self,
        tx: &mut Tx<'_>,
        caller: &Caller,
        tenant: AccountId,
        now: Time,
    ) -> Result<Option<Privilege>, ApiError> {
        if !caller.operator {
            return Ok(None);
        }
        let Some(holder) = access::holder(caller) else { return Ok(None) };
        let Some(held) = access::usable(tx, tenant, &holder, now)? else { return Ok(None) };
        // What was granted under an agreement does not outlive it.
        let in_force = self.in_force(tx, tenant, now)?;
        if !in_force.is_some_and(|it| it.terms.privileged_access.permitted) {
            return Ok(None);
        }
        let access::Row { id, reason, until, .. } = held;
        Ok(until.map(|until| Privilege { access: id, reason, until }))
    }
}
