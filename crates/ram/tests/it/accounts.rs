//! Accounts, and what only the operator may do.

use base::SystemRng;
use engine::CallerKind;
use ram::RootKey;
use serde_json::json;

use crate::harness::{BEGIN, World, credentials, field};

#[test]
fn the_first_start_makes_the_operator_once() {
    let world = World::new();
    assert!(world.operator.operator);
    assert_eq!(
        (world.operator.kind.clone(), world.operator.account),
        (CallerKind::Root, world.root_key.account_id)
    );
    assert!(!world.tenant.operator);
    let (seal, other) = (world.cloud.seal.clone(), RootKey::generate(&SystemRng));
    let again = world.cloud.db.write_blocking(move |tx| ram::first_start(tx, &other, &seal, BEGIN));
    assert!(!again.unwrap());
    assert_eq!(world.rows("SELECT id FROM ram_account WHERE operator = 1").len(), 1);
}

#[test]
fn the_operator_makes_suspends_and_resumes_accounts() {
    let world = World::new();
    let made = world.ok(
        &world.operator,
        "CreateAccount",
        &[("AccountName", "bawaslu"), ("DisplayName", "Bawaslu RI")],
    );
    let id = made["Account"]["AccountId"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 16);
    let account = json!({
        "AccountId": id, "AccountName": "bawaslu", "DisplayName": "Bawaslu RI", "CreateDate": BEGIN.iso(), "Status": "Active"
    });
    assert_eq!(made["Account"], account);
    let key = credentials(&made["AccessKey"]);
    assert_eq!(world.sign_in(&key).unwrap().account.to_string(), id);
    let refused = world.refused(&world.operator, "CreateAccount", &[("AccountName", "bawaslu")]);
    assert_eq!(refused, (409, "EntityAlreadyExists.Account".into()));

    let param = [("AccountId", id.as_str())];
    world.ok(&world.operator, "SuspendAccount", &param);
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "Forbidden.AccountSuspended");
    let listed = world.ok(&world.operator, "ListAccounts", &[]);
    let rows = listed["Accounts"]["Account"].as_array().unwrap();
    assert_eq!(field(rows, "AccountName"), ["bawaslu", "kpu", "operator"]);
    assert_eq!(field(rows, "Status"), ["Suspended", "Active", "Active"]);
    let page = world.ok(&world.operator, "ListAccounts", &[("MaxItems", "2")]);
    let rest =
        world.ok(&world.operator, "ListAccounts", &[("Marker", page["Marker"].as_str().unwrap())]);
    assert_eq!(field(rest["Accounts"]["Account"].as_array().unwrap(), "AccountName"), ["operator"]);
    world.ok(&world.operator, "ResumeAccount", &param);
    world.sign_in(&key).unwrap();

    let own = world.operator.account.to_string();
    assert_eq!(
        world.refused(&world.operator, "SuspendAccount", &[("AccountId", &own)]).1,
        "InvalidParameter.AccountId"
    );
    assert_eq!(
        world.refused(&world.operator, "SuspendAccount", &[("AccountId", "1")]),
        (404, "EntityNotExist.Account".into())
    );
    assert_eq!(
        world.refused(&world.operator, "SuspendAccount", &[("AccountId", "x")]).1,
        "InvalidParameter.AccountId"
    );
}

#[test]
fn the_operator_helps_an_account_that_lost_its_keys() {
    let world = World::new();
    world.ok(&world.tenant, "CreateAccessKey", &[]);
    let id = world.tenant.account.to_string();
    for _ in 0..2 {
        let made = world.ok(&world.operator, "CreateAccountAccessKey", &[("AccountId", &id)]);
        let caller = world.sign_in(&credentials(&made["AccessKey"])).unwrap();
        assert_eq!((caller.account, caller.kind), (world.tenant.account, CallerKind::Root));
    }
    let refused = world.refused(&world.operator, "CreateAccountAccessKey", &[("AccountId", &id)]);
    assert_eq!(refused, (409, "LimitExceeded.User.AccessKey".into()));
}

#[test]
fn no_tenant_is_the_operator_whatever_its_policies_say() {
    let world = World::new();
    let admin = world.user("admin");
    world.grant("admin", "AdministratorAccess");
    let id = world.operator.account.to_string();
    for caller in [&world.tenant, &admin] {
        for action in [
            "CreateAccount",
            "ListAccounts",
            "CreateAccountAccessKey",
            "SuspendAccount",
            "ResumeAccount",
        ] {
            let refused =
                world.refused(caller, action, &[("AccountName", "new"), ("AccountId", &id)]);
            assert_eq!(refused, (403, "NoPermission".into()), "{action}");
        }
    }
}

#[test]
fn an_alias_belongs_to_one_account() {
    let world = World::new();
    let (one, other) = (&world.tenant, world.account("bawaslu"));
    assert_eq!(
        world.refused(one, "GetAccountAlias", &[]),
        (404, "EntityNotExist.AccountAlias".into())
    );
    world.ok(one, "SetAccountAlias", &[("AccountAlias", "kpu-ri")]);
    world.ok(one, "SetAccountAlias", &[("AccountAlias", "kpu-ri")]);
    assert_eq!(world.ok(one, "GetAccountAlias", &[]), json!({"AccountAlias": "kpu-ri"}));
    let refused = world.refused(&other, "SetAccountAlias", &[("AccountAlias", "kpu-ri")]);
    assert_eq!(refused, (409, "EntityAlreadyExists.AccountAlias".into()));
    for bad in ["-kpu", "kpu-", "k--u", "KPU", "k_u"] {
        assert_eq!(
            world.code("SetAccountAlias", &[("AccountAlias", bad)]),
            "InvalidParameter.AccountAlias.Format",
            "{bad}"
        );
    }
    assert_eq!(
        world.code("SetAccountAlias", &[("AccountAlias", "ab")]),
        "InvalidParameter.AccountAlias.Length"
    );
    world.ok(one, "ClearAccountAlias", &[]);
    world.ok(&other, "SetAccountAlias", &[("AccountAlias", "kpu-ri")]);
}

#[test]
fn what_the_operator_does_to_an_account_stands_in_that_accounts_audit_trail() {
    let world = World::new();
    let id = world.tenant.account.to_string();
    world.ok(&world.operator, "SuspendAccount", &[("AccountId", &id)]);
    let rows = world.rows("SELECT a.action || ' ' || r.name FROM audit a JOIN ram_account r ON r.id = a.account ORDER BY a.id");
    assert_eq!(rows.last().unwrap(), r#"Text("SuspendAccount kpu")"#);
}
