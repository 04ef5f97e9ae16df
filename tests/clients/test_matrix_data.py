"""The matrix: objects, their bytes and what is said of them."""

import base64
import hashlib
import os
import time
import zlib

import oss2
import pytest

from oss_matrix import feature, fetch, refused
from support import Key

PART = 100 << 10


@feature("objects and their metadata")
def test_an_object_is_read_back_with_its_meaning(store, folder, second):
    key, body = folder + "31 ü.json", os.urandom(70_000)
    meaning = {
        "content_type": "text/x-tps",
        "cache_control": "max-age=60",
        "content_disposition": 'attachment; filename="tps.json"',
        "metadata": {"province": "Papua Barat Daya"},
    }
    put = store.put(key, body, **meaning)
    assert put.etag == hashlib.md5(body).hexdigest().upper()
    got, head, meta = store.get(key), store.head(key), store.meta(key)
    assert got.body == body
    for told in (got, head):
        assert told.headers["content-type"] == "text/x-tps"
        assert told.headers["cache-control"] == "max-age=60"
        assert told.headers["content-disposition"] == 'attachment; filename="tps.json"'
        assert told.headers["x-oss-meta-province"] == "Papua Barat Daya"
        assert told.headers["x-oss-object-type"] == "Normal"
        assert len(told.headers["x-oss-request-id"]) == 24
    assert (meta.etag, int(meta.headers["content-length"])) == (put.etag, len(body))
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert other["Body"].read() == body
    assert other["Metadata"] == {"province": "Papua Barat Daya"}
    assert other["ContentType"] == "text/x-tps"
    second.put_object(Bucket=store.bucket, Key=key, Body=b"", Metadata={"kecamatan": "Gambir"})
    assert (store.get(key).body, store.head(key).headers["content-length"]) == (b"", "0")
    assert store.head(key).headers["x-oss-meta-kecamatan"] == "Gambir"


@feature("objects and their metadata")
def test_what_is_not_there_is_told_and_deleting_is_repeatable(store, folder, second):
    key = folder + "gone"
    assert refused(lambda: store.get(key)) == (404, "NoSuchKey")
    # A HEAD has no body: its error travels in a header.
    assert refused(lambda: store.head(key))[0] == 404
    assert not store.exists(key)
    store.put(key, b"x")
    assert store.exists(key)
    assert store.delete(key).status == store.delete(key).status == 204
    assert not store.exists(key)
    assert "Contents" not in second.list_objects_v2(Bucket=store.bucket, Prefix=folder)
    assert refused(lambda: store.on("no-such-bucket-here").get(key)) == (404, "NoSuchBucket")


@feature("objects and their metadata")
def test_a_wrong_key_is_refused_and_stores_nothing(store, folder, second):
    for key, code in [
        (store.key.with_secret("wrong"), "SignatureDoesNotMatch"),
        (Key("nobody", "x"), "InvalidAccessKeyId"),
    ]:
        stranger = store.on(store.bucket, key)
        assert refused(lambda: stranger.put(folder, b"x")) == (403, code)
        # That a bucket is missing is told to anybody.
        nowhere = stranger.on("no-such-bucket-here")
        assert refused(lambda: nowhere.get(folder)) == (404, "NoSuchBucket")
    assert "Contents" not in second.list_objects_v2(Bucket=store.bucket, Prefix=folder)


@feature("objects and their metadata")
def test_an_upload_of_unknown_length_is_stored(store, folder, second):
    pieces = lambda: (bytes([number]) * 1000 for number in range(50))
    store.put(folder, pieces())
    got = second.get_object(Bucket=store.bucket, Key=folder)["Body"].read()
    assert got == b"".join(pieces())


KEYS = [
    "plain",
    "with space",
    "a+b",
    "100%",
    "%41 is not A",
    "%2F",
    "a//b",
    "a/",
    "Kelurahan Gambir, Jakarta Pusat/hasil suara (1).json",
    "Pemilu 2024/TPS 001 – Ciputat & Cinere.csv",
    "ünïcödé",
    "u\u0308 is not ü",
    "选举/二〇二四年/投票结果.json",
    "選舉/九龍",
    "東京/渋谷",
    "🗳️/suara 👨‍👩‍👧‍👦.json",
    "مرحبا/שלום",
    "&<>\"'",
    "a?b=c&d#e",
    "?acl",
    "semi;colon,comma:colon",
    "[brackets]{braces}|^`\\",
    "~tilde-_.!*'()",
    "=$@",
    "tab\tnew\nline",
    "..still/...plain/.characters",
    "k" * 900,
]


@feature("keys in Chinese, Indonesian, emoji and hostile ones")
def test_any_key_is_the_same_key_for_everybody(store, folder, second):
    for key in KEYS:
        key, body = folder + key, os.urandom(50)
        store.put(key, body)
        assert store.get(key).body == body, key
        assert second.get_object(Bucket=store.bucket, Key=key)["Body"].read() == body, key
        assert store.head(key).etag == hashlib.md5(body).hexdigest().upper(), key
        url, headers = store.presign("GET", key, 60)
        assert fetch(store, "GET", url, headers=headers).content == body, key
    expected = sorted((folder + key for key in KEYS), key=str.encode)
    listed = second.list_objects_v2(Bucket=store.bucket, Prefix=folder)["Contents"]
    assert [one["Key"] for one in listed] == expected
    assert store.list(folder)[0] == store.list_v2(folder)[0] == expected
    assert sorted(store.delete_many(expected), key=str.encode) == expected
    assert store.list(folder) == ([], [])


@feature("listings")
def test_listings_are_ordered_and_folded_page_by_page(store, folder, second):
    names = ["a", "a/1", "a/2", "a/b/1", "b/1", "c c", "c+c", "ü/1", "z"]
    for name in names:
        second.put_object(Bucket=store.bucket, Key=folder + name, Body=name.encode())
    ordered = [folder + name for name in sorted(names, key=str.encode)]
    for listing in (store.list, store.list_v2):
        for size in (2, 100):
            assert listing(folder, size=size) == (ordered, [])
            keys, folds = listing(folder, "/", size)
            assert keys == [folder + name for name in ("a", "c c", "c+c", "z")]
            assert folds == [folder + name for name in ("a/", "b/", "ü/")]
    assert store.entries(folder + "a/b/") == [(folder + "a/b/1", 5, "Normal", "Standard")]


@feature("ranged reads")
def test_ranges_are_cut_out(store, folder):
    key, body = folder + "range", bytes(range(100))
    store.put(key, body)
    for wanted, cut, told in [
        ("0-0", slice(0, 1), "0-0"), ("10-19", slice(10, 20), "10-19"),
        ("90-", slice(90, None), "90-99"), ("-7", slice(-7, None), "93-99"),
        ("50-1000", slice(50, None), "50-99"),
    ]:
        got = store.get(key, range_header=f"bytes={wanted}")
        assert (got.status, got.body) == (206, body[cut]), wanted
        assert got.headers["content-range"] == f"bytes {told}/100"
    whole = store.get(key, range_header="bytes=200-300")
    assert (whole.status, whole.body) == (200, body)
    strict = lambda: store.get(key, range_header="bytes=200-300", range_behavior="standard")
    assert refused(strict) == (416, "InvalidRange")


def break_off(done, *_):
    if done > PART:
        raise RuntimeError("broken off")


@feature("parallel resumable transfers")
def test_a_file_goes_and_comes_in_parallel_parts(store, folder, second, tmp_path):
    source, back, key = tmp_path / "source", tmp_path / "back", folder + "besar 🗳"
    source.write_bytes(os.urandom(5 * PART + 77))
    with pytest.raises(Exception, match="broken off"):
        store.upload_file(key, source, 2 * PART, tmp_path, break_off)
    ((_, begun),) = store.uploads(key)
    assert not store.exists(key)
    store.upload_file(key, source, 2 * PART, tmp_path)
    # It was the same upload that went on.
    assert refused(lambda: store.parts(key, begun)) == (404, "NoSuchUpload")
    assert store.uploads(key) == []
    got = second.get_object(Bucket=store.bucket, Key=key)
    assert got["Body"].read() == source.read_bytes()
    assert got["ETag"].endswith('-3"')
    store.download_file(key, back, PART, tmp_path)
    assert back.read_bytes() == source.read_bytes()


@feature("conditional reads")
def test_conditions_of_reads_are_weighed(store, folder):
    key = folder + "c"
    etag = f'"{store.put(key, b"one").etag}"'
    long_ago, far = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    for holds in (
        {"if_match": etag}, {"if_none_match": '"0"'},
        {"if_modified_since": long_ago}, {"if_unmodified_since": far},
    ):
        assert store.get(key, **holds).body == b"one", holds
    for fails, status in [
        ({"if_match": '"0"'}, 412), ({"if_none_match": etag}, 304),
        ({"if_unmodified_since": long_ago}, 412),
    ]:
        assert refused(lambda: store.get(key, **fails))[0] == status, fails


@feature("conditional writes: forbid-overwrite")
def test_overwriting_can_be_forbidden_in_every_kind_of_write(store, folder, second):
    key, source = folder + "once", folder + "source"
    store.put(key, b"one", forbid_overwrite=True)
    store.put(source, b"two")
    exists = (409, "FileAlreadyExists")
    assert refused(lambda: store.put(key, b"two", forbid_overwrite=True)) == exists
    assert refused(lambda: store.copy(source, key, forbid_overwrite=True)) == exists
    assert refused(lambda: store.put_symlink(key, source, forbid_overwrite=True)) == exists
    upload = store.begin(key)
    parts = [(1, store.part(key, upload, 1, b"two"))]
    assert refused(lambda: store.complete(key, upload, parts, forbid_overwrite=True)) == exists
    assert second.get_object(Bucket=store.bucket, Key=key)["Body"].read() == b"one"
    put = lambda: second.put_object(Bucket=store.bucket, Key=key, Body=b"s3", IfNoneMatch="*")
    assert refused(put) == (412, "PreconditionFailed")


@feature("conditional writes: If-Match, If-None-Match")
def test_a_write_may_depend_on_what_is_there(store, folder):
    key = folder + "once"
    etag = store.put(key, b"one", IfNoneMatch="*")["ETag"]
    failed = (412, "PreconditionFailed")
    assert refused(lambda: store.put(key, b"two", IfNoneMatch="*")) == failed
    assert refused(lambda: store.put(key, b"two", IfMatch='"0"')) == failed
    missing = lambda: store.put(folder + "gone", b"two", IfMatch=etag)
    assert refused(missing) == (404, "NoSuchKey")
    store.put(key, b"two", IfMatch=etag)
    other = store.clients.oss2(store.bucket)
    assert other.get_object(key).read() == b"two"
    with pytest.raises(oss2.exceptions.ServerError):
        other.put_object(key, b"three", headers={"x-oss-forbid-overwrite": "true"})


def crc64_ecma(body):
    crc = oss2.utils.Crc64()
    crc.update(body)
    return str(crc.crc)


@feature("checksums: CRC64-ECMA, MD5")
def test_checksums_are_told_and_wrong_ones_refused(store, folder, second):
    key, body = folder + "sum", os.urandom(10_000)
    md5 = lambda text: base64.b64encode(hashlib.md5(text).digest()).decode()
    put = store.put(key, body, content_md5=md5(body))
    assert put.headers["x-oss-hash-crc64ecma"] == crc64_ecma(body)
    assert put.headers["content-md5"] == md5(body)
    for told in (store.get(key), store.head(key)):
        assert told.headers["x-oss-hash-crc64ecma"] == crc64_ecma(body)
        assert told.etag == hashlib.md5(body).hexdigest().upper()
    wrong = lambda: store.put(folder + "wrong", b"body", content_md5=md5(b"other"))
    assert refused(wrong) == (400, "InvalidDigest")
    listed = second.list_objects_v2(Bucket=store.bucket, Prefix=folder)["Contents"]
    assert [one["Key"] for one in listed] == [key]
    upload, bodies = store.begin(key), (os.urandom(PART), body)
    parts = [(n, store.part(key, upload, n, part)) for n, part in enumerate(bodies, 1)]
    done = store.complete(key, upload, parts)
    assert done.headers["x-oss-hash-crc64ecma"] == crc64_ecma(b"".join(bodies))


@feature("checksums: CRC32, CRC32C, CRC64NVME, SHA-1, SHA-256")
def test_the_checksums_of_s3_are_kept_and_wrong_ones_refused(store, folder):
    body = os.urandom(200_000)
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        key, name = folder + algorithm, f"Checksum{algorithm}"
        sum_told = store.put(key, body, ChecksumAlgorithm=algorithm)[name]
        got = store.call("get_object", Key=key, ChecksumMode="ENABLED")
        assert (got["Body"].read(), got[name]) == (body, sum_told)
        again = store.put(key, body, **{name: sum_told})
        assert again[name] == sum_told
        wrong = lambda: store.put(key, b"other", **{name: sum_told})
        assert refused(wrong) == (400, "BadDigest"), algorithm
        assert store.clients.oss2(store.bucket).get_object(key).read() == body
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    told = lambda name: store.call("head_object", Key=folder + name, ChecksumMode="ENABLED")
    assert told("CRC32")["ChecksumCRC32"] == crc32
    assert told("SHA256")["ChecksumSHA256"] == sha256


@feature("GetObjectAttributes")
def test_attributes_tell_of_sums_and_parts(store, folder):
    key, bodies = folder + "parts", [os.urandom(5 << 20), b"end"]
    upload = {"Key": key}
    upload["UploadId"] = store.call(
        "create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256"
    )["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        done = store.call(
            "upload_part", **upload, PartNumber=number, Body=body, ChecksumAlgorithm="SHA256"
        )
        named = ("ETag", "ChecksumSHA256")
        parts.append({"PartNumber": number, **{name: done[name] for name in named}})
    store.call("complete_multipart_upload", **upload, MultipartUpload={"Parts": parts})
    wanted = ["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    told = store.call("get_object_attributes", Key=key, ObjectAttributes=wanted)
    assert (told["ObjectSize"], told["StorageClass"]) == ((5 << 20) + 3, "STANDARD")
    assert told["ObjectParts"]["TotalPartsCount"] == 2
    sums = [part["ChecksumSHA256"] for part in told["ObjectParts"]["Parts"]]
    assert sums == [part["ChecksumSHA256"] for part in parts]
    joined = hashlib.sha256(b"".join(base64.b64decode(one) for one in sums)).digest()
    assert told["Checksum"]["ChecksumSHA256"].startswith(base64.b64encode(joined).decode())
    assert store.clients.oss2(store.bucket).head_object(key).etag.lower() == told["ETag"]


@feature("CopyObject with directives")
def test_a_copy_has_the_bytes_and_the_wanted_meaning(store, folder, second):
    source, to = folder + "from a+b%", folder + "to/ü"
    store.put(source, b"copied", metadata={"a": "one"}, content_type="text/x-a", tagging="t=1")
    etag = store.head(source).etag
    store.copy(source, to)
    head = store.head(to)
    assert (head.headers["x-oss-meta-a"], head.headers["content-type"]) == ("one", "text/x-a")
    assert (head.etag, store.tags(to)) == (etag, {"t": "1"})
    store.copy(
        source, to, metadata_directive="REPLACE", metadata={"b": "two"}, content_type="text/x-b",
        tagging_directive="Replace", tagging="u=2",
    )
    other = second.get_object(Bucket=store.bucket, Key=to)
    assert (other["Body"].read(), other["Metadata"]) == (b"copied", {"b": "two"})
    assert other["ContentType"] == "text/x-b"
    assert store.tags(to) == {"u": "2"}
    assert refused(lambda: store.copy(folder + "gone", to)) == (404, "NoSuchKey")
    unmatched = lambda: store.copy(source, to, if_match='"0"')
    assert refused(unmatched) == (412, "PreconditionFailed")
    assert refused(lambda: store.copy(source, to, if_none_match=f'"{etag}"'))[0] in (304, 412)


@feature("AppendObject")
def test_an_object_grows_where_its_writer_says(store, folder, second):
    key = folder + "log"
    assert store.append(key, 0, b"hello", metadata={"a": "b"}) == 5
    assert refused(lambda: store.append(key, 0, b"x")) == (409, "PositionNotEqualToLength")
    assert store.append(key, 5, b" world") == 11
    head = store.head(key).headers
    assert (head["x-oss-object-type"], head["x-oss-next-append-position"]) == ("Appendable", "11")
    assert head["x-oss-hash-crc64ecma"] == crc64_ecma(b"hello world")
    assert store.entries(key) == [(key, 11, "Appendable", "Standard")]
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert (other["Body"].read(), other["Metadata"]) == (b"hello world", {"a": "b"})
    store.put(folder + "plain", b"x")
    grow = lambda: store.append(folder + "plain", 1, b"y")
    assert refused(grow) == (409, "ObjectNotAppendable")


@feature("AppendObject", "oss-v2")
def test_a_file_of_the_newer_client_appends(store, folder, second):
    for line in (b"one\n", b"two\n"):
        with store.client.append_file(store.bucket, folder) as file:
            file.write(line)
    got = second.get_object(Bucket=store.bucket, Key=folder)["Body"].read()
    assert got == b"one\ntwo\n"


@feature("symlinks")
def test_a_link_reads_as_its_target(store, folder, second):
    target, link = folder + "target ü", folder + "link 🗳"
    store.put(target, b"hello")
    store.put_symlink(link, target, metadata={"a": "b"})
    assert store.symlink(link) == target
    head = store.head(link)
    assert head.headers["x-oss-object-type"] == "Symlink"
    assert (head.etag, head.headers["x-oss-meta-a"]) == ("5D41402ABC4B2A76B9719D911017C592", "b")
    assert store.get(link).body == b"hello"
    assert second.get_object(Bucket=store.bucket, Key=link)["Body"].read() == b"hello"
    store.delete(target)
    assert refused(lambda: store.get(link)) == (404, "SymlinkTargetNotExist")


@feature("multipart uploads")
def test_a_multipart_upload_becomes_one_object(store, folder, second):
    key, parts = folder + "multi/部分", [os.urandom(PART), os.urandom(PART), os.urandom(10)]
    upload = store.begin(key, metadata={"a": "one"}, content_type="text/x-a")
    # Out of order, and one of them twice.
    etags = {n: store.part(key, upload, n, parts[n - 1]) for n in (3, 1, 2, 1)}
    assert not store.exists(key)
    for wrong in ([(1, "0" * 32)], [(1, etags[1]), (4, etags[1])]):
        assert refused(lambda: store.complete(key, upload, wrong)) == (400, "InvalidPart")
    done = store.complete(key, upload, sorted(etags.items()))
    assert done.headers["x-oss-hash-crc64ecma"] == crc64_ecma(b"".join(parts))
    assert store.head(key).headers["x-oss-object-type"] == "Multipart"
    other = second.get_object(Bucket=store.bucket, Key=key)
    assert other["Body"].read() == b"".join(parts)
    assert (other["Metadata"], other["ContentType"]) == ({"a": "one"}, "text/x-a")
    assert other["ETag"].endswith('-3"')
    assert refused(lambda: store.part(key, upload, 4, b"late")) == (404, "NoSuchUpload")


@feature("multipart: parts copied")
def test_parts_are_copied_from_other_objects(store, folder, second):
    source, key, body = folder + "source +ü", folder + "joined", os.urandom(3 * PART)
    second.put_object(Bucket=store.bucket, Key=source, Body=body)
    upload, half = store.begin(key), len(body) // 2
    cuts = [(1, 0, half - 1), (2, half, len(body) - 1)]
    etags = [(n, store.part_copy(key, upload, n, source, *cut)) for n, *cut in cuts]
    assert etags[0][1].strip('"').lower() == hashlib.md5(body[:half]).hexdigest()
    store.complete(key, upload, etags)
    assert second.get_object(Bucket=store.bucket, Key=key)["Body"].read() == body


@feature("multipart: listings")
def test_uploads_and_their_parts_are_listed_page_by_page(store, folder, second):
    keys = [folder + name for name in ("a", "b +", "c 中")]
    uploads = [(key, store.begin(key)) for key in keys]
    assert store.uploads(folder, size=2) == store.uploads(folder) == uploads
    key, upload = uploads[0]
    for number in (1, 2, 7):
        store.part(key, upload, number, bytes(number))
    parts = [(1, 1), (2, 2), (7, 7)]
    assert store.parts(key, upload, size=2) == store.parts(key, upload) == parts
    told = second.list_parts(Bucket=store.bucket, Key=key, UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in told] == parts
    # What one dialect began, the other goes on with.
    begun = second.create_multipart_upload(Bucket=store.bucket, Key=keys[0] + "s3")["UploadId"]
    assert store.uploads(keys[0] + "s3") == [(keys[0] + "s3", begun)]
    store.complete(keys[0] + "s3", begun, [(1, store.part(keys[0] + "s3", begun, 1, b"joined"))])
    assert store.get(keys[0] + "s3").body == b"joined"
    for key, upload in uploads:
        store.abort(key, upload)
    assert store.uploads(folder) == []
    assert "Uploads" not in second.list_multipart_uploads(Bucket=store.bucket, Prefix=folder)
    assert refused(lambda: store.parts(*uploads[0])) == (404, "NoSuchUpload")


@feature("batch delete")
def test_many_objects_are_deleted_at_once(store, folder, second):
    names = ["plain", "with space", "plus+", "percent%20", "déjà vu", "<&\"'>", "中文 🗳", "stays"]
    keys = [folder + name for name in names]
    for key in keys:
        second.put_object(Bucket=store.bucket, Key=key, Body=b"x")
    gone = [*keys[:-1], folder + "never-there"]
    assert set(store.delete_many(gone)) >= set(keys[:-1])
    left = second.list_objects_v2(Bucket=store.bucket, Prefix=folder)["Contents"]
    assert [one["Key"] for one in left] == [keys[-1]]


@feature("object tagging")
def test_tags_are_set_told_and_removed(store, folder, second):
    key, tags = folder + "tagged", {"provinsi": "Papua Barat Daya", "年+": "二〇二四 =:/"}
    store.put(key, b"x", tagging="a=1&b=%E4%B8%AD")
    assert store.tags(key) == {"a": "1", "b": "中"}
    assert store.head(key).headers["x-oss-tagging-count"] == "2"
    store.put_tags(key, tags)
    assert store.tags(key) == tags
    told = second.get_object_tagging(Bucket=store.bucket, Key=key)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in told} == tags
    second.put_object_tagging(Bucket=store.bucket, Key=key, Tagging={"TagSet": [{"Key": "s", "Value": "3"}]})
    assert store.tags(key) == {"s": "3"}
    store.delete_tags(key)
    assert store.tags(key) == {}
    too_many = {f"k{n}": "v" for n in range(11)}
    assert refused(lambda: store.put_tags(key, too_many))[0] == 400


@feature("storage classes and restore")
def test_classes_are_told_and_the_cold_ones_restored(store, folder, second):
    key = folder + "k"
    names = [("IA", "STANDARD_IA"), ("Archive", "GLACIER"), ("ColdArchive", "DEEP_ARCHIVE")]
    for name, of_s3 in names:
        store.put(key + name, b"frozen", storage_class=name)
        assert store.head(key + name).headers["x-oss-storage-class"] == name
        assert store.entries(key + name) == [(key + name, 6, "Normal", name)]
        told = second.head_object(Bucket=store.bucket, Key=key + name)
        assert told["StorageClass"] == of_s3
    assert store.get(key + "IA").body == b"frozen"
    cold = key + "ColdArchive"
    assert refused(lambda: store.get(cold)) == (403, "InvalidObjectState")
    assert store.restore(cold, 1, "Expedited").status == 202
    assert refused(lambda: store.restore(cold, 1, "Expedited")) == (409, "RestoreAlreadyInProgress")
    assert 'ongoing-request="true"' in store.head(cold).headers["x-oss-restore"]


@pytest.fixture(scope="module")
def thawing(stores):
    """An archived object of every combination that is being restored."""
    kept = {}

    def ask(store):
        if store.bucket not in kept:
            store.put("thaw", b"thawed", storage_class="Archive")
            store.restore("thaw", 1)
            kept[store.bucket] = time.monotonic()

    return ask


@feature("storage classes and restore")
def test_what_is_restored_can_be_read(store, stores, thawing):
    for other in [one for one in stores.made.values() if one.sdk != "boto3"]:
        thawing(other)
    end = time.monotonic() + 30
    while 'ongoing-request="false"' not in store.head("thaw").headers["x-oss-restore"]:
        assert time.monotonic() < end
        time.sleep(0.2)
    assert store.get("thaw").body == b"thawed"


SPOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAFCAIAAADzBuo/AAAAEUlEQVR4nGM4ISCABzEMoD"
    "QA3QYtUZyQPJoAAAAASUVORK5CYII="
)


@feature("image processing")
def test_an_image_is_resized_cropped_converted_and_stored(store, folder, second):
    key, small = folder + "spot.png", folder + "small.jpg"
    store.put(key, SPOT)
    size = lambda told: [told[f"Image{side}"]["value"] for side in ("Width", "Height")]
    info = lambda key: store.get(key, process="image/info").json()
    assert (size(info(key)), info(key)["Format"]["value"]) == (["10", "5"], "png")
    url, headers = store.presign("GET", key, 60, process="image/info")
    assert size(fetch(store, "GET", url, headers=headers).json()) == ["10", "5"]
    made = store.get(key, process="image/resize,w_4/format,jpg")
    assert made.body[:2] == b"\xff\xd8" and made.headers["content-type"] == "image/jpeg"
    store.put(folder + "cropped", store.get(key, process="image/crop,x_2,y_1,w_3,h_2").body)
    assert size(info(folder + "cropped")) == ["3", "2"]
    name = base64.urlsafe_b64encode(small.encode()).decode()
    assert store.process(key, f"image/resize,w_4/format,jpg|sys/saveas,o_{name}") == small
    assert size(info(small)) == ["4", "2"]
    assert second.get_object(Bucket=store.bucket, Key=small)["Body"].read()[:2] == b"\xff\xd8"
    mark = base64.urlsafe_b64encode(f"{key}?x-oss-process=image/resize,P_50".encode()).decode()
    marked = store.get(key, process=f"image/watermark,image_{mark},g_nw,x_1,y_1").body
    assert marked[:4] == b"\x89PNG"
    missing = lambda: store.get(key, process="image/watermark,image_bm9uZQ")
    assert refused(missing) == (400, "InvalidArgument")
    unknown = lambda: store.get(key, process="image/watermark,text_aGk")
    assert refused(unknown) == (501, "NotImplemented")


@feature("Select", "oss2", "oss-v2 v4")
def test_select_is_refused(store, folder):
    store.put(folder, b"a,b\n")
    ask = lambda: store.select(folder, "select * from ossobject")
    assert refused(ask) == (501, "NotImplemented")


@feature("Select", "boto3")
def test_select_of_s3_is_refused(store, folder):
    store.put(folder, b"a,b\n")
    ask = lambda: store.call(
        "select_object_content", Key=folder, ExpressionType="SQL", Expression="select * from s3object",
        InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}},
    )
    assert refused(ask) == (501, "NotImplemented")
