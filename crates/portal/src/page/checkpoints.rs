//! The log's key, its checkpoints, who cosigned them, and how to check all that without this portal.

use maud::{Markup, html};
use tlog::note::Signature;

use super::{Cx, entry, shell, table};
use crate::follow::Seen;

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Titik periksa log", "Checkpoints of the log");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Titik periksa adalah satu baris sidik jari atas semua entri, ditandatangani kunci log. Mengubah, menghapus, atau menukar satu entri saja mengubah sidik jari itu, dan siapa pun yang menyimpan titik periksa lama dapat membuktikannya.",
                "A checkpoint is one line of fingerprint over all entries, signed by the log's key. To change, remove or swap a single entry changes that fingerprint, and whoever kept an old checkpoint can prove it."
            )) }
            (identity(cx))
            (latest(cx))
            (keys(cx))
            (how(cx))
        },
    )
}

fn identity(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    html! {
        dl.terms {
            div { dt { (l.t("Nama log (origin)", "The log's name (origin)")) } dd { code { (cx.about.log_key.name()) } } }
            div { dt { (l.t("Kunci log", "The log's key")) } dd {
                code.hash { (cx.about.log_key) }
                p.quiet { (l.t(
                    "Jangan percayai kunci yang hanya Anda lihat di sini: bandingkan dengan yang ada di perjanjian dan pada saksi.",
                    "Do not trust a key that you saw only here: compare it with the one in the agreements and at the witnesses."
                )) }
            } }
            div { dt { (l.t("Berkas log", "The log's files")) } dd {
                a href="/log/checkpoint" { "/log/checkpoint" } ", " code { "/log/tile/…" } ", " code { "/log/tile/entries/…" }
            } }
            @if cx.model().unknown > 0 {
                div { dt { (l.t("Entri berbentuk lain", "Entries of another form")) } dd {
                    (l.number(cx.model().unknown)) (l.t(" entri terbukti ada dalam log, tetapi portal ini tidak dapat membacanya.", " entries are proven to be in the log, but this portal cannot read them."))
                } }
            }
        }
    }
}

fn latest(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let label = l.t("Titik periksa terbaru", "Latest checkpoints");
    html! {
        h2 { (label) }
        @if cx.view.checkpoints.is_empty() { p { (l.t("Belum ada.", "None yet.")) } }
        @else {
            p.quiet { (l.t("Yang terlihat sejak portal ini berjalan; entri di bawah masing-masing sudah dibuktikan satu per satu.", "Those seen since this portal runs; the entries under each were proven one by one.")) }
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Terlihat", "Seen")) }
                    th.number scope="col" { (l.t("Entri", "Entries")) }
                    th scope="col" { (l.t("Akar (sidik jari)", "Root (fingerprint)")) }
                    th scope="col" { (l.t("Saksi", "Witnesses")) }
                } }
                tbody { @for seen in cx.view.checkpoints.iter().rev() { tr {
                    td { (l.time(seen.at)) }
                    td.number { (l.number(seen.checkpoint.size)) }
                    td.wide { code.hash { (seen.checkpoint.root) } }
                    td { (witnesses(cx, seen)) }
                } } }
            }))
        }
    }
}

/// Who cosigned, and whether this portal could check it.
fn witnesses(cx: &Cx<'_>, seen: &Seen) -> Markup {
    let l = cx.l;
    let own = cx.about.log_key.name();
    let names: Vec<&str> =
        seen.note.signatures().iter().map(Signature::name).filter(|name| *name != own).collect();
    html! {
        @if names.is_empty() { (l.t("belum ada", "none yet")) }
        @for name in names {
            div {
                (name) " "
                @match cx.about.witnesses.iter().find(|key| key.name() == name).map(|key| key.verify(&seen.note)) {
                    Some(Ok(Some(at))) => { span.mark.good { (l.t("diperiksa", "checked")) } small { (l.time(at)) } }
                    Some(Err(_)) => span.mark.bad { (l.t("tanda tangan salah", "wrong signature")) },
                    Some(Ok(None)) | None => span.mark { (l.t("kunci tidak dikenal di sini", "key not known here")) },
                }
            }
        }
    }
}

fn keys(cx: &Cx<'_>) -> Markup {
    let (l, keys) = (cx.l, &cx.model().keys);
    let label = l.t("Kunci yang dinyatakan cloud", "Keys that the cloud declared");
    html! {
        @if !keys.is_empty() {
            h2 { (label) }
            (table(label, &html! {
                thead { tr {
                    th scope="col" { (l.t("Untuk", "For")) }
                    th scope="col" { (l.t("Kunci", "Key")) }
                    th scope="col" { (l.t("Dinyatakan", "Declared")) }
                } }
                tbody { @for key in keys.iter().rev().take(50) { tr {
                    th scope="row" { @match key.role.as_str() {
                        "log" => (l.t("log", "the log")),
                        "provider" => (l.t("penyedia", "the provider")),
                        other => (other),
                    } }
                    td.wide { code.hash { (key.key) } }
                    td { (l.time(key.declared.at)) small { (entry(cx, key.declared)) } }
                } } }
            }))
        }
    }
}

fn how(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let address = l.t("https://ALAMAT-PORTAL-INI/log", "https://THIS-PORTAL/log");
    html! {
        h2 #how { (l.t("Cara memeriksa", "How to check")) }
        h3 { (l.t("Dengan awan verify", "With awan verify")) }
        p { (l.t("Membaca setiap entri, dan mengingat titik periksa di berkas untuk pemeriksaan berikutnya:", "Reads every entry, and remembers the checkpoint in a file for the next time:")) }
        pre { "awan verify --log " (address) " --log-key '" (cx.about.log_key) "' --seen awan.checkpoint" }
        h3 { (l.t("Dengan Go, tanpa program kami", "With Go, without our program")) }
        p {
            (l.t("Paket ", "The packages ")) code { "golang.org/x/mod/sumdb/note" } (l.t(" dan ", " and ")) code { "golang.org/x/mod/sumdb/tlog" }
            (l.t(" memeriksa tanda tangan dan bukti dari berkas yang sama:", " check signature and proofs over the same files:"))
        }
        pre {
            "verifier, _ := note.NewVerifier(\"" (cx.about.log_key) "\")\n"
            "signed, err := note.Open(checkpoint, note.VerifierList(verifier))\n"
            "// signed.Text: origin, size, root; then tlog.CheckRecord, tlog.CheckTree"
        }
        h3 { (l.t("Menjadi saksi", "Be a witness")) }
        p {
            (l.t("Saksi menandatangani titik periksa hanya jika log bertambah dengan jujur sejak yang terakhir dilihatnya, sehingga log tidak dapat menunjukkan wajah berbeda kepada orang berbeda. Siapa pun dapat menjalankannya dengan ", "A witness signs a checkpoint only where the log has honestly grown since the last one that it saw, so that a log cannot show different faces to different people. Anyone can run one with "))
            code { "awan witness" } (l.t(", dan menyalin seluruh log dengan ", ", and copy the whole log with ")) code { "awan mirror" } "."
        }
    }
}
