"""Failover as an application sees it: how long nothing can be written, and that what was acknowledged is there afterwards.

`AWAN_TEST_FAILOVERS` says how often a primary is killed with its node (default 2)."""

import os
import signal
import threading
import time

import psycopg
import pytest

from databases import Databases, send_signal, until
from support import Clients

RUNS = int(os.environ.get("AWAN_TEST_FAILOVERS", "2"))
GAP_MAX_SECONDS = 8.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + 60 * RUNS),
    pytest.mark.skipif(
        "AWAN_TEST_FAILOVERS" not in os.environ,
        reason="minutes of killed and frozen nodes: set AWAN_TEST_FAILOVERS to how often",
    ),
]


class Writer(threading.Thread):
    """Commits one numbered row after the other through the gateway, and connects anew whenever it has to."""

    def __init__(self, pair):
        super().__init__(daemon=True)
        self.connect = lambda: pair.connect(host=host)
        host = pair.attribute().connection_string
        self.ended = threading.Event()
        self.acknowledged, self.times, self.failures = [], [], []

    def run(self):
        number, session = 0, None
        while not self.ended.is_set():
            number += 1
            try:
                if session is None:
                    session = self.connect()
                session.execute("insert into probe (n) values (%s)", (number,))
            except psycopg.Error:
                self.failures.append(time.monotonic())
                if session is not None:
                    session.close()
                session = None
                time.sleep(0.02)
                continue
            self.times.append(time.monotonic())
            self.acknowledged.append(number)
        if session is not None:
            session.close()

    def writes(self, since):
        """Whether some rows were acknowledged after that moment."""
        return len(self.times) > 20 and self.times[-20] > since

    def gap(self, since):
        """The longest time without an acknowledged row that ended after that moment, seconds."""
        times = self.times[:]
        return max(after - before for before, after in zip(times, times[1:]) if after > since)

    def wrote_after_a_break(self, since):
        """Whether rows were acknowledged after one failed since that moment."""
        failed = [at for at in self.failures[:] if at > since]
        return bool(failed) and self.writes(failed[-1])

    def stop(self):
        self.ended.set()
        self.join(60)
        assert not self.is_alive()


@pytest.fixture(scope="module")
def databases(cloud):
    all = Databases(cloud, Clients(cloud, "http").rds())
    yield all
    all.remove_all()


@pytest.fixture(scope="module", params=["Sync", "Async"])
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def pair(mode, databases):
    made = databases.create_pair(mode)
    yield made
    made.remove()


def kill(pair, site):
    """Its server and the node that keeps it die. The cloud starts the node again: the primary may come back where it
    was, or its standby takes over, whichever is sooner."""
    send_signal(pair.processes_and_node(site), signal.SIGKILL)
    return []


def lose(pair, site):
    """As when the machine is gone: its server dies, and its node answers nobody. Gives what is to be woken."""
    node, *server = pair.processes_and_node(site)
    send_signal([node], signal.SIGSTOP)
    send_signal(server, signal.SIGKILL)
    return [node]


@pytest.mark.parametrize("strike", [kill, lose])
def test_writes_go_on_within_seconds_and_nothing_acknowledged_is_lost(pair, mode, strike):
    with pair.connect() as session:
        session.execute("drop table if exists probe")
        session.execute("create table probe (n bigint)")
    writer = Writer(pair)
    writer.start()
    gaps, primaries = [], []
    try:
        for _ in range(RUNS):
            pair.paired()
            now = time.monotonic()
            until("writing", lambda: writer.writes(now), 30)
            before = pair.primary()
            struck = time.monotonic()
            asleep = strike(pair, before)
            try:
                if asleep:
                    until("another primary", lambda: pair.primary() != before, 30)
                    # Commits that wait for the standby wait until it is back.
                    send_signal(asleep, signal.SIGCONT)
                until("writing", lambda: writer.wrote_after_a_break(struck), 60)
            finally:
                send_signal(asleep, signal.SIGCONT)
            gaps.append(round(writer.gap(struck), 2))
            primaries.append(f"{before} > {pair.primary()}")
        # The primary that was struck last follows too, or serves again.
        pair.paired()
    finally:
        writer.stop()
    with pair.connect() as session:
        there = {n for (n,) in session.execute("select n from probe")}
    lost = [n for n in writer.acknowledged if n not in there]
    print(
        f"{mode}, {strike.__name__}: gaps {gaps} s, primaries {primaries},"
        f" {len(writer.acknowledged)} rows acknowledged, {len(lost)} lost"
    )
    assert max(gaps) <= GAP_MAX_SECONDS
    if mode == "Sync":
        assert lost == []


def test_a_frozen_primary_that_wakes_up_takes_no_writes(pair):
    pair.paired()
    before = pair.primary()
    host = pair.attribute().connection_string
    # A session from before is the one way in that no new address list could close.
    session = pair.connect(port=str(pair.door(before)))
    frozen = pair.processes_and_node(before)
    send_signal(frozen, signal.SIGSTOP)
    try:
        until("another primary", lambda: pair.primary() != before, 30)
        with pair.connect(host=host) as after:
            # The one that is frozen is the copy that synchronous commits wait for.
            after.execute("set synchronous_commit = local")
            after.execute("create table after_failover (n int)")
    finally:
        send_signal(frozen, signal.SIGCONT)
    with pytest.raises(psycopg.Error):
        session.execute("create table second_life (n int)")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            with pair.connect(host=host, port=str(pair.door(before)), connect_timeout="2") as direct:
                direct.execute("create table second_life (n int)")
        except (psycopg.Error, FileNotFoundError):
            time.sleep(0.05)
            continue
        pytest.fail("the primary that was frozen took a write")
    pair.paired()
    assert pair.ask("select to_regclass('second_life')::text") == (None,)
