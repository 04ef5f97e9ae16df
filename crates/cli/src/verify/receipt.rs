//! `--receipt`: a `.tlog-proof` file with the opening of its entry, checked without a network. It needs
//! the file, and the log's key or a policy.

use anyhow::{Context, Result};
use base::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tlog::policy::Policy;
use tlog::{Checkpoint, Hash, Proof, Verifier};

use super::findings::Findings;
use super::leaf::Leaf;
use crate::output;

/// What a receipt adds to the proof of its entry: the entry, and what opens its commitment.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    /// The leaf, byte for byte.
    pub leaf: String,
    /// What the leaf commits to.
    pub statement: String,
    /// Blinds the commitment, hexadecimal.
    pub salt: String,
}

impl Opening {
    /// The bytes for [`Proof::extra`].
    ///
    /// # Errors
    /// Never: text has a JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).context("write the opening as JSON")
    }
}

/// Whom to believe about the log.
pub(crate) struct Trust<'a> {
    /// The log's key; `None` where the policy names the logs.
    pub key: Option<&'a Verifier>,
    /// Which witnesses must have cosigned.
    pub policy: Option<&'a Policy>,
}

/// Checks a receipt; answers its proof and the checkpoint that it leads to, where it is one.
///
/// # Errors
/// Where the file is no receipt at all.
pub(crate) fn check(
    bytes: &[u8],
    trust: &Trust<'_>,
    findings: &mut Findings,
) -> Result<Option<(Proof, Checkpoint)>> {
    let proof = Proof::parse(bytes).context("read the receipt")?;
    let opening: Opening = serde_json::from_slice(&proof.extra)
        .context("the receipt holds no entry: it is a proof of something else")?;
    let Some(checkpoint) = included(&proof, &opening, trust, findings) else { return Ok(None) };
    let leaf = match Leaf::parse(opening.leaf.as_bytes()) {
        Ok(leaf) => leaf,
        Err(why) => {
            findings.defect(format!("entry {}: {why}", proof.index));
            return Ok(None);
        }
    };
    show_leaf(&proof, &leaf, &checkpoint, findings);
    cosigners(&proof, trust.policy, findings);
    if !leaf.is_opened_by(&opening.statement, &opening.salt) {
        findings.defect(format!(
            "entry {} commits to something else than the receipt's statement: expected the commitment {}",
            proof.index, leaf.commitment
        ));
        return Ok(Some((proof, checkpoint)));
    }
    show_statement(&leaf, &opening.statement, findings);
    findings.proven.push(format!(
        "entry {} of {} is this, and nobody can change or deny it without breaking the signed root of {} entries",
        proof.index,
        checkpoint.origin,
        output::count(checkpoint.size)
    ));
    Ok(Some((proof, checkpoint)))
}

/// The checkpoint that the proof leads to, where every signature and hash is right.
fn included(
    proof: &Proof,
    opening: &Opening,
    trust: &Trust<'_>,
    findings: &mut Findings,
) -> Option<Checkpoint> {
    let leaf = Hash::leaf(opening.leaf.as_bytes());
    let key = trust.key.cloned().or_else(|| {
        // The policy names the logs; its own check of the signature follows below.
        let origin = Checkpoint::parse(proof.checkpoint.text()).ok()?.origin;
        let logs = trust.policy?.logs().iter();
        logs.map(|log| &log.key).find(|key| key.name() == origin).cloned()
    });
    let Some(key) = key else {
        findings.defect("the receipt's checkpoint is of a log that is not known");
        return None;
    };
    match proof.verify(leaf, &key) {
        Ok(checkpoint) => Some(checkpoint),
        Err(error) => {
            let error = anyhow::Error::from(error);
            findings.defect(format!("entry {}: {error:#}", proof.index));
            None
        }
    }
}

fn show_leaf(proof: &Proof, leaf: &Leaf, checkpoint: &Checkpoint, findings: &mut Findings) {
    findings.checked("log", &checkpoint.origin);
    findings.checked(
        "entry",
        format_args!(
            "{} of the {} under the checkpoint with root {}",
            proof.index,
            output::count(checkpoint.size),
            checkpoint.root
        ),
    );
    findings.checked(
        "action",
        format_args!("{} at {}, outcome {}", leaf.action, leaf.at().iso(), leaf.outcome),
    );
    for (name, value) in &leaf.public {
        findings.checked("public", format_args!("{name}: {}", output::plain(value)));
    }
}

/// Names the cosigners; those of the policy are verified, of others only the name is known.
fn cosigners(proof: &Proof, policy: Option<&Policy>, findings: &mut Findings) {
    match policy.map(|policy| policy.satisfied_by(&proof.checkpoint)) {
        Some(Ok(witnesses)) => {
            let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            findings.checked("cosigned", format_args!("by {names}, which satisfies the policy"));
        }
        Some(Err(error)) => {
            let error = anyhow::Error::from(error);
            findings.defect(format!("the checkpoint does not satisfy the policy: {error:#}"));
        }
        None => {
            let others: Vec<&str> = proof
                .checkpoint
                .signatures()
                .iter()
                .skip(1)
                .map(tlog::note::Signature::name)
                .collect();
            if !others.is_empty() {
                findings.checked(
                    "cosigned",
                    format_args!("by {}, not checked (give --policy FILE)", others.join(", ")),
                );
            }
        }
    }
}

/// Shows what the leaf commits to, and holds it against what the leaf says in clear.
fn show_statement(leaf: &Leaf, statement: &str, findings: &mut Findings) {
    let said: Value = serde_json::from_str(statement).unwrap_or_default();
    let text = |name: &str| output::plain(&said[name]);
    let at = said["at"].as_i64().map(|micros| Time::from_micros(micros).iso());
    if text("action") != leaf.action || at.as_deref() != Some(leaf.at().iso().as_str()) {
        findings.defect(format!(
            "the leaf says {} at {}, and what it commits to says {} at {}",
            leaf.action,
            leaf.at().iso(),
            text("action"),
            at.unwrap_or_else(|| "no time".to_owned())
        ));
    }
    for (label, name) in [
        ("request", "request"),
        ("by", "principal"),
        ("account", "account"),
        ("resource", "resource"),
        ("from", "source"),
        ("detail", "detail"),
    ] {
        let value = text(name);
        if !value.is_empty() {
            findings.checked(label, value);
        }
    }
}
