//! Amounts of money for people: whole micro-units of a currency as decimal text. Nothing is rounded.

/// Micro-units in one unit of a currency.
const MICRO: u128 = 1_000_000;

/// An amount as `IDR 1,234.5678`: every digit that is not zero, at least two after the point.
pub(crate) fn money(micro: i128, currency: &str) -> String {
    format!("{currency} {}", decimal(micro, ',', '.'))
}

/// An amount without its currency, in the given marks for thousands and decimals.
pub(crate) fn decimal(micro: i128, thousands: char, point: char) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let (whole, rest) = (micro.unsigned_abs() / MICRO, micro.unsigned_abs() % MICRO);
    let whole = grouped(whole, thousands);
    let rest = format!("{rest:06}");
    let shown = rest.trim_end_matches('0');
    let shown = if shown.len() < 2 { &rest[..2] } else { shown };
    format!("{sign}{whole}{point}{shown}")
}

/// A whole number with its thousands set apart.
pub(crate) fn grouped(number: u128, mark: char) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_amount_shows_every_digit_that_counts() {
        for (micro, text) in [
            (0, "IDR 0.00"),
            (1, "IDR 0.000001"),
            (1_234_567_500_000, "IDR 1,234,567.50"),
            (-42, "IDR -0.000042"),
            (999_999_999, "IDR 999.999999"),
            (i128::MIN, "IDR -170,141,183,460,469,231,731,687,303,715,884.105728"),
        ] {
            assert_eq!(money(micro, "IDR"), text);
        }
        assert_eq!(decimal(1_234_567_500_000, '.', ','), "1.234.567,50");
    }

    proptest! {
        #[test]
        fn the_text_is_the_amount(micro: i128) {
            let text = decimal(micro, '_', '.').replace('_', "");
            let (whole, rest) = text.split_once('.').expect("there is a point");
            let padded = format!("{whole}{rest:0<6}");
            prop_assert_eq!(padded.parse::<i128>().ok(), Some(micro));
        }
    }
}
