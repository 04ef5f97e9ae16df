//! What several nouns of this API share besides the helpers of its head: lists as they are wrapped, parameters that
//! ask for what is not there, words for refusals. Reads and writes nothing.

use std::collections::BTreeMap;

use base::{ApiError, code};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::errors::NOT_SUPPORTED;
use crate::model::Engine;

/// A list as this API wraps it: `{"DBInstance": […]}`.
pub(crate) type List<T> = BTreeMap<&'static str, Vec<T>>;

/// Wraps rows under the name of one.
pub(crate) fn list<T>(name: &'static str, rows: impl IntoIterator<Item = T>) -> List<T> {
    BTreeMap::from([(name, rows.into_iter().collect())])
}

/// A request that names an instance and nothing else.
#[derive(Clone, Deserialize)]
pub(crate) struct Named {
    #[serde(rename = "DBInstanceId")]
    pub(crate) id: String,
}

/// An answer that names an instance.
#[derive(Serialize)]
pub(crate) struct OneId {
    #[serde(rename = "DBInstanceId")]
    pub(crate) id: String,
}

/// A parameter that is not what it should be.
pub(crate) fn invalid(name: &str, message: impl Into<String>) -> ApiError {
    code::INVALID_PARAMETER.error(message).suffix(name)
}

/// What is asked for is not provided here; `what` begins the sentence.
pub(crate) fn not_supported(what: impl std::fmt::Display) -> ApiError {
    NOT_SUPPORTED.error(format!("{what} not provided here."))
}

/// What a request has besides what its action knows: flatten it into the request.
pub(crate) type Rest = BTreeMap<String, Value>;

/// Refuses parameters that would switch on what is not there. `off` has their names, each with the values that ask for
/// nothing; an empty value never asks for anything. Parameters that are not named there say nothing of importance.
pub(crate) fn refuse_unprovided(rest: &Rest, off: &[(&str, &[&str])]) -> Result<(), ApiError> {
    for (name, values) in off {
        let asks = match rest.get(*name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => {
                !text.is_empty() && !values.iter().any(|value| value.eq_ignore_ascii_case(text))
            }
            Some(_) => true,
        };
        if asks {
            return Err(not_supported(format!("What {name} asks for is")));
        }
    }
    Ok(())
}

/// Refuses every moment but this one: nothing waits for a window of maintenance.
pub(crate) fn immediately(name: &str, when: Option<&str>) -> Result<(), ApiError> {
    match when {
        None | Some("" | "Immediate" | "0") => Ok(()),
        Some(_) => Err(not_supported(format!(
            "{name} other than Immediate (the change is made at once) is"
        ))),
    }
}

/// A description: at most 256 characters, none of them a control character.
pub(crate) fn description(name: &str, text: &str) -> Result<(), ApiError> {
    if text.chars().count() > 256 || text.chars().any(char::is_control) {
        return Err(invalid(
            name,
            format!("The specified {name} must have at most 256 characters on one line."),
        ));
    }
    Ok(())
}

/// A name of something that this crate only keeps: a resource group, a virtual network.
pub(crate) fn word(name: &str, text: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if text.len() > 64 || !text.bytes().all(plain) {
        return Err(invalid(name, format!("The specified {name} is not valid.")));
    }
    Ok(())
}

/// Of some words the one that was sent, in any case.
pub(crate) fn one_of(
    name: &str,
    sent: &str,
    words: &[&'static str],
) -> Result<&'static str, ApiError> {
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(sent));
    found.copied().ok_or_else(|| {
        invalid(name, format!("The specified {name} must be one of: {}.", words.join(", ")))
    })
}

/// A version as the API tells it: `17.0`, `10.11`.
pub(crate) fn version(engine: Engine, major: &str) -> String {
    match engine {
        Engine::Postgres => format!("{major}.0"),
        Engine::MariaDb => major.to_owned(),
    }
}

/// The major version that the API's version means: PostgreSQL's `17.0` and `17` are 17.
pub(crate) fn major(engine: Engine, version: &str) -> &str {
    match engine {
        Engine::Postgres => version.strip_suffix(".0").unwrap_or(version),
        Engine::MariaDb => version,
    }
}

/// A major version as numbers, to compare.
pub(crate) fn ordered(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_that_switch_something_on_are_refused() {
        let off: &[(&str, &[&str])] = &[("BurstingEnabled", &["false"]), ("EncryptionKey", &[])];
        let refused = |name: &str, value: Value| {
            let rest = Rest::from([(name.to_owned(), value)]);
            refuse_unprovided(&rest, off).is_err()
        };
        assert!(!refused("BurstingEnabled", "False".into()));
        assert!(refused("BurstingEnabled", "true".into()));
        assert!(!refused("EncryptionKey", "".into()));
        assert!(refused("EncryptionKey", "key".into()));
        assert!(refused("EncryptionKey", serde_json::json!({ "Id": "key" })));
        assert!(!refused("Unheard", "of".into()));
    }

    #[test]
    fn versions_go_to_their_major_and_back() {
        for (engine, told, known) in
            [(Engine::Postgres, "17.0", "17"), (Engine::MariaDb, "10.11", "10.11")]
        {
            assert_eq!((major(engine, told), version(engine, known).as_str()), (known, told));
        }
        assert!(ordered("9.6") < ordered("10"));
        assert!(ordered("10.6") < ordered("10.11"));
    }
}
