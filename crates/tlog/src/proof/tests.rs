#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::testing::{Memory, entry, log_of, reader, signer, verifier};
use crate::{Publisher, Signer};

fn log() -> Memory {
    log_of(&[300, 1_000])
}

#[test]
fn a_proof_file_is_verified_without_the_log() {
    let log = log();
    for index in [0, 1, 255, 256, 767, 998, 999] {
        let text = reader(&log).proof(index).unwrap().to_string();
        let proof = Proof::parse(text.as_bytes()).unwrap();
        let checkpoint = proof.verify(Hash::leaf(&entry(index)), &verifier()).unwrap();
        assert_eq!((proof.index, checkpoint.size), (index, 1_000));
        assert_eq!(proof.to_string(), text);
        let wrong = proof.verify(Hash::leaf(&entry(index + 1)), &verifier());
        assert_eq!(wrong, Err(Error::Inclusion(tree::Error::Root)), "another entry at {index}");
    }
}

#[test]
fn a_proof_file_has_the_form_of_the_specification() {
    let mut proof = reader(&log_of(&[3])).proof(1).unwrap();
    proof.extra = b"salt".to_vec();
    let text = proof.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..3], ["c2sp.org/tlog-proof@v1", "extra c2FsdA==", "index 1"]);
    assert_eq!(lines[3], Hash::leaf(&entry(0)).to_string());
    assert_eq!(lines[4], Hash::leaf(&entry(2)).to_string());
    assert_eq!(lines[5..8], ["", "log.example/awan", "3"]);
    assert_eq!(Proof::parse(text.as_bytes()), Ok(proof));
}

#[test]
fn the_only_entry_of_a_log_needs_no_hashes() {
    let proof = reader(&log_of(&[1])).proof(0).unwrap();
    assert_eq!(proof.hashes, []);
    let read = Proof::parse(proof.to_string().as_bytes()).unwrap();
    assert!(read.verify(Hash::leaf(&entry(0)), &verifier()).is_ok());
}

#[test]
fn every_flipped_bit_of_a_proof_file_is_noticed() {
    let text = reader(&log_of(&[11])).proof(5).unwrap().to_string().into_bytes();
    let leaf = Hash::leaf(&entry(5));
    for bit in 0..text.len() * 8 {
        let mut changed = text.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let accepted =
            Proof::parse(&changed).is_ok_and(|proof| proof.verify(leaf, &verifier()).is_ok());
        assert!(!accepted, "bit {bit} of {}", String::from_utf8_lossy(&changed));
    }
}

#[test]
fn a_proof_of_another_log_is_refused() {
    let other = Signer::from_seed("log.example/other", base::Secret::new([8; 32])).unwrap();
    let mut files = Memory::default();
    Publisher::open(&mut files, other, 0).unwrap().publish([entry(0)]).unwrap();
    let mut proof = reader(&log_of(&[1])).proof(0).unwrap();
    proof.checkpoint = Note::parse(&files.files["checkpoint"]).unwrap();
    assert!(matches!(proof.verify(Hash::leaf(&entry(0)), &verifier()), Err(Error::Checkpoint(_))));
}

#[test]
fn malformed_proof_files_are_refused() {
    let good = reader(&log_of(&[3])).proof(1).unwrap().to_string();
    let hash = Hash::leaf(&entry(0)).to_string();
    let check = |text: String| {
        assert!(matches!(Proof::parse(text.as_bytes()), Err(Error::Malformed(_))), "{text:.200}")
    };
    check(String::new());
    check(good.replace("@v1", "@v2"));
    check(good.replace("index 1", "index 01"));
    check(good.replace("index 1", "index -1"));
    check(good.replace("index 1\n", ""));
    check(good.replace("index 1", "extra \nindex 1"));
    check(good.replace("index 1", "extra c2FsdA\nindex 1"));
    check(good.replace("index 1", "extra c2FsdA==\nextra c2FsdA==\nindex 1"));
    check(good.replace("index 1", "index 1\nAAAA"));
    check(good.replace("index 1", &format!("index 1{}", format!("\n{hash}").repeat(63))));
    check("x".repeat(PROOF_BYTES_MAX + 1));
    assert!(matches!(Proof::parse(good.replace('—', "-").as_bytes()), Err(Error::Note(_))));
    assert_eq!(signer().verifier(), &verifier());
}

proptest! {
    #[test]
    fn any_bytes_are_a_proof_or_refused(bytes: Vec<u8>, head in "(extra [A-Za-z=]{0,8}\n)?(index [0-9]{0,21}\n)?([A-Za-z0-9=]{0,44}\n){0,3}") {
        let _ = Proof::parse(&bytes);
        let note = reader(&log_of(&[1])).proof(0).unwrap().checkpoint;
        let text = format!("{FIRST_LINE}\n{head}\n{note}");
        if let Ok(proof) = Proof::parse(text.as_bytes()) {
            prop_assert_eq!(proof.to_string(), text);
        }
    }
}
