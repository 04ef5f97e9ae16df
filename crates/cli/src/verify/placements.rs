//! `--placements`: over the whole log, every placement of a tenant lies where it may: in one country,
//! or where the agreement that was in force allowed.

use std::collections::BTreeMap;

use base::Time;
use base::region::DataCentre;
use serde::Deserialize;
use serde_json::Value;
use terms::clauses::DataClass;

use super::findings::Findings;
use super::history::{Histories, History};
use super::leaf::Leaf;
use super::log::Log;
use crate::output;

/// Actions that put bytes somewhere: one that says no place hides one.
const PLACING: [&str; 3] = ["oss:PutObject", "oss:CopyObject", "oss:UploadPart"];

/// One place that a leaf names: what was added there or (negative) removed.
#[derive(Debug, Deserialize)]
struct Placed {
    site: String,
    country: String,
    #[serde(default)]
    objects: i64,
    #[serde(default)]
    parts: i64,
}

/// What is at one place.
#[derive(Default)]
struct Held {
    objects: i64,
    placements: u64,
}

/// What is counted while the log is read.
struct Census<'a> {
    tenant: &'a str,
    /// The one country; `None` where the agreement decides.
    country: Option<&'a str>,
    history: Option<&'a History>,
    /// Data centres as the log declared them, by site.
    declared: BTreeMap<String, String>,
    held: BTreeMap<(String, String), Held>,
    refusals: BTreeMap<(String, String), u64>,
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
    let mut census = Census {
        tenant,
        country,
        history: histories.of.get(tenant),
        declared: BTreeMap::new(),
        held: BTreeMap::new(),
        refusals: BTreeMap::new(),
        defects: Vec::new(),
    };
    let walked = log.each(|index, bytes| match Leaf::parse(bytes) {
        Ok(leaf) => census.take(index, &leaf),
        Err(why) => census.defects.push(format!("entry {index}: {why}")),
    });
    if let Err(why) = walked {
        findings.defect(why);
    }
    census.report(findings);
}

impl Census<'_> {
    fn take(&mut self, index: u64, leaf: &Leaf) {
        match leaf.action.as_str() {
            "awan:DeclareDataCentre" if leaf.is_done() => {
                let (site, country) = (leaf.fact("site"), leaf.fact("country"));
                self.declared.insert(site.to_owned(), country.to_owned());
                return;
            }
            "awan:RemoveDataCentre" if leaf.is_done() => {
                self.declared.remove(leaf.fact("site"));
                return;
            }
            _ => {}
        }
        if leaf.is_done()
            && leaf.fact("tenant").is_empty()
            && PLACING.contains(&leaf.action.as_str())
        {
            self.defects.push(format!(
                "entry {index} ({}) put bytes somewhere and says neither whose nor where",
                leaf.action
            ));
        }
        if leaf.fact("tenant") != self.tenant {
            return;
        }
        if !leaf.is_done() {
            self.count_refusal(leaf);
        } else if let Some(placed) = leaf.public.get("placed") {
            self.placed(index, leaf, placed);
        } else if leaf.action == "oss:PutBucket" && !leaf.fact("site").is_empty() {
            self.bucket(index, leaf);
        }
    }

    /// A bucket says where its objects will be: at a place, and perhaps mirrored at others.
    fn bucket(&mut self, index: u64, leaf: &Leaf) {
        let (site, country) = (leaf.fact("site").to_owned(), leaf.fact("country").to_owned());
        let mut places = vec![Placed { site, country, objects: 0, parts: 0 }];
        if let Some(mirrors) = leaf.public.get("mirrors") {
            match Vec::<Placed>::deserialize(mirrors) {
                Ok(mirrors) => places.extend(mirrors),
                Err(_) => self.unreadable(index, leaf),
            }
        }
        for place in &places {
            self.judge(index, leaf, place);
        }
    }

    fn unreadable(&mut self, index: u64, leaf: &Leaf) {
        let what = format!("entry {index} ({}) names its places in no known form", leaf.action);
        self.defects.push(what);
    }

    fn placed(&mut self, index: u64, leaf: &Leaf, placed: &Value) {
        let Ok(places) = Vec::<Placed>::deserialize(placed) else {
            return self.unreadable(index, leaf);
        };
        for place in &places {
            let held = self.held.entry((place.country.clone(), place.site.clone())).or_default();
            held.objects += place.objects;
            // What only takes bytes away may happen anywhere, also after the agreement's end.
            if place.objects >= 0 && place.parts >= 0 && !leaf.action.contains("Delete") {
                held.placements += 1;
                self.judge(index, leaf, place);
            }
        }
    }

    /// Whether data of the leaf's class may be at a place.
    fn judge(&mut self, index: u64, leaf: &Leaf, place: &Placed) {
        let Placed { site, country, .. } = place;
        let at = leaf.at();
        let here = format!("entry {index} ({}, {}): {site} in {country}", leaf.action, at.iso());
        match self.declared.get(site) {
            Some(declared) if declared == country => {}
            Some(declared) => {
                self.defects.push(format!("{here}, but the log declared {site} in {declared}"))
            }
            None => self.defects.push(format!("{here}, a data centre that the log never declared")),
        }
        let refused = match self.country {
            Some(wanted) if wanted == country => None,
            Some(wanted) => Some(format!("expected {wanted}")),
            None => self.refused_by_agreement(leaf.fact("class"), place, at),
        };
        if let Some(why) = refused {
            self.defects.push(format!("{here}, {why}"));
        }
    }

    /// Why the agreement of that moment does not allow a place; `None` where it does.
    fn refused_by_agreement(&self, class: &str, place: &Placed, at: Time) -> Option<String> {
        let Some(class) = DataClass::parse(class) else {
            return Some(format!("with data of class \"{class}\", which there is not"));
        };
        let centre = DataCentre {
            site: place.site.clone(),
            country: place.country.clone(),
            ..DataCentre::default()
        };
        let mut why = Some("when no agreement was in force".to_owned());
        for period in self.history.into_iter().flat_map(|history| history.in_second(at)) {
            let residency = &period.published.release.terms().residency;
            match residency.rule(class) {
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
                        period.published.release.id()
                    ));
                }
                None => {
                    why = Some(format!(
                        "but release {} allows {} data nowhere",
                        period.published.release.id(),
                        class.as_str()
                    ));
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
        let mut countries: Vec<&str> = Vec::new();
        for ((country, site), held) in &self.held {
            placements += held.placements;
            if !countries.contains(&country.as_str()) {
                countries.push(country);
            }
            findings.checked(
                "place",
                format_args!(
                    "{country}  {site}  {} objects now, after {} placements",
                    held.objects,
                    output::count(held.placements)
                ),
            );
        }
        for ((code, wanted), times) in &self.refusals {
            findings.checked(
                "refused",
                format_args!("{} times {code}: {wanted}", output::count(*times)),
            );
        }
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
