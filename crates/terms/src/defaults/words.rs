//! Rights and duties of both sides in plain words, from the clauses that bind.

use super::text;
use crate::clauses::{Audit, Breach, Exit, PrivilegedAccess, Retention, Side, Text};

/// The clauses whose figures the words repeat.
pub struct Figures<'a> {
    pub exit: &'a Exit,
    pub retention: &'a Retention,
    pub breach: &'a Breach,
}

/// What the provider, and what the tenant, may and must do.
pub fn sides(figures: &Figures<'_>, audit: &Audit, access: &PrivilegedAccess) -> (Side, Side) {
    let provider = Side {
        rights: provider_rights(figures),
        duties: [provider_keeps_data(access), provider_answers(figures, audit)].concat(),
    };
    (provider, Side { rights: tenant_rights(figures), duties: tenant_duties() })
}

fn provider_rights(Figures { exit, .. }: &Figures<'_>) -> Vec<Text> {
    let days = exit.notice_days;
    vec![
        text(
            "Menerima pembayaran atas pemakaian yang tercatat, menurut buku harga dalam perjanjian ini.",
            "To be paid for recorded use, by the price book of this agreement.",
        ),
        text(
            "Menolak pemakaian baru bila batas belanja yang disepakati tercapai, bila masa perjanjian \
             berakhir, atau bila layanan itu tidak diberikan oleh perjanjian ini.",
            "To refuse new use where the agreed spending limit is reached, the term is over, or the \
             service is not granted by this agreement.",
        ),
        text(
            "Memelihara dan memperbarui sistemnya, selama tingkat layanan dan tempat data yang disepakati \
             tetap dipenuhi.",
            "To maintain and renew its systems, as long as the agreed service levels and places of data \
             are kept.",
        ),
        text(
            &format!("Mengakhiri perjanjian dengan pemberitahuan tertulis {days} hari sebelumnya."),
            &format!("To end the agreement with {days} days' notice in writing."),
        ),
    ]
}

fn provider_keeps_data(access: &PrivilegedAccess) -> Vec<Text> {
    vec![
        text(
            "Menyimpan dan memproses data penyewa hanya di negara dan pusat data yang diizinkan perjanjian \
             ini untuk kelas data itu, termasuk salinan, cadangan dan berkas sementara; menolak tempat lain \
             dan mencatat penolakan itu di log publik.",
            "To store and process the tenant's data only in the countries and data centres that this \
             agreement allows for its class, copies, backups and temporary files included; to refuse any \
             other place and to record the refusal in the public log.",
        ),
        text(
            "Bertindak sebagai prosesor data pribadi semata-mata atas perintah penyewa, dan tidak memakai \
             data penyewa untuk tujuan lain (UU 27/2022).",
            "To act as processor of personal data on the tenant's instructions only, and to use the \
             tenant's data for no other purpose (UU 27/2022).",
        ),
        text(
            "Tidak melibatkan prosesor lain tanpa persetujuan tertulis penyewa; yang disetujui disebut \
             dalam perjanjian ini.",
            "To engage no other processor without the tenant's approval in writing; those approved are \
             named in this agreement.",
        ),
        access_words(access),
        text(
            "Mencatat di log publik perjanjian ini dan setiap perubahannya, setiap penempatan data, setiap \
             akses istimewa, setiap penolakan karena tempat, serta komitmen kriptografis atas pemakaian \
             dan tagihan harian; data pribadi tidak pernah dimuat di log.",
            "To record in the public log this agreement and each change of it, each placement of data, each \
             privileged access, each refusal because of a place, and cryptographic commitments \
             to each day's usage and bill; personal data is never put into the log.",
        ),
        text(
            "Melindungi data dengan langkah keamanan yang layak, menjaga izin setiap pusat data tetap \
             berlaku, dan tidak menempatkan apa pun yang baru di pusat data yang izinnya berakhir.",
            "To protect the data by adequate security measures, to keep the permit of each data centre \
             valid, and to put nothing new into a data centre whose permit has run out.",
        ),
    ]
}

fn access_words(access: &PrivilegedAccess) -> Text {
    let hours = access.hours_max;
    match (access.permitted, access.tenant_approval) {
        (false, _) => text(
            "Tidak membaca isi data penyewa, dalam keadaan apa pun.",
            "Not to read the content of the tenant's data under any circumstances.",
        ),
        (true, true) => text(
            &format!(
                "Membaca isi data penyewa hanya dengan akses istimewa yang beralasan tertulis, disetujui \
                 penyewa lebih dahulu, dan berlaku paling lama {hours} jam."
            ),
            &format!(
                "To read the content of the tenant's data only under a privileged access with a written \
                 reason, approved by the tenant beforehand, that lasts at most {hours} hours."
            ),
        ),
        (true, false) => text(
            &format!(
                "Membaca isi data penyewa hanya dengan akses istimewa yang beralasan tertulis dan berlaku \
                 paling lama {hours} jam."
            ),
            &format!(
                "To read the content of the tenant's data only under a privileged access with a written \
                 reason that lasts at most {hours} hours."
            ),
        ),
    }
}

fn provider_answers(figures: &Figures<'_>, audit: &Audit) -> Vec<Text> {
    let Figures { exit, retention, breach } = figures;
    let (hours, authority) = (breach.notice_hours, &breach.authority);
    let (bills, after) = (retention.billing_days, retention.after_end_days);
    let (formats, notice) = (exit.formats.join(", "), audit.notice_days);
    let (biaya, charge) = if exit.free_egress {
        (" tanpa biaya lalu lintas keluar", ", free of egress charges")
    } else {
        ("", "")
    };
    vec![
        text(
            &format!(
                "Memberitahukan kegagalan pelindungan data pribadi secara tertulis kepada penyewa dan \
                 {authority} paling lambat {hours} jam setelah diketahui: data apa yang terungkap, kapan \
                 dan bagaimana, serta penanganan dan pemulihannya (UU 27/2022 pasal 46)."
            ),
            &format!(
                "To notify a failure of personal data protection in writing to the tenant and to \
                 {authority} at most {hours} hours after it is known: which data was disclosed, when and \
                 how, and how it is handled and repaired (UU 27/2022, article 46)."
            ),
        ),
        text(
            "Memenuhi tingkat layanan, dan bila tidak terpenuhi memberi kredit pada tagihan menurut perjanjian ini \
             tanpa menunggu diminta.",
            "To keep the service levels and, where they are missed, to credit the bill by this agreement \
             without waiting to be asked.",
        ),
        text(
            &format!(
                "Menagih hanya menurut pemakaian dan buku harga, sehingga setiap tagihan dapat dihitung \
                 ulang, dan menyimpan catatan pemakaian dan tagihan selama {bills} hari."
            ),
            &format!(
                "To bill by usage and price book only, so that every bill can be computed again, and to \
                 keep the records of usage and bills for {bills} days."
            ),
        ),
        text(
            &format!(
                "Menyerahkan seluruh data dalam format terbuka ({formats}) setelah pemberitahuan \
                 pengakhiran{biaya}; menghapus data paling lambat {after} hari setelah perjanjian berakhir \
                 dan mencatat penghapusan itu."
            ),
            &format!(
                "To hand over all data in open formats ({formats}) after notice of the end{charge}; to \
                 delete the data at most {after} days after the agreement ends and to record the deletion."
            ),
        ),
        text(
            &format!(
                "Menerima audit oleh pihak yang disebut dalam perjanjian ini dengan pemberitahuan {notice} \
                 hari, dan memberi akses kepada pengawas menurut undang-undang."
            ),
            &format!(
                "To admit audits by those named in this agreement on {notice} days' notice, and to give \
                 supervisors the access that the law provides."
            ),
        ),
    ]
}

fn tenant_rights(figures: &Figures<'_>) -> Vec<Text> {
    let days = figures.exit.notice_days;
    vec![
        text(
            "Memakai layanan yang diberikan perjanjian ini dan hanya membayar yang terpakai.",
            "To use the services that this agreement grants and to pay only for what is used.",
        ),
        text(
            "Mengetahui setiap saat di mana datanya berada, dan memperoleh bukti yang dapat diperiksa tanpa \
             memercayai penyedia.",
            "To know at any time where its data is, and to have proof that can be checked without trusting \
             the provider.",
        ),
        text(
            "Menyetujui atau menolak setiap akses istimewa yang menurut perjanjian ini memerlukan \
             persetujuannya, serta mengakhirinya kapan saja.",
            "To approve or deny each privileged access that needs its approval by this agreement, and to \
             end it at any time.",
        ),
        text(
            "Berkeberatan atas tagihan dan meminta tagihan itu dihitung ulang dari pemakaian dan buku harga.",
            "To object to a bill and to have it computed again from usage and price book.",
        ),
        text(
            "Memperoleh kredit bila tingkat layanan tidak terpenuhi.",
            "To be credited where service levels are missed.",
        ),
        text(
            "Mengaudit, atau meminta audit oleh pihak yang disebut dalam perjanjian ini.",
            "To audit, or to have those audit who are named in this agreement.",
        ),
        text(
            &format!(
                "Mengakhiri perjanjian dengan pemberitahuan tertulis {days} hari sebelumnya dan membawa \
                 seluruh datanya."
            ),
            &format!(
                "To end the agreement with {days} days' notice in writing and to take all its data along."
            ),
        ),
    ]
}

fn tenant_duties() -> Vec<Text> {
    vec![
        text(
            "Membayar tagihan yang dihitung menurut perjanjian ini.",
            "To pay the bills that are computed by this agreement.",
        ),
        text(
            "Menetapkan kelas datanya; data tanpa kelas diperlakukan menurut kelas bawaan perjanjian ini.",
            "To class its data; data without a class is treated as of the default class of this agreement.",
        ),
        text(
            "Sebagai pengendali data pribadi, memiliki dasar hukum pemrosesan dan memberitahukan kegagalan \
             pelindungan kepada subjek data (UU 27/2022).",
            "As controller of personal data, to have a legal basis for processing it and to notify data \
             subjects of failures to protect it (UU 27/2022).",
        ),
        text(
            "Menjaga kunci dan kata sandinya, dan segera memberi tahu penyedia bila hilang atau bocor.",
            "To guard its keys and passwords, and to tell the provider at once where one is lost or leaked.",
        ),
        text(
            "Tidak memakai layanan untuk perbuatan melawan hukum atau mengganggu penyewa lain.",
            "Not to use the services for unlawful acts or to disturb other tenants.",
        ),
        text(
            "Menerima bahwa perjanjian ini terbuka untuk umum; yang boleh dirahasiakan hanya alamat IP, \
             letak persis perangkat dan narahubung, masing-masing dengan dasar hukumnya.",
            "To accept that this agreement is public; only IP addresses, the exact location of devices and \
             contact persons may be withheld, each with its legal ground.",
        ),
    ]
}
