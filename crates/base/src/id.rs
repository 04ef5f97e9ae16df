//! Identifiers that cross crate borders.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

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

    /// The form of the object-storage dialects: 24 upper-case hexadecimal characters.
    pub fn short(&self) -> String {
        let mut out = String::with_capacity(24);
        for byte in &self.0[..12] {
            let _ = fmt::Write::write_fmt(&mut out, format_args!("{byte:02X}"));
        }
        out
    }
}

/// The form of the control API: an upper-case UUID.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
