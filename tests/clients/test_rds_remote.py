"""A node of databases on another machine, as far as one machine shows it: a second program with a directory of its own
on another address, enrolled as an operator would. The cloud is one of this test's own, since it has to be told."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from alibabacloud_rds20140815 import models

from databases import HIGHLY_AVAILABLE, Databases, send_signal, until
from support import Clients, Cloud

CLOUD, NODE = "127.0.0.3", "127.0.0.2"
HERE, THERE = "jkt-a", "jkt-b"
ZONE_HERE, ZONE_THERE = "ap-southeast-5a", "ap-southeast-5b"

CENTRES = f"""
[[data_centre]]
site = "{HERE}"
zone = "{ZONE_HERE}"
country = "ID"
city = "Jakarta"

[[data_centre]]
site = "{THERE}"
zone = "{ZONE_THERE}"
country = "ID"
city = "Bandung"
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def free(address, near=0):
    """A port that is free on that address, with its neighbours where a cloud takes them."""
    while True:
        with socket.socket() as first:
            first.bind((address, 0))
            port = first.getsockname()[1]
            try:
                for offset in range(1, near):
                    with socket.socket() as other:
                        other.bind((address, port + offset))
            except OSError:
                continue
            return port


def programs_in(folder):
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(folder):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


class Place:
    """The cloud of this test, and the node beside it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.config, self.data_dir, self.far = folder / "awan.toml", folder / "cloud", folder / "far"
        self.config.write_text(CENTRES)
        self.running = {}

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, timeout=60)

    def start(self, name, told, *words):
        """Starts one of the two and waits until it tells that it answers."""
        with (self.folder / f"{name}.log").open("a") as log:
            process = subprocess.Popen([self.program, "serve", *map(str, words)], stdout=log, stderr=log)
        self.running[name] = process

        def ready():
            assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2000:]
            return told.exists()

        until(f"the {name}", ready, 60)

    def start_cloud(self):
        told = self.data_dir / "cloud.json"
        told.unlink(missing_ok=True)
        base = free("127.0.0.1", 8)
        where = ["--data-dir", self.data_dir, "--config", self.config, "--port-base", base]
        self.start("cloud", told, *where)

    def start_node(self):
        told = self.far / "node.json"
        told.unlink(missing_ok=True)
        self.start("node", told, "--role", "db-node", "--data-dir", self.far)

    def stop(self, name):
        process = self.running.pop(name, None)
        if process is not None:
            process.terminate()
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def enroll(self, site, port, output):
        where = ["--data-dir", self.data_dir, "--config", self.config]
        return self.run("node", "enroll", site, "--address", f"{NODE}:{port}", "--output", output, *where)

    def servers(self, instance):
        """The processes of an instance at the node."""
        return programs_in(self.far / "instances" / instance.id)


@pytest.fixture(scope="module")
def place(cloud):
    # The program that runs the cloud of the other tests.
    process = (cloud.data_dir / "lock").read_text().strip()
    program = os.readlink(f"/proc/{process}/exe")
    folder = Path(tempfile.mkdtemp(prefix="awan-far-", dir="/tmp")).resolve()
    folder.chmod(0o711)  # servers have users of their own
    place = Place(program, folder)
    try:
        place.start_cloud()
        place.stop("cloud")
        port = free(NODE)
        made = place.enroll(THERE, port, place.far)
        assert made.returncode == 0, made.stderr
        assert f'{THERE} = "{NODE}:{port}"' in made.stdout
        place.config.write_text(
            f'{CENTRES}\n[rds]\nlisten = "{CLOUD}"\n\n[rds.nodes]\n{THERE} = "{NODE}:{port}"\n'
        )
        place.start_node()
        place.start_cloud()
        yield place
    finally:
        place.stop("cloud")
        place.stop("node")
        left = programs_in(folder)
        send_signal(left, signal.SIGKILL)
        shutil.rmtree(folder)
    assert left == [], "something ran on"


@pytest.fixture(scope="module")
def databases(place):
    there = Cloud(place.data_dir / "cloud.json")
    all = Databases(there, Clients(there, "http").rds())

    def known():
        zones = all.client.describe_available_zones(
            models.DescribeAvailableZonesRequest(region_id=there.region, engine="PostgreSQL")
        ).body.available_zones
        return {ZONE_HERE, ZONE_THERE} <= {zone.zone_id for zone in zones}

    until("the engines of the node", known)
    yield all
    all.remove_all()
    assert all.ids().isdisjoint(instance.id for instance in all.made)


def inner(instance):
    """The address and port of the server itself."""
    infos = instance.client.describe_dbinstance_net_info(
        models.DescribeDBInstanceNetInfoRequest(dbinstance_id=instance.id)
    ).body.dbinstance_net_infos.dbinstance_net_info
    return next((info.ipaddress, int(info.port)) for info in infos if info.iptype == "Inner")


def test_an_enrolled_directory_is_whole_private_and_never_overwritten(place):
    modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in place.far.iterdir()}
    assert modes["node-key.pem"] == modes["node-config.json"] == 0o600
    key = (place.far / "node-key.pem").read_text()
    again = place.enroll(THERE, 7300, place.far)
    assert again.returncode != 0 and "is there already" in again.stderr, again
    assert (place.far / "node-key.pem").read_text() == key
    unknown = place.enroll("sby-a", 7300, place.folder / "other")
    assert unknown.returncode != 0 and "no data centre" in unknown.stderr, unknown
    assert not (place.folder / "other").exists()


def test_an_instance_there_is_reached_through_the_gateway_backed_up_and_restored(databases):
    far = databases.create(zone_id=ZONE_THERE)
    assert inner(far)[0] == NODE
    far.make_account()
    far.make_database("app")
    with far.connect() as session:
        session.execute("create table kept as select generate_series(1, 1000) as n")
        # Its own server, and not one that happens to answer by that name.
        assert session.execute("select inet_server_addr()::text, inet_client_addr()::text").fetchone() == (
            f"{NODE}/32",
            f"{CLOUD}/32",
        )
    code, said = far.psql("select count(*) from kept")
    assert (code, said) == (0, "1000")
    backup = far.back_up()
    assert backup.backup_status == "Success" and int(backup.backup_size) > 0, backup
    clone = far.clone(backup_id=backup.backup_id, zone_id=ZONE_HERE)
    clone.allow("127.0.0.1")
    assert until("the clone", lambda: clone.ask("select count(*) from kept")) == (1000,)
    assert inner(clone)[0] == CLOUD


@pytest.fixture(scope="module")
def pair(place, databases):
    """A primary there, its standby here."""
    pair = databases.create(
        dbinstance_class=HIGHLY_AVAILABLE,
        category="HighAvailability",
        zone_id=ZONE_THERE,
        zone_id_slave_1=ZONE_HERE,
    )
    pair.client.modify_dbinstance_haconfig(
        models.ModifyDBInstanceHAConfigRequest(db_instance_id=pair.id, hamode="RPO", sync_mode="Async")
    )
    pair.running()
    pair.make_account()
    pair.make_database("app")
    followed(pair)
    if pair.primary() != THERE:
        switch(pair, THERE)
    return pair


def switch(pair, site):
    pair.client.switch_dbinstance_ha(models.SwitchDBInstanceHARequest(dbinstance_id=pair.id, node_id=site))
    until(f"a primary in {site}", lambda: pair.primary() == site, 60)
    followed(pair)


def followed(pair):
    """Waits until the other member follows, as the primary sees it: what the cloud tells may be of before."""
    pair.paired()
    other = HERE if pair.primary() == THERE else THERE
    streams = "select count(*) from pg_stat_replication where state = 'streaming' and application_name like %s"
    until("a standby", lambda: pair.ask(streams, f"%{other.replace('-', '_')}")[0] == 1, 60)


def follows(place, pair, host):
    """Whether a member follows another, knowing it by the name in its certificate."""
    text = (place.far / "instances" / pair.id / "conf/postgresql.conf").read_text()
    line = next((line for line in text.splitlines() if line.startswith("primary_conninfo")), "")
    return "sslmode=verify-full" in line and f"hostaddr=''{host}''" in line


def test_a_primary_there_that_freezes_takes_no_writes_when_it_wakes(place, pair):
    assert pair.primary() == THERE
    with pair.connect() as session:
        session.execute("create table before_freeze (n int)")
    followed(pair)
    address, port = inner(pair)
    assert address == NODE
    host = pair.attribute().connection_string
    # A session past the gateway, which therefore ends nothing of it.
    session = pair.connect(hostaddr=NODE, port=str(port))
    frozen = [place.running["node"].pid, *place.servers(pair)]
    assert len(frozen) > 3
    send_signal(frozen, signal.SIGSTOP)
    try:
        until("a primary here", lambda: pair.primary() == HERE, 30)
        with pair.connect(host=host) as after:
            after.execute("create table after_freeze (n int)")
        # The node looks at its leases first: what was sent to it meanwhile, grants too, is of before.
        send_signal(frozen[:1], signal.SIGCONT)
        until("the end of its server", lambda: not set(frozen[1:]) & set(place.servers(pair)), 10)
    finally:
        send_signal(frozen, signal.SIGCONT)
    with pytest.raises(psycopg.Error):
        session.execute("create table second_life (n int)")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            with pair.connect(host=host, hostaddr=NODE, port=str(port), connect_timeout="2") as direct:
                direct.execute("create table second_life (n int)")
        except psycopg.Error:
            time.sleep(0.05)
            continue
        pytest.fail("the primary that was frozen took a write")
    # It comes back behind the one that is here, whose server is reached from there.
    followed(pair)
    until("following here", lambda: follows(place, pair, CLOUD), 30)
    assert pair.ask("select to_regclass('second_life')::text, to_regclass('after_freeze')::text") == (
        None,
        "after_freeze",
    )


def test_a_node_there_that_is_killed_is_succeeded_and_rejoins_when_it_is_started(place, pair):
    if pair.primary() != THERE:
        switch(pair, THERE)
    with pair.connect() as session:
        session.execute("create table held (n int)")
        session.execute("insert into held select generate_series(1, 100)")
    followed(pair)
    host = pair.attribute().connection_string
    node = place.running.pop("node")
    server = place.servers(pair)
    send_signal([node.pid, *server], signal.SIGKILL)
    node.wait()
    until("a primary here", lambda: pair.primary() == HERE, 30)
    with pair.connect(host=host) as session:
        session.execute("insert into held values (101)")
    place.start_node()
    followed(pair)
    assert pair.primary() == HERE
    with pair.connect(host=host) as session:
        assert session.execute("select count(*) from held").fetchone() == (101,)
    # Once more the other way: all that was written here meanwhile is there.
    switch(pair, THERE)
    assert pair.ask("select count(*) from held") == (101,)
    assert json.loads((place.far / "node.json").read_text())["pid"] == place.running["node"].pid
