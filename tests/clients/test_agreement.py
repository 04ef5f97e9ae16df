"""Agreements from outside: no service without one, both signatures or none, and its places are kept."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from agreements import Awan, NoteKey, agree, root_key, statement, template, tenant_key
from support import Key, unique


@pytest.fixture
def newcomer(cloud):
    """An account without an agreement: its id, and calls in its name."""
    made = Awan(cloud)("CreateAccount", AccountName=unique("tenant"), DisplayName="Tenant")
    account = made["Account"]["AccountId"]
    key = Key(made["AccessKey"]["AccessKeyId"], made["AccessKey"]["AccessKeySecret"])
    yield account, key
    Awan(cloud)("SuspendAccount", AccountId=account)


def s3(cloud, key):
    return boto3.client(
        "s3",
        endpoint_url=f"http://{cloud.door('oss')}",
        region_name=cloud.region,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


def refused(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_no_service_without_an_agreement(cloud, newcomer):
    _, key = newcomer
    code, status = refused(s3(cloud, key).create_bucket, Bucket=unique("none"))
    assert (code, status) == ("Forbidden.NoAgreement", 403)


def test_an_agreement_signed_in_python_serves_and_keeps_its_places(cloud, newcomer):
    account, key = newcomer
    tenant = tenant_key(cloud, account)
    document = template(cloud, account, tenant)
    clauses = document["contracts"][0]["sovereign"]
    clauses["services"] = ["oss"]
    personal = next(rule for rule in clauses["residency"]["rules"] if rule["class"] == "personal")
    personal["zonesMin"] = 2
    agree(cloud, account, Awan(cloud, key), document, tenant)

    client, name = s3(cloud, key), unique("placed")
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="a", Body=b"x")
    abroad = {"LocationConstraint": "ap-southeast-1"}
    code, status = refused(client.create_bucket, Bucket=name + "-sg", CreateBucketConfiguration=abroad)
    assert (code, status) == ("Forbidden.Residency", 403)
    client.delete_object(Bucket=name, Key="a")
    client.delete_bucket(Bucket=name)

    def create(headers):
        other = s3(cloud, key)
        add = lambda request, **_: [request.headers.__setitem__(*item) for item in headers.items()]
        other.meta.events.register("before-sign.s3.CreateBucket", add)
        return other.create_bucket

    lapsed = refused(create({"x-awan-site": "jkt-old"}), Bucket=name + "-old")
    assert lapsed == ("Forbidden.PermitLapsed", 403)
    one_zone = refused(create({"x-awan-data-class": "personal"}), Bucket=name + "-pdp")
    assert one_zone == ("Forbidden.ZoneRedundancyRequired", 403)
    create({"x-awan-data-class": "personal", "x-awan-redundancy": "ZRS"})(Bucket=name + "-pdp")
    client.put_object(Bucket=name + "-pdp", Key="a", Body=b"x" * 100_000)
    assert client.get_object(Bucket=name + "-pdp", Key="a")["Body"].read() == b"x" * 100_000
    client.delete_object(Bucket=name + "-pdp", Key="a")
    client.delete_bucket(Bucket=name + "-pdp")

    ram = Awan(cloud, key)
    denied = ram.send("ListUsage")
    assert denied.status_code == 200, denied.text


def test_nothing_binds_without_both_signatures(cloud, newcomer):
    account, key = newcomer
    tenant, operator, own = tenant_key(cloud, account), Awan(cloud), Awan(cloud, key)
    document = template(cloud, account, tenant)
    text = statement(document)
    which = {"Ocid": document["ocid"], "ReleaseId": document["id"]}
    operator("CreateAgreement", AccountId=account, Document=json.dumps(document))

    forged = NoteKey(tenant.name)
    assert own.send("SignAgreement", **which, SignatureLine=forged.line(text)).status_code == 400
    other_text = text.replace("v1", "v2")
    assert own.send("SignAgreement", **which, SignatureLine=tenant.line(other_text)).status_code == 400
    own("SignAgreement", **which, SignatureLine=tenant.line(text))
    assert operator.send("ActivateAgreement", **which).status_code == 409
    assert own.send("ActivateAgreement", **which).status_code == 403
    operator("SignAgreement", **which, SignatureLine=cloud.provider.line(text))
    operator("ActivateAgreement", **which)
    assert own("GetAgreement")["Agreement"]["State"] == "Active"


def test_a_root_key_takes_the_tenants_signature_and_ends_the_older_ones(cloud, newcomer):
    account, key = newcomer
    tenant, operator, own = tenant_key(cloud, account), Awan(cloud), Awan(cloud, key)
    agree(cloud, account, own, template(cloud, account, tenant), tenant)
    for caller in (operator, own):
        bare = caller.send("CreateAccountAccessKey", AccountId=account)
        assert (bare.status_code, bare.json()["Code"]) == (403, "Forbidden.TenantSignature")
    forged = operator.send("CreateAccountAccessKey", **root_key(account, NoteKey(tenant.name)))
    assert (forged.status_code, forged.json()["Code"]) == (403, "Forbidden.TenantSignature")

    signed = root_key(account, tenant)
    made = own("CreateAccountAccessKey", **signed)["AccessKey"]
    ended = own.send("GetAgreement").json()["Code"]
    assert ended == "InvalidAccessKeyId.NotFound", "the key that the operator knows"
    new = Awan(cloud, Key(made["AccessKeyId"], made["AccessKeySecret"]))
    assert new("GetAgreement")["Agreement"]["State"] == "Active"
    again = operator.send("CreateAccountAccessKey", **signed)
    assert (again.status_code, again.json()["Code"]) == (403, "Forbidden.TenantSignature")


def test_privileged_access_takes_the_tenants_signature(cloud, newcomer):
    account, key = newcomer
    tenant, operator, own = tenant_key(cloud, account), Awan(cloud), Awan(cloud, key)
    agree(cloud, account, own, template(cloud, account, tenant), tenant)
    asked = operator("RequestPrivilegedAccess", AccountId=account, Reason="Tiket 17", Hours="2")["Access"]
    bare = own.send("ApprovePrivilegedAccess", AccessId=asked["AccessId"])
    assert (bare.status_code, bare.json()["Code"]) == (403, "Forbidden.TenantSignature")
    text = f"awan privileged access v1\n{asked['AccessId']}\n{account}\nTiket 17\n2\n"
    given = own("ApprovePrivilegedAccess", AccessId=asked["AccessId"], SignatureLine=tenant.line(text))
    assert given["Access"]["State"] == "Granted"


def test_a_changed_document_is_another_one(cloud, newcomer):
    account, _ = newcomer
    operator, tenant = Awan(cloud), tenant_key(cloud, account)
    document = template(cloud, account, tenant)
    operator("CreateAgreement", AccountId=account, Document=json.dumps(document))
    document["contracts"][0]["sovereign"]["services"] = ["oss"]
    again = operator.send("CreateAgreement", AccountId=account, Document=json.dumps(document))
    assert (again.status_code, again.json()["Code"]) == (409, "EntityAlreadyExists.Agreement")


@pytest.mark.parametrize("document", ["", "{}", "[", '{"ocid":1}', "\u0000", "[" * 5000])
def test_what_is_no_release_is_refused_as_a_bad_parameter(cloud, newcomer, document):
    account, _ = newcomer
    answer = Awan(cloud).send("CreateAgreement", AccountId=account, Document=document)
    assert answer.status_code == 400, answer.text
    assert answer.json()["Code"].split(".")[0] in ("InvalidParameter", "MissingParameter"), answer.text
