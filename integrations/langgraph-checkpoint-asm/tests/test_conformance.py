"""The conformance suite of LangGraph's checkpointers, on each database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from langgraph.checkpoint.conformance import checkpointer_test, validate

from langgraph_checkpoint_asm import AsmSaver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asm_core


def test_the_saver_passes_the_whole_suite(backend: asm_core.Backend) -> None:
    @checkpointer_test(name="AsmSaver")
    async def saver() -> AsyncIterator[AsmSaver]:
        yield AsmSaver(backend)

    report = asyncio.run(validate(saver))
    assert {name: (found.passed, found.failures) for name, found in report.results.items()} == {
        name: (True, [])
        for name in (
            "put",
            "put_writes",
            "get_tuple",
            "list",
            "delete_thread",
            "delete_for_runs",
            "copy_thread",
            "prune",
        )
    }
