//! Two checkpoints of one log, one size and two roots: the proof that the log shows different logs to
//! different readers. No log that only grows can sign both, so whoever holds the two needs nothing else.

use std::fmt;

use crate::note::Note;
use crate::{Checkpoint, Verifier};

/// Two checkpoints that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitView {
    origin: String,
    size: u64,
    notes: [Note; 2],
}

impl SplitView {
    /// The contradiction between two notes of checkpoints, `None` where there is none: they are of
    /// different logs, or the same, or of different sizes (then a consistency proof must tell, see
    /// [`crate::tree::verify_consistency`]). The signatures are not looked at.
    pub fn of(one: &Note, other: &Note) -> Option<Self> {
        let (first, second) =
            (Checkpoint::parse_text(one.text()).ok()?, Checkpoint::parse_text(other.text()).ok()?);
        let split =
            first.origin == second.origin && first.size == second.size && first.root != second.root;
        let Checkpoint { origin, size, .. } = first;
        split.then(|| Self { origin, size, notes: [one.clone(), other.clone()] })
    }

    /// The log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The size for which it signed two roots.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The two notes, with all their signatures.
    pub const fn notes(&self) -> &[Note; 2] {
        &self.notes
    }

    /// Whether the log with this key signed both, which makes it a proof.
    pub fn is_proof(&self, log: &Verifier) -> bool {
        log.name() == self.origin && self.notes.iter().all(|note| note.verify(&[log]).is_ok())
    }
}

/// A text for people that holds both notes byte for byte.
impl fmt::Display for SplitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, size, notes: [one, other] } = self;
        writeln!(f, "The log {origin} signed two different roots for its first {size} entries.")?;
        writeln!(
            f,
            "It shows different logs to different readers. Both signed checkpoints follow."
        )?;
        write!(f, "\n--- one\n{one}\n--- the other\n{other}")
    }
}
