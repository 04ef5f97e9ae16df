//! Policies, versions, attachments and tags.

use serde_json::{Value, json};

use crate::harness::{World, field};

const READ: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ram:Get*","Resource":"*"}]}"#;
const WRITE: &str =
    r#"{"Version":"1","Statement":[{"Effect":"Allow","Action":"ram:Create*","Resource":"*"}]}"#;

fn create(world: &World, name: &str) -> Value {
    world.ok(
        &world.tenant,
        "CreatePolicy",
        &[("PolicyName", name), ("PolicyDocument", READ), ("Description", "d")],
    )
}

#[test]
fn a_policy_has_up_to_five_versions_of_which_one_is_in_force() {
    let world = World::new();
    let root = &world.tenant;
    let made = create(&world, "own");
    assert_eq!(made["Policy"]["DefaultVersion"], "v1");
    assert_eq!(made["Policy"]["PolicyType"], "Custom");
    let name = ("PolicyName", "own");
    let custom = ("PolicyType", "Custom");
    let add = |more: &[(&str, &str)]| {
        world.call(
            root,
            "CreatePolicyVersion",
            &[&[name, ("PolicyDocument", WRITE)], more].concat(),
        )
    };
    let second = add(&[]).unwrap();
    assert_eq!(
        (&second["PolicyVersion"]["VersionId"], &second["PolicyVersion"]["IsDefaultVersion"]),
        (&json!("v2"), &json!(false))
    );
    assert_eq!(
        add(&[("SetAsDefault", "True")]).unwrap()["PolicyVersion"]["IsDefaultVersion"],
        true
    );
    let shown = world.ok(root, "GetPolicy", &[name, custom]);
    assert_eq!(shown["Policy"]["DefaultVersion"], "v3");
    assert_eq!(shown["DefaultPolicyVersion"]["PolicyDocument"], WRITE);
    add(&[]).unwrap();
    add(&[]).unwrap();
    let refused = add(&[]).unwrap_err();
    assert_eq!((refused.status(), refused.code()), (409, "LimitExceeded.Policy.Version"));
    assert_eq!(
        add(&[("RotateStrategy", "Sometimes")]).unwrap_err().code(),
        "InvalidParameter.RotateStrategy"
    );
    let rotated =
        add(&[("RotateStrategy", "DeleteOldestNonDefaultVersionWhenLimitExceeded")]).unwrap();
    assert_eq!(rotated["PolicyVersion"]["VersionId"], "v6", "numbers are not used twice");
    let versions = world.ok(root, "ListPolicyVersions", &[name, custom]);
    let versions = versions["PolicyVersions"]["PolicyVersion"].as_array().unwrap().clone();
    assert_eq!(field(&versions, "VersionId"), ["v2", "v3", "v4", "v5", "v6"]);

    assert_eq!(
        world.code("DeletePolicyVersion", &[name, ("VersionId", "v3")]),
        "DeleteConflict.Policy.Version.Default"
    );
    assert_eq!(
        world.code("DeletePolicyVersion", &[name, ("VersionId", "v1")]),
        "EntityNotExist.Policy.Version"
    );
    assert_eq!(
        world.code("DeletePolicyVersion", &[name, ("VersionId", "3")]),
        "InvalidParameter.VersionId.Format"
    );
    assert_eq!(
        world.code("SetDefaultPolicyVersion", &[name, ("VersionId", "v1")]),
        "EntityNotExist.Policy.Version"
    );
    world.ok(root, "SetDefaultPolicyVersion", &[name, ("VersionId", "v2")]);
    world.ok(root, "DeletePolicyVersion", &[name, ("VersionId", "v3")]);
    let version = world.ok(root, "GetPolicyVersion", &[name, custom, ("VersionId", "v2")]);
    assert_eq!(version["PolicyVersion"]["IsDefaultVersion"], true);
    assert_eq!(
        world.code("GetPolicyVersion", &[name, custom, ("VersionId", "v3")]),
        "EntityNotExist.Policy.Version"
    );
}

#[test]
fn a_policy_decides_as_it_is_attached_versioned_and_detached() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    create(&world, "own");
    let may = |action: &str, params: &[(&str, &str)]| world.call(&alice, action, params).is_ok();
    let look = ("UserName", "alice");
    let attach = [look, ("PolicyName", "own"), ("PolicyType", "Custom")];
    assert!(!may("GetUser", &[look]));
    world.ok(root, "AttachPolicyToUser", &attach);
    assert!(may("GetUser", &[look]));
    world.ok(
        root,
        "CreatePolicyVersion",
        &[("PolicyName", "own"), ("PolicyDocument", WRITE), ("SetAsDefault", "true")],
    );
    assert!(!may("GetUser", &[look]));
    assert!(may("CreateUser", &[("UserName", "bob")]));
    world.ok(root, "DetachPolicyFromUser", &attach);
    assert!(!may("CreateUser", &[("UserName", "carol")]));
    world.ok(root, "CreateGroup", &[("GroupName", "crew")]);
    world.ok(root, "AddUserToGroup", &[look, ("GroupName", "crew")]);
    world.ok(
        root,
        "AttachPolicyToGroup",
        &[("GroupName", "crew"), ("PolicyName", "own"), ("PolicyType", "Custom")],
    );
    assert!(may("CreateUser", &[("UserName", "carol")]));
    world.ok(root, "RemoveUserFromGroup", &[look, ("GroupName", "crew")]);
    assert!(!may("CreateUser", &[("UserName", "dave")]));
    let denied = world.call(&alice, "CreateUser", &[("UserName", "dave")]).unwrap_err();
    let denied = denied.access_denied().unwrap();
    assert_eq!((denied.action.as_str(), denied.explicit), ("ram:CreateUser", false));
    assert_eq!(denied.resource, format!("acs:ram:*:{}:user/dave", root.account));
}

const BEARERS: [(&str, &str, &str); 3] =
    [("User", "UserName", "alice"), ("Group", "GroupName", "crew"), ("Role", "RoleName", "ops")];

/// A tenant with a policy and one user, group and role to attach it to.
fn with_bearers() -> World {
    let world = World::new();
    let root = &world.tenant;
    create(&world, "own");
    world.ok(root, "CreateUser", &[("UserName", "alice")]);
    world.ok(root, "CreateGroup", &[("GroupName", "crew")]);
    let trust = format!(
        r#"{{"Version":"1","Statement":[{{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{{"RAM":["acs:ram::{}:root"]}}}}]}}"#,
        root.account
    );
    world.ok(root, "CreateRole", &[("RoleName", "ops"), ("AssumeRolePolicyDocument", &trust)]);
    world
}

#[test]
fn a_policy_is_attached_once_and_detached_once() {
    let world = with_bearers();
    let root = &world.tenant;
    for (kind, parameter, name) in BEARERS {
        let (attach, detach) = (format!("AttachPolicyTo{kind}"), format!("DetachPolicyFrom{kind}"));
        let list = listing(kind);
        let of = (parameter, name);
        let policy = |name, kind| [of, ("PolicyName", name), ("PolicyType", kind)];
        let (own, system) = (policy("own", "Custom"), policy("ReadOnlyAccess", "System"));
        assert_eq!(world.ok(root, list, &[of]), json!({"Policies": {"Policy": []}}));
        world.ok(root, &attach, &own);
        world.ok(root, &attach, &system);
        assert_eq!(world.code(&attach, &own), format!("EntityAlreadyExists.{kind}.Policy"));
        let listed = world.ok(root, list, &[of]);
        let rows = listed["Policies"]["Policy"].as_array().unwrap();
        assert_eq!(field(rows, "PolicyName"), ["own", "ReadOnlyAccess"]);
        assert_eq!(field(rows, "PolicyType"), ["Custom", "System"]);
        assert_eq!(field(rows, "Description"), ["d", "Reads everything, changes nothing."]);
        for kind in ["System", "Custom"] {
            assert_eq!(world.code(&attach, &policy("none", kind)), "EntityNotExist.Policy");
        }
        assert_eq!(world.code(&attach, &policy("own", "Other")), "InvalidParameter.PolicyType");
        let none = [(parameter, "nobody"), ("PolicyName", "own"), ("PolicyType", "Custom")];
        assert_eq!(world.code(&attach, &none), format!("EntityNotExist.{kind}"));
        world.ok(root, &detach, &system);
        assert_eq!(world.code(&detach, &system), format!("EntityNotExist.{kind}.Policy"));
        assert_eq!(world.ok(root, list, &[of])["Policies"]["Policy"][0], rows[0]);
    }
}

/// The action that lists what is attached to a bearer of that kind.
fn listing(kind: &str) -> &'static str {
    match kind {
        "User" => "ListPoliciesForUser",
        "Group" => "ListPoliciesForGroup",
        "Role" => "ListPoliciesForRole",
        other => panic!("policies are not attached to a {other}"),
    }
}

#[test]
fn a_policy_knows_what_it_is_attached_to_and_stays_until_that_is_undone() {
    let world = with_bearers();
    let root = &world.tenant;
    let own = [("PolicyName", "own"), ("PolicyType", "Custom")];
    for (kind, parameter, name) in BEARERS {
        world.ok(
            root,
            &format!("AttachPolicyTo{kind}"),
            &[&own[..], &[(parameter, name)]].concat(),
        );
    }
    let entities = world.ok(root, "ListEntitiesForPolicy", &own);
    assert_eq!(entities["Users"]["User"][0]["UserName"], "alice");
    assert_eq!(entities["Groups"]["Group"][0]["GroupName"], "crew");
    assert_eq!(entities["Roles"]["Role"][0]["Arn"], format!("acs:ram::{}:role/ops", root.account));
    assert_eq!(world.ok(root, "GetPolicy", &own)["Policy"]["AttachmentCount"], 3);
    let system = [("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")];
    assert_eq!(
        world.ok(root, "ListEntitiesForPolicy", &system),
        json!({"Users": {"User": []}, "Groups": {"Group": []}, "Roles": {"Role": []}})
    );
    for (kind, parameter, name) in BEARERS {
        let conflict = format!("DeleteConflict.Policy.{kind}");
        assert_eq!(world.code("DeletePolicy", &own), conflict);
        world.ok(
            root,
            &format!("DetachPolicyFrom{kind}"),
            &[&own[..], &[(parameter, name)]].concat(),
        );
    }
    world.ok(root, "DeletePolicy", &own);
}

#[test]
fn as_many_policies_are_attached_as_may_be_and_no_more() {
    let world = World::new();
    world.user("alice");
    for number in 0..21 {
        let name = format!("own{number}");
        create(&world, &name);
        let attached = world.call(
            &world.tenant,
            "AttachPolicyToUser",
            &[("UserName", "alice"), ("PolicyName", &name), ("PolicyType", "Custom")],
        );
        assert_eq!(
            attached.err().map(|error| error.code().to_owned()),
            (number == 20).then(|| "LimitExceeded.User.Policy".to_owned())
        );
    }
    let listed = world.ok(&world.tenant, "ListPoliciesForUser", &[("UserName", "alice")]);
    assert_eq!(listed["Policies"]["Policy"].as_array().unwrap().len(), 20);
}

#[test]
fn deleting_a_policy_takes_its_versions_only_when_told_to() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    let name = ("PolicyName", "own");
    create(&world, "own");
    world.ok(root, "CreatePolicyVersion", &[name, ("PolicyDocument", WRITE)]);
    assert_eq!(world.code("DeletePolicy", &[name]), "DeleteConflict.Policy.Version");
    world.ok(root, "AttachPolicyToUser", &[("UserName", "alice"), name, ("PolicyType", "Custom")]);
    world.ok(&alice, "GetUser", &[("UserName", "alice")]);
    world.ok(root, "DeletePolicy", &[name, ("CascadingDelete", "true")]);
    assert_eq!(world.refused(&alice, "GetUser", &[("UserName", "alice")]).1, "NoPermission");
    assert_eq!(world.code("GetPolicy", &[name, ("PolicyType", "Custom")]), "EntityNotExist.Policy");
    // A new policy of the name is attached to nothing.
    create(&world, "own");
    assert_eq!(world.refused(&alice, "GetUser", &[("UserName", "alice")]).1, "NoPermission");
}

#[test]
fn documents_are_checked_when_they_are_stored() {
    let world = World::new();
    let check = |document: &str, code: &str, part: &str| {
        let error = world
            .call(
                &world.tenant,
                "CreatePolicy",
                &[("PolicyName", "own"), ("PolicyDocument", document)],
            )
            .unwrap_err();
        assert_eq!((error.status(), error.code()), (400, code), "{document}");
        assert!(error.text().contains(part), "{error:?}");
    };
    check("{}", "MalformedPolicyDocument", "missing field `Version`");
    check("", "InvalidParameter.PolicyDocument.Length", "between 1 and 6144");
    check(&"x".repeat(6145), "InvalidParameter.PolicyDocument.Length", "between 1 and 6144");
    check(&READ.replace("ram:Get*", "Get"), "MalformedPolicyDocument", "`Get`");
    assert_eq!(
        world.code("CreatePolicy", &[("PolicyName", "ReadOnlyAccess"), ("PolicyDocument", READ)]),
        "EntityAlreadyExists.Policy"
    );
}

#[test]
fn lists_show_custom_policies_then_system_ones_page_by_page() {
    let world = World::new();
    let root = &world.tenant;
    for name in ["b-own", "a-own", "z-own"] {
        create(&world, name);
    }
    world.ok(
        root,
        "UpdatePolicyDescription",
        &[("PolicyName", "a-own"), ("NewDescription", "new")],
    );
    let (_, whole) = world.pages("ListPolicies", &[], ("Policies", "Policy"), "1000");
    let names = field(&whole, "PolicyName");
    assert_eq!(names[..4], ["a-own", "b-own", "z-own", "AdministratorAccess"]);
    assert_eq!(names.len(), 3 + ram::policy::system::POLICIES.len());
    assert_eq!(whole[0]["Description"], "new");
    assert_eq!(whole[0]["Tags"], json!({"Tag": []}));
    for max in ["1", "2", "3", "4", "7"] {
        assert_eq!(world.pages("ListPolicies", &[], ("Policies", "Policy"), max).1, whole, "{max}");
    }
    let (_, custom) =
        world.pages("ListPolicies", &[("PolicyType", "Custom")], ("Policies", "Policy"), "2");
    assert_eq!(custom, whole[..3]);
    let (_, system) =
        world.pages("ListPolicies", &[("PolicyType", "System")], ("Policies", "Policy"), "4");
    assert_eq!(system, whole[3..]);

    let admin = [("PolicyName", "AdministratorAccess"), ("PolicyType", "System")];
    let shown = world.ok(root, "GetPolicy", &admin);
    assert_eq!(shown["DefaultPolicyVersion"]["VersionId"], "v1");
    assert_eq!(shown["Policy"]["PolicyDocument"], shown["DefaultPolicyVersion"]["PolicyDocument"]);
    let versions = world.ok(root, "ListPolicyVersions", &admin);
    assert_eq!(versions["PolicyVersions"]["PolicyVersion"][0], shown["DefaultPolicyVersion"]);
    let version =
        world.ok(root, "GetPolicyVersion", &[&admin[..], &[("VersionId", "v1")]].concat());
    assert_eq!(version["PolicyVersion"], shown["DefaultPolicyVersion"]);
    assert_eq!(
        world.code("GetPolicyVersion", &[&admin[..], &[("VersionId", "v2")]].concat()),
        "EntityNotExist.Policy.Version"
    );
    assert_eq!(
        world.code("DeletePolicy", &[("PolicyName", "AdministratorAccess")]),
        "EntityNotExist.Policy"
    );
}

const KIND: (&str, &str) = ("ResourceType", "policy");

/// A tenant with three policies, of which two have tags.
fn tagged() -> World {
    let world = World::new();
    for name in ["one", "two", "three"] {
        create(&world, name);
    }
    let tag = |names, tags| {
        let params = [KIND, ("ResourceNames", names), ("Tag", tags)];
        world.ok(&world.tenant, "TagResources", &params);
    };
    tag(r#"["one","two"]"#, r#"[{"Key":"env","Value":"test"},{"Key":"a/b","Value":""}]"#);
    tag(r#"["two"]"#, r#"[{"Key":"env","Value":"live"}]"#);
    world
}

#[test]
fn tags_are_listed_page_by_page() {
    let world = tagged();
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let params = [KIND, ("PageSize", "1"), ("NextToken", token.as_str())];
        let page = world.ok(&world.tenant, "ListTagResources", &params);
        let rows = page["TagResources"].as_array().unwrap();
        let text = |name| field(rows, name).concat();
        all.push(format!("{}:{}={}", text("ResourceName"), text("TagKey"), text("TagValue")));
        match page.get("NextToken") {
            Some(next) => token = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(all, ["one:a/b=", "one:env=test", "two:a/b=", "two:env=live"]);
}

#[test]
fn resources_are_found_by_their_tags() {
    let world = tagged();
    let root = &world.tenant;
    let names = |params: &[(&str, &str)]| {
        let listed =
            world.ok(root, "ListPolicies", &[&[("PolicyType", "Custom")], params].concat());
        field(listed["Policies"]["Policy"].as_array().unwrap(), "PolicyName")
    };
    assert_eq!(names(&[("Tag", r#"[{"Key":"env"}]"#)]), ["one", "two"]);
    assert_eq!(names(&[("Tag", r#"[{"Key":"env","Value":"live"},{"Key":"a/b"}]"#)]), ["two"]);
    assert_eq!(names(&[("Tag.1.Key", "none")]), Vec::<String>::new());
    let listed = world.ok(
        root,
        "ListTagResources",
        &[KIND, ("ResourceNames.1", "one"), ("Tag.1.Key", "env"), ("Tag.1.Value", "test")],
    );
    assert_eq!(listed["TagResources"].as_array().unwrap().len(), 2);
}

#[test]
fn tags_go_by_key_all_at_once_and_with_their_resource() {
    let world = tagged();
    let root = &world.tenant;
    let left = || world.rows("SELECT name || tag_key FROM ram_tag ORDER BY 1");
    let both = ("ResourceNames", r#"["one","two"]"#);
    world.ok(root, "UntagResources", &[KIND, both, ("TagKeys", r#"["env"]"#)]);
    assert_eq!(left(), [r#"Text("onea/b")"#, r#"Text("twoa/b")"#]);
    world.ok(root, "UntagResources", &[KIND, ("ResourceNames.1", "one"), ("All", "true")]);
    assert_eq!(left(), [r#"Text("twoa/b")"#]);
    world.ok(root, "DeletePolicy", &[("PolicyName", "two")]);
    assert_eq!(left(), Vec::<String>::new());
}

#[test]
fn tags_that_may_not_be_are_refused() {
    let world = tagged();
    let tag =
        |name, tags| world.code("TagResources", &[KIND, ("ResourceNames.1", name), ("Tag", tags)]);
    let good = r#"[{"Key":"k"}]"#;
    assert_eq!(tag("none", good), "EntityNotExist.Policy");
    assert_eq!(tag("one", r#"[{"Key":"acs:x"}]"#), "InvalidParameter.Tag.Key.Format");
    assert_eq!(tag("one", r#"[{"Key":""}]"#), "InvalidParameter.Tag.Key.Length");
    assert_eq!(tag("one", "[]"), "InvalidParameter.Tag.Count");
    let users = [("ResourceType", "user"), ("ResourceNames.1", "one"), ("Tag", good)];
    assert_eq!(world.code("TagResources", &users), "InvalidParameter.ResourceType");
    let many: Vec<_> =
        (0..20).map(|number| json!({"Key": format!("k{number}"), "Value": "v"})).collect();
    let many = Value::Array(many).to_string();
    let full = [KIND, ("ResourceNames.1", "three"), ("Tag", &many)];
    world.ok(&world.tenant, "TagResources", &full);
    assert_eq!(tag("three", good), "LimitExceeded.Tag");
    // Changing one of the twenty is no twenty-first.
    let change = [KIND, ("ResourceNames.1", "three"), ("Tag", r#"[{"Key":"k1","Value":"new"}]"#)];
    world.ok(&world.tenant, "TagResources", &change);
}
