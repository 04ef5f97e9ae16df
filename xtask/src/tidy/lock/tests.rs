use super::*;

fn lock(packages: &[(&str, &str)]) -> String {
    let sourced = packages.iter().map(|(name, version)| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry\"\n\n"
        )
    });
    let ours = "[[package]]\nname = \"oss\"\nversion = \"0.1.0\"\n".to_owned();
    std::iter::once("version = 4\n\n".to_owned()).chain(sourced).chain([ours]).collect()
}

fn check_rules(packages: &[(&str, &str)], expect: &[&str]) {
    let findings = check(&lock(packages), 3);
    let rules: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, expect, "{packages:?}");
}

#[test]
fn growth_second_stacks_and_heavy_duplicates_are_found() {
    check_rules(&[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0")], &[]);
    check_rules(
        &[("a", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0"), ("d", "1.0.0")],
        &["dependencies"],
    );
    check_rules(&[("openssl-sys", "0.9.1")], &["banned"]);
    check_rules(&[("rustls", "0.22.4"), ("rustls", "0.23.1")], &["duplicate"]);
    check_rules(&[("tokio", "1.40.0"), ("tokio", "1.54.0")], &[]);
    check_rules(&[("light", "1.0.0"), ("light", "2.0.0")], &[]);
}

#[test]
fn majors_follow_the_rule_of_leading_zeros() {
    for (version, expect) in
        [("1.2.3", "1"), ("0.23.4", "0.23"), ("0.0.4", "0.0.4"), ("0.0.0", "0.0.0")]
    {
        assert_eq!(major(version), expect);
    }
}
