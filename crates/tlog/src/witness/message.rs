//! The text forms of a witness's requests and answers.

use std::fmt;

use crate::checkpoint::decimal;
use crate::note::{NOTE_BYTES_MAX, Note, Signature};
use crate::{CosignerKey, Hash};

/// The most hashes of a proof that a request may bring.
pub const PROOF_LINES_MAX: usize = 63;
/// The content type of a size, as a 409 answers it.
pub const SIZE_TYPE: &str = "text/x.tlog.size";
/// The longest request: a note, and 63 hashes with what is around them.
pub const REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + 8_192;

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(pub &'static str);

/// The body of an `add-checkpoint` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Size of the checkpoint that the witness cosigned last.
    pub old: u64,
    /// The proof that the log grew from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The checkpoint.
    pub note: Note,
}

impl Request {
    /// Reads a body. Nothing of it is verified.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > REQUEST_BYTES_MAX {
            return Err(Malformed("the request is too long"));
        }
        let text = str::from_utf8(body).map_err(|_| Malformed("the request is not UTF-8"))?;
        let (head, note) =
            text.split_once("\n\n").ok_or(Malformed("an empty line ends the proof"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or(Malformed("the first line says the old size"))?;
        let proof: Option<Vec<_>> =
            lines.take(PROOF_LINES_MAX + 1).map(Hash::from_base64).collect();
        let proof = proof.ok_or(Malformed("every line of the proof is base64 of 32 bytes"))?;
        if proof.len() > PROOF_LINES_MAX {
            return Err(Malformed("the proof has at most 63 lines"));
        }
        let note = Note::parse(note.as_bytes())
            .map_err(|_| Malformed("the checkpoint is not a signed note"))?;
        Ok(Self { old, proof, note })
    }
}

/// The form that [`Request::parse`] reads.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.proof {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// What a log makes of a witness's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It cosigned: the signatures, by whom and whether rightly is still to be seen.
    Cosigned(Vec<Signature>),
    /// It is at another size, from which a proof must begin.
    At(u64),
    /// It refused, in its own words.
    Refused {
        /// HTTP status.
        status: u16,
        /// The first line of the body, as far as it is text.
        what: String,
    },
}

impl Reply {
    /// The longest answer that is read.
    pub const BYTES_MAX: usize = NOTE_BYTES_MAX;

    /// Reads an answer: its HTTP status and its body.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, Malformed> {
        if body.len() > Self::BYTES_MAX {
            return Err(Malformed("the answer is too long"));
        }
        match status {
            200 => {
                let text =
                    str::from_utf8(body).map_err(|_| Malformed("the answer is not UTF-8"))?;
                let lines = text.strip_suffix('\n').ok_or(Malformed("the answer has no lines"))?;
                let signatures: Result<Vec<_>, _> =
                    lines.split('\n').map(Signature::parse).collect();
                let signatures = signatures.map_err(|_| Malformed("a line is no signature"))?;
                Ok(Self::Cosigned(signatures))
            }
            409 => {
                let text = str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n'));
                let size = text.and_then(decimal).ok_or(Malformed("a conflict names no size"))?;
                Ok(Self::At(size))
            }
            status => {
                let text = String::from_utf8_lossy(body);
                let line = text.lines().next().unwrap_or_default();
                let what = line.chars().filter(|c| !c.is_control()).take(200).collect();
                Ok(Self::Refused { status, what })
            }
        }
    }
}

/// The signature among those of an answer that is this witness's cosignature of the note.
pub fn cosignature(note: &Note, signatures: &[Signature], key: &CosignerKey) -> Option<Signature> {
    signatures
        .iter()
        .find(|signature| {
            let one = note.clone().with_signatures([(*signature).clone()]);
            key.verify(&one).is_ok_and(|time| time.is_some())
        })
        .cloned()
}
