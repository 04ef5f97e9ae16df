//! A cloud whose clock can be set anywhere and whose accounts have agreements that change.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use base::region::DataCentre;
use base::{AccountId, ApiError, Clock, SystemRng, Time, code};
use billing::Rating;
use engine::action::Registry;
use engine::cloud::Parts;
use engine::meter::Meters;
use engine::pipeline::call;
use engine::ports::{Authority, Covenant, Privilege};
use engine::seal::Seal;
use engine::{Caller, Cloud};
use serde_json::Value;
use store::{Backend, Db, Tx};
use terms::clauses::{DataClass, Keys, Log, Text};
use terms::prices::{Price, Tier};
use terms::{InForce, PriceBook, defaults};

pub const HOUR: i64 = 3600;
pub const DAY: i64 = 24 * HOUR;
/// 2026-11-01T00:00:00Z.
pub const NOVEMBER: i64 = 1_793_491_200;
/// 2026-12-01T00:00:00Z.
pub const DECEMBER: i64 = NOVEMBER + 30 * DAY;

/// A clock that goes wherever it is told.
pub struct AnyClock(AtomicI64);

impl AnyClock {
    pub fn set(&self, secs: i64) {
        self.0.store(secs, Ordering::SeqCst);
    }
}

impl Clock for AnyClock {
    fn now(&self) -> Time {
        Time::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Agreements by account, each from a moment until the next.
#[derive(Default)]
pub struct Releases {
    bound: Mutex<HashMap<AccountId, Vec<Arc<InForce>>>>,
    spent: Mutex<HashMap<AccountId, (i64, i64)>>,
    /// Lookups until one fails, as a process that dies in the middle does; below 0 none fails.
    pub fuse: AtomicI64,
}

impl Releases {
    /// Binds an account by a price book from a moment on.
    pub fn amend(&self, account: u64, from: i64, book: PriceBook) {
        let mut bound = self.bound.lock().unwrap();
        let releases = bound.entry(AccountId::new(account)).or_default();
        let number = releases.len() + 1;
        let mut in_force = in_force(account, from, book);
        in_force.release = format!("release-{number}");
        if let Some(last) = releases.last_mut() {
            let ended = InForce { until: Some(in_force.from), ..(**last).clone() };
            *last = Arc::new(ended);
        }
        releases.push(Arc::new(in_force));
    }

    /// What was noted last: the month and the amount.
    pub fn noted(&self, account: u64) -> Option<(i64, i64)> {
        self.spent.lock().unwrap().get(&AccountId::new(account)).copied()
    }

    pub fn at(&self, account: AccountId, at: i64) -> Option<Arc<InForce>> {
        let bound = self.bound.lock().unwrap();
        let at = Time::from_secs(at);
        let holds = |it: &&Arc<InForce>| it.from <= at && it.until.is_none_or(|until| at < until);
        bound.get(&account)?.iter().find(holds).cloned()
    }

    fn burn(&self) -> Result<(), ApiError> {
        if self.fuse.load(Ordering::SeqCst) < 0 || self.fuse.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        Err(ApiError::new(&code::UNAVAILABLE).detail("the test pulled the plug"))
    }
}

impl Covenant for Releases {
    fn check(
        &self,
        _: &mut Tx<'_>,
        _: AccountId,
        _: &str,
        _: &str,
        _: Time,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    fn may_place(
        &self,
        _: &mut Tx<'_>,
        _: AccountId,
        _: DataClass,
        _: &DataCentre,
        _: Time,
    ) -> Result<(), ApiError> {
        Ok(())
    }

    fn in_force(
        &self,
        _: &mut Tx<'_>,
        account: AccountId,
        at: Time,
    ) -> Result<Option<Arc<InForce>>, ApiError> {
        self.burn()?;
        Ok(self.at(account, at.secs()))
    }

    fn spent(
        &self,
        _: &mut Tx<'_>,
        account: AccountId,
        month: Time,
        sum: i64,
    ) -> Result<(), ApiError> {
        self.burn()?;
        self.spent.lock().unwrap().insert(account, (month.secs(), sum));
        Ok(())
    }

    fn tenant_signed(
        &self,
        _: &mut Tx<'_>,
        _: AccountId,
        _: &str,
        _: &str,
        _: Time,
    ) -> Result<(), ApiError> {
        Err(ApiError::new(&code::TENANT_SIGNATURE))
    }

    fn privilege(
        &self,
        _: &mut Tx<'_>,
        _: &Caller,
        _: AccountId,
        _: Time,
    ) -> Result<Option<Privilege>, ApiError> {
        Ok(None)
    }
}

/// Terms from a moment on.
fn in_force(account: u64, from: i64, book: PriceBook) -> InForce {
    let log = Log { origin: "test".into(), key: String::new() };
    let keys = Keys { provider: String::new(), tenant: String::new() };
    let mut terms = defaults::terms(AccountId::new(account), log, keys);
    terms.price_book = book;
    InForce {
        ocid: format!("ocds-test-{account}"),
        release: String::new(),
        digest: String::new(),
        from: Time::from_secs(from),
        until: None,
        terms: Arc::new(terms),
    }
}

pub struct World {
    pub cloud: Arc<Cloud>,
    pub clock: Arc<AnyClock>,
    pub releases: Arc<Releases>,
    pub rating: Rating,
    db: Db,
    _home: Option<testkit::Home>,
}

impl World {
    /// A new cloud on the first of November 2026, on whichever engine the tests are asked to run on.
    pub fn new() -> Self {
        let home = testkit::Home::new();
        Self::over(home.open(), Some(home))
    }

    /// One whose database is never synchronised: for tests that write very much.
    pub fn in_memory() -> Self {
        let config = store::Config { backend: Backend::Memory, readers: 2 };
        Self::over(Db::open(config).unwrap(), None)
    }

    fn over(db: Db, home: Option<testkit::Home>) -> Self {
        db.migrate(&[engine::MIGRATIONS, billing::MIGRATIONS]).unwrap();
        let clock = Arc::new(AnyClock(AtomicI64::new(NOVEMBER)));
        let releases = Arc::new(Releases { fuse: AtomicI64::new(-1), ..Releases::default() });
        let cloud = cloud(&db, &clock, &releases);
        Self { cloud, clock, releases, rating: Rating::default(), db, _home: home }
    }

    /// A new cloud in which account 1 is bound by a book of one price for each of two meters.
    pub fn with_prices() -> Self {
        let world = Self::new();
        world.releases.amend(1, NOVEMBER, book());
        world
    }

    /// What a process that was started again has: the database and nothing else.
    pub fn restart(&mut self) {
        self.cloud = cloud(&self.db, &self.clock, &self.releases);
        self.rating = Rating::default();
    }

    pub fn at(&self, secs: i64) -> &Self {
        self.clock.set(secs);
        self
    }

    /// The rating task looks at all accounts once.
    pub async fn rate(&self) {
        self.rating.round(&self.cloud).await.unwrap();
    }

    /// Something is counted, or a level changes, now.
    pub async fn meter(
        &self,
        account: u64,
        note: impl Fn(&mut Meters, AccountId) + Send + 'static,
    ) {
        let now = self.clock.now();
        let done = self.cloud.db.write(move |tx| {
            let mut meters = Meters::default();
            note(&mut meters, AccountId::new(account));
            meters.write(tx, now)
        });
        done.await.unwrap();
    }

    pub async fn count(&self, resource: &'static str, quantity: i64) {
        self.meter(1, move |meters, account| {
            meters.count(account, resource, "oss.requests", quantity)
        })
        .await;
    }

    pub async fn level(&self, resource: &'static str, change: i64) {
        self.meter(1, move |meters, account| {
            meters.level(account, resource, "oss.storage", change)
        })
        .await;
    }

    /// An action of account 1's root; account 9 is the operator.
    pub async fn call(&self, action: &str, params: &[(&str, &str)]) -> Value {
        self.try_call(1, action, params).await.unwrap_or_else(|error| panic!("{action}: {error:?}"))
    }

    pub async fn try_call(
        &self,
        account: u64,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let caller = Caller { operator: account == 9, ..testkit::root(account) };
        let version = if self.cloud.registry.by_name("2026-01-01", action).is_some() {
            "2026-01-01"
        } else {
            "2017-12-14"
        };
        call(&self.cloud, &caller, version, action, params).await
    }

    /// All lines of a month's bill of account 1.
    pub async fn lines(&self, month: &str) -> Vec<Value> {
        self.all("ListBillLines", ("Lines", "Line"), &[("Month", month)]).await
    }

    /// All pages of a list.
    pub async fn all(
        &self,
        action: &str,
        (outer, inner): (&str, &str),
        params: &[(&str, &str)],
    ) -> Vec<Value> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let mut params = params.to_vec();
            params.push(("NextToken", &token));
            let page = self.call(action, &params).await;
            all.extend(page[outer][inner].as_array().unwrap().iter().cloned());
            match page["NextToken"].as_str() {
                Some(next) => token = next.to_owned(),
                None => return all,
            }
        }
    }

    pub async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> T {
        self.cloud.db.read(move |tx| work(tx)).await.unwrap()
    }

    /// A number from SQL.
    pub async fn number(&self, sql: &'static str) -> i64 {
        let sql = format!("SELECT CAST(COALESCE(({sql}), 0) AS BIGINT)");
        self.read(move |tx| Ok(tx.query_opt(&sql, &[], |row| row.get(0))?.unwrap())).await
    }

    /// The books of the ledger add up to zero, and what is owed is what lines and taxes come to.
    pub async fn ledger_balances(&self) {
        let sums = self
            .read(|tx| {
                let sql = "SELECT account, kind, debit, credit, amount, balance FROM billing_ledger ORDER BY id";
                let rows = tx.query(sql, &[], |row| {
                    Ok((row.get::<i64>(0)?, row.get::<String>(2)?, row.get::<String>(3)?, row.get::<i64>(4)?, row.get::<i64>(5)?))
                })?;
                let mut books = HashMap::<(i64, String), i128>::new();
                for (account, debit, credit, amount, balance) in rows {
                    *books.entry((account, debit)).or_default() += i128::from(amount);
                    *books.entry((account, credit)).or_default() -= i128::from(amount);
                    let owed = books.get(&(account, "receivable".to_owned())).copied().unwrap_or_default();
                    assert_eq!(-owed, i128::from(balance), "the balance of {account} is what its book says");
                }
                Ok(books)
            })
            .await;
        assert_eq!(sums.values().sum::<i128>(), 0, "every debit has its credit");
        let revenue: i128 =
            sums.iter().filter(|((_, book), _)| book == "revenue").map(|(_, sum)| sum).sum();
        let lines = self.number("SELECT SUM(amount) FROM billing_line").await;
        assert_eq!(-revenue, i128::from(lines), "revenue is what the lines come to");
    }
}

fn cloud(db: &Db, clock: &Arc<AnyClock>, releases: &Arc<Releases>) -> Arc<Cloud> {
    let rng = Arc::new(SystemRng);
    Cloud::new(Parts {
        db: db.clone(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        rng: rng.clone(),
        authority: Arc::new(testkit::Keys::default()) as Arc<dyn Authority>,
        covenant: Arc::clone(releases) as Arc<dyn Covenant>,
        seal: Arc::new(Seal::new(&[7; 32], rng)),
        region: testkit::region(),
        registry: Registry::new(&[billing::ACTIONS, engine::actions::ACTIONS]),
        data_dir: std::path::PathBuf::new(),
        requests_per_second: 0,
    })
}

pub fn price(
    meter: &str,
    id: &str,
    unit_size: i64,
    free: i64,
    tiers: &[(Option<i64>, i64)],
) -> Price {
    Price {
        id: id.into(),
        product: "oss".into(),
        meter: meter.into(),
        name: Text { id: id.into(), en: id.into() },
        unit: if meter == "oss.storage" { "GB-hour" } else { "Requests" }.into(),
        unit_size,
        free,
        tiers: tiers.iter().map(|&(up_to, price)| Tier { up_to, price }).collect(),
        source: "test".into(),
        assumption: true,
    }
}

/// Ten requests are free, the next ninety cost 3 each and the others 2; a unit-second of storage costs a
/// thousandth of 7.
pub fn book() -> PriceBook {
    PriceBook {
        id: "test".into(),
        currency: "IDR".into(),
        tax_percent: 11,
        conversion: String::new(),
        prices: vec![
            price("oss.requests", "PutRequest", 1, 10, &[(Some(100), 3), (None, 2)]),
            price("oss.storage", "Storage", 1000, 0, &[(None, 7)]),
        ],
    }
}

pub fn sum(lines: &[Value]) -> i64 {
    lines.iter().map(|line| line["AmountMicro"].as_i64().unwrap()).sum()
}
