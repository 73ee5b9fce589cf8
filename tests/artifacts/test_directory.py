"""Blobs in a directory are whole or absent, private, and safe among processes."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from processes import LIMIT, Process

import asm_core as asm

if TYPE_CHECKING:
    from pathlib import Path

NOW = timedelta(0)
PUT_MANY = """
import sys, asm_core as asm
store = asm.DirectoryArtifactStore(sys.argv[1])
for number in range(20):
    blob = store.put("same", b"%d" % number * 50_000)
    assert store.get(blob.ref) == b"%d" % number * 50_000
    print(blob.ref, blob.checksum_sha256)
"""
PUT_HALF = """
import sys, asm_core as asm
class Endless:
    def read(self, size):
        print("reading", flush=True)
        return b"x" * size
asm.DirectoryArtifactStore(sys.argv[1]).put("half", Endless())
"""


def blobs(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file() and path.parent.name != "incoming"]


def unfinished(place: Path) -> list[Path]:
    return list((place / "incoming").iterdir())


class Failing:
    """A file whose second read fails."""

    def __init__(self) -> None:
        self.chunks = [b"first"]

    def read(self, _size: int) -> bytes:
        if not self.chunks:
            raise OSError(5, "the cable was pulled")
        return self.chunks.pop()


@pytest.mark.parametrize("size", [0, 1, 262_144, 1_000_001])
def test_bytes_and_files_are_stored_alike(store: asm.DirectoryArtifactStore, size: int) -> None:
    data = os.urandom(size)
    one, other = store.put("a", data), store.put("a", io.BytesIO(data))
    assert one[1:] == other[1:] == (size, hashlib.sha256(data).hexdigest())
    assert store.get(one.ref) == store.get(other.ref) == data


def test_equal_blobs_are_deleted_separately(store: asm.DirectoryArtifactStore) -> None:
    one, other = store.put("a", b"same"), store.put("b", b"same")
    store.delete(one.ref)
    store.delete(one.ref)
    assert store.get(other.ref) == b"same"
    with pytest.raises(asm.NotFoundError, match="No blob is stored at"):
        store.get(one.ref)


@pytest.mark.skipif(os.name == "nt", reason="modes are those of Unix")
def test_files_are_private_whatever_the_umask_is(store: asm.DirectoryArtifactStore, place: Path) -> None:
    before = os.umask(0)
    try:
        store.put("a", b"secret")
    finally:
        os.umask(before)
    (blob,) = blobs(place)
    assert blob.stat().st_mode & 0o777 == 0o600
    assert blob.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "ref", ["../secret", "/etc/passwd", "ab/" + "cd" * 32 + "." + "0" * 32, "incoming/" + "0" * 32]
)
def test_locations_outside_are_rejected(store: asm.DirectoryArtifactStore, ref: str) -> None:
    for call in (store.get, store.delete):
        with pytest.raises(asm.ValidationError, match="no location"):
            call(ref)


@pytest.mark.parametrize(
    ("data", "error"),
    [(Failing(), asm.StorageError), (io.StringIO("text"), asm.ValidationError), ("text", asm.ValidationError)],
    ids=["failing", "text file", "text"],
)
def test_failed_put_leaves_nothing(
    store: asm.DirectoryArtifactStore, place: Path, data: object, error: type[asm.AsmError]
) -> None:
    with pytest.raises(error):
        store.put("a", data)  # type: ignore[arg-type]
    assert blobs(place) == unfinished(place) == []


def test_missing_directory_is_a_storage_error(store: asm.DirectoryArtifactStore, place: Path) -> None:
    (place / "incoming").rmdir()
    with pytest.raises(asm.StorageError, match=r"failed: .*incoming"):
        store.put("a", b"data")


def test_eight_processes_store_at_once(place: Path) -> None:
    command = [sys.executable, "-c", PUT_MANY, str(place)]
    running = [Process(command, stdout=subprocess.PIPE, text=True) for _ in range(8)]
    lines = [line.split() for process in running for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in running] == [0] * 8
    assert len({ref for ref, _ in lines}) == len(blobs(place)) == 160
    store = asm.DirectoryArtifactStore(place)
    assert all(hashlib.sha256(store.get(ref)).hexdigest() == checksum for ref, checksum in lines)
    assert unfinished(place) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the signal is that of Unix")
def test_killed_put_leaves_no_blob(store: asm.DirectoryArtifactStore, place: Path) -> None:
    command = [sys.executable, "-c", PUT_HALF, str(place)]
    with Process(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == "reading\n"
        process.kill()
        process.wait(LIMIT)
    assert blobs(place) == []
    assert store.remove_unfinished() == 0, "it may be under way"
    assert store.remove_unfinished(older_than=NOW) == 1
    assert unfinished(place) == []


def test_removal_of_unfinished_files_is_bounded(store: asm.DirectoryArtifactStore, place: Path) -> None:
    for number in range(5):
        (place / "incoming" / str(number)).touch()
    assert [store.remove_unfinished(older_than=NOW, limit=3) for _ in range(3)] == [3, 2, 0]
