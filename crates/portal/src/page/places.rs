//! Where data can be and where it is: the data centres, on a map and as a table.

use std::collections::BTreeMap;

use maud::{Markup, html};
use terms::clauses::DataClass;

use super::{Cx, entry, shell, table};
use crate::map::{self, Dot};
use crate::model::{Centre, Held, Place};
use crate::words::own;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Tempat data", "Where data is");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Data hanya dapat berada di pusat data yang tercatat di sini, dan hanya jika perjanjian penyewa mengizinkannya. Pusat data yang izinnya habis tidak menerima data baru.",
                "Data can be only in the data centres recorded here, and only where the tenant's agreement allows it. A data centre whose permit has run out takes nothing new."
            )) }
            (figure(cx))
            (centres(cx))
            (holdings(cx))
            p { a href="/places.csv" { (l.t("Unduh sebagai CSV", "Download as CSV")) } }
        },
    )
}

/// The map with its words.
pub fn figure(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let mut dots: Vec<Dot> = Vec::new();
    let mut elsewhere: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (site, centre) in cx.model().standing() {
        let known = if centre.country.as_str() == "ID" { map::find(&centre.city) } else { None };
        match known {
            Some(point) => map::add(&mut dots, &centre.city, point, centre.lapsed(cx.now)),
            None => {
                let words = format!("{site} ({})", centre.city);
                elsewhere.entry(l.country(&centre.country)).or_default().push(words);
            }
        }
    }
    html! {
        figure.map {
            (map::draw(l, &dots))
            figcaption {
                @if !dots.is_empty() { (l.t("Pusat data di ", "Data centres in ")) (map::names(&dots)) ". " }
                (l.t("Titik merah: kota dengan pusat data; angka dalam kurung: jumlahnya. Titik kosong: ada izin yang habis. ", "Red dots: cities with data centres; in brackets, how many. Hollow dots: a permit there has run out. "))
                @if elsewhere.is_empty() { (l.t("Tidak ada pusat data di luar peta ini.", "There is no data centre off this map.")) }
                @else {
                    (l.t("Tidak di peta ini: ", "Not on this map: "))
                    @for (at, (country, sites)) in elsewhere.iter().enumerate() {
                        @if at > 0 { "; " }
                        (own(country)) ": " (own(&sites.join(", ")))
                    }
                    "."
                }
            }
        }
    }
}

fn centres(cx: &Cx<'_>) -> Markup {
    let (l, model) = (cx.l, cx.model());
    let label = l.t("Pusat data", "Data centres");
    html! {
        h2 { (label) }
        @if model.centres.is_empty() { p { (l.t("Log belum menyebut pusat data.", "The log names no data centre yet.")) } }
        @else {
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Pusat data", "Data centre")) }
                    th scope="col" { (l.t("Kota dan negara", "City and country")) }
                    th scope="col" { (l.t("Operator", "Operator")) }
                    th scope="col" { (l.t("Pemilik", "Owner")) }
                    th scope="col" { (l.t("Izin", "Permit")) }
                    th scope="col" { (l.t("Sertifikat", "Certificates")) }
                    th.number scope="col" { (l.t("Objek", "Objects")) }
                } }
                tbody { @for (site, centre) in &model.centres { (row(cx, site, centre)) } }
            }))
        }
    }
}

fn row(cx: &Cx<'_>, site: &str, centre: &Centre) -> Markup {
    let l = cx.l;
    let or_dash = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
    html! {
        tr {
            th scope="row" {
                (own(site))
                small { (own(&centre.zone)) }
                small { (entry(cx, centre.declared)) }
                @if let Some(removed) = centre.removed {
                    span.mark.warn { (l.t("ditutup", "removed")) } small { (l.time(removed.at)) }
                }
            }
            td {
                (own(&centre.city)) small { (own(l.country(&centre.country))) }
                @for (country, stamp) in &centre.moved {
                    span.mark.bad { (l.t("dipindahkan dari ", "moved from ")) (own(l.country(country))) } small { (entry(cx, *stamp)) }
                }
                @if let Some((country, stamp)) = &centre.contradicted {
                    span.mark.bad { (l.t("sebuah entri menyebut ", "an entry names ")) (own(l.country(country))) } small { (entry(cx, *stamp)) }
                }
            }
            td { (own(&or_dash(&centre.operator))) }
            td { (own(&or_dash(&centre.owner))) }
            td.wide {
                @if centre.permit.is_empty() { span.mark.warn { (l.t("tidak dinyatakan", "not stated")) } }
                @else { (own(&centre.permit)) }
                @if !centre.permit_until.is_empty() {
                    small { (l.t("sampai ", "until ")) (own(&l.date(&centre.permit_until))) }
                    @if centre.lapsed(cx.now) { span.mark.bad { (l.t("habis: tidak menerima data baru", "run out: takes nothing new")) } }
                    @else { span.mark.good { (l.t("berlaku", "valid")) } }
                }
            }
            td {
                @if centre.certificates.is_empty() { "–" }
                @for (at, certificate) in centre.certificates.iter().enumerate() { @if at > 0 { br; } (own(certificate)) }
            }
            td.number { (l.number(cx.model().objects_at(site))) }
        }
    }
}

/// What is where now, over all tenants.
fn holdings(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let label = l.t("Yang tersimpan sekarang", "What is stored now");
    html! {
        h2 { (label) }
        p { (l.t("Dihitung dari setiap penempatan dan penghapusan di log. ", "Counted from every placement and removal in the log. "))
            a href=(cx.to("/tenants")) { (l.t("Per penyewa", "By tenant")) } "." }
        (held_table(cx, label, &cx.model().held))
    }
}

/// A table of objects: a row for each place, a column for each class of data that is there.
pub fn held_table(cx: &Cx<'_>, label: &str, held: &BTreeMap<Place, Held>) -> Markup {
    let l = cx.l;
    let mut classes: Vec<&str> = DataClass::ALL.map(DataClass::as_str).to_vec();
    let mut rows: BTreeMap<(&str, &str), Vec<(&str, Held)>> = BTreeMap::new();
    for (place, held) in held.iter().filter(|(_, held)| !held.is_empty()) {
        if !classes.contains(&place.class.as_str()) {
            classes.push(&place.class);
        }
        rows.entry((&place.site, cx.model().country_of(&place.site)))
            .or_default()
            .push((&place.class, *held));
    }
    classes.retain(|class| rows.values().flatten().any(|(of, _)| of == class));
    let of = |row: &[(&str, Held)], class: &str| {
        row.iter().filter(|(of, _)| *of == class).map(|(_, held)| held.objects).sum::<i64>()
    };
    html! {
        @if rows.is_empty() { p { (l.t("Tidak ada yang tersimpan.", "Nothing is stored.")) } }
        @else {
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Pusat data", "Data centre")) }
                    th scope="col" { (l.t("Negara", "Country")) }
                    @for class in &classes { th.number scope="col" { (l.t("Objek, ", "Objects, ")) (own(l.class(class))) } }
                    th.number scope="col" { (l.t("Semua objek", "All objects")) }
                    th.number scope="col" { (l.t("Bagian unggahan", "Parts of uploads")) }
                    th.number scope="col" { (l.t("Basis data", "Databases")) }
                } }
                tbody { @for ((site, country), row) in &rows { tr {
                    th scope="row" { (cx.site(site)) }
                    td { (own(l.country(country))) }
                    @for class in &classes { td.number { (l.number(of(row, class))) } }
                    td.number { (l.number(row.iter().map(|(_, held)| held.objects).sum::<i64>())) }
                    td.number { (l.number(row.iter().map(|(_, held)| held.parts).sum::<i64>())) }
                    td.number { (l.number(row.iter().map(|(_, held)| held.instances).sum::<i64>())) }
                } } }
            }))
        }
    }
}
