//! Characters that deceive a reader, and how a program shows them: as escapes that everybody sees. Whoever
//! prints or publishes words of a party (`cli`, `portal`) shows them through here. What a document may
//! hold at all, and which characters those are, is decided in [`crate::text`], not here.

use std::borrow::Cow;

use crate::text::deceives;

/// Line feeds too: one line of words must stay one line.
fn hides(c: char) -> bool {
    c == '\n' || deceives(c)
}

/// The text with every line feed and every character that [`deceives`] written as `\uXXXX`. Inside a JSON string that is the
/// same character still, so a JSON text that was escaped so says what it said.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hides(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_seen_is_written_as_an_escape() {
        for (text, shown) in [
            ("PT Awan – Jakarta, 日本, Ünal", "PT Awan – Jakarta, 日本, Ünal"),
            ("a\u{202e}b\u{2066}c", "a\\u202eb\\u2066c"),
            ("a\nb\tc\u{1b}[2J\u{9b}d", "a\\u000ab\\u0009c\\u001b[2J\\u009bd"),
            (
                "\u{61c}\u{200b}\u{200f}\u{2028}\u{2029}\u{2060}\u{feff}",
                "\\u061c\\u200b\\u200f\\u2028\\u2029\\u2060\\ufeff",
            ),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_deceives_is_left_and_json_says_the_same(text: String) {
            let json = serde_json::to_string(&text).expect("text has a JSON form");
            let shown = visible(&json);
            prop_assert!(!shown.contains(hides));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).expect("it is JSON still"), text);
        }
    }
}
