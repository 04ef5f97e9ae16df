//! The clauses and the prices that a new agreement begins with. The parties change them as they like;
//! nothing else in the cloud knows them.
//!
//! Of the figures, only the 72 hours for a breach are the law's (UU 27/2022, article 46); the others are
//! assumptions. The words of rights and duties are made from the clauses, so that they cannot say
//! another figure than the one that is enforced.

use base::AccountId;

use crate::clauses::{
    Audit, Breach, Credit, DataClass, Exit, Keys, Log, PrivilegedAccess, Residence, Residency,
    Retention, ServiceLevel, Terms, Text, VERSION,
};
use crate::prices::{Price, PriceBook, Tier};

mod words;

/// 2^30 bytes.
const GB: i64 = 1 << 30;
/// A month is 720 hours in a unit of price, however long the calendar's is.
const MONTH_SECONDS: i64 = 720 * 3600;
/// Rupiah for one US dollar; an assumption, said in the price book.
const IDR_PER_USD: i64 = 16_000;

fn text(id: &str, en: &str) -> Text {
    Text { id: id.to_owned(), en: en.to_owned() }
}

/// The clauses for an account: every service, data in Indonesia only, prices of [`price_book`].
pub fn terms(account: AccountId, log: Log, keys: Keys) -> Terms {
    let exit = Exit {
        notice_days: 90,
        formats: ["oss", "s3"].map(str::to_owned).to_vec(),
        free_egress: true,
    };
    let retention = Retention { audit_days: 3650, billing_days: 3650, after_end_days: 30 };
    let breach = Breach {
        notice_hours: 72,
        authority: "Lembaga Pelindungan Data Pribadi; Badan Siber dan Sandi Negara (BSSN)"
            .to_owned(),
    };
    let audit = Audit {
        by: [
            "penyewa / the tenant",
            "auditor yang ditunjuk penyewa / an auditor whom the tenant names",
            "Badan Pemeriksa Keuangan (BPK)",
        ]
        .map(str::to_owned)
        .to_vec(),
        notice_days: 14,
    };
    let privileged_access =
        PrivilegedAccess { permitted: true, tenant_approval: true, hours_max: 8 };
    let figures = words::Figures { exit: &exit, retention: &retention, breach: &breach };
    let (provider, tenant) = words::sides(&figures, &audit, &privileged_access);
    Terms {
        version: VERSION,
        account,
        services: vec!["*".to_owned()],
        residency: residency(),
        price_book: price_book(),
        spending_limit: None,
        service_levels: vec![availability()],
        retention,
        exit,
        breach,
        audit,
        privileged_access,
        sub_processors: Vec::new(),
        infrastructure: Vec::new(),
        provider,
        tenant,
        log,
        keys,
    }
}

/// Every class in Indonesia, in any data centre there; the parties raise `zonesMin` where the law asks
/// for two (ministries that use a third party's cloud: SE Menkominfo 3/2021).
fn residency() -> Residency {
    let rule = |class| Residence {
        class,
        countries: vec!["ID".to_owned()],
        sites: Vec::new(),
        zones_min: 1,
    };
    Residency { default_class: DataClass::Internal, rules: DataClass::ALL.map(rule).to_vec() }
}

fn availability() -> ServiceLevel {
    let credits = [(999_000, 10), (990_000, 25), (950_000, 100)];
    ServiceLevel {
        id: "oss.availability".to_owned(),
        name: text(
            "Bagian permintaan penyimpanan objek dalam sebulan yang tidak gagal karena penyedia",
            "Share of a month's object storage requests that do not fail through the provider",
        ),
        target_ppm: 999_000,
        credits: credits.map(|(below_ppm, percent)| Credit { below_ppm, percent }).to_vec(),
    }
}

/// Millionths of a dollar as micro-rupiah.
const fn idr(micro_usd: i64) -> i64 {
    micro_usd * IDR_PER_USD
}

/// The prices of everything that is metered today.
///
/// No list price for these products in Jakarta was found in public, so each is marked as an
/// assumption, with what it leans on.
pub fn price_book() -> PriceBook {
    PriceBook {
        id: "awan-id-2026-11".to_owned(),
        currency: "IDR".to_owned(),
        tax_percent: 11,
        conversion:
            "1 USD = 16,000 IDR, fixed (an assumption). GB = 2^30 bytes; a month in a unit is 720 \
                     hours; volumes count per calendar month (UTC)."
                .to_owned(),
        prices: vec![
            storage(),
            colder("IA", "ia", ("akses jarang", "infrequent access"), idr(10_000)),
            colder("Archive", "archive", ("arsip", "archive"), idr(4_500)),
            colder("ColdArchive", "cold-archive", ("arsip dingin", "cold archive"), idr(2_300)),
            colder(
                "DeepColdArchive",
                "deep-cold-archive",
                ("arsip sangat dingin", "deep cold archive"),
                idr(1_200),
            ),
            requests("put", "PutRequest", ("Permintaan tulis", "Write requests"), idr(1_600)),
            requests("get", "GetRequest", ("Permintaan baca", "Read requests"), idr(1_300)),
            requests("list", "ListRequest", ("Permintaan daftar", "List requests"), idr(1_600)),
            egress(),
            database(
                "cpu",
                "DBInstanceCpu",
                ("inti prosesor", "processor cores"),
                CORE_HOUR,
                idr(40_000),
            ),
            database("memory", "DBInstanceMemory", ("memori", "memory"), GIB_HOUR, idr(5_000)),
            database(
                "storage",
                "DBInstanceStorage",
                ("penyimpanan", "storage"),
                GIB_MONTH,
                idr(120_000),
            ),
        ],
    }
}

fn storage() -> Price {
    Price {
        id: "Storage".to_owned(),
        product: "oss".to_owned(),
        meter: "oss.storage".to_owned(),
        name: text("Penyimpanan objek", "Object storage"),
        unit: "GB-month".to_owned(),
        unit_size: GB * MONTH_SECONDS,
        free: 0,
        tiers: vec![Tier { up_to: None, price: idr(17_300) }],
        source: "Alibaba Cloud OSS, standard LRS: 0.0173 USD per GB-month in the documentation's worked \
                 example (its region is not named). The 5 GB a month that are free there are not free here."
            .to_owned(),
        assumption: true,
    }
}

fn colder(class: &str, meter: &str, (name, name_en): (&str, &str), price: i64) -> Price {
    Price {
        id: format!("Storage{class}"),
        product: "oss".to_owned(),
        meter: format!("oss.storage.{meter}"),
        name: text(&format!("Penyimpanan objek, {name}"), &format!("Object storage, {name_en}")),
        unit: "GB-month".to_owned(),
        unit_size: GB * MONTH_SECONDS,
        free: 0,
        tiers: vec![Tier { up_to: None, price }],
        source: "Our own figure; no list price for Jakarta was found.".to_owned(),
        assumption: true,
    }
}

fn requests(kind: &str, id: &str, (name, name_en): (&str, &str), price: i64) -> Price {
    Price {
        id: id.to_owned(),
        product: "oss".to_owned(),
        meter: format!("oss.requests.{kind}"),
        name: text(name, name_en),
        unit: "10,000 requests".to_owned(),
        unit_size: 10_000,
        free: 0,
        tiers: vec![Tier { up_to: None, price }],
        source: "Our own figure; no list price for Jakarta was found.".to_owned(),
        assumption: true,
    }
}

/// A core for an hour, in seconds.
const CORE_HOUR: (&str, i64) = ("core-hour", 3600);
/// A GiB of memory for an hour, in seconds.
const GIB_HOUR: (&str, i64) = ("GiB-hour", 3600);
/// A GiB of disk for a month, in GiB and seconds.
const GIB_MONTH: (&str, i64) = ("GiB-month", MONTH_SECONDS);

/// What a database instance holds. Its class is the sum of its parts, so that a bill shows what was held.
fn database(
    meter: &str,
    id: &str,
    (name, name_en): (&str, &str),
    (unit, unit_size): (&str, i64),
    price: i64,
) -> Price {
    Price {
        id: id.to_owned(),
        product: "rds".to_owned(),
        meter: format!("rds.{meter}"),
        name: text(&format!("Basis data, {name}"), &format!("Databases, {name_en}")),
        unit: unit.to_owned(),
        unit_size,
        free: 0,
        tiers: vec![Tier { up_to: None, price }],
        source: "Our own figure; no list price for Jakarta was found.".to_owned(),
        assumption: true,
    }
}

fn egress() -> Price {
    const TB: i64 = GB << 10;
    let tier = |up_to, micro_usd| Tier { up_to, price: idr(micro_usd) };
    Price {
        id: "NetworkOut".to_owned(),
        product: "oss".to_owned(),
        meter: "oss.egress".to_owned(),
        name: text("Lalu lintas keluar ke internet", "Traffic out to the internet"),
        unit: "GB".to_owned(),
        unit_size: GB,
        free: 100 * GB,
        tiers: vec![
            tier(Some(50 * TB), 108_000),
            tier(Some(100 * TB), 94_000),
            tier(Some(TB << 10), 79_000),
            tier(None, 72_000),
        ],
        source: "Alibaba Cloud CDN, area AP2 (which holds Indonesia): 0.108, 0.094, 0.079 and 0.072 USD per \
                 GB up to 50 TB, 100 TB, 1 PB and above, taken for object storage too; 100 GB a month free \
                 as for OSS outside mainland China."
            .to_owned(),
        assumption: true,
    }
}

#[cfg(test)]
mod tests;
