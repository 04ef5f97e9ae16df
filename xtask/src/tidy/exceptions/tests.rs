use super::*;

#[test]
fn an_entry_excuses_its_finding_and_no_other() {
    let findings =
        vec![Finding::new("file-length", "a.rs", "long"), Finding::new("owner", "a.rs", "who")];
    let left = apply(findings, "# comment\n\nfile-length a.rs # generated\n");
    assert_eq!(left, [Finding::new("owner", "a.rs", "who")]);
}

#[test]
fn an_entry_without_use_or_reason_is_a_finding() {
    let findings = vec![Finding::new("owner", "a.rs", "who")];
    let left = apply(findings, "owner a.rs\nowner b.rs # moved\n");
    let messages: Vec<_> = left.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(messages, ["`owner a.rs` gives no reason", "`owner b.rs` excuses nothing"]);
}
