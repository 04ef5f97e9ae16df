//! What agreements and permits did not allow: the proof that the rules bite.

use maud::{Markup, html};

use super::{Cx, ROWS_MAX, refusal_table, shell, table};
use crate::model::{Counts, Ground};

/// How many days are in the table.
const DAYS: usize = 14;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let (l, refusals) = (cx.l, &cx.model().refusals);
    let title = l.t("Penolakan", "Refusals");
    let newest = l.t("Yang terbaru", "The latest");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Apa yang tidak diizinkan perjanjian atau izin pusat data ditolak, dan penolakannya dicatat. Penolakan bukan tuduhan: sering kali salah ketik, dan data tidak pernah sampai di tempat yang diminta.",
                "What an agreement or a data centre's permit does not allow is refused, and the refusal is recorded. A refusal accuses nobody: often it was a slip, and the data never reached the place."
            )) }
            dl.figures {
                @for ground in Ground::ALL {
                    div { dt { (l.ground(ground)) } dd { (l.number(count(&refusals.total, ground))) } }
                }
            }
            p.quiet {
                (l.t("Penolakan karena sebab lain, seperti izin pengguna atau parameter yang salah: ", "Refusals on other grounds, such as a user's permissions or a wrong parameter: "))
                (l.number(refusals.other)) "."
            }
            (days(cx))
            h2 { (newest) }
            @if refusals.recent.is_empty() { p { (l.t("Belum ada.", "None yet.")) } }
            @else {
                (refusal_table(cx, newest, refusals.recent.iter().rev().take(ROWS_MAX), true))
                p { a href="/refusals.csv" { (l.t("Unduh sebagai CSV", "Download as CSV")) } }
            }
        },
    )
}

fn days(cx: &Cx<'_>) -> Markup {
    let (l, days) = (cx.l, &cx.model().refusals.days);
    let label = l.t("Menurut hari", "By day");
    html! {
        @if !days.is_empty() {
            h2 { (label) }
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Hari (UTC)", "Day (UTC)")) }
                    @for ground in Ground::ALL { th.number scope="col" { (l.ground(ground)) } }
                } }
                tbody { @for (day, counts) in days.iter().rev().take(DAYS) { tr {
                    th scope="row" { (l.date(day)) }
                    @for ground in Ground::ALL { td.number { (l.number(count(counts, ground))) } }
                } } }
            }))
        }
    }
}

fn count(counts: &Counts, ground: Ground) -> u64 {
    counts.get(&ground).copied().unwrap_or(0)
}
