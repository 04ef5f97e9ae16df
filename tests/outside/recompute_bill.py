#!/usr/bin/env python3
"""Computes a month's bill from what anybody can have: the exported usage and the published agreement.

It shares no code with the cloud. The rule (docs/agreement/): for each price, the exact cost of the quantity
that was used in the month, tier by tier after what is free, rounded down once to the micro-unit; across
amendments, each release prices the quantity of its own hours at the place in the tiers where the one before
it ended.

    recompute_bill.py --month 2026-11 --usage usage.json --release release.json@2026-11-01T00:00:00Z ...
    ... --expect MICRO     exits with 1 unless the sum before tax is exactly that many micro-units
"""

import argparse
import json
import sys
from collections import defaultdict
from datetime import datetime, timezone
from fractions import Fraction


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def price_book(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    release = document["releases"][0] if "releases" in document else document
    book = release["contracts"][0]["sovereign"]["priceBook"]
    return {price["meter"]: price for price in book["prices"]}, book["currency"]


def exact(price, quantity):
    """What the first `quantity` of a month cost, micro-units, as a fraction."""
    cost, done = Fraction(0), price.get("free", 0)
    for tier in price["tiers"]:
        until = min(quantity, tier.get("upTo", quantity))
        if until > done:
            cost += Fraction((until - done) * tier["price"], price["unitSize"])
            done = until
    return cost


def bill(usage, releases, month):
    """Micro-units by meter; `releases` are (from, prices), oldest first."""
    used = defaultdict(int)
    for line in usage:
        hour = moment(line["hour"]) if isinstance(line["hour"], str) else datetime.fromtimestamp(line["hour"], timezone.utc)
        if hour.strftime("%Y-%m") != month:
            continue
        binding = [number for number, (start, _) in enumerate(releases) if start <= hour]
        if binding:
            used[line["meter"], binding[-1]] += line["quantity"]
    sums, before = defaultdict(int), defaultdict(int)
    for (meter, number), quantity in sorted(used.items(), key=lambda item: item[0][1]):
        price = releases[number][1].get(meter)
        if price:
            start = before[meter]
            sums[meter] += int(exact(price, start + quantity)) - int(exact(price, start))
        before[meter] += quantity
    return dict(sums)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--month", required=True)
    parser.add_argument("--usage", required=True)
    parser.add_argument("--release", required=True, action="append", metavar="FILE@FROM")
    parser.add_argument("--expect", type=int)
    args = parser.parse_args()
    releases = []
    for item in args.release:
        path, _, start = item.rpartition("@")
        prices, currency = price_book(path)
        releases.append((moment(start), prices))
    releases.sort(key=lambda release: release[0])
    with open(args.usage, encoding="utf-8") as file:
        usage = json.load(file)
    sums = bill(usage, releases, args.month)
    for meter, amount in sorted(sums.items()):
        print(f"{meter:24} {amount:>20}")
    total = sum(sums.values())
    print(f"{'sum, micro-' + currency:24} {total:>20}")
    if args.expect is not None and total != args.expect:
        print(f"the cloud says {args.expect}: {args.expect - total:+d} micro-units differ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
