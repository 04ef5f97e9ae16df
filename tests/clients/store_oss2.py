"""`oss2` behind the words that the matrix asks every OSS client by (see oss_matrix.py)."""

import oss2
from oss2 import models

from support import Answer

# What this SDK has no word for travels as a header; `x-oss-` before all that are not here.
HEADERS = {
    "acl": "x-oss-object-acl",
    "cache_control": "Cache-Control",
    "content_disposition": "Content-Disposition",
    "content_encoding": "Content-Encoding",
    "content_md5": "Content-MD5",
    "content_type": "Content-Type",
    "if_match": "If-Match",
    "if_none_match": "If-None-Match",
    "if_modified_since": "If-Modified-Since",
    "if_unmodified_since": "If-Unmodified-Since",
    "range_header": "Range",
}
CONDITIONS_OF_SOURCES = {
    name: f"x-oss-copy-source-{name.replace('_', '-')}"
    for name in ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since")
}


def headers_of(options, names=HEADERS):
    headers = {}
    for name, value in options.items():
        if name == "metadata":
            headers.update({f"x-oss-meta-{word}": text for word, text in value.items()})
        else:
            value = str(value).lower() if isinstance(value, bool) else str(value)
            headers[names.get(name, "x-oss-" + name.replace("_", "-"))] = value
    return headers


def of_version(version_id, **params):
    return {**params, "versionId": version_id} if version_id else params or None


def answer(result, body=b""):
    return Answer(result.status, result.headers, body)


def tagging_of(tags):
    rule = models.TaggingRule()
    for name, value in tags.items():
        rule.add(name, value)
    return models.Tagging(rule)


class Oss2:
    """One bucket of `oss2`."""

    sdk = "oss2"

    def __init__(self, clients, bucket, version, style, key=None):
        self.clients, self.bucket, self.version, self.style = clients, bucket, version, style
        self.key = key or clients.cloud.root
        self.options = {"host": clients.oss_host(style), "is_path_style": style == "path"}
        self.client = clients.oss2(bucket, version, key, **self.options)

    def on(self, bucket, key=None):
        return Oss2(self.clients, bucket, self.version, self.style, key or self.key)

    # Objects.

    def put(self, key, body, **options):
        return answer(self.client.put_object(key, body, headers=headers_of(options)))

    def get(self, key, version_id=None, process=None, **options):
        got = self.client.get_object(
            key, headers=headers_of(options), params=of_version(version_id), process=process
        )
        return answer(got, got.read())

    def head(self, key, version_id=None, **options):
        return answer(
            self.client.head_object(key, headers=headers_of(options), params=of_version(version_id))
        )

    def meta(self, key):
        return answer(self.client.get_object_meta(key))

    def exists(self, key):
        return self.client.object_exists(key)

    def delete(self, key, version_id=None):
        return answer(self.client.delete_object(key, params=of_version(version_id)))

    def delete_many(self, keys):
        return self.client.batch_delete_objects(keys).deleted_keys

    def delete_versions(self, pairs):
        listed = models.BatchDeleteObjectVersionList(
            [models.BatchDeleteObjectVersion(key, version) for key, version in pairs]
        )
        done = self.client.delete_object_versions(listed).delete_versions
        return [(one.key, one.versionid) for one in done]

    def copy(self, source, key, source_version_id=None, **options):
        done = self.client.copy_object(
            self.bucket, source, key, params=of_version(source_version_id),
            headers=headers_of(options, {**HEADERS, **CONDITIONS_OF_SOURCES}),
        )
        return answer(done)

    def append(self, key, position, body, **options):
        done = self.client.append_object(key, position, body, headers=headers_of(options))
        return done.next_position

    def put_symlink(self, key, target, **options):
        return answer(self.client.put_symlink(target, key, headers=headers_of(options)))

    def symlink(self, key):
        return self.client.get_symlink(key).target_key

    def put_tags(self, key, tags, version_id=None):
        self.client.put_object_tagging(key, tagging_of(tags), params=of_version(version_id))

    def tags(self, key, version_id=None):
        got = self.client.get_object_tagging(key, params=of_version(version_id))
        return got.tag_set.tagging_rule

    def delete_tags(self, key):
        self.client.delete_object_tagging(key)

    def put_acl(self, key, acl):
        self.client.put_object_acl(key, acl)

    def acl(self, key):
        return self.client.get_object_acl(key).acl

    def restore(self, key, days, tier=None):
        asked = models.RestoreConfiguration(days, tier and models.RestoreJobParameters(tier))
        return answer(self.client.restore_object(key, input=asked))

    def process(self, key, process):
        return self.client.process_object(key, process).object

    def select(self, key, sql):
        return self.client.select_object(key, sql).read()

    # Listings.

    def list(self, prefix="", delimiter="", size=100):
        """Keys and folds of a prefix, through all pages of the older listing."""
        listed = oss2.ObjectIterator(self.client, prefix, delimiter, max_keys=size)
        return split(listed)

    def list_v2(self, prefix="", delimiter="", size=100):
        listed = oss2.ObjectIteratorV2(self.client, prefix, delimiter, max_keys=size)
        return split(listed)

    def entries(self, prefix):
        """Key, size, type and class of each object."""
        page = self.client.list_objects_v2(prefix, max_keys=1000)
        return [(one.key, one.size, one.type, one.storage_class) for one in page.object_list]

    def versions(self, prefix, size=100):
        """(key, version, whether it is the latest) of versions, and the same of delete markers."""
        listed = [[], []]
        for page in pages(self.client.list_object_versions, prefix=prefix, max_keys=size):
            for found, into in zip((page.versions, page.delete_marker), listed):
                into += [(one.key, one.versionid, one.is_latest) for one in found]
        return listed

    # Uploads in parts.

    def begin(self, key, **options):
        return self.client.init_multipart_upload(key, headers=headers_of(options)).upload_id

    def part(self, key, upload, number, body):
        return self.client.upload_part(key, upload, number, body).etag

    def part_copy(self, key, upload, number, source, first, last):
        done = self.client.upload_part_copy(
            self.bucket, source, (first, last), key, upload, number
        )
        return done.etag

    def parts(self, key, upload, size=1000):
        """Number and size of each part, page by page."""
        listed, marker = [], ""
        while True:
            page = self.client.list_parts(key, upload, marker=marker, max_parts=size)
            listed += [(part.part_number, part.size) for part in page.parts]
            if not page.is_truncated:
                return listed
            marker = page.next_marker

    def uploads(self, prefix, size=1000):
        listed = oss2.MultipartUploadIterator(self.client, prefix, max_uploads=size)
        return [(one.key, one.upload_id) for one in listed]

    def complete(self, key, upload, etags, **options):
        parts = [models.PartInfo(number, etag) for number, etag in etags]
        done = self.client.complete_multipart_upload(
            key, upload, parts, headers=headers_of(options)
        )
        return answer(done)

    def abort(self, key, upload):
        self.client.abort_multipart_upload(key, upload)

    def upload_file(self, key, path, part_size, folder, progress=None):
        oss2.resumable_upload(
            self.client, key, str(path), multipart_threshold=part_size, part_size=part_size,
            num_threads=3, store=oss2.ResumableStore(root=str(folder)), progress_callback=progress,
        )

    def download_file(self, key, path, part_size, folder):
        oss2.resumable_download(
            self.client, key, str(path), multiget_threshold=part_size, part_size=part_size,
            num_threads=3, store=oss2.ResumableDownloadStore(root=str(folder)),
        )

    # Signed URLs.

    def presign(self, method, key, seconds, content_type=None, process=None, callback=None):
        """(URL, headers to send with it)."""
        headers = {"Content-Type": content_type} if content_type else {}
        params = {"x-oss-process": process} if process else {}
        if callback:
            params["callback"] = callback
        url = self.client.sign_url(
            method, key, seconds, headers=headers, params=params or None, slash_safe=True
        )
        return url, headers

    # The bucket itself.

    def create(self, **options):
        headers = headers_of(options, {"acl": "x-oss-acl"})
        self.client.create_bucket(headers=headers)

    def remove(self):
        self.client.delete_bucket()

    def buckets(self, prefix):
        service = self.clients.oss2_service(self.version, self.key, **self.options)
        return [one.name for one in oss2.BucketIterator(service, prefix)]

    def info(self):
        told = self.client.get_bucket_info()
        return {
            "name": told.name, "acl": told.acl.grant, "location": told.location,
            "class": told.storage_class, "versioning": told.versioning_status,
            "access_monitor": told.access_monitor, "owner": told.owner.id,
            "encryption": told.bucket_encryption_rule.sse_algorithm,
            "endpoints": (told.extranet_endpoint, told.intranet_endpoint),
        }

    def stat(self):
        told = self.client.get_bucket_stat()
        return told.storage_size_in_bytes, told.object_count, told.multi_part_upload_count

    def location(self):
        return self.client.get_bucket_location().location

    def put_bucket_acl(self, acl):
        self.client.put_bucket_acl(acl)

    def bucket_acl(self):
        return self.client.get_bucket_acl().acl

    def put_versioning(self, status):
        self.client.put_bucket_versioning(models.BucketVersioningConfig(status))

    def versioning(self):
        return self.client.get_bucket_versioning().status

    def put_policy(self, text):
        self.client.put_bucket_policy(text)

    def policy(self):
        return self.client.get_bucket_policy().policy

    def delete_policy(self):
        self.client.delete_bucket_policy()

    def put_cors(self, rules, vary=None):
        self.client.put_bucket_cors(models.BucketCors([models.CorsRule(*one) for one in rules], vary))

    def cors(self):
        return [
            (one.allowed_origins, one.allowed_methods, one.allowed_headers, one.expose_headers,
             one.max_age_seconds)
            for one in self.client.get_bucket_cors().rules
        ]

    def delete_cors(self):
        self.client.delete_bucket_cors()

    def put_lifecycle(self, rules):
        made = [
            lifecycle_rule(models.LifecycleRule(rule["id"], rule["prefix"]), rule) for rule in rules
        ]
        self.client.put_bucket_lifecycle(models.BucketLifecycle(made))

    def lifecycle(self):
        told = []
        for one in self.client.get_bucket_lifecycle().rules:
            rule = {"id": one.id, "prefix": one.prefix}
            if one.expiration:
                rule["end"] = one.expiration.days
            if one.storage_transitions:
                rule["move"] = [(step.days, step.storage_class) for step in one.storage_transitions]
            if one.abort_multipart_upload:
                rule["abort"] = one.abort_multipart_upload.days
            if one.noncurrent_version_expiration:
                rule["end_old"] = one.noncurrent_version_expiration.noncurrent_days
            if one.noncurrent_version_sotrage_transitions:
                rule["move_old"] = [
                    (step.noncurrent_days, step.storage_class)
                    for step in one.noncurrent_version_sotrage_transitions
                ]
            told.append(rule)
        return told

    def delete_lifecycle(self):
        self.client.delete_bucket_lifecycle()

    def put_website(self, index, error):
        self.client.put_bucket_website(models.BucketWebsite(index, error))

    def website(self):
        told = self.client.get_bucket_website()
        return told.index_file, told.error_file

    def delete_website(self):
        self.client.delete_bucket_website()

    def put_referer(self, allow_empty, referers):
        self.client.put_bucket_referer(models.BucketReferer(allow_empty, referers))

    def referer(self):
        told = self.client.get_bucket_referer()
        return told.allow_empty_referer, told.referers

    def put_logging(self, target, prefix):
        self.client.put_bucket_logging(models.BucketLogging(target, prefix))

    def logging(self):
        told = self.client.get_bucket_logging()
        return told.target_bucket, told.target_prefix

    def delete_logging(self):
        self.client.delete_bucket_logging()

    def put_inventory(self, name, target, account, prefix):
        destination = models.InventoryBucketDestination(
            account_id=account, role_arn=f"acs:ram::{account}:role/AliyunOSSRole", bucket=target,
            inventory_format=oss2.models.INVENTORY_FORMAT_CSV, prefix=prefix,
        )
        self.client.put_bucket_inventory_configuration(
            models.InventoryConfiguration(
                inventory_id=name, is_enabled=True,
                included_object_versions=models.INVENTORY_INCLUDED_OBJECT_VERSIONS_ALL,
                inventory_filter=models.InventoryFilter(),
                inventory_destination=models.InventoryDestination(destination),
                inventory_schedule=models.InventorySchedule(models.INVENTORY_FREQUENCY_DAILY),
                optional_fields=[models.FIELD_SIZE, models.FIELD_ETAG],
            )
        )

    def inventory(self, name):
        """(whether it is enabled, how often, its target, its fields)."""
        told = self.client.get_bucket_inventory_configuration(name)
        target = told.inventory_destination.bucket_destination.bucket
        return told.is_enabled, told.inventory_schedule.frequency, target, told.optional_fields

    def inventories(self):
        told = self.client.list_bucket_inventory_configurations().inventory_configurations
        return [one.inventory_id for one in told]

    def delete_inventory(self, name):
        self.client.delete_bucket_inventory_configuration(name)

    def put_worm(self, days):
        return self.client.init_bucket_worm(days).worm_id

    def lock_worm(self, worm):
        self.client.complete_bucket_worm(worm)

    def extend_worm(self, worm, days):
        self.client.extend_bucket_worm(worm, days)

    def abort_worm(self):
        self.client.abort_bucket_worm()

    def worm(self):
        told = self.client.get_bucket_worm()
        return told.worm_id, told.state, int(told.retention_period_days)

    def put_encryption(self, algorithm, key=None):
        rule = models.ServerSideEncryptionRule(algorithm, key)
        self.client.put_bucket_encryption(rule)

    def encryption(self):
        told = self.client.get_bucket_encryption()
        return told.sse_algorithm, told.kms_master_keyid or None

    def delete_encryption(self):
        self.client.delete_bucket_encryption()

    def put_payer(self, payer):
        self.client.put_bucket_request_payment(payer)

    def payer(self):
        return self.client.get_bucket_request_payment().payer

    def put_acceleration(self, enabled):
        self.client.put_bucket_transfer_acceleration(str(enabled).lower())

    def acceleration(self):
        return self.client.get_bucket_transfer_acceleration().enabled == "true"

    def put_access_monitor(self, status):
        self.client.put_bucket_access_monitor(status)

    def access_monitor(self):
        return self.client.get_bucket_access_monitor().access_monitor.status

    def put_access_block(self, block):
        self.client.put_bucket_public_access_block(block)

    def access_block(self):
        return self.client.get_bucket_public_access_block().block_public_access

    def delete_access_block(self):
        self.client.delete_bucket_public_access_block()

    def put_bucket_tags(self, tags):
        self.client.put_bucket_tagging(tagging_of(tags))

    def bucket_tags(self):
        return self.client.get_bucket_tagging().tag_set.tagging_rule

    def delete_bucket_tags(self):
        self.client.delete_bucket_tagging()


def lifecycle_rule(made, rule):
    """Fills a rule of this SDK with what the matrix's own rule says."""
    if "end" in rule:
        made.expiration = models.LifecycleExpiration(days=rule["end"])
    if "abort" in rule:
        made.abort_multipart_upload = models.AbortMultipartUpload(days=rule["abort"])
    if "end_old" in rule:
        made.noncurrent_version_expiration = models.NoncurrentVersionExpiration(rule["end_old"])
    made.storage_transitions = [
        models.StorageTransition(days=days, storage_class=name)
        for days, name in rule.get("move", [])
    ]
    made.noncurrent_version_sotrage_transitions = [
        models.NoncurrentVersionStorageTransition(days, name)
        for days, name in rule.get("move_old", [])
    ]
    return made


def split(listed):
    """Keys and folds of what an iterator of this SDK gives."""
    keys, folds = [], []
    for one in listed:
        (folds if one.is_prefix() else keys).append(one.key)
    return keys, folds


def pages(listing, **options):
    """The pages of a listing of versions."""
    marker = version = ""
    while True:
        page = listing(key_marker=marker, versionid_marker=version, **options)
        yield page
        if not page.is_truncated:
            return
        marker, version = page.next_key_marker, page.next_versionid_marker
