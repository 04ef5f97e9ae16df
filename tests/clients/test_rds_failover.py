"""Failover as an application sees it: write gaps, and that what was acknowledged is there afterwards.

`AWAN_TEST_FAILOVERS` says how often a primary is killed with its node (default 2)."""

import os
import signal
import threading
import time

import psycopg
import pytest

import rds

RUNS = int(os.environ.get("AWAN_TEST_FAILOVERS", "2"))
GAP_MAX = 8.0

pytestmark = pytest.mark.slow


class Writer(threading.Thread):
    """Commits one numbered row after the other through the gateway, connecting anew whenever it has to."""

    def __init__(self, conninfo):
        super().__init__(daemon=True)
        self.conninfo, self.ended = conninfo, threading.Event()
        self.acknowledged, self.gaps, self.last = [], [], None

    def run(self):
        number, connection = 0, None
        while not self.ended.is_set():
            number += 1
            try:
                if connection is None or connection.closed:
                    connection = psycopg.connect(self.conninfo, autocommit=True, connect_timeout=20)
                connection.execute("INSERT INTO probe (n) VALUES (%s)", (number,))
            except psycopg.Error:
                if connection is not None:
                    connection.close()
                connection = None
                time.sleep(0.02)
                continue
            now = time.monotonic()
            if self.last is not None:
                self.gaps.append(now - self.last)
            self.last = now
            self.acknowledged.append(number)

    def stop(self):
        self.ended.set()
        self.join(30)
        assert not self.is_alive()


@pytest.fixture(scope="module", params=["Sync", "Async"])
def pair(request, rds_client, cloud):
    instance = rds.make(rds_client, cloud, category="HighAvailability", sync=request.param)
    yield request.param, instance
    rds.delete(rds_client, instance)


def test_writes_go_on_within_seconds_and_nothing_acknowledged_is_lost(pair, rds_client, cloud):
    mode, instance = pair
    conninfo = rds.conninfo(rds_client, cloud, instance)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS probe (n bigint, at timestamptz DEFAULT now())")
        connection.execute("TRUNCATE probe")
    writer = Writer(conninfo)
    writer.start()
    gaps, lost_of_all = [], 0
    try:
        for _ in range(RUNS):
            rds.wait_for_standby(rds_client, instance)
            wait(lambda: writer.last is not None and time.monotonic() - writer.last < 0.5)
            before = rds.primary_zone(rds_client, instance)
            since = len(writer.gaps)
            rds.kill_primary_with_its_node(cloud, rds_client, instance, signal.SIGKILL)
            wait(lambda: len(writer.gaps) > since + 20 and max(writer.gaps[since:]) > 1, 60)
            gaps.append(max(writer.gaps[since:]))
            assert rds.primary_zone(rds_client, instance) != before
    finally:
        writer.stop()
    with psycopg.connect(conninfo) as connection:
        there = {n for (n,) in connection.execute("SELECT n FROM probe")}
    lost = [n for n in writer.acknowledged if n not in there]
    print(f"{mode}: gaps {[round(gap, 2) for gap in gaps]} s, {len(writer.acknowledged)} acknowledged, {len(lost)} lost")
    assert max(gaps) <= GAP_MAX
    if mode == "Sync":
        assert lost == []


def test_a_frozen_primary_that_wakes_up_takes_no_writes(pair, rds_client, cloud):
    _, instance = pair
    rds.wait_for_standby(rds_client, instance)
    before = rds.primary_zone(rds_client, instance)
    direct = rds.direct_conninfo(cloud, rds_client, instance)
    frozen = rds.signal_primary_with_its_node(cloud, rds_client, instance, signal.SIGSTOP)
    try:
        wait(lambda: rds.primary_zone(rds_client, instance) != before, 30)
        with psycopg.connect(rds.conninfo(rds_client, cloud, instance), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS after_failover (n int)")
    finally:
        rds.signal_all(frozen, signal.SIGCONT)
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            with psycopg.connect(direct, autocommit=True, connect_timeout=1) as connection:
                connection.execute("CREATE TABLE second_life (n int)")
        except psycopg.Error:
            time.sleep(0.05)
            continue
        pytest.fail("the primary that was frozen accepted a write")
    rds.wait_for_standby(rds_client, instance)


def wait(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to be in time"
        time.sleep(0.02)
