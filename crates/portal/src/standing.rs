//! Which release of an agreement binds when: the entries of the model and the documents that they name,
//! put through [`terms::history`], as `awan verify --agreements` does. An entry alone tells when something
//! was done and not from when it binds: a contract may begin later, an end may be months away.

use base::{AccountId, Time};
use terms::history::{History, Period};

use crate::documents::Documents;
use crate::model::{Agreement, Model, Release, Stamp};
use crate::source::Source;

/// When the releases of one account bind.
#[derive(Debug, Default)]
pub struct Standing {
    history: History,
    /// Steps that cannot be followed: a document is not here, or the entry does what it may not. In words.
    pub faults: Vec<String>,
}

/// How an agreement stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A release binds: since when, and until when (exclusively) where that is known.
    InForce(Time, Option<Time>),
    /// It will bind, from then on.
    Later(Time),
    /// It was ended before its time, at that moment.
    Ended(Time),
    /// Its term ran out, at that moment.
    Over(Time),
    /// Published, and not brought into force.
    Published,
    /// The log says that it was in force, and the documents do not bear that out.
    Unproven,
}

/// What an entry does with a release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    Publish,
    Activate,
    End,
}

impl Standing {
    /// Of an account.
    pub fn of(
        model: &Model,
        (documents, source, operator): (&Documents, &dyn Source, Option<AccountId>),
        account: &str,
    ) -> Self {
        let mut steps: Vec<(Stamp, Deed, &Agreement, &Release)> = Vec::new();
        let own = model.agreements.values().filter(|it| it.tenant.as_str() == account);
        for agreement in own {
            for release in &agreement.releases {
                let begun = release.activated.map(|stamp| (stamp, Deed::Activate));
                let ended = release.ended.map(|stamp| (stamp, Deed::End));
                // A release that an entry both publishes and activates or ends is one step.
                let published = release
                    .published
                    .filter(|at| release.activated != Some(*at) && release.ended != Some(*at));
                let published = published.map(|stamp| (stamp, Deed::Publish));
                let all = [published, begun, ended].into_iter().flatten();
                steps.extend(all.map(|(stamp, deed)| (stamp, deed, &**agreement, release)));
            }
        }
        steps.sort_by_key(|(stamp, deed, ..)| (*stamp, *deed));
        let mut standing = Self::default();
        for (stamp, deed, agreement, release) in steps {
            let step = documents.step(source, (agreement, release), operator);
            if let Err(why) = standing.take(stamp, deed, step) {
                standing.faults.push(why);
            }
        }
        standing
    }

    fn take(
        &mut self,
        stamp: Stamp,
        deed: Deed,
        step: Result<terms::history::Step, String>,
    ) -> Result<(), String> {
        let step = step?;
        match deed {
            Deed::Publish => self.history.publish(step),
            Deed::Activate => self.history.activate(step, (stamp.index, stamp.at)),
            Deed::End => self.history.end(step, stamp.at),
        }
    }

    /// The periods of one process, in order of time.
    fn periods<'a>(&'a self, ocid: &str) -> impl DoubleEndedIterator<Item = &'a Period> {
        self.history.periods().iter().filter(move |it| self.history.step(it).ocid == ocid)
    }

    /// When a release binds; `None` where it never does.
    pub fn period(&self, ocid: &str, id: &str) -> Option<&Period> {
        self.periods(ocid).find(|period| self.history.step(period).id == id)
    }

    /// The id of the release that says what an agreement is, will be or was: the one that binds, else the
    /// next, else the last that did.
    pub fn current(&self, ocid: &str, now: Time) -> Option<&str> {
        let binds = self.periods(ocid).find(|period| period.covers(now));
        let next = || self.periods(ocid).find(|period| period.from > now);
        let period = binds.or_else(next).or_else(|| self.periods(ocid).next_back())?;
        Some(&self.history.step(period).id)
    }

    /// How an agreement stands.
    pub fn state(&self, (ocid, agreement): (&str, &Agreement), now: Time) -> State {
        if let Some(period) = self.periods(ocid).find(|period| period.covers(now)) {
            // Until when the agreement goes on, whichever of its releases binds then.
            let until = self.periods(ocid).next_back().and_then(|last| last.until);
            return State::InForce(period.from, until);
        }
        if let Some(period) = self.periods(ocid).find(|period| period.from > now) {
            return State::Later(period.from);
        }
        match self.periods(ocid).next_back() {
            Some(Period { until: Some(until), .. }) if agreement.ended.is_some() => {
                State::Ended(*until)
            }
            Some(Period { until: Some(until), .. }) => State::Over(*until),
            _ if agreement.releases.iter().any(|it| it.activated.is_some()) => State::Unproven,
            _ => State::Published,
        }
    }
}

#[cfg(test)]
mod tests;
