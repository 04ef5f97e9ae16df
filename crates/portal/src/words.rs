//! The two languages, and how they write numbers, money, dates and codes.

use base::Time;
use maud::{Markup, html};
use terms::clauses::{DataClass, Text};

use crate::model::Ground;

/// Words that somebody else wrote: in a frame that keeps the direction of the text around them (`bdi`), and
/// without characters that deceive a reader.
pub fn own(text: &str) -> Markup {
    html! { bdi { (terms::visible(text)) } }
}

/// A language of the portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Indonesian, at `/`.
    Id,
    /// English, at `/en/`.
    En,
}

impl Lang {
    /// The word of this language.
    pub const fn t(self, id: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Id => id,
            Self::En => en,
        }
    }

    /// The language tag (BCP 47).
    pub const fn tag(self) -> &'static str {
        self.t("id", "en")
    }

    /// The sentence of this language; the other one where this is empty.
    pub fn text(self, text: &Text) -> &str {
        let (own, other) = match self {
            Self::Id => (&text.id, &text.en),
            Self::En => (&text.en, &text.id),
        };
        if own.is_empty() { other } else { own }
    }

    /// The address of a page in this language, from its Indonesian one.
    pub fn path(self, path: &str) -> String {
        match (self, path) {
            (Self::Id, _) => path.to_owned(),
            (Self::En, "/") => "/en/".to_owned(),
            (Self::En, _) => format!("/en{path}"),
        }
    }

    const fn thousands(self) -> char {
        match self {
            Self::Id => '.',
            Self::En => ',',
        }
    }

    const fn point(self) -> char {
        match self {
            Self::Id => ',',
            Self::En => '.',
        }
    }

    /// A whole number with its thousands set apart.
    pub fn number(self, number: impl Into<i128>) -> String {
        let number: i128 = number.into();
        let digits = number.unsigned_abs().to_string();
        let mut out = String::from(if number < 0 { "−" } else { "" });
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(self.thousands());
            }
            out.push(digit);
        }
        out
    }

    /// `amount / size` with up to `places` decimals, rounded down; no zeros at the end.
    pub fn ratio(self, amount: i128, size: i128, places: u32) -> String {
        if size <= 0 {
            return self.number(amount);
        }
        let (whole, rest) = (amount / size, (amount % size).abs());
        let scaled = rest * 10_i128.pow(places) / size;
        let digits = format!("{scaled:0width$}", width = places as usize);
        let digits = digits.trim_end_matches('0');
        let sign = if amount < 0 && whole == 0 { "−" } else { "" };
        let whole = self.number(whole);
        if digits.is_empty() || scaled == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}{}{digits}", self.point())
        }
    }

    /// An amount in micro-units of a currency.
    pub fn money(self, currency: &str, micro: i64) -> String {
        let amount = self.ratio(micro.into(), 1_000_000, 6);
        match currency {
            "IDR" => format!("Rp\u{a0}{amount}"),
            _ => format!("{currency}\u{a0}{amount}"),
        }
    }

    /// Millionths as percent.
    pub fn percent(self, ppm: u32) -> String {
        format!("{}\u{a0}%", self.ratio(ppm.into(), 10_000, 4))
    }

    /// `23 November 2026`, never broken over two lines.
    pub fn day(self, time: Time) -> String {
        let iso = time.iso();
        let part = |from: usize, to: usize| iso.get(from..to).unwrap_or_default();
        let month = part(5, 7).parse::<usize>().unwrap_or(1).clamp(1, 12);
        format!(
            "{}\u{a0}{}\u{a0}{}",
            part(8, 10).trim_start_matches('0'),
            self.months()[month - 1],
            part(0, 4)
        )
    }

    /// A date that is written `YYYY-MM-DD`, in words; as it is where it is not one.
    pub fn date(self, date: &str) -> String {
        let time = Time::parse_iso(&format!("{date}T00:00:00Z"));
        time.map_or_else(|| date.to_owned(), |time| self.day(time))
    }

    const fn months(self) -> [&'static str; 12] {
        match self {
            Self::Id => [
                "Januari",
                "Februari",
                "Maret",
                "April",
                "Mei",
                "Juni",
                "Juli",
                "Agustus",
                "September",
                "Oktober",
                "November",
                "Desember",
            ],
            Self::En => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
        }
    }

    /// A moment, to the second, UTC.
    pub fn time(self, time: Time) -> Markup {
        let iso = time.iso();
        let clock = iso.get(11..19).unwrap_or_default().replace(':', self.t(".", ":"));
        html! { time datetime=(iso) { (self.day(time)) ", " (clock) "\u{a0}UTC" } }
    }

    /// A class of data.
    pub fn class(self, class: &str) -> &str {
        match DataClass::parse(class) {
            Some(DataClass::Public) => self.t("publik", "public"),
            Some(DataClass::Internal) => self.t("internal", "internal"),
            Some(DataClass::Personal) => self.t("pribadi", "personal"),
            Some(DataClass::Strategic) => self.t("strategis", "strategic"),
            None if class.is_empty() => self.t("tidak dinyatakan", "not stated"),
            None => class,
        }
    }

    /// Why something was refused.
    pub const fn ground(self, ground: Ground) -> &'static str {
        match ground {
            Ground::Residency => self.t("Tempat tidak diizinkan", "Place not allowed"),
            Ground::Permit => self.t("Izin pusat data habis", "Permit run out"),
            Ground::Zones => self.t("Kurang zona", "Too few zones"),
            Ground::Spending => self.t("Batas belanja tercapai", "Spending limit"),
            Ground::Service => self.t("Layanan di luar perjanjian", "Service not granted"),
            Ground::Agreement => self.t("Tanpa perjanjian", "No agreement"),
        }
    }

    /// What kind of release a tag says it is.
    pub fn tag_name(self, tag: &str) -> &str {
        match tag {
            "contract" => self.t("Perjanjian", "Agreement"),
            "contractAmendment" => self.t("Perubahan", "Amendment"),
            "contractTermination" => self.t("Pengakhiran", "Termination"),
            _ => tag,
        }
    }

    /// A country by its ISO 3166-1 code, where it is near enough to have a name here.
    pub fn country(self, code: &str) -> &str {
        match code {
            "ID" => "Indonesia",
            "SG" => self.t("Singapura", "Singapore"),
            "MY" => "Malaysia",
            "AU" => "Australia",
            "JP" => self.t("Jepang", "Japan"),
            "CN" => self.t("Tiongkok", "China"),
            "HK" => "Hong Kong",
            "IN" => "India",
            "TH" => "Thailand",
            "PH" => self.t("Filipina", "Philippines"),
            "VN" => "Vietnam",
            "KR" => self.t("Korea Selatan", "South Korea"),
            "US" => self.t("Amerika Serikat", "United States"),
            "DE" => self.t("Jerman", "Germany"),
            "NL" => self.t("Belanda", "Netherlands"),
            "FR" => self.t("Prancis", "France"),
            "GB" => self.t("Britania Raya", "United Kingdom"),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
