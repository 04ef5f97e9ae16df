#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

#[test]
fn tee_keeps_both_outputs_and_the_verdict() {
    let (good, heard) =
        tee(Command::new("sh").args(["-c", "echo one; echo two >&2; exit 3"])).unwrap();
    assert!(!good);
    let mut lines: Vec<_> = heard.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn a_background_program_is_ended_when_dropped() {
    let running = Running::start(Command::new("sleep").arg("60")).unwrap();
    let pid = running.pid();
    assert!(succeeds(Command::new("sh").args(["-c", &format!("kill -0 {pid}")])));
    drop(running);
    assert!(!succeeds(Command::new("sh").args(["-c", &format!("kill -0 {pid}")])));
}
