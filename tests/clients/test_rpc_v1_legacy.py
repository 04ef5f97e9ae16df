"""The older core SDK, which signs with RPC V1 as Terraform and the command line do."""

import json
from xml.etree import ElementTree

import pytest
import requests
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.request import CommonRequest
from aliyunsdkram.request.v20150501 import (
    CreateUserRequest,
    DeleteUserRequest,
    GetUserRequest,
    ListUsersRequest,
)
from aliyunsdksts.request.v20150401 import AssumeRoleRequest, GetCallerIdentityRequest

from support import Key, rpc_v1, unique


@pytest.fixture
def call(clients, cloud, scheme):
    """Sends a request of the SDK and gives the decoded answer."""

    def call(request, key=None, **fields):
        request.set_endpoint(cloud.door("api"))
        request.set_protocol_type(scheme)
        request.set_accept_format("JSON")
        for name, value in fields.items():
            getattr(request, f"set_{name}")(value)
        return json.loads(clients.legacy(key).do_action_with_exception(request))

    return call


def common(method, action, version, **params):
    request = CommonRequest()
    request.set_method(method)
    request.set_action_name(action)
    request.set_version(version)
    for name, value in params.items():
        request.add_query_param(name, value)
    return request


def test_generated_requests_work(call):
    name = unique("user")
    made = call(CreateUserRequest.CreateUserRequest(), UserName=name, DisplayName="Budi (a)*'!~ +%")
    assert made["User"]["UserName"] == name
    got = call(GetUserRequest.GetUserRequest(), UserName=name)
    assert got["User"]["DisplayName"] == "Budi (a)*'!~ +%"
    assert isinstance(call(ListUsersRequest.ListUsersRequest())["Users"]["User"], list)
    assert call(DeleteUserRequest.DeleteUserRequest(), UserName=name)["RequestId"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_common_requests_work(call, cloud, scheme, method):
    request = common(method, "GetCallerIdentity", "2015-04-01")
    request.set_domain(cloud.door("api"))
    assert call(request)["AccountId"] == cloud.account


def test_parameters_may_be_in_the_form(call, cloud):
    name = unique("user")
    request = common("POST", "CreateUser", "2015-05-01")
    request.set_domain(cloud.door("api"))
    request.add_body_params("UserName", name)
    request.add_body_params("Comments", "in the form & signed")
    assert call(request)["User"]["Comments"] == "in the form & signed"
    call(DeleteUserRequest.DeleteUserRequest(), UserName=name)


def test_a_temporary_key_works(call, cloud):
    identity = call(GetCallerIdentityRequest.GetCallerIdentityRequest())
    assert identity["AccountId"] == cloud.account
    with pytest.raises(ServerException) as error:
        call(
            AssumeRoleRequest.AssumeRoleRequest(),
            RoleArn=f"acs:ram::{cloud.account}:role/nobody",
            RoleSessionName="legacy",
        )
    assert error.value.error_code in ("EntityNotExist.Role", "NoPermission")


def test_a_wrong_secret_is_explained(call, cloud):
    """The SDK compares the echoed string with its own; where they agree, the secret is wrong."""
    with pytest.raises(ServerException) as error:
        call(ListUsersRequest.ListUsersRequest(), key=cloud.root.with_secret("wrong"))
    assert error.value.error_code == "InvalidAccessKeySecret"
    assert error.value.http_status == 400


def test_errors_carry_code_status_and_request_id(call):
    with pytest.raises(ServerException) as error:
        call(GetUserRequest.GetUserRequest(), UserName="nobody")
    assert error.value.error_code == "EntityNotExist.User"
    assert error.value.http_status == 404
    assert error.value.request_id
    with pytest.raises(ServerException) as error:
        call(ListUsersRequest.ListUsersRequest(), key=Key("LTAInobody0000000000000", "x"))
    assert error.value.error_code == "InvalidAccessKeyId.NotFound"


def get(clients, cloud, params, method="GET"):
    return requests.request(
        method,
        clients.url("api") + "/",
        **({"params": params} if method == "GET" else {"data": params}),
        verify=cloud.ca_cert,
        timeout=30,
    )


def test_without_a_format_the_answer_is_xml(clients, cloud):
    answer = get(clients, cloud, rpc_v1(cloud, "GetCallerIdentity", "2015-04-01"))
    assert answer.headers["content-type"].startswith("text/xml")
    root = ElementTree.fromstring(answer.content)
    assert root.tag == "GetCallerIdentityResponse"
    assert root.findtext("AccountId") == cloud.account
    assert root.findtext("RequestId")


def test_without_a_format_errors_and_lists_are_xml_too(clients, cloud):
    answer = get(clients, cloud, rpc_v1(cloud, "GetUser", "2015-05-01", UserName="nobody"))
    root = ElementTree.fromstring(answer.content)
    assert (answer.status_code, root.tag) == (404, "Error")
    assert root.findtext("Code") == "EntityNotExist.User"
    answer = get(clients, cloud, rpc_v1(cloud, "ListPolicies", "2015-05-01", PolicyType="System"))
    root = ElementTree.fromstring(answer.content)
    names = [item.findtext("PolicyName") for item in root.findall("Policies/Policy")]
    assert "AdministratorAccess" in names


@pytest.mark.parametrize("spelling", ["json", "JSON", "Json"])
def test_the_format_is_read_in_any_case(clients, cloud, spelling):
    params = rpc_v1(cloud, "GetCallerIdentity", "2015-04-01", Format=spelling)
    assert get(clients, cloud, params).json()["AccountId"] == cloud.account


def test_everything_may_be_in_the_body(clients, cloud):
    """As Node's older client does it: nothing in the query, not even the action."""
    params = rpc_v1(cloud, "GetCallerIdentity", "2015-04-01", "POST", Format="JSON")
    assert get(clients, cloud, params, "POST").json()["AccountId"] == cloud.account


def test_empty_values_are_signed(clients, cloud):
    params = rpc_v1(
        cloud, "GetCallerIdentity", "2015-04-01", Format="JSON", SignatureType="", Lang=""
    )
    assert get(clients, cloud, params).json()["AccountId"] == cloud.account


def test_action_names_are_matched_in_any_case(clients, cloud):
    params = rpc_v1(cloud, "getcalleridentity", "2015-04-01", Format="JSON")
    assert get(clients, cloud, params).json()["AccountId"] == cloud.account
