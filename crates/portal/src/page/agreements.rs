//! The list of agreements.

use maud::{Markup, html};

use super::{Cx, parts, shell, table};
use crate::model::{Agreement, Release};
use crate::route::Page;
use crate::standing::{Standing, State};
use crate::words::own;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let (l, model) = (cx.l, cx.model());
    let title = l.t("Perjanjian", "Agreements");
    let (rows, ways) = parts(cx, model.agreements.iter().collect());
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Setiap perjanjian antara penyedia dan penyewa diterbitkan di sini sebelum berlaku, dengan harga, hak, dan kewajiban kedua pihak. Cloud menolak apa yang tidak diizinkannya, dan tagihan dihitung darinya.",
                "Every agreement between provider and tenant is published here before it takes effect, with prices, rights and duties of both sides. The cloud refuses what it does not allow, and bills are computed from it."
            )) }
            @if rows.is_empty() { p { (l.t("Belum ada perjanjian yang diterbitkan.", "No agreement is published yet.")) } }
            @else {
                (table(title, &html! {
                    thead { tr {
                        th scope="col" { (l.t("Perjanjian", "Agreement")) }
                        th scope="col" { (l.t("Penyewa", "Tenant")) }
                        th scope="col" { (l.t("Penyedia", "Provider")) }
                        th scope="col" { (l.t("Keadaan", "State")) }
                        th.number scope="col" { (l.t("Rilis", "Releases")) }
                    } }
                    tbody { @for (ocid, agreement) in rows { (row(cx, ocid, agreement)) } }
                }))
                (ways)
                p { a href="/agreements.csv" { (l.t("Unduh sebagai CSV", "Download as CSV")) } }
            }
        },
    )
}

fn row(cx: &Cx<'_>, ocid: &str, agreement: &Agreement) -> Markup {
    let l = cx.l;
    let standing = cx.standing(&agreement.tenant);
    let summary = current(cx, &standing, ocid, agreement).and_then(|release| cx.summary(release));
    let page = Page::Agreement { ocid: ocid.to_owned(), release: None };
    html! {
        tr {
            th.wide scope="row" {
                a href=(cx.to(&page.path())) { (own(summary.as_ref().map_or(ocid, |it| l.text(&it.title)))) }
                small { (own(ocid)) }
            }
            td.who { (cx.tenant(&agreement.tenant)) }
            td.who { (own(summary.as_ref().map_or("–", |it| it.provider.as_str()))) }
            td {
                (state(cx, &standing, ocid, agreement))
                @if summary.is_some_and(|it| it.one_sided) { small { (l.t("satu operator untuk kedua pihak", "one operator for both sides")) } }
            }
            td.number { (agreement.releases.len()) }
        }
    }
}

/// The release that says what the agreement is, will be or was.
pub fn current<'a>(
    cx: &Cx<'_>,
    standing: &Standing,
    ocid: &str,
    agreement: &'a Agreement,
) -> Option<&'a Release> {
    let id = standing.current(ocid, cx.now);
    let binds = agreement.releases.iter().find(|release| Some(release.id.as_str()) == id);
    binds.or_else(|| agreement.latest())
}

/// Whether it binds, as a mark.
pub fn state(cx: &Cx<'_>, standing: &Standing, ocid: &str, agreement: &Agreement) -> Markup {
    let l = cx.l;
    html! {
        @match standing.state((ocid, agreement), cx.now) {
            State::InForce(since, until) => {
                span.mark.good { (l.t("berlaku", "in force")) } " "
                small { (l.t("sejak ", "since ")) (l.time(since)) @if let Some(until) = until { (l.t(", sampai ", ", until ")) (l.time(until)) } }
                @if agreement.ended.is_some() { " " span.mark.warn { (l.t("akan berakhir", "will end")) } }
            }
            State::Later(from) => { span.mark.warn { (l.t("belum berlaku", "not in force yet")) } " " small { (l.t("mulai ", "from ")) (l.time(from)) } }
            State::Ended(at) => { span.mark.bad { (l.t("diakhiri", "ended")) } " " small { (l.time(at)) } }
            State::Over(at) => { span.mark.bad { (l.t("jangka waktunya habis", "its term is over")) } " " small { (l.time(at)) } }
            State::Published => span.mark.warn { (l.t("terbit, belum berlaku", "published, not in force")) },
            State::Unproven => span.mark.bad { (l.t("keadaannya tidak terbukti dari dokumennya", "its state is not proven by its documents")) },
        }
    }
}
