"""A store that others made, a cloud on top of it, and the hands that start, end and break both."""

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import oss2
from botocore.config import Config

KEY_ID = "backendkey0000000000"
SECRET = "backend-secret-that-no-log-shows"
BUCKET = "bytes"


def free_ports(count, far=0):
    """Ports that nobody listens on, one after another; with `far`, those so much higher are free too."""
    for base in range(31_000 + os.getpid() % 1000, 45_000, count):
        try:
            for port in range(base, base + count):
                for number in {port, port + far}:
                    with socket.socket() as probe:
                        probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        return base
    raise RuntimeError("no free ports")


def wait_for(what, ready, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError(f"waited {seconds} s for {what}")


def s3_client(endpoint, key_id, secret, region="us-east-1", attempts=1):
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name=region,
        config=Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": attempts},
            connect_timeout=5,
            read_timeout=60,
        ),
    )


class Program:
    """A program that is started, ended and started again."""

    def __init__(self, command, log, ready):
        self.command, self.log, self.ready = command, log, ready
        self.child = None

    def start(self):
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_for(self.command[0], self._is_ready)

    def _is_ready(self):
        assert self.child.poll() is None, self.log.read_text(errors="replace")[-3000:]
        return self.ready()

    def kill(self):
        """Ends it as a power cut would, but for what the system has in memory."""
        if self.child:
            self.child.kill()
            self.child.wait()
            self.child = None

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(60)
        self.child = None


class Peer:
    """The store of others."""

    def __init__(self, kind, program, folder):
        data = folder / "peer"
        data.mkdir()
        if kind == "seaweedfs":
            port, command = self._seaweedfs(program, folder, data)
        else:
            port = free_ports(1)
            command = [program, "--host", "127.0.0.1", "--port", str(port)]
            command += ["--access-key", KEY_ID, "--secret-key", SECRET, str(data)]
        self.data = data
        self.endpoint = f"http://127.0.0.1:{port}"
        self.client = s3_client(self.endpoint, KEY_ID, SECRET)
        # Some fail to list what is deleted in the meantime.
        self.patient = s3_client(self.endpoint, KEY_ID, SECRET, attempts=8)
        self.program = Program(command, folder / "peer.log", self._answers)

    @staticmethod
    def _seaweedfs(program, folder, data):
        # It uses each port plus 10,000 as well.
        base = free_ports(4, far=10_000)
        config = folder / "peer.json"
        credentials = [{"accessKey": KEY_ID, "secretKey": SECRET}]
        identity = {"name": "awan", "actions": ["Admin"], "credentials": credentials}
        config.write_text(json.dumps({"identities": [identity]}))
        command = [program, "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-filer", "-s3", "-volume.max=20", "-master.volumeSizeLimitMB=1024"]
        # What else it would serve has fixed ports, which others may have.
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        command += [f"-master.port={base}", f"-volume.port={base + 1}", f"-filer.port={base + 2}"]
        return base + 3, [*command, f"-s3.port={base + 3}", f"-s3.config={config}"]

    def _answers(self):
        try:
            self.client.list_buckets()
        except Exception:
            return False
        return True

    def is_writable(self):
        """Whether it takes bytes, which some do later than they answer."""
        try:
            self.client.put_object(Bucket=BUCKET, Key="probe", Body=b"probe")
            self.client.delete_object(Bucket=BUCKET, Key="probe")
        except Exception:
            return False
        return True

    def start(self):
        self.program.start()
        if BUCKET not in [bucket["Name"] for bucket in self.client.list_buckets()["Buckets"]]:
            self.client.create_bucket(Bucket=BUCKET)
        wait_for("a writable store", self.is_writable)

    def objects(self):
        """Name and size of everything in the bucket."""
        pages = self.patient.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def read(self, name):
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()


class Awan:
    """The cloud, whose first data centre has the store."""

    def __init__(self, program, peer, folder, postgres=None):
        self.folder = folder / "cloud"
        self.folder.mkdir()
        base = free_ports(8)
        key_id, secret, config = folder / "key-id", folder / "secret", folder / "awan.toml"
        key_id.write_text(f"{KEY_ID}\n")
        secret.write_text(f"{SECRET}\n")
        centre = '[[data_centre]]\nsite = "{}"\nzone = "{}"\ncountry = "ID"\ncity = "Jakarta"\n'
        config.write_text(
            centre.format("jkt-a", "ap-southeast-5a")
            + centre.format("jkt-b", "ap-southeast-5b")
            + f'[[oss.backend]]\nname = "peer"\nsite = "jkt-a"\nendpoint = "{peer.endpoint}"\n'
            + f'bucket = "{BUCKET}"\nprefix = "awan/test"\n'
            + f'key_id = "file:{key_id}"\nsecret = "file:{secret}"\n'
            + (f'[store]\npostgres = "file:{postgres}"\n' if postgres else "")
        )
        command = [program, "serve", "--data-dir", str(self.folder), "--config", str(config)]
        command += ["--port-base", str(base)]
        self.log = folder / "awan.log"
        self.program = Program(command, self.log, self._is_ready)

    def _is_ready(self):
        try:
            self.file = json.loads((self.folder / "cloud.json").read_text())
            with urllib.request.urlopen(f"{self.file['endpoints']['metrics']}/health", timeout=2):
                pass
        except (OSError, ValueError, KeyError):
            return False
        return True

    def start(self):
        (self.folder / "cloud.json").unlink(missing_ok=True)
        self.program.start()
        root = json.loads((self.folder / "root-key.json").read_text())
        self.key = root["AccessKeyId"], root["AccessKeySecret"]
        self.endpoint = self.file["endpoints"]["oss"]
        self.s3 = s3_client(self.endpoint, *self.key, region=self.file["region"])

    def oss(self, bucket):
        auth = oss2.make_auth(*self.key, oss2.AUTH_VERSION_4)
        return oss2.Bucket(auth, self.endpoint, bucket, region=self.file["region"])

    def metrics(self):
        with urllib.request.urlopen(f"{self.file['endpoints']['metrics']}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(r"^(awan_oss_backend\w+) (\d+)$", text, re.MULTILINE)
        return {name: int(value) for name, value in found}

    def files(self):
        """The bytes that lie in files of the cloud's own."""
        return sum(file.stat().st_size for file in Path(self.folder, "oss").rglob("*.seg"))
