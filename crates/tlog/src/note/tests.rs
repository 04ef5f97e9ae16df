#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base::SystemRng;
use proptest::prelude::*;

use super::*;

/// The example of the specification.
const SPEC_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const SPEC_NOTE: &str = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn key(seed: u8, name: &str) -> Signer {
    Signer::from_seed(name, Secret::new([seed; 32])).unwrap()
}

/// Parses and verifies; the names of the keys that signed.
fn check(note: &str, known: &[&Verifier]) -> Result<Vec<String>, Error> {
    Note::parse(note.as_bytes())?
        .verify(known)
        .map(|keys| keys.iter().map(|key| key.name().to_owned()).collect())
}

#[test]
fn the_specifications_example_verifies() {
    let verifier: Verifier = SPEC_KEY.parse().unwrap();
    assert_eq!(check(SPEC_NOTE, &[&verifier]), Ok(vec!["example.com/foo".to_owned()]));
    assert_eq!(verifier.to_string(), SPEC_KEY);
    let changed = SPEC_NOTE.replace("an example", "no example");
    assert_eq!(check(&changed, &[&verifier]), Err(Error::Signature("example.com/foo".to_owned())));
}

/// The published test key and note of Go's package `golang.org/x/mod/sumdb/note`.
#[test]
fn a_signature_is_byte_for_byte_that_of_the_go_package() {
    let text = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let signer = Signer::parse(&Secret::new(text.to_owned())).unwrap();
    assert_eq!(signer.text().expose(), text);
    assert_eq!(
        signer.verifier().to_string(),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    );
    let quote = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let note = Note::sign(quote.to_owned(), &[&signer]).unwrap();
    let expected = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    assert_eq!(note.to_string(), format!("{quote}\n{expected}"));
}

#[test]
fn a_text_with_empty_lines_ends_at_the_last_one() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let parsed = Note::parse(note.as_bytes()).unwrap();
    assert!(parsed.text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(parsed.to_string(), note);
}

#[test]
fn several_known_keys_are_all_reported_and_unknown_ones_ignored() {
    let (log, witness, stranger) = (key(1, "log"), key(2, "witness"), key(3, "stranger"));
    let note =
        Note::sign("text\n".to_owned(), &[&stranger, &log, &witness, &log]).unwrap().to_string();
    let (log, witness, stranger) = (log.verifier(), witness.verifier(), key(4, "stranger"));
    assert_eq!(check(&note, &[witness, log]), Ok(vec!["log".to_owned(), "witness".to_owned()]));
    assert_eq!(check(&note, &[log]), Ok(vec!["log".to_owned()]));
    // Same name, other id: another key, not a wrong signature.
    assert_eq!(check(&note, &[stranger.verifier()]), Err(Error::Unsigned));
    assert_eq!(check(&note, &[]), Err(Error::Unsigned));
}

#[test]
fn one_wrong_signature_by_a_known_key_refuses_the_note() {
    let (log, witness) = (key(1, "log"), key(2, "witness"));
    let good = Note::sign("text\n".to_owned(), &[&log]).unwrap().to_string();
    let other = Note::sign("other text\n".to_owned(), &[&witness]).unwrap().to_string();
    let note = good + other.lines().last().unwrap() + "\n";
    assert_eq!(check(&note, &[log.verifier()]), Ok(vec!["log".to_owned()]));
    assert_eq!(
        check(&note, &[log.verifier(), witness.verifier()]),
        Err(Error::Signature("witness".to_owned()))
    );
}

#[test]
fn other_signature_types_are_carried_along() {
    let log = key(1, "log");
    let long = STANDARD.encode([9; 5_000]);
    let note = Note::sign("text\n".to_owned(), &[&log]).unwrap().to_string()
        + &format!("— pq.example/w {long}\n");
    assert_eq!(check(&note, &[log.verifier()]), Ok(vec!["log".to_owned()]));
    assert_eq!(Note::parse(note.as_bytes()).unwrap().to_string(), note);
}

#[test]
fn sixteen_signatures_are_accepted_and_a_hundred_and_one_refused() {
    let signers: Vec<_> = (0..101).map(|seed| key(seed, "log")).collect();
    let signers: Vec<_> = signers.iter().collect();
    let note =
        |count: usize| Note::sign("text\n".to_owned(), &signers[..count]).unwrap().to_string();
    assert!(check(&note(16), &[signers[15].verifier()]).is_ok());
    assert!(check(&note(100), &[signers[99].verifier()]).is_ok());
    assert!(check(&note(101), &[signers[0].verifier()]).is_err());
}

#[test]
fn malformed_notes_are_refused() {
    let signature = SPEC_NOTE.lines().last().unwrap();
    for note in [
        String::new(),
        "\n".to_owned(),
        "text\n\n".to_owned(),
        format!("text\n{signature}\n"),
        format!("text\n\n{signature}"),
        format!("text\r\n\n{signature}\n"),
        format!("text\n\n{signature}\n\n"),
        format!("text\n\n{signature} \n"),
        format!("text\n\n{}\n", signature.replace('—', "-")),
        format!("text\n\n{}\n", signature.replace("example.com/foo", "example+foo")),
        format!("text\n\n{}\n", signature.replace("example.com/foo", "")),
        format!("text\n\n{}\n", signature.trim_end_matches('=')),
        "text\n\n— name AAAAAA==\n".to_owned(),
        format!("{}\n\n{signature}\n", "x".repeat(NOTE_BYTES_MAX)),
    ] {
        assert!(
            matches!(Note::parse(note.as_bytes()), Err(Error::Malformed(_) | Error::Name)),
            "{note:.80}"
        );
    }
    assert_eq!(
        Note::sign("no newline".to_owned(), &[&key(1, "log")]),
        Err(Error::Malformed("it ends in a newline"))
    );
    assert_eq!(Note::sign("text\n".to_owned(), &[]), Err(Error::Unsigned));
}

#[test]
fn malformed_keys_are_refused() {
    for text in [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+BOkyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U",
        "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        " foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    ] {
        assert!(text.parse::<Verifier>().is_err(), "{text}");
        assert!(Signer::parse(&Secret::new(format!("PRIVATE+KEY+{text}"))).is_err(), "{text}");
    }
    assert!(Signer::generate(&SystemRng, "two words").is_err());
}

#[test]
fn a_private_key_is_not_shown() {
    let signer = key(1, "log");
    let shown = format!("{signer:?} {:?}", signer.text());
    assert_eq!(shown, "Signer { name: \"log\", .. } Secret(…)");
}

#[test]
fn generated_keys_differ_and_come_back_from_their_text() {
    let (one, two) = (
        Signer::generate(&SystemRng, "log").unwrap(),
        Signer::generate(&SystemRng, "log").unwrap(),
    );
    assert_ne!(one.verifier(), two.verifier());
    assert_eq!(Signer::parse(&one.text()).unwrap().verifier(), one.verifier());
    assert_eq!(one.verifier().to_string().parse(), Ok(one.verifier().clone()));
}

proptest! {
    #[test]
    fn any_bytes_are_a_note_or_refused(bytes: Vec<u8>, text in "[a-z\n]{0,20}", lines in "((— )?[a-z+ ]{0,4} [A-Za-z0-9+/=]{0,12}\n?){0,3}") {
        let _ = Note::parse(&bytes);
        let note = format!("{text}\n\n{lines}");
        if let Ok(parsed) = Note::parse(note.as_bytes()) {
            prop_assert_eq!(parsed.to_string(), note);
        }
    }

    #[test]
    fn any_text_is_a_key_or_refused(text: String, id in "[0-9a-f]{8}", key: Vec<u8>) {
        let _ = text.parse::<Verifier>();
        let _ = format!("{text}+{id}+{}", STANDARD.encode(&key)).parse::<Verifier>();
        let _ = Signer::parse(&Secret::new(format!("PRIVATE+KEY+{text}")));
    }

    #[test]
    fn any_text_signed_is_read_back_and_verifies(text in "[^\\x00-\\x1f]{0,40}(\n[^\\x00-\\x1f]{0,20}){0,3}\n") {
        let signer = key(1, "log");
        let note = Note::sign(text.clone(), &[&signer]).unwrap();
        let read = Note::parse(note.to_string().as_bytes()).unwrap();
        prop_assert_eq!(read.text(), text);
        prop_assert_eq!(read.verify(&[signer.verifier()]).unwrap(), vec![signer.verifier()]);
    }
}
