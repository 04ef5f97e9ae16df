"""A cluster that its operator runs under Patroni, offered as an instance: a cloud of its own takes it in, the gateway
follows its leader, and a switch-over comes through the vendor's SDK.

`AWAN_PROGRAM` names the program; without it there is no cloud that knows the cluster."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest
from alibabacloud_rds20140815 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from clusters import LOGIN, NAMES, PASSWORD, Cluster, free_ports
from databases import Instance, until
from support import Clients, Cloud

HOST = "gudang.pg.rds.localhost"
SITES = {"pg1": "jkt-a", "pg2": "jkt-b"}
# Distances of doors from the port base.
DOORS = (0, 1, 4, 5, 6)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif("AWAN_PROGRAM" not in os.environ, reason="AWAN_PROGRAM names no program"),
]


@pytest.fixture(scope="module")
def cluster():
    cluster = Cluster(HOST)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def configuration(cluster):
    """That of the other tests, and the cluster."""
    password = cluster.home / "api-password"
    password.touch(0o600)
    password.write_text(LOGIN[1])
    members = ", ".join(
        f'{{ name = "{name}", api = "https://127.0.0.1:{cluster.apis[name]}", site = "{SITES[name]}" }}'
        for name in NAMES
    )
    return (
        (Path(__file__).parent / "awan.toml").read_text()
        + f"""
[[rds.patroni]]
name = "gudang"
class = "pg.n2.2c.2m"
storage_gib = 20
ca = "{cluster.ca}"
user = "{LOGIN[0]}"
password = "file:{password}"
member = [{members}]
"""
    )


def free_base():
    """A first port whose doors are all free."""
    for base in free_ports(20):
        with contextlib.ExitStack() as held:
            try:
                for door in DOORS:
                    held.enter_context(socket.socket()).bind(("127.0.0.1", base + door))
            except OSError:
                continue
            return base
    raise AssertionError("no ports are free")


@pytest.fixture(scope="module")
def patronised(cloud, cluster):
    """A cloud that is told of the cluster. (`cloud`, the shared one, sets the clients up.)"""
    home = Path(tempfile.mkdtemp(prefix="awan-cloud-"))
    config = home / "awan.toml"
    config.write_text(configuration(cluster))
    command = [os.environ["AWAN_PROGRAM"], "serve", "--data-dir", str(home / "data")]
    command += ["--config", str(config), "--port-base", str(free_base())]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    described = home / "data/cloud.json"

    def ready():
        assert process.poll() is None, (home / "log").read_text()
        try:
            return json.loads(described.read_text()).get("endpoints")
        except (FileNotFoundError, ValueError):
            return None

    try:
        until("the cloud", ready)
        yield Cloud(described)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
            print((home / "log").read_text()[-4000:])
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def instance(cluster, patronised):
    """The cluster, as its tenant sees it."""
    cluster.wait()
    cluster.make_owner()
    client = Clients(patronised, "http").rds()

    def listed():
        return client.describe_dbinstances(
            models.DescribeDBInstancesRequest(region_id=patronised.region)
        ).body.items.dbinstance

    found = until("the instance", listed, 30)[0]
    told = Told(client, patronised, found.dbinstance_id)
    until("both nodes", lambda: told.node("Slave").sync_status == "Synchronized", 30)
    return told


class Told(Instance):
    """An instance that no test made and none removes."""

    def __init__(self, client, cloud, id):
        self.cloud, self.client, self.id = cloud, client, id

    def session(self, cluster):
        return psycopg.connect(
            **{
                **self.place("app", host=HOST),
                "sslrootcert": str(cluster.ca),
                "password": PASSWORD,
                "autocommit": True,
            }
        )

    def switch(self, to):
        self.client.switch_dbinstance_ha(
            models.SwitchDBInstanceHARequest(dbinstance_id=self.id, node_id=to)
        )


class Writer(threading.Thread):
    """Commits through the gateway, one row after the other, and connects anew whenever it has to."""

    def __init__(self, connect):
        super().__init__(daemon=True)
        self.connect, self.ended, self.times = connect, threading.Event(), []

    def run(self):
        session = None
        while not self.ended.is_set():
            try:
                session = session or self.connect()
                session.execute("insert into probe values (now())")
                self.times.append(time.monotonic())
            except psycopg.Error:
                if session is not None:
                    session.close()
                session = None
                time.sleep(0.02)
        if session is not None:
            session.close()

    def gap_since(self, moment, seconds):
        """The longest time without a row that ended after that moment, once one was written past a break."""
        until("rows after the change", lambda: self.times[-1] > moment + 0.5 and self.broke(moment), seconds)
        return self.broke(moment)

    def broke(self, moment):
        times = self.times[:]
        gaps = [b - a for a, b in zip(times, times[1:]) if b > moment]
        longest = max(gaps, default=0)
        return longest if longest > 0.2 else 0

    def stop(self):
        self.ended.set()
        self.join(30)
        assert not self.is_alive()


@pytest.fixture
def writer(instance, cluster):
    with instance.session(cluster) as session:
        session.execute("create table if not exists probe (at timestamptz)")
    writer = Writer(lambda: instance.session(cluster))
    writer.start()
    until("the first rows", lambda: len(writer.times) > 10)
    yield writer
    writer.stop()


def test_a_cluster_is_shown_as_an_instance_that_its_operator_keeps(instance, cluster, patronised):
    told = instance.attribute()
    assert told.dbinstance_status == "Running" and told.category == "HighAvailability", told
    assert told.connection_string == HOST and told.port == str(patronised.port("postgres"))
    assert "Patroni" in told.tips
    assert instance.primary() == cluster.leader()
    assert instance.node("Master").zone_id == f"ap-southeast-5{SITES[instance.primary()][-1]}"
    with instance.session(cluster) as session:
        version, reached = session.execute(
            "select split_part(version(), ' ', 2), current_setting('port')"
        ).fetchone()
    assert told.current_kernel_version == version.split("-")[0]
    assert int(reached) == cluster.servers[instance.primary()]
    with pytest.raises(AlibabaCloudException) as refused:
        instance.client.delete_dbinstance(models.DeleteDBInstanceRequest(dbinstance_id=instance.id))
    assert refused.value.code == "OperationDenied.NotSupported"


def test_a_white_list_is_held_at_the_gateway(instance, cluster):
    instance.allow("10.0.0.0/8")

    def kept_out():
        try:
            instance.session(cluster).close()
        except psycopg.OperationalError:
            return True
        return False

    until("the refusal", kept_out)
    instance.allow("127.0.0.1")
    until("the way in", lambda: not kept_out())
    instance.running()


def test_a_switch_over_is_asked_for_through_the_sdk(instance, cluster, writer):
    before = instance.primary()
    (other,) = set(NAMES) - {before}
    asked = time.monotonic()
    instance.switch(other)
    instance.running()
    gap = writer.gap_since(asked, 60)
    print(f"switch-over: {gap:.1f} s without a row")
    assert instance.primary() == other == cluster.leader()
    assert gap < 20


def test_a_restart_is_one_of_every_server(instance, cluster):
    until("both nodes", lambda: instance.node("Slave").sync_status == "Synchronized", 60)
    before = {name: cluster.started(name) for name in NAMES}
    instance.client.restart_dbinstance(
        models.RestartDBInstanceRequest(dbinstance_id=instance.id)
    )
    instance.running()
    assert all(cluster.started(name) > before[name] for name in NAMES)
    instance.session(cluster).close()


def test_the_gateway_follows_when_the_leader_dies(instance, cluster, writer):
    until("both nodes", lambda: instance.node("Slave").sync_status == "Synchronized", 60)
    lost = instance.primary()
    killed = time.monotonic()
    cluster.kill(lost)
    gap = writer.gap_since(killed, 90)
    print(f"the leader died: {gap:.1f} s without a row")
    assert cluster.leader() != lost
    until("the new leader", lambda: instance.primary() == cluster.leader(), 10)
    # Patroni waits for its ttl of 20 s.
    assert gap < 60
