//! What an agreement says, in words: both sides, services, places, prices, levels, and the end.

use maud::{Markup, html};
use terms::PriceBook;
use terms::clauses::{Disclosed, Equipment, ServiceLevel, Side, Terms, Text};
use terms::prices::Price;

use super::{Cx, table};
use crate::words::{Lang, own};

/// The clauses.
pub fn show(cx: &Cx<'_>, terms: &Terms) -> Markup {
    let l = cx.l;
    html! {
        h2 { (l.t("Hak dan kewajiban", "Rights and duties")) }
        div.sides {
            section { h3 { (l.t("Penyedia", "The provider")) } (side(l, &terms.provider)) }
            section { h3 { (l.t("Penyewa", "The tenant")) } (side(l, &terms.tenant)) }
        }
        (services(l, terms))
        (residency(l, terms))
        (prices(l, &terms.price_book, terms.spending_limit))
        (levels(l, &terms.service_levels))
        (promises(l, terms))
        (equipment(l, &terms.infrastructure))
    }
}

fn side(l: Lang, side: &Side) -> Markup {
    let list = |texts: &[Text]| {
        html! { ul { @for text in texts { li { (own(l.text(text))) } } } }
    };
    html! {
        h4 { (l.t("Kewajiban", "Duties")) } (list(&side.duties))
        h4 { (l.t("Hak", "Rights")) } (list(&side.rights))
    }
}

fn services(l: Lang, terms: &Terms) -> Markup {
    html! {
        h2 { (l.t("Layanan", "Services")) }
        @if terms.services.iter().any(|service| service == "*") {
            p { (l.t("Semua layanan cloud ini.", "All services of this cloud.")) }
        } @else {
            p { (own(&terms.services.join(", "))) (l.t(", dan tidak ada yang lain.", ", and no other.")) }
        }
    }
}

fn residency(l: Lang, terms: &Terms) -> Markup {
    let label = l.t("Di mana data boleh berada", "Where data may be");
    let default = terms.residency.default_class;
    html! {
        h2 { (label) }
        (table(label, &html! {
            thead { tr {
                th scope="col" { (l.t("Kelas data", "Class of data")) }
                th scope="col" { (l.t("Negara", "Countries")) }
                th scope="col" { (l.t("Pusat data", "Data centres")) }
                th.number scope="col" { (l.t("Zona paling sedikit", "Zones at least")) }
            } }
            tbody { @for rule in &terms.residency.rules { tr {
                th scope="row" {
                    (l.class(rule.class.as_str()))
                    @if rule.class == default { small { (l.t("jika pemilik data tidak menyebut kelas", "where the owner names no class")) } }
                }
                td { @for (at, country) in rule.countries.iter().enumerate() { @if at > 0 { ", " } (own(l.country(country))) } }
                td { @if rule.sites.is_empty() { (l.t("semua di negara itu", "any in those countries")) } @else { (own(&rule.sites.join(", "))) } }
                td.number { (rule.zones_min) }
            } } }
        }))
        p { (l.t("Kelas yang tidak disebut tidak boleh disimpan di mana pun.", "A class that is not named may be stored nowhere.")) }
    }
}

fn prices(l: Lang, book: &PriceBook, limit: Option<i64>) -> Markup {
    let label = l.t("Harga", "Prices");
    html! {
        h2 { (label) }
        p {
            (l.t("Daftar harga ", "Price book ")) code { (own(&book.id)) } ", " (own(&book.currency))
            @if book.tax_percent > 0 { (l.t(", belum termasuk pajak ", ", before tax of ")) (book.tax_percent) " %" }
            ". " (own(&book.conversion))
        }
        (table(label, &html! {
            thead { tr {
                th scope="col" { (l.t("Yang dibayar", "What is paid for")) }
                th.number scope="col" { (l.t("Harga", "Price")) }
                th scope="col" { (l.t("Satuan", "Unit")) }
                th.number scope="col" { (l.t("Gratis per bulan", "Free each month")) }
                th scope="col" { (l.t("Sumber", "Source")) }
            } }
            tbody { @for price in &book.prices { (price_row(l, &book.currency, price)) } }
        }))
        p {
            @match limit {
                Some(limit) => { (l.t("Batas belanja per bulan: ", "Spending limit each month: ")) (l.money(&book.currency, limit)) (l.t(". Pemakaian baru di atas batas itu ditolak.", ". New use beyond it is refused.")) }
                None => (l.t("Tidak ada batas belanja.", "There is no spending limit.")),
            }
            " " (l.t("Apa yang tidak ada di daftar ini tidak dibayar.", "What is not in this list costs nothing."))
        }
    }
}

fn price_row(l: Lang, currency: &str, price: &Price) -> Markup {
    let amount = |own: i64| l.ratio(own.into(), price.unit_size.into(), 3);
    html! {
        tr {
            th scope="row" { (own(l.text(&price.name))) small { code { (own(&price.meter)) } } }
            td.number {
                @for tier in &price.tiers {
                    div {
                        (l.money(currency, tier.price))
                        @match tier.up_to {
                            Some(bound) => small { (l.t("sampai ", "up to ")) (amount(bound)) },
                            None => @if price.tiers.len() > 1 { small { (l.t("di atasnya", "above")) } },
                        }
                    }
                }
            }
            td { (own(&price.unit)) }
            td.number { @if price.free > 0 { (amount(price.free)) } @else { "–" } }
            td.wide {
                @if price.assumption { span.mark.warn { (l.t("asumsi", "assumption")) } " " }
                (own(&price.source))
            }
        }
    }
}

fn levels(l: Lang, levels: &[ServiceLevel]) -> Markup {
    let label = l.t("Tingkat layanan", "Service levels");
    html! {
        h2 { (label) }
        @if levels.is_empty() { p { (l.t("Tidak ada yang dijanjikan.", "None is promised.")) } }
        @else {
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Janji", "Promise")) }
                    th.number scope="col" { (l.t("Sasaran per bulan", "Target each month")) }
                    th scope="col" { (l.t("Jika tidak tercapai", "Where it is missed")) }
                } }
                tbody { @for level in levels { tr {
                    th scope="row" { (own(l.text(&level.name))) small { code { (own(&level.id)) } } }
                    td.number { (l.percent(level.target_ppm)) }
                    td {
                        @if level.credits.is_empty() { (l.t("tanpa ganti rugi", "no credit")) }
                        @for credit in &level.credits {
                            div { (l.t("di bawah ", "below ")) (l.percent(credit.below_ppm)) ": " (credit.percent) (l.t(" % tagihan layanan itu kembali", " % of that service's charge back")) }
                        }
                    }
                } } }
            }))
        }
    }
}

fn promises(l: Lang, terms: &Terms) -> Markup {
    let (exit, retention, access) = (&terms.exit, &terms.retention, &terms.privileged_access);
    html! {
        h2 { (l.t("Akses, kebocoran, dan cara keluar", "Access, breach and leaving")) }
        dl.terms {
            div { dt { (l.t("Operator membaca data", "The operator reading data")) } dd {
                @if !access.permitted { (l.t("Tidak boleh sama sekali.", "Never.")) }
                @else {
                    (l.t("Hanya dengan alasan yang dicatat di log, paling lama ", "Only with a reason recorded in the log, for at most ")) (access.hours_max) (l.t(" jam", " hours"))
                    @if access.tenant_approval { (l.t(", dan hanya setelah penyewa menyetujui.", ", and only after the tenant approved.")) }
                    @else { (l.t("; persetujuan penyewa tidak diminta.", "; the tenant's approval is not asked for.")) }
                }
            } }
            div { dt { (l.t("Jika data bocor", "Where data leaks")) } dd {
                (l.t("Penyewa dan ", "The tenant and ")) (own(&terms.breach.authority)) (l.t(" diberi tahu dalam ", " are told within ")) (terms.breach.notice_hours) (l.t(" jam.", " hours."))
            } }
            div { dt { (l.t("Keluar dari cloud", "Leaving the cloud")) } dd {
                (l.t("Salah satu pihak memberi tahu ", "Either side gives notice of ")) (exit.notice_days) (l.t(" hari sebelumnya. Semua data dapat dibawa keluar dengan ", " days. All data can be taken out by ")) (own(&exit.formats.join(", ")))
                @if exit.free_egress { (l.t(", tanpa biaya lalu lintas setelah pemberitahuan.", ", free of egress charges after notice.")) } @else { "." }
            } }
            div { dt { (l.t("Setelah berakhir", "After the end")) } dd {
                (l.t("Data disimpan ", "Data is kept for ")) (l.number(retention.after_end_days)) (l.t(" hari, lalu dihapus dan penghapusannya dicatat. Jejak audit disimpan ", " days, then deleted, and the deletion is recorded. Audit entries are kept for ")) (l.number(retention.audit_days))
                (l.t(" hari, pemakaian dan tagihan ", " days, usage and bills for ")) (l.number(retention.billing_days)) (l.t(" hari.", " days."))
            } }
            div { dt { (l.t("Audit", "Audit")) } dd {
                (l.t("Oleh ", "By ")) (own(&terms.audit.by.join(", "))) (l.t(", dengan pemberitahuan ", ", with notice of ")) (terms.audit.notice_days) (l.t(" hari.", " days."))
            } }
            div { dt { (l.t("Pihak lain yang memproses data", "Others who process the data")) } dd {
                @if terms.sub_processors.is_empty() { (l.t("Tidak ada.", "None.")) } @else { (own(&terms.sub_processors.join(", "))) }
            } }
            div { dt { "Log" } dd { code { (own(&terms.log.origin)) } br; code.hash { (own(&terms.log.key)) } } }
        }
    }
}

fn equipment(l: Lang, equipment: &[Equipment]) -> Markup {
    let label = l.t("Infrastruktur", "Infrastructure");
    html! {
        @if !equipment.is_empty() {
            h2 { (label) }
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Peralatan", "Equipment")) }
                    th scope="col" { (l.t("Pusat data", "Data centre")) }
                    th scope="col" { (l.t("Letak tepatnya", "Exact place")) }
                    th scope="col" { (l.t("Alamat IP", "IP addresses")) }
                } }
                tbody { @for item in equipment { tr {
                    th scope="row" { (own(l.text(&item.name))) }
                    td { (own(&item.site)) }
                    td { (disclosed(l, &item.location, String::clone)) }
                    td { (disclosed(l, &item.addresses, |addresses| addresses.join(", "))) }
                } } }
            }))
        }
    }
}

/// A value, or the ground on which it is withheld and the commitment that binds to it.
fn disclosed<T>(l: Lang, value: &Disclosed<T>, words: impl Fn(&T) -> String) -> Markup {
    html! {
        @match value {
            Disclosed::Shown(value) => (own(&words(value))),
            Disclosed::Withheld(it) => {
                span.mark { (l.t("dikecualikan", "withheld")) } " " (own(l.text(&it.withheld.ground)))
                small { (l.t("Komitmen ", "Commitment ")) code.hash { (it.withheld.commitment) } }
            }
        }
    }
}
