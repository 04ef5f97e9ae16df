"""A pytest plugin that leaves to tests of oss2 which choose a bucket by chance only those that need no other service: one
of three has keys of Alibaba's KMS, which a run that stays on this machine never reaches.
"""

import random


def needs_kms(chosen):
    return type(getattr(chosen, "crypto_provider", None)).__name__ == "AliKMSProvider"


def pytest_configure(config):
    choose = random.choice

    def choice(options):
        here = [option for option in options if not needs_kms(option)]
        return choose(here or options)

    random.choice = choice
