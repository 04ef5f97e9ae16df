//! Accounts and their rights.

use rds::model::Status;
use rds::node::api::Privilege;
use rds::testing;
use serde_json::Value;

use crate::world::{FOLLOWER, MARIA, PG, World, rows};

const PASSWORD: &str = "Rahasia-Negara-7";

fn create(world: &World, instance: &str, name: &str) {
    let params = [("DBInstanceId", instance), ("AccountName", name), ("AccountPassword", PASSWORD)];
    world.ok("CreateAccount", &params);
}

fn account(world: &World, instance: &str, name: &str) -> Option<Value> {
    let answer = world.ok("DescribeAccounts", &[("DBInstanceId", instance), ("AccountName", name)]);
    rows(&answer, "Accounts", "DBInstanceAccount").into_iter().next()
}

fn status(world: &World, name: &str) -> Option<String> {
    account(world, PG, name).map(|row| row["AccountStatus"].as_str().unwrap().to_owned())
}

#[test]
fn an_account_is_made_listed_described_and_goes() {
    let world = World::new();
    let generation = world.state(PG).2;
    create(&world, PG, "app");
    assert_eq!(status(&world, "app").as_deref(), Some("Unavailable"));
    assert_eq!(world.state(PG), (Status::Running, 0, generation + 1));
    assert_eq!(world.tasks("rds.instance"), [(PG.to_owned(), "\"Converge\"".to_owned())]);
    world.settle(PG);
    assert_eq!(status(&world, "app").as_deref(), Some("Available"));

    let of = [("DBInstanceId", PG), ("AccountName", "app")];
    world.ok("ModifyAccountDescription", &[of[0], of[1], ("AccountDescription", "Toko")]);
    let row = account(&world, PG, "app").unwrap();
    assert_eq!(
        (&row["AccountDescription"], &row["AccountType"]),
        (&"Toko".into(), &"Normal".into())
    );

    let taken = world.refused("CheckAccountNameAvailable", &of);
    assert_eq!(taken, "InvalidAccountName.Duplicate");
    world.ok("CheckAccountNameAvailable", &[of[0], ("AccountName", "lain")]);

    world.ok("DeleteAccount", &of);
    assert_eq!(status(&world, "app").as_deref(), Some("Unavailable"));
    let again = [of[0], of[1], ("AccountPassword", PASSWORD)];
    assert_eq!(world.refused("CreateAccount", &again), "InvalidAccountName.Duplicate");
    assert_eq!(world.refused("DeleteAccount", &of), "InvalidAccountName.NotFound");
    world.settle(PG);
    assert_eq!(status(&world, "app"), None);
    create(&world, PG, "app");
}

#[test]
fn a_locked_account_is_told_to_nodes_as_such_until_it_is_unlocked() {
    let world = World::new();
    create(&world, PG, "app");
    let of = [("DBInstanceId", PG), ("AccountName", "app")];
    assert_eq!(world.refused("LockAccount", &of), "OperationDenied.AccountStatus");
    world.settle(PG);
    let locked = |world: &World| {
        let cloud = world.test.cloud.clone();
        world.write(move |tx| testing::told(tx, &cloud, PG)).0[0].locked
    };
    world.ok("LockAccount", &of);
    assert_eq!((status(&world, "app").as_deref(), locked(&world)), (Some("Lock"), true));
    world.settle(PG);
    assert_eq!(status(&world, "app").as_deref(), Some("Lock"), "settling does not unlock");
    world.ok("UnlockAccount", &of);
    assert_eq!((status(&world, "app").as_deref(), locked(&world)), (Some("Available"), false));
}

#[test]
fn rights_are_given_changed_and_taken_back() {
    let world = World::new();
    create(&world, PG, "app");
    world.ok("CreateDatabase", &[("DBInstanceId", PG), ("DBName", "toko")]);
    world.settle(PG);
    let of = [("DBInstanceId", PG), ("AccountName", "app"), ("DBName", "toko")];
    let grant = |privilege| [of[0], of[1], of[2], ("AccountPrivilege", privilege)];
    for bad in ["Everything", "", "dbowner\""] {
        let refused = world.refused("GrantAccountPrivilege", &grant(bad));
        assert_eq!(refused, "InvalidParameter.AccountPrivilege");
    }
    for privilege in ["ReadOnly", "DBOwner"] {
        world.ok("GrantAccountPrivilege", &grant(privilege));
        let row = account(&world, PG, "app").unwrap();
        let shown = &row["DatabasePrivileges"]["DatabasePrivilege"];
        assert_eq!(shown[0]["DBName"], "toko");
        assert_eq!(shown[0]["AccountPrivilege"], privilege);
        assert_eq!(shown.as_array().unwrap().len(), 1);
    }
    world.settle(PG);
    world.ok("RevokeAccountPrivilege", &of);
    let cloud = world.test.cloud.clone();
    let grants = world.write(move |tx| testing::told(tx, &cloud, PG)).2;
    assert_eq!((grants[0].wanted, grants[0].privilege), (false, Privilege::Owner));
    world.settle(PG);
    let row = account(&world, PG, "app").unwrap();
    assert_eq!(row["DatabasePrivileges"]["DatabasePrivilege"], serde_json::json!([]));
    let generation = world.state(PG).2;
    world.ok("RevokeAccountPrivilege", &of);
    assert_eq!(world.state(PG).2, generation, "there was nothing to take back");

    let unknown = [of[0], of[1], ("DBName", "lain")];
    assert_eq!(world.refused("RevokeAccountPrivilege", &unknown), "InvalidDBName.NotFound");
    let nobody = [of[0], ("AccountName", "siapa"), of[2], ("AccountPrivilege", "ReadOnly")];
    assert_eq!(world.refused("GrantAccountPrivilege", &nobody), "InvalidAccountName.NotFound");
}

#[test]
fn an_owner_stays_as_long_as_its_database() {
    let world = World::new();
    create(&world, PG, "app");
    let nobody = [("DBInstanceId", PG), ("DBName", "toko"), ("AccountName", "siapa")];
    assert_eq!(world.refused("CreateDatabase", &nobody), "InvalidAccountName.NotFound");
    world.ok("CreateDatabase", &[nobody[0], nobody[1], ("AccountName", "app")]);
    world.settle(PG);
    let of = [("DBInstanceId", PG), ("AccountName", "app")];
    assert_eq!(world.refused("DeleteAccount", &of), "OperationDenied.AccountOwnsDatabase");
    let right = [of[0], of[1], ("DBName", "toko"), ("AccountPrivilege", "ReadOnly")];
    let owned = "OperationDenied.AccountOwnsDatabase";
    assert_eq!(world.refused("GrantAccountPrivilege", &right), owned);
    assert_eq!(world.refused("RevokeAccountPrivilege", &right[..3]), owned);
    world.ok(
        "GrantAccountPrivilege",
        &[right[0], right[1], right[2], ("AccountPrivilege", "DBOwner")],
    );
    world.ok("DeleteDatabase", &[of[0], nobody[1]]);
    world.settle(PG);
    world.ok("DeleteAccount", &of);
}

#[test]
fn names_and_passwords_are_held_to_their_rules() {
    let world = World::new();
    let try_with = |name: &str, password: &str| {
        let params = [("DBInstanceId", PG), ("AccountName", name), ("AccountPassword", password)];
        world.refused("CreateAccount", &params)
    };
    for name in ["postgres", "root", "pg_reader", "awan_replicator", "A", "1a", "a b", "a\"b", ""] {
        assert_eq!(try_with(name, PASSWORD), "InvalidAccountName.Malformed", "{name}");
    }
    for password in ["", "short1A", "onlylowercase", "Has Blanks 77", "Ünicode-77-x"] {
        assert_eq!(try_with("app", password), "InvalidAccountPassword.Malformed", "{password}");
    }
    let base = [("DBInstanceId", PG), ("AccountName", "app"), ("AccountPassword", PASSWORD)];
    let kind = [base[0], base[1], base[2], ("AccountType", "Sysadmin")];
    assert_eq!(world.refused("CreateAccount", &kind), "InvalidParameter.AccountType");
    let text = [base[0], base[1], base[2], ("AccountDescription", "a\u{202e}b")];
    assert_eq!(world.refused("CreateAccount", &text), "InvalidParameter.AccountDescription");
    let gone = [("DBInstanceId", "pgm-tiada"), base[1], base[2]];
    assert_eq!(world.refused("CreateAccount", &gone), "InvalidDBInstanceId.NotFound");
    world.set_status(PG, Status::Rebooting);
    assert_eq!(world.refused("CreateAccount", &base), "OperationDenied.DBInstanceStatus");
}

#[test]
fn accounts_of_a_follower_are_those_of_the_one_that_it_follows() {
    let world = World::new();
    create(&world, PG, "app");
    assert!(account(&world, FOLLOWER, "app").is_some());
    let params =
        [("DBInstanceId", FOLLOWER), ("AccountName", "lain"), ("AccountPassword", PASSWORD)];
    assert_eq!(world.refused("CreateAccount", &params), "OperationDenied.DBInstanceType");
}

#[test]
fn accounts_come_in_pages() {
    let world = World::new();
    for name in ["aa", "bb", "cc"] {
        create(&world, PG, name);
    }
    let page = |number: &str| {
        let params = [("DBInstanceId", PG), ("PageSize", "2"), ("PageNumber", number)];
        let answer = world.ok("DescribeAccounts", &params);
        assert_eq!(answer["TotalRecordCount"], 3);
        rows(&answer, "Accounts", "DBInstanceAccount").len()
    };
    assert_eq!([page("1"), page("2"), page("3")], [2, 1, 0]);
}

/// Neither a password nor what a server checks it with is readable anywhere in the database's files, in an answer or
/// in an audit entry; nodes are told a verifier of the right kind, another one after each reset.
#[test]
fn passwords_are_nowhere_and_verifiers_are_sealed() {
    let world = World::new();
    create(&world, PG, "app");
    create(&world, MARIA, "app");
    let verifier = |instance: &'static str| {
        let cloud = world.test.cloud.clone();
        world.write(move |tx| testing::told(tx, &cloud, instance)).0[0].verifier.clone()
    };
    let first = verifier(PG);
    assert!(first.starts_with("SCRAM-SHA-256$4096:"), "{first}");
    let maria = verifier(MARIA);
    assert!(maria.starts_with('*') && maria.len() == 41, "{maria}");
    world.settle(PG);

    let other = "Rahasia-Baru-88";
    let reset = [("DBInstanceId", PG), ("AccountName", "app"), ("AccountPassword", other)];
    world.ok("ResetAccountPassword", &reset);
    let second = verifier(PG);
    assert_ne!(first, second);
    assert_eq!(world.refused("ResetAccount", &reset), "OperationDenied.AccountStatus");
    let weak = [reset[0], reset[1], ("AccountPassword", "lemah")];
    assert_eq!(world.refused("ResetAccountPassword", &weak), "InvalidAccountPassword.Malformed");

    let mut said = account(&world, PG, "app").unwrap().to_string();
    said.push_str(&world.ok("DescribeAccounts", &[("DBInstanceId", MARIA)]).to_string());
    let mut seen = said.into_bytes();
    for entry in std::fs::read_dir(world.test.home.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            seen.extend(std::fs::read(path).unwrap());
        }
    }
    let there = |needle: &str| seen.windows(needle.len()).any(|bytes| bytes == needle.as_bytes());
    assert!(there("app"), "the search finds what is there");
    let key = second.rsplit(':').next().unwrap();
    for secret in [PASSWORD, other, "SCRAM-SHA-256$", key, &maria] {
        assert!(!there(secret), "{secret} is readable");
    }
}

#[test]
fn a_super_account_is_reset_and_told_as_privileged() {
    let world = World::new();
    let made = [
        ("DBInstanceId", PG),
        ("AccountName", "kepala"),
        ("AccountPassword", PASSWORD),
        ("AccountType", "Super"),
    ];
    world.ok("CreateAccount", &made);
    world.settle(PG);
    let row = account(&world, PG, "kepala").unwrap();
    assert_eq!((&row["AccountType"], &row["CreateRole"]), (&"Super".into(), &"t".into()));
    world.ok("LockAccount", &made[..2]);
    world.ok("ResetAccount", &made[..3]);
    assert_eq!(status(&world, "kepala").as_deref(), Some("Available"));
    let cloud = world.test.cloud.clone();
    let told = world.write(move |tx| testing::told(tx, &cloud, PG)).0;
    assert!(told[0].privileged && !told[0].locked);
}

/// A verifier that is moved to another account's row does not open: nobody logs in as somebody else by it.
#[test]
fn a_verifier_opens_for_its_own_account_only() {
    let world = World::new();
    create(&world, PG, "app");
    create(&world, PG, "lain");
    world.write(|tx| {
        let sql = "UPDATE rds_account SET verifier =
                       (SELECT verifier FROM rds_account WHERE name = 'app') WHERE name = 'lain'";
        tx.execute(sql, &[])?;
        Ok(())
    });
    let cloud = world.test.cloud.clone();
    let told = world.test.cloud.db.read_blocking(move |tx| testing::told(tx, &cloud, PG));
    let error = told.err().unwrap();
    assert_eq!(error.code(), "InternalError");
}
