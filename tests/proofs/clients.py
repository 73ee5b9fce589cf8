"""Clients that make calls while the database stops and starts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import asm_core as asm
from asm_contract_tests.together import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable


class Client(threading.Thread):
    """Makes calls, one after the other, each until it was answered; only a retryable error is taken for an answer."""

    def __init__(self, work: Callable[[], Callable[[], Any]]) -> None:
        """Repeat the calls that `work` returns."""
        super().__init__()
        self._work = work
        self._changed = threading.Condition()
        self._ending = False
        self.acknowledged: list[Any] = []
        self.failures: list[asm.AsmError] = []
        self.fault: Exception | None = None

    def run(self) -> None:
        """Work until the end, or until something happens that should not."""
        try:
            while not self._ending:
                call = self._work()
                while not self._answered(call):
                    pass
        except Exception as error:  # noqa: BLE001  looked at by the test
            self.fault = error
        with self._changed:
            self._changed.notify_all()

    def _answered(self, call: Callable[[], Any]) -> bool:
        try:
            answer = call()
        except asm.StorageConnectionError as error:
            with self._changed:
                self.failures.append(error)
                self._changed.notify_all()
                self._changed.wait(0.002)
            return False
        with self._changed:
            self.acknowledged.append(answer)
            self._changed.notify_all()
        return True

    def wait_for_one_more(self, of: list[Any]) -> None:
        """Wait until it has one more of its answers or failures."""
        seen = len(of)
        with self._changed:
            assert self._changed.wait_for(lambda: len(of) > seen or self.fault is not None, PATIENCE)

    def end(self) -> None:
        """Let it end, and raise what should not have happened."""
        self._ending = True
        self.join(PATIENCE)
        if self.fault is not None:
            raise self.fault
