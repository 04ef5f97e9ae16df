//! One entry of the log as it is, and its proof to take away.

use maud::{Markup, html};
use serde_json::json;
use tlog::{Proof, Reader};

use super::{Cx, shell};
use crate::words::own;

/// An entry, proven against the checkpoint that is published now.
fn find(cx: &Cx<'_>, index: u64) -> Option<(String, Proof)> {
    // Only what the pages have read themselves: its proof cannot fail but by an outage.
    if index >= cx.model().size {
        return None;
    }
    let read = Reader::open(cx.source, &cx.about.log_key)
        .and_then(|reader| Ok((reader.entry(index)?, reader.proof(index)?)));
    let (entry, proof) = read
        .inspect_err(|error| tracing::error!(%error, index, "prove an entry of the log"))
        .ok()?;
    Some((String::from_utf8(entry).ok()?, proof))
}

/// The page; `None` where the log has no such entry.
pub fn show(cx: &Cx<'_>, index: u64) -> Option<Markup> {
    let l = cx.l;
    let (entry, proof) = find(cx, index)?;
    let title = format!("{} {}", l.t("Entri", "Entry"), l.number(index));
    Some(shell(
        cx,
        &title,
        false,
        &html! {
            p.kicker { a href=(cx.to("/checkpoints")) { (l.t("Log", "Log")) } }
            h1 { (title) }
            p { (l.t(
                "Beginilah entri ini tertulis dalam log, huruf demi huruf. Yang tidak publik dikunci dalam komitmennya: hanya yang memegang tanda terima dapat membukanya, dan tidak seorang pun dapat mengubahnya.",
                "This is the entry as the log has it, letter by letter. What is not public is locked in its commitment: only whoever holds the receipt can open it, and nobody can change it."
            )) }
            pre { (own(&entry)) }
            p {
                (l.t("Terbukti lewat ", "Proven over ")) (proof.hashes.len()) (l.t(" sidik jari sampai akar yang ditandatangani. ", " hashes up to the signed root. "))
                a href=(format!("/entries/{index}.tlog-proof")) download { (l.t("Unduh buktinya", "Download the proof")) }
                (l.t(", lalu ", ", then ")) a href=(cx.to("/verify")) { (l.t("periksa di peramban", "verify it in the browser")) } "."
            }
            ul.links {
                @if let Some(before) = index.checked_sub(1) { li { a href=(cx.to(&format!("/entries/{before}"))) rel="prev" { (l.t("← Entri sebelumnya", "← Previous entry")) } } }
                @if index + 1 < cx.model().size { li { a href=(cx.to(&format!("/entries/{}", index + 1))) rel="next" { (l.t("Entri berikutnya →", "Next entry →")) } } }
            }
        },
    ))
}

/// The proof file of an entry, with the entry in it; `None` where the log has no such entry.
pub fn proof(cx: &Cx<'_>, index: u64) -> Option<String> {
    let (entry, mut proof) = find(cx, index)?;
    proof.extra = json!({ "leaf": entry }).to_string().into_bytes();
    Some(proof.to_string())
}
