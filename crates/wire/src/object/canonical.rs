//! The canonical text forms that several signatures share: percent-encoding, query pairs and header
//! lines. Nothing here knows a secret.

use std::borrow::Cow;

use base::Time;
use base::text::percent_decode;
use http::HeaderMap;

/// True for the bytes that no signature encodes (RFC 3986, section 2.3).
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// Appends `bytes` percent-encoded with upper-case hexadecimal. `keep` is left as it is besides the
/// unreserved characters.
pub(super) fn push_encoded(out: &mut Vec<u8>, bytes: &[u8], keep: Option<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if is_unreserved(byte) || Some(byte) == keep {
            out.push(byte);
        } else {
            out.extend_from_slice(&[
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
    }
}

/// A path as sent, decoded and encoded once, which is how S3 signs it. Borrowed where that changes
/// nothing, which is the case for every common client.
pub(super) fn recode_path(path: &str) -> Cow<'_, [u8]> {
    if is_canonical(path.as_bytes(), Some(b'/')) {
        return Cow::Borrowed(path.as_bytes());
    }
    let mut out = Vec::with_capacity(path.len() + 16);
    push_encoded(&mut out, &percent_decode(path, false), Some(b'/'));
    Cow::Owned(out)
}

fn is_canonical(text: &[u8], keep: Option<u8>) -> bool {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if is_unreserved(byte) || Some(byte) == keep {
            at += 1;
        } else if let Some(&[b'%', high, low]) = text.get(at..at + 3) {
            let upper = |digit: u8| digit.is_ascii_digit() || (b'A'..=b'F').contains(&digit);
            let value =
                |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'A' + 10 };
            if !upper(high) || !upper(low) {
                return false;
            }
            let decoded = value(high) << 4 | value(low);
            if is_unreserved(decoded) || Some(decoded) == keep {
                return false;
            }
            at += 3;
        } else {
            return false;
        }
    }
    true
}

/// How a parameter without a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    /// `acl`: the OSS signatures.
    Bare,
    /// `acl=`: Signature Version 4 of S3.
    Equals,
}

/// The decoded pairs of a query. Decoded text is borrowed from the query where it can be.
pub(super) struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    pub(super) fn parse(raw: &'a str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of that name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// Appends the pairs but `skip`, encoded and sorted by their encoded form. True if there was any.
    pub(super) fn push(&self, out: &mut Vec<u8>, skip: &str, empty: Empty) -> bool {
        let mut pairs: Vec<_> = self
            .iter()
            .filter(|(key, _)| *key != skip)
            .map(|(key, value)| (encode(key), encode(value)))
            .collect();
        pairs.sort_unstable();
        for (at, (key, value)) in pairs.iter().enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            out.extend_from_slice(key);
            if empty == Empty::Equals || !value.is_empty() {
                out.push(b'=');
            }
            out.extend_from_slice(value);
        }
        !pairs.is_empty()
    }
}

/// The pairs of a query as sent, sorted but neither decoded nor encoded, without the one called
/// `skip`; `name=` where a value is missing.
pub(super) fn push_raw_query(out: &mut Vec<u8>, raw: &str, skip: &str) {
    let mut pairs: Vec<_> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(key, _)| *key != skip)
        .collect();
    pairs.sort_unstable();
    for (at, (key, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        out.extend_from_slice(key.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value.as_bytes());
    }
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Cow::Borrowed(text);
    }
    let bytes = percent_decode(text, true);
    Cow::Owned(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn encode(text: &str) -> Cow<'_, [u8]> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len() + 16);
    push_encoded(&mut out, text.as_bytes(), None);
    Cow::Owned(out)
}

/// Appends `name:value\n` for each header that `wanted` takes, sorted by name. Several values of one
/// name are joined by commas.
pub(super) fn push_headers(out: &mut Vec<u8>, headers: &HeaderMap, wanted: impl Fn(&str) -> bool) {
    let mut names: Vec<&str> =
        headers.keys().map(http::HeaderName::as_str).filter(|name| wanted(name)).collect();
    names.sort_unstable();
    for name in names {
        push_header(out, headers, name, |out, value| out.extend_from_slice(value));
    }
}

/// As [`push_headers`], for a list of names, each with its runs of white space made one space.
pub(super) fn push_listed_headers(out: &mut Vec<u8>, headers: &HeaderMap, names: &str) {
    for name in names.split(';') {
        push_header(out, headers, name, |out, value| {
            let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            for (at, word) in words.enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(word);
            }
        });
    }
}

fn push_header(
    out: &mut Vec<u8>,
    headers: &HeaderMap,
    name: &str,
    push: impl Fn(&mut Vec<u8>, &[u8]),
) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    for (at, value) in headers.get_all(name).iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push(out, value.as_bytes().trim_ascii());
    }
    out.push(b'\n');
}

/// Appends the header's first value and a line end; only the line end where it is missing.
pub(super) fn push_line(out: &mut Vec<u8>, value: Option<&http::HeaderValue>) {
    out.extend_from_slice(value.map_or(&b""[..], |value| value.as_bytes().trim_ascii()));
    out.push(b'\n');
}

/// Reads the date forms that clients send in `Date`, `x-oss-date` and `x-amz-date`. Nothing before
/// 1970 is a date of a request.
pub(super) fn parse_date(text: &str) -> Option<Time> {
    let parsed = Time::parse_compact(text).or_else(|| Time::parse_http(text)).or_else(|| {
        // The last of them is what mail calls a time of no place in particular; Python's library writes it.
        let bare = ["+0000", "UTC", "-0000"].iter().find_map(|zone| text.strip_suffix(zone))?;
        Time::parse_http(&format!("{bare}GMT"))
    });
    parsed.or_else(|| Time::parse_iso(text)).filter(|time| time.secs() >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_every_form_that_clients_write_it_in() {
        let moment = Time::from_secs(1_767_323_045);
        for zone in ["GMT", "UTC", "+0000", "-0000"] {
            let text = format!("Fri, 02 Jan 2026 03:04:05 {zone}");
            assert_eq!(parse_date(&text), Some(moment), "{text}");
        }
        assert_eq!(parse_date("20260102T030405Z"), Some(moment));
        assert_eq!(parse_date("Fri, 02 Jan 2026 03:04:05 -0700"), None);
        assert_eq!(parse_date("Wed, 31 Dec 1969 23:59:59 GMT"), None);
    }
}
