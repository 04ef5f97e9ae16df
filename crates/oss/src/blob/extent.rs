//! Extents: where a piece of a body is, and what it must read as. Also their packed form in rows.

use super::seal::OVERHEAD;
use crate::blob::Error;

/// The largest extent, bytes before they are sealed. A range read reads whole extents, so this bounds what it reads in vain.
pub(crate) const EXTENT_BYTES_MAX: usize = 1 << 20;
/// A body of at most so many extents has them in its own row.
pub(crate) const INLINE_EXTENTS_MAX: usize = 64;
/// The extents in one row of a larger body.
pub(crate) const ROW_EXTENTS_MAX: usize = 256;

const PACKED_LEN: usize = 20;

/// A piece of a body in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The segment's number.
    pub(crate) segment: u32,
    /// Its first byte in the segment.
    pub(crate) start: u32,
    /// Its length as it is stored, bytes; never 0.
    pub(crate) len: u32,
    /// CRC-64/XZ of the bytes as they are stored, so that to check them takes no key.
    pub(crate) crc64: u64,
    /// The number of the key that it is sealed under; 0 for bytes in clear. It is a column beside the packed
    /// extents, which all have the same.
    pub(crate) seal: i64,
}

impl Extent {
    pub(crate) fn range(&self) -> Range {
        Range { segment: self.segment, start: self.start.into(), len: self.len.into() }
    }

    /// How many bytes of the body it is.
    pub(crate) fn plain_len(&self) -> u32 {
        if self.seal == 0 { self.len } else { self.len.saturating_sub(OVERHEAD as u32) }
    }
}

/// A range of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Range {
    pub(crate) segment: u32,
    pub(crate) start: u64,
    pub(crate) len: u64,
}

impl Range {
    pub(crate) fn end(&self) -> u64 {
        self.start + self.len
    }
}

/// The number of the key that extents are sealed under, which are stored together.
pub(crate) fn seal_of(extents: &[Extent]) -> i64 {
    extents.first().map_or(0, |extent| extent.seal)
}

/// Twenty bytes each, little-endian: segment, start, length, CRC-64.
pub(crate) fn pack(extents: &[Extent]) -> Vec<u8> {
    let mut out = Vec::with_capacity(extents.len() * PACKED_LEN);
    for extent in extents {
        out.extend_from_slice(&extent.segment.to_le_bytes());
        out.extend_from_slice(&extent.start.to_le_bytes());
        out.extend_from_slice(&extent.len.to_le_bytes());
        out.extend_from_slice(&extent.crc64.to_le_bytes());
    }
    out
}

/// Reads what [`pack`] wrote beside the number of a key.
pub(crate) fn unpack(packed: &[u8], seal: i64) -> Result<Vec<Extent>, Error> {
    let (records, rest) = packed.as_chunks::<PACKED_LEN>();
    if !rest.is_empty() {
        return Err(Error::Row(format!("{} bytes are no whole number of extents", packed.len())));
    }
    Ok(records.iter().map(|record| unpack_one(record, seal)).collect())
}

fn unpack_one(record: &[u8; PACKED_LEN], seal: i64) -> Extent {
    let word = |at: usize| {
        u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    let crc64 = u64::from(word(16)) << 32 | u64::from(word(12));
    Extent { segment: word(0), start: word(4), len: word(8), crc64, seal }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extents_come_back_from_their_packed_form(fields: Vec<(u32, u32, u32, u64)>, seal: i64) {
            let extent = |(segment, start, len, crc64)| Extent { segment, start, len, crc64, seal };
            let extents: Vec<Extent> = fields.into_iter().map(extent).collect();
            prop_assert_eq!(unpack(&pack(&extents), seal).ok(), Some(extents));
        }

        #[test]
        fn any_bytes_unpack_or_are_refused(bytes: Vec<u8>) {
            prop_assert_eq!(unpack(&bytes, 0).is_ok(), bytes.len() % 20 == 0);
        }
    }
}
