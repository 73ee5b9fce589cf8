"""Calls for backends whose event ids are unique in a session only."""

from __future__ import annotations

from typing import Any

from asm_contract_tests.making import changed
from asm_contract_tests.rules.machine.calls import SESSION_IDS, Call
from asm_core import ExecutionResult


def within_sessions(call: Call) -> Call:
    """Return a call whose event ids are those of a session: no two sessions use the same ones."""
    arguments = dict(call.arguments)
    for name in ("event", "events", "result"):
        if name in arguments:
            arguments[name] = _with_own_ids(arguments[name])
    session_id = arguments.get("session_id")
    if "event_id" in arguments:
        session_id = arguments.setdefault("session_id", SESSION_IDS[0])
        arguments["event_id"] = f"{session_id} {arguments['event_id']}"
    if "ids" in arguments:
        arguments["ids"] = [f"{session_id} {one}" for one in arguments["ids"]]
    return Call(call.port, call.method, arguments)


def _with_own_ids(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_with_own_ids(one) for one in value]
    if isinstance(value, ExecutionResult):
        return changed(value, events=_with_own_ids(value.events))
    return changed(value, id=f"{value.session_id} {value.id}")
