"""Objects that grow, links, images, callbacks and parts, through unmodified clients."""

import base64
import io
import json
import time

import oss2
import pytest
from alibabacloud_oss_v2 import models as oss_v2

SPOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAFCAIAAADzBuo/AAAAEUlEQVR4nGM4ISCABzEMoD"
    "QA3QYtUZyQPJoAAAAASUVORK5CYII="
)


@pytest.fixture(params=["v1", "v4"])
def store(clients, bucket, request):
    return clients.oss2(bucket, request.param)


def test_an_object_grows_where_its_writer_says(store):
    first = store.append_object("log", 0, b"hello", init_crc=0)
    assert first.next_position == 5
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as wrong:
        store.append_object("log", 0, b"x")
    assert wrong.value.next_position == 5
    second = store.append_object("log", 5, b" world", init_crc=first.crc)
    assert second.next_position == 11
    assert store.get_object("log").read() == b"hello world"
    assert store.head_object("log").object_type == "Appendable"
    (listed,) = store.list_objects(prefix="log").object_list
    assert listed.type == "Appendable"
    store.put_object("plain", b"x")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        store.append_object("plain", 1, b"y")


def test_the_newer_client_appends_as_to_a_file(clients, bucket):
    client = clients.oss_v2()
    for line in (b"one\n", b"two\n"):
        with client.append_file(bucket, "file") as file:
            file.write(line)
    got = client.get_object(oss_v2.GetObjectRequest(bucket=bucket, key="file"))
    assert got.body.read() == b"one\ntwo\n"


def test_a_link_reads_as_its_target(store):
    store.put_object("target ü", b"hello")
    store.put_symlink("target ü", "link", headers={"x-oss-meta-a": "b"})
    assert store.get_symlink("link").target_key == "target ü"
    head = store.head_object("link")
    assert (head.content_length, head.etag) == (5, "5D41402ABC4B2A76B9719D911017C592")
    assert head.headers["x-oss-meta-a"] == "b"
    assert store.get_object("link").read() == b"hello"
    store.delete_object("target ü")
    with pytest.raises(oss2.exceptions.ServerError) as gone:
        store.get_object("link")
    assert (gone.value.status, gone.value.code) == (404, "SymlinkTargetNotExist")


def info(store, key):
    return json.loads(store.get_object(key, process="image/info").read())


def test_an_image_is_made_and_stored(store):
    store.put_object("spot.png", SPOT)
    assert info(store, "spot.png")["ImageWidth"]["value"] == "10"
    made = store.get_object("spot.png", process="image/resize,w_4/format,jpg").read()
    assert made[:2] == b"\xff\xd8"
    target = base64.urlsafe_b64encode(b"small.png").decode()
    done = store.process_object("spot.png", f"image/resize,w_4|sys/saveas,o_{target}")
    assert (done.status, done.object, done.bucket) == (200, "small.png", "")
    assert info(store, "small.png")["ImageHeight"]["value"] == "2"
    url = store.sign_url("GET", "spot.png", 60, params={"x-oss-process": "image/info"})
    assert json.loads(store.get_object_with_url(url).read())["Format"]["value"] == "png"


def test_a_callback_that_nobody_answers_leaves_the_object(store):
    asked = {"callbackUrl": "http://nobody.invalid", "callbackBody": "k=${object}"}
    encoded = base64.b64encode(json.dumps(asked).encode()).decode()
    put = store.put_object("kept", b"x", headers={"x-oss-callback": encoded})
    assert put.status == 203
    assert store.get_object("kept").read() == b"x"


def test_an_image_is_put_onto_another(store):
    store.put_object("spot.png", SPOT)
    mark = base64.urlsafe_b64encode(b"spot.png?x-oss-process=image/resize,P_50").decode()
    made = store.get_object("spot.png", process=f"image/watermark,image_{mark},g_nw,x_1,y_1").read()
    assert made[:4] == b"\x89PNG"
    with pytest.raises(oss2.exceptions.NoSuchKey):
        store.get_object("spot.png", process="image/watermark,image_bm9uZQ")
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        store.get_object("spot.png", process="image/watermark,text_SGVsbG8")
    assert (refused.value.status, refused.value.code) == (501, "NotImplemented")


def test_a_limit_on_traffic_slows_a_request_down(store):
    body = bytes(150_000)
    limit = {"x-oss-traffic-limit": "819200"}
    for act in (
        lambda: store.put_object("slow", body, headers=limit),
        lambda: store.get_object("slow", headers=limit).read(),
    ):
        began = time.monotonic()
        act()
        assert time.monotonic() - began > 1.2


def test_the_parts_of_an_object_are_known(clients, bucket):
    s3 = clients.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts", ChecksumAlgorithm="SHA256")
    bodies = [bytes(5 << 20), b"end"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = s3.upload_part(
            Bucket=bucket,
            Key="parts",
            UploadId=upload["UploadId"],
            PartNumber=number,
            Body=io.BytesIO(body),
            ChecksumAlgorithm="SHA256",
        )
        parts.append(
            {"PartNumber": number, "ETag": done["ETag"], "ChecksumSHA256": done["ChecksumSHA256"]}
        )
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": parts},
    )
    told = s3.get_object_attributes(
        Bucket=bucket, Key="parts", ObjectAttributes=["ObjectParts", "ObjectSize", "Checksum"]
    )
    assert told["ObjectSize"] == sum(map(len, bodies))
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    known = told["ObjectParts"]["Parts"]
    assert [part["Size"] for part in known] == list(map(len, bodies))
    assert [part["ChecksumSHA256"] for part in known] == [
        part["ChecksumSHA256"] for part in parts
    ]
    last = s3.get_object(Bucket=bucket, Key="parts", PartNumber=2)
    assert (last["Body"].read(), last["PartsCount"]) == (b"end", 2)
    with pytest.raises(s3.exceptions.ClientError) as none:
        s3.get_object(Bucket=bucket, Key="parts", PartNumber=3)
    assert none.value.response["Error"]["Code"] == "InvalidPart"
