use super::*;

#[test]
fn numbers_are_grouped_by_thousands() {
    for (number, text) in [(0_u64, "0"), (999, "999"), (1000, "1,000"), (822_116, "822,116")] {
        assert_eq!(count(number), text);
    }
    assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
}

#[test]
fn sizes_take_the_unit_that_suits_them() {
    let cases = [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (107_781_930, "102.8 MiB"),
        (5 << 30, "5.0 GiB"),
    ];
    for (bytes, text) in cases {
        assert_eq!(size(bytes), text, "{bytes}");
    }
}

#[test]
fn a_table_aligns_text_left_and_numbers_right() {
    let rows = [("kpu", "1,234"), ("pengamat", "7")].map(|(a, b)| vec![a.to_owned(), b.to_owned()]);
    assert_eq!(
        table(&["Name", "Requests"], &rows),
        "Name      Requests\nkpu          1,234\npengamat         7\n"
    );
}

#[test]
fn a_short_row_leaves_its_cells_empty() {
    assert_eq!(table(&["A", "B"], &[vec!["x".to_owned()]]), "A  B\nx\n");
}

#[test]
fn cells_show_text_without_quotes() {
    assert_eq!(plain(&serde_json::json!("a")), "a");
    assert_eq!(plain(&serde_json::json!(null)), "");
    assert_eq!(plain(&serde_json::json!({"a": 1})), "{\"a\":1}");
}

#[test]
fn no_value_can_move_the_cursor_turn_the_text_or_begin_a_line() {
    let evil = "a\u{202e}b\u{1b}[2Jc\nd\u{85}e";
    let shown = "a\\u202eb\\u001b[2Jc\\u000ad\\u0085e";
    assert_eq!(plain(&serde_json::json!(evil)), shown);
    assert_eq!(table(&["A"], &[vec![evil.to_owned()]]), format!("A\n{shown}\n"));
    assert_eq!(lines("two\nlines\u{2066}"), "two\nlines\\u2066");
    // A document stays the same document.
    let document = serde_json::json!({"a": evil});
    let printed = lines(&format!("{document:#}"));
    assert!(printed.contains("\\u202e"), "{printed}");
    assert_eq!(printed.parse::<serde_json::Value>().ok(), Some(document));
}
