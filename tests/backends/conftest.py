"""`AWAN` is the program under test; `PEER` names the kind of store and `PEER_PROGRAM` its program. `POSTGRES` is a file
with the connection string of an empty database, where the cloud is not to be on SQLite."""

import os

import pytest

from rig import Awan, Peer


@pytest.fixture(scope="session")
def peer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peer")
    peer = Peer(os.environ["PEER"], os.environ["PEER_PROGRAM"], folder)
    try:
        peer.start()
        yield peer
    finally:
        peer.program.kill()


@pytest.fixture(scope="session")
def awan(peer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("awan")
    awan = Awan(os.environ["AWAN"], peer, folder, os.environ.get("POSTGRES"))
    try:
        awan.start()
        yield awan
    finally:
        awan.program.kill()


@pytest.fixture(autouse=True)
def nothing_is_left(awan, peer):
    """Whatever a test did, in the end the store is as empty as the cloud."""
    from test_backends import assert_empty

    assert_empty(awan, peer)
    yield
    assert_empty(awan, peer)
