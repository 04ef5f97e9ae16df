//! The list of agreements.

use maud::{Markup, html};

use super::{Cx, parts, shell, table};
use crate::model::Agreement;
use crate::route::Page;

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
    let summary = agreement.current().and_then(|release| cx.summary(release));
    let page = Page::Agreement { ocid: ocid.to_owned(), release: None };
    html! {
        tr {
            th.wide scope="row" {
                a href=(cx.to(&page.path())) { (summary.as_ref().map_or(ocid, |it| l.text(&it.title))) }
                small { (ocid) }
            }
            td.who { (cx.tenant(&agreement.tenant)) }
            td.who { (summary.as_ref().map_or("–", |it| it.provider.as_str())) }
            td {
                (state(cx, agreement))
                @if summary.is_some_and(|it| it.one_sided) { small { (l.t("satu operator untuk kedua pihak", "one operator for both sides")) } }
            }
            td.number { (agreement.releases.len()) }
        }
    }
}

/// Whether it binds, as a mark.
pub fn state(cx: &Cx<'_>, agreement: &Agreement) -> Markup {
    let l = cx.l;
    let over = |end: base::Time| end <= cx.now;
    html! {
        @if let Some(ended) = agreement.ended {
            span.mark.bad { (l.t("diakhiri", "ended")) } " " small { (l.time(ended.at)) }
        } @else if let Some(release) = agreement.active() {
            @if cx.summary(release).and_then(|it| it.end).is_some_and(over) {
                span.mark.bad { (l.t("jangka waktunya habis", "its term is over")) }
            } @else {
                span.mark.good { (l.t("berlaku", "in force")) } " "
                @if let Some(since) = release.activated { small { (l.t("sejak ", "since ")) (l.time(since.at)) } }
            }
        } @else {
            span.mark.warn { (l.t("terbit, belum berlaku", "published, not in force")) }
        }
    }
}
