"""Requests that no client sends by itself. Each is refused with the code that clients know, in a
JSON object; none is ever answered by nothing, by a page of HTML or by a redirect."""

import datetime
from http.client import BadStatusLine, RemoteDisconnected

import pytest
import requests

from support import Key, acs3, exchange, head, is_proper_error, pe, rpc_v1, send, utc

STS = ("GetCallerIdentity", "2015-04-01")


def check(answer, code):
    return is_proper_error(answer.status_code, answer.headers, answer.content, code)


def test_a_good_request_of_these_signers_is_served(cloud, scheme):
    headers, target = acs3(cloud, *STS)
    answer = send(cloud, scheme, headers, target)
    assert answer.status_code == 200, answer.text
    assert answer.json()["AccountId"] == cloud.account


def test_a_replayed_request_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS)
    assert send(cloud, scheme, headers, target).status_code == 200
    check(send(cloud, scheme, headers, target), "SignatureNonceUsed")


def test_a_replayed_rpc_request_is_refused(cloud, clients):
    params = rpc_v1(cloud, *STS, Format="JSON")
    url = clients.url("api") + "/"
    first = requests.get(url, params=params, verify=cloud.ca_cert, timeout=30)
    assert first.status_code == 200, first.text
    second = requests.get(url, params=params, verify=cloud.ca_cert, timeout=30)
    check(second, "SignatureNonceUsed")


@pytest.mark.parametrize("nonce", ["0" * 16, "f" * 64, "123e4567-e89b-42d3-a456-426614174000"])
def test_nonces_of_any_form_are_used_once_only(cloud, scheme, nonce):
    nonce = f"{nonce}{datetime.datetime.now().timestamp()}"
    answers = []
    for _ in range(2):
        headers, target = acs3(cloud, *STS, x_acs_signature_nonce=nonce)
        answers.append(send(cloud, scheme, headers, target))
    assert answers[0].status_code == 200, answers[0].text
    check(answers[1], "SignatureNonceUsed")


@pytest.mark.parametrize("days", [-7, 7])
def test_a_date_of_another_week_is_refused(cloud, scheme, days):
    late = utc(datetime.timedelta(days=days))
    headers, target = acs3(cloud, *STS, x_acs_date=late)
    check(send(cloud, scheme, headers, target), "InvalidTimeStamp.Expired")
    params = rpc_v1(cloud, *STS, Format="JSON", Timestamp=late)
    target = "/?" + "&".join(f"{name}={pe(value)}" for name, value in params.items())
    check(send(cloud, scheme, {}, target, method="GET"), "InvalidTimeStamp.Expired")


@pytest.mark.parametrize("date", ["yesterday", "2026-13-45T00:00:00Z", ""])
def test_a_date_that_is_none_is_refused(cloud, scheme, date):
    headers, target = acs3(cloud, *STS, x_acs_date=date)
    answer = send(cloud, scheme, headers, target)
    check(answer, None)
    assert answer.status_code == 400


def test_a_wrong_signature_is_refused_and_explained(cloud, scheme):
    headers, target = acs3(cloud, *STS, key=cloud.root.with_secret("wrong"))
    answer = check(send(cloud, scheme, headers, target), "SignatureDoesNotMatch")
    assert "server string to sign is:" in answer["Message"]


def test_a_changed_parameter_is_refused(cloud, scheme):
    headers, target = acs3(cloud, "GetUser", "2015-05-01", {"UserName": "alice"})
    check(send(cloud, scheme, headers, target.replace("alice", "alicf")), "SignatureDoesNotMatch")
    params = rpc_v1(cloud, "GetUser", "2015-05-01", Format="JSON", UserName="alice")
    params["UserName"] = "alicf"
    target = "/?" + "&".join(f"{name}={pe(value)}" for name, value in params.items())
    check(send(cloud, scheme, {}, target, method="GET"), "SignatureDoesNotMatch")


def test_a_changed_header_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS)
    headers["x-acs-action"] = "ListUsers"
    headers["x-acs-version"] = "2015-05-01"
    check(send(cloud, scheme, headers, target), "SignatureDoesNotMatch")


def test_an_unsigned_control_header_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS)
    headers["x-acs-security-token"] = "slipped-in"
    check(send(cloud, scheme, headers, target), None)


def test_a_body_that_is_not_the_signed_one_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS, body=b"UserName=alice")
    headers["content-type"] = "application/x-www-form-urlencoded"
    answer = send(cloud, scheme, headers, target, body=b"UserName=alicf")
    check(answer, None)
    assert answer.status_code == 400


def test_an_unknown_key_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS, key=Key("LTAInobody0000000000000", "x"))
    answer = check(send(cloud, scheme, headers, target), "InvalidAccessKeyId.NotFound")
    assert "LTAInobody" not in answer["Code"]


@pytest.mark.parametrize(
    "action, version",
    [("NoSuchAction", "2015-05-01"), ("GetUser", "1999-01-01"), ("GetUser", "nonsense")],
)
def test_an_unknown_action_is_a_400_so_that_nothing_is_taken_for_gone(
    cloud, scheme, action, version
):
    headers, target = acs3(cloud, action, version)
    answer = send(cloud, scheme, headers, target)
    body = check(answer, "InvalidAction.NotFound")
    assert answer.status_code == 400
    assert "NotFound" not in body["Message"]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_an_unsigned_request_is_refused_whatever_the_method(cloud, scheme, method):
    answer = send(cloud, scheme, {}, "/", method=method)
    check(answer, None)
    assert answer.status_code < 500


@pytest.mark.parametrize("path", ["/nowhere", "/../etc/passwd", "/%2e%2e/", "/favicon.ico"])
def test_no_path_leads_to_html_or_a_redirect(cloud, scheme, path):
    answer = exchange(
        cloud, "api", head("GET", path, {"Host": "localhost", "Connection": "close"}),
        tls=scheme == "https",
    )
    is_proper_error(answer.status, answer.headers, answer.body)


def test_a_body_shorter_than_declared_is_refused(cloud):
    headers, target = acs3(cloud, *STS, body=b"UserName=alice")
    headers["content-length"] = "4000"
    request = head("POST", target, headers) + b"UserName=alice"
    answer = exchange(cloud, "api", request, then_close=True)
    is_proper_error(answer.status, answer.headers, answer.body)


@pytest.mark.slow
def test_a_body_that_stops_half_way_is_not_waited_for_for_ever(cloud, scheme):
    headers, target = acs3(cloud, *STS, body=b"UserName=alice")
    headers["content-length"] = "4000"
    request = head("POST", target, headers) + b"UserName=alice"
    answer = exchange(cloud, "api", request, tls=scheme == "https", timeout=90)
    is_proper_error(answer.status, answer.headers, answer.body)


def test_a_body_longer_than_declared_is_not_read_as_part_of_it(cloud, scheme):
    body = b"UserName=alice"
    headers, target = acs3(cloud, *STS, body=body)
    headers["content-length"] = str(len(body) - 1)
    answer = exchange(cloud, "api", head("POST", target, headers) + body, tls=scheme == "https")
    is_proper_error(answer.status, answer.headers, answer.body)


def test_a_body_beyond_the_limit_is_refused(cloud, scheme):
    headers, target = acs3(cloud, *STS)
    headers["content-length"] = str(1 << 40)
    answer = exchange(
        cloud, "api", head("POST", target, headers) + b"x" * 65536, tls=scheme == "https"
    )
    is_proper_error(answer.status, answer.headers, answer.body)


@pytest.mark.parametrize("door", ["api", "oss"])
def test_a_flood_of_headers_is_refused(cloud, door):
    """16 MiB in one header, and as much in many: refused long before it is all read. (Over TLS a
    client that is cut off while it still writes cannot read the answer any more.)"""
    for headers in (
        {"Host": "localhost", "X-Flood": "a" * (16 << 20)},
        {"Host": "localhost", **{f"X-Flood-{n}": "a" * 1000 for n in range(16_000)}},
    ):
        answer = exchange(cloud, door, head("GET", "/", headers))
        assert 400 <= answer.status < 500
        assert answer.body
        assert not answer.body.lstrip().lower().startswith((b"<!doctype", b"<html"))


@pytest.mark.parametrize("door", ["api", "oss"])
def test_a_target_beyond_the_limit_is_refused(cloud, door):
    request = head("GET", "/" + "a" * (4 << 20), {"Host": "localhost"})
    answer = exchange(cloud, door, request)
    assert 400 <= answer.status < 500
    assert answer.body


@pytest.mark.parametrize("door", ["api", "oss"])
@pytest.mark.parametrize(
    "request_bytes",
    [b"\x00\x01\x02\x03\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"],
)
def test_what_is_no_http_is_answered_or_hung_up_on(cloud, door, request_bytes):
    try:
        answer = exchange(cloud, door, request_bytes)
    except (BadStatusLine, RemoteDisconnected, ConnectionResetError):
        return
    assert 400 <= answer.status < 600
    assert not answer.body.lstrip().lower().startswith((b"<!doctype", b"<html"))


def test_a_host_with_a_scheme_or_without_a_port_is_served(cloud, scheme):
    """Some clients put the whole endpoint in `Host`, one leaves the port away."""
    for host in (f"http://{cloud.door('api')}", "127.0.0.1", "ram.aliyuncs.com"):
        headers, target = acs3(cloud, *STS, host=host)
        answer = exchange(
            cloud, "api", head("POST", target, {**headers, "content-length": "0"}),
            tls=scheme == "https",
        )
        assert answer.status == 200, (host, answer.body)


@pytest.mark.parametrize("algorithm", ["ACS3-HMAC-SM3", "ACS3-RSA-SHA256", "AWS4-HMAC-SHA256"])
def test_an_algorithm_that_is_not_spoken_is_refused(cloud, scheme, algorithm):
    headers, target = acs3(cloud, *STS)
    headers["authorization"] = headers["authorization"].replace("ACS3-HMAC-SHA256", algorithm)
    answer = send(cloud, scheme, headers, target)
    check(answer, None)
    assert answer.status_code == 400
