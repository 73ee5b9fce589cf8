"""Ports with a span for each call."""

from __future__ import annotations

from functools import wraps
from inspect import ismethod, signature
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.trace import SpanKind

from asm_core.concurrency.contexts import contextmanager
from asm_core.tracing.attributes import CONVERSATION, record_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from opentelemetry.trace import Tracer

_SESSION_OF: Final[Mapping[str, Callable[[Any], Any]]] = {
    "session_id": lambda given: given,
    "session": lambda session: session.id,
    "run": lambda run: run.session_id,
    "event": lambda event: event.session_id,
    "artifact": lambda artifact: artifact.session_id,
    "result": lambda result: result.session.id,
}
"""The session of a call, from its first argument, by the name of that."""


class _Traced:
    """An object in front of another one, which `isinstance` takes for that one.

    Attributes:
        untraced: the other one.
    """

    def __init__(self, untraced: Any, tracer: Tracer, system: str) -> None:
        self.untraced = untraced
        self._tracer = tracer
        self._system = system

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self.untraced)

    def __repr__(self) -> str:
        return f"<traced {self.untraced!r}>"

    def __getattr__(self, name: str) -> Any:
        if name == "untraced":  # a copy that is being made has none yet
            raise AttributeError(name)
        return getattr(self.untraced, name)


class TracedPort(_Traced):
    """A port with a span for each call of a public method, except iterators, whose calls may last for hours."""

    group_commit = None
    """`asm_core.aio` calls `append_events`, which commits together what threads append at once."""

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the port; a method with its span."""
        found = super().__getattr__(name)
        if name.startswith("_") or not ismethod(found) or _returns_iterator(found):
            return found
        traced = self._spanned(name, found)
        vars(self)[name] = traced
        return traced

    def _spanned(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        first = next(iter(signature(method).parameters), "")
        fixed = {"db.system.name": self._system, "db.operation.name": name}
        start = self._tracer.start_as_current_span

        @wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = args[0] if args else kwargs.get(first)
            about = {**fixed, **_about(first, given)}
            with start(
                name, kind=SpanKind.CLIENT, attributes=about, record_exception=False, set_status_on_exception=False
            ) as span:
                try:
                    found = method(*args, **kwargs)
                except BaseException as error:
                    record_error(span, error)
                    raise
                if isinstance(found, list):
                    span.set_attribute("db.response.returned_rows", len(found))
                return found

        return call


class TracedPorts(_Traced):
    """A backend, or the ports of a transaction, with traced ports."""

    def __init__(self, untraced: Any, tracer: Tracer, system: str) -> None:
        super().__init__(untraced, tracer, system)
        self.session_store = TracedPort(untraced.session_store, tracer, system)
        self.query_api = TracedPort(untraced.query_api, tracer, system)
        self.maintenance = TracedPort(untraced.maintenance, tracer, system)
        self.artifact_registry = TracedPort(untraced.artifact_registry, tracer, system)
        self.state_store = TracedPort(untraced.state_store, tracer, system)

    @contextmanager
    def transaction(self) -> Iterator[TracedPorts]:
        """Yield the ports of a transaction, traced."""
        with self.untraced.transaction() as ports:
            yield TracedPorts(ports, self._tracer, self._system)

    @contextmanager
    def bind(self, connection: Any) -> Iterator[TracedPorts]:
        """Yield the ports of the caller's transaction, traced."""
        with self.untraced.bind(connection) as ports:
            yield TracedPorts(ports, self._tracer, self._system)

    def __enter__(self) -> Self:
        """Return the backend."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the backend."""
        self.untraced.close()


def _about(name: str, given: Any) -> dict[str, Any]:
    """Return the attributes of a call from its first argument, which is not checked yet."""
    if name == "events" and isinstance(given, list | tuple):
        return {"db.operation.batch.size": len(given)} if len(given) > 1 else {}
    try:
        session_id = _SESSION_OF[name](given)
    except (AttributeError, KeyError):
        return {}
    return {CONVERSATION: session_id} if isinstance(session_id, str) else {}


def _returns_iterator(method: Any) -> bool:
    return str(method.__annotations__.get("return")).startswith("Iterator[")
