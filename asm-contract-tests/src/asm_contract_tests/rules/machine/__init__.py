"""The contract that every backend answers as the one in memory does."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from asm_contract_tests.contract import Contract
from asm_contract_tests.rules.machine.answers import answer, dump, empty
from asm_contract_tests.rules.machine.calls import Call, appends, beginnings, removals, saves
from asm_contract_tests.rules.machine.own_ids import within_sessions
from asm_contract_tests.rules.machine.reads import cleanings, of_the_store, searches, totals
from asm_contract_tests.rules.machine.records import keepings, on_records
from asm_contract_tests.rules.machine.survey import survey
from asm_core import Backend, Capability
from asm_core.memory import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StateMachineContract", "compare"]

EXAMPLES: Final = "ASM_CONTRACT_EXAMPLES"
"""The environment variable with the number of random sequences of calls.

Without it there are 12, times --soak, the same ones each time; with it they differ from run to run.
"""
SEQUENCES: Final = 12
STEPS: Final = 30
SHRINKING: Final = "hypothesis.internal.conjecture.engine.MAX_SHRINKING_SECONDS"
SHRINKING_SECONDS: Final = 20
"""How long Hypothesis may look for a shorter sequence: its own five minutes are longer than most tests may take."""


class Abandoned(Exception):  # noqa: N818  nothing is wrong
    """The transaction is not wanted any more."""


@contextmanager
def perhaps_undone(transaction: AbstractContextManager[Any], *, fails: bool) -> Iterator[None]:
    """Do something in a transaction, and undo it if it `fails`."""
    with suppress(Abandoned), transaction:
        yield
        if fails:
            raise Abandoned


class Comparison(RuleBasedStateMachine):
    """Makes the same calls to a backend and to one in memory, and holds their answers against each other."""

    def __init__(self, backend: Backend, suspects: list[Call]) -> None:
        """Begin with nothing on either side; `backend` must be empty.

        Once a question of the survey was answered differently, only that one is asked (it is kept in `suspects`), so
        that the shortest sequence is found quickly.
        """
        super().__init__()
        self.suspects = suspects
        self.pair = (backend, MemoryBackend())
        self.archives = (MemoryBackend(), MemoryBackend())
        self.agree = True

    @initialize(calls=beginnings)
    def begin(self, calls: list[Call]) -> None:
        """Store something to begin with."""
        for call in calls:
            self._compare(call)

    @rule(call=saves)
    def save(self, call: Call) -> None:
        """Store a session, a run or an artifact."""
        self._compare(call)

    @rule(call=appends)
    def append(self, call: Call) -> None:
        """Append events."""
        self._compare(call)

    @rule(call=removals)
    def remove(self, call: Call) -> None:
        """Take something away, or put it back."""
        self._compare(call)

    @rule(calls=st.lists(of_the_store, min_size=1, max_size=3))
    def read(self, calls: list[Call]) -> None:
        """Ask for something by its id."""
        for call in calls:
            self._compare(call)

    @rule(calls=st.lists(searches, min_size=1, max_size=3))
    def search(self, calls: list[Call]) -> None:
        """Go through the pages of searches."""
        for call in calls:
            self._compare(call)

    @rule(call=totals)
    def add_up(self, call: Call) -> None:
        """Ask for a total, an export or an artifact."""
        self._compare(call)

    @rule(calls=on_records)
    def keep(self, calls: list[Call]) -> None:
        """Change and read records of state."""
        for call in calls:
            self._compare(call)

    @rule(call=cleanings)
    def clean(self, call: Call) -> None:
        """Apply a policy of retention."""
        self._compare(call)

    @precondition(lambda self: Capability.TRANSACTIONS in self.pair[0].capabilities)
    @rule(
        calls=st.lists(appends | saves | removals | of_the_store | keepings, max_size=3),
        inner=st.lists(appends | saves | cleanings | keepings, max_size=2),
        inner_fails=st.booleans(),
        outer_fails=st.booleans(),
    )
    def transact(self, calls: list[Call], inner: list[Call], *, inner_fails: bool, outer_fails: bool) -> None:
        """Do several things in a transaction, some of them in an inner one, and commit or undo each."""

        def answers(side: int) -> list[object]:
            given: list[object] = []
            with perhaps_undone(self.pair[side].transaction(), fails=outer_fails):
                given += [self._answer(side, call) for call in calls]
                with perhaps_undone(self.pair[side].transaction(), fails=inner_fails):
                    given += [self._answer(side, call) for call in inner]
                given += [self._answer(side, call) for call in calls]
            return given

        self._agree_on("the transaction", answers(0), answers(1))

    def teardown(self) -> None:
        """Ask every question of what is stored in the end, compare the archives, and remove it all."""
        try:
            if self.agree:
                for call in tuple(self.suspects) or survey():
                    found, expected = self._answer(0, call), self._answer(1, call)
                    self.suspects += [call] if found != expected and not self.suspects else []
                    self._agree_on(repr(call), found, expected)
                self._agree_on("the archive in the end", dump(self.archives[0]), dump(self.archives[1]))
        finally:
            empty(self.pair[0])

    def _compare(self, call: Call) -> None:
        self._agree_on(repr(call), self._answer(0, call), self._answer(1, call))

    def _answer(self, side: int, call: Call) -> object:
        if Capability.GLOBAL_EVENT_IDS not in self.pair[0].capabilities:
            call = within_sessions(call)
        return answer(self.pair[side], self.archives[side].session_store, call)

    def _agree_on(self, what: str, found: object, expected: object) -> None:
        self.agree = self.agree and found == expected
        assert found == expected, f"{self.pair[0].name} and memory answer differently: {what}"


def compare(backend: Backend, sequences: int) -> None:
    """Try random sequences of calls on an empty backend; fail with the shortest one that differs."""
    examples = os.environ.get(EXAMPLES)
    chosen = settings(
        max_examples=int(examples or sequences),
        stateful_step_count=STEPS,
        derandomize=examples is None,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    machine: Any = partial(Comparison, backend, [])
    with patch(SHRINKING, SHRINKING_SECONDS):
        run_state_machine_as_test(machine, settings=chosen)


class StateMachineContract(Contract):
    """For the same calls a backend answers as the one in memory does, the order of ties included."""

    @pytest.mark.guarantee("G10")
    def test_a_backend_answers_as_the_one_in_memory(self, backend: Backend, soak: int) -> None:
        """Check the last call of the sequence that is shown: it is the shortest that Hypothesis found."""
        compare(backend, SEQUENCES * soak)
