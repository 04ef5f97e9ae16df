"""The matrix: versions and delete markers."""

from oss_matrix import feature, refused


@feature("versioning and delete markers")
def test_versions_are_kept_listed_restored_and_deleted(fresh, second):
    assert not fresh.versioning()
    fresh.put("v ü", b"0", tagging="n=0")
    fresh.put_versioning("Enabled")
    assert fresh.versioning() == "Enabled"
    assert second.get_bucket_versioning(Bucket=fresh.bucket)["Status"] == "Enabled"
    first = fresh.put("v ü", b"1").version
    last = second.put_object(Bucket=fresh.bucket, Key="v ü", Body=b"2")["VersionId"]
    deleted = fresh.delete("v ü")
    marker = deleted.version
    assert deleted.headers["x-oss-delete-marker"] == "true"
    assert refused(lambda: fresh.get("v ü")) == (404, "NoSuchKey")
    assert refused(lambda: fresh.get("v ü", version_id=marker)) == (405, "MethodNotAllowed")
    assert fresh.list() == ([], [])
    for version, body in (("null", b"0"), (first, b"1"), (last, b"2")):
        got = fresh.get("v ü", version_id=version)
        assert (got.version, got.body) == (version, body)
        assert fresh.head("v ü", version_id=version).version == version
    for size in (1, 100):
        versions, markers = fresh.versions("v", size)
        assert [line[1:] for line in versions] == [(last, False), (first, False), ("null", False)]
        assert markers == [("v ü", marker, True)]
    told = second.list_object_versions(Bucket=fresh.bucket)
    assert [one["VersionId"] for one in told["Versions"]] == [last, first, "null"]
    # Without its marker, the newest is there again.
    fresh.delete("v ü", version_id=marker)
    assert fresh.get("v ü").body == b"2"
    copied = fresh.copy("v ü", "copy", source_version_id=first)
    assert copied.headers["x-oss-copy-source-version-id"] == first
    assert second.get_object(Bucket=fresh.bucket, Key="copy")["Body"].read() == b"1"


@feature("versioning and delete markers")
def test_tags_are_of_a_version_and_many_versions_are_deleted_at_once(fresh, second):
    fresh.put_versioning("Enabled")
    versions = [fresh.put("k", bytes([n])).version for n in range(3)]
    fresh.put_tags("k", {"n": "0"}, version_id=versions[0])
    assert fresh.tags("k", version_id=versions[0]) == {"n": "0"}
    assert fresh.tags("k") == {}
    fresh.delete("k")
    done = fresh.delete_versions([("k", version) for version in versions])
    assert sorted(done) == sorted(("k", version) for version in versions)
    told = second.list_object_versions(Bucket=fresh.bucket)
    assert "Versions" not in told and len(told["DeleteMarkers"]) == 1


@feature("versioning suspended")
def test_a_suspended_bucket_replaces_the_null_version_only(fresh, second):
    fresh.put_versioning("Enabled")
    kept = fresh.put("k", b"kept").version
    fresh.put_versioning("Suspended")
    assert second.get_bucket_versioning(Bucket=fresh.bucket)["Status"] == "Suspended"
    for body in (b"1", b"2"):
        fresh.put("k", body)
    versions, markers = fresh.versions("k")
    assert [line[1:] for line in versions] == [("null", True), (kept, False)] and not markers
    fresh.delete("k")
    versions, markers = fresh.versions("k")
    assert [line[1] for line in versions] == [kept]
    assert [line[1:] for line in markers] == [("null", True)]
    got = second.get_object(Bucket=fresh.bucket, Key="k", VersionId=kept)
    assert got["Body"].read() == b"kept"
