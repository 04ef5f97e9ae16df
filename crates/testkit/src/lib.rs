//! What tests of services stand on: an in-process cloud over a private database, a clock that is
//! turned by hand, and a few accounts with keys. Used from `tests/it` only.
//!
//! The keys and policies here are scripted ([`Keys`]); tests of the real ones bring `ram`'s.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::region::{DataCentre, Region};
use base::{AccountId, ApiError, Clock, Secret, SystemRng, Time, code};
use engine::action::Registry;
use engine::cloud::Parts;
use engine::ports::{Ask, Authority, Covenant, Decision, KeyMaterial, Privilege};
use engine::seal::Seal;
use engine::{Caller, CallerKind, Cloud, Entry};
use store::{Backend, Db, MigrationSet, Tx};
use tempfile::TempDir;
use terms::InForce;
use terms::clauses::DataClass;

/// A clock that stands still until it is told.
pub struct FakeClock(Mutex<Time>);

impl FakeClock {
    /// Starts at 2026-01-02T03:04:05Z.
    pub fn start() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Time::from_secs(1_767_323_045))))
    }

    /// Turns it forward.
    pub fn pass(&self, time: Duration) {
        let mut now = self.0.lock().expect("nothing panics while it holds this lock");
        *now = now.plus(time);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Time {
        *self.0.lock().expect("nothing panics while it holds this lock")
    }
}

/// Scripted keys and policies: the root of an account may do everything on what it owns, a user what
/// was allowed by [`Keys::allow`].
#[derive(Default)]
pub struct Keys {
    keys: Mutex<HashMap<String, KeyMaterial>>,
    allowed: Mutex<Vec<(String, String)>>,
}

impl Keys {
    /// Adds a key for a caller; the secret is the key id with `-secret` behind it.
    pub fn add(&self, caller: &Caller) {
        let material = KeyMaterial {
            secret: Secret::new(format!("{}-secret", caller.key_id)),
            caller: caller.clone(),
        };
        self.keys
            .lock()
            .expect("nothing panics while it holds this lock")
            .insert(caller.key_id.clone(), material);
    }

    /// Lets a user or a session of a role do an action (on anything its account owns).
    pub fn allow(&self, caller: &Caller, action: &str) {
        let pair = (caller.arn(), action.to_owned());
        self.allowed.lock().expect("nothing panics while it holds this lock").push(pair);
    }
}

impl Authority for Keys {
    fn find_key(
        &self,
        _: &mut Tx<'_>,
        key_id: &str,
        _: Option<&str>,
        _: Time,
    ) -> Result<KeyMaterial, ApiError> {
        let keys = self.keys.lock().expect("nothing panics while it holds this lock");
        keys.get(key_id).cloned().ok_or_else(|| code::INVALID_KEY.into())
    }

    fn decide(&self, _: &mut Tx<'_>, caller: &Caller, ask: &Ask<'_>) -> Result<Decision, ApiError> {
        let allowed = self.allowed.lock().expect("nothing panics while it holds this lock");
        let own = caller.account == ask.owner;
        Ok(match caller.kind {
            CallerKind::System => Decision::Allow,
            CallerKind::Root if own => Decision::Allow,
            CallerKind::User { .. } | CallerKind::AssumedRole { .. }
                if own && allowed.contains(&(caller.arn(), ask.action.to_owned())) =>
            {
                Decision::Allow
            }
            _ => Decision::ImplicitDeny,
        })
    }

    fn key_used(&self, _: &Caller, _: &str, _: Time) {}
}

/// Grants everything to everybody, except to accounts whose terms were set: those are held to where their
/// terms say that data may be.
#[derive(Default)]
pub struct Granted {
    terms: Mutex<HashMap<AccountId, Arc<InForce>>>,
    spent: Mutex<HashMap<AccountId, i64>>,
    privileges: Mutex<HashMap<AccountId, Privilege>>,
    keys: Mutex<HashMap<AccountId, String>>,
}

impl Granted {
    /// Binds an account by terms.
    pub fn bind(&self, account: AccountId, terms: InForce) {
        let mut bound = self.terms.lock().expect("nothing panics while it holds this lock");
        bound.insert(account, Arc::new(terms));
    }

    /// What was noted last as spent in the account's month.
    pub fn noted(&self, account: AccountId) -> Option<i64> {
        let spent = self.spent.lock().expect("nothing panics while it holds this lock");
        spent.get(&account).copied()
    }

    /// Gives a tenant a key (a note verifier key), as if its agreement named it.
    pub fn name_key(&self, tenant: AccountId, key: &str) {
        let mut keys = self.keys.lock().expect("nothing panics while it holds this lock");
        keys.insert(tenant, key.to_owned());
    }

    /// Gives every operator leave to read what a tenant owns.
    pub fn permit(&self, tenant: AccountId, privilege: Privilege) {
        let mut given = self.privileges.lock().expect("nothing panics while it holds this lock");
        given.insert(tenant, privilege);
    }
}

impl Covenant for Granted {
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
        tx: &mut Tx<'_>,
        account: AccountId,
        class: DataClass,
        centre: &DataCentre,
        now: Time,
    ) -> Result<(), ApiError> {
        let Some(bound) = self.in_force(tx, account, now)? else { return Ok(()) };
        let rule = bound.terms.residency.rule(class);
        if rule.is_some_and(|rule| rule.allows(centre)) {
            Ok(())
        } else {
            Err(ApiError::new(&code::RESIDENCY))
        }
    }

    fn in_force(
        &self,
        _: &mut Tx<'_>,
        account: AccountId,
        _: Time,
    ) -> Result<Option<Arc<InForce>>, ApiError> {
        let terms = self.terms.lock().expect("nothing panics while it holds this lock");
        Ok(terms.get(&account).cloned())
    }

    fn spent(&self, _: &mut Tx<'_>, account: AccountId, _: Time, sum: i64) -> Result<(), ApiError> {
        let mut spent = self.spent.lock().expect("nothing panics while it holds this lock");
        spent.insert(account, sum);
        Ok(())
    }

    fn tenant_signed(
        &self,
        _: &mut Tx<'_>,
        account: AccountId,
        text: &str,
        line: &str,
        _: Time,
    ) -> Result<(), ApiError> {
        let keys = self.keys.lock().expect("nothing panics while it holds this lock");
        let key = keys.get(&account).ok_or(ApiError::new(&code::NO_AGREEMENT))?;
        terms::statement::verify(text, line, key).map_err(|_| code::TENANT_SIGNATURE.into())
    }

    fn privilege(
        &self,
        _: &mut Tx<'_>,
        caller: &Caller,
        tenant: AccountId,
        now: Time,
    ) -> Result<Option<Privilege>, ApiError> {
        let given = self.privileges.lock().expect("nothing panics while it holds this lock");
        let held = given.get(&tenant).filter(|held| caller.operator && now < held.until);
        Ok(held.cloned())
    }
}

/// An in-process cloud and what tests turn.
pub struct TestCloud {
    /// The cloud.
    pub cloud: Arc<Cloud>,
    /// Its clock.
    pub clock: Arc<FakeClock>,
    /// Its scripted keys.
    pub keys: Arc<Keys>,
    /// Its files and its database; removed when this is dropped.
    pub home: Home,
}

/// A cloud with scripted keys, these actions and these tables.
pub fn cloud(actions: &[&[Entry]], migrations: &[MigrationSet]) -> TestCloud {
    let keys = Arc::new(Keys::default());
    let clock = FakeClock::start();
    let home = Home::new();
    let authority = Arc::clone(&keys) as Arc<dyn Authority>;
    let cloud = home.cloud(&clock, authority, actions, migrations);
    TestCloud { cloud, clock, keys, home }
}

/// A directory and a database of a test's own: SQLite in the directory or, where the environment says
/// `AWAN_TEST_ENGINE=postgres`, a schema of the server that `AWAN_TEST_POSTGRES` names.
pub struct Home {
    /// What its accounts are bound by.
    pub covenant: Arc<Granted>,
    dir: TempDir,
    server: Option<Schema>,
}

/// A schema of a server, dropped with this.
struct Schema {
    connection: String,
    name: String,
}

impl Home {
    /// A new one.
    #[allow(
        clippy::new_without_default,
        reason = "it makes a directory, which a default should not"
    )]
    pub fn new() -> Self {
        let dir = TempDir::new().expect("the temporary directory is writable");
        Self { covenant: Arc::default(), dir, server: Schema::wanted() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A cloud here: the first, or what a restart of the same cloud looks like.
    pub fn cloud(
        &self,
        clock: &Arc<FakeClock>,
        authority: Arc<dyn Authority>,
        actions: &[&[Entry]],
        migrations: &[MigrationSet],
    ) -> Arc<Cloud> {
        let db = self.open();
        let mut sets = vec![engine::MIGRATIONS];
        sets.extend_from_slice(migrations);
        db.migrate(&sets).expect("the migrations apply");
        let rng = Arc::new(SystemRng);
        Cloud::new(Parts {
            db,
            clock: Arc::clone(clock) as Arc<dyn Clock>,
            rng: rng.clone(),
            authority,
            covenant: Arc::clone(&self.covenant) as Arc<dyn Covenant>,
            seal: Arc::new(Seal::new(&[7; 32], rng)),
            region: region(),
            registry: Registry::new(actions),
            data_dir: self.path().to_owned(),
            requests_per_second: 0,
        })
    }

    /// The database, opened.
    pub fn open(&self) -> Db {
        let backend = match &self.server {
            Some(schema) => Backend::Postgres(Secret::new(schema.inside())),
            None => Backend::Sqlite(self.path().join("cloud.db")),
        };
        Db::open(store::Config { backend, readers: 4 }).expect("a private database opens")
    }
}

impl Schema {
    #[allow(clippy::disallowed_methods, reason = "tests read their own environment")]
    fn wanted() -> Option<Self> {
        std::env::var("AWAN_TEST_ENGINE").ok().filter(|engine| engine == "postgres")?;
        let connection =
            std::env::var("AWAN_TEST_POSTGRES").expect("AWAN_TEST_POSTGRES names a server");
        let name = (&SystemRng as &dyn base::Rng).string(b"abcdefghijklmnop", 16);
        let schema = Self { connection, name: format!("t_{name}") };
        schema.administer(format!("CREATE SCHEMA {}", schema.name));
        Some(schema)
    }

    /// The connection string that sees this schema only.
    fn inside(&self) -> String {
        format!("{} options='-c search_path={}'", self.connection, self.name)
    }

    fn administer(&self, sql: String) {
        let backend = Backend::Postgres(Secret::new(self.connection.clone()));
        let work = move || {
            let db = Db::open(store::Config { backend, readers: 1 })?;
            db.write_blocking(move |tx| tx.execute(&sql, &[]))
        };
        // A thread of its own: tests call this from inside a runtime.
        let done: Result<u64, store::Error> =
            std::thread::spawn(work).join().expect("the thread does not panic");
        done.expect("the server takes schemas");
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        self.administer(format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

/// The region of tests: three zones in Jakarta.
pub fn region() -> Region {
    let centre = |letter: &str| DataCentre {
        site: format!("jkt-{letter}"),
        zone: format!("ap-southeast-5{letter}"),
        country: "ID".to_owned(),
        city: "Jakarta".to_owned(),
        ..DataCentre::default()
    };
    Region { id: "ap-southeast-5".to_owned(), data_centres: ["a", "b", "c"].map(centre).to_vec() }
}

/// The root of an account.
pub fn root(account: u64) -> Caller {
    Caller {
        account: AccountId::new(account),
        kind: CallerKind::Root,
        key_id: format!("root-{account}"),
        session_policy: None,
        operator: false,
        signed: None,
    }
}

/// A user of an account.
pub fn user(account: u64, name: &str) -> Caller {
    let kind = CallerKind::User { id: format!("2{account:017}"), name: name.to_owned() };
    Caller { kind, key_id: format!("{name}-{account}"), ..root(account) }
}
