#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base::Secret;
use proptest::prelude::*;

use super::*;
use crate::testing::{LOG, signer, verifier};

/// The example of the specification.
const SPEC_TEXT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: LOG.to_owned(), size: 3, root: Hash::leaf(b"") }
}

#[test]
fn the_specifications_example_is_read_and_written() {
    let checkpoint = Checkpoint::parse(SPEC_TEXT).unwrap();
    assert_eq!(
        (checkpoint.origin.as_str(), checkpoint.size),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(checkpoint.to_string(), SPEC_TEXT);
}

#[test]
fn a_signed_checkpoint_is_accepted_from_its_log_only() {
    let note = checkpoint().sign(&signer()).unwrap();
    assert_eq!(Checkpoint::verify(&note, &verifier()), Ok(checkpoint()));
    let other = Signer::from_seed("log.example/other", Secret::new([7; 32])).unwrap();
    assert_eq!(
        Checkpoint::verify(&note, other.verifier()),
        Err(Error::Note(note::Error::Unsigned))
    );
    // Signed by the other log's key under its own name, but claiming to be this log.
    let claimed = checkpoint().sign(&other).unwrap();
    assert_eq!(Checkpoint::verify(&claimed, other.verifier()), Err(Error::Origin(LOG.to_owned())));
}

#[test]
fn extension_lines_are_accepted_and_dropped() {
    let extended = format!("{SPEC_TEXT}extension\n");
    assert_eq!(Checkpoint::parse(&extended), Checkpoint::parse(SPEC_TEXT));
}

#[test]
fn malformed_checkpoints_are_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for text in [
        String::new(),
        "log\n".to_owned(),
        "log\n1\n".to_owned(),
        format!("log\n1\n{root}"),
        format!("\n1\n{root}\n"),
        format!("log\n01\n{root}\n"),
        format!("log\n+1\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("log\n 1\n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n1\n{}\n", &root[..43]),
        format!("log\n1\n{root}{root}\n"),
        format!("log\n1\n{root}\n\n"),
        format!("log\n1\n{root}\n\nextension\n"),
    ] {
        assert!(matches!(Checkpoint::parse(&text), Err(Error::Malformed(_))), "{text:?}");
    }
    assert_eq!(Checkpoint::parse(&format!("log\n0\n{root}\n")), Err(Error::EmptyRoot));
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_noticed() {
    let note = checkpoint().sign(&signer()).unwrap().to_string().into_bytes();
    for bit in 0..note.len() * 8 {
        let mut changed = note.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted =
            Note::parse(&changed).is_ok_and(|note| Checkpoint::verify(&note, &verifier()).is_ok());
        assert!(!accepted, "bit {bit} of {}", String::from_utf8_lossy(&changed));
    }
}

proptest! {
    #[test]
    fn any_text_is_a_checkpoint_or_refused(text: String, size in "[0-9]{0,22}", root: [u8; 32]) {
        let _ = Checkpoint::parse(&text);
        let root = Hash::from_bytes(root);
        if let Ok(checkpoint) = Checkpoint::parse(&format!("{text}\n{size}\n{root}\n")) {
            prop_assert_eq!(checkpoint.size.to_string(), size);
        }
    }
}
