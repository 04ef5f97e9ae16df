"""Tools that people copy and back up with, as their distribution ships them: rclone and restic."""

import os
import shutil
import subprocess

import pytest

import trees

LARGE = 12 << 20


@pytest.fixture
def tool(cloud, clients, tmp_path):
    """Runs a tool with the cloud's key in its environment and nothing of the person's."""

    def run(*words, good=True, **environment):
        if shutil.which(words[0]) is None:
            pytest.skip(f"{words[0]} is not installed: install the Debian package {words[0]}")
        done = subprocess.run(
            words,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "LANG": "C.UTF-8",
                "AWS_ACCESS_KEY_ID": cloud.root.id,
                "AWS_SECRET_ACCESS_KEY": cloud.root.secret,
                "AWS_DEFAULT_REGION": cloud.region,
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=110,
        )
        assert (done.returncode == 0) == good, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def rclone(tool, cloud, clients):
    def run(*words, **options):
        remote = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENV_AUTH": "true",
            "ENDPOINT": clients.url("oss"),
            "REGION": cloud.region,
            "CHUNK_SIZE": "5M",
            "UPLOAD_CUTOFF": "5M",
        }
        remote = {f"RCLONE_CONFIG_AWAN_{name}": value for name, value in remote.items()}
        quiet = ["--config", os.devnull, "--ca-cert", cloud.ca_cert, "--retries", "1"]
        quiet += ["--transfers", "8", "--checkers", "16"]
        return tool("rclone", *quiet, *words, **remote, **options)

    return run


@pytest.fixture
def restic(tool, cloud, clients, bucket, tmp_path):
    def run(*words, **options):
        place = f"s3:{clients.url('oss')}/{bucket}/cadangan"
        words = ["-r", place, "-o", "s3.bucket-lookup=path", "--cacert", cloud.ca_cert, *words]
        own = {"RESTIC_PASSWORD": "rahasia", "RESTIC_CACHE_DIR": str(tmp_path / "cache")}
        return tool("restic", *words, **own, **options)

    return run


def test_rclone_syncs_a_tree_there_and_back(rclone, scheme, bucket, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    files = trees.grow(there, LARGE, trees.MANY[scheme])
    far = f"awan:{bucket}/pohon"
    rclone("sync", str(there), far)
    # Nothing changed, so nothing is sent.
    said = rclone("sync", "-v", str(there), far)
    assert "Copied (" not in said and ": Deleted\n" not in said, said
    rclone("check", str(there), far)
    rclone("check", "--download", str(there), far)
    rclone("sync", far, str(back))
    assert trees.read(back) == files
    # One goes, one changes, one is new: the other side follows, and nothing else moves.
    gone, changed = "选举/二〇二四年/投票结果.json", "back\\slash"
    (there / gone).unlink()
    del files[gone]
    files[changed] = files["baru 🗳"] = b"baru"
    for name in (changed, "baru 🗳"):
        trees.put(there, name, b"baru")
    said = rclone("sync", "-v", str(there), far)
    assert said.count("Copied (") == 2 and said.count(": Deleted\n") == 1, said
    rclone("sync", far, str(back))
    assert trees.read(back) == files
    assert "1 differences found" in rclone_difference(rclone, there, far)
    rclone("purge", far)
    assert rclone("lsf", "-R", f"awan:{bucket}").strip() == ""


def rclone_difference(rclone, there, far):
    """A check that could not fail would be none."""
    trees.put(there, "satu.json", b"forged")
    return rclone("check", str(there), far, good=False)


def test_restic_backs_up_checks_restores_and_prunes(restic, clients, scheme, bucket, tmp_path):
    source = tmp_path / "source"
    first = trees.grow(source, LARGE, trees.MANY[scheme])
    restic("init")
    restic("backup", str(source))
    # Nothing changed, so nothing is sent.
    assert f"0 new,     0 changed, {len(first):5} unmodified" in restic("backup", str(source))
    second = {**first, "baru 🗳": os.urandom(3 << 20)}
    del second["besar.bin"]
    (source / "besar.bin").unlink()
    trees.put(source, "baru 🗳", second["baru 🗳"])
    restic("backup", str(source))
    restic("check", "--read-data")
    oldest = restic("snapshots", "--compact").split("\n")[2].split()[0]
    for snapshot, files in [(oldest, first), ("latest", second)]:
        target = tmp_path / f"restored-{snapshot}"
        restic("restore", snapshot, "--target", str(target))
        assert trees.read(target / source.relative_to("/")) == files
    before = size(clients, bucket)
    restic("forget", "--keep-last", "1", "--prune")
    assert size(clients, bucket) < before - LARGE // 2
    restic("check", "--read-data")
    target = tmp_path / "after"
    restic("restore", "latest", "--target", str(target))
    assert trees.read(target / source.relative_to("/")) == second


def size(clients, bucket):
    pages = clients.s3().get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return sum(item["Size"] for page in pages for item in page.get("Contents", []))
