from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from processes import LIMIT, Process

from asm_core.recording.lifecycle.process_identity import is_gone, make_stamp

PRINT_STAMP = (
    "import json; from asm_core.recording.lifecycle.process_identity import make_stamp; "
    "print(json.dumps(make_stamp()), flush=True)"
)


@pytest.fixture(scope="module")
def dead() -> dict[str, Any]:
    """Return the stamp of a process that has ended."""
    done = subprocess.run([sys.executable, "-c", PRINT_STAMP], capture_output=True, check=True, timeout=LIMIT)
    stamp: dict[str, Any] = json.loads(done.stdout)
    return stamp


def test_a_process_that_has_ended_is_gone(dead: dict[str, Any]) -> None:
    assert is_gone(dead)


def test_this_process_is_not() -> None:
    assert not is_gone(make_stamp())


def test_another_process_that_runs_is_not() -> None:
    program = f"{PRINT_STAMP}; input()"
    with Process([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert not is_gone(json.loads(process.stdout.readline()))
        process.communicate(b"\n")


def test_a_zombie_counts_as_ended() -> None:
    program = f"{PRINT_STAMP}; import os; os.close(1); os._exit(0)"
    with Process([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        stamp = json.loads(process.stdout.read())
        while not is_gone(stamp):
            assert process.returncode is None
        process.wait()


def test_the_next_process_of_the_same_number_is_another_one() -> None:
    stamp = make_stamp()
    assert is_gone({**stamp, "started": stamp["started"] - 1})


def test_a_restart_of_the_machine_ends_all() -> None:
    assert is_gone({**make_stamp(), "boot": "another"})


@pytest.mark.parametrize("field", ["host", "machine", "pids"])
def test_of_another_machine_or_container_nothing_is_known(dead: dict[str, Any], field: str) -> None:
    assert not is_gone({**dead, field: "another"})


@pytest.mark.parametrize("stamp", [None, 3, "x", [], {}, {"pid": 1 << 40}, {"pid": "1"}, {"pid": True}, {"pid": -1}])
def test_an_invalid_stamp_proves_nothing(stamp: object) -> None:
    assert not is_gone(stamp)


@pytest.mark.parametrize("pid", [None, "x", 0, -1, True])
def test_a_stamp_with_an_odd_pid_proves_nothing(pid: object) -> None:
    assert not is_gone({**make_stamp(), "pid": pid})


@pytest.mark.parametrize("pid", [1 << 30, 1 << 60])
def test_a_pid_beyond_all_bounds_is_not_running(pid: int) -> None:
    assert is_gone({**make_stamp(), "pid": pid})
