//! Both parties' signatures over a release: a signed note (c2sp.org/signed-note) whose text names the
//! release by its digest. Where the keys are kept, and whether one signature is enough, is not known here.

use tlog::{Note, Signer, Verifier};

use crate::Release;

/// What begins the text that is signed, so that no signature made for another purpose counts.
const HEADER: &str = "awan agreement release v1";

/// Why something is not a party's signature over a release.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key is neither party's.
    #[error("the key {0} is neither party's: the release names other keys")]
    Stranger(String),
    /// The note is of another release, or of something else.
    #[error("the note signs something else than this release")]
    OtherText,
    /// Not a signature line.
    #[error("a signature is one line")]
    Line,
    /// Not a note or not a signature of it.
    #[error(transparent)]
    Note(#[from] tlog::note::Error),
}

/// Who has signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// The provider.
    pub provider: bool,
    /// The tenant.
    pub tenant: bool,
}

impl Signed {
    /// Whether both have.
    pub const fn both(self) -> bool {
        self.provider && self.tenant
    }
}

/// The text that both parties sign: header, process, release and the release's digest, a line each.
pub fn statement(release: &Release) -> String {
    format!("{HEADER}\n{}\n{}\n{}\n", release.ocid(), release.id(), release.digest())
}

/// Signs a release; one signature line, `— name base64\n`.
///
/// # Errors
/// [`Error::Stranger`] where the key is not one of the two that the release names.
pub fn sign(release: &Release, signer: &Signer) -> Result<String, Error> {
    if !parties(release)?.contains(signer.verifier()) {
        return Err(Error::Stranger(signer.verifier().name().to_owned()));
    }
    let text = statement(release);
    let note = Note::sign(text.clone(), &[signer])?.to_string();
    Ok(note[text.len() + 1..].to_owned())
}

/// Joins signature lines into the note that is published. The provider's line is first and none is
/// there twice, so the same signatures always give the same note.
///
/// # Errors
/// Where a line is not a right signature by one of the parties, or there is none.
pub fn join(release: &Release, lines: &[&str]) -> Result<Vec<u8>, Error> {
    let text = statement(release);
    let keys = parties(release)?;
    let mut by_party: [Option<&str>; 2] = [None, None];
    for line in lines {
        let line = line.trim_end_matches('\n');
        if line.contains('\n') {
            return Err(Error::Line);
        }
        let note = Note::parse(format!("{text}\n{line}\n").as_bytes())?;
        for (key, signed) in keys.iter().zip(&mut by_party) {
            match note.verify(&[key]) {
                Ok(_) => *signed = Some(line),
                Err(tlog::note::Error::Unsigned) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !by_party.contains(&Some(line)) {
            let name = line.split(' ').nth(1).unwrap_or_default();
            return Err(Error::Stranger(name.to_owned()));
        }
    }
    let lines: String = by_party.iter().flatten().map(|line| format!("{line}\n")).collect();
    if lines.is_empty() {
        return Err(tlog::note::Error::Unsigned.into());
    }
    Ok(format!("{text}\n{lines}").into_bytes())
}

/// Who has signed a release, by a note. Signatures by other keys are ignored.
///
/// # Errors
/// Where it is not a note of this release, or a signature in a party's name is wrong.
pub fn verify(release: &Release, note: &[u8]) -> Result<Signed, Error> {
    let note = Note::parse(note)?;
    if note.text() != statement(release) {
        return Err(Error::OtherText);
    }
    let [provider, tenant] = parties(release)?;
    match note.verify(&[&provider, &tenant]) {
        Ok(keys) => {
            Ok(Signed { provider: keys.contains(&&provider), tenant: keys.contains(&&tenant) })
        }
        Err(tlog::note::Error::Unsigned) => Ok(Signed::default()),
        Err(error) => Err(error.into()),
    }
}

/// The keys that a release names: the provider's, the tenant's.
fn parties(release: &Release) -> Result<[Verifier; 2], Error> {
    let keys = &release.terms().keys;
    Ok([keys.provider.parse()?, keys.tenant.parse()?])
}

#[cfg(test)]
mod tests;
