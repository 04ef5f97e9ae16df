//! One entry of the log as its writer states it: `{"v":1,"at":…,"action":…,"outcome":…,"commitment":…}`
//! and, where something is public about it, the facts.
//!
//! Reading is lenient: fields that this version does not know are passed over, and an entry that is
//! not of this form is counted, never fatal. What the facts mean is [`crate::model`]'s part.

use std::fmt;

use base::Time;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

/// The form of leaf that is read.
const VERSION: u64 = 1;
/// What a leaf says as the outcome of an accomplished change.
pub const DONE: &str = "OK";

/// The outcome of a request that got an earlier one's answer: nothing was done, and nothing refused.
pub const REPEAT: &str = "Repeat";
/// The longest text of a fact that is kept, in characters; a reason is a sentence, not a book.
const TEXT_CHARS_MAX: usize = 500;

/// What one entry says in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// When, to the second.
    pub at: Time,
    /// `product:Action`.
    pub action: String,
    /// [`DONE`], or the code of the refusal.
    pub outcome: String,
    /// The facts; empty ones where there are none.
    pub facts: Facts,
}

/// Everything that facts may say. Which of it is there depends on the action.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are the words of the log's own format, one for one")]
pub struct Facts {
    pub tenant: Option<Text>,
    pub class: Option<Text>,
    pub placed: Vec<Placed>,
    pub wanted: Vec<Spot>,
    pub ocid: Option<Text>,
    pub release: Option<Text>,
    pub tag: Option<Text>,
    pub document: Option<Text>,
    pub signatures: Option<Text>,
    pub site: Option<Text>,
    pub zone: Option<Text>,
    pub country: Option<Text>,
    pub city: Option<Text>,
    pub operator: Option<Text>,
    pub owner: Option<Text>,
    pub permit: Option<Text>,
    pub permit_until: Option<Text>,
    pub certificates: Vec<Text>,
    pub access: Option<Text>,
    pub reason: Option<Text>,
    pub until: Option<Text>,
    pub day: Option<Text>,
    pub role: Option<Text>,
    pub key: Option<Text>,
}

/// By how much the number of things at one place changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are the words of the log's own format, one for one")]
pub struct Placed {
    pub site: Text,
    pub country: Text,
    pub objects: i64,
    pub parts: i64,
    pub instances: i64,
}

/// A place that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields are the words of the log's own format, one for one")]
pub struct Spot {
    pub site: Text,
    pub country: Text,
}

/// A text of bounded length, on one line and without characters that deceive a reader: those are kept as
/// escapes ([`terms::visible`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Box<str>);

impl Text {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let end = text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(at, _)| at);
        Self(terms::visible(&text[..end]).into())
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Cut;
        impl Visitor<'_> for Cut {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }
        }
        from.deserialize_str(Cut)
    }
}

/// What the reader of the log needs to know of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// An accomplished change about which nothing is public: a commitment and no more.
    Plain,
    /// It says something: facts, or a refusal.
    Says(Box<Leaf>),
    /// Not an entry of this form.
    Unknown,
}

#[derive(Deserialize)]
struct Wire<'a> {
    v: u64,
    at: &'a str,
    action: String,
    outcome: String,
    #[serde(default)]
    public: Facts,
}

/// Reads an entry. Most of a log says nothing in public; that is seen without parsing it.
pub fn read(entry: &[u8]) -> Read {
    let Ok(text) = str::from_utf8(entry) else { return Read::Unknown };
    let done = text.contains(r#""outcome":"OK""#);
    if done && !text.contains(r#""public""#) {
        return if text.starts_with(r#"{"v":1,"#) { Read::Plain } else { Read::Unknown };
    }
    let leaf = serde_json::from_str::<Wire<'_>>(text).ok().filter(|wire| wire.v == VERSION);
    let leaf = leaf.and_then(|wire| {
        Some(Leaf {
            at: Time::parse_iso(wire.at)?,
            action: wire.action,
            outcome: wire.outcome,
            facts: wire.public,
        })
    });
    leaf.map_or(Read::Unknown, |leaf| Read::Says(Box::new(leaf)))
}

#[cfg(test)]
mod tests;
