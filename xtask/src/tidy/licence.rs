//! Licences of third-party packages, judged by their SPDX expressions.

use super::Finding;
use crate::json::Json;

/// Licences under which a package may be linked into the program.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Findings in what `cargo metadata` prints.
pub(super) fn check(metadata: &Json) -> Vec<Finding> {
    let packages = metadata.get("packages").map_or(&[][..], Json::list);
    let third_party = packages.iter().filter(|package| package.get("source") != Some(&Json::Null));
    let mut findings = Vec::new();
    for package in third_party {
        let name = package.get("name").and_then(Json::text).unwrap_or("?");
        let licence = package.get("license").and_then(Json::text).unwrap_or("none");
        if !is_allowed(licence) {
            findings.push(Finding::new("licence", name, format!("`{licence}` is not on the list")));
        }
    }
    findings
}

/// Whether an SPDX expression can be met by allowed licences alone. The old `MIT/Apache-2.0` means
/// OR.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any(&words, &mut at) == Some(true) && at == words.len()
}

/// `a OR b`. Each of these gives nothing where the expression is not well formed.
fn any(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = all(words, at)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        good |= all(words, at)?;
    }
    Some(good)
}

/// `a AND b`.
fn all(words: &[&str], at: &mut usize) -> Option<bool> {
    let mut good = one(words, at)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        good &= one(words, at)?;
    }
    Some(good)
}

/// A licence, one with an exception, or an expression in parentheses.
fn one(words: &[&str], at: &mut usize) -> Option<bool> {
    let word = words.get(*at)?;
    *at += 1;
    if *word == "(" {
        let good = any(words, at)?;
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return closed.then_some(good);
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1)?;
        *at += 2;
        return Some(ALLOWED.contains(&format!("{word} WITH {exception}").as_str()));
    }
    Some(ALLOWED.contains(word))
}

#[cfg(test)]
mod tests;
