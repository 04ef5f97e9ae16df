//! What a tenant signs with the key of its agreement besides releases: that its account gets a new root
//! key, and that the provider's people may read its data. An API key is not enough for these, since
//! whoever runs the cloud can make one. Whose key it is, and whether a text was used before, is not known
//! here.

use base::{AccountId, Time};
use tlog::{Note, Verifier};

// For those who sign and know nothing of logs.
pub use tlog::Signer;

use crate::signature::Error;

/// The text under which an account gets a new root key; `signed` to the second.
pub fn account_key(account: AccountId, signed: Time) -> String {
    format!("awan account key v1\n{account}\n{}\n", signed.iso())
}

/// The text under which the provider's people may read what an account owns. The reason is one line.
pub fn privileged_access(access: &str, account: AccountId, reason: &str, hours: u32) -> String {
    format!("awan privileged access v1\n{access}\n{account}\n{reason}\n{hours}\n")
}

/// Signs a text; one signature line, `— name base64`.
///
/// # Errors
/// Where the text is none that a note can have.
pub fn sign(text: &str, signer: &Signer) -> Result<String, Error> {
    let note = Note::sign(text.to_owned(), &[signer])?.to_string();
    Ok(note[text.len() + 1..].trim_end().to_owned())
}

/// Checks a signature line over a text by a key, given as a note verifier key.
///
/// # Errors
/// Where it is not one line, or no right signature by that key.
pub fn verify(text: &str, line: &str, key: &str) -> Result<(), Error> {
    let line = line.trim_end_matches('\n');
    if line.contains('\n') {
        return Err(Error::Line);
    }
    let key: Verifier = key.parse()?;
    Note::parse(format!("{text}\n{line}\n").as_bytes())?.verify(&[&key])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use base::Secret;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("awan.test/log/tenant/2", Secret::new([seed; 32])).unwrap()
    }

    #[test]
    fn the_texts_are_what_the_documentation_says() {
        let (account, at) = (AccountId::new(2), Time::from_secs(1_767_323_045));
        let key = "awan account key v1\n0000000000000002\n2026-01-02T03:04:05Z\n";
        assert_eq!(account_key(account, at), key);
        let access = "awan privileged access v1\npa-1\n0000000000000002\nTiket 17\n2\n";
        assert_eq!(privileged_access("pa-1", account, "Tiket 17", 2), access);
    }

    #[test]
    fn only_the_right_line_of_the_right_key_over_the_same_text_counts() {
        let text = account_key(AccountId::new(2), Time::from_secs(0));
        let (own, other) = (signer(1), signer(2));
        let key = own.verifier().to_string();
        let line = sign(&text, &own).unwrap();
        verify(&text, &line, &key).unwrap();
        let stranger = sign(&text, &other).unwrap();
        for (text, line) in [
            ("awan account key v1\n0\n", line.as_str()),
            (&text, &stranger),
            (&text, ""),
            (&text, &format!("{line}\n{stranger}")),
            (&text, &line[..line.len() - 4]),
        ] {
            assert!(verify(text, line, &key).is_err(), "{line}");
        }
    }
}
