"""The matrix: every feature of object storage through every client that has words for it, signed in every way
that the client knows, with the bucket in the path and in the host name.

`FEATURES` says which client covers what. A test marked `@feature(NAME)` gets a `store`, once for each combination of
those clients. Path style goes over plain HTTP and virtual-host style over TLS, except in the short pass.
"""

import alibabacloud_oss_v2
import oss2
import pytest
import requests
from botocore.exceptions import ClientError

from store_boto3 import Boto3
from store_oss2 import Oss2
from store_oss_v2 import OssV2
from support import Clients, unique

STORES = {"oss2": Oss2, "oss-v2": OssV2, "boto3": Boto3}
SIGNATURES = {"oss2": ("v1", "v2", "v4"), "oss-v2": ("v1", "v4"), "boto3": ("v2", "v4")}
STYLES = ("path", "virtual")

ALL = ("oss2", "oss-v2", "boto3")
OSS = ("oss2", "oss-v2")
S3 = ("boto3",)

# Name: (the clients that cover it, some in one signature only; why not the others).
FEATURES = {
    "objects and their metadata": (OSS, "`boto3` has tests of its own"),
    "keys in Chinese, Indonesian, emoji and hostile ones": (OSS, "`boto3`: the other side of each"),
    "listings": (OSS, "`boto3` has tests of its own"),
    "ranged reads": (OSS, "`boto3` has tests of its own"),
    "parallel resumable transfers": (OSS, "`boto3` has tests of its own"),
    "conditional reads": (OSS, "`boto3` has tests of its own"),
    "conditional writes: forbid-overwrite": (OSS, "OSS's own"),
    "conditional writes: If-Match, If-None-Match": (S3, "S3's own"),
    "checksums: CRC64-ECMA, MD5": (OSS, "OSS's own"),
    "checksums: CRC32, CRC32C, CRC64NVME, SHA-1, SHA-256": (S3, "S3's own"),
    "GetObjectAttributes": (("boto3 v4",), "S3's own; `boto3` signs no `attributes` in V2"),
    "CopyObject with directives": (OSS, "`boto3` has tests of its own"),
    "AppendObject": (OSS, "OSS's own"),
    "symlinks": (OSS, "OSS's own"),
    "multipart uploads": (OSS, "`boto3` has tests of its own"),
    "multipart: parts copied": (OSS, "`boto3` has tests of its own"),
    "multipart: listings": (OSS, "`boto3` has tests of its own"),
    "batch delete": (OSS, "`boto3`: the other side"),
    "object tagging": (OSS, "`boto3`: the other side"),
    "storage classes and restore": (OSS, "`boto3`: the other side"),
    "image processing": (
        ("oss2", "oss-v2 v4"), "OSS's own; `oss-v2` signs no `x-oss-process` in V1",
    ),
    "Select": (("oss2", "oss-v2 v4", "boto3"), "refused with `NotImplemented`"),
    "versioning and delete markers": (OSS, "`boto3`: the other side"),
    "versioning suspended": (OSS, "`boto3`: the other side"),
    "buckets, bucket info and stat": (OSS, "OSS's own"),
    "bucket tagging": (OSS, "`boto3`: the other side"),
    "canned ACLs": (OSS, "`boto3` has tests of its own, with grants"),
    "bucket policy, OSS form": (OSS, "OSS's own"),
    "bucket policy, S3 form": (S3, "S3's own"),
    "CORS": (OSS, "`boto3`: the other side"),
    "lifecycle rules": (OSS, "`boto3`: the other side"),
    "lifecycle: expiry, transition, abort, non-current": (OSS, "`boto3`: the other side"),
    "website": (OSS, "`boto3` has tests of its own"),
    "referer": (OSS, "OSS's own"),
    "logging delivery": (OSS, "`boto3` has tests of its own"),
    "inventory": (OSS, "`boto3` has tests of its own"),
    "request payer": (OSS, "`boto3`: the other side"),
    "transfer acceleration": (OSS, "`boto3`: the other side"),
    "access monitor": (OSS, "OSS's own"),
    "public access block": (OSS, "`boto3`: the other side"),
    "WORM": (OSS, "OSS's own"),
    "object lock: governance, compliance, legal hold": (
        ("oss-v2", "boto3 v4"), "`oss2` has no call for it; `boto3` signs no `legal-hold` in V2",
    ),
    "encryption by default": (OSS, "`boto3`: the other side"),
    "encryption: SSE-KMS": (ALL, ""),
    "encryption: SSE-C": (S3, "OSS has none"),
    "STS credentials": (ALL, ""),
    "presigned URLs": (ALL, ""),
    "POST-object forms": (ALL, "the forms are signed by hand, but for `boto3`'s"),
    "callbacks": (OSS, "OSS's own"),
}


def feature(name, *clients):
    """Marks a test of a feature; of some of its clients only, where each needs a test of its own."""
    return pytest.mark.feature(name, clients or FEATURES[name][0])


def combinations(clients):
    """(client, signature, style) of what a feature, or a test, names."""
    found = []
    for named in clients:
        client, *only = named.split()
        found += [
            (client, version, style)
            for version in only or SIGNATURES[client]
            for style in STYLES
        ]
    return found


def parametrize(metafunc):
    """Gives a marked test its stores."""
    marker = metafunc.definition.get_closest_marker("feature")
    if marker:
        found = combinations(marker.args[1])
        metafunc.parametrize("store", found, indirect=True, ids="-".join)


class Stores:
    """The clients of all combinations, each with a bucket that it made, as they are asked for."""

    def __init__(self, cloud, short):
        self.clients = {
            style: Clients(cloud, "http" if short or style == "path" else "https")
            for style in STYLES
        }
        self.made = {}

    def __getitem__(self, combination):
        if combination not in self.made:
            client, version, style = combination
            self.made[combination] = STORES[client](self.clients[style], unique("mx"), version, style)
            self.made[combination].create()
        return self.made[combination]


@pytest.fixture(scope="session")
def stores(cloud, pytestconfig, second):
    stores = Stores(cloud, pytestconfig.getoption("--short"))
    yield stores
    for store in stores.made.values():
        clear(second, store.bucket)


@pytest.fixture(scope="session")
def second(cloud):
    """A second client, which shares no code with the first: it tells what is true."""
    return Clients(cloud, "http").s3()


@pytest.fixture
def store(request, stores):
    """A bucket of one combination, which its tests share."""
    return stores[request.param]


@pytest.fixture
def fresh(store, second):
    """A bucket of one test's own."""
    own = store.on(unique("own"))
    own.create()
    yield own
    clear(second, own.bucket)


@pytest.fixture
def target(store, second):
    """A second bucket of one test's own, which takes what the cloud writes."""
    own = store.on(unique("target"))
    own.create()
    yield own
    clear(second, own.bucket)


@pytest.fixture
def folder():
    """A prefix of keys that no other test uses."""
    return unique("t") + "/"


def clear(s3, bucket):
    """Empties a bucket past governance, and removes it."""
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if found:
            named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            done = s3.delete_objects(
                Bucket=bucket, Delete={"Objects": named, "Quiet": True},
                BypassGovernanceRetention=True,
            )
            assert "Errors" not in done, done["Errors"]
    s3.delete_bucket(Bucket=bucket)


def refused(call):
    """(status, code) of a refusal, in whatever client."""
    service = alibabacloud_oss_v2.exceptions.OperationError
    with pytest.raises((oss2.exceptions.ServerError, service, ClientError)) as caught:
        call()
    error = caught.value
    if isinstance(error, ClientError):
        told = error.response
        return told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Code"]
    if isinstance(error, service):
        error = error.unwrap()
        return error.status_code, error.code
    return error.status, error.code


def web(store, method, key="", **options):
    """A request about a key that nobody signed, in the style of a store."""
    host = f"{store.clients.oss_host(store.style)}:{store.clients.cloud.port('oss')}"
    bucket = f"{host}/{store.bucket}" if store.style == "path" else f"{store.bucket}.{host}"
    url = f"{store.clients.scheme}://{bucket}/{requests.utils.quote(key)}"
    return fetch(store, method, url, **options)


def fetch(store, method, url, **options):
    options.setdefault("allow_redirects", False)
    return requests.request(
        method, url, verify=store.clients.cloud.ca_cert, timeout=30, **options
    )
