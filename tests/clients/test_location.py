"""The location service: a client that knows one endpoint finds the others."""

import json

import pytest
from aliyunsdkcore.request import CommonRequest


@pytest.mark.parametrize("service", ["ram", "sts", "oss"])
def test_endpoints_of_a_service_are_told(clients, cloud, scheme, service):
    request = CommonRequest()
    request.set_domain(cloud.door("api"))
    request.set_protocol_type(scheme)
    request.set_accept_format("JSON")
    request.set_version("2015-06-12")
    request.set_action_name("DescribeEndpoints")
    request.add_query_param("Id", cloud.region)
    request.add_query_param("ServiceCode", service)
    request.add_query_param("Type", "openAPI")
    answer = json.loads(clients.legacy().do_action_with_exception(request))
    found = answer["Endpoints"]["Endpoint"]
    assert found, answer
    door = "oss" if service == "oss" else "api"
    assert cloud.door(door) in [endpoint["Endpoint"] for endpoint in found]
    for endpoint in found:
        assert endpoint["SerivceCode" if "SerivceCode" in endpoint else "ServiceCode"] == service
