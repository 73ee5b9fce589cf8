"""Many processes on one store, some of which are killed."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from asm_contract_tests.making import an_event, numbers
from asm_contract_tests.rules.backend.contention import ContentionContract, stored_sessions
from asm_contract_tests.rules.backend.forks import ForksContract
from asm_contract_tests.rules.backend.kills import KillsContract
from asm_contract_tests.together import in_processes
from asm_core import Backend, Capability

if TYPE_CHECKING:
    from asm_contract_tests.contract import OpenBackend

WRITERS = 2
EVENTS = 15


def append_one_by_one(backend: Backend, *, name: str) -> None:
    """Append events, one call each."""
    for _ in range(EVENTS):
        backend.session_store.append_event(an_event(name))


def follow_log(backend: Backend, *, name: str, count: int) -> list[int | None]:
    """Follow a log until `count` events arrived."""
    return numbers(list(islice(backend.session_store.follow_events(name), count)))


def look(backend: Backend) -> tuple[bool, int]:
    """Return whether processes share the store, and the number of its sessions."""
    return Capability.MULTI_PROCESS in backend.capabilities, len(backend.session_store.list_sessions())


class ProcessesContract(ContentionContract, KillsContract, ForksContract):
    """The guarantees hold for any number of processes, and for a kill or a fork at any instant."""

    @pytest.mark.guarantee("G13")
    def test_processes_may_open_a_fresh_store_at_once(self, open_backend: OpenBackend) -> None:
        """Check opening of a store that does not exist yet: every process must succeed."""
        opened = in_processes(open_backend, *[look] * 6)
        if (False, 0) in opened:
            pytest.skip("it does not declare the capability multi_process")
        assert opened == [(True, 0)] * 6

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G17")
    def test_a_process_follows_what_others_append(self, open_backend: OpenBackend) -> None:
        """Check the watcher: commits of other processes are found by polling."""
        [name] = stored_sessions(open_backend, 1)
        follower = partial(follow_log, name=name, count=WRITERS * EVENTS)
        followed, *_ = in_processes(open_backend, follower, *[partial(append_one_by_one, name=name)] * WRITERS)
        assert followed == list(range(1, WRITERS * EVENTS + 1))
