//! One agreement: what it says, who signed it, and how it came to be.

use maud::{Markup, html};
use terms::clauses::Keys;
use terms::release::Party;

use super::{Cx, clauses, entry, shell, table};
use crate::documents::{Missing, Shown, is_one_sided};
use crate::model::{Agreement, Release, Stamp};
use crate::route::Page;
use crate::standing::Standing;
use crate::words::own;

/// How many releases are listed; an agreement with more has them in the CSV.
const HISTORY_MAX: usize = 50;

/// The page of an agreement as it is, or of one of its releases; `None` where there is none.
pub fn show(cx: &Cx<'_>, ocid: &str, release: Option<&str>) -> Option<Markup> {
    let l = cx.l;
    let agreement = cx.model().agreements.get(ocid)?;
    let standing = cx.standing(&agreement.tenant);
    let shown = match release {
        None => super::agreements::current(cx, &standing, ocid, agreement)?,
        Some(id) => agreement.releases.iter().find(|release| release.id.as_str() == id)?,
    };
    let found = cx.documents.show(cx.source, (ocid, &agreement.tenant), shown);
    let title = match &found {
        Ok(found) => l.text(found.release.title()),
        Err(_) => ocid,
    };
    Some(shell(
        cx,
        title,
        false,
        &html! {
            p.kicker { a href=(cx.to("/agreements")) { (l.t("Perjanjian", "Agreements")) } " · " (own(ocid)) }
            h1 { (own(title)) }
            p { (super::agreements::state(cx, &standing, ocid, agreement)) }
            (faults(cx, &standing))
            (earlier(cx, &standing, (ocid, agreement), shown))
            @match &found {
                Ok(found) => (content(cx, found)),
                Err(missing) => (absent(cx, missing)),
            }
            (signatures(cx, shown, &found))
            (history(cx, &standing, ocid, agreement))
        },
    ))
}

/// Says so where the entries do what the documents do not allow.
fn faults(cx: &Cx<'_>, standing: &Standing) -> Markup {
    let l = cx.l;
    html! {
        @if !standing.faults.is_empty() {
            div.note.bad {
                p { (l.t("Yang dinyatakan log tentang penyewa ini tidak sesuai dengan dokumennya:", "What the log says of this tenant does not follow from its documents:")) }
                ul lang="en" { @for fault in &standing.faults { li { (own(fault)) } } }
            }
        }
    }
}

/// Says so where the release that is shown is not the one that binds.
fn earlier(
    cx: &Cx<'_>,
    standing: &Standing,
    (ocid, agreement): (&str, &Agreement),
    shown: &Release,
) -> Markup {
    let l = cx.l;
    let page = Page::Agreement { ocid: ocid.to_owned(), release: None };
    html! {
        @if super::agreements::current(cx, standing, ocid, agreement).is_some_and(|it| it.id != shown.id) {
            div.note.warn { p {
                (l.t("Ini rilis ", "This is release ")) (shown.id) (l.t(", bukan isi yang berlaku sekarang. ", ", not what holds now. "))
                a href=(cx.to(&page.path())) { (l.t("Lihat yang berlaku", "See what holds")) } "."
            } }
        }
    }
}

fn absent(cx: &Cx<'_>, missing: &Missing) -> Markup {
    let l = cx.l;
    html! {
        div.note.bad { p {
            @match missing {
                Missing::Absent => (l.t(
                    "Log menyebut dokumen ini, tetapi dokumennya tidak ada di sini. Sidik jarinya di bawah; siapa pun yang memilikinya dapat mencocokkannya.",
                    "The log names this document, but the document is not here. Its digest is below; whoever has it can compare.",
                )),
                Missing::Changed => (l.t(
                    "Dokumen yang ada di sini BUKAN yang disebut log: sidik jarinya berbeda. Isinya tidak ditampilkan.",
                    "The document that is here is NOT the one that the log names: its digest differs. It is not shown.",
                )),
                Missing::Unreadable(what) => {
                    (l.t("Dokumennya ada dan sidik jarinya cocok, tetapi tidak dapat dibaca sebagai perjanjian: ", "The document is here and its digest is right, but it cannot be read as an agreement: "))
                    span lang="en" { (own(what)) } "."
                }
            }
        } }
    }
}

fn content(cx: &Cx<'_>, shown: &Shown) -> Markup {
    let l = cx.l;
    let release = &shown.release;
    html! {
        @if is_one_sided(release, cx.about.operator) { (one_sided(cx, cx.about.operator == Some(release.terms().account))) }
        p.quiet { (l.t(
            "Teks bahasa Indonesia mengikat; teks bahasa Inggris adalah terjemahannya.",
            "The Indonesian text binds; the English one is its translation."
        )) }
        dl.terms {
            (party(cx, l.t("Penyedia", "Provider"), release.provider()))
            (party(cx, l.t("Penyewa", "Tenant"), release.tenant()))
            div { dt { (l.t("Berlaku", "Holds")) } dd {
                (l.t("dari ", "from ")) (l.time(release.start()))
                @match release.end() {
                    Some(end) => { (l.t(" sampai ", " until ")) (l.time(end)) }
                    None => (l.t(", sampai diakhiri salah satu pihak", ", until one side ends it")),
                }
            } }
            div { dt { (l.t("Mengapa penyedia ini", "Why this provider")) } dd { (own(l.text(release.rationale()))) } }
            @if let Some(amends) = release.amends() {
                div { dt { (l.t("Mengapa diubah", "Why it was changed")) } dd {
                    (own(l.text(&amends.rationale))) " (" (l.t("menggantikan rilis ", "replaces release ")) (amends.release) ")"
                } }
            }
        }
        (clauses::show(cx, release.terms()))
    }
}

/// Says so where nobody else stands on the other side; `own` where that is the cloud's own account.
fn one_sided(cx: &Cx<'_>, own: bool) -> Markup {
    let l = cx.l;
    html! {
        div.note.warn {
            strong { (l.t("Satu operator menandatangani untuk kedua pihak.", "One operator signed for both sides.")) }
            p {
                @if own { (l.t(
                    "Ini perjanjian cloud dengan akunnya sendiri: kunci penyedia dan kunci penyewa dibuat oleh cloud yang sama ketika pertama kali dijalankan. Ia menunjukkan ketentuan bawaan dan tidak mengikat siapa pun kepada pihak lain.",
                    "This is the cloud's agreement with its own account: the provider's key and the tenant's key were both made by the same cloud when it first started. It shows the default terms and binds nobody to anybody else."
                )) }
                @else { (l.t(
                    "Kedua pihak bernama sama, bernomor sama, atau memakai kunci yang sama.",
                    "Both parties have the same name, the same number or the same key."
                )) }
            }
        }
    }
}

fn party(cx: &Cx<'_>, role: &str, party: &Party) -> Markup {
    let l = cx.l;
    html! {
        div { dt { (role) } dd {
            strong { (own(&party.name)) } br;
            span.quiet {
                (own(&party.scheme)) " " (own(&party.id))
                @for (scheme, id) in &party.additional { " · " (own(scheme)) " " (own(id)) }
                @match &party.contact {
                    Some(contact) => { " · " (own(contact)) }
                    None => { " · " (l.t("kontak tidak dimuat", "no contact shown")) }
                }
            }
        } }
    }
}

fn signatures(cx: &Cx<'_>, release: &Release, found: &Result<Shown, Missing>) -> Markup {
    let l = cx.l;
    let label = l.t("Tanda tangan", "Signatures");
    html! {
        h2 { (label) }
        @match found {
            Err(_) => p { (l.t("Tanpa dokumen, tanda tangannya tidak dapat diperiksa.", "Without the document its signatures cannot be checked.")) },
            Ok(shown) => @match &shown.signed {
                Err(missing) => div.note.bad { p {
                    (l.t("Tanda tangannya tidak dapat diperiksa: ", "The signatures cannot be checked: ")) span lang="en" { (missing) } "."
                } },
                Ok(signed) => {
                    p { (l.t(
                        "Diperiksa sekarang, oleh portal ini, atas sidik jari dokumen di bawah:",
                        "Checked just now, by this portal, over the digest of the document below:"
                    )) }
                    (signature_table(cx, label, &shown.release.terms().keys, signed.provider, signed.tenant))
                }
            },
        }
        ul.links {
            li { a href=(format!("/documents/{}.json", release.document)) { (l.t("Dokumen (JSON)", "Document (JSON)")) } }
            li { a href=(format!("/documents/{}/package.json", release.document)) { (l.t("Paket rilis OCDS", "OCDS release package")) } }
            li { a href=(format!("/documents/{}.txt", release.signatures)) { (l.t("Berkas tanda tangan", "Signature file")) } }
        }
        p.quiet { "SHA-256 " code.hash { (release.document) } }
    }
}

fn signature_table(cx: &Cx<'_>, label: &str, keys: &Keys, provider: bool, tenant: bool) -> Markup {
    let l = cx.l;
    let rows = [
        (l.t("Penyedia", "Provider"), &keys.provider, provider),
        (l.t("Penyewa", "Tenant"), &keys.tenant, tenant),
    ];
    table(
        label,
        &html! {
            thead { tr {
                th scope="col" { (l.t("Pihak", "Party")) }
                th scope="col" { (l.t("Hasil", "Result")) }
                th scope="col" { (l.t("Kunci", "Key")) }
            } }
            tbody { @for (party, key, good) in rows { tr {
                th scope="row" { (party) }
                td { @if good { span.mark.good { (l.t("sah", "valid")) } } @else { span.mark.bad { (l.t("belum ada", "none")) } } }
                td.wide {
                    code.hash { (key) }
                    @if let Some(declared) = cx.model().keys.iter().find(|it| it.key.as_str() == key.as_str()) {
                        small { (l.t("Dinyatakan dalam log: ", "Declared in the log: ")) (entry(cx, declared.declared)) }
                    }
                }
            } } }
        },
    )
}

fn history(cx: &Cx<'_>, standing: &Standing, ocid: &str, agreement: &Agreement) -> Markup {
    let l = cx.l;
    let step = |words: &str, stamp: Option<Stamp>| {
        stamp.map(|stamp| html! { (words) " " (cx.stamp(stamp)) br; })
    };
    html! {
        h2 { (l.t("Riwayat", "History")) }
        p.quiet { (l.t("Setiap rilis tetap; perubahan adalah rilis baru.", "A release never changes; an amendment is a new release.")) }
        ol.record {
            @for release in agreement.releases.iter().rev().take(HISTORY_MAX) {
                @let page = Page::Agreement { ocid: ocid.to_owned(), release: Some(release.id.to_string()) };
                li {
                    span.when { (l.tag_name(&release.tag)) br; a href=(cx.to(&page.path())) { (release.id) } }
                    div {
                        @if let Some(line) = step(l.t("Diterbitkan", "Published"), release.published) { (line) }
                        @if let Some(line) = step(l.t("Diaktifkan", "Brought into force"), release.activated) { (line) }
                        @if let Some(line) = step(l.t("Mengakhiri", "Ends the agreement, by"), release.ended) { (line) }
                        @if let Some(period) = standing.period(ocid, &release.id) {
                            (l.t("Mengikat dari ", "Binds from ")) (l.time(period.from))
                            @if let Some(until) = period.until { (l.t(" sampai ", " until ")) (l.time(until)) }
                            br;
                        }
                        span.quiet { "SHA-256 " code.hash { (release.document) } }
                    }
                }
            }
        }
    }
}
