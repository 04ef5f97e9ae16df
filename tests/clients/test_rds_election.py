"""Data of a real size through a crash: the polling stations of the election of 2024, loaded with COPY in batches while
the server is killed."""

import collections
import json
import os
import signal
import tarfile
import time
from pathlib import Path

import psycopg
import pytest

from databases import Databases, send_signal, until
from support import Clients

ARCHIVE = Path(__file__).parents[2] / "examples/pemilu2024/ridwaanhall-pemilu2024.tar.xz"
TREE = "/data/wilayah/pemilu/ppwp/"
# As the README beside the archive counts them.
STATIONS = 822_116
BATCH = 10_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def stations():
    """Every polling station: its code, the code of its village, and its name."""
    rows = []
    with tarfile.open(ARCHIVE) as tree:
        for member in tree:
            _, below, path = member.name.partition(TREE)
            # The lists of stations are the files of villages, at the fourth level below the country.
            if below and path.count("/") == 3:
                village = Path(path).stem
                rows += ((one["kode"], village, one["nama"]) for one in json.load(tree.extractfile(member)))
    assert len(rows) == STATIONS
    return rows


@pytest.fixture(params=["Basic", "Sync"])
def instance(request, cloud):
    """One with a standby or without, an account and a database."""
    databases = Databases(cloud, Clients(cloud, "http").rds())
    if request.param == "Basic":
        made = databases.create()
        made.make_account()
        made.make_database("app")
    else:
        made = databases.create_pair(request.param)
    yield made
    databases.remove_all()


class Loader:
    """Loads batches, each in one transaction that says which it is: who does not know whether one was committed
    tries it again, and it counts once."""

    def __init__(self, instance):
        host = instance.attribute().connection_string
        self.connect = lambda: instance.connect(host=host)
        self.session, self.acknowledged, self.broken, self.found = self.connect(), [], 0, 0

    def load(self, number, rows):
        end = time.monotonic() + 60
        while number not in self.acknowledged:
            try:
                if self.session is None:
                    self.session = self.connect()
                self.attempt(number, rows)
            except psycopg.errors.UniqueViolation:
                self.found += 1  # committed, and its answer was lost
            except psycopg.Error:
                assert time.monotonic() < end, f"batch {number} could not be loaded in a minute"
                self.broken += 1
                if self.session is not None:
                    self.session.close()
                self.session = None
                time.sleep(0.05)
                continue
            self.acknowledged.append(number)

    def attempt(self, number, rows):
        with self.session.transaction(), self.session.cursor() as cursor:
            cursor.execute("insert into muatan values (%s)", (number,))
            with cursor.copy("copy tps (kode, desa, nama, muatan) from stdin") as copy:
                for row in rows:
                    copy.write_row((*row, number))


def test_batches_of_the_election_survive_a_killed_server_and_add_up(instance, stations):
    loader = Loader(instance)
    loader.session.execute(
        "create table muatan (n int primary key);"
        "create table tps (kode text not null, desa text not null, nama text not null, muatan int references muatan)"
    )
    batches = [stations[start : start + BATCH] for start in range(0, len(stations), BATCH)]
    before = killed_at = None
    start = time.monotonic()
    for number, rows in enumerate(batches):
        if number == len(batches) // 2:
            before = list(loader.acknowledged)
            server = instance.processes(instance.primary())[0]
            killed_at = time.monotonic()
            send_signal([server], signal.SIGKILL)
            loader.load(number, rows)
            waited = time.monotonic() - killed_at
        else:
            loader.load(number, rows)
    took = time.monotonic() - start
    assert loader.broken, "no connection broke: was the server killed?"
    assert before == list(range(len(batches) // 2)) and loader.acknowledged == list(range(len(batches)))
    with instance.connect() as session:
        counts = dict(session.execute("select muatan, count(*) from tps group by muatan").fetchall())
        assert counts == {number: len(rows) for number, rows in enumerate(batches)}
        provinces = dict(
            session.execute("select left(kode, 2), count(*) from tps group by 1 order by 1").fetchall()
        )
        villages = session.execute("select count(distinct desa) from tps").fetchone()
    assert provinces == collections.Counter(code[:2] for code, _, _ in stations)
    assert sum(provinces.values()) == STATIONS and villages == (len({village for _, village, _ in stations}),)
    print(
        f"{STATIONS} rows in {len(batches)} batches in {took:.1f} s; the batch after the kill took {waited:.2f} s,"
        f" {loader.broken} connections broke, {loader.found} answers were lost; {len(provinces)} provinces"
    )
