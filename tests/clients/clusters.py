"""A cluster of PostgreSQL under Patroni, as an operator runs one beside the cloud: two servers, and a third voter that
has no data. Everything is on the loopback address; nothing of it is the cloud's."""

import datetime
import ipaddress
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from databases import processes_below, send_signal, until

NAMES = ("pg1", "pg2")
LOGIN = ("awan", "Rahasia-api-2026")
PASSWORD = "Rahasia-uji-2026"
# PostgreSQL refuses root.
USER = "nobody"


def free_ports(count):
    """Ports that nobody has at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def postgres_programs():
    """The directory of the newest PostgreSQL of this machine."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    assert found, "no PostgreSQL is installed on this machine"
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name)))


def certify(home, names):
    """An authority of the operator's own, and what the servers show. Gives the authority's file."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def make(subject, issuer, issuer_key, authority, extra=None):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer or name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
        )
        if extra:
            made = made.add_extension(extra, critical=False)
        return made.sign(issuer_key or key, hashes.SHA256()), key

    authority, authority_key = make("Otoritas operator", None, None, True)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([*(x509.DNSName(name) for name in names), loopback])
    shown, key = make("gudang", authority.subject, authority_key, False, names)
    pem = serialization.Encoding.PEM
    (home / "ca.pem").write_bytes(authority.public_bytes(pem))
    (home / "server.pem").write_bytes(shown.public_bytes(pem))
    secret = home / "server.key"
    secret.touch(0o600)
    secret.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return home / "ca.pem"


class Cluster:
    """The running cluster."""

    def __init__(self, host):
        self.home = Path(tempfile.mkdtemp(prefix="awan-patroni-"))
        self.ca = certify(self.home, [host, "localhost"])
        ports = free_ports(7)
        self.voters = [f"127.0.0.1:{port}" for port in ports[:3]]
        self.apis = dict(zip(NAMES, ports[3:5]))
        self.servers = dict(zip(NAMES, ports[5:7]))
        self.processes = {}

    def start(self):
        for name in (*NAMES, "voter"):
            (self.home / name).mkdir(mode=0o700)
            file = self.home / f"{name}.yml"
            file.write_text(yaml.safe_dump(self.settings(name)))
        if os.getuid() == 0:
            user = pwd.getpwnam(USER)
            for path in (self.home, *self.home.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        for name in NAMES:
            self.run(name)
        self.run("voter")
        return self

    def run(self, name):
        what = ["-m", "patroni"]
        if name == "voter":
            what = ["-c", "from patroni.raft_controller import main; main()"]
        command = [sys.executable, *what, str(self.home / f"{name}.yml")]
        if os.getuid() == 0:
            # The interpreter of these tests may be below a directory that only root passes.
            pass_all = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            user = [f"--reuid={USER}", f"--regid={pwd.getpwnam(USER).pw_gid}", "--clear-groups"]
            command = ["setpriv", *user, *pass_all, *command]
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=self.home, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def settings(self, name):
        at = [*NAMES, "voter"].index(name)
        raft = {
            "data_dir": str(self.home / name / "raft"),
            "self_addr": self.voters[at],
            "partner_addrs": [other for other in self.voters if other != self.voters[at]],
        }
        if name == "voter":
            return {"raft": raft}
        shown = {"certfile": str(self.home / "server.pem"), "keyfile": str(self.home / "server.key")}
        api, server = f"127.0.0.1:{self.apis[name]}", f"127.0.0.1:{self.servers[name]}"
        login = dict(zip(("username", "password"), LOGIN))
        role = {"password": PASSWORD}
        return {
            "scope": "gudang",
            "name": name,
            "raft": raft,
            "restapi": {"listen": api, "connect_address": api, "authentication": login, **shown},
            "ctl": {"cacert": str(self.ca)},
            "bootstrap": {
                "dcs": {
                    # The shortest that Patroni takes.
                    "ttl": 20,
                    "loop_wait": 1,
                    "retry_timeout": 3,
                    "postgresql": {"use_pg_rewind": True, "parameters": {"fsync": "off"}},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": server,
                "connect_address": server,
                "data_dir": str(self.home / name / "data"),
                "bin_dir": str(postgres_programs()),
                "pgpass": str(self.home / name / "pgpass"),
                "authentication": {
                    "superuser": {"username": "postgres", **role},
                    "replication": {"username": "replicator", **role},
                    "rewind": {"username": "rewinder", **role},
                },
                "parameters": {
                    "unix_socket_directories": str(self.home / name),
                    "ssl": "on",
                    "ssl_cert_file": shown["certfile"],
                    "ssl_key_file": shown["keyfile"],
                },
                "pg_hba": [
                    "hostssl replication replicator 127.0.0.0/8 scram-sha-256",
                    "hostssl all all 127.0.0.0/8 scram-sha-256",
                ],
            },
        }

    def ask(self, name):
        """What a member says of the cluster; nothing where it does not answer."""
        try:
            answer = requests.get(
                f"https://127.0.0.1:{self.apis[name]}/cluster", verify=str(self.ca), timeout=2
            )
            return answer.json()["members"] if answer.ok else []
        except (requests.RequestException, ValueError, KeyError):
            return []

    def leader(self):
        """Who leads, as a member says that runs."""
        for name, process in self.processes.items():
            if name in NAMES and process.poll() is None:
                for member in self.ask(name):
                    if member["role"] == "leader" and member["state"] == "running":
                        return member["name"]
        return None

    def whole(self):
        """Whether one leads and the other one follows."""
        states = [member["state"] for name in NAMES for member in self.ask(name)]
        return sorted(states) == ["running", "running", "streaming", "streaming"]

    def wait(self, seconds=60):
        try:
            until("the cluster", self.whole, seconds)
        except AssertionError:
            print(self.logs())
            raise

    def connect(self, name):
        """As the operator, past the cloud."""
        place = f"host=127.0.0.1 port={self.servers[name]} user=postgres dbname=postgres"
        return psycopg.connect(place, password=PASSWORD, autocommit=True)

    def started(self, name):
        """When a member's server was started."""
        with self.connect(name) as session:
            return session.execute("select pg_postmaster_start_time()").fetchone()[0]

    def make_owner(self):
        """What the operator gives its tenant: a role and a database."""
        with self.connect(self.leader()) as session:
            session.execute(f"create role app login password '{PASSWORD}'")
            session.execute("create database app owner app")

    def below(self, name):
        """The processes of a member's PostgreSQL."""
        return processes_below((self.home / name).resolve())

    def kill(self, name):
        """The member's machine dies."""
        send_signal([self.processes[name].pid, *self.below(name)], signal.SIGKILL)
        self.processes[name].wait(10)

    def logs(self):
        return "\n".join(
            f"--- {file.name}\n{file.read_text()[-4000:]}" for file in self.home.glob("*.log")
        )

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        end = time.monotonic() + 20
        for process in self.processes.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in NAMES:
            send_signal(self.below(name), signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)
