//! What texts say of places: names that tie the repository to one machine or registry, and links
//! between documents.

use std::path::Path;

use super::{Files, Finding};

/// Hosts that package clients know by themselves. Split so that this file does not find itself.
const HOSTS: [&str; 8] = [
    concat!("index.crates", ".io"),
    concat!("static.crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("sum.golang", ".org"),
    concat!("deb.debian", ".org"),
];

/// Where persons live on their machines.
const HOMES: [&str; 3] = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Names of one machine or one registry in a file.
pub(super) fn check_places(path: &str, content: &str, root: &Path) -> Vec<Finding> {
    let root = format!("{}/", root.display());
    let known = HOSTS.iter().chain(&HOMES).copied().chain([root.as_str()]);
    known
        .filter(|place| content.contains(place))
        .map(|place| Finding::new("place", path, format!("`{place}` ties it to one place")))
        .collect()
}

/// Relative links of a Markdown file that lead to no file or folder of the repository.
pub(super) fn check_links(path: &str, content: &str, files: &Files) -> Vec<Finding> {
    if !path.ends_with(".md") {
        return Vec::new();
    }
    let leads_nowhere = |link: &str| {
        let target = resolve(path, link);
        let folder = format!("{target}/");
        !files.contains_key(&target) && !files.keys().any(|file| file.starts_with(&folder))
    };
    links(content)
        .into_iter()
        .filter(|link| leads_nowhere(link))
        .map(|link| Finding::new("link", path, format!("`{link}` leads nowhere")))
        .collect()
}

/// Targets of `[text](target)` and `[name]: target` that point into the repository, without their
/// anchors. Code is left out.
fn links(content: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in content.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second piece between back-quotes is code.
        for piece in line.split('`').step_by(2) {
            let inline = piece.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
            found.extend(inline);
        }
        if let Some((_, target)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) {
            found.extend(target.split(' ').next());
        }
    }
    let in_repository =
        |link: &&str| !link.is_empty() && !link.contains(':') && !link.starts_with('#');
    let without_anchor =
        |link: &'_ str| link.len() - link.find('#').map_or(0, |at| link.len() - at);
    found.into_iter().filter(in_repository).map(|link| &link[..without_anchor(link)]).collect()
}

/// A link's target from the root of the repository. Links that climb out of it keep a `..`.
fn resolve(from: &str, link: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if link.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
