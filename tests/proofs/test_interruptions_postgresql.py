"""On PostgreSQL an exception of a signal handler at any instant leaves no place taken and no transaction half done."""

from __future__ import annotations

import gc
import random
import signal
from contextlib import suppress
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import pytest
from calls import fill
from tests.interrupting import Interruption, interrupt_at_calls, interrupt_everywhere

import asm_core as asm
from asm_contract_tests.making import an_event, some_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A connection that was just opened when the exception came is closed by the garbage collector; the driver warns of it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

PREPARED = "asm_backend_pony.prepared"
ONE_PLACE = {"pool_size": 1, "pool_timeout": 10, "prepare_threshold": 1}
STEP = 181
"""Of so many bytecodes one is interrupted, unless there is a soak."""


@pytest.fixture
def database() -> str:
    return "postgresql"


@pytest.fixture(autouse=True)
def _no_garbage() -> Iterator[None]:
    """Leave no connection to the collector: the server has few, and the driver would warn in another test."""
    yield
    gc.collect()


@pytest.fixture
def one_place(open_backend: Callable[..., asm.Backend]) -> Iterator[asm.Backend]:
    """Open the store with one connection, which each call needs."""
    with open_backend(**ONE_PLACE) as opened:
        fill(opened)
        yield opened


def in_a_transaction(backend: asm.Backend) -> None:
    with backend.transaction():
        backend.session_store.append_event(an_event("s"))
        backend.session_store.append_events(some_events("s", 2))


WORK: dict[str, Callable[[asm.Backend], Any]] = {
    "append_event": lambda backend: backend.session_store.append_event(an_event("s")),
    "append_events": lambda backend: backend.session_store.append_events(some_events("s", 2)),
    "get_events": lambda backend: backend.session_store.get_events("s", after=3),
    "transaction": in_a_transaction,
}


@pytest.fixture
def check(one_place: asm.Backend, backend: asm.Backend) -> Callable[[], None]:
    """Return what checks that the next calls work, and that another handle sees what they wrote."""
    head = one_place.session_store.get_latest_sequence("s")

    def go_on() -> None:
        nonlocal head
        event = one_place.session_store.append_event(an_event("s"))
        assert one_place.session_store.get_events("s", after=event.sequence_number - 1) == [event]
        assert backend.session_store.get_latest_sequence("s") == event.sequence_number > head
        head = event.sequence_number

    return go_on


@pytest.fixture(params=["asm_core", "asm_backend"])
def module(request: pytest.FixtureRequest, backend_name: str) -> str:
    """Return the package whose bytecodes are interrupted."""
    return "asm_core" if request.param == "asm_core" else f"asm_backend_{backend_name}"


@pytest.mark.parametrize("name", WORK)
def test_interrupted_call_leaves_the_place_free_and_the_connection_whole(
    one_place: asm.Backend, check: Callable[[], None], module: str, name: str, soak: int
) -> None:
    instants = 0
    step = max(1, (STEP if module == "asm_core" else STEP // 10) // soak)
    for _ in interrupt_everywhere(lambda: WORK[name](one_place), module=module, step=step):
        check()
        instants += 1
    assert instants > 0
    assert one_place.maintenance.health_check() == []


def test_interruption_whose_error_is_kept_leaves_the_place_free(
    one_place: asm.Backend, check: Callable[[], None], soak: int
) -> None:
    errors = []
    step = max(1, STEP // 5 // soak)
    for error in interrupt_at_calls(lambda: in_a_transaction(one_place), module="asm_core", step=step):
        check()
        errors.append(error)
    assert len(errors) > 10


@pytest.mark.parametrize("backend_name", ["pony"])  # for the others psycopg 3 prepares
def test_interruption_between_prepare_and_its_note_leaves_no_statement_of_that_name(
    backend: asm.Backend, open_backend: Callable[..., asm.Backend]
) -> None:
    fill(backend)

    def prepare(store: asm.SessionStore) -> None:
        for _ in range(3):
            store.append_event(an_event("s"))

    for instant in count():
        with open_backend(**ONE_PLACE) as fresh:
            store = fresh.session_store
            was_interrupted = any(
                True for _ in islice(interrupt_everywhere(partial(prepare, store), module=PREPARED, first=instant), 1)
            )
            prepare(store)
        if not was_interrupted:
            break
    assert instant > 100


def test_error_of_the_application_keeps_the_connection(one_place: asm.Backend) -> None:
    def process() -> int:
        with one_place._database.read() as connection:  # type: ignore[attr-defined]
            return int(connection.execute_sql("SELECT pg_backend_pid()").fetchall()[0][0])

    def fail() -> None:
        with one_place.transaction():
            in_a_transaction(one_place)
            raise KeyError

    before = process()
    with pytest.raises(KeyError):
        fail()
    assert process() == before
    assert one_place.session_store.get_latest_sequence("s") == 5


@pytest.mark.parametrize("kind", [Interruption, TimeoutError])
def test_signals_at_random_instants_lose_no_place_and_no_acknowledged_event(
    open_backend: Callable[..., asm.Backend], backend: asm.Backend, kind: type[BaseException], soak: int
) -> None:
    def interrupt(*_: object) -> None:
        raise kind

    acknowledged = []
    before = signal.signal(signal.SIGALRM, interrupt)
    with open_backend(**ONE_PLACE) as interrupted:
        fill(interrupted)
        try:
            for attempt in range(150 * soak):
                if attempt % 10 == 0:
                    gc.collect()  # connections that were just opened when the exception came
                event = an_event("s")
                with suppress(kind, asm.StorageError):  # psycopg makes errors of its own of some
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 4e-3))  # noqa: S311
                    interrupted.session_store.append_event(event)
                    in_a_transaction(interrupted)
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    acknowledged.append(event)
                signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        acknowledged.append(interrupted.session_store.append_event(an_event("s")))
    stored = {event.id for event in backend.session_store.get_events("s")}
    assert {event.id for event in acknowledged} <= stored
    assert backend.maintenance.health_check() == []
