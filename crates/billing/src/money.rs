//! Amounts as text and numbers. Inside, money is an integer of micro-units and nothing else.

use serde_json::Number;

const MICRO: i128 = 1_000_000;

/// The exact decimal form of micro-units, without needless zeros: `12.5`.
pub fn decimal(micros: impl Into<i128>) -> String {
    ratio(micros.into(), MICRO, 6)
}

/// A JSON number with the exact decimal value. JSON's readers take numbers for doubles: up to fifteen
/// digits all of them are kept; beyond, it is the nearest double. Whole amounts are always exact here.
pub fn number(micros: impl Into<i128>) -> Number {
    decimal(micros).parse().expect("digits with at most one point are a JSON number")
}

/// `quantity / size` to so many decimal places, the rest cut off, without needless zeros.
pub fn ratio(quantity: i128, size: i128, places: usize) -> String {
    let size = size.max(1).unsigned_abs();
    let sign = if quantity < 0 { "-" } else { "" };
    let (whole, mut rest) = (quantity.unsigned_abs() / size, quantity.unsigned_abs() % size);
    let mut digits = String::new();
    for _ in 0..places {
        rest *= 10;
        digits.push(char::from(b'0' + u8::try_from(rest / size).unwrap_or(9)));
        rest %= size;
    }
    let digits = digits.trim_end_matches('0');
    match (digits, whole) {
        ("", 0) => "0".to_owned(),
        ("", _) => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{digits}"),
    }
}

/// Reads a decimal with at most six places as millionths; no sign, no exponent.
pub fn parse(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: i64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_written_exactly() {
        for (micros, text) in [
            (0, "0"),
            (1, "0.000001"),
            (-1, "-0.000001"),
            (12_500_000, "12.5"),
            (-7_000_000, "-7"),
            (123_456_789_123_456_i64, "123456789.123456"),
        ] {
            assert_eq!(decimal(micros), text);
            let number = number(micros).to_string();
            assert_eq!(number.parse::<f64>().ok(), text.parse::<f64>().ok());
        }
        assert_eq!(decimal(i128::from(i64::MIN)), "-9223372036854.775808");
        assert_eq!(ratio(2, 3, 4), "0.6666");
        assert_eq!(ratio(i128::MAX, 1, 2), i128::MAX.to_string());
    }

    #[test]
    fn what_is_no_amount_is_not_read_as_one() {
        for text in ["", ".5", "5.", "-1", "+1", "1e3", "0.0000001", "9999999999999", "1,5", "٣"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("0.5"), Some(500_000));
        assert_eq!(parse("9223372036854.775807"), Some(i64::MAX));
    }

    proptest! {
        #[test]
        fn every_amount_goes_round(micros in 0..=i64::MAX) {
            prop_assert_eq!(parse(&decimal(micros)), Some(micros));
        }

        #[test]
        fn any_text_is_taken_without_panic(text: String) {
            let _ = parse(&text);
        }
    }
}
