#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;
use crate::testing::{draft, false_tenant_key, full_draft, provider_key, tenant_key};

const BOTH: Signed = Signed { provider: true, tenant: true };
const PROVIDER: Signed = Signed { provider: true, tenant: false };
const TENANT: Signed = Signed { provider: false, tenant: true };

fn release() -> Release {
    Release::build(&draft()).unwrap()
}

fn lines() -> [String; 2] {
    [provider_key(), tenant_key()].map(|key| sign(&release(), &key).unwrap())
}

/// The note of these lines, made by hand.
fn note(lines: &[&str]) -> Vec<u8> {
    format!("{}\n{}", statement(&release()), lines.concat()).into_bytes()
}

/// Who has signed the example, or why the note is refused.
fn check(lines: &[&str]) -> Result<Signed, String> {
    verify(&release(), &note(lines)).map_err(|error| error.to_string())
}

#[test]
fn the_statement_names_the_release_line_by_line() {
    let release = release();
    let lines: Vec<_> = statement(&release).lines().map(str::to_owned).collect();
    assert_eq!(
        lines,
        ["awan agreement release v1", release.ocid(), release.id(), release.digest()]
    );
}

#[test]
fn each_signature_counts_for_its_party_only() {
    let [provider, tenant] = lines();
    assert_eq!(check(&[&provider]), Ok(PROVIDER));
    assert_eq!(check(&[&tenant]), Ok(TENANT));
    assert_eq!(check(&[&tenant, &provider]), Ok(BOTH));
    assert_eq!(check(&[&provider, &provider]), Ok(PROVIDER));
    assert!(check(&[&provider]).is_ok_and(|signed| !signed.both()));
    assert!(check(&[&provider, &tenant]).is_ok_and(Signed::both));
}

#[test]
fn a_signature_under_the_other_partys_name_counts_for_nobody() {
    let [provider, _] = lines();
    let tenant = tenant_key();
    let renamed = provider.replace(provider_key().verifier().name(), tenant.verifier().name());
    assert_ne!(renamed, provider);
    assert_eq!(check(&[&renamed]), Ok(Signed::default()));
}

#[test]
fn a_key_by_a_partys_name_that_the_release_does_not_name_counts_for_nobody() {
    let text = statement(&release());
    let foreign = Note::sign(text.clone(), &[&false_tenant_key()]).unwrap().to_string();
    let [provider, _] = lines();
    assert_eq!(check(&[&provider, &foreign[text.len() + 1..]]), Ok(PROVIDER));
    let refusal = sign(&release(), &false_tenant_key()).unwrap_err().to_string();
    assert!(refusal.contains("neither party's"), "{refusal}");
}

#[test]
fn a_signature_of_another_release_is_refused() {
    let other = Release::build(&full_draft()).unwrap();
    let line = sign(&other, &tenant_key()).unwrap();
    let refusal = check(&[&line]).unwrap_err();
    assert!(refusal.contains("is wrong"), "{refusal}");
    let whole = join(&other, &[&line]).unwrap();
    assert!(matches!(verify(&release(), &whole), Err(Error::OtherText)));
}

#[test]
fn the_same_signatures_give_the_same_note_in_any_order() {
    let [provider, tenant] = lines();
    let release = release();
    let note = join(&release, &[&provider, &tenant]).unwrap();
    assert_eq!(note, self::note(&[&provider, &tenant]));
    assert_eq!(join(&release, &[&tenant, &provider, &tenant]).unwrap(), note);
    assert_eq!(join(&release, &[tenant.trim_end(), &provider]).unwrap(), note);
    assert_eq!(verify(&release, &join(&release, &[&tenant]).unwrap()).unwrap(), TENANT);
}

#[test]
fn only_signatures_by_the_parties_are_joined() {
    let release = release();
    let [provider, tenant] = lines();
    let text = statement(&release);
    let foreign = Note::sign(text.clone(), &[&false_tenant_key()]).unwrap().to_string();
    let of_another = sign(&Release::build(&full_draft()).unwrap(), &tenant_key()).unwrap();
    let two = format!("{provider}{tenant}");
    for (lines, expected) in [
        (vec![], "no signature"),
        (vec![&foreign[text.len() + 1..]], "neither party's"),
        (vec![provider.as_str(), &of_another], "is wrong"),
        (vec![&two], "one line"),
        (vec!["nothing"], "a signature line begins with a dash"),
        (vec![""], "not a signed note"),
    ] {
        let refusal = join(&release, &lines).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_no_signature(bytes: Vec<u8>, text: String) {
        let release = release();
        prop_assert!(verify(&release, &bytes).is_err());
        prop_assert!(join(&release, &[&text]).is_err());
    }

    #[test]
    fn a_note_with_a_changed_byte_is_not_signed_by_both(at: prop::sample::Index, flip in 1..=255_u8) {
        let [provider, tenant] = lines();
        let mut note = note(&[&provider, &tenant]);
        let at = at.index(note.len());
        note[at] ^= flip;
        prop_assert!(verify(&release(), &note).map_or(true, |signed| signed != BOTH));
    }
}
