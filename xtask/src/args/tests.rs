use super::*;

fn args(text: &str) -> Args {
    Args::new(text.split_whitespace().map(str::to_owned))
}

#[test]
fn options_are_taken_in_any_order_and_both_spellings() {
    let mut given = args("--release --data-dir here --only=rust -- --nocapture");
    assert_eq!(given.value("--only"), Ok(Some("rust".to_owned())));
    assert!(given.flag("--release"));
    assert!(!given.flag("--release"));
    assert_eq!(given.value("--data-dir"), Ok(Some("here".to_owned())));
    assert_eq!(given.after_dashes(), ["--nocapture"]);
    assert_eq!(given.finish(), Ok(()));
}

#[test]
fn what_no_option_took_is_refused() {
    assert!(args("--relase").finish().is_err());
    assert!(args("-- x").finish().is_err());
    assert!(args("--only").value("--only").is_err());
    assert!(args("--only rest").choice("--only", &["rust", "clients"]).is_err());
}
