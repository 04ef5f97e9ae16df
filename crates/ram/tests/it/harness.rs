//! A test cloud with the real keys and policies, and what the tests of this crate do with it.

use std::sync::Arc;
use std::time::Duration;

use base::{ApiError, Clock, SystemRng, Time};
use engine::ports::Authority;
use engine::seal::Seal;
use engine::{Caller, CallerKind, Cloud, Entry, pipeline};
use ram::{Ram, RootKey};
use serde_json::Value;
use terms::statement::Signer;
use testkit::{FakeClock, Home};

/// The moment at which every world begins: that of [`FakeClock::start`].
pub(crate) const BEGIN: Time = Time::from_secs(1_767_323_045);

/// A key that somebody signs with.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

pub(crate) struct World {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) ram: Arc<Ram>,
    pub(crate) root_key: RootKey,
    /// The account that runs the cloud.
    pub(crate) operator: Caller,
    /// A tenant, as its root.
    pub(crate) tenant: Caller,
    clock: Arc<FakeClock>,
    runtime: tokio::runtime::Runtime,
    // Dropped last: the database is in it.
    home: Home,
}

impl World {
    pub(crate) fn new() -> Self {
        let (home, clock) = (Home::new(), FakeClock::start());
        let seal = Arc::new(Seal::new(&[7; Seal::KEY_LEN], Arc::new(SystemRng)));
        let ram = Arc::new(Ram::new(seal));
        let authority = Arc::clone(&ram) as Arc<dyn Authority>;
        let cloud = home.cloud(&clock, authority, &[ram::ACTIONS], &[ram::MIGRATIONS]);
        let root_key = RootKey::generate(&SystemRng);
        let (seal, root) = (Arc::clone(&cloud.seal), root_key.clone());
        let first = cloud.db.write_blocking(move |tx| ram::first_start(tx, &root, &seal, BEGIN));
        assert!(first.unwrap(), "the database is new");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let nobody = Caller::anonymous();
        let mut world = Self {
            cloud,
            ram,
            root_key,
            operator: nobody.clone(),
            tenant: nobody,
            clock,
            runtime,
            home,
        };
        let root = Credentials {
            key_id: world.root_key.access_key_id.clone(),
            secret: world.root_key.access_key_secret.expose().clone(),
            token: None,
        };
        world.operator = world.sign_in(&root).unwrap();
        world.tenant = world.account("kpu");
        world
    }

    /// Makes an account and signs in as its root.
    pub(crate) fn account(&self, name: &str) -> Caller {
        let made = self.ok(&self.operator, "CreateAccount", &[("AccountName", name)]);
        self.sign_in(&credentials(&made["AccessKey"])).unwrap()
    }

    /// Makes a user of the tenant with a key and signs in as it.
    pub(crate) fn user(&self, name: &str) -> Caller {
        self.ok(&self.tenant, "CreateUser", &[("UserName", name)]);
        let made = self.ok(&self.tenant, "CreateAccessKey", &[("UserName", name)]);
        self.sign_in(&credentials(&made["AccessKey"])).unwrap()
    }

    /// Attaches a system policy to a user of the tenant.
    pub(crate) fn grant(&self, user: &str, policy: &str) {
        let params = [("UserName", user), ("PolicyName", policy), ("PolicyType", "System")];
        self.ok(&self.tenant, "AttachPolicyToUser", &params);
    }

    /// Finds the caller of a key, as the signature check does.
    pub(crate) fn sign_in(&self, credentials: &Credentials) -> Result<Caller, ApiError> {
        let (ram, credentials, now) =
            (Arc::clone(&self.ram), credentials.clone(), self.clock.now());
        self.cloud.db.read_blocking(move |tx| {
            let found = ram.find_key(tx, &credentials.key_id, credentials.token.as_deref(), now)?;
            assert_eq!(found.secret.expose(), &credentials.secret);
            Ok(found.caller)
        })
    }

    /// Gives the tenant an agreement with a key, as far as this crate can tell; answers the key.
    pub(crate) fn agree(&self) -> Signer {
        let name = format!("awan.test/log/tenant/{}", self.tenant.account);
        let signer = Signer::from_seed(&name, base::Secret::new([3; 32])).unwrap();
        self.home.covenant.name_key(self.tenant.account, &signer.verifier().to_string());
        signer
    }

    pub(crate) fn turn_clock(&self, secs: u64) {
        self.clock.pass(Duration::from_secs(secs));
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn call(
        &self,
        caller: &Caller,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let version = entry(action).meta.version;
        self.runtime.block_on(pipeline::call(&self.cloud, caller, version, action, params))
    }

    /// Calls an action that must succeed.
    pub(crate) fn ok(&self, caller: &Caller, action: &str, params: &[(&str, &str)]) -> Value {
        self.call(caller, action, params)
            .unwrap_or_else(|error| panic!("{action} {params:?}: {error:?}"))
    }

    /// Calls an action that must be refused; gives the status and the code.
    pub(crate) fn refused(
        &self,
        caller: &Caller,
        action: &str,
        params: &[(&str, &str)],
    ) -> (u16, String) {
        match self.call(caller, action, params) {
            Ok(answer) => panic!("{action} {params:?} was answered: {answer}"),
            Err(error) => {
                assert!(
                    !error.text().contains(error.code()),
                    "a message must not name a code: {error:?}"
                );
                (error.status(), error.code().to_owned())
            }
        }
    }

    /// As [`Self::refused`], on behalf of the tenant's root: the code alone.
    pub(crate) fn code(&self, action: &str, params: &[(&str, &str)]) -> String {
        self.refused(&self.tenant, action, params).1
    }

    /// All rows that a query gives, as text.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<String> {
        self.cloud
            .db
            .read_blocking(move |tx| tx.query(sql, &[], |row| Ok(format!("{:?}", row.value(0)?))))
            .unwrap()
    }

    /// Every page of a list, joined. `path` is the list's wrapper and name.
    pub(crate) fn pages(
        &self,
        action: &str,
        params: &[(&str, &str)],
        path: (&str, &str),
        max: &str,
    ) -> (usize, Vec<Value>) {
        let (mut pages, mut all, mut marker) = (0, Vec::new(), String::new());
        loop {
            let paging = [("MaxItems", max), ("Marker", marker.as_str())];
            let page = self.ok(&self.tenant, action, &[params, &paging].concat());
            pages += 1;
            let rows = page[path.0][path.1].as_array().expect("a list is there even when empty");
            assert!(rows.len() <= max.parse().unwrap());
            all.extend(rows.iter().cloned());
            assert_eq!(page["IsTruncated"], Value::Bool(page.get("Marker").is_some()));
            match page.get("Marker") {
                Some(next) => marker = next.as_str().unwrap().to_owned(),
                None => return (pages, all),
            }
        }
    }
}

/// The table's line of an action.
pub(crate) fn entry(action: &str) -> &'static Entry {
    ram::ACTIONS.iter().find(|entry| entry.meta.name == action).expect("there is such an action")
}

/// The credentials in an answer of `CreateAccessKey` or `AssumeRole`.
pub(crate) fn credentials(made: &Value) -> Credentials {
    let text = |name: &str| made[name].as_str().map(str::to_owned);
    Credentials {
        key_id: text("AccessKeyId").unwrap(),
        secret: text("AccessKeySecret").unwrap(),
        token: text("SecurityToken"),
    }
}

/// The values of one field, in order.
pub(crate) fn field(rows: &[Value], name: &str) -> Vec<String> {
    rows.iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn user_id(caller: &Caller) -> &str {
    match &caller.kind {
        CallerKind::User { id, .. } => id,
        other => panic!("{other:?} is no user"),
    }
}
