#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

#[test]
fn expressions_are_weighed_as_spdx_says() {
    for good in [
        "MIT",
        "MIT OR Apache-2.0",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(is_allowed(good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT)", "MIT OR", "Apache-2.0 WITH other"]
    {
        assert!(!is_allowed(bad), "{bad}");
    }
}

#[test]
fn only_third_party_packages_are_judged() {
    let metadata = r#"{"packages": [
        {"name": "ours", "license": null, "source": null},
        {"name": "good", "license": "MIT", "source": "registry"},
        {"name": "bad", "license": null, "source": "registry"}]}"#;
    let findings = check(&Json::parse(metadata).unwrap());
    assert_eq!(findings, [Finding::new("licence", "bad", "`none` is not on the list")]);
}
