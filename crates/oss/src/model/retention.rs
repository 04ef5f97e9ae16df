//! The words of retention: what keeps a version from being deleted or replaced, and until when.
//!
//! Not here: when it is asked (`ops::retention`), and what the protocols call it (`http`).

use std::time::Duration;

use base::Time;
use serde::{Deserialize, Serialize};

use super::is_default;

const DAY: Duration = Duration::from_secs(86_400);
/// How long a bucket's retention may wait to be locked.
const IN_PROGRESS: Duration = DAY;

/// Whether anybody may end a retention before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockMode {
    /// Who has `oss:BypassGovernanceRetention` may.
    #[serde(rename = "G")]
    Governance,
    /// Nobody may.
    #[serde(rename = "C")]
    Compliance,
}

impl LockMode {
    /// `GOVERNANCE` or `COMPLIANCE`: the same words in both dialects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// How long one version is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Whether it can be ended before.
    #[serde(rename = "m")]
    pub mode: LockMode,
    #[serde(rename = "u")]
    until_ms: i64,
}

impl Retention {
    /// Until `until`, or as little later as answers can tell: they tell milliseconds.
    pub fn new(mode: LockMode, until: Time) -> Self {
        let micros = until.micros();
        let up = i64::from(micros.rem_euclid(1000) > 0);
        Self { mode, until_ms: micros.div_euclid(1000) + up }
    }

    /// The first moment at which the version is free.
    pub const fn until(&self) -> Time {
        Time::from_micros(self.until_ms.saturating_mul(1000))
    }

    /// Whether it still holds.
    pub fn holds(&self, now: Time) -> bool {
        now < self.until()
    }
}

/// What keeps one version of an object, or is to keep a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// How long it is kept.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// Whether it is kept until somebody says otherwise; `None` where nobody ever said anything.
    #[serde(rename = "h", default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

/// How long versions are kept of which nobody says anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Period {
    /// So many days.
    #[serde(rename = "d")]
    Days(u32),
    /// So many years.
    #[serde(rename = "y")]
    Years(u32),
}

impl Period {
    /// Days. Years count for as many as they can have, so that nothing is free before its anniversary.
    pub const fn days(self) -> u64 {
        match self {
            Self::Days(days) => days as u64,
            Self::Years(years) => (years as u64 * 1461).div_ceil(4),
        }
    }
}

/// The retention of new versions that are given none of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// Whether it can be ended before.
    #[serde(rename = "m")]
    pub mode: LockMode,
    /// How long from when they are stored.
    #[serde(rename = "p")]
    pub period: Period,
}

impl DefaultRetention {
    /// That of a version that is stored now.
    pub(crate) fn from(self, now: Time) -> Retention {
        let secs = self.period.days().saturating_mul(DAY.as_secs());
        Retention::new(self.mode, now.plus(Duration::from_secs(secs)))
    }
}

/// That versions of a bucket can be locked, each on its own. It cannot be taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// What new versions get.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultRetention>,
}

/// One retention for everything in a bucket: no object is deleted or replaced before it has the age.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worm {
    /// Its id.
    pub id: String,
    /// The age, days.
    pub days: u32,
    #[serde(rename = "at")]
    created_us: i64,
    /// Whether it can no longer be given up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub locked: bool,
}

impl Worm {
    /// One that is not locked.
    pub(crate) const fn new(id: String, days: u32, now: Time) -> Self {
        Self { id, days, created_us: now.micros(), locked: false }
    }

    /// When it was set.
    pub const fn created(&self) -> Time {
        Time::from_micros(self.created_us)
    }

    /// When it is as if it had never been, unless it is locked before.
    pub fn expires(&self) -> Option<Time> {
        (!self.locked).then(|| self.created().plus(IN_PROGRESS))
    }

    /// `InProgress` or `Locked`.
    pub const fn state(&self) -> &'static str {
        if self.locked { "Locked" } else { "InProgress" }
    }

    /// From when on an object that was stored then is free.
    pub(crate) fn until(&self, stored: Time) -> Time {
        stored.plus(DAY * self.days)
    }
}

impl super::Settings {
    /// The bucket's own retention, unless its time to be locked ran out.
    pub(crate) fn worm_at(&self, now: Time) -> Option<&Worm> {
        self.worm.as_ref().filter(|worm| worm.expires().is_none_or(|expires| now < expires))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn years_are_never_shorter_than_the_calendars() {
        // Leap years come every fourth year at most.
        for years in 1..=100_u32 {
            let longest = u64::from(years) * 365 + u64::from(years.div_ceil(4));
            assert_eq!(Period::Years(years).days(), longest, "{years}");
        }
    }

    proptest! {
        #[test]
        fn a_retention_is_never_shorter_than_it_was_asked_for(micros in 0..i64::MAX / 2) {
            let until = Time::from_micros(micros);
            let kept = Retention::new(LockMode::Compliance, until);
            prop_assert!(kept.until() >= until && kept.until().since(until).as_micros() < 1000);
            prop_assert_eq!(Retention::new(LockMode::Compliance, kept.until()), kept);
            prop_assert!(!kept.holds(kept.until()));
            let text = serde_json::to_string(&kept).unwrap();
            prop_assert_eq!(serde_json::from_str::<Retention>(&text).unwrap(), kept);
        }
    }
}
