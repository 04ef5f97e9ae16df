use super::*;

fn check_functions(source: &str, expect: &[(&str, usize)]) {
    let found = functions(source);
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines)).collect();
    assert_eq!(found, expect, "{source}");
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    check_functions("fn one() {}\n", &[("one", 1)]);
    check_functions("pub fn two(\n    a: [u8; 4],\n) -> u8 {\n    a[0]\n}\n", &[("two", 5)]);
    check_functions(
        "trait T {\n    fn declared(&self);\n    fn given(&self) {\n    }\n}",
        &[("given", 2)],
    );
    check_functions("fn outer() {\n    fn inner() {\n    }\n}\n", &[("outer", 4), ("inner", 2)]);
    check_functions("type F = fn (u8) -> u8;\nconst often : u8 = 1;", &[]);
}

#[test]
fn braces_in_strings_characters_and_comments_do_not_count() {
    let tricky = r####"
fn tricky<'a>(s: &'a str) -> char {
let _ = ("}", '}', '\'', r#"}"}"#, br"}\", b'}', "\"}");
// }
/* } /* } */ } */
let r#type = 'x'; for x in "}}".chars() {}
'}'
}
"####;
    check_functions(tricky, &[("tricky", 7)]);
}

#[test]
fn an_unclosed_string_is_masked_to_the_end() {
    for source in ["\"abc", "r#\"abc\"", "/* abc", "'\\", "r\""] {
        assert_eq!(mask(source).trim(), "", "{source}");
    }
}

#[test]
fn only_reminders_without_an_owner_are_found() {
    let word = REMINDERS[0];
    let check = |text: String| has_ownerless_reminder(&text);
    assert!(check(format!("// {word}: later")));
    assert!(check(format!("// {word}() later")));
    assert!(!check(format!("// {word}(alice): later")));
    assert!(!check(format!("let {word}S = 1;")));
}

#[test]
fn long_files_and_functions_are_found() {
    let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(FILE_LINES_MAX));
    let rules: Vec<_> = check("a.rs", &long).iter().map(|f| (f.rule, f.place.clone())).collect();
    assert_eq!(
        rules,
        [("file-length", "a.rs".to_owned()), ("function-length", "a.rs:f".to_owned())]
    );
    assert_eq!(check("a.md", &long), []);
}
