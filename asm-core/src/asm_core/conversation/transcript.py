"""A session as the messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, overload

from asm_core.conversation.folding import Folding
from asm_core.conversation.resolving import Resolver
from asm_core.conversation.trimming import estimated_tokens, trimmed
from asm_core.models.base import check_natural

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core.conversation.messages import Message
    from asm_core.conversation.references import Contents
    from asm_core.models import Event, StoredEvent

_PAGE: Final = 500


class Log(Protocol):
    """A store of events: `asm_core.SessionStore`."""

    def get_events(
        self, session_id: str, *, run_id: str | None, after: int | Event | None, limit: int | None
    ) -> list[StoredEvent]:
        """Return the events of a session in the order of their numbers."""


class View:
    """The size of a transcript, and where it finds the values that are stored as artifacts.

    Raises:
        ValidationError: a limit is no natural number.
    """

    def __init__(
        self,
        max_messages: int | None,
        max_tokens: int | None,
        count_tokens: Callable[[Message], int] | None,
        artifacts: Contents | None,
    ) -> None:
        self._max_messages = None if max_messages is None else check_natural("max_messages", max_messages)
        self._max_tokens = None if max_tokens is None else check_natural("max_tokens", max_tokens)
        self._count_tokens = estimated_tokens if count_tokens is None else count_tokens
        self._resolver = Resolver(artifacts)

    def apply(self, messages: list[Message]) -> list[Message]:
        """Return the newest messages within the limits. The artifacts of older ones are not read."""
        resolved: dict[int, Message] = {}

        def resolve(message: Message) -> Message:
            if id(message) not in resolved:
                resolved[id(message)] = self._resolver.message(message)
            return resolved[id(message)]

        kept = trimmed(
            messages,
            max_messages=self._max_messages,
            max_tokens=self._max_tokens,
            count_tokens=lambda message: self._count_tokens(resolve(message)),
        )
        return [resolve(message) for message in kept]


class Transcript(Sequence["Message"]):
    """The messages of a session up to a number of its log: an immutable sequence of `Message`.

    Attributes:
        session_id: the session.
        messages: the messages, oldest first.
        last_sequence: the number of the last event that was read; 0 if there was none.
    """

    __slots__ = ("_folding", "_last", "_run_id", "_view", "last_sequence", "messages", "session_id")

    def __init__(
        self, session_id: str, run_id: str | None, view: View, folding: Folding, last: int | StoredEvent
    ) -> None:
        self.session_id = session_id
        self.messages: tuple[Message, ...] = tuple(view.apply(folding.finished()))
        self.last_sequence: int = last if isinstance(last, int) else last.sequence_number
        self._run_id = run_id
        self._view = view
        self._folding = folding
        self._last = last

    def update(self, store: Log) -> Transcript:
        """Return the transcript with the events that were appended since; only these are read.

        Raises:
            SessionNotFoundError: the session does not exist.
            LogSetBackError: the log no longer contains the last event that was read.
        """
        return _read(
            store, self.session_id, self._run_id, view=self._view, folding=self._folding.copied(), last=self._last
        )

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Any:
        """Return one message, or several."""
        return self.messages[index]

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        """Yield the messages, oldest first."""
        return iter(self.messages)

    def __repr__(self) -> str:
        """Return the session, the number of messages and the number of the last event."""
        return f"<Transcript of {self.session_id}: {len(self)} messages up to event {self.last_sequence}>"


def read_messages(
    store: Log,
    session_id: str,
    *,
    max_messages: int | None = None,
    max_tokens: int | None = None,
    after: int | Event | None = None,
    run_id: str | None = None,
    count_tokens: Callable[[Message], int] | None = None,
    artifacts: Contents | None = None,
) -> Transcript:
    """Return the log of a session as messages of a conversation.

    Streamed deltas are joined, and void once the message that they belong to is complete. A call of a tool is followed
    by its result; a call without one gets a result that says so. An interrupted run ends with what it has streamed.

    Args:
        store: the session store.
        session_id: the session.
        max_messages: the largest number of messages; the oldest are dropped, except system messages at the beginning,
            and never a call of a tool without its results.
        max_tokens: the largest number of tokens, by the same rule.
        after: only events after this number, or after this event.
        run_id: only events of this run.
        count_tokens: counts the tokens of a message. None: a quarter of the bytes of its content as JSON.
        artifacts: where a manager has put large values of messages. Without it, and where an artifact no longer exists,
            a text with size, type and key stands for the value; the input of a tool keeps the reference.

    Raises:
        SessionNotFoundError: the session does not exist.
        LogSetBackError: `after` is an event that the log no longer contains.
        ValidationError: a limit is no natural number.
        StorageError: an artifact cannot be read, or is not what was stored.
    """
    view = View(max_messages, max_tokens, count_tokens, artifacts)
    return _read(store, session_id, run_id, view=view, folding=Folding(), last=0 if after is None else after)


def _read(store: Log, session_id: str, run_id: str | None, *, view: View, folding: Folding, last: Any) -> Transcript:
    while events := store.get_events(session_id, run_id=run_id, after=last, limit=_PAGE):
        folding.take(events)
        last = events[-1]
    return Transcript(session_id, run_id, view, folding, last)
