//! Pages for addresses that have none.

use maud::{Markup, html};

use super::{Cx, shell};

/// 404.
pub fn not_found(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Halaman ini tidak ada", "There is no such page");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p { (l.t(
                "Mungkin alamatnya salah ketik, atau log belum berisi hal yang Anda cari. Apa yang sudah ada di log tidak pernah hilang dari portal ini.",
                "Perhaps the address is mistyped, or the log does not hold yet what you look for. What is in the log never leaves this portal."
            )) }
            p { a href=(cx.to("/")) { (l.t("Ke halaman depan", "To the front page")) } }
        },
    )
}

/// 405.
pub fn wrong_method(cx: &Cx<'_>) -> Markup {
    let l = cx.l;
    let title = l.t("Portal ini hanya dapat dibaca", "This portal can only be read");
    shell(
        cx,
        title,
        false,
        &html! {
            h1 { (title) }
            p { (l.t(
                "Alamat ini menjawab GET dan HEAD saja. Untuk mengubah sesuatu di cloud ada API dengan tanda tangan.",
                "This address answers GET and HEAD only. To change something in the cloud there is the API, with signatures."
            )) }
        },
    )
}
