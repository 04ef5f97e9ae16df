use std::fs;

use super::world::World;
use crate::verify::Findings;

#[test]
fn a_log_that_grows_keeps_its_history() {
    let state = tempfile::tempdir().unwrap();
    let mut world = World::new();
    for (grown, remembered) in [(1, None), (2, Some(1)), (300, Some(3)), (300, Some(303))] {
        let entries: Vec<String> = (0..grown).map(|number| format!("{number}")).collect();
        world.append(&entries);
        let log = world.open();
        let mut findings = Findings::default();
        world.memory(state.path()).check(&log, &mut findings).unwrap();
        assert!(findings.is_sound(), "{findings:?}");
        let said = findings.checked.iter().find(|line| line.starts_with("history"));
        let expected = remembered
            .map(|size| format!("history   begins with the {size} entries that were seen before"));
        assert_eq!(said, expected.as_ref());
    }
}

#[test]
fn another_key_is_another_log_and_a_strange_memory_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let mut worlds = [World::new(), World::new()];
    for world in &mut worlds {
        world.append(&["its own first"]);
        assert_eq!(world.defects(state.path()), [""; 0]);
    }
    let dir = state.path().join("checkpoints");
    let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|path| path.extension().is_none_or(|ending| ending != "lock")).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        fs::write(file, "not a checkpoint").unwrap();
    }
    let mut findings = Findings::default();
    let refused =
        worlds[0].memory(state.path()).check(&worlds[0].open(), &mut findings).unwrap_err();
    assert!(format!("{refused:#}").contains("is not a checkpoint"), "{refused:#}");
}
