//! Query strings and form bodies (`application/x-www-form-urlencoded`), both ways.

use base::text::percent_decode;

/// The decoded pairs, in the order in which they were sent. `+` and `%20` both mean a space. Bytes
/// that are not UTF-8 after decoding become U+FFFD, so that such a signature cannot match.
pub fn parse(raw: &str) -> Vec<(String, String)> {
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

fn decode(text: &str) -> String {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return text.to_owned();
    }
    let bytes = percent_decode(text, true);
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The pairs as a query or form body: keys and values percent-encoded, in the order given.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    join(pairs, push_encoded)
}

/// As [`encode`], but with the keys as they are: how the SDKs write a canonical query for ACS3.
pub fn encode_values<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    join(pairs, |out, key| out.push_str(key))
}

fn join<'a>(
    pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    push_key: fn(&mut String, &str),
) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        push_key(&mut out, key);
        out.push('=');
        push_encoded(&mut out, value);
    }
    out
}

/// Appends the text percent-encoded, as `base::text::percent_encode` has it, without an allocation
/// of its own: signing encodes every value of every request.
pub fn push_encoded(out: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// True where encoding the text would not change it.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(is_unreserved)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_of_a_value_has_one_canonical_form() {
        let canonical = "Value=w%C3%A9b%20%28a%29%2A%27%21~";
        for raw in ["w%C3%A9b+(a)*'!~", "w%c3%a9b%20%28a%29%2A%27%21%7E", "wéb%20(a)*%27!~"] {
            let raw = format!("Value={raw}");
            let pairs = parse(&raw);
            assert_eq!(
                encode(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))),
                canonical,
                "{raw}"
            );
        }
    }

    #[test]
    fn only_the_first_equals_sign_parts_a_pair() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(parse("a=b=c&&d&=e"), [pair("a", "b=c"), pair("d", ""), pair("", "e")]);
    }

    proptest! {
        #[test]
        fn pairs_come_back(pairs in proptest::collection::vec((".+", ".*"), 0..8)) {
            let encoded = encode(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            prop_assert_eq!(parse(&encoded), pairs);
        }

        #[test]
        fn encoding_is_that_of_base(text: String) {
            let mut out = String::new();
            push_encoded(&mut out, &text);
            prop_assert_eq!(is_plain(&text), out == text);
            prop_assert_eq!(out, base::text::percent_encode(&text));
        }
    }
}
