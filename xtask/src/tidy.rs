//! The rules of the house that no compiler knows. Each rule is a pure function from texts to
//! findings, tested on small examples; only this module reads the repository.
//!
//! | rule | what it finds |
//! |---|---|
//! | `edge` | a crate of ours that imports another against the direction of the layers |
//! | `file-length`, `function-length` | more than 800 or 70 lines |
//! | `owner` | a reminder to do something that names nobody |
//! | `registration` | an action without its line in the table, or a line without its action |
//! | `untested` | an action that no test of its service names |
//! | `action-io` | an action handler that reaches for files, sockets, processes or threads |
//! | `dependencies` | more third-party packages than `xtask/dependencies.max` says |
//! | `banned`, `duplicate` | a second TLS stack, or two major versions of a heavy crate |
//! | `licence` | a package whose licence is not on the list |
//! | `place` | a registry's host name, or a path of somebody's machine |
//! | `link` | a relative link in a document that leads nowhere |
//! | `exception` | an exception that excuses nothing, or gives no reason |

mod actions;
mod exceptions;
mod licence;
mod lock;
mod manifest;
mod source;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use crate::json::Json;
use crate::process;
use crate::workspace::{Workspace, read};
use crate::{Result, Verdict};

/// Something that a rule found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    rule: &'static str,
    /// What an exception would name: a file, a `file:function`, a package. Never a line number,
    /// which would change with every edit above it.
    place: String,
    message: String,
}

impl Finding {
    fn new(rule: &'static str, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { rule, place: place.into(), message: message.into() }
    }
}

/// The texts of the repository by path, `/`-separated, from the root. Binary files are left out.
type Files = BTreeMap<String, String>;

/// Checks the repository and prints what is found. Whether nothing was.
pub(crate) fn run(workspace: &Workspace) -> Verdict {
    let files = tracked(workspace)?;
    let mut findings = judge(&files, &workspace.root)?;
    let mut metadata = workspace.cargo();
    metadata.args(["metadata", "--format-version=1", "--locked", "--offline"]);
    // Offline at first: nothing is asked of a registry when everything has been fetched before.
    let metadata = process::output(&mut metadata).or_else(|_| {
        process::output(workspace.cargo().args(["metadata", "--format-version=1", "--locked"]))
    })?;
    findings.extend(licence::check(&Json::parse(&metadata)?));

    let list = files.get(exceptions::PATH).map_or("", String::as_str);
    let findings = exceptions::apply(findings, list);
    for Finding { rule, place, message } in &findings {
        println!("{place}: {message} [{rule}]");
    }
    println!("tidy: {} files, {} findings", files.len(), findings.len());
    Ok(findings.is_empty())
}

fn judge(files: &Files, root: &Path) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for (path, content) in files {
        findings.extend(source::check(path, content));
        findings.extend(text::check_places(path, content, root));
        findings.extend(text::check_links(path, content, files));
    }
    findings.extend(manifest::check(files));
    findings.extend(actions::check(files));
    let lock = files.get("Cargo.lock").ok_or("there is no Cargo.lock")?;
    let max = files.get("xtask/dependencies.max").ok_or("there is no xtask/dependencies.max")?;
    let max = max.trim().parse().map_err(|_| "xtask/dependencies.max is no number")?;
    findings.extend(lock::check(lock, max));
    Ok(findings)
}

/// All files that are, or are about to be, in the repository.
fn tracked(workspace: &Workspace) -> Result<Files> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names = process::output(git.current_dir(&workspace.root))?;
    let mut files = Files::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = workspace.root.join(name);
        // A file that was removed but not yet from the index is not there to be read.
        if let (true, Ok(content)) = (path.is_file(), read(&path)) {
            files.insert(name.to_owned(), content);
        }
    }
    Ok(files)
}
