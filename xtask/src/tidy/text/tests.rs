use super::*;

#[test]
fn places_of_one_machine_are_found() {
    let root = Path::new("/build/clone");
    let check = |text: &str| check_places("a.md", text, root).len();
    assert_eq!(check("see https://docs.rs and ~/.cache"), 0);
    assert_eq!(check(&format!("from {} of {}alice", HOSTS[2], HOMES[1])), 2);
    assert_eq!(check("/build/clone/target"), 1);
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let files: Files = ["README.md", "docs/adr/0001-a.md", "docs/b.md"]
        .map(|path| (path.to_owned(), String::new()))
        .into();
    let check = |text: &str| check_links("docs/b.md", text, &files).len();
    assert_eq!(check("[a](adr/0001-a.md#why) [r](../README.md) [f](adr) [s](#here)"), 0);
    assert_eq!(check("[w](https://example.org) `[c](code.md)`\n```\n[c](code.md)\n```"), 0);
    assert_eq!(check("[a](gone.md) and [b](../../out.md \"title\")\n[ref]: gone2.md"), 3);
}
