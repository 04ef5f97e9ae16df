use super::*;

fn check_service(table: &str, action: &str, expect: &[&str]) {
    let files: Files = [
        ("crates/x/src/actions/mod.rs", table),
        ("crates/x/src/actions/create_user.rs", action),
        ("crates/x/src/actions/create_user/tests.rs", "fn not_an_action() {}"),
        ("crates/x/tests/it/users.rs", r#"call("CreateUser")"#),
        ("crates/x/tests/it/every_action.rs", r#"call("DeleteUser")"#),
    ]
    .map(|(path, text)| (path.to_owned(), text.to_owned()))
    .into();
    let findings = check(&files);
    let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, expect, "{table} {action}");
}

#[test]
fn both_halves_of_an_action_must_be_there() {
    let table = "static ACTIONS: &[Entry] = &[action::<create_user::CreateUser>()];";
    let action = "impl Action for CreateUser {}";
    check_service(table, action, &[]);
    check_service("// action::<CreateUser>()", action, &["registration"]);
    check_service(table, "// impl Action for CreateUser {}", &["registration", "registration"]);
}

#[test]
fn an_action_that_no_test_of_its_own_names_is_found() {
    let table = "&[action::<DeleteUser>()]";
    check_service(table, "impl Action for DeleteUser {}", &["untested"]);
}

#[test]
fn an_action_may_not_do_slow_things_itself() {
    let table = "&[action::<CreateUser>()]";
    check_service(table, "use std::fs;\nimpl Action for CreateUser {}", &["action-io"]);
}
