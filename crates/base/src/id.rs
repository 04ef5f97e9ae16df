//! Identifiers that cross crate borders.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Time;
use crate::rng::Rng;
use crate::text::hex_upper;

/// A tenant. Sixteen decimal digits, as Alibaba account identifiers are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(u64);

impl AccountId {
    /// Draws a new account identifier (first digit 1 to 9, so that no leading zero can be lost).
    pub fn random(rng: &dyn Rng) -> Self {
        const LOW: u64 = 1_000_000_000_000_000;
        Self(LOW + u64::from_le_bytes(rng.bytes()) % (9 * LOW))
    }

    /// From its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, for storage.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// As stored in an integer column.
    pub const fn to_i64(self) -> i64 {
        self.0.cast_signed()
    }

    /// Back from an integer column.
    pub const fn from_i64(value: i64) -> Self {
        Self(value.cast_unsigned())
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016}", self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for AccountId {
    type Err = ();

    /// Takes 1 to 19 decimal digits.
    fn from_str(s: &str) -> Result<Self, ()> {
        if s.is_empty() || s.len() > 19 || !s.bytes().all(|b| b.is_ascii_digit()) {
            return Err(());
        }
        s.parse().map(Self).map_err(|_| ())
    }
}

impl Serialize for AccountId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        text.parse().map_err(|()| serde::de::Error::custom("not an account id"))
    }
}

/// One request, as told to the client and written to the audit log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// Draws a new one (random UUID, version 4).
    pub fn random(rng: &dyn Rng) -> Self {
        let mut id = rng.bytes::<16>();
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }

    /// Draws a new one that begins with the time (UUID, version 7 of RFC 9562): what is stored by it comes to lie
    /// together, so that an index of requests grows at its end.
    pub fn timed(now: Time, rng: &dyn Rng) -> Self {
        let mut id = rng.bytes::<16>();
        let millis = now.micros().max(0).cast_unsigned() / 1000;
        id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        id[6] = id[6] & 0x0f | 0x70;
        id[8] = id[8] & 0x3f | 0x80;
        Self(id)
    }

    /// The form of the object-storage dialects: 24 upper-case hexadecimal characters.
    pub fn short(&self) -> String {
        hex_upper(&self.0[..12])
    }
}

/// The form of the control API: an upper-case UUID.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Told several times in each answer, so that it is worth not to format each byte.
        let mut text = hex_upper(&self.0);
        for at in [20, 16, 12, 8] {
            text.insert(at, '-');
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRng;

    #[test]
    fn a_requests_id_is_told_in_two_forms() {
        let id = RequestId([0x01, 0xab, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(id.to_string(), "01AB0203-0405-0607-0809-0A0B0C0D0EFF");
        assert_eq!(id.short(), "01AB02030405060708090A0B");
    }

    #[test]
    fn ids_of_later_requests_are_greater_and_no_two_are_alike() {
        let id = |millis: i64| RequestId::timed(Time::from_micros(millis * 1000), &SystemRng);
        let [first, same, later] =
            [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_001].map(id);
        assert_ne!(first, same);
        assert!(first.to_string().starts_with("018BCFE5-6800-7"));
        assert!(first.to_string() < later.to_string());
    }
}
