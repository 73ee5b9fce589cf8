"""The types of the ports for asyncio are those of the synchronous ports."""

from __future__ import annotations

import inspect

import pytest
import stub

import asm_core as asm

PORTS = {
    asm.SessionStore: asm.aio.SessionStore,
    asm.QueryAPI: asm.aio.QueryAPI,
    asm.Maintenance: asm.aio.Maintenance,
    asm.ArtifactRegistry: asm.aio.ArtifactRegistry,
    asm.StateStore: asm.aio.StateStore,
    asm.Artifacts: asm.aio.Artifacts,
}


def test_stub_is_current() -> None:
    assert stub.STUB.read_text("utf-8") == stub.stub(), "The ports have changed. Run `nox -s stubs`."


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.__name__)
def test_every_method_is_awaited_and_has_the_same_signature(port: type) -> None:
    for name, function in inspect.getmembers(port, inspect.isfunction):
        if name.startswith("_"):
            continue
        awaited = getattr(PORTS[port], name)
        assert inspect.signature(awaited) == inspect.signature(function)
        assert inspect.getdoc(awaited) == inspect.getdoc(function)
        assert inspect.iscoroutinefunction(awaited) == (name != "follow_events")
