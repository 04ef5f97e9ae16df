#!/usr/bin/env python3
"""Judges Open Contracting releases with the standard's own review library, offline.

    validate_ocds.py --standard FOLDER [--self-check] [--cloud URL] [RELEASE.json ...]

FOLDER holds the source packages that `ocds.sources` names: published packages of the same authors,
which carry the schemas of OCDS 1.1.5 among their tests. (The standard's own ZIP, which the library
would fetch, is in no package registry.) The closed code lists are in the schema itself. The open
ones are not, and any code is allowed in those, so nothing is lost by their absence but a remark.

Besides the library's errors, a field that OCDS does not know is an error here unless it is part of
the extension `sovereign`, a text in English beside the one that binds (`_en`), or stands for contact
persons that are withheld (docs/agreement): a misspelt field name would otherwise pass as a field of
somebody's own.
`--cloud` judges every release that a cloud's public log names. `--self-check` shows first that a good
release passes and that planted errors are found.
"""

import argparse
import copy
import csv
import importlib.metadata
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

from libcoveocds.api import ocds_json_output
from libcoveocds.config import LibCoveOCDSConfig

import published
from verdicts import conclude

EXTENSION = "sovereign"
ENGLISH = "_en"
WITHHELD = "withheld"
# The fields of OCDS that may be withheld; the others that may be are inside the extension.
REDACTABLE = ("/parties/contactPoint",)
RELEASE_SCHEMA_ID = "https://standard.open-contracting.org/schema/1__1__5/release-schema.json"

# Where each schema is found.
SOURCES = {
    "release-schema.json": "ocdsextensionregistry-*.tar.gz",
    "versioned-release-validation-schema.json": "ocdsextensionregistry-*.tar.gz",
    "release-package-schema.json": "ocdskit-*.tar.gz",
}


def fixture(folder, archives, name):
    """A file from the tests of a source package."""
    (archive,) = Path(folder).glob(archives)
    with tarfile.open(archive) as tar:
        member = f"{archive.name.removesuffix('.tar.gz')}/tests/fixtures/{name}"
        return tar.extractfile(member).read().decode()


def closed_codelists(schema):
    """The codes of each closed list, from every place of the schema that uses it."""
    found = {}
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            stack.extend(node.values())
            if node.get("openCodelist") is False:
                codes = node.get("enum") or node.get("items", {}).get("enum") or []
                found.setdefault(node["codelist"], set()).update(filter(None, codes))
        elif isinstance(node, list):
            stack.extend(node)
    return {name: sorted(codes) for name, codes in found.items()}


def standard_zip(folder):
    """What the library reads of the standard's repository, laid out as its ZIP is."""
    files = {name: fixture(folder, archives, name) for name, archives in SOURCES.items()}
    release = json.loads(files["release-schema.json"])
    if release["id"] != RELEASE_SCHEMA_ID:
        sys.exit(f"the release schema is {release['id']}, not {RELEASE_SCHEMA_ID}")
    for name, codes in closed_codelists(release).items():
        table = io.StringIO()
        csv.writer(table).writerows([["Code"], *([code] for code in codes)])
        files[f"codelists/{name}"] = table.getvalue()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("standard/", "")
        for name, text in files.items():
            archive.writestr(f"standard/schema/{name}", text)
    return content.getvalue()


def packaged(document):
    """A release alone becomes a package of one, which is what the library judges."""
    if "releases" in document or "records" in document:
        return document
    return {
        "uri": "https://awan.example/release.json",
        "version": "1.1",
        "publishedDate": "2026-01-01T00:00:00Z",
        "publisher": {"name": "awan"},
        "releases": [document],
    }


def errors(standard, document):
    """What is wrong with a document, a sentence each."""
    config = LibCoveOCDSConfig({"standard_zip": standard, "context": "api"})
    found = ocds_json_output(json_data=packaged(document), lib_cove_ocds_config=config)
    for error in found["validation_errors"]:
        yield f"{error['path']}: {error['description']} (it is {error['value']!r})"
    for path, value in found["additional_closed_codelist_values"].items():
        yield f"{path}: {value['values']} is not in {value['codelist']}"
    for name, places in (found.get("additional_checks") or {}).items():
        yield f"{name}: {', '.join(place['json_location'] for place in places)}"
    for field in found["deprecated_fields"]:
        yield f"{field['field']}: deprecated"
    for field in found["additional_fields"]:
        if not is_ours(field["path"], field["field"]):
            yield f"{field['path']}/{field['field']}: OCDS has no such field"
    for key in ("conformance_errors", "structure_warnings", "json_deref_error"):
        if found.get(key):
            yield f"{key}: {found[key]}"


def is_ours(path, field):
    """Whether a field that OCDS does not know is one that docs/agreement tells of."""
    if field == WITHHELD:
        return path.endswith(REDACTABLE)
    return field == EXTENSION or field.endswith(ENGLISH)


GOOD_RELEASE = {
    "ocid": "ocds-awan01-kpu-2026",
    "id": "kpu-2026-1",
    "date": "2026-11-22T00:00:00Z",
    "tag": ["contract"],
    "initiationType": "tender",
    "parties": [
        {"id": "ID-NPWP-1", "name": "Komisi Pemilihan Umum", "roles": ["buyer"]},
        {
            "id": "ID-NIB-1",
            "name": "Awan",
            "roles": ["supplier"],
            "contactPoint": {"withheld": {"commitment": "00", "ground": {"id": "UU 14/2008", "en": "Law 14/2008"}}},
        },
    ],
    "buyer": {"id": "ID-NPWP-1", "name": "Komisi Pemilihan Umum"},
    "awards": [{"id": "award-1", "status": "active"}],
    "contracts": [
        {
            "id": "contract-1",
            "awardID": "award-1",
            "status": "active",
            "value": {"amount": 1_000_000_000, "currency": "IDR"},
            "period": {"startDate": "2026-11-22T00:00:00Z", "endDate": "2027-11-22T00:00:00Z"},
            "sovereign": {"placements": [{"class": "internal", "countries": ["ID"]}]},
        }
    ],
}


def set_at(release, path, value):
    for key in path[:-1]:
        release = release[key]
    if value is None:
        del release[path[-1]]
    else:
        release[path[-1]] = value


# Planted errors: what, where, the value (none: left out) and a part of the error that must be said.
PLANTED = [
    ("an amount in words", ("contracts", 0, "value", "amount"), "a lot", "is not a number"),
    ("no date", ("date",), None, "'date' is missing"),
    ("an unknown tag", ("tag",), ["signed"], "tag"),
    ("an unknown currency", ("contracts", 0, "value", "currency"), "Rupiah", "currency"),
    ("a date in words", ("date",), "22 November 2026", "releases/0/date: Date is not"),
    ("a misspelt field", ("contracts", 0, "perod"), {}, "/perod: OCDS has no such field"),
    ("a field withheld that must be public", ("buyer", "withheld"), {"commitment": "00"}, "/withheld: OCDS has"),
    ("an empty field", ("contracts", 0, "title"), " ", "empty_field"),
    ("no award", ("contracts", 0, "awardID"), None, "'awardID' is missing"),
    ("a prefix without its form", ("ocid",), "kpu-2026", "ocds_prefixes_bad_format"),
]


def self_check(standard):
    """Yields (what, whether it is so, words)."""
    wrong = list(errors(standard, GOOD_RELEASE))
    yield "a good release passes", not wrong, wrong
    for what, path, value, expected in PLANTED:
        release = copy.deepcopy(GOOD_RELEASE)
        set_at(release, path, value)
        wrong = list(errors(standard, release))
        yield f"planted: {what}", any(expected in error for error in wrong), wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--standard", required=True)
    parser.add_argument("--self-check", action="store_true")
    parser.add_argument("--cloud")
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    print(f"libcoveocds {importlib.metadata.version('libcoveocds')}, OCDS 1.1.5")
    standard = standard_zip(args.standard)
    verdicts = list(self_check(standard)) if args.self_check else []
    documents = [(file, Path(file).read_bytes()) for file in args.files]
    if args.cloud:
        found = list(published.releases(args.cloud.rstrip("/")))
        verdicts.append(("the log names releases", bool(found), []))
        documents.extend(found)
    for name, text in documents:
        wrong = list(errors(standard, json.loads(text)))
        verdicts.append((name, not wrong, wrong))
    conclude(verdicts)


if __name__ == "__main__":
    main()
