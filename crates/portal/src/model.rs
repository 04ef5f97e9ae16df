//! What the log says, folded: entry after entry in the log's order, nothing else. The same entries
//! always give the same model, so whoever copies the log can make every page again.
//!
//! Its size is bounded by what exists (tenants, agreements, data centres), not by what happened: of
//! events it keeps counters and the most recent ones. No I/O, no clock, no documents.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::region::DataCentre;
use base::{Time, code};

use crate::leaf::{self, DONE, Facts, Leaf, REPEAT, Read, Text};

/// How many refusals are kept with their particulars, of the whole cloud and of one tenant.
pub const REFUSALS_MAX: usize = 500;
/// See [`REFUSALS_MAX`].
pub const TENANT_REFUSALS_MAX: usize = 20;
/// How many privileged accesses are kept.
pub const ACCESSES_MAX: usize = 500;
/// For how many days refusals are counted by day, and how many days of usage a tenant shows.
pub const DAYS_MAX: usize = 400;
/// See [`DAYS_MAX`].
pub const USAGE_DAYS_MAX: usize = 40;

/// Where in the log something stands, and when it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Number of the entry, from 0.
    pub index: u64,
    /// The second that the entry states.
    pub at: Time,
}

/// The whole read model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Entries folded.
    pub size: u64,
    /// Entries that are not of a form that this program reads.
    pub unknown: u64,
    /// The latest entry that said something.
    pub last: Option<Stamp>,
    /// Data centres by site, those removed too.
    pub centres: BTreeMap<Text, Centre>,
    /// Tenants by account.
    pub tenants: BTreeMap<Text, Arc<Tenant>>,
    /// Agreements by contracting process (`ocid`).
    pub agreements: BTreeMap<Text, Arc<Agreement>>,
    /// The country that an entry named last for a site, where the log declares no such data centre.
    claimed: BTreeMap<Text, Text>,
    /// Things held, over all tenants.
    pub held: BTreeMap<Place, Held>,
    /// Privileged accesses, oldest first.
    pub accesses: VecDeque<Arc<Access>>,
    /// How many privileged accesses were ever asked for.
    pub accesses_asked: u64,
    /// What was refused.
    pub refusals: Refusals,
    /// Keys that the cloud declared, in order.
    pub keys: Vec<Key>,
}

/// A data centre as it was declared last.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of base::region::DataCentre")]
pub struct Centre {
    pub zone: Text,
    pub country: Text,
    pub city: Text,
    pub operator: Text,
    pub owner: Text,
    pub permit: Text,
    pub permit_until: Text,
    pub certificates: Vec<Text>,
    /// The entry that declared it as it is shown.
    pub declared: Stamp,
    /// The entry that removed it.
    pub removed: Option<Stamp>,
    /// The countries in which it was declared before, and the entries that moved it away.
    pub moved: Vec<(Text, Stamp)>,
    /// The latest entry that put something here and named another country, and that country.
    pub contradicted: Option<(Text, Stamp)>,
}

impl Centre {
    /// Whether its permit had run out, by the same rule that refuses new data there.
    pub fn lapsed(&self, now: Time) -> bool {
        let permit_until = self.permit_until.to_string();
        DataCentre { permit_until, ..DataCentre::default() }.permit_lapsed(now)
    }
}

/// A data centre and a class of data. What country that is the data centre's declaration says: bytes move
/// with the house that they are in, and are never in two countries at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The data centre.
    pub site: Text,
    /// The class of the data; empty where the entry names none.
    pub class: Text,
}

/// How much is at a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Objects.
    pub objects: i64,
    /// Parts of uploads that are under way.
    pub parts: i64,
    /// Databases: each data directory counts.
    pub instances: i64,
}

impl Held {
    /// Whether there is anything.
    pub const fn is_empty(&self) -> bool {
        self.objects == 0 && self.parts == 0 && self.instances == 0
    }

    fn add(&mut self, placed: &leaf::Placed) {
        self.objects = self.objects.saturating_add(placed.objects);
        self.parts = self.parts.saturating_add(placed.parts);
        self.instances = self.instances.saturating_add(placed.instances);
    }
}

/// One tenant.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// What it has, by place and class.
    pub held: BTreeMap<Place, Held>,
    /// How often it was refused something by its agreement.
    pub refused: u64,
    /// The most recent of those, oldest first.
    pub refusals: VecDeque<Arc<Refusal>>,
    /// The most recent days whose usage and bill were committed to, oldest first.
    pub usage: VecDeque<(Text, Stamp)>,
}

/// A contracting process with one tenant.
#[derive(Clone, Debug, Default)]
pub struct Agreement {
    /// The contracting process.
    pub ocid: Text,
    /// The tenant's account.
    pub tenant: Text,
    /// Its releases in the order of the log.
    pub releases: Vec<Release>,
    /// The entry that ended it before its time; from when on is in the document.
    pub ended: Option<Stamp>,
}

/// One published release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// Its id within the process.
    pub id: Text,
    /// The tag of the Open Contracting Data Standard.
    pub tag: Text,
    /// SHA-256 of the document.
    pub document: Text,
    /// SHA-256 of the note with the signatures.
    pub signatures: Text,
    /// When it was published.
    pub published: Option<Stamp>,
    /// The entry that brought it into force; from when on is in the document ([`crate::standing`]).
    pub activated: Option<Stamp>,
    /// The entry that ended the agreement by it.
    pub ended: Option<Stamp>,
}

impl Agreement {
    /// The release that was activated last, else the last: enough for a name. Which one binds is
    /// [`crate::standing`]'s part.
    pub fn latest(&self) -> Option<&Release> {
        let activated = self.releases.iter().filter(|release| release.activated.is_some());
        activated.max_by_key(|release| release.activated).or_else(|| self.releases.last())
    }
}

/// Leave of the operator's people to read a tenant's data.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Its id.
    pub id: Text,
    /// Whose data.
    pub tenant: Text,
    /// Why.
    pub reason: Text,
    /// Until when, as the entry states it.
    pub until: Text,
    /// When it was asked for.
    pub asked: Option<Stamp>,
    /// When the tenant approved.
    pub approved: Option<Stamp>,
    /// When the tenant denied.
    pub denied: Option<Stamp>,
    /// When it was ended early.
    pub ended: Option<Stamp>,
    /// Reads under it.
    pub reads: u64,
    /// The latest of them.
    pub last_read: Option<Stamp>,
}

/// Something that the agreement or a permit did not allow.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Where it stands.
    pub stamp: Stamp,
    /// Why.
    pub ground: Ground,
    /// The code that the client was given.
    pub code: Text,
    /// What was asked, as `product:Action`.
    pub action: Text,
    /// Who asked, where that is public.
    pub tenant: Option<Text>,
    /// The class of the data, where it is about data.
    pub class: Option<Text>,
    /// Where the data was to go.
    pub wanted: Vec<leaf::Spot>,
}

/// Why something was refused, as far as it concerns the public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ground {
    /// The agreement does not let the data be there.
    Residency,
    /// The data centre's permit ran out.
    Permit,
    /// The agreement demands more zones.
    Zones,
    /// The spending limit is reached.
    Spending,
    /// The agreement does not grant the service.
    Service,
    /// There is no agreement, or it is over.
    Agreement,
}

impl Ground {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 6] = [
        Self::Residency,
        Self::Permit,
        Self::Zones,
        Self::Spending,
        Self::Service,
        Self::Agreement,
    ];

    /// The ground that a refusal's code names; `None` for the codes that are between a client and its
    /// own policies.
    pub fn of(outcome: &str) -> Option<Self> {
        let grounds = [
            (&code::RESIDENCY, Self::Residency),
            (&code::PERMIT_LAPSED, Self::Permit),
            (&code::ZONES_REQUIRED, Self::Zones),
            (&code::SPENDING_LIMIT, Self::Spending),
            (&code::SERVICE_NOT_GRANTED, Self::Service),
            (&code::NO_AGREEMENT, Self::Agreement),
            (&code::AGREEMENT_ENDED, Self::Agreement),
        ];
        grounds.into_iter().find(|(code, _)| code.name == outcome).map(|(_, ground)| ground)
    }
}

/// Counts of refusals by ground.
pub type Counts = BTreeMap<Ground, u64>;

/// What was refused.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    /// By ground, ever.
    pub total: Counts,
    /// By day (`YYYY-MM-DD`, UTC) and ground, for the last [`DAYS_MAX`] days that had any.
    pub days: BTreeMap<Text, Counts>,
    /// Refusals on other grounds, ever: wrong permissions, wrong parameters.
    pub other: u64,
    /// The most recent, oldest first.
    pub recent: VecDeque<Arc<Refusal>>,
}

/// A key that the cloud declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it signs: `log`, `provider`.
    pub role: Text,
    /// The verifier key.
    pub key: Text,
    /// Where it was declared.
    pub declared: Stamp,
}

impl Model {
    /// Takes the next entry of the log.
    pub fn apply(&mut self, entry: &[u8]) {
        let index = self.size;
        self.size += 1;
        match leaf::read(entry) {
            Read::Plain => {}
            Read::Unknown => self.unknown += 1,
            Read::Says(leaf) => self.take(Stamp { index, at: leaf.at }, *leaf),
        }
    }

    fn take(&mut self, stamp: Stamp, leaf: Leaf) {
        self.last = Some(stamp);
        if leaf.outcome == REPEAT {
            return;
        }
        if leaf.outcome != DONE {
            return self.refuse(stamp, leaf);
        }
        let facts = &leaf.facts;
        match leaf.action.as_str() {
            "awan:DeclareDataCentre" => self.declare_centre(stamp, leaf.facts),
            "awan:RemoveDataCentre" => {
                let centre = facts.site.as_ref().and_then(|site| self.centres.get_mut(site));
                if let Some(centre) = centre {
                    centre.removed = Some(stamp);
                }
            }
            "awan:DeclareKey" => {
                if let (Some(role), Some(key)) = (leaf.facts.role, leaf.facts.key) {
                    self.keys.push(Key { role, key, declared: stamp });
                }
            }
            "awan:PublishAgreement" | "awan:ActivateAgreement" | "awan:EndAgreement" => {
                self.agree(stamp, &leaf.action, leaf.facts);
            }
            "awan:CommitUsage" => {
                if let (Some(account), Some(day)) = (leaf.facts.tenant, leaf.facts.day) {
                    let usage = &mut self.tenant(account).usage;
                    push(usage, (day, stamp), USAGE_DAYS_MAX);
                }
            }
            action if facts.access.is_some() => self.access(stamp, action, facts),
            _ => self.place(stamp, leaf.facts),
        }
    }

    fn tenant(&mut self, account: Text) -> &mut Tenant {
        Arc::make_mut(self.tenants.entry(account).or_default())
    }

    fn place(&mut self, stamp: Stamp, facts: Facts) {
        let Some(account) = facts.tenant else { return };
        let class = facts.class.unwrap_or_default();
        for placed in &facts.placed {
            let place = Place { site: placed.site.clone(), class: class.clone() };
            match self.centres.get_mut(&placed.site) {
                None => {
                    self.claimed.insert(placed.site.clone(), placed.country.clone());
                }
                Some(centre) => {
                    let adds = placed.objects > 0 || placed.parts > 0 || placed.instances > 0;
                    if adds && centre.country != placed.country {
                        centre.contradicted = Some((placed.country.clone(), stamp));
                    }
                }
            }
            let tenant = self.tenant(account.clone());
            tenant.held.entry(place.clone()).or_default().add(placed);
            tenant.held.retain(|_, held| !held.is_empty());
            self.held.entry(place).or_default().add(placed);
        }
    }

    fn declare_centre(&mut self, declared: Stamp, facts: Facts) {
        let Some(site) = facts.site else { return };
        let before = self.centres.remove(&site);
        let mut centre = Centre {
            zone: facts.zone.unwrap_or_default(),
            country: facts.country.unwrap_or_default(),
            city: facts.city.unwrap_or_default(),
            operator: facts.operator.unwrap_or_default(),
            owner: facts.owner.unwrap_or_default(),
            permit: facts.permit.unwrap_or_default(),
            permit_until: facts.permit_until.unwrap_or_default(),
            certificates: facts.certificates,
            declared,
            removed: None,
            moved: Vec::new(),
            contradicted: None,
        };
        if let Some(before) = before {
            centre.moved = before.moved;
            centre.contradicted = before.contradicted;
            if before.country != centre.country {
                centre.moved.push((before.country, declared));
            }
        }
        self.centres.insert(site, centre);
    }

    fn agree(&mut self, stamp: Stamp, action: &str, facts: Facts) {
        let (Some(ocid), Some(id)) = (facts.ocid, facts.release) else { return };
        let account = facts.tenant.unwrap_or_default();
        self.tenant(account.clone());
        let agreement = Arc::make_mut(self.agreements.entry(ocid.clone()).or_default());
        agreement.ocid = ocid;
        agreement.tenant = account;
        let known = agreement.releases.iter().position(|release| release.id == id);
        let at = known.unwrap_or_else(|| {
            agreement.releases.push(Release { id, ..Release::default() });
            agreement.releases.len() - 1
        });
        let release = &mut agreement.releases[at];
        let keep = |held: &mut Text, stated: Option<Text>| {
            if let Some(stated) = stated {
                *held = stated;
            }
        };
        keep(&mut release.tag, facts.tag);
        keep(&mut release.document, facts.document);
        keep(&mut release.signatures, facts.signatures);
        match action {
            "awan:PublishAgreement" => release.published = Some(stamp),
            "awan:ActivateAgreement" => {
                release.published = release.published.or(Some(stamp));
                release.activated = Some(stamp);
            }
            _ => {
                release.published = release.published.or(Some(stamp));
                release.ended = Some(stamp);
                agreement.ended = Some(stamp);
            }
        }
    }

    fn access(&mut self, stamp: Stamp, action: &str, facts: &Facts) {
        let Some(id) = &facts.access else { return };
        let access = match self.accesses.iter().rposition(|access| access.id == *id) {
            Some(at) => &mut self.accesses[at],
            None => {
                let new = Access { id: id.clone(), ..Access::default() };
                push(&mut self.accesses, Arc::new(new), ACCESSES_MAX);
                self.accesses_asked += 1;
                self.accesses.back_mut().expect("one was pushed just now")
            }
        };
        let access = Arc::make_mut(access);
        for (held, stated) in [
            (&mut access.tenant, &facts.tenant),
            (&mut access.reason, &facts.reason),
            (&mut access.until, &facts.until),
        ] {
            if let Some(stated) = stated {
                held.clone_from(stated);
            }
        }
        match action {
            "awan:RequestPrivilegedAccess" => access.asked = Some(stamp),
            "awan:ApprovePrivilegedAccess" => access.approved = Some(stamp),
            "awan:DenyPrivilegedAccess" => access.denied = Some(stamp),
            "awan:EndPrivilegedAccess" => access.ended = Some(stamp),
            _ => {
                access.reads += 1;
                access.last_read = Some(stamp);
            }
        }
    }

    fn refuse(&mut self, stamp: Stamp, leaf: Leaf) {
        let Some(ground) = Ground::of(&leaf.outcome) else {
            self.refusals.other += 1;
            return;
        };
        let refusal = Arc::new(Refusal {
            stamp,
            ground,
            code: leaf.outcome.as_str().into(),
            action: leaf.action.as_str().into(),
            tenant: leaf.facts.tenant.clone(),
            class: leaf.facts.class,
            wanted: leaf.facts.wanted,
        });
        if let Some(account) = leaf.facts.tenant {
            let tenant = self.tenant(account);
            tenant.refused += 1;
            push(&mut tenant.refusals, Arc::clone(&refusal), TENANT_REFUSALS_MAX);
        }
        let refusals = &mut self.refusals;
        *refusals.total.entry(ground).or_default() += 1;
        let day = Text::from(stamp.at.iso().get(..10).unwrap_or_default());
        *refusals.days.entry(day).or_default().entry(ground).or_default() += 1;
        if refusals.days.len() > DAYS_MAX {
            refusals.days.pop_first();
        }
        push(&mut refusals.recent, refusal, REFUSALS_MAX);
    }

    /// The data centres that are declared now.
    pub fn standing(&self) -> impl Iterator<Item = (&Text, &Centre)> {
        self.centres.iter().filter(|(_, centre)| centre.removed.is_none())
    }

    /// The country of a site, as the log declared it last; where it never did, as an entry named it.
    pub fn country_of(&self, site: &str) -> &str {
        let declared = self.centres.get(site).map(|centre| &centre.country);
        declared.or_else(|| self.claimed.get(site)).map_or("", Text::as_str)
    }

    /// How many objects of all classes are at a site.
    pub fn objects_at(&self, site: &str) -> i64 {
        let here = self.held.iter().filter(|(place, _)| place.site.as_str() == site);
        here.map(|(_, held)| held.objects).sum()
    }
}

/// Appends, and drops the oldest where there are more than `max`.
fn push<T>(queue: &mut VecDeque<T>, item: T, max: usize) {
    queue.push_back(item);
    if queue.len() > max {
        queue.pop_front();
    }
}

#[cfg(test)]
mod tests;
