#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::archive::{Archives, Entry, Kind};
use super::census::{Census, EXPECTED};

fn count(kind: Kind, body: &str) -> anyhow::Result<Census> {
    let mut census = Census::default();
    census.add(&Entry { kind, key: "k".to_owned(), body: body.as_bytes().to_vec() })?;
    Ok(census)
}

#[test]
fn the_archives_hold_the_data_set_that_the_readme_describes() {
    let archives = Archives::find(None).unwrap();
    archives.check_sums().unwrap();
    let (mut census, mut keys) = (Census::default(), HashSet::new());
    archives
        .read(|entry| {
            census.add(&entry)?;
            assert!(keys.insert(entry.key.clone()), "{} is there twice", entry.key);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    assert_eq!(census, EXPECTED);
    assert_eq!(keys.len(), 92_932);
    assert!(keys.contains("wilayah/pemilu/ppwp/0.json"));
    assert!(keys.contains("wilayah/pemilu/ppwp/11/1101/110101/1101012001.json"));
    assert!(keys.contains("tps/tingkat6_1000data/3101011001001.json"));
}

#[test]
fn reading_stops_when_there_is_enough() {
    let mut left = 10;
    let read = Archives::find(None).unwrap().read(|_| {
        left -= 1;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    assert!(read.is_ok());
    assert_eq!(left, 0);
}

#[test]
fn an_altered_archive_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/pemilu2024");
    for file in std::fs::read_dir(built).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let archives = Archives::find(Some(dir.path())).unwrap();
    archives.check_sums().unwrap();
    let path = dir.path().join("ridwaanhall-pemilu2024.tar.xz");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(
        archives
            .check_sums()
            .unwrap_err()
            .to_string()
            .contains("is not the file that SHA256SUMS names")
    );
    assert!(archives.read(|_| Ok(ControlFlow::Continue(()))).is_err());
}

#[test]
fn a_directory_without_the_data_is_named_in_the_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = Archives::find(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains(&dir.path().display().to_string()), "{error}");
}

#[test]
fn a_station_is_complete_when_votes_and_administration_are_final() {
    let station = |votes: bool, administration: bool, valid: u64| {
        let body = format!(
            r#"{{"chart":{{"null":null,"100025":1,"100026":2}},"administrasi":{{"suara_sah":{valid}}},
                "status_suara":{votes},"status_adm":{administration}}}"#
        );
        let census = count(Kind::Station, &body).unwrap();
        (census.raw_files, census.raw_complete, census.raw_differing)
    };
    assert_eq!(station(true, true, 3), (1, 1, 0));
    assert_eq!(station(true, true, 4), (1, 1, 1));
    assert_eq!(station(true, false, 4), (1, 0, 0));
    assert_eq!(station(false, true, 4), (1, 0, 0));
    let empty = r#"{"chart":null,"administrasi":null,"status_suara":false,"status_adm":false}"#;
    assert_eq!(count(Kind::Station, empty).unwrap().raw_complete, 0);
}

#[test]
fn regions_are_counted_by_level_and_unknown_levels_refused() {
    let census =
        count(Kind::Regions, r#"[{"tingkat":1,"nama":"P A P U A"},{"tingkat":5},{"tingkat":5}]"#)
            .unwrap();
    assert_eq!((census.provinces, census.stations, census.region_files), (1, 2, 1));
    assert!(count(Kind::Regions, r#"[{"tingkat":6}]"#).is_err());
    assert!(count(Kind::Regions, "{}").is_err());
}

#[test]
fn what_threads_count_adds_up() {
    let (one, two) = (EXPECTED.clone(), count(Kind::Regions, r#"[{"tingkat":1}]"#).unwrap());
    let sum = one.plus(two);
    assert_eq!((sum.provinces, sum.region_files, sum.stations), (40, 91_880, 822_116));
}
