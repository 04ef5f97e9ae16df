"""Rules and figures of buckets, and the words of OSS, through unmodified clients."""

import base64

import alibabacloud_oss_v2 as oss
import oss2
import pytest
from alibabacloud_oss_v2 import models as oss_v2


@pytest.fixture(params=["v1", "v4"])
def store(clients, bucket, request):
    return clients.oss2(bucket, request.param)


def test_what_a_bucket_forbids_to_overwrite_is_written_once(clients, bucket):
    client = clients.oss_v2()
    rules = oss_v2.OverwriteConfiguration(
        rules=[oss_v2.OverwriteRule(id="votes", action="forbid", prefix="votes/", suffix=".csv")]
    )
    client.put_bucket_overwrite_config(
        oss_v2.PutBucketOverwriteConfigRequest(bucket=bucket, overwrite_configuration=rules)
    )
    told = client.get_bucket_overwrite_config(
        oss_v2.GetBucketOverwriteConfigRequest(bucket=bucket)
    )
    (rule,) = told.overwrite_configuration.rules
    assert (rule.id, rule.prefix, rule.suffix) == ("votes", "votes/", ".csv")
    put = lambda key: client.put_object(oss_v2.PutObjectRequest(bucket=bucket, key=key, body=b"1"))
    put("votes/1.csv")
    put("votes/1.txt")
    put("votes/1.txt")
    with pytest.raises(oss.exceptions.OperationError) as refused:
        put("votes/1.csv")
    assert refused.value.unwrap().code == "FileAlreadyExists"
    client.delete_bucket_overwrite_config(
        oss_v2.DeleteBucketOverwriteConfigRequest(bucket=bucket)
    )
    put("votes/1.csv")


def test_a_bucket_holds_no_more_than_its_capacity(store):
    assert store.get_bucket_storage_capacity().storage_capacity == -1
    store.set_bucket_storage_capacity(oss2.models.BucketUserQos(0))
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        store.put_object("k", b"x")
    assert (refused.value.status, refused.value.code) == (403, "QuotaExceeded")
    with pytest.raises(oss2.exceptions.InvalidArgument):
        store.set_bucket_storage_capacity(oss2.models.BucketUserQos(-2))
    store.set_bucket_storage_capacity(oss2.models.BucketUserQos(1))
    assert store.get_bucket_storage_capacity().storage_capacity == 1
    store.put_object("k", b"x")


def test_statistics_are_told_by_class(store):
    assert store.get_bucket_stat().last_modified_time == 0
    store.put_object("warm", b"123")
    store.put_object("cold", b"12345", headers={"x-oss-storage-class": "Archive"})
    stat = store.get_bucket_stat()
    assert (stat.standard_storage, stat.standard_object_count) == (3, 1)
    assert (stat.archive_storage, stat.archive_real_storage, stat.archive_object_count) == (5, 5, 1)
    assert stat.infrequent_access_object_count == 0
    store.delete_object("cold")
    assert store.get_bucket_stat().archive_object_count == 0


def test_text_is_read_compressed(store):
    text = b"suara " * 400
    store.put_object("votes.txt", text)
    got = store.get_object("votes.txt", headers={"Accept-Encoding": "gzip"})
    assert got.headers["Content-Encoding"] == "gzip"
    assert (got.content_length, got.read()) == (None, text)
    assert store.get_object("votes.txt").read() == text


def test_listings_tell_what_is_being_restored(store):
    store.put_object("cold", b"x", headers={"x-oss-storage-class": "Archive"})
    store.put_object("warm", b"x")
    store.restore_object("cold")
    cold, warm = store.list_objects().object_list
    assert "ongoing-request" in cold.restore_info
    assert warm.restore_info is None
    assert "ongoing-request" in store.list_objects_v2().object_list[0].restore_info


def test_a_callback_is_found_under_its_name(store):
    callback = base64.b64encode(b'{"callbackUrl":"http://127.0.0.1:9/","callbackBody":"b"}')
    store.put_bucket_callback_policy([oss2.models.CallbackPolicyInfo("mine", callback)])
    (kept,) = store.get_bucket_callback_policy().callback_policies
    assert (kept.policy_name, kept.callback) == ("mine", callback.decode())
    named = base64.b64encode(b'{"callbackPolicy":"mine"}').decode()
    assert store.put_object("k", b"x", headers={"x-oss-callback": named}).status == 203
    assert store.get_object("k").read() == b"x"
    assert store.delete_bucket_callback_policy().status == 204
    with pytest.raises(oss2.exceptions.ServerError) as gone:
        store.get_bucket_callback_policy()
    assert gone.value.code == "BucketCallbackPolicyNotExist"


def test_some_tags_are_taken_off_a_bucket(store):
    tagging = oss2.models.Tagging()
    tagging.tag_set.tagging_rule.update({"a": "1", "b": "2", "%@c": "3"})
    store.put_bucket_tagging(tagging)
    store.delete_bucket_tagging(params={"tagging": "%@c,a"})
    assert store.get_bucket_tagging().tag_set.tagging_rule == {"b": "2"}


def test_a_tag_of_an_object_has_few_marks(store):
    store.put_object("k", b"x")
    tagging = oss2.models.Tagging()
    tagging.tag_set.tagging_rule["%@abc"] = "1"
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        store.put_object_tagging("k", tagging)
    assert refused.value.code == "InvalidTag"


def test_an_upload_gets_its_acl_at_its_end(clients, bucket):
    client = clients.oss_v2()
    upload = {"bucket": bucket, "key": "k"}
    begun = client.initiate_multipart_upload(oss_v2.InitiateMultipartUploadRequest(**upload))
    upload["upload_id"] = begun.upload_id
    part = client.upload_part(oss_v2.UploadPartRequest(part_number=1, body=b"x", **upload))
    parts = [oss_v2.UploadPart(part_number=1, etag=part.etag)]
    client.complete_multipart_upload(
        oss_v2.CompleteMultipartUploadRequest(
            complete_multipart_upload=oss_v2.CompleteMultipartUpload(parts=parts),
            acl="private",
            **upload,
        )
    )
    acl = client.get_object_acl(oss_v2.GetObjectAclRequest(bucket=bucket, key="k"))
    assert acl.acl == "private"


def test_a_policy_without_a_principal_is_kept(store):
    policy = (
        '{"Version":"1","Statement":[{"Action":["oss:PutObject"],"Effect":"Allow",'
        '"Resource":["acs:oss:*:*:*/*"]}]}'
    )
    store.put_bucket_policy(policy)
    assert store.get_bucket_policy().policy == policy
