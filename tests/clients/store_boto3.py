"""`boto3` for the features of the matrix that are S3's own: its client as it is, and a few of the matrix's words."""

from support import Answer

SIGNATURES = {"v2": "s3", "v4": "s3v4"}


class Boto3:
    """One bucket of `boto3`."""

    sdk = "boto3"

    def __init__(self, clients, bucket, version, style, key=None):
        self.clients, self.bucket, self.version, self.style = clients, bucket, version, style
        self.key = key or clients.cloud.root
        self.client = clients.s3(
            key, host="s3.localhost", addressing=style, signature_version=SIGNATURES[version]
        )

    def on(self, bucket, key=None):
        return Boto3(self.clients, bucket, self.version, self.style, key or self.key)

    def create(self):
        self.client.create_bucket(Bucket=self.bucket)

    def call(self, name, **fields):
        return getattr(self.client, name)(Bucket=self.bucket, **fields)

    def put(self, key, body, **fields):
        return self.call("put_object", Key=key, Body=body, **fields)

    def get(self, key, **fields):
        got = self.call("get_object", Key=key, **fields)
        told = got["ResponseMetadata"]
        return Answer(told["HTTPStatusCode"], told["HTTPHeaders"], got["Body"].read())

    def delete(self, key, version_id=None):
        self.call("delete_object", Key=key, **({"VersionId": version_id} if version_id else {}))

    def presign(self, method, key, seconds, content_type=None, process=None, callback=None):
        """(URL, headers to send with it)."""
        assert process is callback is None, "S3 has neither"
        params = {"Bucket": self.bucket, "Key": key}
        if content_type:
            params["ContentType"] = content_type
        url = self.client.generate_presigned_url(
            f"{method.lower()}_object", Params=params, ExpiresIn=seconds
        )
        return url, {"Content-Type": content_type} if content_type else {}
