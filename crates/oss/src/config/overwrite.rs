//! Which objects of a bucket may not be overwritten, and by whom (OSS): they are written once.
//!
//! Not here: refusing it (`ops::overwrite`).

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};

use super::{Config, at_most, checked, invalid, malformed, repeats, root, word, words};
use crate::ops::Document;

const RULES_MAX: usize = 100;
const TEXT_BYTES_MAX: usize = 1023;
const ID_CHARS_MAX: usize = 255;
/// All that can be forbidden, and nothing else can be asked for.
const FORBID: &str = "forbid";

/// The rules of a bucket; each forbids on its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Overwrite {
    pub(crate) rules: Vec<Rule>,
}

/// The objects that a rule is about, and whom it forbids to overwrite them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) prefix: Option<String>,
    pub(crate) suffix: Option<String>,
    /// Numbers of accounts, users and roles, or `*`; nobody may where there is none.
    pub(crate) principals: Vec<String>,
}

impl Overwrite {
    /// Whether one who has these numbers may not overwrite the object of that key.
    pub(crate) fn forbids(&self, key: &str, whose: &[&str]) -> bool {
        self.rules.iter().any(|rule| rule.is_about(key) && rule.names(whose))
    }
}

impl Rule {
    fn is_about(&self, key: &str) -> bool {
        self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
            && self.suffix.as_ref().is_none_or(|suffix| key.ends_with(suffix.as_str()))
    }

    fn names(&self, whose: &[&str]) -> bool {
        let named = |one: &String| one == "*" || whose.contains(&one.as_str());
        self.principals.is_empty() || self.principals.iter().any(named)
    }
}

impl Config for Overwrite {
    const DOCUMENT: Document = Document::Overwrite;

    /// Errors: `MalformedXML`; `InvalidArgument` for more than there may be, and for IDs that are not unique.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "OverwriteConfiguration", SMALL_BYTES_MAX)?;
        let rules = element.all("Rule").enumerate().map(|(at, rule)| read(rule, at, dialect));
        let rules: Vec<Rule> = rules.collect::<Result<_, ApiError>>()?;
        if rules.is_empty() || rules.len() > RULES_MAX {
            return Err(malformed(format!("There must be 1 to {RULES_MAX} rules.")));
        }
        if repeats(rules.iter().map(|rule| rule.id.as_str())) {
            return Err(invalid(dialect, "Two rules have the same ID."));
        }
        Ok(Self { rules })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("OverwriteConfiguration", dialect);
        for rule in &self.rules {
            xml.open("Rule").text("ID", &rule.id).text("Action", FORBID);
            xml.text_opt("Prefix", rule.prefix.as_deref());
            xml.text_opt("Suffix", rule.suffix.as_deref());
            if !rule.principals.is_empty() {
                xml.open("Principals");
                for principal in &rule.principals {
                    xml.text("Principal", principal);
                }
                xml.close();
            }
            xml.close();
        }
        xml.finish()
    }
}

fn read(element: &Element<'_>, at: usize, dialect: Dialect) -> Result<Rule, ApiError> {
    if element.word_of("Action") != Some(FORBID) {
        return Err(malformed("The Action of a rule is forbid."));
    }
    // Not trimmed: white space is a part of keys.
    let text = |name: &str| {
        let text = element.text_of(name).filter(|text| !text.is_empty());
        text.map(|text| at_most(checked(text, name)?, TEXT_BYTES_MAX, name, dialect)).transpose()
    };
    let id = word(element, "ID")?.unwrap_or_else(|| format!("rule-{}", at + 1));
    if id.chars().count() > ID_CHARS_MAX {
        return Err(invalid(dialect, format!("An ID is longer than {ID_CHARS_MAX} characters.")));
    }
    let principals = element.child("Principals").map(|all| words(all, "Principal"));
    Ok(Rule {
        id,
        prefix: text("Prefix")?,
        suffix: text("Suffix")?,
        principals: principals.transpose()?.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn parse(inside: &str) -> Result<Overwrite, ApiError> {
        let body = format!("<OverwriteConfiguration>{inside}</OverwriteConfiguration>");
        Overwrite::parse(body.as_bytes(), Dialect::Oss)
    }

    #[test]
    fn a_rule_forbids_those_it_names_or_all() {
        let rules = parse(
            "<Rule><Action>forbid</Action><Prefix>a/</Prefix><Suffix>.txt</Suffix>
                <Principals><Principal>111</Principal></Principals></Rule>
             <Rule><Action>forbid</Action><Prefix>b/</Prefix></Rule>",
        )
        .unwrap();
        assert_eq!(rules.rules[0].id, "rule-1");
        assert!(rules.forbids("a/x.txt", &["111", "9"]));
        assert!(!rules.forbids("a/x.txt", &["9"]));
        assert!(!rules.forbids("a/x.jpg", &["111"]));
        assert!(rules.forbids("b/x", &[]));
        assert!(!rules.forbids("c/x.txt", &["111"]));
        let all = parse(
            "<Rule><Action>forbid</Action><Principals><Principal>*</Principal></Principals></Rule>",
        );
        assert!(all.unwrap().forbids("any", &[]));
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let twice = "<Rule><ID>a</ID><Action>forbid</Action></Rule>".repeat(2);
        let long = format!(
            "<Rule><Action>forbid</Action><Prefix>{}</Prefix></Rule>",
            "x".repeat(TEXT_BYTES_MAX + 1)
        );
        for (inside, code) in [
            ("", "MalformedXML"),
            ("<Rule/>", "MalformedXML"),
            ("<Rule><Action>allow</Action></Rule>", "MalformedXML"),
            (twice.as_str(), "InvalidArgument"),
            (long.as_str(), "InvalidArgument"),
        ] {
            assert_eq!(parse(inside).unwrap_err().code(), code, "{inside:.60}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_told_so_that_it_reads_the_same(
            inside in prop::collection::vec(prop::sample::select(vec![
                "<Rule><Action>forbid</Action></Rule>",
                "<Rule><ID>a</ID><Action>forbid</Action><Prefix> x</Prefix></Rule>",
                "<Rule><Action>forbid</Action><Suffix>.y</Suffix><Principals/></Rule>",
                "<Rule><Action>forbid</Action><Principals><Principal>1</Principal></Principals></Rule>",
            ]), 1..4),
        ) {
            if let Ok(read) = parse(&inside.concat()) {
                let told = read.render(Dialect::Oss);
                prop_assert_eq!(Overwrite::parse(&told, Dialect::Oss).unwrap(), read);
            }
        }

        #[test]
        fn no_body_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Overwrite::parse(&body, Dialect::Oss);
        }
    }
}
