"""What a cloud has published: the leaves of its public log, and the releases that they name. Read
over HTTP, as anybody would."""

import hashlib
import json
from urllib.error import HTTPError
from urllib.request import urlopen

BUNDLE_ENTRIES = 256


def fetch(url):
    with urlopen(url, timeout=30) as answer:
        return answer.read()


def bundle_path(number, width):
    """Where an entry bundle is (c2sp.org/tlog-tiles): groups of three digits, all but the last with x."""
    digits = f"{number:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/entries/{path}" + (f".p/{width}" if width < BUNDLE_ENTRIES else "")


def bundle(log, number, width):
    """An entry bundle; a partial one may have given way to the full one, which begins with it."""
    try:
        return fetch(f"{log}/{bundle_path(number, width)}")
    except HTTPError as error:
        if error.code != 404 or width == BUNDLE_ENTRIES:
            raise
        return fetch(f"{log}/{bundle_path(number, BUNDLE_ENTRIES)}")


def entries(data):
    while data:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


def leaves(log):
    """Every leaf that the newest checkpoint covers, oldest first."""
    size = int(fetch(f"{log}/checkpoint").split(b"\n")[1])
    for start in range(0, size, BUNDLE_ENTRIES):
        width = min(BUNDLE_ENTRIES, size - start)
        found = list(entries(bundle(log, start // BUNDLE_ENTRIES, width)))
        for entry in found[:width]:
            yield json.loads(entry)


def document(cloud, digest):
    """The text of a document that the log names."""
    text = fetch(f"{cloud}/documents/{digest}.json")
    if hashlib.sha256(text).hexdigest() != digest:
        raise ValueError(f"document {digest} is not what the log says it is")
    return text


def releases(cloud):
    """Yields (digest, text) of each release of an agreement that the log names, once."""
    seen = set()
    for leaf in leaves(f"{cloud}/log"):
        public = leaf.get("public", {})
        digest = public.get("document")
        if "release" not in public or digest in seen:
            continue
        seen.add(digest)
        yield digest, document(cloud, digest)
