"""Relational databases as their owner sees them: instances through the vendor's SDK, sessions through the gateway with the
certificate checked."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
from alibabacloud_rds20140815 import models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException

from support import unique

CLASS = "pg.n1e.1c.1m"
LARGER = "pg.n2e.1c.1m"
HIGHLY_AVAILABLE = "pg.n2.2c.2m"
PASSWORD = "Rahasia-uji-2026"
NOT_FOUND = "InvalidDBInstanceId.NotFound"


def processes_below(home):
    """The processes of this machine that work in a directory, or below it. One may end meanwhile."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cwd").readlink().is_relative_to(home):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def until(what, is_so, seconds=120):
    """Asks until it is so; returns what that was. Never sleeps for luck."""
    end = time.monotonic() + seconds
    while True:
        found = is_so()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come in {seconds} seconds"
        time.sleep(0.1)


def send_signal(pids, signal):
    """Sends it to those that are still there."""
    for pid in pids:
        try:
            os.kill(pid, signal)
        except ProcessLookupError:
            continue


class Databases:
    """The instances of one account."""

    def __init__(self, cloud, client):
        self.cloud = cloud
        self.client = client
        self.made = []

    def newest(self, engine="PostgreSQL"):
        """The newest version of an engine that runs here."""
        zones = self.client.describe_available_zones(
            models.DescribeAvailableZonesRequest(region_id=self.cloud.region, engine=engine)
        ).body.available_zones
        versions = {
            version.version
            for zone in zones
            for offered in zone.supported_engines
            if offered.engine == engine
            for version in offered.supported_engine_versions
        }
        assert versions, f"no {engine} runs in this cloud"
        return max(versions, key=lambda version: [int(part) for part in version.split(".")])

    def create(self, name=None, allow="127.0.0.1", **more):
        """Makes one and waits until it serves."""
        made = self.client.create_dbinstance(
            models.CreateDBInstanceRequest(
                **{
                    "region_id": self.cloud.region,
                    "engine": "PostgreSQL",
                    "engine_version": self.newest(),
                    "dbinstance_class": CLASS,
                    "dbinstance_storage": 20,
                    "dbinstance_net_type": "Intranet",
                    "dbinstance_description": name or unique("db"),
                    "pay_type": "Postpaid",
                    "security_iplist": allow,
                    "client_token": unique("token"),
                    **more,
                }
            )
        ).body
        assert made.dbinstance_id.startswith("pgm-") and made.order_id and made.connection_string, made
        return self.adopt(made.dbinstance_id)

    def create_pair(self, sync_mode):
        """Makes one with a standby that follows, an account and a database."""
        pair = self.create(dbinstance_class=HIGHLY_AVAILABLE, category="HighAvailability")
        self.client.modify_dbinstance_haconfig(
            models.ModifyDBInstanceHAConfigRequest(db_instance_id=pair.id, hamode="RPO", sync_mode=sync_mode)
        )
        pair.running()
        pair.make_account()
        pair.make_database("app")
        pair.paired()
        return pair

    def adopt(self, id):
        """An instance that is there, removed with the others."""
        instance = Instance(self, id)
        self.made.append(instance)
        instance.running()
        return instance

    def ids(self):
        listed = self.client.describe_dbinstances(
            models.DescribeDBInstancesRequest(region_id=self.cloud.region, page_size=100)
        ).body
        return {item.dbinstance_id for item in listed.items.dbinstance}

    def remove_all(self):
        # What follows another goes first.
        for instance in reversed(self.made):
            instance.remove()


class Instance:
    """One instance."""

    def __init__(self, all, id):
        self.all, self.cloud, self.client, self.id = all, all.cloud, all.client, id

    def attribute(self):
        answer = self.client.describe_dbinstance_attribute(
            models.DescribeDBInstanceAttributeRequest(dbinstance_id=self.id)
        )
        return answer.body.items.dbinstance_attribute[0]

    def status(self):
        """Its status; `None` where it is not there."""
        try:
            return self.attribute().dbinstance_status
        except AlibabaCloudException as error:
            if error.code == NOT_FOUND:
                return None
            raise

    def becomes(self, status, seconds=120):
        until(f"{status} of {self.id}", lambda: self.status() == status, seconds)
        return self

    def running(self, seconds=120):
        return self.becomes("Running", seconds)

    def remove(self):
        if self.status() is None:
            return
        self.client.delete_dbinstance(models.DeleteDBInstanceRequest(dbinstance_id=self.id))
        until(f"the end of {self.id}", lambda: self.status() is None)

    def make_account(self, name="app", kind="Super", password=PASSWORD):
        self.client.create_account(
            models.CreateAccountRequest(
                dbinstance_id=self.id,
                account_name=name,
                account_password=password,
                account_type=kind,
            )
        )
        until(f"the account {name}", lambda: self.account(name).account_status == "Available")

    def account(self, name):
        answer = self.client.describe_accounts(
            models.DescribeAccountsRequest(dbinstance_id=self.id, account_name=name)
        )
        return answer.body.accounts.dbinstance_account[0]

    def make_database(self, name, owner="app"):
        self.client.create_database(
            models.CreateDatabaseRequest(
                dbinstance_id=self.id, dbname=name, character_set_name="UTF8", account_name=owner
            )
        )
        until(f"the database {name}", lambda: self.database(name).dbstatus == "Running")

    def database(self, name):
        answer = self.client.describe_databases(
            models.DescribeDatabasesRequest(dbinstance_id=self.id, dbname=name)
        )
        return answer.body.databases.database[0]

    def allow(self, addresses):
        self.client.modify_security_ips(
            models.ModifySecurityIpsRequest(dbinstance_id=self.id, security_ips=addresses)
        )

    def place(self, database, user="app", host=None):
        """How libpq reaches it through the gateway."""
        return {
            "host": host or self.attribute().connection_string,
            "hostaddr": "127.0.0.1",
            "port": str(self.cloud.port("postgres")),
            "user": user,
            "dbname": database,
            "sslmode": "verify-full",
            "sslrootcert": self.cloud.ca_cert,
            "connect_timeout": "30",
        }

    def connect(self, database="app", user="app", password=PASSWORD, host=None, **more):
        place = {**self.place(database, user, host), **more}
        return psycopg.connect(**place, password=password, autocommit=True)

    def ask(self, sql, *values, database="app"):
        """The first row of an answer, on a connection of its own."""
        with self.connect(database) as session:
            return session.execute(sql, values).fetchone()

    def psql(self, sql, database="app", password=PASSWORD, **more):
        """What the program says: its exit code, and both of its streams."""
        psql = shutil.which("psql")
        assert psql, "there is no psql; cargo xtask setup installs it"
        words = {**self.place(database), **more}
        conninfo = " ".join(f"{name}='{value}'" for name, value in words.items())
        ran = subprocess.run(
            [psql, conninfo, "--no-psqlrc", "-Atc", sql],
            env={"PATH": os.environ["PATH"], "PGPASSWORD": password, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ran.returncode, (ran.stdout + ran.stderr).strip()

    def back_up(self):
        """Makes a backup; returns it as it is listed."""

        def begun():
            try:
                return self.client.create_backup(
                    models.CreateBackupRequest(dbinstance_id=self.id, backup_method="Physical")
                ).body.backup_job_id
            except AlibabaCloudException as error:
                # The cloud makes one by itself soon after an instance is there.
                assert error.code == "BackupJobExists", error
                return None

        job = until("the end of the backup before", begun)

        def finished():
            jobs = self.client.describe_backup_tasks(
                models.DescribeBackupTasksRequest(dbinstance_id=self.id, backup_job_id=int(job))
            ).body.items.backup_job
            assert jobs[0].backup_status != "Failed", jobs[0]
            return jobs[0] if jobs[0].backup_status == "Finished" else None

        made = until("the backup", finished, 300)
        return self.backups(made.backup_id)[0]

    def backups(self, id=None):
        answer = self.client.describe_backups(
            models.DescribeBackupsRequest(dbinstance_id=self.id, backup_id=id)
        )
        return answer.body.items.backup

    def clone(self, **what):
        """A new instance of its past."""
        made = self.client.clone_dbinstance(
            models.CloneDBInstanceRequest(
                region_id=self.cloud.region,
                dbinstance_id=self.id,
                pay_type="Postpaid",
                dbinstance_storage=20,
                **{"dbinstance_class": CLASS, **what},
            )
        ).body
        clone = Instance(self.all, made.dbinstance_id)
        self.all.made.append(clone)
        return clone.running(600)

    def node(self, kind):
        """How its `Master` or its `Slave` is told."""
        nodes = self.client.describe_dbinstance_haconfig(
            models.DescribeDBInstanceHAConfigRequest(dbinstance_id=self.id)
        ).body.host_instance_infos.node_info
        return next(node for node in nodes if node.node_type == kind)

    def primary(self):
        """The data centre of its primary."""
        return self.node("Master").node_id

    def paired(self, seconds=120):
        """Waits until the standby follows."""
        until(
            f"the standby of {self.id}",
            lambda: self.status() == "Running" and self.node("Slave").sync_status == "Synchronized",
            seconds,
        )

    def home(self, site):
        """Where its files are in a data centre. Only this machine knows: no client asks."""
        return self.cloud.data_dir / "rds" / site / "instances" / self.id

    def door(self, site):
        """The port of its own server in a data centre, past the gateway."""
        return json.loads((self.home(site) / "state.json").read_text())["port"]

    def processes(self, site):
        """Its processes in a data centre, the server first."""
        home = self.home(site).resolve()
        found = processes_below(home)
        server = int((home / "data/postmaster.pid").read_text().split()[0])
        assert server in found, f"{self.id} does not run in {site}"
        return [server, *(pid for pid in found if pid != server)]

    def processes_and_node(self, site):
        """Those, after the node that keeps them."""
        node = json.loads((self.cloud.data_dir / "rds" / site / "node.json").read_text())["pid"]
        return [node, *self.processes(site)]

    def setting(self, name):
        """What a setting of the server is, as the API tells it."""
        answer = self.client.describe_parameters(
            models.DescribeParametersRequest(dbinstance_id=self.id)
        ).body.running_parameters.dbinstance_parameter
        return next((it.parameter_value for it in answer if it.parameter_name == name), None)
