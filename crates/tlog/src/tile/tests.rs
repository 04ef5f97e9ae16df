#![allow(clippy::unwrap_used, reason = "a test may panic")]

use proptest::prelude::*;

use super::*;

const fn hashes(level: u8, index: u64, width: u16) -> Tile {
    Tile { kind: Kind::Hashes { level }, index, width }
}

const fn entries(index: u64, width: u16) -> Tile {
    Tile { kind: Kind::Entries, index, width }
}

#[test]
fn paths_are_those_of_the_specification() {
    let check = |tile: Tile, path: &str| {
        assert_eq!(tile.to_string(), path);
        assert_eq!(Tile::parse(path), Some(tile), "{path}");
    };
    check(hashes(0, 0, 256), "tile/0/000");
    check(hashes(0, 1_234_067, 256), "tile/0/x001/x234/067");
    check(hashes(1, 1_000, 17), "tile/1/x001/000.p/17");
    check(hashes(63, 999, 255), "tile/63/999.p/255");
    check(entries(5, 1), "tile/entries/005.p/1");
    check(entries(u64::MAX, 256), "tile/entries/x018/x446/x744/x073/x709/x551/615");
}

#[test]
fn other_spellings_are_refused() {
    for path in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/x/000",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/x001/2",
        "tile/0/x001",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/1/2",
        "tile/0/../000",
        "tile/0/000 ",
        "tile/0/+00",
        "tile/data/000",
        "tile/entries/x018/x446/x744/x073/x709/x551/616",
    ] {
        assert_eq!(Tile::parse(path), None, "{path}");
    }
}

#[test]
fn a_tree_has_the_tiles_of_the_specifications_examples() {
    let width = |level, index, size| {
        Tile::in_tree(Kind::Hashes { level }, index, size).map(|tile| tile.width)
    };
    assert_eq!(width(0, 272, 70_000), Some(256));
    assert_eq!(width(0, 273, 70_000), Some(112));
    assert_eq!(width(0, 274, 70_000), None);
    assert_eq!(width(1, 0, 70_000), Some(256));
    assert_eq!(width(1, 1, 70_000), Some(17));
    assert_eq!(width(2, 0, 70_000), Some(1));
    assert_eq!(width(3, 0, 70_000), None);
    assert_eq!((width(0, 0, 256), width(0, 1, 256), width(1, 0, 256)), (Some(256), None, Some(1)));
    assert_eq!(width(0, 0, 0), None);
    assert_eq!(width(63, u64::MAX, u64::MAX), None);
}

#[test]
fn a_bundle_is_its_entries_with_their_lengths() {
    let mut bundle = Vec::new();
    push_entry(&mut bundle, b"one");
    push_entry(&mut bundle, b"");
    assert_eq!(bundle, b"\x00\x03one\x00\x00");
    assert_eq!(parse_entries(&bundle, 2), Ok(vec![&b"one"[..], b""]));
    assert_eq!(parse_entries(&bundle, 3), Err(Error::Entries { found: 2, expected: 3 }));
    assert_eq!(parse_entries(&bundle[..4], 2), Err(Error::Cut { place: 0 }));
    assert_eq!(parse_entries(&bundle[..6], 2), Err(Error::Cut { place: 1 }));
    assert_eq!(parse_hashes(&[0; 63], 2), Err(Error::Bytes { found: 63, expected: 64 }));
}

proptest! {
    #[test]
    fn paths_come_back(index: u64, width in 1..=256_u16, level in proptest::option::of(0..=63_u8)) {
        let tile = Tile { kind: level.map_or(Kind::Entries, |level| Kind::Hashes { level }), index, width };
        prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
    }

    #[test]
    fn any_path_is_refused_or_is_the_one_spelling(path in "(tile/)?([0-9]{1,2}|entries|.{0,3})/(x?[0-9]{1,3}/){0,8}[0-9]{1,3}(\\.p/[0-9]{0,3})?") {
        if let Some(tile) = Tile::parse(&path) {
            prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn any_text_is_taken_as_a_path(path: String) {
        let _ = Tile::parse(&path);
        let _ = Tile::parse(&format!("tile/{path}"));
    }

    #[test]
    fn bundles_come_back(all: Vec<Vec<u8>>) {
        let mut bundle = Vec::new();
        all.iter().for_each(|entry| push_entry(&mut bundle, entry));
        let width = u16::try_from(all.len()).unwrap();
        prop_assert_eq!(parse_entries(&bundle, width).unwrap(), all);
        prop_assert!(parse_entries(&bundle, width + 1).is_err());
    }

    #[test]
    fn any_bytes_are_a_bundle_or_refused(bytes: Vec<u8>, width: u16) {
        if let Ok(entries) = parse_entries(&bytes, width) {
            let mut again = Vec::new();
            entries.iter().for_each(|entry| push_entry(&mut again, entry));
            prop_assert_eq!(again, bytes);
        }
    }

    #[test]
    fn any_bytes_are_a_tile_or_refused(bytes: Vec<u8>, width: u16) {
        if let Ok(hashes) = parse_hashes(&bytes, width) {
            prop_assert_eq!(write_hashes(&hashes), bytes);
        }
    }
}
