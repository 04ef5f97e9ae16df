//! Users, groups, passwords and devices.

use serde_json::json;

use crate::harness::{BEGIN, World, field, user_id};

#[test]
fn a_user_is_made_shown_changed_and_deleted() {
    let world = World::new();
    let made = world.ok(
        &world.tenant,
        "CreateUser",
        &[
            ("UserName", "alice"),
            ("DisplayName", "Älice"),
            ("Email", "a@kpu.example"),
            ("MobilePhone", "62-811"),
            ("Comments", "c"),
        ],
    );
    let user = &made["User"];
    assert_eq!(user["UserName"], "alice");
    assert_eq!(user["DisplayName"], "Älice");
    assert_eq!(user["CreateDate"], BEGIN.iso());
    assert_eq!(user["UserId"].as_str().unwrap().len(), 18);
    assert_eq!(world.ok(&world.tenant, "GetUser", &[("UserName", "alice")]), made);
    assert_eq!(world.code("CreateUser", &[("UserName", "alice")]), "EntityAlreadyExists.User");

    world.turn_clock(60);
    let params = [
        ("UserName", "alice"),
        ("NewUserName", "alicia"),
        ("NewEmail", ""),
        ("NewDisplayName", "Alicia"),
    ];
    let changed = world.ok(&world.tenant, "UpdateUser", &params);
    assert_eq!(changed["User"]["UserId"], user["UserId"]);
    assert_eq!(
        (&changed["User"]["Email"], &changed["User"]["MobilePhone"]),
        (&json!(""), &json!("62-811"))
    );
    assert_eq!(changed["User"]["UpdateDate"], world.now().iso());
    assert_eq!(world.code("GetUser", &[("UserName", "alice")]), "EntityNotExist.User");
    assert_eq!(world.ok(&world.tenant, "GetUser", &[("UserName", "alicia")]), changed);

    world.ok(&world.tenant, "CreateUser", &[("UserName", "bob")]);
    assert_eq!(
        world.code("UpdateUser", &[("UserName", "bob"), ("NewUserName", "alicia")]),
        "EntityAlreadyExists.User"
    );
    world.ok(&world.tenant, "UpdateUser", &[("UserName", "bob"), ("NewUserName", "bob")]);
    assert_eq!(world.ok(&world.tenant, "DeleteUser", &[("UserName", "alicia")]), json!({}));
    assert_eq!(
        world.refused(&world.tenant, "DeleteUser", &[("UserName", "alicia")]),
        (404, "EntityNotExist.User".into())
    );
    world.ok(&world.tenant, "GetUser", &[("UserName", "bob")]);
}

#[test]
fn parameters_that_are_not_right_are_refused_by_name() {
    let world = World::new();
    let long = "x".repeat(129);
    let check = |name: &str, value: &str, code: &str| {
        let params = if name == "UserName" { vec![] } else { vec![("UserName", "alice")] };
        assert_eq!(world.code("CreateUser", &[params, vec![(name, value)]].concat()), code);
    };
    check("UserName", "", "InvalidParameter.UserName.Length");
    check("UserName", &long, "InvalidParameter.UserName.Length");
    check("UserName", "a b", "InvalidParameter.UserName.InvalidChars");
    check("UserName", "a/b", "InvalidParameter.UserName.InvalidChars");
    check("UserName", "*", "InvalidParameter.UserName.InvalidChars");
    check("DisplayName", &long, "InvalidParameter.DisplayName.Length");
    check("DisplayName", "a\nb", "InvalidParameter.DisplayName.InvalidChars");
    check("Email", "nobody", "InvalidParameter.Email.Format");
    check("MobilePhone", "call me", "InvalidParameter.MobilePhone.Format");
    check("Comments", &long, "InvalidParameter.Comments.Length");
    assert_eq!(world.code("ListUsers", &[("MaxItems", "0")]), "InvalidParameter.MaxItems.Range");
    assert_eq!(world.code("ListUsers", &[("MaxItems", "1001")]), "InvalidParameter.MaxItems.Range");
    assert_eq!(world.code("ListUsers", &[("MaxItems", "ten")]), "InvalidParameter.MaxItems");
    for marker in ["zz", "ff", "00"] {
        assert_eq!(world.code("ListUsers", &[("Marker", marker)]), "InvalidParameter.Marker");
    }
}

#[test]
fn pages_joined_are_the_whole_list() {
    let world = World::new();
    let names: Vec<String> = (0..23).map(|number| format!("user{number:02}")).collect();
    assert_eq!(world.pages("ListUsers", &[], ("Users", "User"), "10"), (1, vec![]));
    world.ok(&world.tenant, "CreateGroup", &[("GroupName", "crew")]);
    for name in names.iter().rev() {
        world.ok(&world.tenant, "CreateUser", &[("UserName", name)]);
        world.ok(&world.tenant, "AddUserToGroup", &[("UserName", name), ("GroupName", "crew")]);
        world.ok(&world.tenant, "CreateGroup", &[("GroupName", name)]);
    }
    world.ok(&world.account("other"), "CreateUser", &[("UserName", "user05x")]);
    for (max, pages) in [("1", 23), ("10", 3), ("23", 1), ("22", 2), ("1000", 1)] {
        for (action, params, path) in [
            ("ListUsers", vec![], ("Users", "User")),
            ("ListUsersForGroup", vec![("GroupName", "crew")], ("Users", "User")),
        ] {
            let (count, all) = world.pages(action, &params, path, max);
            assert_eq!((count, field(&all, "UserName")), (pages, names.clone()), "{action} {max}");
        }
    }
    let (pages, groups) = world.pages("ListGroups", &[], ("Groups", "Group"), "12");
    assert_eq!(pages, 2);
    assert_eq!(field(&groups, "GroupName"), [vec!["crew".to_owned()], names].concat());
}

#[test]
fn groups_have_members_until_they_are_removed() {
    let world = World::new();
    let root = &world.tenant;
    let made = world.ok(root, "CreateGroup", &[("GroupName", "crew"), ("Comments", "all")]);
    assert_eq!(world.ok(root, "GetGroup", &[("GroupName", "crew")]), made);
    assert_eq!(world.code("CreateGroup", &[("GroupName", "crew")]), "EntityAlreadyExists.Group");
    assert_eq!(
        world.ok(root, "ListUsersForGroup", &[("GroupName", "crew")])["Users"],
        json!({"User": []})
    );
    world.ok(root, "CreateUser", &[("UserName", "alice"), ("DisplayName", "A")]);
    assert_eq!(
        world.ok(root, "ListGroupsForUser", &[("UserName", "alice")]),
        json!({"Groups": {"Group": []}})
    );
    let both = [("UserName", "alice"), ("GroupName", "crew")];
    assert_eq!(world.code("RemoveUserFromGroup", &both), "EntityNotExist.User.Group");
    world.ok(root, "AddUserToGroup", &both);
    assert_eq!(world.code("AddUserToGroup", &both), "EntityAlreadyExists.User.Group");
    assert_eq!(
        world.code("AddUserToGroup", &[("UserName", "bob"), ("GroupName", "crew")]),
        "EntityNotExist.User"
    );
    assert_eq!(
        world.code("AddUserToGroup", &[("UserName", "alice"), ("GroupName", "none")]),
        "EntityNotExist.Group"
    );
    let members = world.ok(root, "ListUsersForGroup", &[("GroupName", "crew")]);
    assert_eq!(
        members["Users"]["User"],
        json!([{"UserName": "alice", "DisplayName": "A", "JoinDate": BEGIN.iso()}])
    );
    let groups = world.ok(root, "ListGroupsForUser", &[("UserName", "alice")]);
    assert_eq!(groups["Groups"]["Group"][0]["GroupId"], made["Group"]["GroupId"]);

    assert_eq!(world.code("DeleteGroup", &[("GroupName", "crew")]), "DeleteConflict.Group.User");
    let renamed = world.ok(
        root,
        "UpdateGroup",
        &[("GroupName", "crew"), ("NewGroupName", "team"), ("NewComments", "some")],
    );
    assert_eq!(renamed["Group"]["Comments"], "some");
    world.ok(root, "CreateGroup", &[("GroupName", "rest")]);
    assert_eq!(
        world.code("UpdateGroup", &[("GroupName", "rest"), ("NewGroupName", "team")]),
        "EntityAlreadyExists.Group"
    );
    world.ok(root, "RemoveUserFromGroup", &[("UserName", "alice"), ("GroupName", "team")]);
    world.ok(
        root,
        "AttachPolicyToGroup",
        &[("GroupName", "team"), ("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")],
    );
    assert_eq!(world.code("DeleteGroup", &[("GroupName", "team")]), "DeleteConflict.Group.Policy");
    world.ok(
        root,
        "DetachPolicyFromGroup",
        &[("GroupName", "team"), ("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")],
    );
    world.ok(root, "DeleteGroup", &[("GroupName", "team")]);
    assert_eq!(world.code("GetGroup", &[("GroupName", "team")]), "EntityNotExist.Group");
}

#[test]
fn a_user_is_deleted_only_when_nothing_hangs_on_it() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    let name = ("UserName", "alice");
    let policy = [name, ("PolicyName", "ReadOnlyAccess"), ("PolicyType", "System")];
    world.ok(root, "CreateGroup", &[("GroupName", "crew")]);
    world.ok(root, "AddUserToGroup", &[name, ("GroupName", "crew")]);
    world.ok(root, "AttachPolicyToUser", &policy);
    world.ok(root, "CreateLoginProfile", &[name, ("Password", "Correct-horse-7")]);
    bind_device(&world, "alice", "phone");
    let check = |code: &str| {
        assert_eq!(
            world.refused(root, "DeleteUser", &[name]),
            (409, format!("DeleteConflict.User.{code}"))
        )
    };
    check("Group");
    world.ok(root, "RemoveUserFromGroup", &[name, ("GroupName", "crew")]);
    check("Policy");
    world.ok(root, "DetachPolicyFromUser", &policy);
    check("AccessKey");
    world.ok(root, "DeleteAccessKey", &[name, ("UserAccessKeyId", &alice.key_id)]);
    check("LoginProfile");
    world.ok(root, "DeleteLoginProfile", &[name]);
    check("MFADevice");
    world.ok(root, "UnbindMFADevice", &[name]);
    world.ok(root, "DeleteUser", &[name]);
}

#[test]
fn a_password_is_checked_against_the_policy_and_changed_by_who_knows_it() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    let name = ("UserName", "alice");
    assert_eq!(world.code("GetLoginProfile", &[name]), "EntityNotExist.User.LoginProfile");
    for weak in ["Aa1!", "nouppercase-7", "NOLOWERCASE-7", "NoDigits-here", "NoSymbols77"] {
        let code = world.code("CreateLoginProfile", &[name, ("Password", weak)]);
        assert_eq!(code, "InvalidParameter.Password.TooWeak", "{weak}");
    }
    let made = world.ok(
        root,
        "CreateLoginProfile",
        &[name, ("Password", "Correct-horse-7"), ("MFABindRequired", "True")],
    );
    let profile = json!({
        "UserName": "alice", "MFABindRequired": true, "PasswordResetRequired": false, "CreateDate": BEGIN.iso()
    });
    assert_eq!(made, json!({"LoginProfile": profile}));
    assert_eq!(
        world.code("CreateLoginProfile", &[name, ("Password", "Correct-horse-7")]),
        "EntityAlreadyExists.User.LoginProfile"
    );
    world.ok(
        root,
        "UpdateLoginProfile",
        &[name, ("PasswordResetRequired", "true"), ("MFABindRequired", "false")],
    );
    let shown = world.ok(root, "GetLoginProfile", &[name]);
    assert_eq!(shown["LoginProfile"]["PasswordResetRequired"], true);

    let change = |old: &str, new: &str| {
        world.call(&alice, "ChangePassword", &[("OldPassword", old), ("NewPassword", new)])
    };
    assert_eq!(
        change("Wrong-horse-7", "Correct-horse-8").unwrap_err().code(),
        "InvalidParameter.OldPassword"
    );
    assert_eq!(
        change("Correct-horse-7", "weak").unwrap_err().code(),
        "InvalidParameter.NewPassword.TooWeak"
    );
    change("Correct-horse-7", "Correct-horse-8").unwrap();
    assert_eq!(
        change("Correct-horse-7", "Correct-horse-9").unwrap_err().code(),
        "InvalidParameter.OldPassword"
    );
    assert_eq!(
        world.ok(root, "GetLoginProfile", &[name])["LoginProfile"]["PasswordResetRequired"],
        false
    );
    world.ok(root, "SetSecurityPreference", &[("AllowUserToChangePassword", "false")]);
    assert_eq!(change("Correct-horse-8", "Correct-horse-9").unwrap_err().code(), "NoPermission");
    assert_eq!(
        world.code("ChangePassword", &[("OldPassword", "a"), ("NewPassword", "b")]),
        "EntityNotExist.User"
    );
    world.ok(root, "DeleteLoginProfile", &[name]);
    assert_eq!(world.code("DeleteLoginProfile", &[name]), "EntityNotExist.User.LoginProfile");
}

#[test]
fn passwords_are_hashed_so_often_a_minute_for_each_account_and_failures_count() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    let (name, password) = (("UserName", "alice"), ("Password", "Correct-horse-7"));
    let throttled = (429, "Throttling.User".to_owned());
    world.ok(root, "CreateLoginProfile", &[name, password]);
    let wrong = [("OldPassword", "Wrong-horse-7"), ("NewPassword", "Correct-horse-8")];
    for _ in 0..8 {
        let code = world.refused(&alice, "ChangePassword", &wrong).1;
        assert_eq!(code, "InvalidParameter.OldPassword");
    }
    world.ok(root, "UpdateLoginProfile", &[name, password]);
    assert_eq!(world.refused(&alice, "ChangePassword", &wrong), throttled);
    assert_eq!(world.refused(root, "UpdateLoginProfile", &[name, password]), throttled);
    world.ok(root, "CreateUser", &[("UserName", "bob")]);
    let bob = [("UserName", "bob"), password];
    assert_eq!(world.refused(root, "CreateLoginProfile", &bob), throttled);
    world.ok(root, "UpdateLoginProfile", &[name, ("PasswordResetRequired", "true")]);

    let other = world.account("other");
    world.ok(&other, "CreateUser", &[("UserName", "bob")]);
    world.ok(&other, "CreateLoginProfile", &bob);

    world.turn_clock(6);
    world.ok(root, "CreateLoginProfile", &bob);
    assert_eq!(world.refused(root, "UpdateLoginProfile", &[name, password]), throttled);
}

#[test]
fn the_settings_of_an_account_keep_what_is_not_given() {
    let world = World::new();
    let root = &world.tenant;
    let before = world.ok(root, "GetPasswordPolicy", &[]);
    assert_eq!(before["PasswordPolicy"]["MinimumPasswordLength"], 8);
    let set = world.ok(
        root,
        "SetPasswordPolicy",
        &[("MinimumPasswordLength", "12"), ("RequireSymbols", "False")],
    );
    assert_eq!(world.ok(root, "GetPasswordPolicy", &[]), set);
    let mut expected = before;
    expected["PasswordPolicy"]["MinimumPasswordLength"] = json!(12);
    expected["PasswordPolicy"]["RequireSymbols"] = json!(false);
    assert_eq!(set, expected);
    let code = world.code("SetPasswordPolicy", &[("MinimumPasswordLength", "7")]);
    assert_eq!(code, "InvalidParameter.MinimumPasswordLength.Range");

    let masks = [("LoginNetworkMasks", "10.0.0.0/8;192.168.0.1"), ("LoginSessionDuration", "8")];
    let set = world.ok(root, "SetSecurityPreference", &masks);
    assert_eq!(world.ok(root, "GetSecurityPreference", &[]), set);
    assert_eq!(
        set["SecurityPreference"]["LoginProfilePreference"],
        json!({"AllowUserToChangePassword": true, "EnableSaveMFATicket": false,
               "LoginNetworkMasks": "10.0.0.0/8;192.168.0.1", "LoginSessionDuration": 8})
    );
    let code = world.code("SetSecurityPreference", &[("LoginNetworkMasks", "everywhere")]);
    assert_eq!(code, "InvalidParameter.LoginNetworkMasks.Format");
}

/// RFC 6238, once more and on its own.
fn one_time_code(seed: &str, step: i64) -> String {
    let bits: String = seed
        .chars()
        .map(|c| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap()))
        .collect();
    let seed: Vec<u8> = bits
        .as_bytes()
        .chunks_exact(8)
        .map(|bits| u8::from_str_radix(std::str::from_utf8(bits).unwrap(), 2).unwrap())
        .collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &seed);
    let tag = ring::hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let word = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7FFF_FFFF;
    format!("{:06}", word % 1_000_000)
}

/// Makes a device and binds it to a user; gives its serial number.
fn bind_device(world: &World, user: &str, device: &str) -> String {
    let made =
        world.ok(&world.tenant, "CreateVirtualMFADevice", &[("VirtualMFADeviceName", device)]);
    let text = |name: &str| made["VirtualMFADevice"][name].as_str().unwrap().to_owned();
    let (serial, seed, step) =
        (text("SerialNumber"), text("Base32StringSeed"), world.now().secs() / 30);
    let bind = |one: i64, two: i64| {
        let codes = (one_time_code(&seed, one), one_time_code(&seed, two));
        let params = [
            ("UserName", user),
            ("SerialNumber", &serial),
            ("AuthenticationCode1", &codes.0),
            ("AuthenticationCode2", &codes.1),
        ];
        world.call(&world.tenant, "BindMFADevice", &params)
    };
    assert_eq!(bind(step - 100, step - 99).unwrap_err().code(), "CheckAuthenticationCodeFail");
    assert_eq!(bind(step, step).unwrap_err().code(), "CheckAuthenticationCodeFail");
    bind(step - 1, step).unwrap();
    assert_eq!(
        bind(step - 1, step).unwrap_err().code(),
        "EntityAlreadyExists.VirtualMFADevice.User"
    );
    serial
}

#[test]
fn a_device_is_bound_by_two_codes_of_now() {
    let world = World::new();
    let root = &world.tenant;
    let alice = world.user("alice");
    assert_eq!(
        world.code("GetUserMFAInfo", &[("UserName", "alice")]),
        "EntityNotExist.User.MFADevice"
    );
    assert_eq!(
        world.ok(root, "ListVirtualMFADevices", &[]),
        json!({"VirtualMFADevices": {"VirtualMFADevice": []}})
    );
    let serial = bind_device(&world, "alice", "phone");
    assert_eq!(serial, format!("acs:ram::{}:mfa/phone", root.account));
    assert_eq!(
        world.code("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone")]),
        "EntityAlreadyExists.VirtualMFADevice"
    );
    let info = world.ok(root, "GetUserMFAInfo", &[("UserName", "alice")]);
    assert_eq!(info, json!({"MFADevice": {"SerialNumber": serial, "Type": "VMFA"}}));
    let devices = world.ok(root, "ListVirtualMFADevices", &[]);
    let user = json!({"UserId": user_id(&alice), "UserName": "alice", "DisplayName": ""});
    assert_eq!(
        devices["VirtualMFADevices"]["VirtualMFADevice"],
        json!([{"SerialNumber": serial, "ActivateDate": BEGIN.iso(), "User": user}])
    );
    let second = world.ok(root, "CreateVirtualMFADevice", &[("VirtualMFADeviceName", "tablet")]);
    let second = second["VirtualMFADevice"]["SerialNumber"].as_str().unwrap();
    let params = [
        ("UserName", "alice"),
        ("SerialNumber", second),
        ("AuthenticationCode1", "000000"),
        ("AuthenticationCode2", "000000"),
    ];
    assert_eq!(world.code("BindMFADevice", &params), "EntityAlreadyExists.User.MFADevice");
    assert_eq!(
        world.code("DeleteVirtualMFADevice", &[("SerialNumber", &serial)]),
        "DeleteConflict.VirtualMFADevice.User"
    );
    let unbound = world.ok(root, "UnbindMFADevice", &[("UserName", "alice")]);
    assert_eq!(unbound, json!({"MFADevice": {"SerialNumber": serial}}));
    world.ok(root, "DeleteVirtualMFADevice", &[("SerialNumber", &serial)]);
    for gone in [serial.as_str(), "acs:ram::1:mfa/phone", "nonsense"] {
        assert_eq!(
            world.code("DeleteVirtualMFADevice", &[("SerialNumber", gone)]),
            "EntityNotExist.VirtualMFADevice"
        );
    }
    assert_ne!(world.rows("SELECT seed FROM ram_mfa_device"), Vec::<String>::new());
}
