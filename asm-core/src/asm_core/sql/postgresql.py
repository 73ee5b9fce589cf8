"""PostgreSQL, whatever the ORM: the append in one statement, and who waits for whom."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from asm_core.sql.append_postgresql import append_events, restore_events
from asm_core.sql.database import C, Database
from asm_core.sql.dialects import Dialect
from asm_core.sql.listening import Listener
from asm_core.sql.options import check_flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from asm_core.models import Event
    from asm_core.sql.dialects import Execute

_KEPT: Final = "asm_cursor"
_BATCHES: Final = "SELECT pg_advisory_xact_lock(72379734, hashtext('asm_sessions'::regclass::oid::text))"
"""One batch of maintenance at a time in these tables; the first number is this project's own."""


class PostgreSQL(Database[C]):
    """PostgreSQL, whose row locks let many write at once."""

    def __init__(self, *, schema: str | None = None, notify: bool = False) -> None:
        """Begin without a connection; with `notify`, tell of appends, and listen while somebody waits for them."""
        super().__init__(Dialect.POSTGRESQL, schema=schema)
        self._notify = check_flag("notify", notify)
        self._listeners: list[Listener] = []

    @contextmanager
    def batch(self) -> Iterator[C]:
        """Give a connection to write with, in one transaction, while nobody else is in such a batch."""
        with self.write() as connection:
            connection.execute_sql(_BATCHES)
            yield connection

    def append(self, events: list[Event]) -> list[Event]:
        """Append events: one statement, committed by itself where no transaction is open."""
        statement = self._execute_alone if self._current() is None else self._execute_together
        self._check_begun_here()
        return append_events(statement, self._execute_together, events, notify=self._notify)

    def restore(self, session_id: str, events: list[Event], last_sequence: int) -> int:
        """Store events with the numbers they bear, inside a transaction; return how many were new."""
        with self._execute_together() as execute:
            return restore_events(execute, session_id, events, last_sequence, notify=self._notify)

    def change_token(self) -> object:
        """Return None: there is no question cheaper than the counters themselves."""
        return None

    def listening(self, tell: Callable[[str | None], None], /) -> AbstractContextManager[object]:
        """Return a context in which appends of other processes are told of, if that was asked for."""
        self._current()
        return self._listener(tell) if self._notify else nullcontext()

    def close(self) -> None:
        """Close what was opened to listen; an adapter closes the rest of what the backend opened itself."""
        self._closed = True
        for listener in self._listeners.copy():
            listener.end()

    @abstractmethod
    def _connect_alone(self) -> Any:
        """Return a new connection of the driver's, psycopg 3 or psycopg2, which no pool counts or closes."""

    def after_fork(self) -> None:
        """Let go of what is the parent's."""
        super().after_fork()
        self._listeners = []

    @contextmanager
    def _listener(self, tell: Callable[[str | None], None]) -> Iterator[None]:
        listener = Listener(self._connect_alone, tell)
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
            listener.end()

    @contextmanager
    def _execute_alone(self) -> Iterator[Execute]:
        with self._translated, self._reading() as connection:
            yield connection.execute_kept

    @contextmanager
    def _execute_together(self) -> Iterator[Execute]:
        with self.write() as connection:
            yield connection.execute_sql


def give_text(driver: Any, text_loader: type) -> None:
    """Have a connection of psycopg 3 give as text what core's codec decodes: JSON, without loss, and times, faster.

    Args:
        driver: a new connection.
        text_loader: ``psycopg.types.string.TextLoader``; core knows no driver.
    """
    # Where the server writes times in a way of its own, the driver knows it.
    times = ("timestamp",) if driver.info.parameter_status("DateStyle").startswith("ISO") else ()
    for kind in ("json", "jsonb", *times):
        driver.adapters.register_loader(kind, text_loader)


def kept_cursor(driver: Any) -> Any:
    """Return a cursor that is kept with a connection: one of psycopg 3 takes a fifth of an append to warm up."""
    try:
        kept = driver.__dict__
    except AttributeError:
        return driver.cursor()  # of psycopg2, where it costs nothing
    cursor = kept.get(_KEPT)
    if cursor is None:
        cursor = kept[_KEPT] = driver.cursor()
    return cursor
