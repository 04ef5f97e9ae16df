//! Lifecycle: what becomes of objects by their age. The rules, and what they say of one version or upload at one
//! moment; a pure function, so that the runner, the headers that tell of it and its tests have one answer.
//!
//! Not here: the XML (`xml.rs`), and doing what the rules say (`ops::lifecycle`).

mod xml;

pub(crate) use xml::BYTES_MAX;

use base::{ApiError, Time};
use serde::{Deserialize, Serialize};
use wire::object::Dialect;

use super::Config;
use crate::model::{Expiry, StorageClass, Tags};
use crate::ops::Document;

/// Seconds of a day of the calendar.
pub(crate) const DAY_SECONDS: i64 = 86_400;
/// What transitions leave alone that are not for small objects, bytes.
const SMALL_BYTES: u64 = 64 << 10;

/// The rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lifecycle {
    pub(crate) rules: Vec<Rule>,
}

/// A rule: of what, when, what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) filter: Filter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expiration: Option<Expiration>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) transitions: Vec<Transition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) noncurrent: Option<Noncurrent>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) noncurrent_transitions: Vec<Transition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) abort: Option<When>,
}

/// Which objects. All of it must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    #[serde(default)]
    pub(crate) prefix: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Tags,
    /// Larger than so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) larger: Option<u64>,
    /// Smaller than so many bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) smaller: Option<u64>,
    /// And none of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) not: Vec<Not>,
    /// S3 was told it in a `Filter`, and is told it so again; else in a `Prefix` of the rule.
    #[serde(default)]
    pub(crate) nested: bool,
}

/// What a rule leaves alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Not {
    pub(crate) prefix: String,
    pub(crate) tag: Option<(String, String)>,
}

/// When something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum When {
    /// So many days after what it counts from.
    Days(u32),
    /// From this moment on, Unix seconds.
    Date(i64),
    /// At once, of what is older than this moment, Unix seconds.
    CreatedBefore(i64),
}

/// When a current version ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Expiration {
    When(When),
    /// A delete marker goes behind which there is nothing, if this is true.
    Marker(bool),
}

/// Into which class, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transition {
    pub(crate) when: When,
    pub(crate) class: StorageClass,
    /// Days count from the last access, and not from when it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by_access: Option<bool>,
    /// What is read again becomes Standard again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) back_on_access: Option<bool>,
    /// Whether small objects go too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) small_too: Option<bool>,
}

/// When versions end that are not current.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Noncurrent {
    /// Days since something newer came.
    pub(crate) days: u32,
    /// So many of the newest stay, however old.
    pub(crate) keep: Option<u32>,
}

/// One version, or an upload under way, as the rules see it.
#[derive(Clone, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) key: &'a str,
    pub(crate) size: u64,
    pub(crate) tags: &'a Tags,
    pub(crate) class: StorageClass,
    pub(crate) modified: Time,
    /// Since when nobody read it; `None` where nobody notes it.
    pub(crate) accessed: Option<Time>,
    /// Whether it was read since it was stored.
    pub(crate) visited: bool,
    pub(crate) place: Place,
}

/// Where it stands among the versions of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The current version.
    Current,
    /// A delete marker that is the newest; `alone` where nothing is behind it.
    Marker { alone: bool },
    /// Behind the current one since then, `newer` of the same kind before it.
    Noncurrent { since: Time, newer: u32, marker: bool },
    /// An upload under way.
    Upload,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Delete it: the key where it is current, the version where not; abort an upload.
    End,
    /// Give it another class.
    Move(StorageClass),
}

/// The moment at which days after `since` are over. A whole day is one of the calendar (UTC), and over at midnight.
fn after(since: Time, days: u32, day_seconds: i64) -> Time {
    let due = since.secs().saturating_add(i64::from(days).saturating_mul(day_seconds));
    if day_seconds != DAY_SECONDS {
        return Time::from_secs(due);
    }
    Time::from_secs(
        due.saturating_add(DAY_SECONDS - 1).div_euclid(DAY_SECONDS).saturating_mul(DAY_SECONDS),
    )
}

impl When {
    /// The first moment at which it is due; `None` where it never is.
    fn due(self, since: Time, day_seconds: i64) -> Option<Time> {
        match self {
            Self::Days(days) => Some(after(since, days, day_seconds)),
            Self::Date(date) => Some(Time::from_secs(date)),
            Self::CreatedBefore(date) => (since < Time::from_secs(date)).then(Time::default),
        }
    }

    fn is_due(self, since: Time, now: Time, day_seconds: i64) -> bool {
        self.due(since, day_seconds).is_some_and(|due| due <= now)
    }
}

impl Filter {
    fn fits(&self, subject: &Subject<'_>) -> bool {
        let sized = subject.place != Place::Upload && !subject.is_marker();
        let size = match (self.larger, self.smaller) {
            (None, None) => true,
            (larger, smaller) => {
                sized
                    && larger.is_none_or(|bytes| subject.size > bytes)
                    && smaller.is_none_or(|bytes| subject.size < bytes)
            }
        };
        let excepted = |not: &Not| {
            subject.key.starts_with(&not.prefix)
                && not.tag.as_ref().is_none_or(|tag| subject.tags.contains(tag))
        };
        size && subject.key.starts_with(&self.prefix)
            && self.tags.iter().all(|tag| subject.tags.contains(tag))
            && !self.not.iter().any(excepted)
    }
}

impl Subject<'_> {
    fn is_marker(&self) -> bool {
        matches!(self.place, Place::Marker { .. } | Place::Noncurrent { marker: true, .. })
    }
}

impl Lifecycle {
    fn fitting<'r>(&'r self, subject: &Subject<'_>) -> impl Iterator<Item = &'r Rule> {
        self.rules.iter().filter(|rule| rule.enabled && rule.filter.fits(subject))
    }

    /// What the rules want done with it now, and which one does. To end comes before to move, and the coldest
    /// class before others.
    pub(crate) fn action(
        &self,
        subject: &Subject<'_>,
        now: Time,
        day_seconds: i64,
    ) -> Option<(Action, &Rule)> {
        if let Some(rule) = self.fitting(subject).find(|rule| rule.ends(subject, now, day_seconds))
        {
            return Some((Action::End, rule));
        }
        let moves = self
            .fitting(subject)
            .filter_map(|rule| rule.class(subject, now, day_seconds).map(|class| (class, rule)));
        let coldest = moves.max_by_key(|(class, _)| *class);
        if let Some((class, rule)) = coldest.filter(|(class, _)| *class > subject.class) {
            return Some((Action::Move(class), rule));
        }
        let back = |rule: &&Rule| rule.brings_back(subject, now, day_seconds);
        let rule = self.fitting(subject).find(back).filter(|_| coldest.is_none())?;
        Some((Action::Move(StorageClass::Standard), rule))
    }

    /// When a current version will end, by which rule: the first of all.
    pub(crate) fn expiry(&self, subject: &Subject<'_>) -> Option<Expiry> {
        let due = self.fitting(subject).filter_map(|rule| match rule.expiration? {
            Expiration::When(when) => Some((when.due(subject.modified, DAY_SECONDS)?, rule)),
            Expiration::Marker(_) => None,
        });
        let (at, rule) = due.min_by_key(|(at, _)| *at)?;
        // What is over since longer goes as soon as the runner comes by.
        Some(Expiry { at: at.max(after(subject.modified, 0, DAY_SECONDS)), rule: rule.id.clone() })
    }
}

impl Rule {
    fn ends(&self, subject: &Subject<'_>, now: Time, day_seconds: i64) -> bool {
        let due = |when: When| when.is_due(subject.modified, now, day_seconds);
        match (subject.place, self.expiration) {
            (Place::Upload, _) => self.abort.is_some_and(due),
            (Place::Current, Some(Expiration::When(when))) => due(when),
            (Place::Marker { alone: true }, Some(Expiration::When(when))) => due(when),
            (Place::Marker { alone: true }, Some(Expiration::Marker(ends))) => ends,
            (Place::Noncurrent { since, newer, .. }, _) => {
                self.noncurrent.is_some_and(|Noncurrent { days, keep }| {
                    keep.is_none_or(|keep| newer >= keep) && after(since, days, day_seconds) <= now
                })
            }
            (Place::Current | Place::Marker { .. }, _) => false,
        }
    }

    fn transitions(&self, place: Place) -> &[Transition] {
        match place {
            Place::Current => &self.transitions,
            Place::Noncurrent { marker: false, .. } => &self.noncurrent_transitions,
            Place::Noncurrent { .. } | Place::Marker { .. } | Place::Upload => &[],
        }
    }

    /// The coldest class that it is to have by now.
    fn class(&self, subject: &Subject<'_>, now: Time, day_seconds: i64) -> Option<StorageClass> {
        let due = |transition: &&Transition| {
            let big = transition.small_too != Some(false) || subject.size >= SMALL_BYTES;
            big && transition
                .since(subject)
                .is_some_and(|since| transition.when.is_due(since, now, day_seconds))
        };
        self.transitions(subject.place).iter().filter(due).map(|transition| transition.class).max()
    }

    /// Whether it became cold for want of readers, and has found one.
    fn brings_back(&self, subject: &Subject<'_>, now: Time, day_seconds: i64) -> bool {
        let back = |transition: &Transition| {
            let since = transition.since(subject);
            transition.by_access == Some(true)
                && transition.back_on_access == Some(true)
                && transition.class == subject.class
                && since.is_some_and(|since| !transition.when.is_due(since, now, day_seconds))
        };
        subject.visited && self.transitions(subject.place).iter().any(back)
    }
}

impl Transition {
    /// What its days count from; `None` where nobody knows.
    fn since(&self, subject: &Subject<'_>) -> Option<Time> {
        match (self.by_access, subject.place) {
            (Some(true), _) => subject.accessed,
            (_, Place::Noncurrent { since, .. }) => Some(since),
            _ => Some(subject.modified),
        }
    }
}

impl Config for Lifecycle {
    const DOCUMENT: Document = Document::Lifecycle;

    fn parse(body: &[u8], dialect: Dialect) -> Result<Self, ApiError> {
        xml::parse(body, dialect)
    }

    fn render(&self, dialect: Dialect) -> Vec<u8> {
        xml::render(self, dialect)
    }
}

#[cfg(test)]
mod tests;
