"""What the tests of the manager have in place of an agent and of a database."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from asm_core import Event, Provider, ProviderResult, SessionStore, StorageConnectionError
from asm_core.ports import ArtifactRegistry, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from asm_core import Emit, Run, Session

    Script = Callable[["ScriptedProvider", Run, Session, Emit], object]

ENOUGH = 30.0
"""Seconds after which something that ought to happen counts as not happening."""


class ScriptedProvider(Provider):
    """Does what a function says. A run may wait for `cancelled`."""

    name = "scripted"

    def __init__(self, script: Script = lambda *_: None) -> None:
        self._script = script
        self.cancelled = threading.Event()
        self.started = threading.Event()

    def execute(self, run: Run, session: Session, emit: Emit) -> ProviderResult:
        self.started.set()
        result = self._script(self, run, session, emit)
        return ProviderResult(output={"done": True}) if result is None else result

    def cancel(self, run_id: str) -> None:  # noqa: ARG002  the port's signature
        self.cancelled.set()

    def wait_for_cancel(self) -> None:
        assert self.cancelled.wait(ENOUGH), "nobody cancelled the run"


def says(*texts: str) -> Script:
    """Return a script that streams these texts."""

    def script(_provider: ScriptedProvider, _run: Run, _session: Session, emit: Emit) -> None:
        for text in texts:
            emit("message_streamed", {"text": text})

    return script


def waits(provider: ScriptedProvider, _run: Run, _session: Session, _emit: Emit) -> None:
    """Do nothing until the run is cancelled."""
    provider.wait_for_cancel()


def _delegating(name: str) -> Any:
    def primitive(self: Any, *args: Any) -> Any:
        self.hook(name, *args)
        return getattr(self.inner, name)(*args)

    return primitive


def _hooked(port: type) -> type:
    """Return a class that calls a hook before each primitive of another object of this kind."""

    def build(self: Any, inner: Any, hook: Callable[..., None]) -> None:
        self.inner, self.hook = inner, hook
        if port is SessionStore:
            port.__init__(self, HookedReader(inner.reader, hook))

    primitives = {name: _delegating(name) for name in port.__abstractmethods__}
    return type(f"Hooked{port.__name__}", (port,), {"__init__": build, **primitives})


HookedReader: Any = _hooked(Reader)
HookedRegistry: Any = _hooked(ArtifactRegistry)
HookedStore: Any = _hooked(SessionStore)
"""A store that calls a hook with the name and the arguments of each primitive before another store does the work."""


class Outage:
    """A hook: from the first append of an event with this text on, the store fails `times` times (or always)."""

    def __init__(self, text: str, times: float, error: BaseException | None = None) -> None:
        self.text = text
        self.left = times
        self.began = False
        self.error = error or StorageConnectionError("The database is away.")

    def __call__(self, name: str, *args: Any) -> None:
        if name == "_append" and any(shown(event) == self.text for event in args[0]):
            self.began = True
        if self.began and self.left > 0:
            self.left -= 1
            raise self.error


def types(events: Any) -> list[str]:
    return [str(event.type) for event in events]


def texts(events: Any) -> list[str]:
    return [shown(event) for event in events if event.type == "message_streamed"]


def shown(event: Event) -> str:
    """Return the text of an event; of a line of output without its newline."""
    text: str = event.data.get("text", event.data.get("delta", ""))
    return text.removesuffix("\n")


def only_session(store: SessionStore) -> Session:
    (session,) = store.list_sessions()
    return session


def log(store: SessionStore) -> list[Event]:
    """Return the events of the only session."""
    return store.get_events(only_session(store).id)
