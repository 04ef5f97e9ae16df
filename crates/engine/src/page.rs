//! Paging, in the two kinds that the API has: by page number, and by a token.
//!
//! Both sit on keyset queries (`WHERE key > ?1 ORDER BY key LIMIT ?2`); a list is asked for one row
//! more than a page holds, and that row says whether there is another page.

use base::text::{hex, unhex};
use base::{ApiError, code};
use serde::{Deserialize, Deserializer};

/// `MaxResults` and `NextToken` (or `MaxItems` and `Marker`). Flatten it into a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ByToken {
    #[serde(alias = "MaxItems", alias = "MaxResult", default, deserialize_with = "number")]
    max_results: Option<u32>,
    #[serde(alias = "Marker")]
    next_token: Option<String>,
}

impl ByToken {
    /// Whether a page is asked for in this way: for actions that have both.
    pub fn is_asked(&self) -> bool {
        let token = self.next_token.as_deref().is_some_and(|token| !token.is_empty());
        token || self.max_results.is_some()
    }

    /// How many rows a page holds: what was asked for, within `1..=max`, else `default`.
    pub fn limit(&self, default: u32, max: u32) -> Result<usize, ApiError> {
        limit(self.max_results, default, max, "MaxResults")
    }

    /// The key after which the page begins; `None` from the start.
    pub fn after(&self) -> Result<Option<String>, ApiError> {
        let Some(token) = self.next_token.as_deref().filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let bad = || {
            ApiError::new(&code::INVALID_PARAMETER)
                .suffix("NextToken")
                .message("The specified NextToken is not valid.")
        };
        let key = unhex(token).and_then(|key| String::from_utf8(key).ok());
        // A zero byte can be in no key, and the store takes none.
        key.filter(|key| !key.contains('\0')).ok_or_else(bad).map(Some)
    }
}

/// `PageNumber` (from 1) and `PageSize`. Flatten it into a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ByNumber {
    #[serde(default, deserialize_with = "number")]
    page_number: Option<u32>,
    #[serde(default, deserialize_with = "number")]
    page_size: Option<u32>,
}

impl ByNumber {
    /// The page's number, from 1.
    pub fn number(&self) -> u32 {
        self.page_number.unwrap_or(1).max(1)
    }

    /// How many rows a page holds.
    pub fn size(&self, default: u32, max: u32) -> Result<usize, ApiError> {
        limit(self.page_size, default, max, "PageSize")
    }
}

/// A number, or its decimal text: a flattened struct sees parameters as the text they are sent as.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Sent {
        Number(u32),
        Text(String),
    }
    match Option::<Sent>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Sent::Number(number)) => Ok(Some(number)),
        Some(Sent::Text(text)) => text.trim().parse().map(Some).map_err(serde::de::Error::custom),
    }
}

fn limit(asked: Option<u32>, default: u32, max: u32, name: &str) -> Result<usize, ApiError> {
    let asked = asked.unwrap_or(default);
    if asked == 0 || asked > max {
        let message = format!("The specified {name} must be between 1 and {max}.");
        return Err(ApiError::new(&code::INVALID_PARAMETER).suffix(name).message(message));
    }
    Ok(asked as usize)
}

/// One page of a keyset list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, at most a page of them.
    pub rows: Vec<T>,
    /// The token of the next page; `None` on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `rows`, of which `limit + 1` were asked for, to a page. `key` names a row.
    pub fn cut(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| hex(key(row).as_bytes()));
        Self { rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for_by_number_and_by_text_alike_and_within_bounds() {
        let asked = |text: &str| serde_json::from_str::<ByNumber>(text).ok();
        let page = asked(r#"{"PageNumber": "3", "PageSize": 20}"#);
        let page = page.expect("numbers come as numbers and as text");
        assert_eq!((page.number(), page.size(10, 50).ok()), (3, Some(20)));
        let none = ByNumber::default();
        assert_eq!((none.number(), none.size(10, 50).ok()), (1, Some(10)));
        for size in ["0", "51"] {
            let page = asked(&format!(r#"{{"PageSize": "{size}"}}"#)).expect("it is a number");
            let refused = page.size(10, 50).expect_err("it is out of bounds");
            assert_eq!(refused.code(), "InvalidParameter.PageSize");
        }
        assert!(asked(r#"{"PageSize": "many"}"#).is_none());
    }

    #[test]
    fn a_token_goes_round_and_a_made_up_one_is_refused() {
        let page = Page::cut(vec!["a", "b", "c"], 2, |row| (*row).to_owned());
        assert_eq!(page.rows, ["a", "b"]);
        let token = page.next.expect("there is a third");
        let again = ByToken { max_results: None, next_token: Some(token) };
        assert_eq!(again.after().ok(), Some(Some("b".to_owned())));
        assert!(again.is_asked());
        assert!(!ByToken { max_results: None, next_token: Some(String::new()) }.is_asked());
        assert!(ByToken { max_results: Some(1), next_token: None }.is_asked());
        assert_eq!(Page::cut(vec!["a"], 2, |row| (*row).to_owned()).next, None);
        for made_up in ["zz", "6", "00", "ff"] {
            let page = ByToken { max_results: None, next_token: Some(made_up.to_owned()) };
            assert!(page.after().is_err(), "{made_up}");
        }
    }
}
