//! What a test runner reports in the JUnit form: which test came to what. Reads the form that pytest
//! writes; whatever else the file holds is passed over.

use std::collections::BTreeMap;

use crate::Result;

/// What a test came to; the worst last, for one that is reported twice came to the worse of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    Passed,
    Skipped,
    Failed,
    /// Its preparation or its clean-up failed.
    Error,
}

/// Outcomes by `classname::name`.
pub(super) type Report = BTreeMap<String, Outcome>;

/// Reads a report.
pub(super) fn parse(text: &str) -> Result<Report> {
    let mut report = Report::new();
    let mut current: Option<String> = None;
    for tag in tags(text) {
        let outcome = match tag_name(tag) {
            "testcase" => {
                let name = name(tag)?;
                report.entry(name.clone()).or_insert(Outcome::Passed);
                current = (!tag.ends_with('/')).then_some(name);
                continue;
            }
            "/testcase" => {
                current = None;
                continue;
            }
            "skipped" => Outcome::Skipped,
            "failure" => Outcome::Failed,
            "error" => Outcome::Error,
            _ => continue,
        };
        if let Some(known) = current.as_ref().and_then(|name| report.get_mut(name)) {
            *known = outcome.max(*known);
        }
    }
    if report.is_empty() { Err("the report names no test".to_owned()) } else { Ok(report) }
}

/// What stands between `<` and `>`. Neither can stand bare in an attribute or a text that pytest writes.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0))
}

fn tag_name(tag: &str) -> &str {
    tag.split([' ', '\n', '\t']).next().unwrap_or_default().trim_end_matches('/')
}

fn name(tag: &str) -> Result<String> {
    let attribute = |name: &str| {
        let start = format!(" {name}=\"");
        let rest = &tag[tag.find(&start)? + start.len()..];
        Some(unescape(&rest[..rest.find('"')?]))
    };
    match (attribute("classname"), attribute("name")) {
        (Some(class), Some(name)) => Ok(format!("{class}::{name}")),
        _ => Err(format!("a test without a name: <{tag}>")),
    }
}

/// The five entities; numbers are left as they are, for they stand in both the list and the report.
fn unescape(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests;
