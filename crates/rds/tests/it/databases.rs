//! Databases.

use rds::testing;
use serde_json::Value;

use crate::world::{FOLLOWER, MARIA, PG, World, rows};

fn database(world: &World, instance: &str, name: &str) -> Option<Value> {
    let answer = world.ok("DescribeDatabases", &[("DBInstanceId", instance), ("DBName", name)]);
    rows(&answer, "Databases", "Database").into_iter().next()
}

#[test]
fn a_database_is_made_listed_described_and_goes() {
    let world = World::new();
    let of = [("DBInstanceId", PG), ("DBName", "toko")];
    world.ok("CheckDBNameAvailable", &of);
    world.ok("CreateDatabase", &[of[0], of[1], ("CharacterSetName", "UTF8,C,C.UTF-8")]);
    let row = database(&world, PG, "toko").unwrap();
    assert_eq!(
        (&row["DBStatus"], &row["CharacterSetName"], &row["Collate"], &row["Ctype"]),
        (&"Creating".into(), &"UTF8".into(), &"C".into(), &"C.UTF-8".into())
    );
    assert_eq!(world.refused("DeleteDatabase", &of), "OperationDenied.DBStatus");
    world.settle(PG);
    assert_eq!(database(&world, PG, "toko").unwrap()["DBStatus"], "Running");
    assert_eq!(world.refused("CheckDBNameAvailable", &of), "InvalidDBName.Duplicate");
    world.ok("ModifyDBDescription", &[of[0], of[1], ("DBDescription", "Toko daring")]);
    let row = database(&world, FOLLOWER, "toko").unwrap();
    assert_eq!(
        (&row["DBDescription"], &row["Engine"]),
        (&"Toko daring".into(), &"PostgreSQL".into())
    );

    world.ok("DeleteDatabase", &of);
    assert_eq!(database(&world, PG, "toko").unwrap()["DBStatus"], "Deleting");
    assert_eq!(world.refused("CreateDatabase", &of), "InvalidDBName.Duplicate");
    let cloud = world.test.cloud.clone();
    assert!(!world.write(move |tx| testing::told(tx, &cloud, PG)).1[0].wanted);
    world.settle(PG);
    assert_eq!(database(&world, PG, "toko"), None);
    let gone = world.refused("ModifyDBDescription", &[of[0], of[1], ("DBDescription", "")]);
    assert_eq!(gone, "InvalidDBName.NotFound");
}

#[test]
fn an_account_that_is_named_owns_the_database_or_gets_a_right_in_it() {
    let world = World::new();
    for instance in [PG, MARIA] {
        let account = [
            ("DBInstanceId", instance),
            ("AccountName", "app"),
            ("AccountPassword", "Rahasia-Negara-7"),
        ];
        world.ok("CreateAccount", &account);
        world.ok("CreateDatabase", &[account[0], account[1], ("DBName", "toko")]);
    }
    let told = |instance: &'static str| {
        let cloud = world.test.cloud.clone();
        world.write(move |tx| testing::told(tx, &cloud, instance))
    };
    let (_, databases, grants, ..) = told(PG);
    assert_eq!((databases[0].owner.as_str(), grants.len()), ("app", 1));
    let (_, databases, _, _, hba) = told(MARIA);
    assert_eq!(databases[0].owner, "");
    assert_eq!(hba, Vec::<String>::new());
    let row = database(&world, MARIA, "toko").unwrap();
    let right = &row["Accounts"]["AccountPrivilegeInfo"][0];
    assert_eq!(
        (&right["Account"], &right["AccountPrivilege"]),
        (&"app".into(), &"ReadWrite".into())
    );
    assert_eq!(row["CharacterSetName"], "utf8mb4");
}

#[test]
fn names_and_character_sets_are_held_to_their_rules() {
    let world = World::new();
    for name in ["postgres", "template1", "awan_x", "Toko", "t", "-toko", "to\"ko", "all"] {
        let refused = world.refused("CreateDatabase", &[("DBInstanceId", PG), ("DBName", name)]);
        assert_eq!(refused, "InvalidDBName.Malformed", "{name}");
    }
    for set in ["UTF9", "UTF8,id_ID", "LATIN1,C.UTF-8", "UTF8' "] {
        let params = [("DBInstanceId", PG), ("DBName", "toko"), ("CharacterSetName", set)];
        let refused = world.refused("CreateDatabase", &params);
        assert_eq!(refused, "InvalidCharacterSetName.Malformed", "{set}");
    }
    let params = [("DBInstanceId", FOLLOWER), ("DBName", "toko")];
    assert_eq!(world.refused("CreateDatabase", &params), "OperationDenied.DBInstanceType");
}

#[test]
fn a_list_is_of_the_status_that_was_asked_for_and_never_without_its_wrapper() {
    let world = World::new();
    let none = world.ok("DescribeDatabases", &[("DBInstanceId", PG)]);
    assert_eq!(none["Databases"]["Database"], serde_json::json!([]));
    world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", "satu")]);
    world.settle(PG);
    world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", "dua")]);
    let answer = world.ok("DescribeDatabases", &[("DBInstanceId", PG), ("DBStatus", "Running")]);
    let rows = rows(&answer, "Databases", "Database");
    assert_eq!((rows.len(), &rows[0]["DBName"]), (1, &"satu".into()));
}
