//! The page that verifies a receipt in the browser. Its script computes everything on the reader's own
//! device, and the policy of the page lets it send nothing anywhere; without JavaScript the page says
//! how to do the same with the program.

use maud::{Markup, html};

use super::{Cx, shell};

/// The page.
pub fn show(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Periksa tanda terima", "Verify a receipt");
    shell(
        cx,
        title,
        true,
        &html! {
            h1 { (title) }
            p.lead { (l.t(
                "Setiap jawaban cloud menyebut nomor permintaan, dan nomor itu adalah tanda terimanya. Berkas tanda terima membuktikan, tanpa jaringan dan tanpa memercayai kami, bahwa permintaan itu tercatat dalam log dan tidak berubah sejak itu.",
                "Every answer of the cloud names its request id, and that id is the receipt. The receipt's file proves, without a network and without trust in us, that the request was recorded in the log and has not changed since."
            )) }
            noscript { div.note.warn { p { (l.t(
                "JavaScript tidak berjalan di sini. Periksalah dengan program, seperti di bawah; hasilnya sama.",
                "JavaScript does not run here. Check with the program, as below; the result is the same."
            )) } } }
            form #form hidden autocomplete="off" {
                div.drop #drop {
                    div.field {
                        label for="file" { (l.t("Berkas tanda terima (.tlog-proof)", "Receipt file (.tlog-proof)")) }
                        input #file type="file" accept=".tlog-proof,text/plain";
                        p.hint { (l.t("Atau seret berkasnya ke sini.", "Or drag the file here.")) }
                    }
                    div.field {
                        label for="paste" { (l.t("Atau tempel isinya", "Or paste its content")) }
                        textarea #paste rows="5" spellcheck="false" autocapitalize="off" placeholder="c2sp.org/tlog-proof@v1" {}
                    }
                }
                div.field {
                    label for="key" { (l.t("Kunci log", "The log's key")) }
                    input #key type="text" spellcheck="false" autocapitalize="off" value=(cx.about.log_key) aria-describedby="key-hint";
                    p.hint #key-hint { (l.t(
                        "Kunci ini diisi oleh halaman ini. Jika Anda tidak percaya kepada portal ini, tempel kunci yang Anda peroleh dari tempat lain, misalnya dari perjanjian Anda.",
                        "This key was filled in by this page. If you do not trust this portal, paste the key that you got from elsewhere, such as your agreement."
                    )) }
                }
                button type="submit" { (l.t("Periksa", "Verify")) }
            }
            div #result aria-live="polite" {}
            h2 { (l.t("Apa yang diperiksa", "What is checked")) }
            ol {
                li { (l.t("Titik periksa dalam berkas ditandatangani kunci log (Ed25519).", "The checkpoint in the file is signed by the log's key (Ed25519).")) }
                li { (l.t("Entri, lewat jalur sidik jari (RFC 6962), menuju akar yang ditandatangani itu.", "The entry leads, over a path of hashes (RFC 6962), to the root that was signed.")) }
                li { (l.t("Entri berisi komitmen atas pernyataan rincian Anda: SHA-256 dari garam dan pernyataan.", "The entry holds a commitment to the detailed statement that is yours: SHA-256 of salt and statement.")) }
                li { (l.t("Pernyataan dan entri mengatakan hal yang sama.", "Statement and entry say the same.")) }
            }
            p { (l.t(
                "Berkas Anda tidak dikirim ke mana pun: halaman ini dilarang, oleh kebijakannya sendiri yang ditegakkan peramban, membuka sambungan apa pun.",
                "Your file is sent nowhere: this page is forbidden, by its own policy that the browser enforces, to open any connection."
            )) }
            h2 { (l.t("Dengan program, tanpa peramban", "With the program, without a browser")) }
            pre { "awan receipt " (l.t("NOMOR-PERMINTAAN", "REQUEST-ID")) " -o bukti.tlog-proof\nawan verify --receipt bukti.tlog-proof --log-key '" (cx.about.log_key) "'" }
        },
    )
}
