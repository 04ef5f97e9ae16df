use super::*;
use crate::workspace::Scratch;

fn evidence(scratch: &Scratch) -> Result<Evidence> {
    let log = scratch.path().join("log");
    make_dir(&log.join("tile/entries"))?;
    make_dir(&log.join("tile/0"))?;
    write(&log.join("tile/entries/000"), "entries")?;
    write(&log.join("tile/0/000"), "hashes")?;
    write(&log.join("checkpoint"), "origin\n7\nroot\n")?;
    let checkpoints = scratch.path().join("checkpoints");
    make_dir(&checkpoints)?;
    write(&checkpoints.join(checkpoint_name(0)), "origin\n3\nroot\n")?;
    Ok(Evidence { log, key: "key".to_owned(), checkpoints })
}

/// A shell as verifier: `$1` is the log, `$2` the key, `$3` the checkpoints.
fn shell(script: &'static str) -> impl Fn() -> Command {
    move || {
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]);
        command
    }
}

#[test]
fn each_forgery_is_in_place_while_it_is_judged_and_gone_afterwards() -> Result<()> {
    let scratch = Scratch::new("forgeries")?;
    let evidence = evidence(&scratch)?;
    let digest = "test \"$(cd \"$1\" && cat tile/entries/000 tile/0/000 checkpoint)\" = \
                  \"$(printf 'entrieshashesorigin\\n7\\nroot')\"";
    let command = || evidence.point(shell(digest)());
    assert!(succeeds(&mut command()), "the true log is what the verifier knows");
    let counts = evidence.refuses_forgeries(command)?;
    assert_eq!(counts, Counts { passed: 4, failed: 0, skipped: 0 });
    assert!(succeeds(&mut command()), "the true log is back");
    Ok(())
}

#[test]
fn a_verifier_that_accepts_everything_fails() -> Result<()> {
    let scratch = Scratch::new("credulous")?;
    let evidence = evidence(&scratch)?;
    let counts = evidence.refuses_forgeries(shell("true"))?;
    assert_eq!(counts, Counts { passed: 0, failed: 4, skipped: 0 });
    Ok(())
}

#[test]
fn every_checkpoint_is_kept_and_a_log_that_stands_still_is_an_error() -> Result<()> {
    let scratch = Scratch::new("keeper")?;
    let log = scratch.path().join("log");
    make_dir(&log)?;
    write(&log.join("checkpoint"), "origin\n0\nroot\n")?;
    let keeper = Keeper::start(&log, scratch.path())?;
    let kept = keeper.kept.clone();
    for number in 1..4_usize {
        wait_for("the last checkpoint to be kept", Duration::from_secs(10), || {
            Ok(kept.join(checkpoint_name(number - 1)).is_file().then_some(()))
        })?;
        // Moved into place, as a log does it.
        write(&log.join("next"), format!("origin\n{number}\nroot\n"))?;
        fs::rename(log.join("next"), log.join("checkpoint")).map_err(|e| e.to_string())?;
    }
    let kept = keeper.finish()?;
    let newest = read(&kept.join(checkpoint_name(3)))?;
    assert_eq!(size(&newest), Some(3));
    let still = Keeper::start(&log, &scratch.path().join("still"))?;
    assert!(still.finish().is_err());
    Ok(())
}
