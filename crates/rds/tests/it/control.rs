//! A cloud with the control API of relational databases alone: tasks wait, and no server runs.

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, ApiError, Time};
use engine::{Caller, Cloud, Entry, pipeline};
use rds::engines::Build;
use rds::model::Engine;
use rds::node::api::{Observed, Phase};
use serde_json::{Value, json};
use store::params;
use terms::InForce;
use terms::clauses::{DataClass, Residence};
use testkit::TestCloud;

/// What every instance of these tests is made with, where nothing else is said.
pub(crate) const SPEC: [(&str, &str); 6] = [
    ("RegionId", "ap-southeast-5"),
    ("Engine", "PostgreSQL"),
    ("EngineVersion", "17.0"),
    ("DBInstanceClass", "pg.n2.2c.1m"),
    ("DBInstanceStorage", "20"),
    ("PayType", "Postpaid"),
];

/// Two accounts: a tenant, and another that must never see or change what is the tenant's.
pub(crate) struct World {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) tenant: Caller,
    pub(crate) stranger: Caller,
    pub(crate) test: TestCloud,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// PostgreSQL 16 and 17 in all three zones, 18 in one, MariaDB 10.11 in two.
    pub(crate) fn new() -> Self {
        let test = testkit::cloud(&[rds::ACTIONS], &[rds::MIGRATIONS]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = Self {
            cloud: Arc::clone(&test.cloud),
            tenant: testkit::root(1_000_000_000_000_001),
            stranger: testkit::root(1_000_000_000_000_002),
            test,
            runtime,
        };
        for site in ["jkt-a", "jkt-b", "jkt-c"] {
            world.offer(site, Engine::Postgres, "16", "16.13");
            world.offer(site, Engine::Postgres, "17", "17.9");
        }
        world.offer("jkt-b", Engine::Postgres, "18", "18.3");
        world.offer("jkt-a", Engine::MariaDb, "10.11", "10.11.19");
        world.offer("jkt-c", Engine::MariaDb, "10.11", "10.11.19");
        world
    }

    /// Puts a build at a data centre, as its node would tell of it.
    pub(crate) fn offer(&self, site: &'static str, engine: Engine, major: &str, version: &str) {
        let build = Build {
            engine,
            major: major.to_owned(),
            version: version.to_owned(),
            programs: "/nowhere".into(),
            sha256: String::new(),
            extensions: Vec::new(),
            offers: Vec::new(),
            libraries: None,
            settings: Vec::new(),
        };
        let facts = serde_json::to_string(&build).unwrap();
        self.execute(move |tx| {
            tx.execute(
                "INSERT INTO rds_engine (site, engine, major, build, facts) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (site, engine, major) DO UPDATE SET build = excluded.build, facts = excluded.facts",
                params![site, engine.as_str(), &build.major, &build.version, &facts],
            )
        });
    }

    fn execute(
        &self,
        work: impl Fn(&mut store::Tx<'_>) -> Result<u64, store::Error> + Send + 'static,
    ) {
        self.cloud.db.write_blocking(work).unwrap();
    }

    /// Does what the instance's task and nodes would do: everything that is wanted is so.
    pub(crate) fn settle(&self, id: &str) {
        let id = id.to_owned();
        self.execute(move |tx| {
            tx.execute(
                "UPDATE rds_instance SET settled = generation,
                     status = CASE wanted WHEN 'stopped' THEN 'Stopped' ELSE 'Running' END
                 WHERE id = ?1",
                params![&id],
            )?;
            tx.execute("DELETE FROM rds_instance WHERE id = ?1 AND wanted = 'gone'", params![&id])
        });
    }

    /// Lets the node of a member say something.
    pub(crate) fn observe(&self, id: &str, site: &str, port: u32, observed: &Observed) {
        let (id, site) = (id.to_owned(), site.to_owned());
        let text = serde_json::to_string(observed).unwrap();
        let seen = Time::from_secs(1_767_323_000);
        self.execute(move |tx| {
            tx.execute(
                "UPDATE rds_member SET host = '127.0.0.1', port = ?3, observed = ?4, seen = ?5
                 WHERE instance = ?1 AND site = ?2",
                params![&id, &site, port, &text, seen],
            )
        });
    }

    pub(crate) fn call(
        &self,
        caller: &Caller,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        self.runtime.block_on(pipeline::call(&self.cloud, caller, "2014-08-15", action, params))
    }

    /// Calls an action as the tenant; it must succeed.
    pub(crate) fn ok(&self, action: &str, params: &[(&str, &str)]) -> Value {
        self.call(&self.tenant, action, params)
            .unwrap_or_else(|error| panic!("{action} {params:?}: {error:?}"))
    }

    /// Calls an action as the tenant; it must be refused with an answer that names no code. Gives its code.
    pub(crate) fn code(&self, action: &str, params: &[(&str, &str)]) -> String {
        match self.call(&self.tenant, action, params) {
            Ok(answer) => panic!("{action} {params:?} was answered: {answer}"),
            Err(error) => {
                assert!(!error.text().contains(error.code()), "{error:?}");
                assert!(error.status() < 500, "{error:?}");
                error.code().to_owned()
            }
        }
    }

    /// Makes an instance by [`SPEC`], some of it changed, and has it run. Gives its id.
    pub(crate) fn instance(&self, changes: &[(&str, &str)]) -> String {
        let made = self.ok("CreateDBInstance", &spec(changes));
        let id = text(&made["DBInstanceId"]);
        self.settle(&id);
        id
    }

    /// What is shown of an instance.
    pub(crate) fn attribute(&self, id: &str) -> Value {
        let shown = self.ok("DescribeDBInstanceAttribute", &[("DBInstanceId", id)]);
        shown["Items"]["DBInstanceAttribute"][0].clone()
    }

    /// The status that is shown of an instance.
    pub(crate) fn status(&self, id: &str) -> String {
        text(&self.attribute(id)["DBInstanceStatus"])
    }

    /// All rows that a query gives, as text.
    pub(crate) fn rows(&self, sql: &'static str) -> Vec<String> {
        self.cloud
            .db
            .read_blocking(move |tx| tx.query(sql, &[], |row| Ok(format!("{:?}", row.value(0)?))))
            .unwrap()
    }

    /// Binds the tenant by terms in which data of a class may be in these data centres only, in so many zones.
    pub(crate) fn bind(&self, default: DataClass, sites: &[&str], zones_min: u32) {
        bind(&self.test, self.tenant.account, default, (sites, zones_min));
    }

    pub(crate) fn turn_clock(&self, secs: u64) {
        self.test.clock.pass(Duration::from_secs(secs));
    }
}

/// As [`World::bind`], for an account of any cloud.
pub(crate) fn bind(
    test: &TestCloud,
    account: AccountId,
    default: DataClass,
    (sites, zones_min): (&[&str], u32),
) {
    let rules = DataClass::ALL.map(|class| Residence {
        class,
        countries: vec!["ID".to_owned()],
        sites: sites.iter().map(|site| (*site).to_owned()).collect(),
        zones_min,
    });
    test.home.covenant.bind(account, terms(default, &rules));
}

/// [`SPEC`] with other values, and with more; an empty value takes a parameter away.
pub(crate) fn spec<'s>(changes: &[(&'s str, &'s str)]) -> Vec<(&'s str, &'s str)> {
    let kept = SPEC.into_iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    kept.chain(changes.iter().copied()).filter(|(_, value)| !value.is_empty()).collect()
}

/// A text of an answer.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// One field of each row.
pub(crate) fn field(rows: &Value, name: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| text(&row[name])).collect()
}

/// A server that serves.
pub(crate) fn serving(build: &str) -> Observed {
    Observed { phase: Phase::Serving, build: build.to_owned(), ..Observed::default() }
}

/// The table's lines of the actions of this API.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    rds::ACTIONS.iter().filter(|entry| entry.meta.product == "rds")
}

/// Terms that say nothing of interest but where data may be, and what a core costs.
fn terms(default: DataClass, rules: &[Residence]) -> InForce {
    let words = json!({ "id": "", "en": "" });
    let side = json!({ "rights": [words], "duties": [words] });
    let price = |id: &str, meter: &str, amount: i64| {
        json!({
            "id": id, "product": "rds", "meter": meter, "name": words, "unit": "hour", "unitSize": 3600,
            "tiers": [{ "price": amount }], "source": "a test",
        })
    };
    let prices =
        [price("Core", "rds.cpu", 1_000_000_000), price("Storage", "rds.storage", 500_000)];
    let terms = json!({
        "version": 1,
        "account": AccountId::new(1_000_000_000_000_001).to_string(),
        "services": ["*"],
        "residency": { "defaultClass": default, "rules": rules },
        "priceBook": { "id": "some", "currency": "IDR", "taxPercent": 0, "prices": prices },
        "serviceLevels": [],
        "retention": { "auditDays": 1, "billingDays": 1, "afterEndDays": 1 },
        "exit": { "noticeDays": 1, "formats": [], "freeEgress": true },
        "breach": { "noticeHours": 72, "authority": "" },
        "audit": { "by": [], "noticeDays": 1 },
        "privilegedAccess": { "permitted": true, "tenantApproval": true, "hoursMax": 1 },
        "provider": side,
        "tenant": side,
        "log": { "origin": "", "key": "" },
        "keys": { "provider": "", "tenant": "" },
    });
    InForce {
        ocid: "ocds-1".to_owned(),
        release: "1".to_owned(),
        digest: String::new(),
        from: Time::from_secs(0),
        until: None,
        terms: Arc::new(serde_json::from_value(terms).unwrap()),
    }
}
