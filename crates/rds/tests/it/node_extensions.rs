//! Extensions as a server has them, and the other settings of a server that a spec names.

use rds::node::api::{ExtensionChange, ExtensionWish};

use crate::node_lab::{Lab, account, ask, database, spec, sql};

fn wish(name: &str, what: ExtensionChange) -> ExtensionWish {
    let [database, name, account] = ["shop", name, "chief"].map(str::to_owned);
    ExtensionWish { database, name, account, what }
}

#[tokio::test(flavor = "multi_thread")]
async fn extensions_come_and_go_as_wished_and_what_is_refused_holds_nothing_up() {
    let lab = Lab::new();
    let mut spec = spec("pgm-extend");
    // The privileged account makes extensions in a database that is not its own.
    spec.accounts.push(account("ann", false));
    spec.databases = vec![database("shop", "ann")];
    let create = |name| wish(name, ExtensionChange::Create);
    // These: trusted; not without cube; the node's to make; nobody's; not there.
    let names = ["pg_trgm", "hstore", "pg_stat_statements", "dblink", "no_such_thing"];
    spec.extensions = names.map(create).to_vec();
    let it = lab.serve(&spec).await;
    let shop = |who: &str, text: &str| sql(&it, who, "shop", text);
    let there: Vec<(&str, &str)> =
        it.extensions["shop"].iter().map(|one| (one.name.as_str(), one.owner.as_str())).collect();
    assert_eq!(
        there,
        [("hstore", "chief"), ("pg_stat_statements", "awan_admin"), ("pg_trgm", "chief")]
    );
    let refused: Vec<&str> = it.refused.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(refused, ["no_such_thing"]);
    assert!(it.refused[0].reason.contains("not available"), "{:?}", it.refused);
    assert_eq!(shop("ann", "SELECT similarity('suara', 'suara')").unwrap(), "1");
    assert!(shop("ann", "SELECT count(*) FROM pg_stat_statements").is_ok());
    assert!(shop("chief", "CREATE SCHEMA mine").is_err(), "the right to create was lent only");
    assert!(shop("ann", "SELECT dblink('')").is_err());

    shop("ann", "CREATE TABLE goods (facts hstore)").unwrap();
    spec.generation = 2;
    let of = |name, what| wish(name, what);
    spec.extensions = vec![
        of("hstore", ExtensionChange::Drop),
        of("pg_trgm", ExtensionChange::Drop),
        of("pg_stat_statements", ExtensionChange::Update),
    ];
    let now = lab.serve(&spec).await;
    let there: Vec<&str> = now.extensions["shop"].iter().map(|one| one.name.as_str()).collect();
    assert_eq!(there, ["hstore", "pg_stat_statements"]);
    assert!(now.refused[0].reason.contains("goods"), "{:?}", now.refused);
    assert!(shop("ann", "SELECT similarity('suara', 'suara')").is_err());

    // What tenants do by SQL is found out when figures are taken.
    shop("ann", "DROP TABLE goods; CREATE EXTENSION citext").unwrap();
    lab.node.keeper(&spec.id).unwrap().figures().await.unwrap();
    let seen = lab.observed(&spec.id).await;
    assert!(seen.extensions["shop"].iter().any(|one| one.name == "citext"), "{seen:?}");
    // A database that goes takes what is wished of it along.
    spec.generation = 3;
    spec.databases[0].wanted = false;
    spec.extensions = vec![create("cube")];
    let last = lab.serve(&spec).await;
    assert!(last.extensions.is_empty() && last.refused.is_empty(), "{last:?}");
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_becomes_the_newest() {
    let lab = Lab::new();
    let mut spec = spec("pgm-update");
    let it = lab.serve(&spec).await;
    sql(&it, "chief", "shop", "CREATE EXTENSION hstore VERSION '1.4'").unwrap();
    spec.generation = 2;
    spec.extensions = vec![wish("hstore", ExtensionChange::Update)];
    let now = lab.serve(&spec).await;
    let version = &now.extensions["shop"][0].version;
    assert!(version.as_str() > "1.4", "{version}");
    assert!(now.refused.is_empty(), "{:?}", now.refused);
    lab.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_zone_is_that_of_the_instance_unless_a_setting_says_otherwise() {
    let lab = Lab::new();
    let mut spec = spec("pgm-zone");
    let it = lab.serve(&spec).await;
    assert_eq!(ask(&it, "SHOW timezone"), "UTC");
    spec.generation = 2;
    spec.time_zone = "Asia/Jakarta".to_owned();
    lab.serve(&spec).await;
    assert_eq!(ask(&it, "SHOW timezone"), "Asia/Jakarta");
    spec.generation = 3;
    spec.parameters.insert("TimeZone".to_owned(), "Asia/Jayapura".to_owned());
    lab.serve(&spec).await;
    assert_eq!(ask(&it, "SHOW timezone"), "Asia/Jayapura");
    lab.end().await;
}
