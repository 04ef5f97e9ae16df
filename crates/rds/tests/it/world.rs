//! A cloud with instances and without nodes: what is asked becomes rows, and tests say when nodes have done it.

use std::time::Duration;

use base::{ApiError, Clock, Time};
use engine::{Caller, pipeline};
use rds::engines::Setting;
use rds::model::{Engine, Status};
use rds::testing;
use serde_json::Value;
use store::{Tx, params};
use testkit::TestCloud;

/// The instances of the owner: PostgreSQL, MariaDB, and one that follows the first.
pub const PG: &str = "pgm-satu";
pub const MARIA: &str = "rm-dua";
pub const FOLLOWER: &str = "pgr-tiga";

pub struct World {
    pub test: TestCloud,
    /// Who owns the instances, and somebody else.
    pub owner: Caller,
    pub stranger: Caller,
    runtime: tokio::runtime::Runtime,
}

impl World {
    pub fn new() -> Self {
        let test = testkit::cloud(&[rds::ACTIONS], &[rds::MIGRATIONS]);
        let (owner, stranger) = (testkit::root(1), testkit::root(2));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = Self { test, owner, stranger, runtime };
        let (cloud, account) = (world.test.cloud.clone(), world.owner.account);
        world.write(move |tx| {
            testing::instance(tx, &cloud, (PG, account), Engine::Postgres, None)?;
            testing::instance(tx, &cloud, (MARIA, account), Engine::MariaDb, None)?;
            testing::instance(tx, &cloud, (FOLLOWER, account), Engine::Postgres, Some(PG))?;
            testing::engine(tx, Engine::Postgres, settings())?;
            let sql = "INSERT INTO rds_ip_array (instance, name, attribute, addresses)
                       VALUES (?1, 'default', '', '127.0.0.1'), (?1, 'kantor', '', '10.0.0.0/8, 192.0.2.7')";
            tx.execute(sql, params![PG])?;
            Ok(())
        });
        world
    }

    /// Calls an action.
    pub fn call(
        &self,
        caller: &Caller,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, ApiError> {
        let cloud = &self.test.cloud;
        self.runtime.block_on(pipeline::call(cloud, caller, "2014-08-15", action, params))
    }

    /// Calls an action as the owner; it must succeed.
    pub fn ok(&self, action: &str, params: &[(&str, &str)]) -> Value {
        self.call(&self.owner, action, params)
            .unwrap_or_else(|error| panic!("{action} {params:?}: {error:?}"))
    }

    /// Calls an action as the owner; it must be refused. Gives the code.
    pub fn refused(&self, action: &str, params: &[(&str, &str)]) -> String {
        match self.call(&self.owner, action, params) {
            Ok(answer) => panic!("{action} {params:?} was answered: {answer}"),
            Err(error) => {
                assert!(error.status() < 500 || error.status() == 503, "{action}: {error:?}");
                assert!(!error.text().contains(error.code()), "a message must not name a code");
                error.code().to_owned()
            }
        }
    }

    pub fn write<T: Send + 'static>(
        &self,
        f: impl FnMut(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> T {
        self.test.cloud.db.write_blocking(f).unwrap()
    }

    /// The nodes have done what was asked.
    pub fn settle(&self, instance: &'static str) {
        self.write(move |tx| testing::settle(tx, instance));
    }

    pub fn set_status(&self, instance: &'static str, status: Status) {
        self.write(move |tx| testing::set_status(tx, instance, status));
    }

    /// Status, restarts, generation.
    pub fn state(&self, instance: &'static str) -> (Status, i64, i64) {
        self.write(move |tx| testing::state(tx, instance))
    }

    /// The states of the tasks of a kind, by id.
    pub fn tasks(&self, kind: &'static str) -> Vec<(String, String)> {
        self.write(move |tx| {
            let sql = "SELECT id, state FROM task WHERE kind = ?1 ORDER BY id";
            Ok(tx.query(sql, params![kind], |row| Ok((row.get(0)?, row.get(1)?)))?)
        })
    }

    pub fn pass(&self, seconds: u64) {
        self.test.clock.pass(Duration::from_secs(seconds));
    }

    pub fn now(&self) -> Time {
        self.test.clock.now()
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

fn settings() -> Vec<Setting> {
    let one = |name: &str, kind: &str, default: &str| Setting {
        name: name.to_owned(),
        kind: kind.to_owned(),
        default: default.to_owned(),
        tenant: true,
        description: format!("What {name} is for."),
        ..Setting::default()
    };
    vec![
        Setting {
            unit: "ms".to_owned(),
            min: "0".to_owned(),
            max: "2147483647".to_owned(),
            ..one("statement_timeout", "integer", "0")
        },
        Setting {
            min: "1".to_owned(),
            max: "262143".to_owned(),
            restart: true,
            ..one("max_prepared_transactions", "integer", "0")
        },
        one("jit", "bool", "on"),
        Setting { tenant: false, ..one("data_directory", "string", "") },
    ]
}

/// The rows of a list in an answer.
pub fn rows(answer: &Value, outer: &str, inner: &str) -> Vec<Value> {
    answer[outer][inner]
        .as_array()
        .unwrap_or_else(|| panic!("no {outer}.{inner}: {answer}"))
        .clone()
}
