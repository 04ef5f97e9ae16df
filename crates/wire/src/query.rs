//! Query strings and form bodies (`application/x-www-form-urlencoded`), both ways.

use base::text::{percent_decode, percent_encode};

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
    let bytes = percent_decode(text, true);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The pairs as a query or form body: keys and values percent-encoded, in the order given.
pub fn encode<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&percent_encode(key));
        out.push('=');
        out.push_str(&percent_encode(value));
    }
    out
}
