"""The matrix: what a bucket says of itself, who may, and what is done without being asked."""

import gzip
import json
import time

import alibabacloud_oss_v2 as oss
import oss2
import pytest

from oss_matrix import clear, feature, fetch, refused, web
from support import unique


def until(true, seconds=60):
    """Waits until something is so, and gives it."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.3)
    return found


@feature("buckets, bucket info and stat")
def test_a_bucket_is_made_told_of_and_removed(store, second, cloud):
    own = store.on(unique("own"))
    own.create(acl="public-read", storage_class="IA")
    info = own.info()
    assert (info["name"], info["acl"], info["class"]) == (own.bucket, "public-read", "IA")
    assert info["location"] == own.location() == f"oss-{cloud.region}"
    assert info["owner"] == second.list_buckets()["Owner"]["ID"]
    assert all(info["endpoints"])
    assert own.buckets(own.bucket) == [own.bucket]
    assert own.stat() == (0, 0, 0)
    own.put("a", b"four")
    own.put("b", b"12345")
    upload = own.begin("c")
    assert own.stat() == (9, 2, 1)
    listed = second.list_objects_v2(Bucket=own.bucket)["Contents"]
    assert sum(one["Size"] for one in listed) == 9
    assert {one["StorageClass"] for one in listed} == {"STANDARD_IA"}
    assert refused(own.remove) == (409, "BucketNotEmpty")
    own.abort("c", upload)
    own.delete_many(["a", "b"])
    own.remove()
    assert refused(own.info) == (404, "NoSuchBucket")
    assert refused(lambda: second.head_bucket(Bucket=own.bucket))[0] == 404


@feature("buckets, bucket info and stat")
@pytest.mark.parametrize("name", ["ab", "-abc", "abc-", "a_b_c", "ABC", "a" * 64, "a.b.c"])
def test_a_bucket_name_out_of_rule_is_refused(store, name):
    """By the client, or by the server where the client lets it pass."""
    errors = (oss2.exceptions.OssError, oss.exceptions.BaseError, ValueError)
    with pytest.raises(errors):
        store.on(name).create()


@feature("bucket tagging")
def test_a_bucket_has_tags(fresh, second):
    tags = {"dinas": "KPU", "年": "二〇二四"}
    fresh.put_bucket_tags(tags)
    assert fresh.bucket_tags() == tags
    told = second.get_bucket_tagging(Bucket=fresh.bucket)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in told} == tags
    fresh.delete_bucket_tags()
    assert refused(lambda: second.get_bucket_tagging(Bucket=fresh.bucket))[0] == 404


@feature("canned ACLs")
def test_canned_acls_open_and_shut_buckets_and_objects(fresh, second):
    fresh.put("k", b"x")
    status = lambda method="GET", key="k", **more: web(fresh, method, key, **more).status_code
    assert (fresh.bucket_acl(), fresh.acl("k"), status()) == ("private", "default", 403)
    fresh.put_bucket_acl("public-read")
    assert (fresh.bucket_acl(), status(), status("PUT", "n", data=b"y")) == ("public-read", 200, 403)
    fresh.put_acl("k", "private")
    assert (fresh.acl("k"), status()) == ("private", 403)
    fresh.put_bucket_acl("public-read-write")
    assert status("PUT", "n", data=b"y") == 200
    assert second.get_object(Bucket=fresh.bucket, Key="n")["Body"].read() == b"y"
    fresh.put_bucket_acl("private")
    assert status(key="n") == 403
    fresh.put("open", b"x", acl="public-read")
    assert (fresh.acl("open"), status(key="open")) == ("public-read", 200)
    grants = second.get_object_acl(Bucket=fresh.bucket, Key="open")["Grants"]
    assert {one["Permission"] for one in grants} == {"FULL_CONTROL", "READ"}
    second.put_object_acl(Bucket=fresh.bucket, Key="open", ACL="private")
    assert (fresh.acl("open"), status(key="open")) == ("private", 403)
    assert refused(lambda: fresh.put_bucket_acl("open-to-all"))[0] == 400


@feature("bucket policy, OSS form")
def test_a_policy_of_oss_lets_in_and_keeps_out(fresh, second, foreign):
    other = fresh.on(fresh.bucket, foreign)
    fresh.put("open/a", b"x")
    fresh.put("closed/a", b"x")
    assert refused(lambda: other.get("open/a")) == (403, "AccessDenied")
    document = {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": ["oss:GetObject"], "Principal": ["*"],
             "Resource": [f"acs:oss:*:*:{fresh.bucket}/open/*"]},
            {"Effect": "Deny", "Action": ["oss:DeleteObject"], "Principal": ["*"],
             "Resource": [f"acs:oss:*:*:{fresh.bucket}/open/*"]},
        ],
    }
    fresh.put_policy(json.dumps(document))
    assert json.loads(fresh.policy()) == document
    assert other.get("open/a").body == b"x"
    assert web(fresh, "GET", "open/a").content == b"x"
    assert refused(lambda: other.get("closed/a")) == (403, "AccessDenied")
    assert refused(lambda: other.put("open/b", b"x")) == (403, "AccessDenied")
    assert refused(lambda: fresh.delete("open/a")) == (403, "AccessDenied")
    delete = lambda: second.delete_object(Bucket=fresh.bucket, Key="open/a")
    assert refused(delete) == (403, "AccessDenied")
    fresh.delete_policy()
    assert refused(lambda: other.get("open/a")) == (403, "AccessDenied")
    assert refused(fresh.policy) == (404, "NoSuchBucketPolicy")


@feature("bucket policy, S3 form")
def test_a_policy_of_s3_lets_in_and_keeps_out(fresh, foreign):
    other = fresh.on(fresh.bucket, foreign)
    fresh.put("open/a", b"x")
    statement = {
        "Effect": "Allow", "Action": "s3:GetObject", "Principal": "*",
        "Resource": f"arn:aws:s3:::{fresh.bucket}/open/*",
    }
    denial = {**statement, "Effect": "Deny", "Action": "s3:DeleteObject"}
    document = {"Version": "2012-10-17", "Statement": [statement, denial]}
    assert refused(lambda: other.get("open/a")) == (403, "AccessDenied")
    fresh.call("put_bucket_policy", Policy=json.dumps(document))
    assert json.loads(fresh.call("get_bucket_policy")["Policy"]) == document
    assert other.get("open/a").body == b"x"
    assert refused(lambda: fresh.delete("open/a")) == (403, "AccessDenied")
    theirs = fresh.clients.oss2(fresh.bucket, key=foreign)
    assert theirs.get_object("open/a").read() == b"x"
    fresh.call("delete_bucket_policy")
    assert refused(lambda: other.get("open/a")) == (403, "AccessDenied")


@feature("CORS")
def test_a_page_of_another_origin_is_let_in_as_the_rules_say(fresh, second):
    rules = [
        (["https://kpu.example"], ["GET", "PUT"], ["x-oss-meta-*"], ["ETag"], 600),
        (["*"], ["HEAD"], ["*"], ["x-oss-request-id"], 60),
    ]
    fresh.put("k", b"x", acl="public-read")
    fresh.put_cors(rules)
    assert [tuple(one) for one in fresh.cors()] == rules
    told = second.get_bucket_cors(Bucket=fresh.bucket)["CORSRules"]
    assert told[0]["AllowedOrigins"] == ["https://kpu.example"]
    assert (told[0]["AllowedMethods"], told[0]["MaxAgeSeconds"]) == (["GET", "PUT"], 600)

    def preflight(origin, method, header="x-oss-meta-a"):
        return web(
            fresh, "OPTIONS", "k",
            headers={
                "Origin": origin, "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": header,
            },
        )

    allowed = preflight("https://kpu.example", "PUT")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://kpu.example"
    assert allowed.headers["access-control-max-age"] == "600"
    assert preflight("https://elsewhere.example", "PUT").status_code == 403
    assert preflight("https://kpu.example", "PUT", "x-other").status_code == 403
    got = web(fresh, "GET", "k", headers={"Origin": "https://kpu.example"})
    assert got.headers["access-control-allow-origin"] == "https://kpu.example"
    assert "access-control-allow-origin" not in web(fresh, "GET", "k").headers
    fresh.delete_cors()
    assert preflight("https://kpu.example", "PUT").status_code == 403
    assert refused(fresh.cors) == (404, "NoSuchCORSConfiguration")


RULES = [
    {"id": "end", "prefix": "end/", "end": 1},
    {"id": "move", "prefix": "移/", "move": [(1, "IA"), (30, "Archive")]},
    {"id": "parts", "prefix": "parts/", "abort": 1},
    {"id": "old", "prefix": "old/", "end_old": 1},
    {"id": "cold", "prefix": "cold/", "move_old": [(1, "Archive")]},
]


@feature("lifecycle rules")
def test_rules_are_read_back_as_they_were_set(fresh, second):
    fresh.put_lifecycle(RULES)
    assert fresh.lifecycle() == RULES
    told = second.get_bucket_lifecycle_configuration(Bucket=fresh.bucket)["Rules"]
    assert [(one["ID"], one["Status"]) for one in told] == [(r["id"], "Enabled") for r in RULES]
    assert told[0]["Expiration"] == {"Days": 1}
    assert told[1]["Transitions"][0] == {"Days": 1, "StorageClass": "STANDARD_IA"}
    assert told[2]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
    assert told[3]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 1
    fresh.delete_lifecycle()
    assert refused(fresh.lifecycle) == (404, "NoSuchLifecycle")
    bad = [{"id": "bad", "prefix": "", "end": 0}]
    assert refused(lambda: fresh.put_lifecycle(bad))[0] == 400


class Planted:
    """Buckets of all combinations in which something will happen by itself: begun together, so that the wait for it is
    one and not ten."""

    def __init__(self, stores, second, begin):
        self.stores, self.second, self.begin, self.found = stores, second, begin, {}

    def of(self, store):
        for one in [*self.stores.made.values()]:
            if one.sdk != "boto3" and one.bucket not in self.found:
                own, target = one.on(unique("own")), one.on(unique("target"))
                own.create(), target.create()
                self.begin(own, target)
                self.found[one.bucket] = own, target
        return self.found[store.bucket]

    def clear(self):
        for buckets in self.found.values():
            for one in buckets:
                clear(self.second, one.bucket)


@pytest.fixture(scope="module")
def planted(stores, second):
    made = {}

    def plant(begin):
        return made.setdefault(begin, Planted(stores, second, begin))

    yield plant
    for one in made.values():
        one.clear()


def age(own, _):
    own.put_versioning("Enabled")
    for prefix in ("end/", "移/", "stay/", "old/", "cold/"):
        own.put(prefix + "a", b"old")
    own.put("old/a", b"new")
    own.put("cold/a", b"new")
    own.begin("parts/a")
    own.begin("stay/parts")
    own.put_lifecycle(RULES)


@feature("lifecycle: expiry, transition, abort, non-current")
def test_objects_uploads_and_versions_go_and_move_when_their_days_are_over(store, second, planted):
    own, _ = planted(age).of(store)

    def now():
        listed = second.list_object_versions(Bucket=own.bucket)
        versions = [
            (one["Key"], one["IsLatest"], one["StorageClass"]) for one in listed["Versions"]
        ]
        markers = [one["Key"] for one in listed.get("DeleteMarkers", [])]
        return sorted(versions), markers, [key for key, _ in own.uploads("")]

    expected = (
        sorted([
            ("end/a", False, "STANDARD"), ("移/a", True, "STANDARD_IA"), ("stay/a", True, "STANDARD"),
            ("old/a", True, "STANDARD"), ("cold/a", True, "STANDARD"), ("cold/a", False, "GLACIER"),
        ]),
        ["end/a"],
        ["stay/parts"],
    )
    until(lambda: now() == expected)
    assert refused(lambda: own.get("end/a")) == (404, "NoSuchKey")
    assert own.get("移/a").body == b"old"
    assert own.get("old/a").body == b"new"


@feature("website")
def test_a_website_has_an_index_and_an_error_page(fresh, cloud):
    fresh.put("index.html", b"root", acl="public-read", content_type="text/html")
    fresh.put("error.html", b"error", acl="public-read", content_type="text/html")
    fresh.put_bucket_acl("public-read")
    fresh.put_website("index.html", "error.html")
    assert fresh.website() == ("index.html", "error.html")
    host = f"{fresh.bucket}.oss.localhost:{cloud.port('oss')}"
    visit = lambda path: fetch(fresh, "GET", f"{fresh.clients.scheme}://{host}/{path}")
    assert (visit("").status_code, visit("").content) == (200, b"root")
    assert (visit("gone").status_code, visit("gone").content) == (404, b"error")
    # Who signs is given the index of a folder that is not there.
    assert fresh.get("folder/").body == b"root"
    fresh.delete_website()
    assert refused(fresh.website) == (404, "NoSuchWebsiteConfiguration")
    assert visit("").content != b"root"


@feature("referer")
def test_pages_of_others_are_kept_off(fresh):
    fresh.put("k", b"x", acl="public-read")
    pages = ["https://*.kpu.example/*", "https://kpu.example/*"]
    fresh.put_referer(False, pages)
    allow_empty, referers = fresh.referer()
    assert (allow_empty, sorted(referers)) == (False, pages)
    status = lambda headers=None: web(fresh, "GET", "k", headers=headers).status_code
    assert status({"Referer": "https://kpu.example/a"}) == 200
    assert status({"Referer": "https://jabar.kpu.example/a"}) == 200
    assert status({"Referer": "https://elsewhere.example"}) == 403
    assert status() == 403
    assert fresh.get("k").body == b"x"
    fresh.put_referer(True, [])
    assert status() == status({"Referer": "https://elsewhere.example"}) == 200


def record(own, target):
    own.put_logging(target.bucket, "日志+/")
    own.put("k 中", b"four")
    own.get("k 中")
    web(own, "GET", "shut")


@feature("logging delivery")
def test_requests_are_recorded_and_delivered(store, second, planted):
    own, target = planted(record).of(store)
    assert own.logging() == (target.bucket, "日志+/")

    def lines():
        listed = second.list_objects_v2(Bucket=target.bucket, Prefix=f"日志+/{own.bucket}")
        bodies = [
            second.get_object(Bucket=target.bucket, Key=one["Key"])["Body"].read().decode()
            for one in listed.get("Contents", [])
        ]
        lines = "".join(bodies).splitlines()
        return lines if any('"shut"' in line for line in lines) else None

    lines = until(lines)
    named = lambda action: [line for line in lines if f'"{action}" "{own.bucket}"' in line]
    assert len([line for line in named("PutObject") if " 200 " in line]) == 1, lines
    assert [line for line in named("GetObject") if " 403 " in line], lines
    own.delete_logging()
    assert own.logging() == ("", "")


def count(own, target):
    own.put("a 中", b"four")
    own.put_inventory("harian", target.bucket, own.clients.cloud.account, "of")


@feature("inventory")
def test_an_inventory_is_written(store, second, planted):
    own, target = planted(count).of(store)
    assert own.inventory("harian") == (True, "Daily", target.bucket, ["Size", "ETag"])
    assert own.inventories() == ["harian"]

    def written():
        listed = second.list_objects_v2(Bucket=target.bucket, Prefix=f"of/{own.bucket}/harian/")
        keys = [one["Key"] for one in listed.get("Contents", [])]
        return keys if any(key.endswith("manifest.checksum") for key in keys) else None

    read = lambda key: second.get_object(Bucket=target.bucket, Key=key)["Body"].read()
    manifest = json.loads(read(next(key for key in until(written) if key.endswith(".json"))))
    lines = gzip.decompress(read(manifest["files"][0]["key"])).decode().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f'"{own.bucket}","a%20%E4%B8%AD","","true","false","4","'), lines
    own.delete_inventory("harian")
    assert refused(lambda: own.inventory("harian"))[0] == 404


@feature("request payer")
def test_who_asks_pays_if_it_says_so(fresh, second, foreign):
    other = fresh.on(fresh.bucket, foreign)
    fresh.put("k", b"x", acl="public-read")
    assert fresh.payer() == "BucketOwner"
    fresh.put_payer("Requester")
    assert fresh.payer() == "Requester"
    assert second.get_bucket_request_payment(Bucket=fresh.bucket)["Payer"] == "Requester"
    assert refused(lambda: other.get("k")) == (403, "AccessDenied")
    got = other.get("k", request_payer="requester")
    assert (got.body, got.headers["x-oss-request-charged"]) == (b"x", "requester")
    assert "x-oss-request-charged" not in fresh.get("k").headers
    theirs, one = fresh.clients.s3(foreign), {"Bucket": fresh.bucket, "Key": "k"}
    assert refused(lambda: theirs.get_object(**one)) == (403, "AccessDenied")
    assert theirs.get_object(**one, RequestPayer="requester")["RequestCharged"] == "requester"
    assert web(fresh, "GET", "k").status_code == 403


@feature("transfer acceleration")
def test_acceleration_is_switched(fresh, second):
    missing = (404, "NoSuchTransferAccelerationConfiguration")
    assert refused(fresh.acceleration) == missing
    for enabled, told in ((True, "Enabled"), (False, "Suspended")):
        fresh.put_acceleration(enabled)
        assert fresh.acceleration() is enabled
        assert second.get_bucket_accelerate_configuration(Bucket=fresh.bucket)["Status"] == told


@feature("access monitor")
def test_accesses_are_noted_while_the_monitor_is_on(fresh):
    assert fresh.access_monitor() == fresh.info()["access_monitor"] == "Disabled"
    fresh.put("k", b"x")
    assert "x-oss-last-access-time" not in fresh.meta("k").headers
    fresh.put_access_monitor("Enabled")
    assert fresh.access_monitor() == fresh.info()["access_monitor"] == "Enabled"
    assert fresh.meta("k").headers["x-oss-last-access-time"]
    fresh.put_access_monitor("Disabled")
    assert fresh.access_monitor() == "Disabled"


@feature("public access block")
def test_public_access_is_blocked(fresh, second):
    fresh.put("k", b"x", acl="public-read")
    assert web(fresh, "GET", "k").status_code == 200
    assert not fresh.access_block()
    fresh.put_access_block(True)
    assert fresh.access_block()
    told = second.get_public_access_block(Bucket=fresh.bucket)["PublicAccessBlockConfiguration"]
    assert len(told) == 4 and all(told.values())
    assert web(fresh, "GET", "k").status_code == 403
    assert refused(lambda: fresh.put_bucket_acl("public-read")) == (403, "AccessDenied")
    opened = lambda: second.put_bucket_acl(Bucket=fresh.bucket, ACL="public-read")
    assert refused(opened) == (403, "AccessDenied")
    fresh.delete_access_block()
    ask = lambda: second.get_public_access_block(Bucket=fresh.bucket)
    assert refused(ask) == (404, "NoSuchPublicAccessBlockConfiguration")
    assert web(fresh, "GET", "k").status_code == 200
