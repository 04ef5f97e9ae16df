"""What is told first where more than one thing is wrong, and small things of S3, through unmodified boto3."""

import json
from email.utils import formatdate

import pytest
from botocore.exceptions import ClientError

from support import unique

KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
OTHER_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"w" * 32}


def refused(call, status, code):
    with pytest.raises(ClientError) as error:
        call()
    response = error.value.response
    got = response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]
    assert got == (status, code), error.value


def allow(s3, bucket, action, resource, condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": action,
                 "Resource": resource, "Condition": condition}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


def with_header(client, operation, name, value):
    add = lambda params, **_: params["headers"].update({name: value})
    client.meta.events.register(f"before-call.s3.{operation}", add)


def test_who_may_not_write_is_told_that_first(clients, bucket, foreign):
    s3, other = clients.s3(), clients.s3(foreign)
    for client, status, code in [(s3, 400, "InvalidArgument"), (other, 403, "AccessDenied")]:
        wrong = {"Bucket": bucket, "Key": "k", "ServerSideEncryption": "AES192"}
        refused(lambda: client.put_object(Body=b"x", **wrong), status, code)
        refused(lambda: client.create_multipart_upload(**wrong), status, code)


def test_who_may_list_a_key_is_told_that_it_is_not_there(clients, bucket, foreign):
    s3, other = clients.s3(), clients.s3(foreign)
    arn, condition = f"arn:aws:s3:::{bucket}", {"StringLike": {"s3:prefix": "public/*"}}
    allow(s3, bucket, "s3:ListBucket", arn, condition)
    s3.put_object(Bucket=bucket, Key="public/there", Body=b"x")
    for key, status in [("public/none", "404"), ("public/there", "403"), ("private/none", "403")]:
        refused(lambda: other.head_object(Bucket=bucket, Key=key), int(status), status)


def test_a_policy_asks_for_the_page_where_one_is_told(clients, bucket, foreign):
    s3 = clients.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    condition = {"StringLikeIfExists": {"aws:Referer": "http://kpu.example/*"}}
    allow(s3, bucket, "s3:GetObject", "arn:aws:s3:::*/*", condition)
    clients.s3(foreign).get_object(Bucket=bucket, Key="k")
    right, wrong = clients.s3(foreign), clients.s3(foreign)
    with_header(right, "GetObject", "referer", "http://kpu.example/hasil")
    with_header(wrong, "GetObject", "referer", "http://else.example/")
    right.get_object(Bucket=bucket, Key="k")
    refused(lambda: wrong.get_object(Bucket=bucket, Key="k"), 403, "AccessDenied")


def test_an_upload_under_a_clients_key_is_completed_with_that_key(clients, bucket):
    s3 = clients.s3()
    at = {"Bucket": bucket, "Key": unique("k")}
    upload = {**at, "UploadId": s3.create_multipart_upload(**at, **KEY)["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32", **KEY)
    upload["MultipartUpload"] = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    for key in ({}, OTHER_KEY):
        refused(lambda: s3.complete_multipart_upload(**upload, **key), 400, "InvalidRequest")
    s3.complete_multipart_upload(**upload, **KEY)
    assert s3.get_object(**at, **KEY)["Body"].read() == b"x"
    refused(lambda: s3.get_object(**at, PartNumber=2), 400, "InvalidPart")
    refused(lambda: s3.get_object(**at, PartNumber=1), 400, "InvalidRequest")


def test_uploads_tell_whose_they_are_to_whoever_may_list(clients, foreign):
    s3, other = clients.s3(), clients.s3(foreign)
    bucket = unique("uploads")
    s3.create_bucket(Bucket=bucket, ACL="public-read-write")
    try:
        ids = [client.list_buckets()["Owner"]["ID"] for client in (s3, other)]
        begun = [client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
                 for client, key in ((s3, "a"), (other, "b"))]
        told = other.list_multipart_uploads(Bucket=bucket)["Uploads"]
        assert [one["Owner"]["ID"] for one in told] == ids
        assert [one["UploadId"] for one in told] == begun
    finally:
        for key, upload in zip("ab", begun):
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        s3.delete_bucket(Bucket=bucket)


def test_a_date_in_the_form_of_mail_is_read(clients, bucket):
    s3 = clients.s3()
    with_header(s3, "PutObject", "Date", formatdate())
    assert formatdate().endswith("-0000")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
