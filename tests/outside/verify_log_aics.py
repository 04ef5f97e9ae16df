#!/usr/bin/env python3
"""Judges a transparency log with `aics-tlog`, which shares no code with the log or with Go's verifier.

    verify_log_aics.py FOLDER VKEY [CHECKPOINTS]

FOLDER is the log's (c2sp.org/tlog-tiles), VKEY its verifier key, CHECKPOINTS a folder of checkpoints
kept while the log grew. Checked: the signature of every checkpoint, every tile and every entry
against the newest one, the inclusion proof of every entry, that every older checkpoint is a
beginning of the next and of the newest, and that no two of one size differ.
"""

import importlib.metadata
import sys
from pathlib import Path

from aics_tlog import (
    FileSystemTileReader,
    MerkleTree,
    consistency_proof_from_tiles,
    leaf_hash,
    parse_note,
    parse_vkey,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)
from aics_tlog.verified import VerifiedTileReader, audit_tiles


def opened(path, key):
    """(size, root) of a checkpoint whose signature is good."""
    result = verify_checkpoint(parse_note(path.read_bytes()), key, [], 0, expected_origin=key.name)
    if not result.ok:
        sys.exit(f"{path}: {result.error}")
    return result.size, result.root


def check_entries(tiles, size, root):
    """Every tile, every entry and the inclusion proof of each."""
    audit_tiles(tiles, size, root)
    proven = VerifiedTileReader(tiles, size, root)
    # From the tiles a proof costs as much as the whole tree; made from the entries, it costs little.
    tree = MerkleTree(proven.entry(index) for index in range(size))
    for index in range(size):
        leaf = leaf_hash(tree.leaf_data(index))
        if not verify_inclusion(leaf, index, size, tree.inclusion_proof(index), root):
            sys.exit(f"entry {index}: its inclusion proof is wrong")


def check_growth(tiles, heads):
    """Each head of `heads`, sorted, is a beginning of the next and of the last."""
    pairs = set(zip(heads, heads[1:])) | {(head, heads[-1]) for head in heads[:-1]}
    for (old, old_root), (new, new_root) in sorted(pairs):
        if old == new:
            sys.exit(f"two checkpoints of size {old} differ")
        if old == 0:
            continue
        proof = consistency_proof_from_tiles(VerifiedTileReader(tiles, new, new_root), old, new)
        if not verify_consistency(old, new, old_root, new_root, proof):
            sys.exit(f"the log of size {new} does not begin with that of size {old}")
    return len(pairs)


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    folder, key = Path(sys.argv[1]), parse_vkey(sys.argv[2])
    tiles = FileSystemTileReader(folder)
    size, root = opened(folder / "checkpoint", key)
    kept = sorted(Path(sys.argv[3]).iterdir()) if len(sys.argv) == 4 else []
    heads = {opened(path, key) for path in kept} | {(size, root)}
    if max(heads)[0] > size:
        sys.exit(f"the log has {size} entries and had {max(heads)[0]}: it was cut back")
    check_entries(tiles, size, root)
    pairs = check_growth(tiles, sorted(heads))
    print(
        f"aics-tlog {importlib.metadata.version('aics-tlog')}: signatures ok, "
        f"{size} entries included, {len(heads)} checkpoints, {pairs} pairs consistent"
    )


if __name__ == "__main__":
    main()
