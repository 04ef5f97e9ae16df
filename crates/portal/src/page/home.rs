//! The front page: what this is, how large it is, what happened last, and how to check it.

use maud::{Markup, html};

use super::{Cx, entry, shell};
use crate::leaf::Text;
use crate::model::{Ground, Stamp};
use crate::standing::State;
use crate::words::own;

/// How many of the latest events are shown.
const LATEST: usize = 6;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Cloud yang dapat diperiksa siapa saja", "A cloud that anyone can check");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead {
                (l.t(
                    "Awan adalah cloud publik yang terikat pada perjanjian terbuka: apa yang wajib dilakukan penyedia dan penyewa, harganya, dan di mana data boleh berada. ",
                    "Awan is a public cloud bound by open agreements: what provider and tenant must each do, what it costs, and where data may be. "
                ))
                (l.t(
                    "Setiap perjanjian, setiap penempatan data, setiap akses istimewa, dan setiap tagihan dicatat dalam satu log publik yang hanya dapat bertambah. ",
                    "Every agreement, every placement of data, every privileged access and every bill is recorded in one public log that can only grow. "
                ))
                (l.t(
                    "Portal ini membaca log itu saja, dan Anda dapat memeriksanya tanpa memercayai siapa pun di sini.",
                    "This portal reads that log and nothing else, and you can check it without trusting anybody here."
                ))
            }
            (figures(cx))
            (super::places::figure(cx))
            (latest(cx))
            (check(cx))
        },
    )
}

fn figures(cx: &Cx<'_>) -> Markup {
    let (l, model) = (cx.l, cx.model());
    let objects: i64 = model.held.values().map(|held| held.objects).sum();
    let residency = model.refusals.total.get(&Ground::Residency).copied().unwrap_or(0);
    html! {
        dl.figures {
            div { dt { (l.t("entri dalam log", "entries in the log")) } dd { (l.number(model.size)) } }
            div { dt { (l.t("perjanjian berlaku", "agreements in force")) } dd { (l.number(in_force(cx))) } }
            div { dt { (l.t("pusat data", "data centres")) } dd { (l.number(model.standing().count() as u64)) } }
            div { dt { (l.t("objek tersimpan", "objects stored")) } dd { (l.number(objects)) } }
            div { dt { (l.t("ditolak karena tempatnya", "refused for the place")) } dd { (l.number(residency)) } }
            div {
                dt { (l.t("titik periksa terakhir", "latest checkpoint")) }
                @match cx.view.checkpoints.back() {
                    Some(seen) => dd.words { (l.time(seen.at)) },
                    None => dd.words { (l.t("belum ada", "none yet")) },
                }
            }
        }
    }
}

/// How many agreements bind now.
fn in_force(cx: &Cx<'_>) -> u64 {
    let binds = |account: &&Text| {
        let standing = cx.standing(account);
        let mut own = cx.model().agreements.values().filter(|it| it.tenant == **account);
        own.any(|it| matches!(standing.state((&it.ocid, it), cx.now), State::InForce(..)))
    };
    // An account has one agreement at a time.
    cx.model().tenants.keys().filter(binds).count() as u64
}

/// Something that happened.
struct Event {
    stamp: Stamp,
    words: Markup,
}

fn latest(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let mut events = events(cx);
    events.sort_by_key(|event| std::cmp::Reverse(event.stamp));
    events.truncate(LATEST);
    html! {
        h2 { (l.t("Yang terakhir terjadi", "What happened last")) }
        @if events.is_empty() { p { (l.t("Log belum berisi perjanjian, penolakan, atau akses.", "The log holds no agreement, refusal or access yet.")) } }
        @else {
            ol.record {
                @for event in &events {
                    li { span.when { (l.time(event.stamp.at)) br; (entry(cx, event.stamp)) } span { (event.words) } }
                }
            }
        }
    }
}

fn events(cx: &Cx<'_>) -> Vec<Event> {
    let (l, model) = (cx.l, cx.model());
    let mut events = Vec::new();
    for refusal in model.refusals.recent.iter().rev().take(LATEST) {
        let words = html! {
            a href=(cx.to("/refusals")) { (l.t("Ditolak", "Refused")) } ": " (l.ground(refusal.ground))
            @for spot in refusal.wanted.iter().take(3) { ", " (own(&spot.site)) " (" (own(l.country(&spot.country))) ")" }
            "."
        };
        events.push(Event { stamp: refusal.stamp, words });
    }
    for access in model.accesses.iter().rev().take(LATEST) {
        let steps = [
            (access.asked, l.t("Akses istimewa diminta", "Privileged access asked for")),
            (access.approved, l.t("Akses istimewa disetujui", "Privileged access approved")),
            (access.denied, l.t("Akses istimewa ditolak", "Privileged access denied")),
        ];
        let step = steps
            .into_iter()
            .filter_map(|(stamp, words)| Some((stamp?, words)))
            .max_by_key(|it| it.0);
        let Some((stamp, what)) = step else { continue };
        let words = html! { a href=(cx.to("/access")) { (what) } ": " (own(&access.reason)) };
        events.push(Event { stamp, words });
    }
    for (site, centre) in &model.centres {
        let words = html! {
            a href=(cx.to("/places")) { (l.t("Pusat data dinyatakan", "Data centre declared")) } ": " (own(site)) ", " (own(&centre.city)) "."
        };
        events.push(Event { stamp: centre.declared, words });
    }
    // In the log's order, so that documents are looked into only for what is shown.
    let mut releases: Vec<_> = model
        .agreements
        .iter()
        .flat_map(|(ocid, agreement)| {
            agreement.releases.iter().map(move |it| (ocid, agreement, it))
        })
        .filter_map(|(ocid, agreement, release)| {
            Some((release.published?, ocid, agreement, release))
        })
        .collect();
    releases.sort_by_key(|it| std::cmp::Reverse(it.0));
    for (stamp, ocid, agreement, release) in releases.into_iter().take(LATEST) {
        let summary = cx.summary(release);
        let page = crate::route::Page::Agreement { ocid: ocid.to_string(), release: None };
        let words = html! {
            a href=(cx.to(&page.path())) { (l.tag_name(&release.tag)) (l.t(" diterbitkan", " published")) } ": "
            (own(summary.as_ref().map_or(agreement.tenant.as_str(), |it| it.tenant.as_str()))) "."
        };
        events.push(Event { stamp, words });
    }
    events
}

fn check(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    html! {
        h2 #check { (l.t("Periksa sendiri", "Check it yourself")) }
        ol {
            li {
                a href=(cx.to("/verify")) { (l.t("Periksa tanda terima di peramban", "Verify a receipt in the browser")) } ". "
                (l.t("Perhitungannya terjadi di perangkat Anda; berkasnya tidak dikirim ke mana pun.", "The computing happens on your device; the file is sent nowhere."))
            }
            li {
                (l.t("Periksa seluruh log dengan ", "Check the whole log with ")) code { "awan verify" }
                (l.t(", dari komputer mana pun. Ia mengingat titik periksa yang pernah dilihatnya dan menemukan log yang berubah:", ", from any computer. It remembers the checkpoint that it saw and finds a log that has changed:"))
                pre { "awan verify --log https://" (l.t("ALAMAT-PORTAL-INI", "THIS-PORTAL")) "/log --log-key '" (cx.about.log_key) "' --seen awan.checkpoint" }
            }
            li {
                (l.t("Pakai alat lain: log ini berformat terbuka ", "Use other tools: the log has an open format "))
                "(" a href="https://c2sp.org/tlog-tiles" { "C2SP tlog-tiles" } ") "
                (l.t("dan dapat dibaca program yang tidak kami buat. ", "and can be read by programs that we did not make. "))
                a href=(cx.to("/checkpoints")) { (l.t("Kunci, titik periksa, dan saksinya", "Key, checkpoints and witnesses")) } "."
            }
        }
    }
}
