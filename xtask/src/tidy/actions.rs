//! Actions and their table. A service keeps each action in a file of `src/actions/` and lists all of
//! them as `action::<Name>()` in `src/actions/mod.rs`; forgetting either half must not go unseen.
//! Actions decide and tasks act: what a handler may not reach for is found here too.

use std::collections::BTreeSet;

use super::source::mask;
use super::{Files, Finding};

/// Doors to slow things, which are closed inside a transaction.
const CLOSED: [&str; 7] =
    ["std::fs", "std::net", "std::process", "std::thread", "tokio::", "rustix::", "ureq::"];

/// Findings over all services.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    let tables = files.iter().filter_map(|(path, text)| Some((folder(path)?, path, text)));
    for (folder, table_path, table) in tables {
        let table = mask(table);
        let registered = names_after(&table, "action::<", '>');
        let mut implemented = BTreeSet::new();
        let action_files = files.iter().filter(|(path, _)| is_inside(path, folder));
        for (path, text) in action_files {
            let text = mask(text);
            let names = implementations(&text);
            for name in names.difference(&registered) {
                let message = format!("`{name}` has no line in {table_path}");
                findings.push(Finding::new("registration", path, message));
            }
            if names.is_empty() && path != table_path {
                findings.push(Finding::new("registration", path, "holds no action"));
            }
            for door in CLOSED.iter().filter(|door| text.contains(**door)) {
                let message = format!("an action decides, a task acts: no `{door}` here");
                findings.push(Finding::new("action-io", path, message));
            }
            implemented.extend(names);
        }
        for name in implemented.iter().filter(|name| !is_tested(files, folder, name)) {
            let message = format!("no test in {} names `{name}`", tests_of(folder));
            findings.push(Finding::new("untested", table_path, message));
        }
        for name in registered.difference(&implemented) {
            let message = format!("`{name}` is registered but nowhere in {folder}");
            findings.push(Finding::new("registration", table_path, message));
        }
    }
    findings
}

/// Where the tests of the service with that actions folder are.
fn tests_of(folder: &str) -> String {
    folder.replace("/src/actions/", "/tests/it/")
}

/// Whether a test names the action. What walks over all actions names none, so it does not count.
fn is_tested(files: &Files, folder: &str, action: &str) -> bool {
    let tests = tests_of(folder);
    let (text, typed) = (format!("\"{action}\""), format!("<{action}>"));
    let own = files.iter().filter(|(path, _)| path.starts_with(&tests));
    own.filter(|(path, _)| !path.ends_with("every_action.rs"))
        .any(|(_, test)| test.contains(&text) || test.contains(&typed))
}

/// The folder whose table this path is, with its final slash.
fn folder(path: &str) -> Option<&str> {
    let folder = path.strip_suffix("mod.rs")?;
    (folder.starts_with("crates/") && folder.ends_with("/src/actions/")).then_some(folder)
}

/// Whether the path is a Rust file right inside the folder, tests left out.
fn is_inside(path: &str, folder: &str) -> bool {
    let name = path.strip_prefix(folder).and_then(|rest| rest.strip_suffix(".rs"));
    name.is_some_and(|name| !name.contains('/') && name != "tests")
}

fn implementations(masked: &str) -> BTreeSet<String> {
    names_after(masked, "impl Action for ", ' ')
}

/// The last path segment of each type name between `start` and `end`.
fn names_after(text: &str, start: &str, end: char) -> BTreeSet<String> {
    let after = text.split(start).skip(1);
    let full = after.filter_map(|rest| rest.split([end, '\n']).next());
    full.filter_map(|name| Some(name.rsplit("::").next()?.trim().to_owned())).collect()
}

#[cfg(test)]
mod tests;
