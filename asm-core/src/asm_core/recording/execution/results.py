"""The result of a run for its caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from asm_core.models import Event, TokenUsage
from asm_core.values.payloads import Payload

if TYPE_CHECKING:
    from asm_core.models import Run, StoredEvent
    from asm_core.ports import ProviderResult, SessionStore

_PAGE: Final = 200


class RecordedEvents(Iterable[Event]):
    """The events of a session or of one of its runs, read from the store page by page at each iteration."""

    def __init__(self, session_store: SessionStore, session_id: str, run_id: str | None = None) -> None:
        """Refer to the events of a session; with `run_id`, only to those of this run."""
        self._store = session_store
        self._session_id = session_id
        self._run_id = run_id

    def __iter__(self) -> Iterator[StoredEvent]:
        """Yield the events in the order of their numbers.

        Raises:
            LogSetBackError: the log lost events that were already yielded.
        """
        after: int | Event = 0
        while page := self._store.get_events(self._session_id, run_id=self._run_id, after=after, limit=_PAGE):
            yield from page
            after = page[-1]

    def __repr__(self) -> str:
        """Return the id of the session or run."""
        return f"<RecordedEvents of {self._run_id or self._session_id}>"


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run, and its records.

    Attributes:
        output: the output of the run.
        token_usage: the token usage of the run.
        events: the recorded events, read from the store at each iteration.
        session_id: the session of the run.
        run_id: the run.
    """

    output: Payload
    token_usage: TokenUsage
    events: RecordedEvents
    session_id: str
    run_id: str


def result_of(
    run: Run, result: ProviderResult, usage: TokenUsage, session_store: SessionStore, *, whole_session: bool
) -> RunResult:
    """Build the result of a run; its events are those of the run, or with `whole_session` those of the session."""
    return RunResult(
        output=result.output,
        token_usage=usage,
        events=RecordedEvents(session_store, run.session_id, None if whole_session else run.id),
        session_id=run.session_id,
        run_id=run.id,
    )
