#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

#[test]
fn every_page_is_at_its_own_address_in_both_languages() {
    let tenant = Page::Tenant("1001".to_owned());
    let odd = Page::Agreement { ocid: "a/b ü<".to_owned(), release: Some("r%2F".to_owned()) };
    for page in [
        Page::Home,
        Page::Agreements,
        odd,
        Page::Places,
        Page::Tenants,
        tenant,
        Page::Access,
        Page::Refusals,
        Page::Checkpoints,
        Page::Verify,
        Page::Entry(2766),
    ] {
        for lang in [Lang::Id, Lang::En] {
            let address = lang.path(&page.path());
            assert_eq!(Route::parse(&address), Some(Route::Page(lang, page.clone())), "{address}");
        }
    }
}

#[test]
fn a_slash_at_the_end_changes_nothing_and_a_word_that_begins_with_en_is_no_language() {
    assert_eq!(Route::parse("/places/"), Some(Route::Page(Lang::Id, Page::Places)));
    assert_eq!(Route::parse("/en"), Some(Route::Page(Lang::En, Page::Home)));
    assert_eq!(Route::parse("/english"), None);
    assert_eq!(Route::parse("/nothing"), None);
    assert_eq!(Route::parse("//places"), None);
    assert_eq!(Route::parse(""), None);
}

#[test]
fn files_are_named_as_they_are_published() {
    let digest = "ab".repeat(32);
    for ending in ["", ".json", ".txt"] {
        let address = format!("/documents/{digest}{ending}");
        assert_eq!(Route::parse(&address), Some(Route::Document(digest.clone())));
    }
    let package = Route::parse(&format!("/documents/{digest}/package.json"));
    assert_eq!(package, Some(Route::Package(digest)));
    assert_eq!(Route::parse("/log/tile/0/000"), Some(Route::Log("tile/0/000".to_owned())));
    assert_eq!(Route::parse("/entries/7.tlog-proof"), Some(Route::Proof(7)));
    assert_eq!(Route::parse("/entries/07"), None);
    assert_eq!(Route::parse("/refusals.csv"), Some(Route::Csv(Csv::Refusals)));
}

#[test]
fn the_part_of_a_list_is_a_number_from_one() {
    for (query, expected) in
        [("", 1), ("page=3", 3), ("a=1&page=2", 2), ("page=0", 1), ("page=-1", 1), ("page=x", 1)]
    {
        assert_eq!(part(query), expected, "{query}");
    }
}

proptest! {
    #[test]
    fn any_address_is_taken_without_panic(path: String, query: String) {
        Route::parse(&path);
        part(&query);
    }
}
