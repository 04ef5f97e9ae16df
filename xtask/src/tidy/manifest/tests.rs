use super::*;

fn workspace(manifests: &[(&str, &str)]) -> Files {
    manifests.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn check_edge(importer: &str, section: &str, imported: &str, good: bool) {
    let files = workspace(&[
        (
            &format!("crates/{importer}/Cargo.toml"),
            &format!("[{section}]\n{imported}.workspace = true\n"),
        ),
        (&format!("crates/{imported}/Cargo.toml"), "[package]\n"),
    ]);
    assert_eq!(check(&files).is_empty(), good, "{importer} [{section}] {imported}");
}

#[test]
fn imports_point_down_only() {
    check_edge("oss", "dependencies", "engine", true);
    check_edge("oss", "dependencies", "ram", false);
    check_edge("oss", "dependencies", "tlog", false);
    check_edge("billing", "dependencies", "tlog", true);
    check_edge("store", "dependencies", "engine", false);
    check_edge("cli", "dependencies", "store", false);
    check_edge("awan", "dependencies", "oss", true);
}

#[test]
fn the_test_kit_is_for_tests_only() {
    check_edge("oss", "dev-dependencies", "testkit", true);
    check_edge("oss", "dependencies", "testkit", false);
    check_edge("oss", "build-dependencies", "testkit", false);
}

#[test]
fn an_unknown_crate_must_be_placed_first() {
    let files = workspace(&[("crates/novelty/Cargo.toml", "[package]\n")]);
    assert_eq!(check(&files).len(), 1);
}

#[test]
fn all_forms_of_a_dependency_are_read() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na = \"1\" # one\n# b = \"1\"\n\
                    c.workspace = true\n[dependencies.d]\nversion = \"1\"\n\
                    [target.'cfg(unix)'.dev-dependencies]\ne = { path = \"e\" }\n[lints]\nf = 1\n";
    let expect = [
        ("dependencies", "a"),
        ("dependencies", "c"),
        ("dependencies", "d"),
        ("dev-dependencies", "e"),
    ];
    assert_eq!(dependencies(manifest), expect);
}
