"""A pytest plugin that gives each worker of a parallel run of s3-tests the accounts of its own, so that a test which
lists all buckets of its account sees those of one test alone. Worker `gw1` reads `CONFIGURATION.gw1`.
"""

import os


def pytest_configure(config):
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        os.environ["S3TEST_CONF"] += "." + worker
