#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base::text::{hex, unhex};
use proptest::prelude::*;

use super::*;
use crate::testing::{Rows, flip};

/// The inputs of the Certificate Transparency reference tests, and the roots over the first 0 to 8.
const CT_LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn ct_tree() -> Rows {
    Rows::over(CT_LEAVES.iter().map(|leaf| Hash::leaf(&unhex(leaf).unwrap())).collect())
}

fn texts(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(|hash| hex(hash.as_bytes())).collect()
}

#[test]
fn roots_are_those_of_the_reference_tests() {
    for (size, expected) in (0..).zip(CT_ROOTS) {
        assert_eq!(hex(ct_tree().root(size).as_bytes()), expected, "size {size}");
    }
}

#[test]
fn inclusion_proofs_are_those_of_the_reference_tests() {
    let check = |index: u64, size: u64, expected: &[&str]| {
        let tree = ct_tree();
        let proof = tree.inclusion(index, size);
        assert_eq!(texts(&proof), expected, "entry {index} of {size}");
        assert_eq!(
            verify_inclusion(tree.leaf(index), index, size, &proof, tree.root(size)),
            Ok(())
        );
    };
    check(0, 1, &[]);
    check(
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    check(2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]);
    check(
        1,
        5,
        &[
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

#[test]
fn consistency_proofs_are_those_of_the_reference_tests() {
    let check = |old: u64, new: u64, expected: &[&str]| {
        let tree = ct_tree();
        let proof = tree.consistency(old, new);
        assert_eq!(texts(&proof), expected, "{old} to {new}");
        assert_eq!(verify_consistency(old, tree.root(old), new, tree.root(new), &proof), Ok(()));
    };
    check(1, 1, &[]);
    check(
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    check(
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    check(
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

/// The definitions of RFC 6962, 2.1, word for word: slow and without an index that could be wrong.
mod rfc {
    use super::*;

    fn half(leaves: &[Hash]) -> usize {
        leaves.len().next_power_of_two() / 2
    }

    pub(super) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::empty_tree(),
            [leaf] => *leaf,
            _ => Hash::node(root(&leaves[..half(leaves)]), root(&leaves[half(leaves)..])),
        }
    }

    pub(super) fn path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
        let half = half(leaves);
        let (mut path, sibling) = match leaves.len() {
            1 => return Vec::new(),
            _ if at < half => (path(at, &leaves[..half]), root(&leaves[half..])),
            _ => (path(at - half, &leaves[half..]), root(&leaves[..half])),
        };
        path.push(sibling);
        path
    }

    pub(super) fn subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        let half = half(leaves);
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![root(leaves)] };
        }
        let (mut proof, sibling) = if old <= half {
            (subproof(old, &leaves[..half], whole), root(&leaves[half..]))
        } else {
            (subproof(old - half, &leaves[half..], false), root(&leaves[..half]))
        };
        proof.push(sibling);
        proof
    }
}

#[test]
fn proofs_of_all_small_trees_are_those_of_the_definition() {
    let tree = Rows::of_entries(70);
    let leaves: Vec<_> = (0..70).map(|index| tree.leaf(index)).collect();
    for size in 1..=70_usize {
        let leaves = &leaves[..size];
        assert_eq!(tree.root(size as u64), rfc::root(leaves), "size {size}");
        for at in 0..size {
            assert_eq!(
                tree.inclusion(at as u64, size as u64),
                rfc::path(at, leaves),
                "{at} of {size}"
            );
            let old = at + 1;
            assert_eq!(
                tree.consistency(old as u64, size as u64),
                rfc::subproof(old, leaves, true),
                "{old} to {size}"
            );
        }
    }
}

#[test]
fn all_proofs_of_all_trees_up_to_600_entries_verify() {
    let tree = Rows::of_entries(600);
    let roots: Vec<_> = (0..=600).map(|size| tree.root(size)).collect();
    for new in 0..=600_u64 {
        let root = roots[new as usize];
        for old in 0..=new {
            let proof = tree.consistency(old, new);
            assert_eq!(
                verify_consistency(old, roots[old as usize], new, root, &proof),
                Ok(()),
                "{old} to {new}"
            );
        }
        for index in 0..new {
            let proof = tree.inclusion(index, new);
            assert_eq!(
                verify_inclusion(tree.leaf(index), index, new, &proof, root),
                Ok(()),
                "{index} of {new}"
            );
        }
    }
}

/// On which side each sibling of an inclusion proof stands: all that verification sees of the sizes.
fn inclusion_form(index: u64, size: u64) -> String {
    match size {
        0 => "none".to_owned(),
        1 if index == 0 => String::new(),
        1 => "none".to_owned(),
        _ if index < split(size) => inclusion_form(index, split(size)) + "R",
        _ => inclusion_form(index - split(size), size - split(size)) + "L",
    }
}

/// The same of a consistency proof, with the hash it starts from.
fn consistency_form(old: u64, new: u64, whole: bool) -> String {
    match () {
        () if old == new => if whole { "root" } else { "hash" }.to_owned(),
        () if old <= split(new) => consistency_form(old, split(new), whole) + "R",
        () => consistency_form(old - split(new), new - split(new), false) + "L",
    }
}

#[test]
fn another_index_or_size_is_refused_unless_its_path_has_the_same_form() {
    let tree = Rows::of_entries(40);
    for size in 1..=40 {
        let root = tree.root(size);
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            for other in 0..=41 {
                let as_index = verify_inclusion(tree.leaf(index), other, size, &proof, root);
                assert_eq!(as_index.is_ok(), other == index, "{index} of {size} as index {other}");
                let same_form =
                    index < other && inclusion_form(index, other) == inclusion_form(index, size);
                let as_size = verify_inclusion(tree.leaf(index), index, other, &proof, root);
                assert_eq!(as_size.is_ok(), same_form, "{index} of {size} as size {other}");
            }
        }
    }
}

#[test]
fn another_old_or_new_size_is_refused_unless_its_proof_has_the_same_form() {
    let tree = Rows::of_entries(40);
    for new in 2..=40 {
        for old in 1..new {
            let proof = tree.consistency(old, new);
            let form = consistency_form(old, new, true);
            for other in 1..=41 {
                let accepts = |old_claimed, new_claimed| {
                    verify_consistency(
                        old_claimed,
                        tree.root(old),
                        new_claimed,
                        tree.root(new),
                        &proof,
                    )
                    .is_ok()
                };
                let old_fits = other <= new && consistency_form(other, new, true) == form;
                assert_eq!(accepts(other, new), old_fits, "{old} to {new} as from {other}");
                let new_fits = other >= old && consistency_form(old, other, true) == form;
                assert_eq!(accepts(old, other), new_fits, "{old} to {new} as to {other}");
            }
        }
    }
}

#[test]
fn proofs_between_equal_or_empty_trees_are_empty() {
    let tree = Rows::of_entries(3);
    let (empty, three, hash) = (Hash::empty_tree(), tree.root(3), tree.leaf(0));
    assert_eq!(verify_consistency(0, empty, 3, three, &[]), Ok(()));
    assert_eq!(verify_consistency(0, hash, 3, three, &[]), Err(Error::Root));
    assert_eq!(verify_consistency(0, empty, 3, three, &[hash]), Err(Error::Length));
    assert_eq!(verify_consistency(3, three, 3, three, &[]), Ok(()));
    assert_eq!(verify_consistency(3, three, 3, hash, &[]), Err(Error::Root));
    assert_eq!(verify_consistency(3, three, 3, three, &[hash]), Err(Error::Length));
    assert_eq!(verify_consistency(3, three, 2, hash, &[]), Err(Error::Shrunk { old: 3, new: 2 }));
    assert_eq!(
        verify_inclusion(hash, 3, 3, &[], three),
        Err(Error::OutOfTree { index: 3, size: 3 })
    );
}

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash::from_bytes)
}

proptest! {
    #[test]
    fn a_tampered_inclusion_proof_fails(size in 2..600_u64, at: prop::sample::Index, place: prop::sample::Index, bit in 0..256_usize) {
        let tree = Rows::of_entries(size);
        let index = at.index(size as usize) as u64;
        let (leaf, root, proof) = (tree.leaf(index), tree.root(size), tree.inclusion(index, size));
        let accepts = |leaf, proof: &[Hash], root| verify_inclusion(leaf, index, size, proof, root).is_ok();
        prop_assert!(accepts(leaf, &proof, root));
        prop_assert!(!accepts(flip(leaf, bit), &proof, root));
        prop_assert!(!accepts(leaf, &proof, flip(root, bit)));
        let place = place.index(proof.len());
        let mut changed = proof.clone();
        changed[place] = flip(changed[place], bit);
        prop_assert!(!accepts(leaf, &changed, root));
        let mut shorter = proof.clone();
        shorter.remove(place);
        prop_assert!(!accepts(leaf, &shorter, root));
        let mut longer = proof;
        longer.insert(place, leaf);
        prop_assert!(!accepts(leaf, &longer, root));
    }

    #[test]
    fn a_tampered_consistency_proof_fails(new in 2..600_u64, at: prop::sample::Index, place: prop::sample::Index, bit in 0..256_usize) {
        let tree = Rows::of_entries(new);
        let old = at.index(new as usize - 1) as u64 + 1;
        let (before, after, proof) = (tree.root(old), tree.root(new), tree.consistency(old, new));
        let accepts = |before, proof: &[Hash], after| verify_consistency(old, before, new, after, proof).is_ok();
        prop_assert!(accepts(before, &proof, after));
        prop_assert!(!accepts(flip(before, bit), &proof, after));
        prop_assert!(!accepts(before, &proof, flip(after, bit)));
        let place = place.index(proof.len());
        let mut changed = proof.clone();
        changed[place] = flip(changed[place], bit);
        prop_assert!(!accepts(before, &changed, after));
        let mut shorter = proof.clone();
        shorter.remove(place);
        prop_assert!(!accepts(before, &shorter, after));
        let mut longer = proof;
        longer.insert(place, before);
        prop_assert!(!accepts(before, &longer, after));
    }

    #[test]
    fn verifying_takes_any_numbers_and_any_proof(a: u64, b: u64, proof in prop::collection::vec(hash(), 0..70), root in hash()) {
        let refused = verify_inclusion(Hash::empty_tree(), a, b, &proof, root);
        prop_assert!(refused.is_err());
        let _ = verify_consistency(a, Hash::empty_tree(), b, root, &proof);
    }
}
