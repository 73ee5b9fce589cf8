"""Records of state that several processes write, some of which are killed."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.rules.backend.kills import instants
from asm_contract_tests.together import children, in_processes
from asm_core import RevisionConflictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core import Backend

PROCESSES: Final = 8
PUTS: Final = 5
"""The number of puts of each process that win."""
KEYS: Final = 4


def put_until_won(backend: Backend, *, name: str) -> list[int]:
    """Add a line to one record until `PUTS` puts won; return the revisions that they stored."""
    state = backend.state_store
    won: list[int] = []
    while len(won) < PUTS:
        stored = state.get("n", "k")
        lines, revision = ([], 0) if stored is None else (stored.value, stored.revision)
        try:
            won.append(state.put("n", "k", [*lines, name], expected_revision=revision).revision)
        except RevisionConflictError:
            continue
    return won


def put_forever(backend: Backend, say: Callable[[Any], None]) -> None:
    """Put into some records in turn, a value that has the revision in all its parts, and report each put."""
    for turn in count():
        key = str(turn % KEYS)
        stored = backend.state_store.get("n", key)
        revision = 0 if stored is None else stored.revision
        stored = backend.state_store.put("n", key, [revision + 1] * 100, expected_revision=revision)
        say((key, stored.revision))


class StateProcessesContract(Contract):
    """No process loses an update of another, and a killed one leaves each record whole."""

    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G8")
    def test_of_the_writers_of_a_revision_in_many_processes_one_wins(self, open_backend: OpenBackend) -> None:
        """Check the comparison of `_put` in several processes: each revision has one winner, and no line is lost."""
        names = [str(place) for place in range(PROCESSES)]
        won = in_processes(open_backend, *(partial(put_until_won, name=name) for name in names))
        with open_backend() as backend:
            stored = backend.state_store.get("n", "k")
        assert stored is not None
        assert sorted(revision for each in won for revision in each) == list(range(1, PROCESSES * PUTS + 1))
        winners = {revision: name for name, each in zip(names, won, strict=True) for revision in each}
        assert stored.value == [winners[revision] for revision in range(1, PROCESSES * PUTS + 1)]
        assert stored.revision == PROCESSES * PUTS

    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    def test_a_killed_process_leaves_each_record_whole(self, open_backend: OpenBackend, soak: int) -> None:
        """Look for a part of a put, a value with the revision of another, and for the loss of an acknowledged one."""
        acknowledged: Counter[str] = Counter()
        for puts, seconds in instants(4 * soak):
            with children(open_backend, [put_forever]) as [child]:
                told = [child.said() for _ in range(puts)]
                told += [*child.listen(seconds), *child.last_words()]
            acknowledged |= Counter(dict(told))
            with open_backend() as backend:
                stored = {record.key: record for record in backend.state_store.list("n")}
            assert all(record.value == [record.revision] * 100 for record in stored.values())
            revisions = Counter({key: record.revision for key, record in stored.items()})
            # At most the interrupted put was stored without being acknowledged.
            assert (revisions - acknowledged).total() <= 1
            assert acknowledged <= revisions
            acknowledged = revisions
