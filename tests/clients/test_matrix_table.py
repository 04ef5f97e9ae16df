"""The matrix as a whole: nothing is left out of it, and what is written of it is so."""

import importlib
from pathlib import Path

import oss_matrix
from oss_matrix import FEATURES, SIGNATURES, STYLES, combinations

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs/conformance.md"


def marked():
    """(feature, what it names of the clients) of every test of the matrix."""
    for path in sorted(HERE.glob("test_matrix_*.py")):
        for test in vars(importlib.import_module(path.stem)).values():
            for mark in getattr(test, "pytestmark", []):
                if mark.name == "feature":
                    yield mark.args


def test_every_feature_has_a_test_with_each_client_that_the_table_names():
    tested = {name: set() for name in FEATURES}
    for name, clients in marked():
        tested[name] |= set(combinations(clients))
    for name, (clients, why) in FEATURES.items():
        assert clients, f"no client covers {name}"
        assert tested[name] == set(combinations(clients)), name
        whole = {combination[:2] for combination in combinations(clients)}
        every = {(client, version) for client in SIGNATURES for version in SIGNATURES[client]}
        assert why or whole == every, f"the table must say why not every client covers {name}"


def test_the_sdks_of_oss_have_every_signature_and_style():
    found = {client: set() for client in SIGNATURES}
    for clients, _ in FEATURES.values():
        for client, *rest in combinations(clients):
            found[client].add(tuple(rest))
    for client, versions in SIGNATURES.items():
        assert found[client] == {(version, style) for version in versions for style in STYLES}


def row(name, clients, why):
    named = dict((client.split() + [""])[:2] for client in clients)

    def told(client):
        if client not in named:
            return "–"
        only = [named[client]] if named[client] else SIGNATURES[client]
        return " ".join(version.upper() for version in only)

    return f"| {name} | {' | '.join(told(client) for client in SIGNATURES)} | {why} |"


def test_the_table_of_the_docs_is_this_one():
    rows = [row(name, *told) for name, told in oss_matrix.FEATURES.items()]
    head = [
        "| feature | `oss2` | `oss-v2` | `boto3` | |",
        "|---|---|---|---|---|",
    ]
    table = "\n".join(head + rows)
    assert table in DOCS.read_text(), f"write this into {DOCS.name}:\n{table}"
