//! The agreements that the log tells of: every release document, checked, and the order in which they
//! were published, came into force and ended. From it follows what bound a tenant at any moment.
//!
//! Only public things are read: leaves and the documents that they name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::Time;
use terms::Release;
use terms::release::Tag;
use terms::signature::{self, Signed};

use super::documents::Documents;
use super::findings::Findings;
use super::leaf::Leaf;
use super::log::Log;

const HOUR: Duration = Duration::from_secs(3600);
const DAY_SECS: u64 = 86_400;

/// A release that a leaf names.
pub(crate) struct Published {
    /// The entry of the leaf that published it.
    pub index: u64,
    pub digest: String,
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

    fn find(&self, ocid: &str, id: &str) -> Option<&Arc<Published>> {
        self.published
            .iter()
            .find(|published| published.release.ocid() == ocid && published.release.id() == id)
    }

    /// The last period, where it is not over at a moment; it may be one that only begins later.
    fn open_at(&self, at: Time) -> Option<&Period> {
        self.periods.last().filter(|period| period.until.is_none_or(|until| until > at))
    }
}

/// The agreements of all tenants, by account.
#[derive(Default)]
pub(crate) struct Histories {
    pub of: BTreeMap<String, History>,
    /// Keys that leaves declared as the provider's.
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
        let provider = |(_, leaf): &&(u64, Leaf)| leaf.fact("role") == "provider";
        let keys = found.iter().filter(provider).map(|(_, leaf)| leaf.fact("key").to_owned());
        histories.provider_keys = keys.collect();
        let log_key = log.key().to_string();
        for (index, leaf) in &found {
            if leaf.action == "awan:DeclareKey" {
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
        let history = self.of.entry(tenant.to_owned()).or_default();
        match leaf.action.as_str() {
            "awan:PublishAgreement" => history.publish(named),
            "awan:ActivateAgreement" => history.activate(named, leaf.at()),
            _ => history.end(named, leaf.at()),
        }
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
        if !self.provider_keys.is_empty() && !self.provider_keys.contains(&terms.keys.provider) {
            return Err(format!(
                "document {digest} names a provider's key that the log never declared: {}",
                terms.keys.provider
            ));
        }
        let note =
            documents.fetch(leaf.fact("signatures")).map_err(|why| format!("signatures: {why}"))?;
        let signed = signature::verify(&release, &note).map_err(|error| {
            format!("the signatures under release {} are refused: {error}", release.id())
        })?;
        Ok(Published { index, digest, release, signed })
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

impl History {
    fn publish(&mut self, new: Published) -> Result<(), String> {
        let (ocid, id) = (new.release.ocid().to_owned(), new.release.id().to_owned());
        if self.find(&ocid, &id).is_some() {
            return Err(format!("release {id} was published before"));
        }
        if !new.signed.both() {
            let missing = if new.signed.provider { "the tenant" } else { "the provider" };
            return Err(format!("release {id} was published without the signature of {missing}"));
        }
        let begun = self.published.iter().any(|published| published.release.ocid() == ocid);
        match new.release.tag() {
            Tag::Contract if begun => {
                return Err(format!("process {ocid} has a second contract, release {id}"));
            }
            Tag::ContractAmendment if !begun => {
                return Err(format!("release {id} amends process {ocid}, which has no contract"));
            }
            Tag::ContractTermination => {
                return Err(format!("release {id} ends process {ocid} and was only published"));
            }
            _ => {}
        }
        self.published.push(Arc::new(new));
        Ok(())
    }

    /// A release comes into force; the leaf publishes it too, where none did before.
    fn activate(&mut self, named: Published, at: Time) -> Result<(), String> {
        let (ocid, id) = (named.release.ocid().to_owned(), named.release.id().to_owned());
        let index = named.index;
        match self.find(&ocid, &id) {
            Some(before) if before.digest != named.digest => {
                return Err(format!(
                    "release {id} comes into force as document {} and was published as {}",
                    named.digest, before.digest
                ));
            }
            Some(_) => {}
            None => self.publish(named)?,
        }
        let published = self.find(&ocid, &id).cloned().expect("it is published by now");
        if self.periods.iter().any(|period| Arc::ptr_eq(&period.published, &published)) {
            return Err(format!("release {id} comes into force a second time"));
        }
        let release = &published.release;
        let open = self.open_at(at).map(|open| &open.published.release);
        match (release.tag(), open) {
            (Tag::Contract, None) => {}
            (Tag::Contract, Some(other)) => {
                return Err(format!(
                    "release {id} comes into force while release {} of process {} still is: two agreements at once",
                    other.id(),
                    other.ocid()
                ));
            }
            (Tag::ContractTermination, _) => {
                return Err(format!("release {id} ends an agreement, and cannot come into force"));
            }
            (Tag::ContractAmendment, _) => self.follows(release, at)?,
        }
        let (from, until) = (self.binding_moment(at, release.start()), release.end());
        if until.is_some_and(|until| until <= from) {
            return Err(format!("release {id} comes into force after its term was over"));
        }
        self.cut(from);
        self.periods.push(Period { from, until, index, published });
        Ok(())
    }

    /// Refuses an amendment or an end of something else than what is in force last.
    fn follows(&self, release: &Release, at: Time) -> Result<(), String> {
        let (ocid, id) = (release.ocid(), release.id());
        let last = self.open_at(at).map(|open| &open.published.release);
        let Some(last) = last.filter(|last| last.ocid() == ocid) else {
            return Err(format!("release {id} follows process {ocid}, which is not in force"));
        };
        match release.amends() {
            Some(amends) if amends.release == last.id() => Ok(()),
            _ => Err(format!(
                "release {id} does not follow release {}, which is in force",
                last.id()
            )),
        }
    }

    /// From when a release binds: from its activation or its start; where another binds earlier in that
    /// hour, from the next, so that no hour has two price books.
    fn binding_moment(&self, at: Time, start: Time) -> Time {
        let wanted = at.max(start);
        let hour = wanted.hour();
        // A leaf tells the second only: an activation lies somewhere within it, a start at its begin.
        let end = if start > at { wanted } else { wanted.plus(Duration::from_secs(1)) };
        let binds_before =
            |period: &Period| period.from < end && period.until.is_none_or(|until| until > hour);
        if hour < end && self.periods.iter().any(binds_before) { hour.plus(HOUR) } else { wanted }
    }

    /// Ends what would last longer, and takes away what would only begin then.
    fn cut(&mut self, at: Time) {
        self.periods.retain(|period| period.from < at);
        if let Some(last) = self.periods.last_mut() {
            last.until = Some(last.until.map_or(at, |until| until.min(at)));
        }
    }

    fn end(&mut self, ended: Published, at: Time) -> Result<(), String> {
        let id = ended.release.id().to_owned();
        if ended.release.tag() != Tag::ContractTermination {
            return Err(format!(
                "release {id} is a {}, and ends nothing",
                ended.release.tag().as_str()
            ));
        }
        self.follows(&ended.release, at)?;
        let ends = ended.release.end().map_or(at, |end| end.max(at));
        match ended.signed {
            Signed { tenant: true, .. } => {}
            Signed { provider: true, .. } => {
                let days = ended.release.terms().exit.notice_days;
                let notice = Duration::from_secs(u64::from(days) * DAY_SECS);
                if ends < at.plus(notice) {
                    return Err(format!(
                        "release {id}: the provider ended it without the notice of {days} days"
                    ));
                }
            }
            _ => {
                return Err(format!("release {id} ends the agreement and neither party signed it"));
            }
        }
        self.cut(ends);
        self.published.push(Arc::new(ended));
        Ok(())
    }
}
