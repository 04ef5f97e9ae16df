//! Where each tenant's data is now, what it was refused, and who read it with privilege.

use maud::{Markup, html};

use super::places::held_table;
use super::{Cx, entry, parts, refusal_table, shell, table};
use crate::model::Tenant;
use crate::route::Page;
use crate::words::own;

/// The list of tenants.
pub fn list(cx: &Cx<'_>) -> Markup {
    let (l, model) = (cx.l, cx.model());
    let title = l.t("Penyewa", "Tenants");
    let (rows, ways) = parts(cx, model.tenants.iter().collect());
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Organisasi yang perjanjiannya diterbitkan. Orang, alamat, nama berkas, dan isi tidak pernah ada di log.",
                "Organisations whose agreement is published. Persons, addresses, names of files and their content are never in the log."
            )) }
            @if rows.is_empty() { p { (l.t("Belum ada.", "None yet.")) } }
            @else {
                (table(title, &html! {
                    thead { tr {
                        th scope="col" { (title) }
                        th scope="col" { (l.t("Data berada di", "Data is in")) }
                        th.number scope="col" { (l.t("Objek", "Objects")) }
                        th.number scope="col" { (l.t("Penolakan", "Refusals")) }
                    } }
                    tbody { @for (account, tenant) in rows { tr {
                        th scope="row" { (cx.tenant(account)) }
                        td { (countries(cx, tenant)) }
                        td.number { (l.number(tenant.held.values().map(|held| held.objects).sum::<i64>())) }
                        td.number { (l.number(tenant.refused)) }
                    } } }
                }))
                (ways)
            }
        },
    )
}

fn countries(cx: &Cx<'_>, tenant: &Tenant) -> Markup {
    let mut countries: Vec<&str> =
        tenant.held.keys().map(|place| cx.model().country_of(&place.site)).collect();
    countries.sort_unstable();
    countries.dedup();
    html! {
        @if countries.is_empty() { "–" }
        @for (at, country) in countries.iter().enumerate() { @if at > 0 { ", " } (own(cx.l.country(country))) }
    }
}

/// One tenant; `None` where the log names no such account.
pub fn show(cx: &Cx<'_>, account: &str) -> Option<Markup> {
    let l = cx.l;
    let tenant = cx.model().tenants.get(account)?;
    let name = cx.tenant_name(account);
    let title = name.as_deref().unwrap_or(account);
    Some(shell(
        cx,
        title,
        false,
        &html! {
            p.kicker { a href=(cx.to("/tenants")) { (l.t("Penyewa", "Tenants")) } " · " (l.t("akun ", "account ")) (own(account)) }
            h1 { (own(title)) }
            (agreements(cx, account))
            (held(cx, tenant))
            (accesses(cx, account))
            (refusals(cx, tenant))
            (usage(cx, tenant))
        },
    ))
}

fn agreements(cx: &Cx<'_>, account: &str) -> Markup {
    let l = cx.l;
    let standing = cx.standing(account);
    let all = cx.model().agreements.iter().filter(|(_, it)| it.tenant.as_str() == account);
    html! {
        ul.links {
            @for (ocid, agreement) in all {
                li {
                    a href=(cx.to(&Page::Agreement { ocid: ocid.to_string(), release: None }.path())) { (l.t("Perjanjian ", "Agreement ")) (ocid) } " "
                    (super::agreements::state(cx, &standing, ocid, agreement))
                }
            }
        }
    }
}

fn held(cx: &Cx<'_>, tenant: &Tenant) -> Markup {
    let label = cx.l.t("Di mana datanya sekarang", "Where its data is now");
    html! {
        h2 { (label) }
        (held_table(cx, label, &tenant.held))
    }
}

fn accesses(cx: &Cx<'_>, account: &str) -> Markup {
    let l = cx.l;
    let rows: Vec<_> =
        cx.model().accesses.iter().rev().filter(|it| it.tenant.as_str() == account).collect();
    html! {
        h2 { (l.t("Akses istimewa ke datanya", "Privileged access to its data")) }
        @if rows.is_empty() { p { (l.t("Operator belum pernah meminta membaca data penyewa ini.", "The operator has never asked to read this tenant's data.")) } }
        @else { (super::access::list(cx, &rows, false)) }
    }
}

fn refusals(cx: &Cx<'_>, tenant: &Tenant) -> Markup {
    let l = cx.l;
    let label = l.t("Yang ditolak oleh perjanjiannya", "What its agreement refused");
    html! {
        h2 { (label) }
        @if tenant.refused == 0 { p { (l.t("Tidak ada.", "Nothing.")) } }
        @else {
            p { (l.number(tenant.refused)) (l.t(" kali. Yang terbaru:", " times. The latest:")) }
            (refusal_table(cx, label, tenant.refusals.iter().rev(), false))
        }
    }
}

fn usage(cx: &Cx<'_>, tenant: &Tenant) -> Markup {
    let l = cx.l;
    html! {
        h2 { (l.t("Pemakaian dan tagihan", "Usage and bills")) }
        p { (l.t(
            "Jumlahnya rahasia penyewa, tetapi setiap hari dikunci dalam log: penyedia tidak dapat mengubahnya kemudian, dan penyewa dapat membuktikannya dengan tanda terima.",
            "The amounts are the tenant's own, but each day is locked in the log: the provider cannot change it afterwards, and the tenant can prove it with a receipt."
        )) }
        @match tenant.usage.back() {
            None => p { (l.t("Belum ada hari yang dikunci.", "No day is locked yet.")) },
            Some((day, stamp)) => p {
                (l.t("Hari terakhir yang dikunci: ", "The last day that was locked: "))
                (l.date(day)) " (" (entry(cx, *stamp)) "). "
                (l.t("Hari yang tampak di sini: ", "Days that are seen here: ")) (tenant.usage.len()) "."
            },
        }
    }
}
