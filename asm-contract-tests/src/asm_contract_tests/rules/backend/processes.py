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
    """Append events, each in a call of its own."""
    for _ in range(EVENTS):
        backend.session_store.append_event(an_event(name))


def follow_log(backend: Backend, *, name: str, count: int) -> list[int | None]:
    """Follow a log until so many events came."""
    return numbers(list(islice(backend.session_store.follow_events(name), count)))


def look(backend: Backend) -> tuple[bool, int]:
    """Return whether the store is one that processes share, and how many sessions it has."""
    return Capability.MULTI_PROCESS in backend.capabilities, len(backend.session_store.list_sessions())


class ProcessesContract(ContentionContract, KillsContract, ForksContract):
    """Guarantees hold however many processes are at work, and whenever one is killed or forked."""

    @pytest.mark.guarantee("G13")
    def test_processes_may_open_a_fresh_store_at_once(self, open_backend: OpenBackend) -> None:
        """Look at what opening does to a store that does not exist yet: every process must succeed."""
        opened = in_processes(open_backend, *[look] * 6)
        if (False, 0) in opened:
            pytest.skip("it does not declare the capability multi_process")
        assert opened == [(True, 0)] * 6

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G17")
    def test_a_process_follows_what_others_append(self, open_backend: OpenBackend) -> None:
        """Look at the watcher: commits of other processes are found by looking."""
        [name] = stored_sessions(open_backend, 1)
        follower = partial(follow_log, name=name, count=WRITERS * EVENTS)
        followed, *_ = in_processes(open_backend, follower, *[partial(append_one_by_one, name=name)] * WRITERS)
        assert followed == list(range(1, WRITERS * EVENTS + 1))
