//! The agreements that the log tells of: every release document, checked, and the order in which they
//! were published, came into force and ended. What follows from that order is [`terms::history`]'s part.
//!
//! Only public things are read: leaves and the documents that they name.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Time;
use terms::history::Step;
use terms::signature::{self, Signed};
use terms::{Release, history};

use super::documents::Documents;
use super::findings::Findings;
use super::leaf::Leaf;
use super::log::Log;

/// A release that a leaf names.
pub(crate) struct Published {
    /// The entry of the leaf that published it.
    pub index: u64,
    pub release: Release,
    pub signed: Signed,
}

/// A stretch of time in which one release binds.
pub(crate) struct Period {
    pub from: Time,
    /// Exclusive; `None` where nothing ends it yet.
    pub until: Option<Time>,
    /// The entry that brought it into force.
    pub index: u64,
    pub published: Arc<Published>,
}

impl Period {
    /// Whether it binds at some moment of that second: leaves tell time in seconds.
    pub fn covers_second(&self, at: Time) -> bool {
        self.from.secs() <= at.secs() && self.until.is_none_or(|until| until.secs() >= at.secs())
    }
}

/// All agreements of one tenant.
#[derive(Default)]
pub(crate) struct History {
    /// In the order of the log.
    pub published: Vec<Arc<Published>>,
    /// In order of time, without overlap.
    pub periods: Vec<Period>,
    steps: history::History,
}

impl History {
    /// What binds in a second: one release, or two where one follows the other in it.
    pub fn in_second(&self, at: Time) -> impl Iterator<Item = &Period> {
        self.periods.iter().filter(move |period| period.covers_second(at))
    }

    /// What binds at a moment.
    pub fn at(&self, at: Time) -> Option<&Period> {
        let covers =
            |period: &&Period| period.from <= at && period.until.is_none_or(|end| at < end);
        self.periods.iter().find(covers)
    }

    /// What binds at a moment, or bound last before it: what lies there after the end still lies under it.
    pub fn at_or_before(&self, at: Time) -> Option<&Period> {
        self.periods.iter().rfind(|period| period.from.secs() <= at.secs())
    }

    /// Takes what one leaf does with a release.
    fn take(&mut self, named: Published, leaf: &Leaf) -> Result<(), String> {
        let step = Step::of(&named.release, named.signed);
        let taken = match leaf.action.as_str() {
            "awan:PublishAgreement" => self.steps.publish(step),
            "awan:ActivateAgreement" => self.steps.activate(step, (named.index, leaf.at())),
            _ => self.steps.end(step, leaf.at()),
        };
        // Also where a step was refused, what it published before that stays published.
        if self.steps.published().len() > self.published.len() {
            self.published.push(Arc::new(named));
        }
        self.periods = self.steps.periods().iter().map(|period| self.period(period)).collect();
        taken
    }

    fn period(&self, period: &history::Period) -> Period {
        let history::Period { from, until, index, release } = *period;
        Period { from, until, index, published: Arc::clone(&self.published[release]) }
    }
}

/// The agreements of all tenants, by account.
#[derive(Default)]
pub(crate) struct Histories {
    pub of: BTreeMap<String, History>,
    /// Keys that leaves declared as the provider's, as far as the log was read.
    provider_keys: Vec<String>,
}

impl Histories {
    /// Reads the whole log; what is wrong goes into the findings.
    pub fn read(log: &Log, documents: &Documents, findings: &mut Findings) -> Self {
        let mut found: Vec<(u64, Leaf)> = Vec::new();
        let walked = log.each(|index, bytes| {
            if let Ok(leaf) = Leaf::parse(bytes)
                && leaf.is_done()
                && matters(&leaf.action)
            {
                found.push((index, leaf));
            }
        });
        if let Err(why) = walked {
            findings.defect(why);
        }
        let mut histories = Self::default();
        let log_key = log.key().to_string();
        for (index, leaf) in &found {
            if leaf.action == "awan:DeclareKey" {
                if leaf.fact("role") == "provider" {
                    histories.provider_keys.push(leaf.fact("key").to_owned());
                }
                continue;
            }
            if let Err(why) = histories.take(*index, leaf, documents, &log_key) {
                findings.defect(format!("entry {index} ({}): {why}", leaf.action));
            }
        }
        histories
    }

    /// Takes what one leaf says.
    fn take(
        &mut self,
        index: u64,
        leaf: &Leaf,
        documents: &Documents,
        log_key: &str,
    ) -> Result<(), String> {
        let tenant = leaf.fact("tenant");
        if tenant.is_empty() {
            return Err("it names no tenant".to_owned());
        }
        let named = self.load(index, leaf, documents, log_key)?;
        self.of.entry(tenant.to_owned()).or_default().take(named, leaf)
    }

    /// Fetches the release that a leaf names, and holds it against everything that the leaf says.
    fn load(
        &self,
        index: u64,
        leaf: &Leaf,
        documents: &Documents,
        log_key: &str,
    ) -> Result<Published, String> {
        let digest = leaf.fact("document").to_owned();
        let bytes = documents.fetch(&digest)?;
        let release = Release::parse(&bytes)
            .map_err(|error| format!("document {digest} is not a release: {error}"))?;
        if release.bytes() != bytes {
            return Err(format!("document {digest} is not in the canonical form (RFC 8785)"));
        }
        let tenant = release.terms().account.to_string();
        for (what, stated, found) in [
            ("the tenant", leaf.fact("tenant"), tenant.as_str()),
            ("the process", leaf.fact("ocid"), release.ocid()),
            ("the release", leaf.fact("release"), release.id()),
            ("the tag", leaf.fact("tag"), release.tag().as_str()),
        ] {
            if stated != found {
                return Err(format!(
                    "{what} is \"{stated}\" in the log and \"{found}\" in document {digest}"
                ));
            }
        }
        let terms = release.terms();
        if terms.log.key != log_key {
            return Err(format!("document {digest} names another log: {}", terms.log.key));
        }
        if !self.provider_keys.contains(&terms.keys.provider) {
            return Err(format!(
                "document {digest} names a provider's key that the log had not declared by then: {}",
                terms.keys.provider
            ));
        }
        let note =
            documents.fetch(leaf.fact("signatures")).map_err(|why| format!("signatures: {why}"))?;
        let signed = signature::verify(&release, &note).map_err(|error| {
            format!("the signatures under release {} are refused: {error}", release.id())
        })?;
        Ok(Published { index, release, signed })
    }
}

fn matters(action: &str) -> bool {
    matches!(
        action,
        "awan:PublishAgreement"
            | "awan:ActivateAgreement"
            | "awan:EndAgreement"
            | "awan:DeclareKey"
    )
}
