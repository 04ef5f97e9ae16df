//! A cloud without nodes, engines that are only said to be there, and calls as a client makes them.

use std::sync::Arc;

use base::{AccountId, ApiError};
use engine::server::authority::Authority;
use engine::{Caller, CallerKind, Cloud, pipeline};
use rds::engines::Build;
use rds::machine::Instances;
use rds::model::Engine;
use rds::nodes::Hosts;
use serde_json::Value;
use store::params;
use testkit::TestCloud;

/// A cloud with the actions and tables of this crate, and the root of an account.
pub(crate) fn cloud() -> (TestCloud, Caller) {
    let test = testkit::cloud(&[rds::ACTIONS], &[rds::MIGRATIONS]);
    let tenant = Caller {
        account: AccountId::new(1_234_567_890_123_456),
        kind: CallerKind::Root,
        key_id: "LTAItest".to_owned(),
        session_policy: None,
        operator: false,
        signed: None,
    };
    test.keys.add(&tenant);
    (test, tenant)
}

/// Every data centre has PostgreSQL 17, as far as the rows say.
pub(crate) async fn offer_engines(cloud: &Arc<Cloud>) {
    let build = Build {
        engine: Engine::Postgres,
        major: "17".to_owned(),
        version: "17.11".to_owned(),
        programs: "/nowhere".into(),
        ..stage_build()
    };
    let facts = serde_json::to_string(&build).unwrap();
    let sites: Vec<String> =
        cloud.region.data_centres.iter().map(|centre| centre.site.clone()).collect();
    let insert = move |tx: &mut store::Tx<'_>| {
        for site in &sites {
            let sql = "INSERT INTO rds_engine (site, engine, major, build, facts) VALUES (?1, ?2, ?3, ?4, ?5)";
            tx.execute(sql, params![site, "PostgreSQL", "17", "17.11", &facts])?;
        }
        Ok::<_, ApiError>(())
    };
    cloud.db.write(insert).await.unwrap();
}

fn stage_build() -> Build {
    serde_json::from_value(serde_json::json!({
        "engine": "PostgreSQL", "major": "", "version": "", "programs": "", "sha256": "", "extensions": [], "settings": [],
    }))
    .unwrap()
}

/// The parameters of a new instance of that class.
pub(crate) fn wish(class: &str) -> [(&str, &str); 8] {
    [
        ("RegionId", "ap-southeast-5"),
        ("Engine", "PostgreSQL"),
        ("EngineVersion", "17.0"),
        ("DBInstanceClass", class),
        ("DBInstanceStorage", "20"),
        ("DBInstanceNetType", "Intranet"),
        ("PayType", "Postpaid"),
        ("SecurityIPList", "127.0.0.1"),
    ]
}

pub(crate) async fn call(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    action: &str,
    params: &[(&str, &str)],
) -> Result<Value, ApiError> {
    pipeline::call(cloud, caller, "2014-08-15", action, params).await
}

/// The machine of instances over those nodes; nothing to restore from.
pub(crate) fn machine(cloud: &Arc<Cloud>, hosts: Arc<dyn Hosts>) -> Instances {
    let clock = Arc::clone(&cloud.clock);
    let authority = Authority::open(&cloud.data_dir, clock).unwrap();
    Instances::new(hosts, Arc::new(authority), rds::backup::restore::Restores::none())
}

/// What tables still have of an instance that should be gone, but for its backups.
pub(crate) async fn rows_of(cloud: &Arc<Cloud>, id: &str) -> Vec<String> {
    let id = id.to_owned();
    let look = move |tx: &mut store::Tx<'_>| {
        let mut left = Vec::new();
        for table in [
            "rds_instance WHERE id",
            "rds_member WHERE instance",
            "rds_account WHERE instance",
            "rds_database WHERE instance",
            "rds_grant WHERE instance",
            "rds_extension WHERE instance",
            "rds_ip_array WHERE instance",
            "rds_hba WHERE instance",
            "rds_parameter WHERE instance",
            "rds_tag WHERE instance",
        ] {
            let sql = format!("SELECT 1 FROM {table} = ?1 LIMIT 1");
            if tx.query_opt(&sql, params![&id], |row| row.get::<i64>(0))?.is_some() {
                left.push(table.to_owned());
            }
        }
        Ok::<_, ApiError>(left)
    };
    cloud.db.read(look).await.unwrap()
}
