//! Callbacks that a bucket keeps under names (OSS), so that requests need only name one.
//!
//! What a callback says is read where it is made (`http::callback`).

use base::ApiError;
use serde::{Deserialize, Serialize};
use wire::object::Dialect;
use wire::object::body::SMALL_BYTES_MAX;
use wire::object::xml::{self, Element};

use super::{Config, at_most, checked, invalid, malformed, repeats, root, word};
use crate::ops::Document;

const POLICIES_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 64;
/// The longest of a policy's two texts, bytes of Base64.
const TEXT_BYTES_MAX: usize = 5 << 10;

/// The callbacks of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Callbacks {
    pub(crate) policies: Vec<Policy>,
}

/// A callback under a name: both texts are the Base64 of JSON, as in a request's headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) callback: String,
    /// Empty for none.
    pub(crate) vars: String,
}

impl Callbacks {
    /// The callback of that name.
    pub(crate) fn named(self, name: &str) -> Option<Policy> {
        self.policies.into_iter().find(|policy| policy.name == name)
    }
}

impl Config for Callbacks {
    const DOCUMENT: Document = Document::Callbacks;

    /// Errors: `MalformedXML`; `InvalidArgument` for more than there may be, and for a name that comes twice.
    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        let element = xml::read(body, "BucketCallbackPolicy", SMALL_BYTES_MAX)?;
        let policies = element.all("PolicyItem").map(|item| read(item, dialect));
        let policies: Vec<Policy> = policies.collect::<Result<_, ApiError>>()?;
        if policies.len() > POLICIES_MAX {
            return Err(invalid(dialect, format!("There are more than {POLICIES_MAX} policies.")));
        }
        if repeats(policies.iter().map(|policy| policy.name.as_str())) {
            return Err(invalid(dialect, "Two policies have the same name."));
        }
        Ok(Self { policies })
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        let mut xml = root("BucketCallbackPolicy", dialect);
        for policy in &self.policies {
            xml.open("PolicyItem").text("PolicyName", &policy.name);
            xml.text("Callback", &policy.callback).text("CallbackVar", &policy.vars).close();
        }
        xml.finish()
    }
}

fn read(element: &Element<'_>, dialect: Dialect) -> Result<Policy, ApiError> {
    let name = word(element, "PolicyName")?
        .ok_or_else(|| malformed("A policy must have a PolicyName."))?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(invalid(
            dialect,
            format!("A name is longer than {NAME_CHARS_MAX} characters."),
        ));
    }
    let text = |name: &str| {
        let text = checked(element.word_of(name).unwrap_or_default(), name)?;
        at_most(text, TEXT_BYTES_MAX, name, dialect)
    };
    let callback = text("Callback")?;
    if callback.is_empty() {
        return Err(malformed("A policy must have a Callback."));
    }
    Ok(Policy { name, callback, vars: text("CallbackVar")? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn parse(inside: &str) -> Result<Callbacks, ApiError> {
        let body = format!("<BucketCallbackPolicy>{inside}</BucketCallbackPolicy>");
        Callbacks::parse(body.as_bytes(), Dialect::Oss)
    }

    #[test]
    fn policies_have_names_of_their_own() {
        let one = |name: &str| {
            format!(
                "<PolicyItem><PolicyName>{name}</PolicyName><Callback>e30=</Callback></PolicyItem>"
            )
        };
        let read = parse(&[one("a"), one("b")].concat()).unwrap();
        assert_eq!(read.clone().named("b").unwrap().callback, "e30=");
        assert_eq!(read.named("c"), None);
        assert_eq!(parse("").unwrap(), Callbacks::default());
        assert_eq!(parse(&one("a").repeat(2)).unwrap_err().code(), "InvalidArgument");
        let nameless = "<PolicyItem><Callback>e30=</Callback></PolicyItem>";
        assert_eq!(parse(nameless).unwrap_err().code(), "MalformedXML");
        let empty = "<PolicyItem><PolicyName>a</PolicyName></PolicyItem>";
        assert_eq!(parse(empty).unwrap_err().code(), "MalformedXML");
    }

    proptest! {
        #[test]
        fn what_is_read_is_told_so_that_it_reads_the_same(
            name in "[a-z&<]{1,5}", callback in "[a-zA-Z=]{1,9}", vars in "[a-z]{0,4}",
        ) {
            let kept = Callbacks { policies: vec![Policy { name, callback, vars }] };
            let told = kept.render(Dialect::Oss);
            prop_assert_eq!(Callbacks::parse(&told, Dialect::Oss).unwrap(), kept);
        }

        #[test]
        fn no_body_breaks_the_reader(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Callbacks::parse(&body, Dialect::Oss);
        }
    }
}
