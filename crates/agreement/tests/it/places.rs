//! `engine::places` against a naive reading of agreement, permits and zones.

use std::sync::atomic::{AtomicU64, Ordering};

use base::region::{DataCentre, Region};
use base::{AccountId, ApiError, Time};
use engine::places::{Want, choose, decide};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use terms::clauses::{DataClass, Residence, Residency};

use crate::harness::{World, enforced, world};

const OWN: &str = "ap-southeast-5";
const SITES: [&str; 6] = ["jkt-a", "jkt-b", "sby-1", "sg-1", "kl-1", "us-1"];

fn strings(from: &[&str]) -> Vec<String> {
    from.iter().map(|text| (*text).to_owned()).collect()
}

fn centre(site: &'static str) -> impl Strategy<Value = DataCentre> {
    let country = select(strings(&["ID", "ID", "SG", "MY"]));
    let zone = select(strings(&["z1", "z2", "z3"]));
    let region = select(strings(&["", "", OWN, "ap-southeast-1"]));
    // The tests' clock says 2026-01-02.
    let permit = ["", "2025-12-31", "2026-01-01", "2026-01-02", "2030-01-01", "2026-13-01", "soon"];
    let permit = select(strings(&permit));
    (country, zone, region, permit).prop_map(move |(country, zone, region, permit_until)| {
        let site = site.to_owned();
        DataCentre { site, country, zone, region, permit_until, ..DataCentre::default() }
    })
}

fn any_region() -> impl Strategy<Value = Region> {
    let declared = SITES.map(|site| option::weighted(0.8, centre(site)));
    declared.prop_map(|centres| Region {
        id: OWN.to_owned(),
        data_centres: centres.into_iter().flatten().collect(),
    })
}

fn any_residency() -> impl Strategy<Value = Residency> {
    let rule = |class| {
        let countries = subsequence(strings(&["ID", "SG", "MY"]), 1..=3);
        let sites = subsequence(strings(&SITES), 0..=5);
        (countries, sites, 1..3_u32).prop_map(move |(countries, sites, zones_min)| Residence {
            class,
            countries,
            sites,
            zones_min,
        })
    };
    let others = DataClass::ALL[1..].iter().map(|class| option::weighted(0.8, rule(*class)));
    (rule(DataClass::Public), others.collect::<Vec<_>>()).prop_map(|(first, others)| {
        let rules = std::iter::once(first).chain(others.into_iter().flatten()).collect();
        Residency { default_class: DataClass::Public, rules }
    })
}

#[derive(Clone, Debug)]
struct Asked {
    region: Region,
    class: DataClass,
    sites: Vec<String>,
    zones: usize,
    of: String,
}

fn any_asked() -> impl Strategy<Value = Asked> {
    let sites = vec(select(strings(&SITES)), 0..4);
    let of = select(strings(&[OWN, OWN, "ap-southeast-1", "nowhere"]));
    (any_region(), select(DataClass::ALL.to_vec()), sites, 1..4_usize, of)
        .prop_map(|(region, class, sites, zones, of)| Asked { region, class, sites, zones, of })
}

/// Whether a data centre may take new data: `None`, or the code of the refusal.
fn barred(
    residency: &Residency,
    class: DataClass,
    centre: &DataCentre,
    today: &str,
) -> Option<&'static str> {
    let good_date = ["2025-12-31", "2026-01-01", "2026-01-02", "2030-01-01"];
    let until = centre.permit_until.as_str();
    if !until.is_empty() && (!good_date.contains(&until) || until < today) {
        return Some("Forbidden.PermitLapsed");
    }
    for rule in residency.rules.iter().filter(|rule| rule.class == class) {
        let named = rule.sites.is_empty() || rule.sites.contains(&centre.site);
        if named && rule.countries.contains(&centre.country) {
            return None;
        }
    }
    Some("Forbidden.Residency")
}

fn naive_decide(
    residency: &Residency,
    asked: &Asked,
    today: &str,
) -> Result<Vec<String>, &'static str> {
    let mut zones = Vec::new();
    for site in &asked.sites {
        let centre = asked.region.data_centres.iter().find(|centre| centre.site == *site);
        let centre = centre.ok_or("ServiceUnavailable")?;
        if let Some(code) = barred(residency, asked.class, centre, today) {
            return Err(code);
        }
        if !zones.contains(&&centre.zone) {
            zones.push(&centre.zone);
        }
    }
    let rule = residency.rules.iter().find(|rule| rule.class == asked.class);
    let least = rule.map_or(1, |rule| rule.zones_min) as usize;
    if zones.len() < least.max(1) {
        Err("Forbidden.ZoneRedundancyRequired")
    } else {
        Ok(asked.sites.clone())
    }
}

fn naive_choose(
    residency: &Residency,
    asked: &Asked,
    today: &str,
) -> Result<Vec<String>, &'static str> {
    let here = |centre: &&DataCentre| {
        centre.region == asked.of || centre.region.is_empty() && asked.of == OWN
    };
    let centres: Vec<_> = asked.region.data_centres.iter().filter(here).collect();
    let code = |centre: &DataCentre| barred(residency, asked.class, centre, today);
    let mut first_of_zone: Vec<&DataCentre> = Vec::new();
    for centre in &centres {
        let served = first_of_zone.iter().any(|other| other.zone == centre.zone);
        if code(centre).is_none() && !served {
            first_of_zone.push(centre);
        }
    }
    if first_of_zone.len() >= asked.zones {
        return Ok(first_of_zone[..asked.zones].iter().map(|centre| centre.site.clone()).collect());
    }
    // The first that was looked at in vain: in a zone that none before it serves.
    for (at, centre) in centres.iter().enumerate() {
        let served =
            centres[..at].iter().any(|other| other.zone == centre.zone && code(other).is_none());
        if !served && let Some(code) = code(centre) {
            return Err(code);
        }
    }
    Err("ServiceUnavailable")
}

fn outcome(result: Result<Vec<String>, ApiError>) -> Result<Vec<String>, String> {
    result.map_err(|error| error.code().to_owned())
}

fn compare(world: &World, account: AccountId, residency: &Residency, asked: &Asked) {
    let now = world.now();
    let today = &now.iso()[..10];
    let cloud = enforced(&world.test, asked.region.clone());
    let (within, question) = (cloud.clone(), asked.clone());
    let run = move |tx: &mut store::Tx<'_>| {
        Ok::<_, ApiError>(answers(tx, &within, account, &question, now))
    };
    let (decided, chosen) = cloud.db.read_blocking(run).unwrap();
    if let Err(error) = &decided
        && error.code() != "ServiceUnavailable"
    {
        let facts: serde_json::Value = serde_json::from_str(error.public_facts()).unwrap();
        assert_eq!(facts["tenant"], account.to_string());
        assert_eq!(facts["class"], asked.class.as_str());
    }
    let expected = naive_decide(residency, asked, today).map_err(str::to_owned);
    assert_eq!(outcome(decided), expected, "decide {asked:?} under {residency:?}");
    let expected = naive_choose(residency, asked, today).map_err(str::to_owned);
    assert_eq!(outcome(chosen), expected, "choose {asked:?} under {residency:?}");
}

type Answer = Result<Vec<String>, ApiError>;

fn answers(
    tx: &mut store::Tx<'_>,
    cloud: &engine::Cloud,
    account: AccountId,
    asked: &Asked,
    now: Time,
) -> (Answer, Answer) {
    let want = Want { account, class: asked.class, sites: &asked.sites };
    let decided = decide(tx, cloud, &want, now).map(|placement| {
        assert_eq!((placement.account(), placement.class()), (account, asked.class));
        placement.places().iter().map(|place| place.site().to_owned()).collect()
    });
    let chosen = choose(tx, cloud, account, asked.class, (&asked.of, asked.zones), now);
    (decided, chosen)
}

/// 100 agreements, each asked 25 times in regions of its own: 2,500 decisions and as many choices.
#[test]
fn data_goes_where_a_naive_reading_of_agreement_permits_and_zones_lets_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(world());
    let accounts = AtomicU64::new(100);
    let config = ProptestConfig { cases: 100, max_shrink_iters: 20, ..ProptestConfig::default() };
    proptest!(config, |(residency in any_residency(), asked in vec(any_asked(), 25))| {
        let account = accounts.fetch_add(1, Ordering::Relaxed);
        let mut draft = world.draft(account);
        draft.terms.residency = residency.clone();
        runtime.block_on(world.agree(&draft));
        for asked in &asked {
            compare(&world, AccountId::new(account), &residency, asked);
        }
    });
}
