//! What a witness decides (c2sp.org/tlog-witness): a checkpoint is cosigned if its log signed it and it
//! follows from the one that was cosigned before. Also how its requests and answers are written, and
//! how two checkpoints show that a log told different things to different witnesses.
//!
//! No HTTP and no files: the witness's memory is a [`State`], and a program around this carries the
//! bytes. There is no `sign-subtree`, which the specification leaves open, and no witness key but
//! Ed25519.

use std::io;

use base::Time;

use crate::checkpoint;
use crate::note::{Note, Signature};
use crate::tree::{self, verify_consistency};
use crate::{Checkpoint, Cosigner, Verifier};

mod message;
mod split;

pub use message::{
    Malformed, PROOF_LINES_MAX, REQUEST_BYTES_MAX, Reply, Request, SIZE_TYPE, cosignature,
};
pub use split::SplitView;

/// What a witness remembers: for each log the note that it cosigned last.
pub trait State {
    /// Hands `next` the note kept for the log of this origin and keeps the note that it returns in its
    /// place; where it returns `None` nothing changes. Nothing else may happen to this log in between,
    /// and the new note must be durable before this returns: a witness that forgets what it cosigned
    /// can be led back.
    ///
    /// # Errors
    /// Where the note cannot be read or kept; then nothing is answered for.
    fn exchange(
        &self,
        origin: &str,
        next: &mut dyn FnMut(Option<&Note>) -> Option<Note>,
    ) -> io::Result<()>;
}

/// A witness: its key, the logs that it knows, and its memory.
#[derive(Debug)]
pub struct Witness<S> {
    cosigner: Cosigner,
    logs: Vec<Verifier>,
    state: S,
}

/// What a witness answers to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200: the cosignature.
    Cosigned(Signature),
    /// 400: not a request, or it contradicts itself.
    Malformed(Malformed),
    /// 403: not signed by the log.
    Unsigned,
    /// 404: a log that this witness does not know.
    UnknownLog,
    /// 409: the proof begins at another size than the one that was cosigned last, which is this.
    Conflict {
        /// Entries of the checkpoint that was cosigned last; 0 if there was none.
        size: u64,
        /// Where the checkpoint is one of that very size and of another root.
        split: Option<Box<SplitView>>,
    },
    /// 422: the checkpoint does not follow from the one that was cosigned last.
    Inconsistent {
        /// What is wrong.
        what: &'static str,
        /// Where it is one of the same size and of another root.
        split: Option<Box<SplitView>>,
    },
}

impl Answer {
    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Cosigned(_) => 200,
            Self::Malformed(_) => 400,
            Self::Unsigned => 403,
            Self::UnknownLog => 404,
            Self::Conflict { .. } => 409,
            Self::Inconsistent { .. } => 422,
        }
    }

    /// The content type of the body.
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => SIZE_TYPE,
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body: signature lines, a size, or a sentence.
    pub fn body(&self) -> String {
        match self {
            Self::Cosigned(signature) => format!("{signature}\n"),
            Self::Malformed(what) => format!("{what}\n"),
            Self::Unsigned => "the checkpoint is not signed by the log\n".to_owned(),
            Self::UnknownLog => "this witness does not know the log\n".to_owned(),
            Self::Conflict { size, .. } => format!("{size}\n"),
            Self::Inconsistent { what, .. } => format!("{what}\n"),
        }
    }

    /// The proof that the log signed two different logs, where this request brought it.
    pub fn split_view(&self) -> Option<&SplitView> {
        match self {
            Self::Conflict { split, .. } | Self::Inconsistent { split, .. } => split.as_deref(),
            _ => None,
        }
    }
}

impl<S: State> Witness<S> {
    /// A witness of these logs; a log with two keys is there twice.
    pub const fn new(cosigner: Cosigner, logs: Vec<Verifier>, state: S) -> Self {
        Self { cosigner, logs, state }
    }

    /// The key that cosigns.
    pub const fn cosigner(&self) -> &Cosigner {
        &self.cosigner
    }

    /// The logs that it knows.
    pub fn logs(&self) -> &[Verifier] {
        &self.logs
    }

    /// Its memory.
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// Answers the body of an `add-checkpoint` request that came at a time. A checkpoint that is
    /// cosigned is in the memory when this returns.
    ///
    /// # Errors
    /// Those of the memory; the request may be repeated.
    pub fn add_checkpoint(&self, body: &[u8], now: Time) -> io::Result<Answer> {
        let checked = Request::parse(body).map_err(Answer::Malformed).and_then(|request| {
            self.authenticate(&request).map(|(head, note)| (request, head, note))
        });
        let (request, checkpoint, note) = match checked {
            Ok(checked) => checked,
            Err(answer) => return Ok(answer),
        };
        let mut answer = None;
        self.state.exchange(&checkpoint.origin, &mut |held| {
            if let Err(refusal) = decide(&request, &checkpoint, &note, held) {
                answer = Some(refusal);
                return None;
            }
            let signature = self.cosigner.cosign(&note, now);
            answer = Some(Answer::Cosigned(signature.clone()));
            Some(note.clone().with_signatures([signature]))
        })?;
        answer.ok_or_else(|| io::Error::other("the witness's memory did not ask what to keep"))
    }

    /// What the log said and signed, without anybody else's signatures.
    fn authenticate(&self, request: &Request) -> Result<(Checkpoint, Note), Answer> {
        let checkpoint = match Checkpoint::parse_text(request.note.text()) {
            Ok(checkpoint) => checkpoint,
            Err(checkpoint::Error::Malformed(what)) => {
                return Err(Answer::Malformed(Malformed(what)));
            }
            Err(_) => return Err(Answer::Malformed(Malformed("the note is not a checkpoint"))),
        };
        let keys: Vec<_> = self.logs.iter().filter(|key| key.name() == checkpoint.origin).collect();
        if keys.is_empty() {
            return Err(Answer::UnknownLog);
        }
        match request.note.verify(&keys) {
            Ok(signed) => Ok((checkpoint, request.note.clone().signed_by(&signed))),
            Err(_) => Err(Answer::Unsigned),
        }
    }
}

/// Whether a checkpoint follows from the one that was cosigned last, in the order of the
/// specification.
fn decide(
    request: &Request,
    checkpoint: &Checkpoint,
    note: &Note,
    held: Option<&Note>,
) -> Result<(), Answer> {
    if request.old > checkpoint.size {
        return Err(Answer::Malformed(Malformed("the old size is above the checkpoint's")));
    }
    let last = held.map(|held| Checkpoint::parse(held.text()));
    let last = match last.transpose() {
        Ok(last) => last,
        Err(_) => return Err(inconsistent("what this witness holds is not a checkpoint", None)),
    };
    let size = last.as_ref().map_or(0, |last| last.size);
    let split = held.and_then(|held| SplitView::of(held, note)).map(Box::new);
    if request.old != size {
        return Err(Answer::Conflict { size, split });
    }
    if Checkpoint::parse(note.text()).is_err() {
        return Err(inconsistent("an empty tree has the empty root", split));
    }
    let root = last.map_or_else(crate::Hash::empty_tree, |last| last.root);
    match verify_consistency(size, root, checkpoint.size, checkpoint.root, &request.proof) {
        Ok(()) => Ok(()),
        Err(_) if split.is_some() => {
            Err(inconsistent("the log signed another root for this size before", split))
        }
        Err(tree::Error::Length) => Err(inconsistent("the proof has the wrong length", None)),
        Err(_) => Err(inconsistent("the proof does not lead from one root to the other", None)),
    }
}

const fn inconsistent(what: &'static str, split: Option<Box<SplitView>>) -> Answer {
    Answer::Inconsistent { what, split }
}

#[cfg(test)]
mod tests;
