//! When which release binds an account: a pure function of what was published, brought into force and
//! ended, in the order of the log. Whoever checks from outside (`cli`, `portal`) computes it here, so that
//! both say the same of one log. Where releases come from, and whether a document is the one that the log
//! names, is not known here; what the cloud itself enforces is the crate `agreement`.

use std::time::Duration;

use base::Time;

use crate::Release;
use crate::release::Tag;
use crate::signature::Signed;

const HOUR: Duration = Duration::from_secs(3600);
const DAY_SECS: u64 = 86_400;

/// What of a release decides from when until when it binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The contracting process.
    pub ocid: String,
    /// The release's id, unique within the process.
    pub id: String,
    /// SHA-256 of the document.
    pub digest: String,
    /// What it does.
    pub tag: Tag,
    /// From when the agreement holds.
    pub start: Time,
    /// Until when, exclusively.
    pub end: Option<Time>,
    /// The release that it amends or ends.
    pub amends: Option<String>,
    /// With how many days of notice it can be ended by the provider.
    pub notice_days: u32,
    /// The tenant's key, the same as long as the agreement lasts.
    pub tenant_key: String,
    /// Who has signed.
    pub signed: Signed,
}

impl Step {
    /// Of a release, under the signatures that were found to be right.
    pub fn of(release: &Release, signed: Signed) -> Self {
        let terms = release.terms();
        Self {
            ocid: release.ocid().to_owned(),
            id: release.id().to_owned(),
            digest: release.digest().to_owned(),
            tag: release.tag(),
            start: release.start(),
            end: release.end(),
            amends: release.amends().map(|amends| amends.release.clone()),
            notice_days: terms.exit.notice_days,
            tenant_key: terms.keys.tenant.clone(),
            signed,
        }
    }
}

/// A stretch of time in which one release binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Inclusive.
    pub from: Time,
    /// Exclusive; `None` where nothing ends it yet.
    pub until: Option<Time>,
    /// The entry that brought it into force.
    pub index: u64,
    /// The release's place in [`History::published`].
    pub release: usize,
}

impl Period {
    /// Whether it binds at a moment.
    pub fn covers(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// All agreements of one account.
#[derive(Clone, Debug, Default)]
pub struct History {
    published: Vec<Step>,
    periods: Vec<Period>,
}

impl History {
    /// The releases, in the order of the log.
    pub fn published(&self) -> &[Step] {
        &self.published
    }

    /// When they bind: in order of time, without overlap.
    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// The release of a period.
    pub fn step(&self, period: &Period) -> &Step {
        &self.published[period.release]
    }

    fn find(&self, ocid: &str, id: &str) -> Option<usize> {
        self.published.iter().position(|step| step.ocid == ocid && step.id == id)
    }

    /// The last period, where it is not over at a moment; it may be one that only begins later.
    fn open_at(&self, at: Time) -> Option<&Step> {
        let last = self.periods.last();
        let open = last.filter(|period| period.until.is_none_or(|until| until > at));
        open.map(|period| self.step(period))
    }

    /// A release is published.
    ///
    /// # Errors
    /// In words, why it may not be.
    pub fn publish(&mut self, new: Step) -> Result<(), String> {
        let (ocid, id) = (&new.ocid, &new.id);
        if self.find(ocid, id).is_some() {
            return Err(format!("release {id} was published before"));
        }
        if !new.signed.both() {
            let missing = if new.signed.provider { "the tenant" } else { "the provider" };
            return Err(format!("release {id} was published without the signature of {missing}"));
        }
        let begun = self.published.iter().any(|step| step.ocid == *ocid);
        match new.tag {
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
        self.keeps_key(&new)?;
        self.published.push(new);
        Ok(())
    }

    /// Refuses a release with another tenant's key than those before it in its process: whoever could change
    /// the key could sign for the tenant from then on.
    fn keeps_key(&self, new: &Step) -> Result<(), String> {
        match self.published.iter().rfind(|step| step.ocid == new.ocid) {
            Some(before) if before.tenant_key != new.tenant_key => Err(format!(
                "release {} names another key of the tenant than release {} before it",
                new.id, before.id
            )),
            _ => Ok(()),
        }
    }

    /// A release comes into force by an entry; that publishes it too, where none did before.
    ///
    /// # Errors
    /// In words, why it may not.
    pub fn activate(&mut self, named: Step, (index, at): (u64, Time)) -> Result<(), String> {
        let (ocid, id) = (named.ocid.clone(), named.id.clone());
        let known = match self.find(&ocid, &id) {
            Some(known) if self.published[known].digest != named.digest => {
                return Err(format!(
                    "release {id} comes into force as document {} and was published as {}",
                    named.digest, self.published[known].digest
                ));
            }
            Some(known) => known,
            None => {
                self.publish(named)?;
                self.published.len() - 1
            }
        };
        if self.periods.iter().any(|period| period.release == known) {
            return Err(format!("release {id} comes into force a second time"));
        }
        let step = &self.published[known];
        match (step.tag, self.open_at(at)) {
            (Tag::Contract, None) => {}
            (Tag::Contract, Some(other)) => {
                return Err(format!(
                    "release {id} comes into force while release {} of process {} still is: two agreements at once",
                    other.id, other.ocid
                ));
            }
            (Tag::ContractTermination, _) => {
                return Err(format!("release {id} ends an agreement, and cannot come into force"));
            }
            (Tag::ContractAmendment, _) => drop(self.followed(step, at)?),
        }
        let (from, until) = (self.binding_moment(at, step.start), step.end);
        if until.is_some_and(|until| until <= from) {
            return Err(format!("release {id} comes into force after its term was over"));
        }
        self.cut(from);
        self.periods.push(Period { from, until, index, release: known });
        Ok(())
    }

    /// The release that an amendment or an end follows: what is in force last, and nothing else.
    fn followed(&self, step: &Step, at: Time) -> Result<&Step, String> {
        let (ocid, id) = (&step.ocid, &step.id);
        let Some(last) = self.open_at(at).filter(|last| last.ocid == *ocid) else {
            return Err(format!("release {id} follows process {ocid}, which is not in force"));
        };
        if step.amends.as_ref() != Some(&last.id) {
            let last = &last.id;
            return Err(format!("release {id} does not follow release {last}, which is in force"));
        }
        Ok(last)
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

    /// A termination ends what is in force: at once where the tenant signed it, else with the notice of the
    /// release that it ends. What the termination itself says of notice binds nobody.
    ///
    /// # Errors
    /// In words, why it may not.
    pub fn end(&mut self, ended: Step, at: Time) -> Result<(), String> {
        let id = &ended.id;
        if ended.tag != Tag::ContractTermination {
            return Err(format!("release {id} is a {}, and ends nothing", ended.tag.as_str()));
        }
        let days = self.followed(&ended, at)?.notice_days;
        self.keeps_key(&ended)?;
        let ends = ended.end.map_or(at, |end| end.max(at));
        match ended.signed {
            Signed { tenant: true, .. } => {}
            Signed { provider: true, .. } => {
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
        self.published.push(ended);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
