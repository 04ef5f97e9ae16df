//! What holds for every action of the table.

use std::collections::HashSet;

use engine::Kind;
use serde_json::Value;

use crate::harness::{World, entry};

const ANY: &str = r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Parameters that suit every action; each takes what it knows.
fn parameters<'a>(
    trust: &'a str,
    serial: &'a str,
    role_arn: &'a str,
    account: &'a str,
    key: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("UserName", "alice"),
        ("GroupName", "crew"),
        ("RoleName", "ops"),
        ("PolicyName", "own"),
        ("PolicyType", "Custom"),
        ("PolicyDocument", ANY),
        ("AssumeRolePolicyDocument", trust),
        ("VersionId", "v1"),
        ("Password", "Correct-horse-7"),
        ("OldPassword", "Correct-horse-7"),
        ("NewPassword", "Correct-horse-8"),
        ("UserAccessKeyId", key),
        ("Status", "Inactive"),
        ("VirtualMFADeviceName", "phone"),
        ("SerialNumber", serial),
        ("AuthenticationCode1", "000000"),
        ("AuthenticationCode2", "000000"),
        ("NewDescription", "new"),
        ("NewComments", "new"),
        ("AccountAlias", "komisi"),
        ("ResourceType", "role"),
        ("ResourceNames", r#"["ops"]"#),
        ("Tag", r#"[{"Key":"env","Value":"test"}]"#),
        ("TagKeys", r#"["env"]"#),
        ("RoleArn", role_arn),
        ("RoleSessionName", "session"),
        ("AccountName", "bawaslu"),
        ("AccountId", account),
    ]
}

struct Seeded {
    world: World,
    trust: String,
    serial: String,
    role_arn: String,
    account: String,
    key: String,
}

/// A tenant that has one of everything, each with a text by which it is known.
fn seeded() -> Seeded {
    let world = World::new();
    let account = world.tenant.account.to_string();
    let trust = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":"acs:ram::{account}:root"}}}}]}}"#
    );
    let tenant = world.tenant.clone();
    let do_it = |action: &str, params: &[(&str, &str)]| world.ok(&tenant, action, params);
    do_it("CreateUser", &[("UserName", "alice"), ("DisplayName", "MARK-user")]);
    let key = do_it("CreateAccessKey", &[("UserName", "alice")]);
    do_it("CreateGroup", &[("GroupName", "crew"), ("Comments", "MARK-group")]);
    do_it("AddUserToGroup", &[("UserName", "alice"), ("GroupName", "crew")]);
    do_it(
        "CreatePolicy",
        &[("PolicyName", "own"), ("PolicyDocument", ANY), ("Description", "MARK-policy")],
    );
    let role = do_it(
        "CreateRole",
        &[("RoleName", "ops"), ("AssumeRolePolicyDocument", &trust), ("Description", "MARK-role")],
    );
    do_it(
        "TagResources",
        &[
            ("ResourceType", "role"),
            ("ResourceNames.1", "ops"),
            ("Tag.1.Key", "MARK-tag"),
            ("Tag.1.Value", "1"),
        ],
    );
    let device = do_it("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "MARK-device")]);
    do_it("SetAccountAlias", &[("AccountAlias", "komisi")]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (key, role_arn) = (text(&key["AccessKey"]["AccessKeyId"]), text(&role["Role"]["Arn"]));
    let serial = text(&device["VirtualMFADevice"]["SerialNumber"]);
    Seeded { world, trust, serial, role_arn, account, key }
}

impl Seeded {
    fn parameters(&self) -> Vec<(&str, &str)> {
        parameters(&self.trust, &self.serial, &self.role_arn, &self.account, &self.key)
    }
}

/// Every row that says what a tenant has, apart from what the engine notes.
const STATE: &str = "SELECT display_name || coalesce(alias, '') || coalesce(password_policy, '') || coalesce(security_preference, '')
    || suspended FROM ram_account UNION ALL SELECT name || display_name FROM ram_user
    UNION ALL SELECT id || active FROM ram_access_key UNION ALL SELECT name || comments FROM ram_group
    UNION ALL SELECT group_id || user_id FROM ram_member UNION ALL SELECT name || description || default_version FROM ram_policy
    UNION ALL SELECT name || description || trust FROM ram_role UNION ALL SELECT name || coalesce(user_id, '') FROM ram_mfa_device
    UNION ALL SELECT policy || entity_id FROM ram_attachment UNION ALL SELECT name || tag_key || tag_value FROM ram_tag ORDER BY 1";

#[test]
fn a_user_without_a_policy_is_denied_everything_and_changes_nothing() {
    let seeded = seeded();
    let mallory = seeded.world.user("mallory");
    let before = seeded.world.rows(STATE);
    for entry in ram::ACTIONS {
        // Everybody may ask who they are, and change their own password (tested with passwords).
        if matches!(entry.meta.name, "GetCallerIdentity" | "ChangePassword") {
            continue;
        }
        let refused = seeded.world.refused(&mallory, entry.meta.name, &seeded.parameters());
        assert_eq!(refused, (403, "NoPermission".to_owned()), "{}", entry.meta.name);
    }
    assert_eq!(seeded.world.rows(STATE), before);
}

#[test]
fn another_account_sees_nothing_and_changes_nothing() {
    let seeded = seeded();
    let foreign = seeded.world.account("bawaslu");
    let before = seeded.world.rows(STATE);
    for entry in ram::ACTIONS {
        let name = entry.meta.name;
        // What makes something makes it in the caller's own account.
        if name.starts_with("Create") || name.starts_with("Set") || name == "ClearAccountAlias" {
            continue;
        }
        match seeded.world.call(&foreign, name, &seeded.parameters()) {
            Ok(answer) => assert!(!answer.to_string().contains("MARK"), "{name}: {answer}"),
            Err(error) => assert!(matches!(error.status(), 403 | 404), "{name}: {error:?}"),
        }
    }
    assert_eq!(seeded.world.rows(STATE), before);
    assert_eq!(
        seeded.world.refused(&foreign, "SetAccountAlias", &[("AccountAlias", "komisi")]),
        (409, "EntityAlreadyExists.AccountAlias".to_owned())
    );
}

#[test]
fn a_missing_parameter_is_named() {
    let world = World::new();
    for (action, parameter) in
        [("GetUser", "UserName"), ("CreatePolicy", "PolicyName"), ("AssumeRole", "RoleArn")]
    {
        let error = world.call(&world.tenant, action, &[]).unwrap_err();
        assert_eq!(error.status(), 400);
        assert!(error.code().starts_with("MissingParameter"), "{error:?}");
        assert!(error.text().contains(parameter), "{error:?}");
    }
}

#[test]
fn a_zero_byte_in_any_parameter_is_refused_and_not_an_error_of_ours() {
    let seeded = seeded();
    let good = seeded.parameters();
    for entry in ram::ACTIONS {
        for at in 0..good.len() {
            let bad = format!("{}\0", good[at].1);
            let mut params = good.clone();
            params[at].1 = &bad;
            // Long enough for the throttle of passwords to forget the calls before.
            seeded.world.turn_clock(60);
            if let Err(error) = seeded.world.call(&seeded.world.tenant, entry.meta.name, &params) {
                assert!(error.status() < 429, "{} {}: {error:?}", entry.meta.name, params[at].0);
            }
        }
    }
}

#[test]
fn every_write_draws_a_new_generation_and_no_read_does() {
    const GENERATION: &str = "SELECT value FROM ram_generation";
    let seeded = seeded();
    let world = &seeded.world;
    let mut seen = HashSet::from([world.rows(GENERATION)]);
    let mut wrote = HashSet::new();
    for entry in ram::ACTIONS {
        for caller in [&world.tenant, &world.operator] {
            let done = world.call(caller, entry.meta.name, &seeded.parameters()).is_ok();
            let new = seen.insert(world.rows(GENERATION));
            let changes = done && entry.meta.kind == Kind::Write;
            assert_eq!(new, changes, "{}", entry.meta.name);
            if new {
                wrote.insert(entry.meta.name);
            }
        }
    }
    assert!(wrote.len() > 25, "{wrote:?}");
    assert_eq!(entry("AssumeRole").meta.kind, Kind::Write);
}
