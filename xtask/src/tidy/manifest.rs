//! Which crate of ours may import which. Imports point down only, and a service never imports a
//! service: what it needs of another is a trait in `engine::ports`, joined in `awan`.

use super::{Files, Finding};

/// The service crates: all look alike, and `awan` joins them.
const SERVICES: [&str; 8] = ["ram", "agreement", "billing", "oss", "ecs", "rds", "edge", "query"];

/// The crates of ours that `name` may import; none for a crate that the layers do not know.
fn may_import(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "base" | "xtask" => &[],
        "store" | "wire" | "tlog" | "policy" => &["base"],
        "terms" => &["tlog", "base"],
        "engine" => &["policy", "store", "wire", "tlog", "terms", "base"],
        "cli" => &["wire", "tlog", "terms", "base"],
        "portal" => &["engine", "store", "tlog", "terms", "base"],
        "testkit" => &["engine", "store", "terms", "base"],
        "query-engine" => &["engine", "base"],
        "agreement" | "billing" => &["engine", "store", "wire", "tlog", "terms", "base"],
        service if SERVICES.contains(&service) => {
            &["engine", "policy", "store", "wire", "terms", "base"]
        }
        "awan" => &[
            "ram",
            "agreement",
            "billing",
            "oss",
            "ecs",
            "rds",
            "edge",
            "query",
            "query-engine",
            "portal",
            "engine",
            "store",
            "wire",
            "tlog",
            "terms",
            "base",
            "cli",
        ],
        _ => return None,
    })
}

/// Findings over all manifests.
pub(super) fn check(files: &Files) -> Vec<Finding> {
    let ours: Vec<&str> = files.keys().filter_map(|path| crate_of(path)).collect();
    let mut findings = Vec::new();
    for (path, content) in files {
        let Some(name) = crate_of(path) else { continue };
        let Some(allowed) = may_import(name) else {
            let message = "the layers know no such crate; say in an ADR where it belongs";
            findings.push(Finding::new("edge", path, message));
            continue;
        };
        for (section, dependency) in dependencies(content) {
            let dev = section == "dev-dependencies";
            let good = allowed.contains(&dependency) || (dev && dependency == "testkit");
            if ours.contains(&dependency) && !good {
                let message = format!("`{name}` may not have `{dependency}` in [{section}]");
                findings.push(Finding::new("edge", path, message));
            }
        }
    }
    findings
}

/// The crate whose manifest this path is.
fn crate_of(path: &str) -> Option<&str> {
    match path.strip_suffix("/Cargo.toml")? {
        "xtask" => Some("xtask"),
        dir => dir.strip_prefix("crates/").filter(|name| !name.contains('/')),
    }
}

/// Every (section, package) of a manifest. Knows the forms `name = …`, `name.workspace = true` and
/// `[dependencies.name]`, for all targets.
fn dependencies(manifest: &str) -> Vec<(&str, &str)> {
    const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut found = Vec::new();
    let mut current = None;
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let last =
                |section: &&str| header == *section || header.ends_with(&format!(".{section}"));
            current = SECTIONS.into_iter().find(last);
            // `[dependencies.name]` opens a table about one package.
            let single = SECTIONS.into_iter().find_map(|section| {
                let (before, name) = header.rsplit_once('.')?;
                (before == section || before.ends_with(&format!(".{section}")))
                    .then_some((section, name))
            });
            found.extend(single);
        } else if let (Some(section), Some((key, _))) = (current, line.split_once('=')) {
            let name = key.trim().split('.').next().unwrap_or_default();
            if !name.starts_with('#') {
                found.push((section, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
