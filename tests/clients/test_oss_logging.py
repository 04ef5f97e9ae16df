"""Access logs, inventories and websites of buckets, by the vendors' own clients.

The cloud's settings have it deliver records after seconds (`awan.toml` beside this file).
"""

import gzip
import json
import time
from http.client import HTTPConnection

import alibabacloud_oss_v2 as oss
import pytest
from botocore.exceptions import ClientError

from support import unique

WAIT_SECONDS = 60


@pytest.fixture
def target(clients):
    """The name of an empty bucket that takes what the cloud writes."""
    s3 = clients.s3()
    name = unique("target")
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for entry in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=entry["Key"])
    s3.delete_bucket(Bucket=name)


def wait_for(s3, bucket, prefix):
    """The objects below a prefix, once there are any."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        if found:
            return {entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in found}
        time.sleep(0.5)
    raise AssertionError(f"nothing was written below {prefix}")


def logging_policy(target, source):
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "logging.s3.amazonaws.com"},
                    "Action": ["s3:PutObject"],
                    "Resource": f"arn:aws:s3:::{target}/log/*",
                    "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{source}"}},
                }
            ],
        }
    )


def test_boto3_has_its_requests_recorded(clients, bucket, target):
    s3 = clients.s3()
    enabled = {
        "TargetBucket": target,
        "TargetPrefix": "log/",
        "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "EventTime"}},
    }
    with pytest.raises(ClientError) as refused:
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    s3.put_bucket_policy(Bucket=target, Policy=logging_policy(target, bucket))
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    s3.put_object(Bucket=bucket, Key="a b", Body=b"four")
    written = wait_for(s3, target, f"log/{clients.cloud.account}/{clients.cloud.region}/{bucket}/")
    lines = b"".join(written.values()).decode().splitlines()
    put = [line for line in lines if " REST.PUT.OBJECT a%20b " in line]
    assert len(put) == 1 and " SigV4 " in put[0] and " AuthHeader " in put[0], lines
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    s3.delete_bucket_policy(Bucket=target)


def test_oss_v2_names_further_fields(clients, bucket):
    client = clients.oss_v2()
    fields = oss.UserDefinedLogFieldsConfiguration(
        header_set=oss.LoggingHeaderSet(headers=["header1"]),
        param_set=oss.LoggingParamSet(parameters=["param1"]),
    )
    client.put_user_defined_log_fields_config(
        oss.PutUserDefinedLogFieldsConfigRequest(bucket=bucket, user_defined_log_fields_configuration=fields)
    )
    told = client.get_user_defined_log_fields_config(oss.GetUserDefinedLogFieldsConfigRequest(bucket=bucket))
    assert told.user_defined_log_fields_configuration.header_set.headers == ["header1"]
    client.delete_user_defined_log_fields_config(oss.DeleteUserDefinedLogFieldsConfigRequest(bucket=bucket))


def test_boto3_has_an_inventory_written(clients, bucket, target):
    s3 = clients.s3()
    s3.put_object(Bucket=bucket, Key="a b", Body=b"four")
    wanted = {
        "Id": "daily",
        "IsEnabled": True,
        "IncludedObjectVersions": "All",
        "Schedule": {"Frequency": "Daily"},
        "OptionalFields": ["Size", "ETag"],
        "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{target}", "Format": "CSV", "Prefix": "of"}},
    }
    s3.put_bucket_inventory_configuration(Bucket=bucket, Id="daily", InventoryConfiguration=wanted)
    told = s3.get_bucket_inventory_configuration(Bucket=bucket, Id="daily")["InventoryConfiguration"]
    assert told == wanted
    listed = s3.list_bucket_inventory_configurations(Bucket=bucket)
    assert [one["Id"] for one in listed["InventoryConfigurationList"]] == ["daily"]
    until = time.monotonic() + WAIT_SECONDS
    written = {}
    while not any(key.endswith("manifest.checksum") for key in written) and time.monotonic() < until:
        written = wait_for(s3, target, f"of/{bucket}/daily/")
    manifest = json.loads(next(body for key, body in written.items() if key.endswith("manifest.json")))
    assert manifest["fileSchema"] == "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, ETag"
    lines = gzip.decompress(written[manifest["files"][0]["key"]]).decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith(f'"{bucket}","a%20b","","true","false","4","'), lines
    s3.delete_bucket_inventory_configuration(Bucket=bucket, Id="daily")
    with pytest.raises(ClientError) as gone:
        s3.get_bucket_inventory_configuration(Bucket=bucket, Id="daily")
    assert gone.value.response["Error"]["Code"] == "NoSuchConfiguration"


def test_a_website_of_boto3_is_seen_by_a_browser(clients, bucket):
    s3 = clients.s3()
    s3.put_bucket_website(
        Bucket=bucket,
        WebsiteConfiguration={
            "IndexDocument": {"Suffix": "index.html"},
            "ErrorDocument": {"Key": "error.html"},
            "RoutingRules": [
                {
                    "Condition": {"KeyPrefixEquals": "old/"},
                    "Redirect": {"ReplaceKeyPrefixWith": "new/", "HttpRedirectCode": "302"},
                }
            ],
        },
    )
    for key in ("index.html", "error.html"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ContentType="text/html", ACL="public-read")

    def visit(path):
        connection = HTTPConnection("127.0.0.1", clients.cloud.port("oss"), timeout=30)
        connection.request("GET", path, headers={"Host": f"{bucket}.s3-website.localhost"})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers["Location"]

    assert visit("/")[:2] == (200, b"index.html")
    assert visit("/none")[:2] == (403, b"error.html")
    status, _, location = visit("/old/a")
    assert (status, location) == (302, f"http://{bucket}.s3-website.localhost/new/a")
    s3.delete_bucket_website(Bucket=bucket)
    assert visit("/")[0] == 404
