//! Positions in a write-ahead log, the names of its files, and the frames that it is stored in. Pure.

use std::fmt;
use std::io::{self, Read as _, Write as _};

use lz4_flex::frame::{FrameDecoder, FrameEncoder};

/// Bytes of a segment file. Servers that were made with another size are refused.
pub const SEGMENT: u64 = 16 << 20;

/// A position in a write-ahead log: bytes from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl fmt::Display for Lsn {
    /// As servers write it: `16/B374D848`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl Lsn {
    /// From what servers write.
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let part = |text: &str| {
            let is_hex =
                (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
            is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
        };
        Some(Self(part(high)? << 32 | part(low)?))
    }

    /// The beginning of the segment that it is in.
    #[must_use]
    pub fn segment(self) -> Self {
        Self(self.0 / SEGMENT * SEGMENT)
    }

    /// The beginning of the next segment.
    #[must_use]
    pub fn next_segment(self) -> Self {
        Self((self.0 / SEGMENT).saturating_add(1).saturating_mul(SEGMENT))
    }

    /// So many bytes further.
    #[must_use]
    pub fn plus(self, bytes: usize) -> Self {
        Self(self.0.saturating_add(bytes as u64))
    }

    /// True between two segments.
    pub fn is_boundary(self) -> bool {
        self.0.is_multiple_of(SEGMENT)
    }
}

/// The name of the segment file that begins at `start`: `000000010000000000000003`.
pub fn segment_name(timeline: u32, start: Lsn) -> String {
    let number = start.0 / SEGMENT;
    let per_high = (1 << 32) / SEGMENT;
    format!("{timeline:08X}{:08X}{:08X}", number / per_high, number % per_high)
}

/// The name of the file that says what a timeline came from.
pub fn history_name(timeline: u32) -> String {
    format!("{timeline:08X}.history")
}

/// Where a timeline ended and another went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Which ended.
    pub timeline: u32,
    /// Where.
    pub at: Lsn,
}

/// Reads a history file: the ancestors of a timeline, oldest first. `None` for what is none.
pub fn history(text: &str) -> Option<Vec<Switch>> {
    let mut switches: Vec<Switch> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_ascii_whitespace();
        let switch =
            Switch { timeline: words.next()?.parse().ok()?, at: Lsn::parse(words.next()?)? };
        if switches.last().is_some_and(|last| last.timeline >= switch.timeline) {
            return None;
        }
        switches.push(switch);
    }
    Some(switches)
}

/// Bytes as one LZ4 frame.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(Vec::with_capacity(bytes.len() / 4 + 64));
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish().map_err(io::Error::from));
    packed.expect("a vector takes what it is given")
}

/// What an LZ4 frame holds, at most `limit` bytes.
///
/// # Errors
/// For anything but one whole frame of at most so many bytes.
pub fn unpack(frame: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    FrameDecoder::new(frame).take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "more than it may hold"));
    }
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_those_of_servers() {
        assert_eq!(segment_name(1, Lsn(0x0300_0000)), "000000010000000000000003");
        assert_eq!(segment_name(0x1A, Lsn(0x16_FF00_0000)), "0000001A00000016000000FF");
        assert_eq!(history_name(26), "0000001A.history");
        assert_eq!(Lsn(0x16_B374_D848).to_string(), "16/B374D848");
    }

    #[test]
    fn a_history_is_read() {
        let text =
            "1\t0/3000000\tno recovery target specified\n\n# note\n2\t0/5000110\tbefore 2026\n";
        let switch = |timeline, at| Switch { timeline, at: Lsn(at) };
        assert_eq!(history(text), Some(vec![switch(1, 0x0300_0000), switch(2, 0x0500_0110)]));
        assert_eq!(history(""), Some(Vec::new()));
        assert_eq!(history("2\t0/1\n1\t0/2\n"), None, "they go forward");
        assert_eq!(history("1 nowhere"), None);
    }

    proptest! {
        #[test]
        fn a_position_is_read_back(at: u64) {
            prop_assert_eq!(Lsn::parse(&Lsn(at).to_string()), Some(Lsn(at)));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,80}") {
            let _ = (Lsn::parse(&text), history(&text));
        }

        #[test]
        fn no_frame_is_too_strange(bytes: Vec<u8>) {
            let _ = unpack(&bytes, 1 << 20);
        }

        #[test]
        fn what_is_packed_is_unpacked(bytes: Vec<u8>) {
            prop_assert_eq!(unpack(&pack(&bytes), bytes.len() as u64).unwrap(), bytes.clone());
            if !bytes.is_empty() {
                prop_assert!(unpack(&pack(&bytes), bytes.len() as u64 - 1).is_err());
            }
        }

        #[test]
        fn segments_are_next_to_each_other(at in 0..u64::MAX / 2) {
            let at = Lsn(at);
            prop_assert!(at.segment() <= at && at < at.next_segment());
            prop_assert_eq!(at.next_segment().0 - at.segment().0, SEGMENT);
            prop_assert!(segment_name(1, at.segment()) < segment_name(1, at.next_segment()));
        }
    }
}
