"""The `aws` command line, as a person uses it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trees

AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def aws(clients, cloud):
    def run(*words, good=True):
        done = subprocess.run(
            [sys.executable, str(AWS), "--endpoint-url", clients.url("oss"),
             "--ca-bundle", cloud.ca_cert, *words],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": cloud.root.id,
                "AWS_SECRET_ACCESS_KEY": cloud.root.secret,
                "AWS_DEFAULT_REGION": cloud.region,
                "AWS_MAX_ATTEMPTS": "1",
                "AWS_PAGER": "",
            },
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        return done.stdout if good else done.stderr

    return run


@pytest.fixture
def tree(tmp_path):
    """A small tree with names that need care. Gives (folder, {relative path: bytes})."""
    files = {
        "one.json": b'{"tps": 1}',
        "11/1101/with space.json": b"a" * 3000,
        "11/1102/plus+percent%20.json": os.urandom(5000),
        "91/ünïcode.json": "Papua Barat Daya".encode(),
        "empty": b"",
    }
    folder = tmp_path / "tree"
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        # `sync` compares with the time of storing, which has no fractions of a second.
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder, files


def test_files_are_copied_listed_and_removed(aws, bucket, tree):
    folder, files = tree
    aws("s3", "cp", str(folder / "one.json"), f"s3://{bucket}/one.json")
    listed = aws("s3", "ls", f"s3://{bucket}/")
    assert listed.split()[-2:] == ["10", "one.json"]
    back = folder / "back"
    aws("s3", "cp", f"s3://{bucket}/one.json", str(back))
    assert back.read_bytes() == files["one.json"]
    aws("s3", "rm", f"s3://{bucket}/one.json")
    assert "404" in aws("s3", "cp", f"s3://{bucket}/one.json", str(back), good=False)


def test_a_tree_is_synced_there_and_back(aws, bucket, tree, tmp_path):
    folder, files = tree
    aws("s3", "sync", str(folder), f"s3://{bucket}/tree")
    # Nothing changed, so nothing is sent.
    assert aws("s3", "sync", str(folder), f"s3://{bucket}/tree").strip() == ""
    listed = aws("s3", "ls", f"s3://{bucket}/tree/")
    assert "PRE 11/" in listed and "one.json" in listed
    back = tmp_path / "back"
    aws("s3", "sync", f"s3://{bucket}/tree", str(back))
    found = {
        str(path.relative_to(back)): path.read_bytes() for path in back.rglob("*") if path.is_file()
    }
    assert found == files
    aws("s3", "rm", "--recursive", f"s3://{bucket}/tree")
    assert aws("s3", "ls", f"s3://{bucket}/", "--recursive").strip() == ""


def test_a_real_tree_is_mirrored_both_ways_and_what_is_gone_is_deleted(
    aws, scheme, bucket, tmp_path
):
    there, back = tmp_path / "there", tmp_path / "back"
    files = trees.grow(there, many=trees.MANY[scheme] // 2)
    far = f"s3://{bucket}/pohon"
    aws("s3", "sync", "--delete", "--only-show-errors", str(there), far)
    aws("s3", "sync", "--delete", "--only-show-errors", far, str(back))
    assert trees.read(back) == files
    # Nothing changed, so nothing is sent.
    assert aws("s3", "sync", "--delete", str(there), far).strip() == ""
    assert aws("s3", "sync", "--delete", far, str(back)).strip() == ""
    gone, changed = "😀/👨‍👩‍👧‍👦 keluarga.jpg", "line\nbreak\ttab"
    (there / gone).unlink()
    del files[gone]
    files[changed] = b"another length"
    trees.put(there, changed, files[changed])
    said = aws("s3", "sync", "--delete", "--no-progress", str(there), far)
    assert (said.count("upload: "), said.count("delete: ")) == (1, 1), said
    trees.put(back, "nobody's", b"x")
    said = aws("s3", "sync", "--delete", "--no-progress", far, str(back))
    assert (said.count("download: "), said.count("delete: ")) == (1, 2), said
    assert trees.read(back) == files


@pytest.mark.slow
def test_a_large_file_goes_in_parts(aws, bucket, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(18 << 20))
    aws("s3", "cp", str(source), f"s3://{bucket}/big")
    etag = aws("s3api", "head-object", "--bucket", bucket, "--key", "big", "--query", "ETag")
    assert "-3" in etag
    aws("s3", "cp", f"s3://{bucket}/big", str(back))
    assert back.read_bytes() == source.read_bytes()


def test_a_stream_is_stored(aws, bucket, tree):
    folder, _ = tree
    made = aws("s3", "presign", f"s3://{bucket}/a b", "--expires-in", "60")
    assert made.startswith("http")
    assert "NoSuchBucket" in aws("s3", "ls", "s3://no-such-bucket-here/", good=False)
