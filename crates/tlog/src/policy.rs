//! The policy file (c2sp.org/tlog-policy): which logs are known, which witnesses, and how many of them
//! must have cosigned a checkpoint before it counts. It decides over a note alone; fetching
//! cosignatures is elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use crate::note::{self, Note};
use crate::{Checkpoint, CosignerKey, Verifier, checkpoint};

/// The longest file that is read: some hundreds of witnesses.
pub const POLICY_BYTES_MAX: usize = 64 << 10;
/// The name that stands for no witness at all, in a quorum line only.
const NONE: &str = "none";

/// A policy file that was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Error {
    /// The line, from 1; the last one where something is missing at the end.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// A log that the policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Signs the checkpoints; its name is the log's origin.
    pub key: Verifier,
    /// Where the log can be read.
    pub url: Option<String>,
}

/// A witness that the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it; the key has a name of its own.
    pub name: String,
    /// Cosigns.
    pub key: CosignerKey,
    /// Where it takes checkpoints: the submission prefix of tlog-witness, without a slash at the end.
    pub url: Option<String>,
}

/// What a group or the quorum counts: a witness or an earlier group, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// Whom to believe about a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// `None` where the policy asks for no cosignature.
    quorum: Option<(String, Member)>,
}

/// Why a checkpoint does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsatisfied {
    /// A known key's signature is wrong, or the log's is not there.
    #[error("the signatures are refused")]
    Note(#[from] note::Error),
    /// The text is not that of a checkpoint.
    #[error("the checkpoint is refused")]
    Checkpoint(#[from] checkpoint::Error),
    /// The policy lists no log of this name.
    #[error("the policy knows no log {0}")]
    UnknownLog(String),
    /// Too few witnesses cosigned.
    #[error(transparent)]
    Quorum(#[from] Unmet),
}

/// Too few witnesses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quorum {quorum} is not met without {}", missing.join(", "))]
pub struct Unmet {
    /// What the policy calls the quorum.
    pub quorum: String,
    /// The witnesses of the quorum that did not cosign, in the file's order; some of them suffice.
    pub missing: Vec<String>,
}

impl Policy {
    /// Reads a policy file. Names and comments may hold any UTF-8.
    ///
    /// # Errors
    /// The first line that is wrong, and why.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut draft = Draft::default();
        let refuse = |what: &str| Error { line: 1, what: what.to_owned() };
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(refuse("the file is too long"));
        }
        let text = str::from_utf8(bytes).map_err(|_| refuse("the file is not UTF-8"))?;
        let mut last = 0;
        // A newline ends a line, and nothing else does: `lines` would take away a carriage return.
        for line in text.split('\n') {
            last += 1;
            draft.line(line).map_err(|what| Error { line: last, what })?;
        }
        let missing = || Error { line: last, what: "there is no quorum line".to_owned() };
        let quorum = draft.quorum.ok_or_else(missing)?;
        let Draft { logs, witnesses, groups, .. } = draft;
        Ok(Self { logs, witnesses, groups, quorum })
    }

    /// The logs, in the file's order.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses, in the file's order.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// The witnesses that cosigned the note, where they are enough. The log's own signature is not
    /// looked at: see [`Policy::verify`].
    ///
    /// # Errors
    /// [`Unsatisfied::Quorum`], or [`Unsatisfied::Note`] where a known witness's signature is wrong.
    pub fn satisfied_by(&self, note: &Note) -> Result<Vec<&Witness>, Unsatisfied> {
        let mut cosigned = Vec::new();
        for witness in &self.witnesses {
            if witness.key.verify(note)?.is_some() {
                cosigned.push(witness);
            }
        }
        self.met_by(|witness| cosigned.iter().any(|found| found.name == witness.name))?;
        Ok(cosigned)
    }

    /// The checkpoint in a note that one of the logs signed and enough witnesses cosigned.
    ///
    /// # Errors
    /// Why the checkpoint does not count. A policy without logs accepts none here.
    pub fn verify(&self, note: &Note) -> Result<Checkpoint, Unsatisfied> {
        let origin = Checkpoint::parse(note.text())?.origin;
        let keys: Vec<_> =
            self.logs.iter().map(|log| &log.key).filter(|key| key.name() == origin).collect();
        if keys.is_empty() {
            return Err(Unsatisfied::UnknownLog(origin));
        }
        let signed = note.verify(&keys)?;
        let checkpoint = Checkpoint::verify(note, signed[0])?;
        self.satisfied_by(note)?;
        Ok(checkpoint)
    }

    /// Whether the witnesses of whom `cosigned` is true are enough.
    ///
    /// # Errors
    /// The witnesses of the quorum of whom it is not true.
    pub fn met_by(&self, cosigned: impl Fn(&Witness) -> bool) -> Result<(), Unmet> {
        let Some((quorum, member)) = &self.quorum else { return Ok(()) };
        let witnesses: Vec<bool> = self.witnesses.iter().map(cosigned).collect();
        // A group counts earlier groups only, so one pass in order settles them all.
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        let met = |member: &Member, groups: &[bool]| match *member {
            Member::Witness(at) => witnesses[at],
            Member::Group(at) => groups[at],
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| met(member, &groups)).count();
            groups.push(count >= group.threshold);
        }
        if met(member, &groups) {
            return Ok(());
        }
        let below = self.below(*member);
        let missing = below.into_iter().filter(|at| !witnesses[*at]);
        let missing = missing.map(|at| self.witnesses[at].name.clone()).collect();
        Err(Unmet { quorum: quorum.clone(), missing })
    }

    /// The witnesses that a member stands for, in the file's order.
    fn below(&self, member: Member) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![member];
        while let Some(member) = open.pop() {
            match member {
                Member::Witness(at) => drop(found.insert(at)),
                Member::Group(at) => open.extend(&self.groups[at].members),
            }
        }
        found
    }
}

/// A policy while it is read.
#[derive(Default)]
struct Draft {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    names: BTreeMap<String, Member>,
    /// Names that are members of a group: each may be of one only.
    grouped: BTreeSet<String>,
    quorum: Option<Option<(String, Member)>>,
}

impl Draft {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
            return Err("it has a control character".to_owned());
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, count, ref members @ ..] if !members.is_empty() => {
                self.group(name, count, members)
            }
            ["quorum", name] => self.quorum(name),
            [first @ ("log" | "witness" | "group" | "quorum"), ..] => {
                Err(format!("{first} takes another number of words"))
            }
            [first, ..] => Err(format!("{first} is none of log, witness, group and quorum")),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), String> {
        let key: Verifier = key.parse().map_err(|error: note::Error| error.to_string())?;
        if self.logs.iter().any(|log| log.key.bytes() == key.bytes()) {
            return Err("this log's key is there already".to_owned());
        }
        self.logs.push(Log { key, url: url.map(prefix) });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), String> {
        let key: CosignerKey = key.parse().map_err(|error: note::Error| error.to_string())?;
        if self.witnesses.iter().any(|witness| witness.key.bytes() == key.bytes()) {
            return Err("this witness's key is there already".to_owned());
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_owned(), key, url: url.map(prefix) });
        Ok(())
    }

    fn group(&mut self, name: &str, count: &str, members: &[&str]) -> Result<(), String> {
        let threshold = match count {
            "any" => 1,
            "all" => members.len(),
            count => checkpoint::decimal(count)
                .and_then(|count| usize::try_from(count).ok())
                .filter(|count| (1..=members.len()).contains(count))
                .ok_or_else(|| format!("{count} is none of any, all and 1 to {}", members.len()))?,
        };
        let mut found = Vec::with_capacity(members.len());
        for member in members {
            found.push(self.find(member)?);
            if !self.grouped.insert((*member).to_owned()) {
                return Err(format!("{member} is counted already"));
            }
        }
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members: found });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), String> {
        let quorum = match name {
            NONE => None,
            name => Some((name.to_owned(), self.find(name)?)),
        };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err("there is a quorum line already".to_owned()),
        }
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), String> {
        if name == NONE || self.names.insert(name.to_owned(), member).is_some() {
            return Err(format!("the name {name} is taken"));
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<Member, String> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| format!("no line before this one says who {name} is"))
    }
}

/// A URL prefix, to which a path is added with a slash.
fn prefix(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests;
