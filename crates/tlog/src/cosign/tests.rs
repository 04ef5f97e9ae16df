#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::signature::KeyPair as _;

use super::*;
use crate::testing::{cosigner, signer};
use crate::{Checkpoint, Hash};

/// The example of the specification; its keys are not given there.
const SPEC_NOTE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
/// What the specification says is signed in it.
const SPEC_MESSAGE: &str = "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const SPEC_TIME: i64 = 1_679_315_147;
/// The key of a witness that is in use.
const PUBLISHED_KEY: &str = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";

fn note() -> Note {
    let checkpoint =
        Checkpoint { origin: "log.example/awan".to_owned(), size: 7, root: Hash::leaf(b"root") };
    checkpoint.sign(&signer()).unwrap()
}

fn cosigned(seed: u8, seconds: i64) -> Note {
    note().with_signatures([cosigner(seed).cosign(&note(), Time::from_secs(seconds))])
}

#[test]
fn the_message_and_the_bytes_are_those_of_the_specification() {
    let note = Note::parse(SPEC_NOTE.as_bytes()).unwrap();
    let signature = cosigner(1).cosign(&note, Time::from_secs(SPEC_TIME));
    assert_eq!(signature.bytes.len(), 8 + 64);
    assert_eq!(signature.bytes[..8], SPEC_TIME.to_be_bytes());
    let key = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
    UnparsedPublicKey::new(&ED25519, key.public_key())
        .verify(SPEC_MESSAGE.as_bytes(), &signature.bytes[8..])
        .unwrap();
    // The specification's own signature has the same form and time.
    let theirs = &note.signatures()[1];
    assert_eq!(theirs.name(), "witness.example.com/w1");
    assert_eq!((theirs.bytes.len(), &theirs.bytes[..8]), (72, &signature.bytes[..8]));
    assert_eq!(note.to_string(), SPEC_NOTE);
}

#[test]
fn a_published_witness_key_is_read_and_written_the_same() {
    let key: CosignerKey = PUBLISHED_KEY.parse().unwrap();
    assert_eq!((key.name(), key.to_string().as_str()), ("remora.n621.de", PUBLISHED_KEY));
}

#[test]
fn a_cosignature_is_verified_and_tells_its_time() {
    let note = cosigned(1, SPEC_TIME);
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(cosigner(1).key().verify(&read), Ok(Some(Time::from_secs(SPEC_TIME))));
    assert_eq!(cosigner(2).key().verify(&read), Ok(None), "another witness");
    // The log's own signature is untouched by it.
    assert_eq!(read.verify(&[signer().verifier()]).unwrap().len(), 1);
    let twice = note.with_signatures([cosigner(1).cosign(&read, Time::from_secs(SPEC_TIME + 5))]);
    assert_eq!(cosigner(1).key().verify(&twice), Ok(Some(Time::from_secs(SPEC_TIME + 5))));
}

#[test]
fn a_cosignature_with_any_bit_turned_over_is_refused() {
    let good = cosigner(1).cosign(&note(), Time::from_secs(SPEC_TIME));
    for bit in 0..good.bytes.len() * 8 {
        let mut wrong = good.clone();
        wrong.bytes[bit / 8] ^= 1 << (bit % 8);
        let note = note().with_signatures([wrong]);
        let refused = Err(Error::Signature("witness-1.example".to_owned()));
        assert_eq!(cosigner(1).key().verify(&note), refused, "bit {bit}");
    }
    let mut short = good.clone();
    short.bytes.truncate(7);
    assert!(cosigner(1).key().verify(&note().with_signatures([short])).is_err());
    let other =
        Checkpoint { origin: "log.example/awan".to_owned(), size: 8, root: Hash::leaf(b"") };
    let moved = other.sign(&signer()).unwrap().with_signatures([good]);
    assert!(cosigner(1).key().verify(&moved).is_err(), "of another checkpoint");
}

#[test]
fn one_key_signs_and_cosigns_under_different_ids() {
    let (witness, signer) =
        (cosigner(1), crate::Signer::from_seed("witness-1.example", Secret::new([1; 32])));
    let (key, verifier) = (witness.key().to_string(), signer.unwrap().verifier().to_string());
    assert_ne!(key, verifier);
    assert!(key.parse::<crate::Verifier>().is_err());
    assert!(verifier.parse::<CosignerKey>().is_err());
}

#[test]
fn a_private_key_comes_back_from_its_text_and_is_not_shown() {
    let made = Cosigner::generate(&base::SystemRng, "witness.example/w1").unwrap();
    assert_eq!(Cosigner::parse(&made.text()).unwrap().key(), made.key());
    assert_eq!(format!("{made:?}"), "Cosigner { name: \"witness.example/w1\", .. }");
    assert!(Cosigner::parse(&signer().text()).is_err(), "a log's key is none of a witness");
    assert!(Cosigner::generate(&base::SystemRng, "two words").is_err());
}

proptest! {
    #[test]
    fn any_text_is_a_key_or_refused(text: String, id in "[0-9a-f]{8}", key: Vec<u8>) {
        let _ = text.parse::<CosignerKey>();
        let _ = format!("{text}+{id}+{}", STANDARD.encode(&key)).parse::<CosignerKey>();
        let _ = Cosigner::parse(&Secret::new(format!("PRIVATE+KEY+{text}")));
    }

    #[test]
    fn any_bytes_as_a_cosignature_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..100)) {
        let id = cosigner(1).key().id;
        let made_up = Signature { name: "witness-1.example".to_owned(), id, bytes };
        prop_assert!(cosigner(1).key().verify(&note().with_signatures([made_up])).is_err());
    }

    #[test]
    fn any_time_is_signed_and_told(seconds in 0..i64::MAX / 1_000_000) {
        let note = cosigned(3, seconds);
        prop_assert_eq!(cosigner(3).key().verify(&note), Ok(Some(Time::from_secs(seconds))));
    }
}
