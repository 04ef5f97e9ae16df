#!/usr/bin/env python3
"""Computes a month's bill from what anybody can have: the exported usage and the published agreement.

It shares no code with the cloud. The rule (docs/agreement/): for each price, the exact cost of the quantity
that was used in the month, tier by tier after what is free, rounded down once to the micro-unit; across
amendments, each release prices the quantity of its own hours at the place in the tiers where the one before
it ended. An hour's price is that of the release in force when it began, or else when it ended.

    awan bill export --month 2026-11 --usage usage.json --lines bill.json
    recompute_bill.py --cloud http://portal --usage usage.json --bill bill.json [--focus focus.csv]

`--cloud` is where the public log and its documents are; they tell which release was in force when. Instead,
`--release FILE@FROM` names a release and the moment from which it bound, once for each. Exits with 1 and says
what differs unless quantity and cost of every meter under every release, the sum and the tax are exactly
those of the bill.
"""

import argparse
import csv
import json
import sys
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import published

MICRO = 1_000_000
HOUR = timedelta(hours=1)


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


class Release:
    """A release and when it bound."""

    def __init__(self, document, start):
        document = document["releases"][0] if "releases" in document else document
        contract = document["contracts"][0]
        book = contract["sovereign"]["priceBook"]
        self.name = (document["ocid"], document["id"])
        self.prices = {price["meter"]: price for price in book.get("prices", [])}
        self.tax_percent = book["taxPercent"]
        period = contract["period"]
        self.start = max(start, moment(period["startDate"]))
        self.end = moment(period["endDate"]) if "endDate" in period else None

    def ends_after(self, at):
        return self.end is None or at < self.end

    def binds(self, at):
        return self.start <= at and self.ends_after(at)


def history(cloud, tenant):
    """The tenant's releases as the public log has them, in order of time."""
    releases = []
    for leaf in published.leaves(f"{cloud}/log"):
        facts, at = leaf.get("public", {}), moment(leaf["at"])
        if facts.get("tenant") != tenant or leaf["outcome"] != "OK":
            continue
        if leaf["action"] == "awan:EndAgreement":
            releases[-1].end = min(filter(None, [releases[-1].end, at]))
        if leaf["action"] != "awan:ActivateAgreement":
            continue
        new = Release(json.loads(published.document(cloud, facts["document"])), at)
        begun = new.start.replace(minute=0, second=0, microsecond=0)
        if any(release.ends_after(begun) for release in releases):
            # No hour has two price books: an amendment binds from the next one on.
            new.start = begun + HOUR
            releases[-1].end = min(filter(None, [releases[-1].end, new.start]))
        releases.append(new)
    return releases


def in_force(releases, hour):
    last = hour + HOUR - timedelta(seconds=1)
    found = [release for at in (hour, last) for release in releases if release.binds(at)]
    return found[0] if found else None


def exact(price, quantity):
    """What the first `quantity` of a month cost, micro-units, as a fraction."""
    cost, done = Fraction(0), price.get("free", 0)
    for tier in price["tiers"]:
        until = min(quantity, tier.get("upTo", quantity))
        if until > done:
            cost += Fraction((until - done) * tier["price"], price["unitSize"])
            done = until
    return cost


def recompute(usage, releases, month, until):
    """(quantity, cost in micro-units) by release and meter, of the month's hours before `until`."""
    used = defaultdict(int)
    for line in usage:
        hour = moment(line["hour"])
        if hour.strftime("%Y-%m") == month and hour < until:
            release = in_force(releases, hour)
            number = releases.index(release) if release else -1
            used[number, line["meter"]] += line["quantity"]
    sums, before = {}, defaultdict(int)
    for (number, meter), quantity in sorted(used.items()):
        if number < 0:
            sums[("", ""), meter] = (quantity, 0)
            continue
        release, start = releases[number], before[meter]
        before[meter] += quantity
        price = release.prices.get(meter)
        cost = int(exact(price, start + quantity)) - int(exact(price, start)) if price else 0
        sums[release.name, meter] = (quantity, cost)
    return sums


def billed(lines, month):
    """The same as the bill's lines have it, on whichever bill they are."""
    sums = defaultdict(lambda: (0, 0))
    for line in lines:
        if not line["Hour"].startswith(month):
            continue
        key = (line["Ocid"], line["ReleaseId"]), line["Meter"]
        quantity, amount = sums[key]
        sums[key] = (quantity + line["Quantity"], amount + line["AmountMicro"])
    return dict(sums)


def tax(lines, releases):
    """Each line's percentage, rounded once, half up."""
    percent = {release.name: release.tax_percent for release in releases}
    hundredfold = sum(
        line["AmountMicro"] * percent.get((line["Ocid"], line["ReleaseId"]), 0) for line in lines
    )
    return (hundredfold * 2 + 100) // 200


def focus_sum(path):
    """The sum of the FOCUS rows, micro-units."""
    with open(path, newline="", encoding="utf-8") as file:
        total = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(file)) * MICRO
    return int(total) if total == int(total) else total


def differences(usage, bill, releases, focus=None):
    """Yields what is not as it must be, a sentence each."""
    stated, month = bill["Stated"], bill["Stated"]["Month"]
    until = moment(stated["BilledUntil"])
    ours, theirs = recompute(usage, releases, month, until), billed(bill["Lines"], month)
    for key in sorted(ours.keys() | theirs.keys()):
        expected, said = ours.get(key, (0, 0)), theirs.get(key, (0, 0))
        if expected != said:
            (_, release), meter = key
            quantity, cost = expected
            yield f"{meter}, release {release or 'none'}: {quantity} cost {cost}, the bill has {said[0]} and {said[1]}"
    on_bill = [line for line in bill["Lines"] if (line["Bill"], line["Currency"]) == (month, stated["Currency"])]
    sums = {
        "sum": (sum(line["AmountMicro"] for line in on_bill), stated["AmountMicro"]),
        "tax": (tax(on_bill, releases), stated["TaxMicro"]),
    }
    if focus:
        sums["sum of the FOCUS rows"] = (focus_sum(focus), stated["AmountMicro"] + stated["TaxMicro"])
    for what, (expected, said) in sums.items():
        if expected != said:
            yield f"the {what} is {expected}, the bill says {said}: {said - expected:+} micro-units"


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--usage", required=True)
    parser.add_argument("--bill", required=True)
    parser.add_argument("--focus")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cloud")
    source.add_argument("--release", action="append", metavar="FILE@FROM")
    args = parser.parse_args()
    usage, bill = read(args.usage), read(args.bill)
    stated = bill["Stated"]
    if args.cloud:
        releases = history(args.cloud.rstrip("/"), stated["AccountId"])
    else:
        named = [item.rpartition("@") for item in args.release]
        releases = [Release(read(path), moment(start)) for path, _, start in named]
        releases.sort(key=lambda release: release.start)
        for earlier, later in zip(releases, releases[1:]):
            earlier.end = later.start
    sums = recompute(usage, releases, stated["Month"], moment(stated["BilledUntil"]))
    for ((_, release), meter), (quantity, cost) in sums.items():
        print(f"{release:12} {meter:24} {quantity:>24} {cost:>20}")
    print(f"{'micro-' + stated['Currency']:62} {sum(cost for _, cost in sums.values()):>20}")
    wrong = list(differences(usage, bill, releases, args.focus))
    print("\n".join(wrong) or "the bill is the same", file=sys.stderr if wrong else sys.stdout)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
