"""What the tests share: the running cloud, its clients, and signers written from the specification.

The clients are the vendors' own and unmodified; only their settings point here. The signers are for
requests that no client would send: replayed, late, tampered with.
"""

import base64
import datetime
import hashlib
import hmac
import json
import os
import socket
import ssl
import uuid
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit

import boto3
import oss2
import requests
from alibabacloud_oss_v2 import Client as OssV2Client
from alibabacloud_oss_v2 import config as oss_v2_config
from alibabacloud_oss_v2 import credentials as oss_v2_credentials
from alibabacloud_oss_v2.transport import RequestsHttpClient
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_rds20140815.client import Client as RdsClient
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.utils_models import Config as TeaConfig
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from botocore.config import Config as BotoConfig


@dataclass(frozen=True)
class Key:
    """An access key; with a token if it is temporary."""

    id: str
    secret: str
    token: str | None = None

    def with_secret(self, secret):
        return Key(self.id, secret, self.token)


class Cloud:
    """The running cloud, as it describes itself."""

    def __init__(self, cloud_json):
        path = Path(cloud_json)
        self.data_dir = path.parent
        described = json.loads(path.read_text())
        root = json.loads((path.parent / "root-key.json").read_text())
        self.region = described["region"]
        self.log_origin = described["log_key"].split("+")[0]
        self.provider_key = path.parent / "provider.key"
        self.ca_cert = described["ca_cert"]
        self.account = root["AccountId"]
        self.root = Key(root["AccessKeyId"], root["AccessKeySecret"])
        # That of databases speaks no HTTP and is told without a scheme.
        self.doors = {
            name: urlsplit(url if "//" in url else f"//{url}").netloc
            for name, url in described["endpoints"].items()
        }

    def door(self, name):
        """`host:port` of a door: `api`, `oss`, `metrics`…"""
        return self.doors[name]

    def port(self, name):
        return int(self.doors[name].rsplit(":", 1)[1])


class Clients:
    """Clients of one cloud over one scheme, for any key."""

    def __init__(self, cloud, scheme):
        self.cloud = cloud
        self.scheme = scheme

    def url(self, door, host=None):
        netloc = f"{host}:{self.cloud.port(door)}" if host else self.cloud.door(door)
        return f"{self.scheme}://{netloc}"

    def oss_host(self, style):
        """The host of object storage: its plain name for path style, that of the region for buckets in front."""
        return "oss.localhost" if style == "path" else f"oss-{self.cloud.region}.localhost"

    def _tea(self, key):
        key = key or self.cloud.root
        return TeaConfig(
            access_key_id=key.id,
            access_key_secret=key.secret,
            security_token=key.token,
            endpoint=self.cloud.door("api"),
            protocol=self.scheme,
            ca=self.cloud.ca_cert,
        )

    def ram(self, key=None):
        return RamClient(self._tea(key))

    def rds(self, key=None):
        return RdsClient(self._tea(key))

    def sts(self, key=None):
        return StsClient(self._tea(key))

    def legacy(self, key=None):
        """The older core SDK, which signs with RPC V1."""
        key = key or self.cloud.root
        if key.token:
            client = AcsClient(
                region_id=self.cloud.region,
                credential=StsTokenCredential(key.id, key.secret, key.token),
            )
        else:
            client = AcsClient(key.id, key.secret, self.cloud.region)
        client.set_verify(self.cloud.ca_cert)
        return client

    def oss2_auth(self, version, key=None):
        key = key or self.cloud.root
        if key.token:
            return oss2.StsAuth(key.id, key.secret, key.token, auth_version=version)
        return oss2.make_auth(key.id, key.secret, version)

    def _oss2_session(self):
        session = oss2.Session()
        session.session.verify = self.cloud.ca_cert
        return session

    def oss2(self, bucket, version="v4", key=None, host=None, **options):
        return oss2.Bucket(
            self.oss2_auth(version, key),
            self.url("oss", host),
            bucket,
            session=self._oss2_session(),
            region=self.cloud.region,
            **options,
        )

    def oss2_service(self, version="v4", key=None, host=None, **options):
        return oss2.Service(
            self.oss2_auth(version, key),
            self.url("oss", host),
            session=self._oss2_session(),
            region=self.cloud.region,
            **options,
        )

    def oss_v2(self, version="v4", key=None, host=None, **options):
        key = key or self.cloud.root
        # This SDK hands `verify=True` to every request, which is why its CA comes from the
        # environment (REQUESTS_CA_BUNDLE, set for the whole run).
        config = oss_v2_config.Config(
            region=self.cloud.region,
            endpoint=self.url("oss", host),
            signature_version=version,
            credentials_provider=oss_v2_credentials.StaticCredentialsProvider(
                key.id, key.secret, key.token
            ),
            http_client=RequestsHttpClient(),
            retry_max_attempts=1,
            **options,
        )
        return OssV2Client(config)

    def s3(self, key=None, host=None, addressing="path", **config):
        key = key or self.cloud.root
        return boto3.client(
            "s3",
            endpoint_url=self.url("oss", host),
            region_name=self.cloud.region,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=key.token,
            verify=self.cloud.ca_cert,
            config=BotoConfig(
                signature_version=config.pop("signature_version", "s3v4"),
                s3={"addressing_style": addressing, **config.pop("s3", {})},
                retries={"max_attempts": 1},
                **config,
            ),
        )


def unique(prefix="t"):
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def pe(text):
    """RFC 3986 percent-encoding, as all signatures here want it."""
    return quote(str(text), safe="-_.~")


def utc(offset=datetime.timedelta()):
    return (datetime.datetime.now(datetime.timezone.utc) + offset).strftime("%Y-%m-%dT%H:%M:%SZ")


def policy(*statements):
    """A policy document of statements, each (effect, actions, resources[, condition])."""
    return json.dumps(
        {
            "Version": "1",
            "Statement": [
                {
                    "Effect": effect,
                    "Action": actions,
                    "Resource": resources,
                    **({"Condition": condition[0]} if condition else {}),
                }
                for effect, actions, resources, *condition in statements
            ],
        }
    )


def trust(*principals):
    """A role's trust policy for RAM principals."""
    return json.dumps(
        {
            "Version": "1",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(principals)}}
            ],
        }
    )


def acs3(cloud, action, version, params=None, body=b"", key=None, **changes):
    """Headers and path of an ACS3 request, signed as the specification says.

    `changes` replaces headers before signing, e.g. `x_acs_date=…`.
    """
    key = key or cloud.root
    headers = {
        "host": cloud.door("api"),
        "x-acs-action": action,
        "x-acs-version": version,
        "x-acs-date": utc(),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    query = "&".join(f"{name}={pe(value)}" for name, value in sorted((params or {}).items()))
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        ["POST", "/", query]
        + [f"{name}:{headers[name]}" for name in sorted(headers)]
        + ["", names, headers["x-acs-content-sha256"]]
    )
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    signature = hmac.new(key.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key.id},SignedHeaders={names},Signature={signature}"
    )
    return headers, "/" + (f"?{query}" if query else "")


def rpc_v1(cloud, action, version, method="GET", key=None, **params):
    """The parameters of an RPC V1 request, `Signature` included."""
    key = key or cloud.root
    params = {
        "Action": action,
        "Version": version,
        "Timestamp": utc(),
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "AccessKeyId": key.id,
        **params,
    }
    canonical = "&".join(f"{pe(name)}={pe(value)}" for name, value in sorted(params.items()))
    to_sign = f"{method}&%2F&{pe(canonical)}"
    digest = hmac.new((key.secret + "&").encode(), to_sign.encode(), hashlib.sha1).digest()
    return {**params, "Signature": base64.b64encode(digest).decode()}


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def etag(self):
        return self.headers["etag"].strip('"')

    @property
    def version(self):
        return self.headers["x-oss-version-id"]


def exchange(cloud, door, request, tls=False, timeout=30, then_close=False):
    """Sends raw bytes to a door, then nothing more at all if `then_close`, and reads one answer."""
    host, port = cloud.door(door).rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=timeout) as plain:
        stream = plain
        if tls:
            stream = ssl.create_default_context(cafile=cloud.ca_cert).wrap_socket(
                plain, server_hostname="localhost"
            )
        try:
            stream.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before all was sent; the answer is waiting.
        if then_close:
            plain.shutdown(socket.SHUT_WR)
        response = HTTPResponse(stream)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def head(method, target, headers):
    """The bytes of a request's head."""
    lines = [f"{method} {target} HTTP/1.1"] + [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send(cloud, scheme, headers, target, body=b"", method="POST"):
    """Sends a signed control request with a body of the declared length."""
    return requests.request(
        method,
        f"{scheme}://{cloud.door('api')}{target}",
        headers={**headers, "accept-encoding": "identity"},
        data=body,
        verify=cloud.ca_cert,
        allow_redirects=False,
        timeout=30,
    )


def is_proper_error(status, headers, body, code=None):
    """Asserts what every control-API refusal has: a JSON object whose parts are strings."""
    assert 400 <= status < 600, (status, body)
    assert headers["content-type"].startswith("application/json"), headers
    answer = json.loads(body)
    assert isinstance(answer, dict)
    for part in ("Code", "Message", "RequestId", "HostId"):
        assert isinstance(answer[part], str), (part, answer)
    # An empty code would match every code that Terraform waits for.
    assert answer["Code"] and answer["Message"] and answer["RequestId"], answer
    if code:
        assert answer["Code"] == code, answer
    return answer


def keep_on_this_machine(suffix="localhost"):
    """Resolves `<anything>.localhost` to this machine, which the C library does not, and refuses
    every name that would leave it."""
    resolve = socket.getaddrinfo

    def loopback(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host or ""
        if name == suffix or name.endswith("." + suffix):
            host = "127.0.0.1"
        elif name and ":" not in name and not name.replace(".", "").isdigit():
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not on this machine")
        return resolve(host, *args, **kwargs)

    socket.getaddrinfo = loopback


def trust_only(ca_cert):
    """Makes every client that reads its CA from the environment trust this cloud alone."""
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        os.environ[name] = ca_cert
