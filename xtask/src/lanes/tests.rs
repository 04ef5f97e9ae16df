use super::*;

fn check(runner: Runner, heard: &str, passed: u64, failed: u64, skipped: u64) {
    assert_eq!(runner.count(heard), Counts { passed, failed, skipped }, "{runner:?}");
}

#[test]
fn closing_lines_of_all_runners_are_counted() {
    let cargo = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 1 ignored; 0 measured\n\
                 test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured";
    check(Runner::Cargo, cargo, 5, 1, 1);
    let nextest = "     Summary [   1.2s] 12 tests run: 10 passed (1 slow), 2 failed, 3 skipped";
    check(Runner::Nextest, nextest, 10, 2, 3);
    let pytest =
        "tests/a.py ..F\n2 passed\n==== 1 failed, 20 passed, 2 skipped, 1 error in 3.21s ====";
    check(Runner::Pytest, pytest, 20, 2, 2);
    check(Runner::Pytest, "4 passed, 3 deselected in 0.10s", 4, 0, 0);
    check(Runner::Node, "✔ signs in (3ms)\nℹ tests 4\nℹ pass 3\nℹ fail 1\nℹ skipped 0", 3, 1, 0);
    check(Runner::Node, "# tests 4\n# pass 4\n# fail 0", 4, 0, 0);
    check(Runner::Script, "OK  9 passed on the way\n2 passed, 1 failed, 3 skipped", 2, 1, 3);
    check(Runner::Script, "2 passed, 0 failed\nTraceback (most recent call last):", 0, 0, 0);
    check(Runner::Plain, "anything", 1, 0, 0);
}

#[test]
fn a_runner_that_fails_without_counting_is_one_failure() {
    let mut lanes = Lanes::default();
    lanes.run("dies", Runner::Plain, Command::new("sh").args(["-c", "exit 7"]));
    lanes.run("dies early", Runner::Pytest, Command::new("sh").args(["-c", "exit 4"]));
    lanes.run("absent", Runner::Plain, &mut Command::new("/nowhere/to/be/found"));
    assert_eq!(lanes.summary(false).1, Counts { passed: 0, failed: 3, skipped: 0 });
}

#[test]
fn a_skip_fails_only_an_automated_run() {
    let mut lanes = Lanes::default();
    lanes.skip("node", "there is no Node.js");
    assert_eq!(lanes.summary(false).1, Counts { passed: 0, failed: 0, skipped: 1 });
    assert_eq!(lanes.summary(true).1, Counts { passed: 0, failed: 1, skipped: 0 });
}
