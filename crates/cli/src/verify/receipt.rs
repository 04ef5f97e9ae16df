//! `--receipt`: a `.tlog-proof` file with the opening of its entry, checked without a network. It needs
//! the file, and the log's key or a policy.

use anyhow::{Context, Result};
use base::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tlog::note::Signature;
use tlog::policy::Policy;
use tlog::{Checkpoint, Hash, Note, Proof, Verifier};

use super::findings::Findings;
use super::leaf::Leaf;
use crate::output;

/// What a receipt adds to the proof of its entry: the entry, and what opens its commitment.
#[derive(Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub(crate) struct Opening {
    /// The leaf, byte for byte.
    pub leaf: String,
    /// What opens the leaf's commitment. A proof that the portal gives to everybody has none.
    #[serde(flatten)]
    pub secret: Option<Secret>,
}

/// An opening as it is written.
#[derive(Deserialize)]
struct Parts {
    leaf: String,
    statement: Option<String>,
    salt: Option<String>,
}

impl TryFrom<Parts> for Opening {
    type Error = &'static str;

    fn try_from(Parts { leaf, statement, salt }: Parts) -> Result<Self, &'static str> {
        let secret = match (statement, salt) {
            (Some(statement), Some(salt)) => Some(Secret { statement, salt }),
            (None, None) => None,
            // Else whoever spoils one of the two would make it a proof of less, and not a broken one.
            _ => return Err("of statement and salt one is missing"),
        };
        Ok(Self { leaf, secret })
    }
}

/// What only the tenant has of an entry.
#[derive(Serialize)]
pub(crate) struct Secret {
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
    /// The log's key.
    pub key: &'a Verifier,
    /// Which witnesses must have cosigned.
    pub policy: Option<&'a Policy>,
}

/// Reads a receipt; it proves nothing until checked.
///
/// # Errors
/// Where it is none.
pub(crate) fn read(bytes: &[u8]) -> Result<(Proof, Opening)> {
    let proof = Proof::parse(bytes).context("read the receipt")?;
    let opening = serde_json::from_slice(&proof.extra)
        .context("the receipt holds no entry: it is a proof of something else")?;
    Ok((proof, opening))
}

/// Checks a receipt; answers the checkpoint that it leads to, where it leads to one.
pub(crate) fn check(
    (proof, opening): &(Proof, Opening),
    trust: &Trust<'_>,
    findings: &mut Findings,
) -> Option<Checkpoint> {
    let index = proof.index;
    let checkpoint = match proof.verify(Hash::leaf(opening.leaf.as_bytes()), trust.key) {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            let error = anyhow::Error::from(error);
            findings.defect(format!("entry {index}: {error:#}"));
            return None;
        }
    };
    let leaf = match Leaf::parse(opening.leaf.as_bytes()) {
        Ok(leaf) => leaf,
        Err(why) => {
            findings.defect(format!("entry {index}: {why}"));
            return None;
        }
    };
    show_leaf(proof, &leaf, &checkpoint, findings);
    cosigners(&proof.checkpoint, trust.policy, findings);
    match &opening.secret {
        None => findings.checked("private", "not in this file: it proves what the entry says in public"),
        Some(secret) if leaf.is_opened_by(&secret.statement, &secret.salt) => {
            show_statement(&leaf, &secret.statement, findings);
        }
        Some(_) => findings.defect(format!(
            "entry {index} commits to something else than the receipt's statement: expected the commitment {}",
            leaf.commitment
        )),
    }
    findings.proven.push(format!(
        "entry {index} of {} is this, and nobody can change or deny it without breaking the signed root of {} entries",
        checkpoint.origin,
        output::count(checkpoint.size)
    ));
    Some(checkpoint)
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
pub(super) fn cosigners(note: &Note, policy: Option<&Policy>, findings: &mut Findings) {
    let Some(policy) = policy else {
        // The first signature is the log's own.
        let others: Vec<&str> = note.signatures().iter().skip(1).map(Signature::name).collect();
        if !others.is_empty() {
            let others = others.join(", ");
            findings
                .checked("cosigned", format_args!("by {others}, not checked (give --policy FILE)"));
        }
        return;
    };
    // A policy that names logs is for those only.
    let known = if policy.logs().is_empty() { Ok(()) } else { policy.verify(note).map(drop) };
    match known.and_then(|()| policy.satisfied_by(note)) {
        Ok(witnesses) => {
            let names: Vec<&str> = witnesses.iter().map(|witness| witness.name.as_str()).collect();
            let names = if names.is_empty() { "nobody".to_owned() } else { names.join(", ") };
            findings.checked("cosigned", format_args!("by {names}, which satisfies the policy"));
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            findings.defect(format!("the checkpoint does not satisfy the policy: {error:#}"));
        }
    }
}

/// Shows what the leaf commits to, and holds it against what the leaf says in clear.
fn show_statement(leaf: &Leaf, statement: &str, findings: &mut Findings) {
    let said: Value = serde_json::from_str(statement).unwrap_or_default();
    let text = |name: &str| said[name].as_str().unwrap_or_default();
    let at = said["at"].as_i64().map(|micros| Time::from_micros(micros).iso());
    let at = at.unwrap_or_else(|| "no time".to_owned());
    let outcome = public_outcome(text("outcome"));
    let same = text("action") == leaf.action && at == leaf.at().iso() && outcome == leaf.outcome;
    if !same {
        findings.defect(format!(
            "the leaf says {} at {} with outcome {}, and what it commits to says {} at {at} with outcome {}",
            leaf.action,
            leaf.at().iso(),
            leaf.outcome,
            text("action"),
            text("outcome"),
        ));
    }
    // What was done to a tenant stands in its trail. A refusal stands in the trail of who asked.
    let tenant = leaf.fact("tenant");
    if leaf.is_done() && !tenant.is_empty() && tenant != text("account") {
        findings.defect(format!(
            "the leaf is about tenant {tenant}, and what it commits to is of account {}",
            text("account")
        ));
    }
    for (label, name) in [
        ("request", "request"),
        ("outcome", "outcome"),
        ("by", "principal"),
        ("account", "account"),
        ("resource", "resource"),
        ("from", "source"),
        ("detail", "detail"),
    ] {
        let value = output::plain(&said[name]);
        if !value.is_empty() {
            findings.checked(label, value);
        }
    }
}

/// What a leaf says of an outcome: of a wrong parameter not which one, for that may be a tenant's own word.
fn public_outcome(outcome: &str) -> &str {
    let parameter = base::code::INVALID_PARAMETER.name;
    if outcome.starts_with(parameter) { parameter } else { outcome }
}
