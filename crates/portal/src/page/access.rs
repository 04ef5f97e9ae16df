//! When the operator's people read a tenant's data, why, and who allowed it.

use std::sync::Arc;

use base::Time;
use maud::{Markup, html};

use super::{Cx, entry, parts, shell, table};
use crate::model::Access;
use crate::words::own;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let (l, model) = (cx.l, cx.model());
    let title = l.t("Akses istimewa", "Privileged access");
    let (rows, ways) = parts(cx, model.accesses.iter().rev().collect());
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Operator tidak dapat membaca data penyewa tanpa alasan tertulis dan, jika perjanjian memintanya, tanpa persetujuan penyewa. Permintaan, jawaban, dan setiap pembacaan menjadi entri log.",
                "The operator cannot read a tenant's data without a written reason and, where the agreement asks for it, the tenant's approval. Request, answer and each read become entries of the log."
            )) }
            @if rows.is_empty() { p { (l.t("Operator belum pernah meminta akses.", "The operator has never asked for access.")) } }
            @else {
                p { (l.t("Pernah diminta: ", "Asked for so far: ")) (l.number(model.accesses_asked)) "." }
                (list(cx, &rows, true))
                (ways)
            }
        },
    )
}

/// A table of accesses.
pub fn list(cx: &Cx<'_>, rows: &[&Arc<Access>], with_tenant: bool) -> Markup {
    let l = cx.l;
    table(
        l.t("Akses istimewa", "Privileged access"),
        &html! {
            thead { tr {
                th scope="col" { (l.t("Diminta", "Asked for")) }
                @if with_tenant { th scope="col" { (l.t("Data milik", "Data of")) } }
                th scope="col" { (l.t("Alasan", "Reason")) }
                th scope="col" { (l.t("Jawaban", "Answer")) }
                th.number scope="col" { (l.t("Pembacaan", "Reads")) }
            } }
            tbody { @for access in rows { tr {
                td {
                    @match access.asked { Some(asked) => { (l.time(asked.at)) small { (l.t("oleh operator, ", "by the operator, ")) (entry(cx, asked)) } }, None => "–" }
                    small { code { (own(&access.id)) } }
                }
                @if with_tenant { td.who { (cx.tenant(&access.tenant)) } }
                td.wide { (own(&access.reason)) }
                td { (answer(cx, access)) }
                td.number {
                    (l.number(access.reads))
                    @if let Some(read) = access.last_read { small { (l.t("terakhir ", "last ")) (l.time(read.at)) } }
                }
            } } }
        },
    )
}

fn answer(cx: &Cx<'_>, access: &Access) -> Markup {
    let l = cx.l;
    let until = Time::parse_iso(&access.until);
    html! {
        @if let Some(denied) = access.denied {
            span.mark.good { (l.t("ditolak penyewa", "denied by the tenant")) } small { (l.time(denied.at)) }
        } @else if let Some(approved) = access.approved {
            span.mark.warn { (l.t("disetujui penyewa", "approved by the tenant")) } small { (l.time(approved.at)) }
        } @else if access.reads > 0 {
            span.mark.warn { (l.t("tanpa persetujuan: perjanjian tidak memintanya", "without approval: the agreement asks for none")) }
        } @else {
            span.mark { (l.t("belum dijawab", "not answered")) }
        }
        @if let Some(ended) = access.ended {
            small { (l.t("diakhiri ", "ended ")) (l.time(ended.at)) }
        } @else if let Some(until) = until {
            small { (if until <= cx.now { l.t("habis ", "ran out ") } else { l.t("sampai ", "until ") }) (l.time(until)) }
        }
    }
}
