#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use super::*;
use crate::testing::Rows;

/// Grows a tree leaf by leaf and keeps every full tile.
fn grow(rows: &Rows, size: u64) -> (Edge, BTreeMap<Tile, Vec<Hash>>) {
    let (mut edge, mut full) = (Edge::default(), BTreeMap::new());
    for index in 0..size {
        let Ok(()) = edge.push(rows.leaf(index), |tile, hashes| {
            assert_eq!(full.insert(tile, hashes.to_vec()), None, "{tile} is full once");
            Ok::<_, Infallible>(())
        });
    }
    (edge, full)
}

#[test]
fn the_root_of_the_edge_is_that_of_the_tree_at_every_size() {
    let rows = Rows::of_entries(1_100);
    let mut edge = Edge::default();
    assert_eq!(edge.root(), Hash::empty_tree());
    for size in 1..=1_100 {
        let Ok(()) = edge.push(rows.leaf(size - 1), |_, _| Ok::<_, Infallible>(()));
        assert_eq!((edge.size(), edge.root()), (size, rows.root(size)));
    }
}

#[test]
fn an_edge_of_three_levels_hands_over_the_tiles_of_the_specification() {
    let rows = Rows::of_entries(70_000);
    let (edge, full) = grow(&rows, 70_000);
    assert_eq!(edge.root(), rows.root(70_000));
    let full_of = |level| full.keys().filter(|tile| tile.kind == Kind::Hashes { level }).count();
    assert_eq!((full_of(0), full_of(1), full_of(2)), (273, 1, 0));
    let widths: Vec<_> =
        edge.partial_tiles().map(|(tile, hashes)| (tile.to_string(), hashes.len())).collect();
    let expected = [("tile/0/273.p/112", 112), ("tile/1/001.p/17", 17), ("tile/2/000.p/1", 1)];
    assert_eq!(widths, expected.map(|(path, width)| (path.to_owned(), width)));
}

#[test]
fn a_restored_edge_goes_on_as_if_it_had_never_stopped() {
    let rows = Rows::of_entries(66_000);
    for size in [0, 1, 255, 256, 257, 512, 65_535, 65_536, 65_537] {
        let (edge, _) = grow(&rows, size);
        let partial: BTreeMap<_, _> =
            edge.partial_tiles().map(|(tile, hashes)| (tile, hashes.to_vec())).collect();
        let Ok(mut restored) =
            Edge::restore(size, |tile| Ok::<_, Infallible>(partial[&tile].clone()));
        assert_eq!(restored.root(), rows.root(size), "{size}");
        for index in size..size + 300 {
            let Ok(()) = restored.push(rows.leaf(index), |_, _| Ok::<_, Infallible>(()));
        }
        assert_eq!(restored.root(), rows.root(size + 300), "{size} + 300");
    }
}
