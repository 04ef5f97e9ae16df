//! Which release prices an hour: the one in force at its start or, in the hour in which an account's
//! first agreement begins, the one in force at its end. Amendments bind from whole hours on, so that no
//! hour has two price books; where one does begin within an hour, that hour stays with the earlier.

use std::collections::HashMap;
use std::sync::Arc;

use base::{AccountId, ApiError, Time};
use engine::ports::Covenant;
use store::Tx;
use terms::InForce;

use crate::course::{Course, Period, Under};
use crate::month::{HOUR, Month};
use crate::tables::{ledger, sum};

/// The currency of who never had an agreement.
const CURRENCY: &str = "IDR";

/// The agreements of one account, looked up once for each hour.
pub struct Pricing<'a> {
    /// Whose.
    pub account: AccountId,
    covenant: &'a dyn Covenant,
    hours: HashMap<i64, Option<Arc<InForce>>>,
}

impl<'a> Pricing<'a> {
    /// For one account and one transaction.
    pub fn new(covenant: &'a dyn Covenant, account: AccountId) -> Self {
        Self { account, covenant, hours: HashMap::new() }
    }

    /// What prices the hour; `None` where nothing was in force.
    pub fn at(&mut self, tx: &mut Tx<'_>, hour: i64) -> Result<Option<Arc<InForce>>, ApiError> {
        if let Some(known) = self.hours.get(&hour) {
            return Ok(known.clone());
        }
        let mut found = self.covenant.in_force(tx, self.account, Time::from_secs(hour))?;
        if found.is_none() {
            let end = Time::from_secs(hour + HOUR - 1);
            found = self.covenant.in_force(tx, self.account, end)?;
        }
        self.hours.insert(hour, found.clone());
        Ok(found)
    }

    /// A meter's month as it is stored.
    pub fn course(
        &mut self,
        tx: &mut Tx<'_>,
        month: Month,
        meter: &str,
    ) -> Result<Course, ApiError> {
        let mut periods = Vec::new();
        for sum in sum::list(tx, self.account, month, Some(meter))? {
            periods.push(self.period(tx, sum)?);
        }
        Ok(Course::new(periods))
    }

    /// All meters' months as they are stored, by meter.
    pub fn courses(
        &mut self,
        tx: &mut Tx<'_>,
        month: Month,
    ) -> Result<std::collections::BTreeMap<String, Course>, ApiError> {
        let mut periods = std::collections::BTreeMap::<String, Vec<Period>>::new();
        for sum in sum::list(tx, self.account, month, None)? {
            let meter = sum.meter.clone();
            periods.entry(meter).or_default().push(self.period(tx, sum)?);
        }
        Ok(periods.into_iter().map(|(meter, periods)| (meter, Course::new(periods))).collect())
    }

    fn period(&mut self, tx: &mut Tx<'_>, sum: sum::Sum) -> Result<Period, ApiError> {
        let in_force = self.at(tx, sum.since)?.filter(|found| under(found) == sum.under);
        // What was billed was billed by a release; without it nothing can be reckoned, least of all guessed.
        let Some(in_force) = in_force else {
            return Err(ApiError::internal(format!(
                "release {} of {} priced usage of {} and is not in force for it now",
                sum.under.release, sum.under.ocid, self.account
            )));
        };
        Ok(Period {
            price: in_force.terms.price_book.price(&sum.meter).cloned(),
            under: sum.under,
            since: sum.since,
            quantity: sum.quantity,
            amount: sum.amount.into(),
        })
    }
}

/// The release's name.
pub fn under(in_force: &InForce) -> Under {
    Under { ocid: in_force.ocid.clone(), release: in_force.release.clone() }
}

/// The product of a meter that has no price.
pub fn product_of(meter: &str) -> &str {
    meter.split('.').next().unwrap_or(meter)
}

/// The currency in which an account's affairs are told: of its agreement, else of its last entry.
pub fn currency(
    tx: &mut Tx<'_>,
    covenant: &dyn Covenant,
    account: AccountId,
    now: Time,
) -> Result<String, ApiError> {
    if let Some(in_force) = covenant.in_force(tx, account, now)? {
        return Ok(in_force.terms.price_book.currency.clone());
    }
    Ok(ledger::last_currency(tx, account)?.unwrap_or_else(|| CURRENCY.to_owned()))
}
