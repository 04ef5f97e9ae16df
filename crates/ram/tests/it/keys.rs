//! Access keys: whose they are, and when they work.

use std::sync::Arc;

use engine::CallerKind;
use engine::ports::Authority;
use serde_json::json;

use crate::harness::{BEGIN, World, credentials};

#[test]
fn a_key_signs_in_while_it_is_active_and_its_secret_is_shown_once() {
    let world = World::new();
    let root = &world.tenant;
    world.ok(root, "CreateUser", &[("UserName", "alice")]);
    let name = ("UserName", "alice");
    assert_eq!(world.ok(root, "ListAccessKeys", &[name]), json!({"AccessKeys": {"AccessKey": []}}));
    let made = world.ok(root, "CreateAccessKey", &[name]);
    assert_eq!(made["AccessKey"]["Status"], "Active");
    let key = credentials(&made["AccessKey"]);
    assert!(key.key_id.starts_with("LTAI5t") && key.key_id.len() == 24 && key.secret.len() == 30);
    assert!(
        matches!(world.sign_in(&key).unwrap().kind, CallerKind::User { name, .. } if name == "alice")
    );
    let listed = world.ok(root, "ListAccessKeys", &[name]);
    assert_eq!(
        listed["AccessKeys"]["AccessKey"],
        json!([{"AccessKeyId": key.key_id, "Status": "Active", "CreateDate": BEGIN.iso()}])
    );

    let id = ("UserAccessKeyId", key.key_id.as_str());
    world.ok(root, "UpdateAccessKey", &[name, id, ("Status", "Inactive")]);
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "InvalidAccessKeyId.Inactive");
    assert_eq!(
        world.code("UpdateAccessKey", &[name, id, ("Status", "Off")]),
        "InvalidParameter.Status"
    );
    world.ok(root, "UpdateAccessKey", &[name, id, ("Status", "Active")]);
    world.sign_in(&key).unwrap();
    world.ok(root, "DeleteAccessKey", &[name, id]);
    assert_eq!(world.sign_in(&key).unwrap_err().code(), "InvalidAccessKeyId.NotFound");
    for action in ["DeleteAccessKey", "GetAccessKeyLastUsed"] {
        assert_eq!(
            world.refused(root, action, &[name, id]),
            (404, "EntityNotExist.User.AccessKey".into())
        );
    }
}

#[test]
fn there_are_two_keys_at_most_for_a_user_and_for_the_account() {
    let world = World::new();
    let root = &world.tenant;
    world.user("alice");
    world.ok(root, "CreateAccessKey", &[("UserName", "alice")]);
    let refused = world.refused(root, "CreateAccessKey", &[("UserName", "alice")]);
    assert_eq!(refused, (409, "LimitExceeded.User.AccessKey".into()));
    let own = world.ok(root, "CreateAccessKey", &[]);
    let own = world.sign_in(&credentials(&own["AccessKey"])).unwrap();
    assert_eq!((own.kind.clone(), own.account), (CallerKind::Root, root.account));
    assert_eq!(world.code("CreateAccessKey", &[]), "LimitExceeded.User.AccessKey");
    // The account's own keys are not a user's, and the other way round.
    let id = ("UserAccessKeyId", own.key_id.as_str());
    assert_eq!(
        world.code("DeleteAccessKey", &[("UserName", "alice"), id]),
        "EntityNotExist.User.AccessKey"
    );
    world.ok(root, "DeleteAccessKey", &[id]);
    let keys = world.ok(root, "ListAccessKeys", &[]);
    assert_eq!(keys["AccessKeys"]["AccessKey"].as_array().unwrap().len(), 1);
}

#[test]
fn a_user_may_be_allowed_its_own_keys_and_no_others() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    let bob = world.user("bob");
    let document = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"ram:*AccessKey*","Resource":"acs:ram:*:{}:user/alice"}}]}}"#,
        root.account
    );
    world.ok(root, "CreatePolicy", &[("PolicyName", "own-keys"), ("PolicyDocument", &document)]);
    for user in ["alice", "bob"] {
        let params = [("UserName", user), ("PolicyName", "own-keys"), ("PolicyType", "Custom")];
        world.ok(root, "AttachPolicyToUser", &params);
    }
    let listed = world.ok(&alice, "ListAccessKeys", &[]);
    assert_eq!(listed["AccessKeys"]["AccessKey"][0]["AccessKeyId"], alice.key_id);
    assert_eq!(world.refused(&alice, "ListAccessKeys", &[("UserName", "bob")]).1, "NoPermission");
    assert_eq!(world.refused(&alice, "GetUser", &[("UserName", "alice")]).1, "NoPermission");
    assert_eq!(world.refused(&bob, "ListAccessKeys", &[]).1, "NoPermission");
}

#[test]
fn the_last_use_of_a_key_is_told_after_a_flush() {
    let world = World::new();
    let alice = world.user("alice");
    let params = [("UserName", "alice"), ("UserAccessKeyId", alice.key_id.as_str())];
    let last = || world.ok(&world.tenant, "GetAccessKeyLastUsed", &params);
    assert_eq!(last(), json!({"AccessKeyLastUsed": {"LastUsedDate": ""}}));
    world.turn_clock(90);
    world.ram.key_used(&alice, "oss", world.now());
    let (ram, db) = (Arc::clone(&world.ram), world.cloud.db.clone());
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(ram.flush_last_used(&db))
        .unwrap();
    assert_eq!(last(), json!({"AccessKeyLastUsed": {"LastUsedDate": world.now().iso()}}));
}
