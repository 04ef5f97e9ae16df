//! Roles, and sessions of them.

use engine::{Caller, CallerKind};
use serde_json::{Value, json};

use crate::harness::{BEGIN, World, credentials, field, user_id};

fn trust(principal: &str) -> String {
    format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":"{principal}"}}}}]}}"#
    )
}

/// A tenant with the role ops, which may read RAM and which its users may become; alice may ask.
fn with_role() -> (World, Caller, String) {
    let world = World::new();
    let alice = world.user("alice");
    world.grant("alice", "AliyunSTSAssumeRoleAccess");
    let root = format!("acs:ram::{}:root", world.tenant.account);
    let made = world.ok(
        &world.tenant,
        "CreateRole",
        &[("RoleName", "ops"), ("AssumeRolePolicyDocument", &trust(&root))],
    );
    let policy =
        [("RoleName", "ops"), ("PolicyName", "AliyunRAMReadOnlyAccess"), ("PolicyType", "System")];
    world.ok(&world.tenant, "AttachPolicyToRole", &policy);
    let arn = made["Role"]["Arn"].as_str().unwrap().to_owned();
    (world, alice, arn)
}

fn assume(
    world: &World,
    caller: &Caller,
    arn: &str,
    more: &[(&str, &str)],
) -> Result<Value, base::ApiError> {
    world.call(
        caller,
        "AssumeRole",
        &[&[("RoleArn", arn), ("RoleSessionName", "night")], more].concat(),
    )
}

#[test]
fn a_role_is_made_shown_changed_and_deleted() {
    let world = World::new();
    let root = &world.tenant;
    let document = trust(&format!("acs:ram::{}:user/alice", root.account));
    let made = world.ok(
        root,
        "CreateRole",
        &[("RoleName", "ops"), ("AssumeRolePolicyDocument", &document), ("Description", "d")],
    );
    let role = &made["Role"];
    assert_eq!(role["Arn"], format!("acs:ram::{}:role/ops", root.account));
    assert_eq!(
        (&role["MaxSessionDuration"], &role["CreateDate"]),
        (&json!(3600), &json!(BEGIN.iso()))
    );
    assert_eq!(role["AssumeRolePolicyDocument"], document);
    let name = ("RoleName", "ops");
    assert_eq!(world.ok(root, "GetRole", &[name]), made);
    assert_eq!(
        world.code("CreateRole", &[name, ("AssumeRolePolicyDocument", &document)]),
        "EntityAlreadyExists.Role"
    );
    let other = trust(&format!("acs:ram::{}:user/bob", root.account));
    let changed = world.ok(
        root,
        "UpdateRole",
        &[name, ("NewAssumeRolePolicyDocument", &other), ("NewMaxSessionDuration", "7200")],
    );
    assert_eq!(changed["Role"]["AssumeRolePolicyDocument"], other);
    assert_eq!(
        (&changed["Role"]["MaxSessionDuration"], &changed["Role"]["Description"]),
        (&json!(7200), &json!("d"))
    );
    assert_eq!(
        world.code("UpdateRole", &[name, ("NewMaxSessionDuration", "3599")]),
        "InvalidParameter.NewMaxSessionDuration.Range"
    );
    assert_eq!(
        world.code("UpdateRole", &[name, ("NewAssumeRolePolicyDocument", "{}")]),
        "MalformedPolicyDocument"
    );
    let policy = [name, ("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")];
    world.ok(root, "AttachPolicyToRole", &policy);
    assert_eq!(
        world.refused(root, "DeleteRole", &[name]),
        (409, "DeleteConflict.Role.Policy".into())
    );
    world.ok(root, "DetachPolicyFromRole", &policy);
    world.ok(root, "DeleteRole", &[name]);
    assert_eq!(world.refused(root, "GetRole", &[name]), (404, "EntityNotExist.Role".into()));
}

#[test]
fn roles_are_listed_with_their_tags() {
    let world = World::new();
    let root = &world.tenant;
    let document = trust(&format!("acs:ram::{}:root", root.account));
    for (name, tag) in [("ops", "env"), ("admin", "other")] {
        let role = [("RoleName", name), ("AssumeRolePolicyDocument", document.as_str())];
        let tag = [("Tag.1.Key", tag), ("Tag.1.Value", "test")];
        world.ok(root, "CreateRole", &[role, tag].concat());
    }
    let listed = world.ok(root, "ListRoles", &[]);
    let rows = listed["Roles"]["Role"].as_array().unwrap();
    assert_eq!(field(rows, "RoleName"), ["admin", "ops"]);
    assert_eq!(rows[1]["Tags"], json!({"Tag": [{"TagKey": "env", "TagValue": "test"}]}));
    assert_eq!(world.pages("ListRoles", &[], ("Roles", "Role"), "1"), (2, rows.clone()));
    let (_, tagged) = world.pages("ListRoles", &[("Tag.1.Key", "env")], ("Roles", "Role"), "10");
    assert_eq!(tagged, rows[1..]);
}

#[test]
fn everybody_can_ask_who_they_are() {
    let (world, alice, arn) = with_role();
    let account = world.tenant.account;
    let who = |caller: &Caller| world.ok(caller, "GetCallerIdentity", &[]);
    assert_eq!(
        who(&world.tenant),
        json!({"AccountId": account, "Arn": format!("acs:ram::{account}:root"), "IdentityType": "Account",
               "PrincipalId": account, "UserId": account})
    );
    assert_eq!(
        who(&alice),
        json!({"AccountId": account, "Arn": format!("acs:ram::{account}:user/alice"), "IdentityType": "RAMUser",
               "PrincipalId": user_id(&alice), "UserId": user_id(&alice)})
    );
    let session = assume(&world, &alice, &arn, &[]).unwrap();
    let session = world.sign_in(&credentials(&session["Credentials"])).unwrap();
    let CallerKind::AssumedRole { id, .. } = &session.kind else { panic!("{session:?}") };
    assert_eq!(
        who(&session),
        json!({"AccountId": account, "Arn": format!("acs:ram::{account}:assumed-role/ops/night"),
               "IdentityType": "AssumedRoleUser", "PrincipalId": format!("{id}:night"), "RoleId": id})
    );
}

#[test]
fn a_session_has_the_roles_powers_until_it_ends() {
    let (world, alice, arn) = with_role();
    let made = assume(&world, &alice, &arn, &[("DurationSeconds", "900")]).unwrap();
    assert_eq!(made["AssumedRoleUser"]["Arn"], format!("{arn}/night"));
    assert_eq!(
        made["Credentials"]["Expiration"],
        BEGIN.plus(std::time::Duration::from_secs(900)).iso()
    );
    let key = credentials(&made["Credentials"]);
    assert!(key.key_id.starts_with("STS.") && key.secret.len() == 44);
    let session = world.sign_in(&key).unwrap();
    world.ok(&session, "GetUser", &[("UserName", "alice")]);
    assert_eq!(world.refused(&session, "CreateUser", &[("UserName", "x")]).1, "NoPermission");
    assert_eq!(world.refused(&session, "CreateAccessKey", &[]).1, "MissingParameter.UserName");
    world.ok(
        &world.tenant,
        "DetachPolicyFromRole",
        &[("RoleName", "ops"), ("PolicyName", "AliyunRAMReadOnlyAccess"), ("PolicyType", "System")],
    );
    assert_eq!(world.refused(&session, "GetUser", &[("UserName", "alice")]).1, "NoPermission");
    world.turn_clock(899);
    world.sign_in(&key).unwrap();
    world.turn_clock(1);
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "InvalidSecurityToken.Expired");
}

#[test]
fn a_token_goes_with_its_own_key_and_its_role() {
    let (world, alice, arn) = with_role();
    let made = assume(&world, &alice, &arn, &[]).unwrap();
    let key = credentials(&made["Credentials"]);
    let other = credentials(&assume(&world, &alice, &arn, &[]).unwrap()["Credentials"]);
    let with = |token: Option<&str>| {
        let mut changed = key.clone();
        changed.token = token.map(str::to_owned);
        world.sign_in(&changed).map_err(|error| error.code().to_owned())
    };
    let malformed = Err("InvalidSecurityToken.Malformed".to_owned());
    assert_eq!(with(None), malformed);
    assert_eq!(with(Some("")), malformed);
    assert_eq!(with(Some("bm8=")), malformed);
    assert_eq!(with(other.token.as_deref()), malformed);
    let mut permanent = key.clone();
    permanent.key_id = alice.key_id.clone();
    assert_eq!(world.sign_in(&permanent).unwrap_err().code(), "InvalidSecurityToken.Malformed");
    world.sign_in(&key).unwrap();
    world.ok(
        &world.tenant,
        "DetachPolicyFromRole",
        &[("RoleName", "ops"), ("PolicyName", "AliyunRAMReadOnlyAccess"), ("PolicyType", "System")],
    );
    world.ok(&world.tenant, "DeleteRole", &[("RoleName", "ops")]);
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "InvalidSecurityToken.Expired");
    // A role of the same name is another role.
    let root = format!("acs:ram::{}:root", world.tenant.account);
    world.ok(
        &world.tenant,
        "CreateRole",
        &[("RoleName", "ops"), ("AssumeRolePolicyDocument", &trust(&root))],
    );
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "InvalidSecurityToken.Expired");
}

#[test]
fn a_session_policy_narrows_and_never_widens() {
    let (world, alice, arn) = with_role();
    let narrow = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":["ram:GetUser","ram:CreateUser"],"Resource":"*"}]}"#;
    let made = assume(&world, &alice, &arn, &[("Policy", narrow)]).unwrap();
    let session = world.sign_in(&credentials(&made["Credentials"])).unwrap();
    world.ok(&session, "GetUser", &[("UserName", "alice")]);
    assert_eq!(world.refused(&session, "ListUsers", &[]).1, "NoPermission");
    assert_eq!(world.refused(&session, "CreateUser", &[("UserName", "x")]).1, "NoPermission");
    let refused = assume(&world, &alice, &arn, &[("Policy", r#"{"Version":"1"}"#)]).unwrap_err();
    assert_eq!(refused.code(), "MalformedPolicyDocument");
    let long = " ".repeat(2049);
    assert_eq!(
        assume(&world, &alice, &arn, &[("Policy", &long)]).unwrap_err().code(),
        "InvalidParameter.Policy.Length"
    );
}

#[test]
fn assuming_a_role_needs_the_callers_policy_and_the_roles_trust() {
    let (world, alice, arn) = with_role();
    let code = |caller: &Caller, arn: &str, more: &[(&str, &str)]| {
        assume(&world, caller, arn, more).err().map(|error| error.code().to_owned())
    };
    let no = || Some("NoPermission".to_owned());
    let bob = world.user("bob");
    assert_eq!(code(&bob, &arn, &[]), no(), "no policy of his own");
    assert_eq!(code(&world.tenant, &arn, &[]), no(), "the account itself");
    let only_bob = trust(&format!("acs:ram::{}:user/bob", world.tenant.account));
    world.ok(
        &world.tenant,
        "UpdateRole",
        &[("RoleName", "ops"), ("NewAssumeRolePolicyDocument", &only_bob)],
    );
    assert_eq!(code(&alice, &arn, &[]), no(), "the role does not trust her any more");
    world.grant("bob", "AliyunSTSAssumeRoleAccess");
    assert_eq!(code(&bob, &arn, &[]), None);

    let with_id = only_bob.replace(
        r#""Principal""#,
        r#""Condition":{"StringEquals":{"sts:ExternalId":"42"}},"Principal""#,
    );
    world.ok(
        &world.tenant,
        "UpdateRole",
        &[("RoleName", "ops"), ("NewAssumeRolePolicyDocument", &with_id)],
    );
    assert_eq!(code(&bob, &arn, &[]), no());
    assert_eq!(code(&bob, &arn, &[("ExternalId", "41")]), no());
    assert_eq!(code(&bob, &arn, &[("ExternalId", "42")]), None);

    assert_eq!(code(&bob, &arn.replace("ops", "none"), &[]), Some("EntityNotExist.Role".into()));
    for bad in [
        "",
        "ops",
        "acs:ram::x:role/ops",
        "acs:ram::1:user/ops",
        "acs:oss::1:role/ops",
        "acs:ram::1:role/a b",
    ] {
        assert_eq!(code(&bob, bad, &[]), Some("InvalidParameter.RoleArn".into()), "{bad}");
    }
    for (secs, expected) in [("899", true), ("3601", true), ("3600", false)] {
        let got = code(&bob, &arn, &[("ExternalId", "42"), ("DurationSeconds", secs)]);
        assert_eq!(
            got,
            expected.then(|| "InvalidParameter.DurationSeconds.Range".into()),
            "{secs}"
        );
    }
    let short = world.call(&bob, "AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "x")]);
    assert_eq!(short.unwrap_err().code(), "InvalidParameter.RoleSessionName.Length");
}

#[test]
fn a_role_is_the_way_into_another_account_and_shows_nothing_to_others() {
    let (world, alice, _) = with_role();
    let other = world.account("bawaslu");
    let document = trust(&format!("acs:ram::{}:user/alice", world.tenant.account));
    let made = world.ok(
        &other,
        "CreateRole",
        &[("RoleName", "guest"), ("AssumeRolePolicyDocument", &document)],
    );
    let arn = made["Role"]["Arn"].as_str().unwrap();
    world.ok(
        &other,
        "AttachPolicyToRole",
        &[("RoleName", "guest"), ("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")],
    );
    world.ok(&other, "CreateUser", &[("UserName", "theirs")]);
    let made = assume(&world, &alice, arn, &[]).unwrap();
    let session = world.sign_in(&credentials(&made["Credentials"])).unwrap();
    assert_eq!(session.account, other.account);
    world.ok(&session, "GetUser", &[("UserName", "theirs")]);
    assert_eq!(
        world.refused(&session, "GetUser", &[("UserName", "alice")]).1,
        "EntityNotExist.User"
    );

    let bob = world.user("bob");
    world.grant("bob", "AliyunSTSAssumeRoleAccess");
    let there = assume(&world, &bob, arn, &[]).unwrap_err();
    let not_there = assume(&world, &bob, &arn.replace("guest", "none"), &[]).unwrap_err();
    assert_eq!(
        (there.code(), there.text()),
        (not_there.code(), not_there.text()),
        "one cannot be told from the other"
    );
    let id = other.account.to_string();
    world.ok(&world.operator, "SuspendAccount", &[("AccountId", &id)]);
    assert_eq!(assume(&world, &alice, arn, &[]).unwrap_err().code(), "NoPermission");
    assert_eq!(
        world.sign_in(&credentials(&made["Credentials"])).unwrap_err().code(),
        "Forbidden.AccountSuspended"
    );
}

#[test]
fn taking_a_role_leaves_an_audit_entry_in_the_account_of_the_role() {
    let (world, alice, arn) = with_role();
    let entries = || {
        world.rows(
            "SELECT resource || ' ' || outcome FROM audit WHERE action = 'AssumeRole' ORDER BY id",
        )
    };
    assert_eq!(entries(), Vec::<String>::new());
    assume(&world, &alice, &arn, &[]).unwrap();
    assert_eq!(entries().len(), 1);
    assert!(entries()[0].contains(&arn), "{:?}", entries());
    let secrets = world.rows("SELECT detail FROM audit WHERE detail LIKE '%ecret%' ESCAPE '!'");
    assert_eq!(secrets, Vec::<String>::new());
}
