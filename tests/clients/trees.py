"""Trees of files with names that need care, as people have them and as nobody should."""

import os

MOMENT = 1_700_000_000

NAMES = [
    "kosong",
    "satu.json",
    "11 Aceh/1101/with space.json",
    "11 Aceh/1102/plus+percent%20.json",
    "12/%2F%2e%2e.txt",
    "a=b&c=d?e#f;g,h",
    "quotes 'single' \"double\" `back`",
    "brackets [a] {b} (c) <d>",
    "star * dollar $HOME tilde ~ at @ caret ^ pipe |",
    " leading and trailing ",
    "dots... ",
    ".hidden/..still",
    "back\\slash",
    "line\nbreak\ttab",
    "选举/二〇二四年/投票结果.json",
    "選舉/香港 – 九龍.txt",
    "😀/👨‍👩‍👧‍👦 keluarga.jpg",
    "مرحبا/שלום.txt",
    "a\u0301 decomposed, \u00e1 composed",
    "Ünïcödé/ß/ẞ.json",
    "很" * 80,
    "deep/" + "/".join(f"level {n}" for n in range(30)) + "/end",
]

FOLDERS = ["11 Aceh", "94 Papua Tengah", "选举 二〇二四", "بالي", "🗳️ suara", "a&b=c", "100%", "x+y"]
# A real tree has some thousand files; the second time over a tree tests nothing new.
MANY = {"http": 2000, "https": 0}


def names_of_many(count):
    """Names as a real tree has them: many in few folders, few in many."""
    for n in range(count):
        yield f"{FOLDERS[n % len(FOLDERS)]}/{n % 61:02}/TPS {n:04} – hasil ({n % 7}).json"


def grow(folder, large=0, many=0):
    """Fills a folder; gives {relative path: bytes}."""
    files = {name: os.urandom(200 + 37 * at) for at, name in enumerate(NAMES)}
    files.update({name: os.urandom(30 + len(name)) for name in names_of_many(many)})
    files["kosong"] = b""
    if large:
        files["besar.bin"] = os.urandom(large)
    for name, content in files.items():
        put(folder, name, content)
    return files


def put(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    # Some tools compare with the time of storing, which has no fractions of a second.
    os.utime(path, (MOMENT, MOMENT))


def read(folder):
    """{relative path: bytes} of all files below."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
