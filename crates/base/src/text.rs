//! Small text forms that several crates write: hexadecimal and percent-encoding.

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    hex_with(bytes, b"0123456789abcdef")
}

/// Upper-case hexadecimal.
pub fn hex_upper(bytes: &[u8]) -> String {
    hex_with(bytes, b"0123456789ABCDEF")
}

fn hex_with(bytes: &[u8], digits: &[u8; 16]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(digits[usize::from(byte >> 4)]));
        out.push(char::from(digits[usize::from(byte & 15)]));
    }
    out
}

/// The bytes of a hexadecimal text of either case, or `None` where it is not one.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    digits.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?)).collect()
}

/// Percent-encodes all but `A-Z a-z 0-9 - _ . ~` (RFC 3986 unreserved), upper-case hexadecimal.
pub fn percent_encode(text: impl AsRef<[u8]>) -> String {
    percent_encode_keeping(text, b"")
}

/// As [`percent_encode`], but leaves the bytes of `keep` as they are (for example `b"/"`).
pub fn percent_encode_keeping(text: impl AsRef<[u8]>, keep: &[u8]) -> String {
    let bytes = text.as_ref();
    let mut out = String::with_capacity(bytes.len() + 16);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex_upper(&[byte]));
        }
    }
    out
}

/// Decodes `%XX`; a stray `%` stays as it is. `plus_is_space` is for queries and forms.
pub fn percent_decode(text: &str, plus_is_space: bool) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped =
            (bytes[at] == b'%').then(|| text.get(at + 1..at + 3).and_then(unhex)).flatten();
        match escaped {
            Some(decoded) => {
                out.extend_from_slice(&decoded);
                at += 3;
            }
            None => {
                out.push(if plus_is_space && bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn percent_encoding_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(percent_decode(&percent_encode(&bytes), true), bytes);
        }

        #[test]
        fn hexadecimal_comes_back(bytes: Vec<u8>) {
            prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(unhex(&hex_upper(&bytes)), Some(bytes));
        }

        #[test]
        fn decoding_takes_any_text(text: String) {
            percent_decode(&text, true);
            unhex(&text);
        }
    }
}
