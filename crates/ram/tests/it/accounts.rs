//! Accounts, and what only the operator may do.

use std::time::Duration;

use base::{ApiError, SystemRng, Time};
use engine::{Caller, CallerKind};
use ram::RootKey;
use serde_json::{Value, json};
use terms::statement::{self, Signer};

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

/// Asks for a root key of the tenant, signed at a moment.
fn root_key(world: &World, caller: &Caller, signer: &Signer, at: Time) -> Result<Value, ApiError> {
    let (account, at) = (world.tenant.account, Time::from_secs(at.secs()));
    let line = statement::sign(&statement::account_key(account, at), signer).unwrap();
    let (id, at) = (account.to_string(), at.iso());
    let params = [("AccountId", id.as_str()), ("SignatureLine", &line), ("SignedAt", &at)];
    world.call(caller, "CreateAccountAccessKey", &params)
}

#[test]
fn with_an_agreement_only_the_tenants_key_makes_root_keys_and_the_older_ones_end() {
    let world = World::new();
    let id = world.tenant.account.to_string();
    let first = world.ok(&world.operator, "CreateAccountAccessKey", &[("AccountId", &id)]);
    let first = credentials(&first["AccessKey"]);
    let signer = world.agree();
    let forbidden = (403, "Forbidden.TenantSignature".to_owned());
    for caller in [&world.operator, &world.tenant] {
        let refused = world.refused(caller, "CreateAccountAccessKey", &[("AccountId", &id)]);
        assert_eq!(refused, forbidden);
    }
    let forged = Signer::from_seed(signer.verifier().name(), base::Secret::new([4; 32])).unwrap();
    let now = world.now();
    assert_eq!(root_key(&world, &world.operator, &forged, now).unwrap_err().code(), forbidden.1);
    world.sign_in(&first).unwrap();

    let second = root_key(&world, &world.operator, &signer, now).unwrap();
    let second = credentials(&second["AccessKey"]);
    world.sign_in(&first).unwrap_err();
    assert_eq!(world.sign_in(&second).unwrap().kind, CallerKind::Root);
    let again = root_key(&world, &world.operator, &signer, now).unwrap_err();
    assert_eq!(again.code(), forbidden.1, "a signature is used once");

    world.turn_clock(1);
    let own = world.sign_in(&second).unwrap();
    let third = root_key(&world, &own, &signer, world.now()).unwrap();
    world.sign_in(&second).unwrap_err();
    world.sign_in(&credentials(&third["AccessKey"])).unwrap();
    let public = world.rows(
        "SELECT DISTINCT public FROM audit WHERE action = 'CreateAccountAccessKey' AND account <> 0",
    );
    assert_eq!(public, [format!("Text({:?})", format!(r#"{{"tenant":"{id}"}}"#))]);
}

#[test]
fn a_signature_for_a_root_key_lasts_fifteen_minutes() {
    let world = World::new();
    let signer = world.agree();
    for (age, good) in [(901, false), (900, true)] {
        world.turn_clock(2000);
        let at = world.now().minus(Duration::from_secs(age));
        let made = root_key(&world, &world.operator, &signer, at);
        assert_eq!(made.is_ok(), good, "{age} s");
    }
    let early = world.now().plus(Duration::from_secs(901));
    root_key(&world, &world.operator, &signer, early).unwrap_err();
}

#[test]
fn a_user_of_the_account_makes_no_root_key_whatever_it_has_signed() {
    let world = World::new();
    let (signer, admin) = (world.agree(), world.user("admin"));
    world.grant("admin", "AdministratorAccess");
    let refused = root_key(&world, &admin, &signer, world.now()).unwrap_err();
    assert_eq!(refused.code(), "NoPermission");
}

#[test]
fn what_the_operator_does_to_accounts_is_public() {
    let world = World::new();
    let id = world.tenant.account.to_string();
    for action in ["SuspendAccount", "ResumeAccount", "CreateAccountAccessKey"] {
        world.ok(&world.operator, action, &[("AccountId", &id)]);
    }
    let rows = world.rows("SELECT action || public FROM audit WHERE outcome = 'OK' ORDER BY id");
    for action in ["CreateAccount", "SuspendAccount", "ResumeAccount", "CreateAccountAccessKey"] {
        let expected = format!("Text({:?})", format!(r#"{action}{{"tenant":"{id}"}}"#));
        assert!(rows.contains(&expected), "{action}: {rows:?}");
    }
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
