"""The matrix: what a signature opens to those who have no key, and whom the cloud calls back."""

import base64
import datetime
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oss_matrix import feature, fetch, web

UTC = datetime.timezone.utc


@feature("presigned URLs")
def test_a_presigned_url_opens_to_anybody(store, folder, second):
    key = folder + "pre signed/ü+% 中"
    url, headers = store.presign("PUT", key, 60, content_type="text/x-tps")
    put = fetch(store, "PUT", url, headers=headers, data=b"given")
    assert put.status_code == 200, put.text
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert (other["Body"].read(), other["ContentType"]) == (b"given", "text/x-tps")
    other_type = {**headers, "Content-Type": "text/other"}
    assert fetch(store, "PUT", url, headers=other_type, data=b"x").status_code == 403
    url, headers = store.presign("GET", key, 60)
    assert fetch(store, "GET", url, headers=headers).content == b"given"
    part = fetch(store, "GET", url, headers={**headers, "Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, b"iv")
    changed = fetch(store, "GET", url.replace("signed", "sighed", 1), headers=headers)
    assert changed.status_code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in changed.content
    assert fetch(store, "PUT", url, headers=headers, data=b"x").status_code == 403
    assert fetch(store, "DELETE", url, headers=headers).status_code == 403


@feature("presigned URLs", "oss2")
def test_a_url_ends_with_its_time(store, folder):
    store.put(folder, b"x")
    url, headers = store.presign("GET", folder, -10)
    answer = fetch(store, "GET", url, headers=headers)
    assert answer.status_code in (400, 403) and b"<Error>" in answer.content


def signed_form(store, key, fields, conditions):
    """The fields of a form of OSS, signed in the version of a store: no SDK makes them."""
    now = datetime.datetime.now(UTC)
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    access, secret = store.key.id, store.key.secret.encode()
    region = store.clients.cloud.region
    scope = [now.strftime("%Y%m%d"), region, "oss", "aliyun_v4_request"]
    own = {
        "v1": {"OSSAccessKeyId": access},
        "v2": {"x-oss-signature-version": "OSS2", "x-oss-access-key-id": access},
        "v4": {
            "x-oss-signature-version": "OSS4-HMAC-SHA256", "x-oss-date": moment,
            "x-oss-credential": "/".join([access, *scope]),
        },
    }[store.version]
    if store.version == "v4":
        conditions = [*conditions, *({name: value} for name, value in own.items())]
    ends = (now + datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    document = {"expiration": ends, "conditions": [{"bucket": store.bucket}, *conditions]}
    text = base64.b64encode(json.dumps(document).encode())
    mac = lambda key, text, kind: hmac.new(key, text, kind).digest()
    if store.version == "v4":
        signing = b"aliyun_v4" + secret
        for word in scope:
            signing = mac(signing, word.encode(), hashlib.sha256)
        signature = {"x-oss-signature": mac(signing, text, hashlib.sha256).hex()}
    else:
        kind = hashlib.sha1 if store.version == "v1" else hashlib.sha256
        name = "Signature" if store.version == "v1" else "x-oss-signature"
        signature = {name: base64.b64encode(mac(secret, text, kind)).decode()}
    return {"key": key, "policy": text.decode(), **own, **fields, **signature}


@feature("POST-object forms", "oss2", "oss-v2")
def test_a_form_of_oss_stores_what_its_policy_allows(store, folder, second):
    conditions = [["starts-with", "$key", folder], ["content-length-range", 1, 10]]
    fields = {"x-oss-meta-a": "ü", "Content-Type": "text/x-a", "success_action_status": "201"}
    form = signed_form(store, folder + "${filename}", fields, conditions)
    key = folder + "hasil 中.txt"

    def send(form, body=b"given"):
        return web(store, "POST", data=form, files={"file": ("hasil 中.txt", body)})

    sent = send(form)
    assert sent.status_code == 201 and b"<PostResponse>" in sent.content, sent.text
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert (other["Body"].read(), other["ContentType"]) == (b"given", "text/x-a")
    assert store.get(key).body == b"given"
    assert send(form, b"more than ten").status_code == 400
    assert send({**form, "key": "elsewhere"}).status_code == 403
    name = "Signature" if store.version == "v1" else "x-oss-signature"
    wrong = send({**form, name: form[name][::-1]})
    assert wrong.status_code == 403 and b"SignatureDoesNotMatch" in wrong.content, wrong.text
    listed = second.list_objects_v2(Bucket=store.bucket, Prefix=folder)["Contents"]
    assert [one["Key"] for one in listed] == [key]


@feature("POST-object forms", "boto3")
def test_a_form_of_s3_stores_what_its_policy_allows(store, folder):
    key = folder + "hasil 中.txt"
    form = store.client.generate_presigned_post(
        store.bucket, key, Fields={"x-amz-meta-a": "b", "success_action_status": "201"},
        Conditions=[
            {"x-amz-meta-a": "b"}, {"success_action_status": "201"}, ["content-length-range", 1, 10],
        ],
    )

    def send(body=b"given", **changes):
        fields = {**form["fields"], **changes}
        return fetch(store, "POST", form["url"], data=fields, files={"file": ("a", body)})

    sent = send()
    assert sent.status_code == 201 and b"<PostResponse>" in sent.content, sent.text
    other = store.clients.oss2(store.bucket).get_object(key)
    assert (other.read(), other.headers["x-oss-meta-a"]) == (b"given", "b")
    assert send(b"more than ten").status_code == 400
    assert send(key=folder + "elsewhere").status_code == 403
    assert send(**{"x-amz-meta-a": "c"}).status_code == 403


class Listener(BaseHTTPRequestHandler):
    """Whom the cloud calls back: it notes what it is told, and answers in JSON."""

    heard = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.heard.append((self.path, self.headers["Content-Type"], body))
        answer = json.dumps({"diterima": body}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def listener():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def encoded(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


@feature("callbacks")
def test_a_callback_is_called_and_its_answer_given(store, folder, listener):
    key = folder + "called 中"
    asked = encoded({
        "callbackUrl": listener + "/told",
        "callbackBody": "b=${bucket}&k=${object}&s=${size}&e=${etag}&v=${x:kota}",
    })
    variables = encoded({"x:kota": "Jayapura"})
    put = store.put(key, b"four", callback=asked, callback_var=variables)
    path, kind, body = Listener.heard.pop()
    assert (put.status, path) == (200, "/told")
    assert kind == "application/x-www-form-urlencoded"
    assert f"b={store.bucket}&" in body and "&s=4&" in body and body.endswith("&v=Jayapura")
    assert put.etag in body
    upload = store.begin(key)
    parts = [(1, store.part(key, upload, 1, b"parts"))]
    store.complete(key, upload, parts, callback=asked, callback_var=variables)
    assert "&s=5&" in Listener.heard.pop()[2]
    url, headers = store.presign("PUT", key, 60, callback=asked)
    answer = fetch(store, "PUT", url, headers=headers, data=b"signed")
    told = Listener.heard.pop()[2]
    assert "&s=6&" in told and answer.json() == {"diterima": told}


@feature("callbacks")
def test_a_callback_that_nobody_answers_leaves_the_object(store, folder, second):
    nobody = encoded({"callbackUrl": "http://nobody.invalid", "callbackBody": "k=${object}"})
    put = store.put(folder, b"kept", callback=nobody)
    assert put.status == 203
    assert second.get_object(Bucket=store.bucket, Key=folder)["Body"].read() == b"kept"
