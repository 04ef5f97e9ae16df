//! A month's bill as it is told: what it adds up to, its tax, and what of it is paid. Payments are not
//! for one bill or another: they settle the oldest first.

use base::{AccountId, ApiError, Time};
use engine::ports::Covenant;
use store::Tx;
use terms::prices;

use crate::month::Month;
use crate::tables::line::{self, By, Filter, Group};
use crate::tables::{bill, ledger};
use crate::{invoice, pricing};

/// A month's bill in one currency.
pub struct Statement {
    /// Whose.
    pub account: AccountId,
    /// The month.
    pub month: Month,
    /// ISO 4217.
    pub currency: String,
    /// When it became final; `None` while it is provisional.
    pub closed: Option<Time>,
    /// Before tax, micro-units.
    pub amount: i64,
    /// The tax, micro-units.
    pub tax: i64,
    /// What of amount and tax is paid, micro-units.
    pub paid: i64,
}

/// Some lines of a bill with their part of its tax and of what is paid.
pub struct Share {
    /// The lines, added up.
    pub group: Group,
    /// Their tax, micro-units. The shares' taxes add up to the bill's.
    pub tax: i64,
    /// What of them is paid.
    pub paid: i64,
}

impl Statement {
    /// The bill of a month in the account's currency, or in another that it has lines in.
    pub fn of(
        tx: &mut Tx<'_>,
        covenant: &dyn Covenant,
        account: AccountId,
        month: Month,
        currency: Option<&str>,
        now: Time,
    ) -> Result<Self, ApiError> {
        let currency = match currency.filter(|currency| !currency.is_empty()) {
            Some(currency) => currency.to_owned(),
            None => pricing::currency(tx, covenant, account, now)?,
        };
        let closed = bill::find(tx, account, month, &currency)?;
        let (amount, tax) = match &closed {
            Some(bill) => (bill.amount, bill.tax),
            None => invoice::totals(tx, account, month, &currency)?,
        };
        let earlier = bill::payable_before(tx, account, month, &currency)?;
        let left = ledger::paid(tx, account, &currency)? - earlier;
        let paid = left.clamp(0, (amount + tax).max(0));
        let closed = closed.map(|bill| bill.at);
        Ok(Self { account, month, currency, closed, amount, tax, paid })
    }

    /// What is to be paid, micro-units.
    pub fn payable(&self) -> i64 {
        self.amount + self.tax
    }

    /// How the final bill is called; a provisional one has no number.
    pub fn invoice(&self) -> Option<String> {
        let number = || format!("{}-{}-{}", self.account, self.month.text(), self.currency);
        self.closed.map(|_| number())
    }

    /// The bill's lines added up.
    pub fn groups(&self, tx: &mut Tx<'_>, by: By) -> Result<Vec<Group>, ApiError> {
        line::groups(tx, self.account, &Filter::bill(self.month, &self.currency), by)
    }

    /// The bill's lines added up, each group with its part of the tax (where `taxed`) and of what is
    /// paid. The parts are differences of rounded sums, so that they add up to the whole.
    pub fn shares(&self, tx: &mut Tx<'_>, by: By, taxed: bool) -> Result<Vec<Share>, ApiError> {
        let (mut hundredfold, mut told) = (0_i128, 0_i64);
        let mut left = self.paid;
        let mut shares = Vec::new();
        for group in self.groups(tx, by)? {
            hundredfold += group.hundredfold_tax;
            let so_far = if taxed { prices::tax(&[(hundredfold, 1)]) } else { 0 };
            let so_far = i64::try_from(so_far).map_err(ApiError::internal)?;
            let tax = so_far - told;
            told = so_far;
            let paid = left.min(group.amount + tax);
            left -= paid;
            shares.push(Share { group, tax, paid });
        }
        Ok(shares)
    }
}
