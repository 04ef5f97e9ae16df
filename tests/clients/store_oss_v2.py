"""`alibabacloud-oss-v2` behind the words that the matrix asks every OSS client by (see oss_matrix.py)."""

import datetime
from urllib.parse import quote, unquote

import alibabacloud_oss_v2 as oss

from support import Answer


def answer(result, body=b""):
    return Answer(result.status_code, result.headers, body)


class OssV2:
    """One bucket of `alibabacloud-oss-v2`."""

    sdk = "oss-v2"

    def __init__(self, clients, bucket, version, style, key=None):
        self.clients, self.bucket, self.version, self.style = clients, bucket, version, style
        self.key = key or clients.cloud.root
        self.options = {"host": clients.oss_host(style), "use_path_style": style == "path"}
        self.client = clients.oss_v2(version, key, **self.options)

    def on(self, bucket, key=None):
        return OssV2(self.clients, bucket, self.version, self.style, key or self.key)

    def call(self, name, **fields):
        """Calls an operation by the request class of its name."""
        request = getattr(oss, "".join(map(str.capitalize, name.split("_"))) + "Request")
        return getattr(self.client, name)(request(bucket=self.bucket, **fields))

    # Objects.

    def put(self, key, body, **options):
        return answer(self.call("put_object", key=key, body=body, **options))

    def get(self, key, **options):
        got = self.call("get_object", key=key, **options)
        return answer(got, got.body.content)

    def head(self, key, **options):
        return answer(self.call("head_object", key=key, **options))

    def meta(self, key):
        return answer(self.call("get_object_meta", key=key))

    def exists(self, key):
        return self.client.is_object_exist(self.bucket, key)

    def delete(self, key, version_id=None):
        return answer(self.call("delete_object", key=key, version_id=version_id))

    def delete_many(self, keys):
        return [key for key, _ in self.delete_versions((key, None) for key in keys)]

    def delete_versions(self, pairs):
        objects = [oss.DeleteObject(key=key, version_id=version) for key, version in pairs]
        done = self.call("delete_multiple_objects", encoding_type="url", objects=objects)
        return [(one.key, one.version_id) for one in done.deleted_objects]

    def copy(self, source, key, **options):
        return answer(
            self.call(
                "copy_object", key=key, source_bucket=self.bucket, source_key=source, **options
            )
        )

    def append(self, key, position, body, **options):
        done = self.call("append_object", key=key, position=position, body=body, **options)
        return done.next_position

    def put_symlink(self, key, target, **options):
        # This SDK leaves it to its user to encode a target.
        return answer(self.call("put_symlink", key=key, symlink_target=quote(target), **options))

    def symlink(self, key):
        return unquote(self.call("get_symlink", key=key).target)

    def put_tags(self, key, tags, version_id=None):
        self.call("put_object_tagging", key=key, version_id=version_id, tagging=tagging_of(tags))

    def tags(self, key, version_id=None):
        got = self.call("get_object_tagging", key=key, version_id=version_id)
        return {tag.key: tag.value for tag in got.tag_set.tags or []}

    def delete_tags(self, key):
        self.call("delete_object_tagging", key=key)

    def put_acl(self, key, acl):
        self.call("put_object_acl", key=key, acl=acl)

    def acl(self, key):
        return self.call("get_object_acl", key=key).acl

    def restore(self, key, days, tier=None):
        parameters = oss.JobParameters(tier=tier) if tier else None
        asked = oss.RestoreRequest(days=days, job_parameters=parameters)
        return answer(self.call("restore_object", key=key, restore_request=asked))

    def process(self, key, process):
        return self.call("process_object", key=key, process=process).key

    def select(self, key, sql):
        asked = oss.SelectRequest(expression=sql)
        return self.call(
            "select_object", key=key, process="csv/select", select_request=asked
        ).body.content

    # Listings.

    def _pages(self, name, prefix, size, **more):
        request = getattr(oss, "".join(map(str.capitalize, name.split("_"))) + "Request")
        paginator = getattr(self.client, f"{name}_paginator")()
        return paginator.iter_page(request(bucket=self.bucket, prefix=prefix, **size, **more))

    def _split(self, name, prefix, delimiter, size):
        keys, folds = [], []
        for page in self._pages(name, prefix, {"max_keys": size}, delimiter=delimiter or None):
            keys += [one.key for one in page.contents or []]
            folds += [one.prefix for one in page.common_prefixes or []]
        return keys, folds

    def list(self, prefix="", delimiter="", size=100):
        """Keys and folds of a prefix, through all pages of the older listing."""
        return self._split("list_objects", prefix, delimiter, size)

    def list_v2(self, prefix="", delimiter="", size=100):
        return self._split("list_objects_v2", prefix, delimiter, size)

    def entries(self, prefix):
        """Key, size, type and class of each object."""
        page = self.call("list_objects_v2", prefix=prefix, max_keys=1000)
        return [(one.key, one.size, one.object_type, one.storage_class) for one in page.contents]

    def versions(self, prefix, size=100):
        """(key, version, whether it is the latest) of versions, and the same of delete markers."""
        listed = [[], []]
        for page in self._pages("list_object_versions", prefix, {"max_keys": size}):
            for found, into in zip((page.version, page.delete_marker), listed):
                into += [(one.key, one.version_id, one.is_latest) for one in found or []]
        return listed

    # Uploads in parts.

    def begin(self, key, **options):
        return self.call("initiate_multipart_upload", key=key, **options).upload_id

    def part(self, key, upload, number, body):
        done = self.call("upload_part", key=key, upload_id=upload, part_number=number, body=body)
        return done.etag

    def part_copy(self, key, upload, number, source, first, last):
        done = self.call(
            "upload_part_copy", key=key, upload_id=upload, part_number=number,
            source_bucket=self.bucket, source_key=source, source_range=f"bytes={first}-{last}",
        )
        return done.etag

    def parts(self, key, upload, size=1000):
        """Number and size of each part, page by page."""
        asked = oss.ListPartsRequest(
            bucket=self.bucket, key=key, upload_id=upload, max_parts=size
        )
        pages = self.client.list_parts_paginator().iter_page(asked)
        return [(part.part_number, part.size) for page in pages for part in page.parts or []]

    def uploads(self, prefix, size=1000):
        pages = self._pages("list_multipart_uploads", prefix, {"max_uploads": size})
        return [(one.key, one.upload_id) for page in pages for one in page.uploads or []]

    def complete(self, key, upload, etags, **options):
        parts = [oss.UploadPart(part_number=number, etag=etag) for number, etag in etags]
        done = self.call(
            "complete_multipart_upload", key=key, upload_id=upload,
            complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts), **options,
        )
        return answer(done)

    def abort(self, key, upload):
        self.call("abort_multipart_upload", key=key, upload_id=upload)

    def upload_file(self, key, path, part_size, folder, progress=None):
        uploader = self.client.uploader(
            part_size=part_size, enable_checkpoint=True, checkpoint_dir=str(folder)
        )
        request = oss.PutObjectRequest(
            bucket=self.bucket, key=key, progress_fn=progress and (lambda n, done, _: progress(done))
        )
        uploader.upload_file(request, filepath=str(path))

    def download_file(self, key, path, part_size, folder):
        downloader = self.client.downloader(
            part_size=part_size, enable_checkpoint=True, checkpoint_dir=str(folder)
        )
        downloader.download_file(
            oss.GetObjectRequest(bucket=self.bucket, key=key), filepath=str(path)
        )

    # Signed URLs.

    def presign(self, method, key, seconds, content_type=None, process=None, callback=None):
        """(URL, headers to send with it)."""
        if method == "PUT":
            request = oss.PutObjectRequest(
                bucket=self.bucket, key=key, content_type=content_type, callback=callback
            )
        else:
            request = oss.GetObjectRequest(bucket=self.bucket, key=key, process=process)
        made = self.client.presign(request, expires=datetime.timedelta(seconds=seconds))
        return made.url, made.signed_headers

    # The bucket itself.

    def create(self, acl=None, storage_class=None):
        made = oss.CreateBucketConfiguration(storage_class=storage_class)
        self.call("put_bucket", acl=acl, create_bucket_configuration=made if storage_class else None)

    def remove(self):
        self.call("delete_bucket")

    def buckets(self, prefix):
        pages = self.client.list_buckets_paginator().iter_page(oss.ListBucketsRequest(prefix=prefix))
        return [one.name for page in pages for one in page.buckets or []]

    def info(self):
        told = self.call("get_bucket_info").bucket_info
        return {
            "name": told.name, "acl": told.acl, "location": told.location,
            "class": told.storage_class, "versioning": told.versioning,
            "access_monitor": told.access_monitor, "owner": told.owner.id,
            "encryption": told.sse_rule.sse_algorithm,
            "endpoints": (told.extranet_endpoint, told.intranet_endpoint),
        }

    def stat(self):
        told = self.call("get_bucket_stat")
        return told.storage, told.object_count, told.multi_part_upload_count

    def location(self):
        return self.call("get_bucket_location").location

    def put_bucket_acl(self, acl):
        self.call("put_bucket_acl", acl=acl)

    def bucket_acl(self):
        return self.call("get_bucket_acl").acl

    def put_versioning(self, status):
        self.call(
            "put_bucket_versioning", versioning_configuration=oss.VersioningConfiguration(status)
        )

    def versioning(self):
        return self.call("get_bucket_versioning").version_status

    def put_policy(self, text):
        self.call("put_bucket_policy", body=text)

    def policy(self):
        return self.call("get_bucket_policy").body

    def delete_policy(self):
        self.call("delete_bucket_policy")

    def put_cors(self, rules, vary=None):
        made = oss.CORSConfiguration(
            cors_rules=[oss.CORSRule(*one) for one in rules], response_vary=vary
        )
        self.call("put_bucket_cors", cors_configuration=made)

    def cors(self):
        return [
            (one.allowed_origins, one.allowed_methods, one.allowed_headers, one.expose_headers,
             one.max_age_seconds)
            for one in self.call("get_bucket_cors").cors_configuration.cors_rules
        ]

    def delete_cors(self):
        self.call("delete_bucket_cors")

    def put_lifecycle(self, rules):
        made = oss.LifecycleConfiguration(rules=[lifecycle_rule(rule) for rule in rules])
        self.call("put_bucket_lifecycle", lifecycle_configuration=made)

    def lifecycle(self):
        told = []
        for one in self.call("get_bucket_lifecycle").lifecycle_configuration.rules:
            rule = {"id": one.id, "prefix": one.prefix}
            if one.expiration:
                rule["end"] = one.expiration.days
            if one.transitions:
                rule["move"] = [(step.days, step.storage_class) for step in one.transitions]
            if one.abort_multipart_upload:
                rule["abort"] = one.abort_multipart_upload.days
            if one.noncurrent_version_expiration:
                rule["end_old"] = one.noncurrent_version_expiration.noncurrent_days
            if one.noncurrent_version_transitions:
                rule["move_old"] = [
                    (step.noncurrent_days, step.storage_class)
                    for step in one.noncurrent_version_transitions
                ]
            told.append(rule)
        return told

    def delete_lifecycle(self):
        self.call("delete_bucket_lifecycle")

    def put_website(self, index, error):
        made = oss.WebsiteConfiguration(
            index_document=oss.IndexDocument(suffix=index), error_document=oss.ErrorDocument(key=error)
        )
        self.call("put_bucket_website", website_configuration=made)

    def website(self):
        told = self.call("get_bucket_website").website_configuration
        return told.index_document.suffix, told.error_document.key

    def delete_website(self):
        self.call("delete_bucket_website")

    def put_referer(self, allow_empty, referers):
        made = oss.RefererConfiguration(
            allow_empty_referer=allow_empty, referer_list=oss.RefererList(referers=referers)
        )
        self.call("put_bucket_referer", referer_configuration=made)

    def referer(self):
        told = self.call("get_bucket_referer").referer_configuration
        return told.allow_empty_referer, told.referer_list.referers or []

    def put_logging(self, target, prefix):
        enabled = oss.LoggingEnabled(target_bucket=target, target_prefix=prefix)
        self.call(
            "put_bucket_logging",
            bucket_logging_status=oss.BucketLoggingStatus(logging_enabled=enabled),
        )

    def logging(self):
        told = self.call("get_bucket_logging").bucket_logging_status.logging_enabled
        return (told.target_bucket, told.target_prefix) if told else ("", "")

    def delete_logging(self):
        self.call("delete_bucket_logging")

    def put_inventory(self, name, target, account, prefix):
        destination = oss.InventoryOSSBucketDestination(
            format="CSV", account_id=account, role_arn=f"acs:ram::{account}:role/AliyunOSSRole",
            bucket=f"acs:oss:::{target}", prefix=prefix,
        )
        made = oss.InventoryConfiguration(
            id=name, is_enabled=True, included_object_versions="All",
            optional_fields=oss.OptionalFields(fields=["Size", "ETag"]),
            destination=oss.InventoryDestination(oss_bucket_destination=destination),
            schedule=oss.InventorySchedule(frequency="Daily"),
        )
        self.call("put_bucket_inventory", inventory_id=name, inventory_configuration=made)

    def inventory(self, name):
        """(whether it is enabled, how often, its target, its fields)."""
        told = self.call("get_bucket_inventory", inventory_id=name).inventory_configuration
        target = told.destination.oss_bucket_destination.bucket.removeprefix("acs:oss:::")
        return told.is_enabled, told.schedule.frequency, target, told.optional_fields.fields

    def inventories(self):
        told = self.call("list_bucket_inventory").list_inventory_configurations_result
        return [one.id for one in told.inventory_configurations or []]

    def delete_inventory(self, name):
        self.call("delete_bucket_inventory", inventory_id=name)

    def put_worm(self, days):
        made = oss.InitiateWormConfiguration(retention_period_in_days=days)
        return self.call("initiate_bucket_worm", initiate_worm_configuration=made).worm_id

    def lock_worm(self, worm):
        self.call("complete_bucket_worm", worm_id=worm)

    def extend_worm(self, worm, days):
        made = oss.ExtendWormConfiguration(retention_period_in_days=days)
        self.call("extend_bucket_worm", worm_id=worm, extend_worm_configuration=made)

    def abort_worm(self):
        self.call("abort_bucket_worm")

    def worm(self):
        told = self.call("get_bucket_worm").worm_configuration
        return told.worm_id, told.state, told.retention_period_in_days

    def put_encryption(self, algorithm, key=None):
        default = oss.ApplyServerSideEncryptionByDefault(
            sse_algorithm=algorithm, kms_master_key_id=key
        )
        rule = oss.ServerSideEncryptionRule(apply_server_side_encryption_by_default=default)
        self.call("put_bucket_encryption", server_side_encryption_rule=rule)

    def encryption(self):
        told = self.call("get_bucket_encryption").server_side_encryption_rule
        told = told.apply_server_side_encryption_by_default
        return told.sse_algorithm, told.kms_master_key_id or None

    def delete_encryption(self):
        self.call("delete_bucket_encryption")

    def put_payer(self, payer):
        made = oss.RequestPaymentConfiguration(payer=payer)
        self.call("put_bucket_request_payment", request_payment_configuration=made)

    def payer(self):
        return self.call("get_bucket_request_payment").request_payment_configuration.payer

    def put_acceleration(self, enabled):
        made = oss.TransferAccelerationConfiguration(enabled=enabled)
        self.call("put_bucket_transfer_acceleration", transfer_acceleration_configuration=made)

    def acceleration(self):
        told = self.call("get_bucket_transfer_acceleration").transfer_acceleration_configuration
        return told.enabled

    def put_access_monitor(self, status):
        made = oss.AccessMonitorConfiguration(status=status)
        self.call("put_bucket_access_monitor", access_monitor_configuration=made)

    def access_monitor(self):
        return self.call("get_bucket_access_monitor").access_monitor_configuration.status

    def put_access_block(self, block):
        made = oss.PublicAccessBlockConfiguration(block_public_access=block)
        self.call("put_bucket_public_access_block", public_access_block_configuration=made)

    def access_block(self):
        told = self.call("get_bucket_public_access_block").public_access_block_configuration
        return told.block_public_access

    def delete_access_block(self):
        self.call("delete_bucket_public_access_block")

    def put_bucket_tags(self, tags):
        self.call("put_bucket_tags", tagging=tagging_of(tags))

    def bucket_tags(self):
        told = self.call("get_bucket_tags").tagging.tag_set
        return {tag.key: tag.value for tag in told.tags or []}

    def delete_bucket_tags(self):
        self.call("delete_bucket_tags")


def lifecycle_rule(rule):
    """A rule of this SDK that says what the matrix's own rule says."""
    made = oss.LifecycleRule(id=rule["id"], prefix=rule["prefix"], status="Enabled")
    if "end" in rule:
        made.expiration = oss.LifecycleRuleExpiration(days=rule["end"])
    if "abort" in rule:
        made.abort_multipart_upload = oss.LifecycleRuleAbortMultipartUpload(days=rule["abort"])
    if "end_old" in rule:
        made.noncurrent_version_expiration = oss.NoncurrentVersionExpiration(rule["end_old"])
    if "move" in rule:
        made.transitions = [
            oss.LifecycleRuleTransition(days=days, storage_class=name) for days, name in rule["move"]
        ]
    if "move_old" in rule:
        made.noncurrent_version_transitions = [
            oss.NoncurrentVersionTransition(noncurrent_days=days, storage_class=name)
            for days, name in rule["move_old"]
        ]
    return made


def tagging_of(tags):
    tags = [oss.Tag(key=key, value=value) for key, value in tags.items()]
    return oss.Tagging(tag_set=oss.TagSet(tags=tags))
