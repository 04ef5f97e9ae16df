use super::*;

#[test]
fn only_unlisted_errors_and_warnings_are_loud() {
    let log = "2026-01-02T03:04:05Z  INFO serving WARN as a word of text\n\
               2026-01-02T03:04:06Z  WARN disk is slow\n";
    assert!(quiet_log(log, "# listed\ndisk is slow\n").is_ok());
    assert!(quiet_log(log, "").is_err());
    assert!(quiet_log("{\"level\":\"ERROR\",\"message\":\"x\"}", "").is_err());
    assert!(quiet_log("thread 'main' panicked at src/main.rs", "").is_err());
}
