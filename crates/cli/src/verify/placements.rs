//! `--placements`: over the whole log, every placement of a tenant lies where it may: in one country,
//! or where the agreement that was in force allowed; and what is held still does when its data centre
//! moves, and at the log's end. An action's name excuses nothing: what a leaf says of numbers decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base::Time;
use base::region::DataCentre;
use serde::Deserialize;
use terms::clauses::DataClass;

use super::findings::Findings;
use super::history::{Histories, History, Period};
use super::leaf::Leaf;
use super::log::Log;
use crate::output;

/// Actions that put bytes somewhere: one that says no place hides one. Steps of multipart uploads and
/// copies are recorded as `oss:PutObject`; their own names are here so that none can be an excuse. To restore
/// an object moves no byte: it is read then where it lies.
const PLACING: [&str; 11] = [
    "oss:PutObject",
    "oss:PostObject",
    "oss:AppendObject",
    "oss:CopyObject",
    "oss:InitiateMultipartUpload",
    "oss:UploadPart",
    "oss:UploadPartCopy",
    "oss:CompleteMultipartUpload",
    "rds:CreateDBInstance",
    "rds:CreateReadOnlyDBInstance",
    "rds:CloneDBInstance",
];

/// One place that a leaf names: what was added there or (negative) removed.
#[derive(Debug, Deserialize)]
struct Placed {
    site: String,
    country: String,
    #[serde(default)]
    objects: i64,
    #[serde(default)]
    parts: i64,
    #[serde(default)]
    instances: i64,
}

impl Placed {
    /// Whether a place only lost something. That may happen anywhere, also after the agreement's end.
    fn only_loses(&self) -> bool {
        let changes = [self.objects, self.parts, self.instances];
        changes.iter().all(|change| *change <= 0) && changes.iter().any(|change| *change < 0)
    }
}

/// How many objects, parts of uploads, and databases' members, of one class of data.
#[derive(Clone, Copy, Default)]
struct Count {
    objects: i64,
    parts: i64,
    instances: i64,
}

/// Objects always; parts and databases where there are any.
impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} objects", self.objects)?;
        for (count, name) in [(self.parts, "parts"), (self.instances, "databases")] {
            if count != 0 {
                write!(f, ", {count} {name}")?;
            }
        }
        Ok(())
    }
}

impl Count {
    const fn is_held(self) -> bool {
        self.objects > 0 || self.parts > 0 || self.instances > 0
    }
}

/// What is at one site. Its country is the data centre's, for bytes move with the house that they are in.
#[derive(Default)]
struct Held {
    /// The country that a leaf named last; counts only where the log declares none.
    stated: String,
    classes: BTreeMap<String, Count>,
    placements: u64,
}

impl Held {
    fn total(&self) -> Count {
        self.classes.values().fold(Count::default(), |sum, count| Count {
            objects: sum.objects.saturating_add(count.objects),
            parts: sum.parts.saturating_add(count.parts),
            instances: sum.instances.saturating_add(count.instances),
        })
    }
}

/// Entries that are wrong whoever's they are: a defect of the log as a whole, told once.
#[derive(Default)]
struct Strays {
    count: u64,
    first: String,
}

impl Strays {
    fn add(&mut self, what: impl FnOnce() -> String) {
        if self.count == 0 {
            self.first = what();
        }
        self.count += 1;
    }

    fn report(&self, what: &str, findings: &mut Findings) {
        if self.count > 0 {
            let (count, first) = (output::count(self.count), &self.first);
            findings.defect(format!(
                "the log as a whole: {count} entries {what}; the first is {first}"
            ));
        }
    }
}

/// What is counted while the log is read.
#[derive(Default)]
struct Census<'a> {
    tenant: &'a str,
    /// The one country; `None` where the agreement decides.
    country: Option<&'a str>,
    history: Option<&'a History>,
    /// Data centres as the log declared them, by site.
    declared: BTreeMap<String, DataCentre>,
    held: BTreeMap<String, Held>,
    refusals: BTreeMap<(String, String), u64>,
    nameless: Strays,
    unread: Strays,
    /// The latest second that an entry states.
    last: Option<Time>,
    defects: Vec<String>,
}

/// Checks all placements of an account; where no country is named, by its agreements.
pub(super) fn check(
    log: &Log,
    histories: &Histories,
    tenant: &str,
    country: Option<&str>,
    findings: &mut Findings,
) {
    let history = histories.of.get(tenant);
    let mut census = Census { tenant, country, history, ..Census::default() };
    let walked = log.each(|index, bytes| match Leaf::parse(bytes) {
        Ok(leaf) => census.take(index, &leaf),
        Err(why) => census.unread.add(|| format!("entry {index}: {why}")),
    });
    if let Err(why) = walked {
        findings.defect(why);
    }
    census.judge_the_end();
    census.report(findings);
}

impl Census<'_> {
    fn take(&mut self, index: u64, leaf: &Leaf) {
        self.last = self.last.max(Some(leaf.at()));
        match leaf.action.as_str() {
            "awan:DeclareDataCentre" if leaf.is_done() => return self.declare(index, leaf),
            "awan:RemoveDataCentre" if leaf.is_done() => return self.remove(index, leaf),
            _ => {}
        }
        let places = PLACING.contains(&leaf.action.as_str());
        if leaf.is_done() && leaf.fact("tenant").is_empty() {
            if places || leaf.public.contains_key("placed") {
                self.nameless.add(|| format!("entry {index} ({})", leaf.action));
            }
            return;
        }
        if leaf.fact("tenant") != self.tenant {
            return;
        }
        if !leaf.is_done() {
            self.count_refusal(leaf);
        } else if places || leaf.public.contains_key("placed") {
            self.placed(index, leaf, places);
        } else if leaf.action == "oss:PutBucket" {
            self.bucket(index, leaf);
        }
    }

    /// A data centre stands where it is declared to, and so does what is in it.
    fn declare(&mut self, index: u64, leaf: &Leaf) {
        let site = leaf.fact("site").to_owned();
        let centre = DataCentre {
            site: site.clone(),
            zone: leaf.fact("zone").to_owned(),
            country: leaf.fact("country").to_owned(),
            permit_until: leaf.fact("permit_until").to_owned(),
            ..DataCentre::default()
        };
        let before = self.declared.insert(site.clone(), centre.clone());
        if before.as_ref().is_none_or(|before| before.country != centre.country) {
            let here = format!("entry {index} ({}, {})", leaf.action, leaf.at().iso());
            let from = before.map(|before| format!(", which was in {}", before.country));
            let moved =
                format!("{here}: {site} is now in {}{}", centre.country, from.unwrap_or_default());
            self.judge_held(&moved, &site, leaf.at());
        }
    }

    fn remove(&mut self, index: u64, leaf: &Leaf) {
        let site = leaf.fact("site");
        self.declared.remove(site);
        let here =
            format!("entry {index} ({}, {}): {site} is removed", leaf.action, leaf.at().iso());
        self.judge_held(&here, site, leaf.at());
    }

    /// A bucket says where its objects will be: at a place, and perhaps mirrored at others.
    fn bucket(&mut self, index: u64, leaf: &Leaf) {
        let (site, country) = (leaf.fact("site").to_owned(), leaf.fact("country").to_owned());
        if site.is_empty() {
            self.defects.push(format!(
                "entry {index} ({}) made a bucket and does not say where",
                leaf.action
            ));
            return;
        }
        let mut places = vec![Placed { site, country, objects: 0, parts: 0, instances: 0 }];
        if let Some(mirrors) = leaf.public.get("mirrors") {
            match Vec::<Placed>::deserialize(mirrors) {
                Ok(mirrors) => places.extend(mirrors),
                Err(_) => self.unreadable(index, leaf),
            }
        }
        self.judge(index, leaf, &places.iter().collect::<Vec<_>>());
    }

    fn unreadable(&mut self, index: u64, leaf: &Leaf) {
        let what = format!("entry {index} ({}) names its places in no known form", leaf.action);
        self.defects.push(what);
    }

    /// `places` where the action puts bytes somewhere, so that it has to say where.
    fn placed(&mut self, index: u64, leaf: &Leaf, places: bool) {
        let stated = leaf.public.get("placed").map(Vec::<Placed>::deserialize);
        let Ok(stated) = stated.unwrap_or_else(|| Ok(Vec::new())) else {
            return self.unreadable(index, leaf);
        };
        if stated.is_empty() && places {
            let action = &leaf.action;
            self.defects.push(format!(
                "entry {index} ({action}) put bytes somewhere and does not say where"
            ));
        }
        let judged: Vec<_> = stated.iter().filter(|place| places || !place.only_loses()).collect();
        for place in &stated {
            let held = self.held.entry(place.site.clone()).or_default();
            held.stated.clone_from(&place.country);
            let count = held.classes.entry(leaf.fact("class").to_owned()).or_default();
            count.objects = count.objects.saturating_add(place.objects);
            count.parts = count.parts.saturating_add(place.parts);
            count.instances = count.instances.saturating_add(place.instances);
        }
        for place in &judged {
            self.held.entry(place.site.clone()).or_default().placements += 1;
        }
        self.judge(index, leaf, &judged);
    }

    /// Whether data of the leaf's class may be at these places, all of which get a copy.
    fn judge(&mut self, index: u64, leaf: &Leaf, places: &[&Placed]) {
        let at = leaf.at();
        let entry = format!("entry {index} ({}, {})", leaf.action, at.iso());
        for Placed { site, country, .. } in places {
            let here = format!("{entry}: {site} in {country}");
            match self.declared.get(site) {
                Some(centre) if centre.country != *country => self
                    .defects
                    .push(format!("{here}, but the log declared {site} in {}", centre.country)),
                Some(centre) if centre.permit_lapsed(at) => self
                    .defects
                    .push(format!("{here}, whose permit had run out on {}", centre.permit_until)),
                Some(_) => {}
                None => {
                    self.defects.push(format!("{here}, a data centre that the log never declared"))
                }
            }
            let periods = self.history.into_iter().flat_map(|history| history.in_second(at));
            if let Some(why) = self.refused(leaf.fact("class"), (site, country), periods) {
                self.defects.push(format!("{here}, {why}"));
            }
        }
        self.judge_zones(&entry, leaf, places);
    }

    /// Whether the copies are in as many zones as the agreement demands.
    fn judge_zones(&mut self, entry: &str, leaf: &Leaf, places: &[&Placed]) {
        let (Some(class), None, false) =
            (DataClass::parse(leaf.fact("class")), self.country, places.is_empty())
        else {
            return;
        };
        let centres = places.iter().filter_map(|place| self.declared.get(&place.site));
        let zones: BTreeSet<&str> = centres.map(|centre| centre.zone.as_str()).collect();
        let periods = self.history.into_iter().flat_map(|history| history.in_second(leaf.at()));
        let rules = periods.filter_map(|period| {
            let release = &period.published.release;
            Some((release.terms().residency.rule(class)?.zones_min, release.id()))
        });
        let Some((least, release)) = rules.min() else { return };
        if zones.len() < least as usize {
            self.defects.push(format!(
                "{entry}: {} zones, expected {least} for {} data by release {release}",
                zones.len(),
                class.as_str()
            ));
        }
    }

    /// Whether what is held at a site may be where the site is now. What lies there after the agreement's
    /// end still lies there under the release that bound last.
    fn judge_held(&mut self, here: &str, site: &str, at: Time) {
        let Some(held) = self.held.get(site) else { return };
        let period = || self.history.and_then(|history| history.at_or_before(at)).into_iter();
        let mut found = Vec::new();
        for (class, count) in held.classes.iter().filter(|(_, count)| count.is_held()) {
            let what = format!("{here}, and holds {count} of class \"{class}\"");
            match self.declared.get(site) {
                None => found.push(format!("{what}: the log declares it nowhere")),
                Some(centre) => {
                    let refused = self.refused(class, (site, &centre.country), period());
                    found.extend(refused.map(|why| format!("{what}: {why}")));
                }
            }
        }
        self.defects.extend(found);
    }

    /// What is held when the log ends is judged by what is in force then.
    fn judge_the_end(&mut self) {
        let Some(at) = self.last else { return };
        let sites: Vec<String> = self.held.keys().cloned().collect();
        for site in &sites {
            let country = self.country_of(site);
            self.judge_held(&format!("at the log's end {site} is in {country}"), site, at);
            let total = self.held[site].total();
            if total.objects < 0 || total.parts < 0 || total.instances < 0 {
                self.defects.push(format!(
                    "at the log's end {site} holds {total}: more was removed than was ever recorded there"
                ));
            }
        }
    }

    /// The country of a site: as declared, else as a leaf named it.
    fn country_of(&self, site: &str) -> String {
        let stated = || self.held.get(site).map(|held| held.stated.clone());
        let declared = self.declared.get(site).map(|centre| centre.country.clone());
        declared.or_else(stated).unwrap_or_default()
    }

    /// Why a place is not one in which data of a class may be; `None` where one of the periods allows it, or
    /// where it is in the one country that was asked about.
    fn refused<'p>(
        &self,
        class: &str,
        (site, country): (&str, &str),
        periods: impl Iterator<Item = &'p Period>,
    ) -> Option<String> {
        if let Some(wanted) = self.country {
            return (wanted != country).then(|| format!("expected {wanted}"));
        }
        let Some(class) = DataClass::parse(class) else {
            return Some(format!("with data of class \"{class}\", which there is not"));
        };
        let (site, country) = (site.to_owned(), country.to_owned());
        let centre = DataCentre { site, country, ..DataCentre::default() };
        let mut why = Some("when no agreement was in force".to_owned());
        for period in periods {
            let release = &period.published.release;
            match release.terms().residency.rule(class) {
                Some(rule) if rule.allows(&centre) => return None,
                Some(rule) => {
                    let sites = match rule.sites.as_slice() {
                        [] => String::new(),
                        sites => format!(", at {}", sites.join(" or ")),
                    };
                    why = Some(format!(
                        "expected {}{sites} for {} data by release {}",
                        rule.countries.join(" or "),
                        class.as_str(),
                        release.id()
                    ));
                }
                None => {
                    let (id, class) = (release.id(), class.as_str());
                    why = Some(format!("but release {id} allows {class} data nowhere"));
                }
            }
        }
        why
    }

    fn count_refusal(&mut self, leaf: &Leaf) {
        let Some(wanted) = leaf.public.get("wanted") else { return };
        let places = Vec::<Placed>::deserialize(wanted).unwrap_or_default();
        let places: Vec<_> =
            places.iter().map(|place| format!("{} in {}", place.site, place.country)).collect();
        *self.refusals.entry((leaf.outcome.clone(), places.join(", "))).or_default() += 1;
    }

    fn report(self, findings: &mut Findings) {
        let mut placements = 0;
        let mut places: Vec<_> =
            self.held.iter().map(|(site, held)| (self.country_of(site), site, held)).collect();
        places.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        for (country, site, held) in &places {
            placements += held.placements;
            findings.checked(
                "place",
                format_args!(
                    "{country}  {site}  {} now, after {} placements",
                    held.total(),
                    output::count(held.placements)
                ),
            );
        }
        let mut countries: Vec<String> = places.into_iter().map(|(country, ..)| country).collect();
        countries.dedup();
        for ((code, wanted), times) in &self.refusals {
            findings.checked(
                "refused",
                format_args!("{} times {code}: {wanted}", output::count(*times)),
            );
        }
        self.nameless.report("put bytes somewhere and say neither whose nor where", findings);
        self.unread.report("cannot be read", findings);
        for defect in self.defects {
            findings.defect(defect);
        }
        let by = match self.country {
            Some(country) => format!("lie in {country}"),
            None => "lie where the agreement in force allowed".to_owned(),
        };
        let found = if countries.is_empty() { "none".to_owned() } else { countries.join(", ") };
        findings.proven.push(format!(
            "all {} placements of {} {by} (found: {found})",
            output::count(placements),
            self.tenant
        ));
    }
}
