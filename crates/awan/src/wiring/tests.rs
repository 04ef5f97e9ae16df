use engine::action::{Access, Kind, Registry};
use expect_test::expect_file;

/// A change of the API is a line in this file's diff. `UPDATE_EXPECT=1` rewrites it.
#[test]
fn the_list_of_actions_is_the_one_that_was_reviewed() {
    let registry = Registry::new(&super::actions());
    let mut lines: Vec<String> = registry
        .entries()
        .iter()
        .map(|entry| {
            let meta = &entry.meta;
            let kind = if meta.kind == Kind::Read { "read" } else { "write" };
            let access = match meta.access {
                Access::Authorized => meta.permission(),
                Access::Public => "(any signed caller)".to_owned(),
                Access::Anonymous => "(anybody)".to_owned(),
            };
            format!("{} {} {} {kind} {access}\n", meta.product, meta.version, meta.name)
        })
        .collect();
    lines.sort();
    expect_file!["../../actions.golden"].assert_eq(&lines.concat());
}
