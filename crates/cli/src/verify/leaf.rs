//! An entry of this cloud's log: what it says in clear, and the commitment to what it does not say.

use base::Time;
use base::text::unhex;
use serde::Deserialize;
use serde_json::{Map, Value};
use terms::canonical::sha256;

/// What a leaf says as its outcome where the change was done.
pub(crate) const DONE: &str = "OK";

/// One entry. Fields that are not named here are later additions, and leave the rest as it is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Leaf {
    v: u32,
    at: String,
    /// Product and action, as `oss:PutObject`.
    pub action: String,
    /// [`DONE`], the code of the refusal, or `Repeat` where a client token got an earlier answer and nothing was done.
    pub outcome: String,
    /// Hex SHA-256(salt ‖ statement).
    pub commitment: String,
    /// The facts in clear.
    #[serde(default)]
    pub public: Map<String, Value>,
}

impl Leaf {
    /// Reads an entry.
    ///
    /// # Errors
    /// In words, why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let leaf: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no leaf: {error}"))?;
        if leaf.v != 1 {
            return Err(format!("it is a leaf of form {}, and form 1 is known", leaf.v));
        }
        if Time::parse_iso(&leaf.at).is_none() {
            return Err(format!("\"{}\" is not a time", leaf.at));
        }
        Ok(leaf)
    }

    /// When, to the second.
    pub fn at(&self) -> Time {
        Time::parse_iso(&self.at).expect("it was read when the leaf was parsed")
    }

    /// Whether the change was done, and not refused.
    pub fn is_done(&self) -> bool {
        self.outcome == DONE
    }

    /// A fact that is text; empty where it is not stated.
    pub fn fact(&self, key: &str) -> &str {
        self.public.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a statement and its salt (hexadecimal) are what the leaf commits to.
    pub fn is_opened_by(&self, statement: &str, salt: &str) -> bool {
        let Some(mut bytes) = unhex(salt) else { return false };
        bytes.extend_from_slice(statement.as_bytes());
        self.commitment == sha256(&bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use base::text::hex;
    use proptest::prelude::*;
    use ring::digest::{SHA256, digest};

    const LEAF: &str = r#"{"v":1,"at":"2026-11-22T01:02:03Z","action":"oss:PutObject","outcome":"OK","commitment":"c","public":{"tenant":"1"}}"#;

    #[test]
    fn a_leaf_says_what_was_done_when_and_to_whom() {
        let leaf = Leaf::parse(LEAF.as_bytes()).unwrap();
        assert_eq!((leaf.at().iso().as_str(), leaf.is_done()), ("2026-11-22T01:02:03Z", true));
        assert_eq!((leaf.fact("tenant"), leaf.fact("site")), ("1", ""));
        for (from, to) in [("\"v\":1", "\"v\":2"), ("2026-11", "2026-13"), ("action", "deed")] {
            assert!(Leaf::parse(LEAF.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn only_its_own_statement_and_salt_open_a_leaf() {
        let commitment = hex(digest(&SHA256, b"\x00\xffsaid").as_ref());
        let leaf = LEAF.replace("\"c\"", &format!("\"{commitment}\""));
        let leaf = Leaf::parse(leaf.as_bytes()).unwrap();
        assert!(leaf.is_opened_by("said", "00ff"));
        for (statement, salt) in [("sand", "00ff"), ("said", "00fe"), ("said", "xx"), ("said", "")]
        {
            assert!(!leaf.is_opened_by(statement, salt), "{statement} {salt}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_without_panic(bytes: Vec<u8>) {
            let _ = Leaf::parse(&bytes).map(|leaf| leaf.at());
        }
    }
}
