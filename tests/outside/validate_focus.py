#!/usr/bin/env python3
"""Judges FOCUS 1.2 cost files with the FinOps Foundation's own validator, offline.

    validate_focus.py [--criteria A,B,...] [--self-check] [FILE.csv ...]

Every rule of model 1.2.0.1 must pass, with one exception that is named: of InvoiceId-C-004-C ("must
be null") and InvoiceId-C-005-C ("must not be null") the model states no condition, so that every
file fails one of them. They are two branches of one OR, InvoiceId-C-003-C, which is judged as usual.
When neither of the two fails any more, the exception is out of date and this fails as well.

`--criteria` switches on the rules for what a provider says it supports. `--self-check` shows first
that a good file passes and that planted errors are found.
"""

import argparse
import csv
import importlib.abc
import importlib.machinery
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

from verdicts import conclude

MODEL = "1.2.0.1"
CONTRADICTORY = {"InvoiceId-C-004-C", "InvoiceId-C-005-C"}

# The one line of the validator that Python before 3.12 cannot read: a backslash inside an f-string.
# Both spellings mean the same; any other text in its place is left alone and fails to load.
NEWER_MODULE = "focus_validator.config_objects.focus_to_duckdb_converter"
NEWER_SYNTAX = r"""f"'{k.replace('\"', '\"\"')}'" for k in ignore_keys"""
OLDER_SYNTAX = r"""("'" + k.replace('"', '""') + "'") for k in ignore_keys"""


class OlderSyntaxLoader(importlib.machinery.SourceFileLoader):
    def get_data(self, path):
        data = super().get_data(path)
        if path != self.path:
            return data
        return data.replace(NEWER_SYNTAX.encode(), OLDER_SYNTAX.encode())

    def get_code(self, fullname):
        return self.source_to_code(self.get_data(self.path), self.path)


class OlderSyntaxFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname, path, target=None):
        if fullname != NEWER_MODULE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        spec.loader = OlderSyntaxLoader(fullname, spec.origin)
        return spec


def load_validator():
    if sys.version_info < (3, 12):
        sys.meta_path.insert(0, OlderSyntaxFinder())
    from focus_validator import validator

    return validator


def judge(validator, path, criteria):
    """What became of each rule: (passed, skipped, {failed rule: what it demands})."""
    run = validator.Validator(
        data_filename=str(Path(path).resolve()),
        output_type="unittest",
        output_destination=os.devnull,
        focus_dataset="CostAndUsage",
        rules_version=MODEL,
        rules_block_remote_download=True,
        applicability_criteria=criteria,
    )
    # It looks for its list of currencies below the working directory.
    home = Path(validator.__file__).parent.parent
    before = Path.cwd()
    os.chdir(home)
    try:
        results = run.validate()
    finally:
        os.chdir(before)
    passed, skipped, failed = 0, 0, {}
    for rule, entry in results.by_rule_id.items():
        if entry.get("details", {}).get("skipped"):
            skipped += 1
        elif entry.get("ok"):
            passed += 1
        else:
            failed[rule] = must_satisfy(results.rules.get(rule), entry)
    return passed, skipped, failed


def must_satisfy(rule, entry):
    criteria = getattr(rule, "validation_criteria", None)
    demand = getattr(criteria, "must_satisfy", None) or "it is not known what it demands"
    message = entry.get("details", {}).get("message") or ""
    return f"{demand} [{message:.120}]"


def verdict(passed, skipped, failed):
    """Whether a file is good, and why in words."""
    excused = sorted(CONTRADICTORY & failed.keys())
    wrong = [f"{rule}: {why}" for rule, why in sorted(failed.items()) if rule not in CONTRADICTORY]
    if not excused:
        wrong.append(f"neither of {sorted(CONTRADICTORY)} fails any more: drop the exception")
    counts = f"{passed} rules passed, {skipped} not applicable, contradictory: {', '.join(excused)}"
    return not wrong, [counts, *wrong]


# A line of a bill that keeps every rule. The validator guesses types from what it reads, quotes or
# not: an identifier of digits alone would be a number, which the rules forbid.
GOOD_ROW = {
    "BilledCost": 173.25,
    "BillingAccountId": "acs:ram::1000000000000001:root",
    "BillingAccountName": "Komisi Pemilihan Umum",
    "BillingCurrency": "IDR",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z",
    "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargeClass": None,
    "ChargeDescription": "Object storage, GB-hours",
    "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-11-22T02:00:00Z",
    "ChargePeriodStart": "2026-11-22T01:00:00Z",
    "ContractedCost": 173.25,
    "EffectiveCost": 173.25,
    "InvoiceId": "2026-11",
    "InvoiceIssuerName": "Awan",
    "ListCost": 173.25,
    "PricingCategory": "Standard",
    "PricingQuantity": 10.5,
    "PricingUnit": "GB-Hours",
    "ProviderName": "Awan",
    "PublisherName": "Awan",
    "ServiceCategory": "Storage",
    "ServiceName": "Object Storage",
    "ServiceSubcategory": "Object Storage",
}

# Planted errors, each with a rule that must find it. They are planted in one file.
PLANTED = {
    "BilledCost": ("a lot", "BilledCost-C-001-M"),
    "BillingAccountId": (1000000000000001, "BillingAccountId-C-002-M"),
    "BillingCurrency": ("Rupiah", "BillingCurrency-C-003-M"),
    "BillingPeriodStart": ("1 November 2026", "BillingPeriodStart-C-001-M"),
    "ChargeCategory": ("Storage", "ChargeCategory-C-003-M"),
    "ServiceCategory": ("Files", "ServiceCategory-C-003-M"),
}
LEFT_OUT = ("ProviderName", "CostAndUsage-D-038-M")


def write_rows(path, *rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def self_check(validator):
    """Yields (what, whether it is so, words)."""
    with tempfile.TemporaryDirectory() as folder:
        good, bad = Path(folder, "good.csv"), Path(folder, "bad.csv")
        write_rows(good, GOOD_ROW)
        yield "a good file passes", *verdict(*judge(validator, good, None))
        row = GOOD_ROW | {column: value for column, (value, _) in PLANTED.items()}
        del row[LEFT_OUT[0]]
        write_rows(bad, row)
        failed = judge(validator, bad, None)[2].keys()
        for column, (value, rule) in PLANTED.items():
            yield f"planted {column} = {value!r}", *found(rule, failed)
        column, rule = LEFT_OUT
        yield f"planted: no {column}", *found(rule, failed)


def found(rule, failed):
    good = rule in failed
    return good, [f"found by {rule}" if good else f"{rule} is not among {', '.join(sorted(failed))}"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--criteria")
    parser.add_argument("--self-check", action="store_true")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    validator = load_validator()
    print(f"focus-validator {importlib.metadata.version('focus-validator')}, model {MODEL}")
    verdicts = list(self_check(validator)) if args.self_check else []
    for file in args.files:
        verdicts.append((file, *verdict(*judge(validator, file, args.criteria))))
    conclude(verdicts)


if __name__ == "__main__":
    main()
