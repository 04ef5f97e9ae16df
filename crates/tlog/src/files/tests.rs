#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn what_was_put_is_fetched() {
    let folder = folder();
    let mut writer = DirectoryWriter::open(folder.path()).unwrap();
    writer.put("tile/0/x001/000.p/3", b"three").unwrap();
    writer.put("checkpoint", b"one").unwrap();
    writer.put("checkpoint", b"two").unwrap();
    writer.flush().unwrap();
    let reader = Directory::new(folder.path());
    assert_eq!(reader.fetch("tile/0/x001/000.p/3").unwrap().unwrap(), b"three");
    assert_eq!(reader.fetch("checkpoint").unwrap().unwrap(), b"two");
    assert_eq!(reader.fetch("tile/0/x001/000").unwrap(), None);
    assert_eq!(
        reader.fetch("tile/0/x001/000.p/3").unwrap(),
        writer.fetch("tile/0/x001/000.p/3").unwrap()
    );
}

#[test]
fn only_names_of_a_logs_files_are_answered() {
    let folder = folder();
    let log = folder.path().join("log");
    fs::create_dir_all(log.join("tile")).unwrap();
    fs::write(folder.path().join("key"), "secret").unwrap();
    fs::write(log.join("tile/key"), "secret").unwrap();
    let reader = Directory::new(&log);
    for path in ["../key", "tile/../../key", "tile/key", "/etc/passwd", ".lock", "", ".", "tile"] {
        assert_eq!(reader.fetch(path).unwrap(), None, "{path}");
    }
}

#[test]
fn a_file_that_no_log_can_have_is_not_read_into_memory() {
    let folder = folder();
    let file = File::create(folder.path().join("checkpoint")).unwrap();
    file.set_len(1 << 40).unwrap();
    let error = Directory::new(folder.path()).fetch("checkpoint").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[test]
fn there_is_one_writer_at_a_time() {
    let folder = folder();
    let first = DirectoryWriter::open(folder.path()).unwrap();
    assert_eq!(
        DirectoryWriter::open(folder.path()).unwrap_err().kind(),
        io::ErrorKind::ResourceBusy
    );
    drop(first);
    assert!(DirectoryWriter::open(folder.path()).is_ok());
}

#[test]
fn an_unfinished_file_of_a_crashed_writer_is_gone_after_opening() {
    let folder = folder();
    fs::write(folder.path().join(UNFINISHED), "half").unwrap();
    let _writer = DirectoryWriter::open(folder.path()).unwrap();
    assert!(!folder.path().join(UNFINISHED).exists());
}

#[test]
fn only_partial_forms_are_removed() {
    let folder = folder();
    let mut writer = DirectoryWriter::open(folder.path()).unwrap();
    for path in ["tile/0/000", "tile/0/000.p/3", "tile/0/000.p/9", "tile/0/001.p/3"] {
        writer.put(path, b"x").unwrap();
    }
    let full = Tile::parse("tile/0/000").unwrap();
    writer.remove_partials(full).unwrap();
    writer.remove_partials(full).unwrap();
    writer.flush().unwrap();
    let there = |path| writer.fetch(path).unwrap().is_some();
    assert!(there("tile/0/000") && there("tile/0/001.p/3"));
    assert!(!there("tile/0/000.p/3") && !there("tile/0/000.p/9"));
}
