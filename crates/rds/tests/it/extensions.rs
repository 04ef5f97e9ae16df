//! Extensions of PostgreSQL: wishes, and what is told of them. What servers do with wishes is in `node_extensions`.

use rds::engines::Extension;
use rds::model::Engine;
use rds::node::api::{ExtensionChange, ExtensionWish, InstalledExtension, RefusedExtension};
use rds::testing;
use serde_json::Value;

use crate::world::{FOLLOWER, MARIA, PG, World};

fn offer(name: &str, requires: &[&str]) -> Extension {
    Extension {
        name: name.to_owned(),
        version: "1.6".to_owned(),
        comment: format!("what {name} is for"),
        requires: requires.iter().map(ToString::to_string).collect(),
        trusted: true,
    }
}

fn installed(name: &str) -> InstalledExtension {
    let [name, version, owner] = [name, "1.5", "app"].map(str::to_owned);
    InstalledExtension { name, version, owner }
}

fn wish(database: &str, name: &str, account: &str, what: ExtensionChange) -> ExtensionWish {
    let [database, name, account] = [database, name, account].map(str::to_owned);
    ExtensionWish { database, name, account, what }
}

/// A cloud with a privileged account, another one, and two databases.
fn world() -> World {
    let world = World::new();
    for (name, kind) in [("app", "Super"), ("biasa", "Normal")] {
        let account = [("DBInstanceId", PG), ("AccountName", name), ("AccountType", kind)];
        world.ok(
            "CreateAccount",
            &[&account[..], &[("AccountPassword", "Rahasia-Negara-7")]].concat(),
        );
    }
    for name in ["toko", "gudang"] {
        world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", name)]);
    }
    let offers = [
        offer("pg_trgm", &[]),
        offer("cube", &[]),
        offer("earth", &["cube"]),
        offer("odd", &["dblink"]),
    ];
    world.write(move |tx| testing::offer(tx, Engine::Postgres, &offers));
    world.settle(PG);
    world
}

fn wished(world: &World) -> Vec<ExtensionWish> {
    world.write(|tx| testing::wished(tx, PG))
}

fn settled(
    world: &World,
    database: &'static str,
    there: &[&str],
    refused: &'static [(&str, &str)],
) {
    let there: Vec<InstalledExtension> = there.iter().map(|name| installed(name)).collect();
    world.write(move |tx| {
        let refused: Vec<RefusedExtension> = refused
            .iter()
            .map(|(name, reason)| {
                let [database, name, reason] = [database, *name, *reason].map(str::to_owned);
                RefusedExtension { database, name, reason }
            })
            .collect();
        testing::extended(tx, PG, (database, &there), &refused)
    });
}

fn told(world: &World, instance: &str, database: &str) -> (Vec<String>, Vec<String>, Value) {
    let of = [("DBInstanceId", instance), ("DBName", database)];
    let mut answer = world.ok("DescribePostgresExtensions", &of);
    let names = |list: &Value| {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["Name"].as_str().unwrap().to_owned()).collect()
    };
    (
        names(&answer["InstalledExtensions"]),
        names(&answer["UninstalledExtensions"]),
        answer["Overview"].take(),
    )
}

#[test]
fn extensions_are_wished_for_done_once_and_told_as_the_node_saw_them() {
    let world = world();
    let create = [
        ("DBInstanceId", PG),
        ("DBNames", "toko,gudang"),
        ("Extensions", "pg_trgm, earth"),
        ("AccountName", "app"),
    ];
    world.ok("CreatePostgresExtensions", &create);
    let what = ExtensionChange::Create;
    let all = [("gudang", "earth"), ("gudang", "pg_trgm"), ("toko", "earth"), ("toko", "pg_trgm")];
    let expected = all.map(|(database, name)| wish(database, name, "app", what));
    assert_eq!(wished(&world), expected);
    assert!(told(&world, PG, "toko").0.is_empty(), "nobody has done it yet");

    settled(&world, "toko", &["cube", "earth", "pg_trgm"], &[]);
    assert_eq!(wished(&world), [], "what is done is not told again");
    let (there, others, refused) = told(&world, PG, "toko");
    assert_eq!((there.join(" "), others.join(" ")), ("cube earth pg_trgm".into(), "odd".into()));
    assert_eq!(refused, serde_json::json!({}));
    let answer = world.ok("DescribePostgresExtensions", &[create[0], ("DBName", "toko")]);
    let row = &answer["InstalledExtensions"][1];
    assert_eq!(
        [
            &row["InstalledVersion"],
            &row["DefaultVersion"],
            &row["Owner"],
            &row["Requires"],
            &row["Comment"]
        ],
        ["1.5", "1.6", "app", "cube", "what earth is for"]
    );

    let of = [create[0], ("DBNames", "toko"), ("Extensions", "earth")];
    world.ok("UpdatePostgresExtensions", &of);
    assert_eq!(wished(&world), [wish("toko", "earth", "", ExtensionChange::Update)]);
    world.ok("DeletePostgresExtensions", &[of[0], of[1], ("Extensions", "cube")]);
    let before = world.state(PG);
    world.ok("CreatePostgresExtensions", &[of[0], of[1], of[2], create[3]]);
    assert_eq!(world.state(PG), before, "it is there already: nothing is asked of the node");
    settled(&world, "toko", &["cube", "earth"], &[("cube", "extension earth depends on it")]);
    assert_eq!(wished(&world), [], "what was refused is not tried again");
    let (there, _, refused) = told(&world, PG, "toko");
    assert_eq!(there, ["cube", "earth"]);
    assert_eq!(refused, serde_json::json!({"cube": "extension earth depends on it"}));
    world.ok("DeleteDatabase", &[of[0], ("DBName", "toko")]);
    assert_eq!(
        world.refused("DescribePostgresExtensions", &[of[0], ("DBName", "toko")]),
        "InvalidDBName.NotFound"
    );
}

#[test]
fn a_database_gets_what_another_one_has() {
    let world = world();
    settled(&world, "toko", &["pg_trgm"], &[]);
    let copy = [
        ("DBInstanceId", PG),
        ("DBNames", "gudang"),
        ("SourceDatabase", "toko"),
        ("AccountName", "app"),
    ];
    world.ok("CreatePostgresExtensions", &copy);
    assert_eq!(wished(&world), [wish("gudang", "pg_trgm", "app", ExtensionChange::Create)]);
}

#[test]
fn what_is_not_safe_not_there_or_not_the_callers_is_refused() {
    let world = world();
    let good = [
        ("DBInstanceId", PG),
        ("DBNames", "toko"),
        ("Extensions", "pg_trgm"),
        ("AccountName", "app"),
    ];
    for (change, code) in [
        (("Extensions", "dblink"), "OperationDenied.NotSupported"),
        (("Extensions", "plpython3u"), "OperationDenied.NotSupported"),
        (("Extensions", "odd"), "OperationDenied.NotSupported"),
        (("Extensions", "tiada"), "InvalidExtensionName.NotFound"),
        (("Extensions", "pg_trgm\0"), "InvalidExtensionName.NotFound"),
        (("Extensions", "pg_trgm,,"), "InvalidParameter.Extensions"),
        (("Extensions", ""), "InvalidParameter.Extensions"),
        (("DBNames", "tiada"), "InvalidDBName.NotFound"),
        (("DBNames", "toko,template1"), "InvalidDBName.NotFound"),
        (("AccountName", "biasa"), "InvalidParameter.AccountName"),
        (("AccountName", "tiada"), "InvalidAccountName.NotFound"),
        (("DBInstanceId", MARIA), "InvalidEngine.NotSupported"),
        (("DBInstanceId", FOLLOWER), "OperationDenied.DBInstanceType"),
    ] {
        let asked = good.map(|pair| if pair.0 == change.0 { change } else { pair });
        assert_eq!(world.refused("CreatePostgresExtensions", &asked), code, "{change:?}");
    }
    for action in ["DeletePostgresExtensions", "UpdatePostgresExtensions"] {
        assert_eq!(world.refused(action, &good[..3]), "InvalidExtensionName.NotFound", "{action}");
    }
    assert_eq!(wished(&world), []);
}
