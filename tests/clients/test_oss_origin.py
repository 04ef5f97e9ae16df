"""What a bucket fetches from another origin, and how a host name is proven, by the vendor's own clients."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import alibabacloud_oss_v2 as oss
import oss2
import pytest
from oss2.models import (
    BucketWebsite,
    Condition,
    MirrorHeadersSet,
    Redirect,
    RedirectMirrorHeaders,
    RoutingRule,
)

from support import unique


class Origin(BaseHTTPRequestHandler):
    """Has every key but those below `none/`, and fails below `bad/`."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        status = 404 if "/none/" in self.path else 500 if "/bad/" in self.path else 200
        body = f"from afar: {self.path}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def origin():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    server.seen = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def url_of(origin):
    return f"http://127.0.0.1:{origin.server_address[1]}/"


@pytest.fixture
def bucket(clients):
    bucket = clients.oss2(unique("origin"))
    bucket.create_bucket()
    yield bucket
    for entry in oss2.ObjectIterator(bucket):
        bucket.delete_object(entry.key)
    bucket.delete_bucket()


def test_what_is_missing_is_fetched_once_and_kept(bucket, origin):
    headers = RedirectMirrorHeaders(pass_list=["x-mine"], set_list=[MirrorHeadersSet("x-set", "y")])
    redirect = Redirect(
        redirect_type="Mirror", mirror_url=url_of(origin), mirror_check_md5=True, mirror_headers=headers
    )
    condition = Condition(key_prefix_equals="far/", http_err_code_return_equals=404)
    rules = [RoutingRule(rule_num=1, condition=condition, redirect=redirect)]
    bucket.put_bucket_website(BucketWebsite("index.html", "error.html", rules))
    told = bucket.get_bucket_website().rules[0].redirect
    assert (told.mirror_url, told.mirror_check_md5) == (url_of(origin), True)
    assert not bucket.object_exists("far/a b")
    got = bucket.get_object("far/a b", headers={"x-mine": "1"})
    assert (got.read(), got.content_type) == (b"from afar: /far/a%20b", "text/plain")
    [(path, sent)] = origin.seen
    assert (path, sent["x-mine"], sent["x-set"]) == ("/far/a%20b", "1", "y")
    assert "authorization" not in {name.lower() for name in sent}
    assert bucket.get_object("far/a b", byte_range=(0, 3)).read() == b"from"
    assert bucket.head_object("far/a b").content_length == 21
    assert len(origin.seen) == 1
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object("far/none/a")
    with pytest.raises(oss2.exceptions.ServerError) as failed:
        bucket.get_object("far/bad/a")
    assert (failed.value.status, failed.value.code) == (424, "MirrorFailed")
    assert [entry.key for entry in oss2.ObjectIterator(bucket)] == ["far/a b"]


def test_what_a_mirror_cannot_do_is_refused_by_its_name(clients, bucket):
    v2 = clients.oss_v2()
    redirect = oss.RoutingRuleRedirect(redirect_type="Mirror", mirror_url="http://a.id/", mirror_role="r")
    rule = oss.RoutingRule(rule_number=1, redirect=redirect)
    website = oss.WebsiteConfiguration(
        index_document=oss.IndexDocument(suffix="i"), routing_rules=oss.RoutingRules(routing_rules=[rule])
    )
    with pytest.raises(oss.exceptions.OperationError) as refused:
        v2.put_bucket_website(
            oss.PutBucketWebsiteRequest(bucket=bucket.bucket_name, website_configuration=website)
        )
    told = refused.value.unwrap()
    assert (told.status_code, told.code) == (501, "NotImplemented")
    assert "MirrorRole" in told.message


def test_a_name_with_a_token_waits_for_its_proof(bucket):
    made = bucket.create_bucket_cname_token("www.awan.invalid")
    told = bucket.get_bucket_cname_token("www.awan.invalid")
    assert (told.token, told.cname, told.bucket) == (made.token, "www.awan.invalid", bucket.bucket_name)
    assert told.expire_time.endswith(" GMT")
    with pytest.raises(oss2.exceptions.ServerError) as unproven:
        bucket.put_bucket_cname(oss2.models.PutBucketCnameRequest("www.awan.invalid"))
    assert (unproven.value.status, unproven.value.code) == (403, "NeedVerifyDomainOwnership")
    bucket.delete_bucket_cname("www.awan.invalid")
    bucket.put_bucket_cname(oss2.models.PutBucketCnameRequest("www.awan.invalid"))
    assert [one.domain for one in bucket.list_bucket_cname().cname] == ["www.awan.invalid"]
    bucket.delete_bucket_cname("www.awan.invalid")
