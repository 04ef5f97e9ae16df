#!/usr/bin/env python3
"""Judges an account's bill: `recompute_bill.py` must come to the same, `awan verify` must accept it, and
both must refuse it with a difference of one unit.

    judge_bill.py --awan PROGRAM --data-dir DIR --cloud URL --month MONTH --out FOLDER
                  [--key-file FILE --key NAME]

Waits until the log commits to a whole day, so that commitments are judged too. Every release that bound in
the month's billed hours must have priced something. The files that the cloud exported stay in FOLDER.
"""

import argparse
import copy
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import recompute_bill
from verdicts import conclude

# The rating task looks at every account once a minute.
WAIT_SECONDS = 150
METERS_MIN = 4


class Cloud:
    """The cloud's own program, on behalf of one account."""

    def __init__(self, args):
        self.program, self.month, self.folder = args.awan, args.month, Path(args.out)
        self.who = ["--data-dir", args.data_dir]
        if args.key_file:
            self.who += ["--key-file", args.key_file, "--key", args.key]

    def run(self, *words):
        """(exit code, standard output, both outputs)"""
        done = subprocess.run(
            [self.program, *map(str, words), *self.who], capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stdout + done.stderr

    def path(self, name):
        return self.folder / name

    def export(self):
        """Usage, bill, and the bill as it is shown, once the log commits to a day of the month."""
        give_up = time.monotonic() + WAIT_SECONDS
        files = [f"--{what}={self.path(name)}" for what, name in FILES.items()]
        while True:
            code, _, words = self.run("bill", "export", "--month", self.month, *files)
            if code:
                sys.exit(f"awan bill export failed: {words}")
            usage, bill = (recompute_bill.read(self.path(FILES[what])) for what in ("usage", "lines"))
            shown = self.show()
            # An hour may have been billed in between, and a commitment not be in the log yet.
            logged = bill["Commitments"] and all(row.get("LogIndex") is not None for row in bill["Commitments"])
            if logged and shown["BilledUntil"] == bill["Stated"]["BilledUntil"]:
                return usage, bill, shown
            if time.monotonic() > give_up:
                sys.exit(f"no day of {self.month} was committed to within {WAIT_SECONDS} s")
            time.sleep(1)

    def show(self):
        """The bill as people are shown it."""
        code, answer, words = self.run("bill", "show", self.month, "--output", "json")
        if code:
            sys.exit(f"awan bill show failed: {words}")
        return json.loads(answer)

    def verify(self, *files):
        code, _, words = self.run("verify", "--no-memory", "--bill", self.month, *files)
        return code, words


FILES = {"usage": "usage.json", "lines": "bill.json", "focus": "focus.csv"}


def some_line(bill):
    """A line that costs something."""
    return max(bill["Lines"], key=lambda line: line["AmountMicro"])


def more_used(usage, bill):
    line = some_line(bill)
    same = ("resource", line["Resource"]), ("meter", line["Meter"]), ("hour", line["Hour"])
    next(used for used in usage if all(used[name] == value for name, value in same))["quantity"] += 1


def usage_left_out(usage, bill):
    line = some_line(bill)
    usage.remove(next(used for used in usage if used["meter"] == line["Meter"] and used["hour"] == line["Hour"]))


def more_charged(_, bill):
    line = some_line(bill)
    line["AmountMicro"] += 1
    line["Tiers"]["Tier"][-1]["AmountMicro"] += 1
    bill["Stated"]["AmountMicro"] += 1


def moved_between_meters(_, bill):
    """The sum stays."""
    first = some_line(bill)
    other = next(line for line in bill["Lines"] if line["Meter"] != first["Meter"] and line["Tiers"]["Tier"])
    for line, change in ((first, 1), (other, -1)):
        line["AmountMicro"] += change
        line["Tiers"]["Tier"][-1]["AmountMicro"] += change


def line_twice(_, bill):
    line = some_line(bill)
    bill["Lines"].append(line)
    bill["Stated"]["AmountMicro"] += line["AmountMicro"]


def more_stated(_, bill):
    bill["Stated"]["AmountMicro"] += 1


def more_tax(_, bill):
    bill["Stated"]["TaxMicro"] += 1


PLANTED = {
    "one unit more is used": more_used,
    "a line of usage is left out": usage_left_out,
    "a line, its part and the sum are one micro-unit more": more_charged,
    "one micro-unit goes from one meter to another": moved_between_meters,
    "a line is there twice": line_twice,
    "the stated sum is one micro-unit more": more_stated,
    "the stated tax is one micro-unit more": more_tax,
}


def planted(cloud, usage, bill, releases):
    """Yields, of each planted difference, whether both find it."""
    for number, (what, change) in enumerate(PLANTED.items()):
        wrong_usage, wrong_bill = copy.deepcopy(usage), copy.deepcopy(bill)
        change(wrong_usage, wrong_bill)
        found = list(recompute_bill.differences(wrong_usage, wrong_bill, releases))
        yield f"planted: {what}: recomputed", bool(found), found
        paths = [cloud.path(f"planted-{number}-{name}") for name in ("usage.json", "bill.json")]
        for path, content in zip(paths, (wrong_usage, wrong_bill)):
            path.write_text(json.dumps(content))
        code, words = cloud.verify("--usage", paths[0], "--bill-file", paths[1])
        defects = [line for line in words.splitlines() if line.startswith("DEFECT")]
        yield f"planted: {what}: awan verify", code == 1 and bool(defects), defects or [f"exit {code}", words]


def planted_focus(cloud, usage, bill, releases):
    path = cloud.path("planted.csv")
    rows = cloud.path(FILES["focus"]).read_text().split("\n")
    at = rows[0].split(",").index("BilledCost")
    # The columns before it are empty or plain.
    cells = rows[1].split(",")
    cells[at] = str(float(cells[at]) + 0.000001)
    path.write_text("\n".join([rows[0], ",".join(cells), *rows[2:]]))
    found = list(recompute_bill.differences(usage, bill, releases, path))
    yield "planted: a FOCUS row is one micro-unit more", bool(found), found


def enough(usage, bill, releases):
    """Whether the bill is one that says something."""
    lines, stated = bill["Lines"], bill["Stated"]
    meters = {line["Meter"] for line in lines if line["AmountMicro"]}
    pricing = {(line["Ocid"], line["ReleaseId"]) for line in lines}
    until = recompute_bill.moment(stated["BilledUntil"])
    bound = {
        release.name
        for release in releases
        if release.start < until and f"{release.start:%Y-%m}" <= stated["Month"]
    }
    what = f"{len(meters)} meters cost something under {len(bound)} releases"
    amount = f"{stated['AmountMicro']} micro-{stated['Currency']}"
    words = [f"{amount}, {len(usage)} lines of usage, {len(lines)} of the bill"]
    return what, len(meters) >= METERS_MIN and pricing == bound and stated["AmountMicro"] > 0, words


def same_by_meter(bill, sums):
    """Whether a bill as it is shown comes to the same by meter."""
    expected, said = Counter(), Counter()
    for (_, meter), (_, cost) in sums.items():
        expected[meter] += cost
    for group in bill["Groups"]["Group"]:
        said[group["Meter"]] += group["AmountMicro"]
    same = expected == said and sum(expected.values()) == bill["AmountMicro"]
    return "awan bill show", same, [f"{meter} {amount}" for meter, amount in sorted(said.items())]


def judge(cloud, portal):
    """Yields (what, whether it is so, words)."""
    usage, bill, shown = cloud.export()
    releases = recompute_bill.history(portal, bill["Stated"]["AccountId"])
    yield enough(usage, bill, releases)
    found = list(recompute_bill.differences(usage, bill, releases, cloud.path(FILES["focus"])))
    yield "recomputed to the micro-unit", not found, found
    until = recompute_bill.moment(bill["Stated"]["BilledUntil"])
    yield same_by_meter(shown, recompute_bill.recompute(usage, releases, cloud.month, until))
    files = ("--usage", cloud.path(FILES["usage"]), "--bill-file", cloud.path(FILES["lines"]))
    for what, given in (("", ()), (", from the files", files)):
        code, words = cloud.verify(*given)
        yield f"awan verify{what}", code == 0, words.splitlines()[-2:] if code == 0 else [words]
    yield from planted(cloud, usage, bill, releases)
    yield from planted_focus(cloud, usage, bill, releases)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("awan", "data-dir", "cloud", "month", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--key-file")
    parser.add_argument("--key")
    args = parser.parse_args()
    Path(args.out).mkdir(parents=True, exist_ok=True)
    conclude(judge(Cloud(args), args.cloud.rstrip("/")))


if __name__ == "__main__":
    main()
