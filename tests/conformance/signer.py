"""A pytest plugin that has boto3 sign with the signers of botocore itself, as it does wherever awscrt is not
installed. It is installed here for a checksum; its signer reads a body twice that a test hands out once, and does
not get so far as to send what a test spoils on purpose.
"""

from botocore import auth


def pytest_configure(config):
    auth.AUTH_TYPE_MAPS.update(
        {
            "v4": auth.SigV4Auth,
            "v4-query": auth.SigV4QueryAuth,
            "s3v4": auth.S3SigV4Auth,
            "s3v4-query": auth.S3SigV4QueryAuth,
        }
    )
