//! The identity of a cluster: the 64 bits at the beginning of `global/pg_control`. Clones of a template share it, and
//! a replica of one would follow another: so every new directory is given its own.
//!
//! The file ends its content with a CRC-32C at an offset that differs between versions. It is found as the offset
//! at which the checksum of everything before stands.

use super::super::error::{Error, Result};

/// The content of the file is within its first sector, so that it is written whole or not at all.
const CONTENT_MAX: usize = 512;

/// The identity in a control file.
///
/// # Errors
/// Where its checksum is not found.
#[cfg(test)]
fn read(control: &[u8]) -> Result<u64> {
    checksum_at(control)?;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&control[..8]);
    Ok(u64::from_ne_bytes(bytes))
}

/// Puts another identity into a control file.
///
/// # Errors
/// Where its checksum is not found.
pub fn rewrite(control: &mut [u8], identity: u64) -> Result<()> {
    let at = checksum_at(control)?;
    control[..8].copy_from_slice(&identity.to_ne_bytes());
    let checksum = crc32c(&control[..at]);
    control[at..at + 4].copy_from_slice(&checksum.to_ne_bytes());
    Ok(())
}

fn checksum_at(control: &[u8]) -> Result<usize> {
    let end = control.len().min(CONTENT_MAX);
    (8..end.saturating_sub(3))
        .step_by(4)
        .find(|at| control[*at..at + 4] == crc32c(&control[..*at]).to_ne_bytes())
        .ok_or_else(|| Error::Failed("pg_control has no checksum that holds".to_owned()))
}

/// Castagnoli's CRC, bit by bit: a few hundred bytes are not worth a table.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_its_specification() {
        // RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    fn control(content: &[u8]) -> Vec<u8> {
        let mut bytes = content.to_vec();
        bytes.extend_from_slice(&crc32c(content).to_ne_bytes());
        bytes.resize(8192, 0);
        bytes
    }

    proptest! {
        #[test]
        fn another_identity_changes_nothing_else(
            words in prop::collection::vec(any::<u32>(), 60..100),
            identity: u64,
        ) {
            let content: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let before = control(&content);
            let mut after = before.clone();
            prop_assert!(rewrite(&mut after, identity).is_ok());
            prop_assert_eq!(read(&after).ok(), Some(identity));
            prop_assert_eq!(&after[8..content.len()], &before[8..content.len()]);
            prop_assert_eq!(&after[content.len() + 4..], &before[content.len() + 4..]);
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
            let _ = rewrite(&mut bytes, 7);
        }
    }
}
