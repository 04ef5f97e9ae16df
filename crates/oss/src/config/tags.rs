//! Which characters the tags of objects may have in OSS. Those of buckets may have any.

use base::ApiError;
use wire::object::{Dialect, error};

const MARKS: &str = "+-=._:/ ";

/// Requires letters and digits of any script, spaces and `+ - = . _ : /` in keys and values. S3 takes more.
///
/// Errors: `InvalidTag`.
pub(crate) fn check_characters(
    tags: &[(String, String)],
    dialect: Dialect,
) -> Result<(), ApiError> {
    let known = |c: char| c.is_alphanumeric() || MARKS.contains(c);
    let fits = |text: &str| text.chars().all(known);
    if dialect == Dialect::Oss && !tags.iter().all(|(key, value)| fits(key) && fits(value)) {
        return Err(ApiError::new(&error::INVALID_TAG));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_oss_has_letters_digits_and_few_marks() {
        let check = |key: &str, value: &str, dialect| {
            check_characters(&[(key.to_owned(), value.to_owned())], dialect).is_ok()
        };
        assert!(check("kota 1", "a+b-c=d.e_f:g/h", Dialect::Oss));
        assert!(check("标签", "", Dialect::Oss));
        for (key, value) in [("%@abc", "abc"), ("a", "%abc"), ("a&b", ""), ("a", ")")] {
            assert!(!check(key, value, Dialect::Oss), "{key}={value}");
            assert!(check(key, value, Dialect::S3), "{key}={value}");
        }
    }
}
