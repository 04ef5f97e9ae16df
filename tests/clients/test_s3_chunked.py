"""S3 uploads in signed chunks, which no Python client makes: signer and framing are written here
from the public description of the protocol."""

import base64
import datetime
import hashlib
import hmac
import os
import zlib

import pytest
import requests

EMPTY = hashlib.sha256(b"").hexdigest()
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256)


class Upload:
    """One PUT whose body is sent in aws-chunked framing."""

    def __init__(self, clients, bucket, key, mode, chunks, trailer=None):
        self.cloud, self.chunks, self.trailer, self.mode = clients.cloud, chunks, trailer, mode
        self.url = f"{clients.url('oss')}/{bucket}/{key}"
        self.path = f"/{bucket}/{key}"
        now = datetime.datetime.now(datetime.timezone.utc)
        self.time, date = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        self.scope = f"{date}/{self.cloud.region}/s3/aws4_request"
        self.key = f"AWS4{self.cloud.root.secret}".encode()
        for part in self.scope.split("/"):
            self.key = mac(self.key, part).digest()
        self.headers = {
            "content-encoding": "aws-chunked",
            "host": self.cloud.door("oss"),
            "x-amz-content-sha256": mode,
            "x-amz-date": self.time,
            "x-amz-decoded-content-length": str(sum(map(len, chunks))),
        }
        if trailer:
            self.headers["x-amz-trailer"] = trailer[0]
        self.signature = self._sign_head()

    def _sign(self, kind, *rest):
        text = "\n".join([kind, self.time, self.scope, *rest])
        return mac(self.key, text).hexdigest()

    def _sign_head(self):
        names = ";".join(sorted(self.headers))
        lines = ["PUT", self.path, ""]
        lines += [f"{name}:{self.headers[name]}" for name in sorted(self.headers)]
        lines += ["", names, self.mode]
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        signature = self._sign("AWS4-HMAC-SHA256", digest)
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.cloud.root.id}/{self.scope},"
            f"SignedHeaders={names},Signature={signature}"
        )
        return signature

    def body(self):
        signed, previous, out = self.mode != UNSIGNED_TRAILER, self.signature, b""
        for chunk in [*self.chunks, b""]:
            extension = ""
            if signed:
                previous = self._sign(
                    "AWS4-HMAC-SHA256-PAYLOAD", previous, EMPTY, hashlib.sha256(chunk).hexdigest()
                )
                extension = f";chunk-signature={previous}"
            out += f"{len(chunk):x}{extension}\r\n".encode() + chunk
            out += b"\r\n" if chunk or not self.trailer else b""
        if self.trailer:
            name, value = self.trailer
            out += f"{name}:{value}\r\n".encode()
            if signed:
                digest = hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest()
                last = self._sign("AWS4-HMAC-SHA256-TRAILER", previous, digest)
                out += f"x-amz-trailer-signature:{last}\r\n".encode()
            out += b"\r\n"
        return out

    def send(self, body=None):
        return requests.put(
            self.url,
            data=self.body() if body is None else body,
            headers=self.headers,
            verify=self.cloud.ca_cert,
            timeout=30,
        )


def crc32(chunks):
    digest = base64.b64encode(zlib.crc32(b"".join(chunks)).to_bytes(4, "big")).decode()
    return "x-amz-checksum-crc32", digest


CHUNKS = [os.urandom(64 * 1024), os.urandom(8192), os.urandom(1000)]
MODES = [(SIGNED, None), (TRAILER, crc32(CHUNKS)), (UNSIGNED_TRAILER, crc32(CHUNKS))]


@pytest.fixture(params=MODES, ids=["signed", "signed-trailer", "unsigned-trailer"])
def upload(request, clients, bucket):
    mode, trailer = request.param
    return Upload(clients, bucket, "chunked", mode, CHUNKS, trailer)


def stored(clients, bucket):
    return [item["Key"] for item in clients.s3().list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_chunks_are_joined(upload, clients, bucket):
    answer = upload.send()
    assert answer.status_code == 200, answer.text
    got = clients.s3().get_object(Bucket=bucket, Key="chunked")
    assert got["Body"].read() == b"".join(CHUNKS)
    # The framing is no encoding of the object.
    assert "aws-chunked" not in got.get("ContentEncoding", "")


def test_a_changed_chunk_stores_nothing(upload, clients, bucket):
    body = upload.body()
    at = body.index(CHUNKS[1]) + 100
    changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
    answer = upload.send(changed)
    code = b"BadDigest" if upload.mode == UNSIGNED_TRAILER else b"SignatureDoesNotMatch"
    assert 400 <= answer.status_code < 500
    assert code in answer.content, answer.text
    assert stored(clients, bucket) == []


def test_a_body_without_its_last_chunk_stores_nothing(upload, clients, bucket):
    body = upload.body()
    answer = upload.send(body[: body.index(CHUNKS[2])])
    assert 400 <= answer.status_code < 500, answer.text
    assert stored(clients, bucket) == []


def test_a_wrong_trailer_stores_nothing(clients, bucket):
    upload = Upload(clients, bucket, "chunked", TRAILER, CHUNKS, crc32([b"other"]))
    answer = upload.send()
    assert answer.status_code == 400
    assert b"BadDigest" in answer.content, answer.text
    assert stored(clients, bucket) == []


def test_a_wrong_declared_length_stores_nothing(clients, bucket):
    upload = Upload(clients, bucket, "chunked", SIGNED, CHUNKS)
    upload.headers["x-amz-decoded-content-length"] = "1"
    assert 400 <= upload.send().status_code < 500
    assert stored(clients, bucket) == []
