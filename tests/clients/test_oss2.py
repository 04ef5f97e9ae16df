"""Object storage through `oss2`, the older Python SDK, with signatures V1, V2 and V4."""

import base64
import hashlib
import os

import oss2
import pytest
import requests
from oss2.models import PartInfo

from support import unique


@pytest.fixture(params=["v1", "v2", "v4"])
def version(request):
    return request.param


@pytest.fixture
def store(clients, bucket, version):
    return clients.oss2(bucket, version)


def test_an_object_is_read_back_with_its_meaning(store):
    body = os.urandom(70_000)
    headers = {
        "Content-Type": "text/x-tps",
        "Cache-Control": "max-age=60",
        "Content-Disposition": 'attachment; filename="tps.json"',
        "x-oss-meta-province": "Papua Barat Daya",
    }
    put = store.put_object("data/31.json", body, headers=headers)
    digest = hashlib.md5(body).hexdigest().upper()
    assert put.etag == digest
    got = store.get_object("data/31.json")
    assert got.read() == body
    assert got.server_crc == got.client_crc == put.crc
    head = store.head_object("data/31.json")
    assert head.content_length == len(body)
    assert head.etag == digest
    assert head.object_type == "Normal"
    for name, value in headers.items():
        assert head.headers[name] == value
    assert len(head.request_id) == 24
    assert head.last_modified


def test_an_empty_object_is_an_object(store):
    store.put_object("empty", b"")
    assert store.get_object("empty").read() == b""
    assert store.head_object("empty").content_length == 0


def test_an_upload_of_unknown_length_is_stored(store):
    def pieces():
        for number in range(50):
            yield bytes([number]) * 1000

    store.put_object("stream", pieces())
    assert store.get_object("stream").read() == b"".join(pieces())


def test_an_object_that_is_not_there_is_told_apart_from_its_bucket(store, clients, version):
    with pytest.raises(oss2.exceptions.NoSuchKey) as error:
        store.get_object("gone")
    assert error.value.status == 404
    assert error.value.details["Key"] == "gone"
    assert not store.object_exists("gone")
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        clients.oss2(unique("nowhere"), version).get_object("gone")


def test_a_deleted_object_is_gone_and_deleting_is_repeatable(store):
    store.put_object("a", b"x")
    assert store.delete_object("a").status == 204
    assert store.delete_object("a").status == 204
    assert not store.object_exists("a")


def test_many_objects_are_deleted_at_once(store):
    names = ["plain", "with space", "plus+", "percent%20", "déjà vu", "<&\"'>"]
    for name in names:
        store.put_object(name, b"x")
    result = store.batch_delete_objects(names + ["never-there"])
    assert set(names) <= set(result.deleted_keys)
    assert list(oss2.ObjectIterator(store)) == []


@pytest.mark.parametrize(
    "byte_range, expect",
    [((0, 0), slice(0, 1)), ((10, 19), slice(10, 20)), ((90, None), slice(90, None)),
     ((None, 7), slice(-7, None)), ((50, 1000), slice(50, None))],
)
def test_ranges_are_cut_out(store, byte_range, expect):
    body = bytes(range(100))
    store.put_object("range", body)
    got = store.get_object("range", byte_range=byte_range)
    assert (got.status, got.read()) == (206, body[expect])


def test_a_range_outside_gives_everything_unless_told_otherwise(store):
    store.put_object("range", b"0123456789")
    whole = store.get_object("range", headers={"Range": "bytes=20-30"})
    assert (whole.status, whole.read()) == (200, b"0123456789")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        store.get_object(
            "range", headers={"Range": "bytes=20-30", "x-oss-range-behavior": "standard"}
        )
    assert error.value.status == 416


def test_conditions_are_weighed(store):
    etag = store.put_object("c", b"one").etag
    assert store.get_object("c", headers={"If-Match": f'"{etag}"'}).read() == b"one"
    with pytest.raises(oss2.exceptions.NotModified):
        store.get_object("c", headers={"If-None-Match": f'"{etag}"'})
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        store.get_object("c", headers={"If-Match": '"00000000000000000000000000000000"'})
    long_ago, far = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    assert store.get_object("c", headers={"If-Modified-Since": long_ago}).read() == b"one"
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        store.get_object("c", headers={"If-Unmodified-Since": long_ago})
    assert store.get_object("c", headers={"If-Unmodified-Since": far}).read() == b"one"


def test_overwriting_can_be_forbidden(store):
    store.put_object("once", b"one")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        store.put_object("once", b"two", headers={"x-oss-forbid-overwrite": "true"})
    assert (error.value.status, error.value.code) == (409, "FileAlreadyExists")
    assert store.get_object("once").read() == b"one"


def test_a_wrong_digest_is_refused_and_stores_nothing(store):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    with pytest.raises(oss2.exceptions.InvalidDigest):
        store.put_object("digest", b"body", headers={"Content-MD5": wrong})
    assert not store.object_exists("digest")
    right = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    store.put_object("digest", b"body", headers={"Content-MD5": right})


def test_a_copy_has_the_bytes_and_the_wanted_meaning(store):
    headers = {"x-oss-meta-a": "one", "Content-Type": "text/x-a"}
    put = store.put_object("from a+b%", b"copied", headers=headers)
    copied = store.copy_object(store.bucket_name, "from a+b%", "to/ü")
    assert copied.etag == put.etag
    head = store.head_object("to/ü").headers
    assert (head["x-oss-meta-a"], head["Content-Type"]) == ("one", "text/x-a")
    store.copy_object(
        store.bucket_name, "from a+b%", "to/ü",
        headers={"x-oss-metadata-directive": "REPLACE", "x-oss-meta-b": "two"},
    )
    head = store.head_object("to/ü").headers
    assert head["x-oss-meta-b"] == "two"
    assert "x-oss-meta-a" not in head
    assert store.get_object("to/ü").read() == b"copied"
    with pytest.raises(oss2.exceptions.NoSuchKey):
        store.copy_object(store.bucket_name, "gone", "to/x")


NAMES = ["a", "a/1", "a/2", "a/b/1", "b/1", "c c", "c+c", "ü/1", "z"]


@pytest.fixture
def listed(store):
    for name in NAMES:
        store.put_object(name, name.encode())
    return store


def test_a_listing_is_ordered_and_complete_page_by_page(listed):
    by_v1 = [item.key for item in oss2.ObjectIterator(listed, max_keys=2)]
    by_v2 = [item.key for item in oss2.ObjectIteratorV2(listed, max_keys=2)]
    assert by_v1 == by_v2 == sorted(NAMES, key=str.encode)


def test_a_listing_knows_sizes_and_tags(listed):
    page = listed.list_objects(prefix="a/b/")
    (item,) = page.object_list
    assert (item.key, item.size, item.type) == ("a/b/1", 5, "Normal")
    assert item.etag == hashlib.md5(b"a/b/1").hexdigest().upper()
    assert item.last_modified > 1_600_000_000
    owned = listed.list_objects_v2(prefix="a/b/", fetch_owner=True)
    assert owned.object_list[0].owner.id


def test_a_delimiter_folds_what_is_below(listed):
    for page in (
        listed.list_objects(delimiter="/"),
        listed.list_objects_v2(delimiter="/"),
    ):
        assert [item.key for item in page.object_list] == ["a", "c c", "c+c", "z"]
        assert page.prefix_list == ["a/", "b/", "ü/"]
    below = listed.list_objects(prefix="a/", delimiter="/")
    assert [item.key for item in below.object_list] == ["a/1", "a/2"]
    assert below.prefix_list == ["a/b/"]


def test_pages_may_end_inside_a_fold(listed):
    seen, marker = [], ""
    while True:
        page = listed.list_objects(delimiter="/", marker=marker, max_keys=1)
        seen += [item.key for item in page.object_list] + page.prefix_list
        if not page.is_truncated:
            break
        marker = page.next_marker
    assert sorted(seen) == sorted(["a", "c c", "c+c", "z", "a/", "b/", "ü/"])
    after = listed.list_objects_v2(start_after="b/1")
    assert [item.key for item in after.object_list] == ["c c", "c+c", "z", "ü/1"]


def test_a_multipart_upload_becomes_one_object(store):
    key, size = "multi/part", 100 * 1024
    parts = [os.urandom(size), os.urandom(size), os.urandom(10)]
    upload = store.init_multipart_upload(key, headers={"x-oss-meta-a": "one"}).upload_id
    infos = []
    # Out of order, and one of them twice.
    for number in (3, 1, 2, 1):
        done = store.upload_part(key, upload, number, parts[number - 1])
        infos = [info for info in infos if info.part_number != number]
        infos.append(PartInfo(number, done.etag, size=len(parts[number - 1]), part_crc=done.crc))
    infos.sort(key=lambda info: info.part_number)
    assert not store.object_exists(key)
    listed = store.list_parts(key, upload).parts
    assert [(part.part_number, part.size) for part in listed] == [(1, size), (2, size), (3, 10)]
    uploads = [item.upload_id for item in store.list_multipart_uploads().upload_list]
    assert uploads == [upload]
    done = store.complete_multipart_upload(key, upload, infos)
    assert done.etag.endswith("-3")
    got = store.get_object(key)
    assert got.read() == b"".join(parts)
    assert got.headers["x-oss-meta-a"] == "one"
    assert got.headers["x-oss-object-type"] == "Multipart"
    assert store.list_multipart_uploads().upload_list == []


def test_a_multipart_upload_is_refused_when_it_is_not_whole(store):
    upload = store.init_multipart_upload("m").upload_id
    done = store.upload_part("m", upload, 1, os.urandom(100 * 1024))
    for parts in (
        [PartInfo(1, "0" * 32)],
        [PartInfo(1, done.etag), PartInfo(2, done.etag)],
        [PartInfo(2, done.etag), PartInfo(1, done.etag)],
    ):
        with pytest.raises(oss2.exceptions.ServerError) as error:
            store.complete_multipart_upload("m", upload, parts)
        assert error.value.code in ("InvalidPart", "InvalidPartOrder")
    store.abort_multipart_upload("m", upload)
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        store.upload_part("m", upload, 2, b"late")
    assert not store.object_exists("m")


def test_parts_are_copied_from_other_objects(store):
    source = os.urandom(300 * 1024)
    store.put_object("source", source)
    upload = store.init_multipart_upload("joined").upload_id
    half = 150 * 1024
    parts = []
    for number, byte_range in ((1, (0, half - 1)), (2, (half, len(source) - 1))):
        done = store.upload_part_copy(
            store.bucket_name, "source", byte_range, "joined", upload, number
        )
        parts.append(PartInfo(number, done.etag))
    store.complete_multipart_upload("joined", upload, parts)
    assert store.get_object("joined").read() == source


@pytest.mark.slow
def test_a_resumable_upload_and_download_agree(store, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(12 << 20))
    oss2.resumable_upload(
        store, "big", str(source), multipart_threshold=1 << 20, part_size=3 << 20, num_threads=3,
        store=oss2.ResumableStore(root=str(tmp_path)),
    )
    oss2.resumable_download(
        store, "big", str(target), multiget_threshold=1 << 20, part_size=5 << 20, num_threads=3,
        store=oss2.ResumableDownloadStore(root=str(tmp_path)),
    )
    assert target.read_bytes() == source.read_bytes()


def test_a_presigned_url_opens_to_anybody(store, cloud):
    key, headers = "pre signed/ü+%", {"Content-Type": "text/plain"}
    url = store.sign_url("PUT", key, 60, headers=headers)
    put = requests.put(url, data=b"given", headers=headers, verify=cloud.ca_cert, timeout=30)
    assert put.status_code == 200, put.text
    url = store.sign_url("GET", key, 60)
    assert requests.get(url, verify=cloud.ca_cert, timeout=30).content == b"given"
    changed = requests.get(url.replace("pre", "prf", 1), verify=cloud.ca_cert, timeout=30)
    assert changed.status_code in (403, 404)
    assert b"<Error>" in changed.content


def test_an_old_presigned_url_is_refused(store, cloud):
    store.put_object("old", b"x")
    url = store.sign_url("GET", "old", -10)
    answer = requests.get(url, verify=cloud.ca_cert, timeout=30)
    assert answer.status_code in (400, 403), answer.text


def test_a_wrong_secret_is_refused(clients, cloud, bucket, version):
    stranger = clients.oss2(bucket, version, cloud.root.with_secret("wrong"))
    with pytest.raises(oss2.exceptions.ServerError) as error:
        stranger.put_object("a", b"x")
    assert (error.value.status, error.value.code) == (403, "SignatureDoesNotMatch")


def test_a_bucket_tells_about_itself(store, clients, cloud, version):
    info = store.get_bucket_info()
    assert (info.name, info.acl.grant) == (store.bucket_name, "private")
    assert info.location == f"oss-{cloud.region}"
    assert info.extranet_endpoint and info.intranet_endpoint
    assert store.get_bucket_acl().acl == "private"
    assert store.get_bucket_location().location == f"oss-{cloud.region}"
    service = clients.oss2_service(version)
    names = [item.name for item in oss2.BucketIterator(service, prefix=store.bucket_name)]
    assert names == [store.bucket_name]


def test_a_bucket_with_objects_cannot_be_deleted(store):
    store.put_object("a", b"x")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        store.delete_bucket()


@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a_b_c", "ABC", "a" * 64, "a.b.c"])
def test_a_bucket_name_out_of_rule_is_refused(clients, version, name):
    """The SDK checks names itself; what it lets pass, the server refuses."""
    with pytest.raises((oss2.exceptions.ServerError, oss2.exceptions.ClientError)):
        clients.oss2(name, version).create_bucket()


@pytest.mark.parametrize("host", ["oss.localhost", "region"])
def test_the_bucket_may_be_in_the_host_name(clients, cloud, bucket, version, host):
    host = f"oss-{cloud.region}.localhost" if host == "region" else host
    store = clients.oss2(bucket, version, host=host)
    assert store._make_url(bucket, "k").split("/")[2].startswith(f"{bucket}.{host}")
    store.put_object("virtual/ü+", b"host", headers={"x-oss-meta-a": "one"})
    assert store.get_object("virtual/ü+").read() == b"host"
    assert [item.key for item in store.list_objects_v2().object_list] == ["virtual/ü+"]
    assert clients.oss2(bucket, version).get_object("virtual/ü+").read() == b"host"
    url = store.sign_url("GET", "virtual/ü+", 60)
    assert requests.get(url, verify=cloud.ca_cert, timeout=30).content == b"host"


def test_versions_are_kept_listed_and_deleted(store):
    store.put_object("v", b"0")
    config = oss2.models.BucketVersioningConfig()
    config.status = oss2.BUCKET_VERSIONING_ENABLE
    store.put_bucket_versioning(config)
    assert store.get_bucket_versioning().status == "Enabled"
    first = store.put_object("v", b"1").versionid
    deleted = store.delete_object("v")
    assert deleted.delete_marker
    marker = deleted.versionid
    with pytest.raises(oss2.exceptions.NoSuchKey):
        store.get_object("v")
    for version, body in (("null", b"0"), (first, b"1")):
        assert store.get_object("v", params={"versionId": version}).read() == body

    listed = store.list_object_versions()
    assert [(line.versionid, line.is_latest) for line in listed.delete_marker] == [(marker, True)]
    assert [line.versionid for line in listed.versions] == [first, "null"]
    for version in (marker, first, "null"):
        store.delete_object("v", params={"versionId": version})
    left = store.list_object_versions()
    assert not left.versions and not left.delete_marker
