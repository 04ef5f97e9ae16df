#!/usr/bin/env python3
"""Amends an account's agreement: from the next whole hour on, other prices hold. Everything is done with the
cloud's own program, as two parties would: write, edit, submit, sign twice, activate.

    amend_prices.py --awan PROGRAM --data-dir DIR --key-file FILE --key NAME --sign-key FILE --out FOLDER
"""

import argparse
import json
import subprocess
from pathlib import Path


# In the meters' own units: a few hours of byte-seconds of the demonstration's data.
BOUND = 10_000_000_000


def dearer(price):
    """Nothing is free any more, and there is a bound that storage passes within a day."""
    cost = price["tiers"][0]["price"] * 3 + 7
    return price | {"free": 0, "tiers": [{"upTo": BOUND, "price": cost}, {"price": cost * 2 + 1}]}


def amend(run, args):
    tenant = ["--key-file", args.key_file, "--key", args.key]
    path = Path(args.out, "amendment.json")
    reasons = ["--reason-id", "Harga baru", "--reason-en", "New prices"]
    run("amend", *reasons, "--output", path, *tenant)
    document = json.loads(path.read_text())
    # They would have to repeat the new prices, and may be left out.
    for shown in (document["tender"], document["contracts"][0]):
        shown.pop("items", None)
    book = document["contracts"][0]["sovereign"]["priceBook"]
    book["id"] += "-2"
    book["prices"] = [dearer(price) for price in book["prices"]]
    path.write_text(json.dumps(document))
    run("submit", path)
    which = [document["ocid"], document["id"]]
    run("sign", "--yes", "--as", "provider", *which)
    run("sign", "--yes", "--sign-key", args.sign_key, *which, *tenant)
    run("activate", *which)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("awan", "data-dir", "key-file", "key", "sign-key", "out"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()

    def run(verb, *words):
        command = [args.awan, "agreement", verb, *map(str, words), "--data-dir", args.data_dir]
        subprocess.run(command, check=True)

    amend(run, args)
    print("1 passed, 0 failed")


if __name__ == "__main__":
    main()
