"""Raising an exception at each instant of some work, as a signal handler might."""

from __future__ import annotations

import dis
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType, FrameType


_BEGINNINGS = {"COPY_FREE_VARS", "MAKE_CELL", "RETURN_GENERATOR", "RESUME"}
_CALLS = {"CALL", "CALL_KW", "CALL_FUNCTION_EX"}
_SPARED = {"asm_core.values.ids"}
"""Modules that hold a lock of the process in a ``with``: CPython calls no handler between its body and the release."""


class Interruption(BaseException):
    """What is raised in the middle of the work."""


def interrupt_everywhere(
    work: Callable[[], object], *, module: str, first: int = 0, step: int = 1
) -> Iterator[BaseException | None]:
    """Do `work` again and again, interrupted before each bytecode of functions of `module`; nothing keeps the error.

    It ends when the work ends before its turn to be interrupted comes.

    Args:
        work: what to do.
        module: the name of a module or package.
        first: how many bytecodes are left alone.
        step: which ones are interrupted: each, each second, and so on.
    """
    while _interrupted(work, _Interrupter(module, first)) is not None:
        yield None
        first += step


def interrupt_at_calls(work: Callable[[], object], *, module: str, step: int = 1) -> Iterator[BaseException]:
    """Do as `interrupt_everywhere`, at the instants where CPython calls signal handlers; give the error to keep."""
    first = 0
    while (error := _interrupted(work, _AtCalls(module, first))) is not None:
        yield error
        first += step


class _Interrupter:
    """Raises at the bytecode of a number."""

    def __init__(self, module: str, left: int) -> None:
        self._module = module
        self._left = left

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            name = frame.f_globals.get("__name__", "")
            if name in _SPARED or (name != self._module and not name.startswith(f"{self._module}.")):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if self.is_instant(frame, event):
            self._left -= 1
            if self._left < 0:
                sys.settrace(None)
                raise Interruption
        return self

    def is_instant(self, _frame: FrameType, event: str) -> bool:
        return event == "opcode"


class _AtCalls(_Interrupter):
    """Counts the first bytecode of a function, also one that goes on after ``yield``, and those after a call."""

    def __init__(self, module: str, left: int) -> None:
        super().__init__(module, left)
        self._is_due: dict[int, bool] = {}

    def is_instant(self, frame: FrameType, event: str) -> bool:
        if event == "call":
            self._is_due[id(frame)] = True
        if event != "opcode":
            return False
        name = _names(frame.f_code).get(frame.f_lasti, "")
        was_due = self._is_due.get(id(frame), False)
        self._is_due[id(frame)] = name in _CALLS or (was_due and name in _BEGINNINGS)
        return was_due and name not in _BEGINNINGS


@lru_cache
def _names(code: CodeType) -> dict[int, str]:
    return {instruction.offset: instruction.opname for instruction in dis.get_instructions(code)}


def _interrupted(work: Callable[[], object], trace: _Interrupter) -> BaseException | None:
    sys.settrace(trace)
    try:
        work()
    except Interruption as error:
        return error
    finally:
        sys.settrace(None)
    return None
