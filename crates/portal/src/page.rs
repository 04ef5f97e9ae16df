//! The pages: what they share. Each page is a function from [`Cx`] to HTML, and escapes whatever it is
//! given, because the templates do.

pub mod access;
pub mod agreement;
pub mod agreements;
pub mod checkpoints;
mod clauses;
pub mod entry;
pub mod home;
pub mod message;
pub mod places;
pub mod refusals;
pub mod tenants;
pub mod verify;

use std::sync::Arc;

use base::Time;
use base::text::percent_encode;
use maud::{DOCTYPE, Markup, html};
use terms::visible;

use crate::documents::{Documents, Summary};
use crate::follow::{Fault, View};
use crate::model::{self, Model, Stamp};
use crate::route::Page;
use crate::site::EDITION;
use crate::source::{About, Source};
use crate::standing::Standing;
use crate::words::{Lang, own};

/// How many rows of a long list are on one page, so that a page stays below 100 kB.
pub const ROWS_MAX: usize = 100;

/// What a page is made of.
pub struct Cx<'a> {
    /// The language.
    pub l: Lang,
    /// The page's Indonesian address.
    pub path: &'a str,
    /// Which part of a long list, from 1.
    pub part: usize,
    /// What is known of the log.
    pub view: Arc<View>,
    /// Entries read, and entries there.
    pub progress: (u64, u64),
    /// What the log cannot say.
    pub about: &'a About,
    /// Now.
    pub now: Time,
    /// Public data.
    pub source: &'a dyn Source,
    /// Releases behind digests.
    pub documents: &'a Documents,
}

impl Cx<'_> {
    /// What the entries say.
    pub fn model(&self) -> &Model {
        &self.view.model
    }

    /// The address of another page in this language.
    pub fn to(&self, path: &str) -> String {
        self.l.path(path)
    }

    /// What a list says of a release.
    pub fn summary(&self, release: &model::Release) -> Option<Arc<Summary>> {
        self.documents.summary(self.source, release, self.about.operator)
    }

    /// When the releases of an account bind.
    pub fn standing(&self, account: &str) -> Standing {
        let documents = (self.documents, self.source, self.about.operator);
        Standing::of(self.model(), documents, account)
    }

    /// A tenant's name, from the agreement that it has or had.
    pub fn tenant_name(&self, account: &str) -> Option<String> {
        let own = self.model().agreements.values().filter(|it| it.tenant.as_str() == account);
        let release = own.filter_map(|agreement| agreement.latest()).next_back()?;
        self.summary(release).map(|summary| visible(&summary.tenant).into_owned())
    }

    /// A tenant as a link: its name, and its account below.
    pub fn tenant(&self, account: &str) -> Markup {
        let name = self.tenant_name(account);
        html! {
            a href=(self.to(&format!("/tenants/{}", percent_encode(account)))) { (own(name.as_deref().unwrap_or(account))) }
            @if name.is_some() { small { (self.l.t("akun ", "account ")) (account) } }
        }
    }

    /// A data centre's site with its city and country, as far as they are declared.
    pub fn site(&self, site: &str) -> Markup {
        let centre = self.model().centres.get(site);
        html! {
            (own(site))
            @if let Some(centre) = centre { small { (own(&centre.city)) ", " (self.l.country(&centre.country)) } }
        }
    }

    /// Where something stands in the log: its number, and when.
    pub fn stamp(&self, stamp: Stamp) -> Markup {
        html! { (self.l.time(stamp.at)) " · " (entry(self, stamp)) }
    }
}

/// The number of an entry, as a link to what it says.
pub fn entry(cx: &Cx<'_>, stamp: Stamp) -> Markup {
    let page = Page::Entry(stamp.index);
    html! { a href=(cx.to(&page.path())) { (cx.l.t("entri ", "entry ")) (cx.l.number(stamp.index)) } }
}

/// One of the pages in the menu.
struct Item {
    path: &'static str,
    id: &'static str,
    en: &'static str,
}

const MENU: [Item; 7] = [
    Item { path: "/agreements", id: "Perjanjian", en: "Agreements" },
    Item { path: "/places", id: "Tempat data", en: "Places" },
    Item { path: "/tenants", id: "Penyewa", en: "Tenants" },
    Item { path: "/access", id: "Akses istimewa", en: "Privileged access" },
    Item { path: "/refusals", id: "Penolakan", en: "Refusals" },
    Item { path: "/checkpoints", id: "Titik periksa", en: "Checkpoints" },
    Item { path: "/verify", id: "Periksa tanda terima", en: "Verify a receipt" },
];

/// A whole page around its content.
pub fn shell(cx: &Cx<'_>, title: &str, script: bool, content: &Markup) -> Markup {
    let l = cx.l;
    let edition = &*EDITION;
    html! {
        (DOCTYPE)
        html lang=(l.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible(title)) " · " (l.t("Portal transparansi Awan", "Awan transparency portal")) }
                link rel="stylesheet" href=(format!("/assets/style.css?v={edition}"));
                link rel="icon" type="image/svg+xml" href=(format!("/assets/icon.svg?v={edition}"));
                link rel="alternate" hreflang="id" href=(Lang::Id.path(cx.path));
                link rel="alternate" hreflang="en" href=(Lang::En.path(cx.path));
                @if script { script defer src=(format!("/assets/verify.js?v={edition}")) {} }
            }
            body {
                a.skip href="#content" { (l.t("Langsung ke isi", "Skip to content")) }
                (masthead(cx))
                main #content tabindex="-1" { div.wrap { (state(cx)) (content) } }
                (foot(cx))
            }
        }
    }
}

fn masthead(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let here = |path: &str| {
        cx.path == path || cx.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    };
    html! {
        header.masthead {
            div.wrap {
                a.brand href=(cx.to("/")) { "Awan" small { (l.t("Portal transparansi", "Transparency portal")) } }
                div.languages {
                    @match l {
                        Lang::Id => { strong { "Indonesia" } " · " a href=(Lang::En.path(cx.path)) hreflang="en" lang="en" { "English" } }
                        Lang::En => { a href=(Lang::Id.path(cx.path)) hreflang="id" lang="id" { "Indonesia" } " · " strong { "English" } }
                    }
                }
                nav.menu aria-label=(l.t("Halaman", "Pages")) {
                    ul {
                        @for item in &MENU {
                            li { a href=(cx.to(item.path)) aria-current=[here(item.path).then_some("page")] { (l.t(item.id, item.en)) } }
                        }
                    }
                }
            }
        }
    }
}

/// What a reader must know before the content: that the log is wrong, or not all read yet.
fn state(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let (read, all) = cx.progress;
    html! {
        @if let Some(fault) = cx.view.fault.as_ref().filter(|fault| **fault != Fault::Nothing) {
            div.note.bad role="alert" {
                strong { (l.t("Log tidak dapat dibuktikan saat ini.", "The log cannot be proven at the moment.")) }
                p {
                    (l.t("Halaman ini menunjukkan keadaan terakhir yang terbukti, yaitu ", "This page shows the last state that was proven, that of "))
                    (l.number(cx.model().size)) (l.t(" entri. Yang ditemukan: ", " entries. What was found: "))
                    span lang="en" { (fault) } "."
                }
            }
        } @else if cx.model().size < all {
            div.note {
                p {
                    (l.t("Log sedang dibaca dan dibuktikan: ", "The log is being read and proven: "))
                    (l.number(read)) (l.t(" dari ", " of ")) (l.number(all))
                    (l.t(" entri. Halaman ini menunjukkan ", " entries. This page shows "))
                    (l.number(cx.model().size)) (l.t(" entri pertama.", " of them."))
                }
            }
        }
    }
}

fn foot(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    html! {
        footer {
            div.wrap {
                p {
                    @match cx.view.checkpoints.back() {
                        Some(seen) => {
                            (l.t("Dibuat dari ", "Made from the ")) (l.number(cx.model().size))
                            (l.t(" entri log ", " entries of the log ")) code { (seen.checkpoint.origin) }
                            (l.t(", yang semuanya terbukti sampai titik periksa yang terlihat pada ", ", all proven up to the checkpoint that was seen on "))
                            (l.time(seen.at)) "."
                        }
                        None => (l.t("Log ini belum menerbitkan titik periksa.", "This log has published no checkpoint yet.")),
                    }
                }
                p {
                    (l.t(
                        "Portal ini hanya membaca data publik: log dan dokumen yang dinamai log. Tanpa akun, tanpa kuki, tanpa isi dari tempat lain.",
                        "This portal reads public data only: the log and the documents that the log names. No account, no cookies, nothing loaded from elsewhere."
                    ))
                }
                p {
                    (l.t("Data: ", "Data: "))
                    a href="/agreements.csv" { "agreements.csv" } ", "
                    a href="/places.csv" { "places.csv" } ", "
                    a href="/refusals.csv" { "refusals.csv" } ", "
                    a href="/log/checkpoint" { "log/checkpoint" }
                }
            }
        }
    }
}

/// A table in a region of its own that scrolls where it is wider than the page.
pub fn table(label: &str, content: &Markup) -> Markup {
    html! { div.scroll role="region" aria-label=(label) tabindex="0" { table { (content) } } }
}

/// The part of a long list that is asked for, and the way to the others.
pub fn parts<T>(cx: &Cx<'_>, rows: Vec<T>) -> (Vec<T>, Markup) {
    let l = cx.l;
    let last = rows.len().div_ceil(ROWS_MAX).max(1);
    let part = cx.part.min(last);
    let shown = rows.into_iter().skip((part - 1) * ROWS_MAX).take(ROWS_MAX).collect();
    let link = |part: usize| format!("{}?page={part}", cx.to(cx.path));
    let ways = html! {
        @if last > 1 {
            nav aria-label=(l.t("Bagian daftar", "Parts of the list")) {
                ul.links {
                    @if part > 1 { li { a href=(link(part - 1)) rel="prev" { (l.t("← Sebelumnya", "← Previous")) } } }
                    li { (l.t("Bagian ", "Part ")) (part) (l.t(" dari ", " of ")) (last) }
                    @if part < last { li { a href=(link(part + 1)) rel="next" { (l.t("Berikutnya →", "Next →")) } } }
                }
            }
        }
    };
    (shown, ways)
}

/// The rows of a table of refusals.
pub fn refusal_table<'r>(
    cx: &Cx<'_>,
    label: &str,
    refusals: impl Iterator<Item = &'r Arc<model::Refusal>>,
    with_tenant: bool,
) -> Markup {
    let l = cx.l;
    table(
        label,
        &html! {
            thead { tr {
                th scope="col" { (l.t("Kapan", "When")) }
                th scope="col" { (l.t("Sebab", "Ground")) }
                @if with_tenant { th scope="col" { (l.t("Penyewa", "Tenant")) } }
                th scope="col" { (l.t("Tempat yang diminta", "Place asked for")) }
                th scope="col" { (l.t("Kelas data", "Class of data")) }
                th scope="col" { (l.t("Permintaan", "Request")) }
            } }
            tbody {
                @for refusal in refusals {
                    tr {
                        td { (l.time(refusal.stamp.at)) small { (entry(cx, refusal.stamp)) } }
                        td { (l.ground(refusal.ground)) small { code { (refusal.code) } } }
                        @if with_tenant { td.who { @match &refusal.tenant { Some(account) => (cx.tenant(account)), None => "–" } } }
                        td {
                            @if refusal.wanted.is_empty() { "–" }
                            @for (at, spot) in refusal.wanted.iter().enumerate() {
                                @if at > 0 { br; }
                                (own(&spot.site)) ", " (own(l.country(&spot.country)))
                            }
                        }
                        td { @match &refusal.class { Some(class) => (own(l.class(class))), None => "–" } }
                        td { code { (own(&refusal.action)) } }
                    }
                }
            }
        },
    )
}
