//! `--agreements`: every release that the log names, its signatures, its place in the history, and
//! what is in force.

use base::{Clock, SystemClock};

use super::findings::Findings;
use super::history::{Histories, History, Period};
use crate::output;

/// Checks the agreements of everybody, or those of one account or one process.
pub(super) fn check(histories: &Histories, wanted: &str, findings: &mut Findings) {
    let mut releases = 0_u64;
    let mut shown = 0_u64;
    for (tenant, history) in &histories.of {
        let matches = |ocid: &str| wanted.is_empty() || wanted == tenant || wanted == ocid;
        if !history.published.iter().any(|published| matches(published.release.ocid())) {
            continue;
        }
        shown += 1;
        releases += history.published.len() as u64;
        show(tenant, history, findings);
    }
    if shown == 0 {
        let whose = if wanted.is_empty() { "of nobody" } else { wanted };
        findings.defect(format!("the log has no agreement {whose}"));
        return;
    }
    findings.proven.push(format!(
        "{} releases of {} tenants: each is the document that the log names, in order, signed by whom is said above",
        output::count(releases),
        output::count(shown)
    ));
}

fn show(tenant: &str, history: &History, findings: &mut Findings) {
    for published in &history.published {
        let release = &published.release;
        let parties = match (published.signed.provider, published.signed.tenant) {
            (true, true) => "both parties",
            (true, false) => "the provider alone",
            (false, true) => "the tenant alone",
            (false, false) => "nobody",
        };
        findings.checked(
            "release",
            format_args!(
                "{tenant}  {}  {} {} in entry {}, signed by {parties}",
                release.ocid(),
                release.tag().as_str(),
                release.id(),
                published.index
            ),
        );
    }
    let now = SystemClock.now();
    let in_force = match history.at(now) {
        Some(Period { from, until, published, .. }) => {
            let until = until.map_or_else(|| "no end".to_owned(), |until| until.iso());
            format!("release {} since {}, until {until}", published.release.id(), from.iso())
        }
        None => "nothing".to_owned(),
    };
    findings.checked("in force", format_args!("{tenant}  {in_force}"));
    for Period { from, published, .. } in history.periods.iter().filter(|period| period.from > now)
    {
        let id = published.release.id();
        findings.checked("then", format_args!("{tenant}  release {id} from {}", from.iso()));
    }
}
