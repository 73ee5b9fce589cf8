"""What is odd is refused by an error of this project's, with a reason."""

from __future__ import annotations

import enum
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

import asm_core as asm
from asm_core.event_log.waiting import Watcher
from asm_core.querying.accounting.prices import check_pricing_table
from asm_core.querying.heads import Head
from asm_core.recording.execution.emission.emitter import Emitter
from asm_core.recording.execution.emission.recorder import Recorder
from asm_core.recording.lifecycle.metering import Meter
from asm_core.sql.urls import dialect_of
from asm_core.values.payloads import check_payload

if TYPE_CHECKING:
    from collections.abc import Iterator


class Letter(enum.Enum):
    A = "a"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({Letter.A: 1, "a": 2}, "x has two keys that are 'a' in JSON"),
        ({"deep": [{"a": 1, Letter.A: 2}]}, r"x\.deep\[0\] has two keys that are 'a' in JSON"),
        ({"1": 1, 1: 2}, "x has the key 1. JSON keys are strings"),
        ({"true": 1, True: 2}, "x has the key True. JSON keys are strings"),
        ({"null": 1, None: 2}, "x has the key None. JSON keys are strings"),
        ({"number": 10**5000}, r"x\.number is an integer with too many digits"),
    ],
)
def test_keys_that_json_would_merge_and_numbers_that_it_would_not_take(payload: Any, message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        check_payload("x", payload)


PRICES: list[Any] = [
    1.5,
    True,
    -1,
    float("nan"),
    Decimal(-1),
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("1e999999"),
    Decimal("1e-999999"),
    10**5000,
    "x",
    "1e999999",
    None,
    [],
]
EMITTED: list[tuple[Any, Any]] = [
    ("message_sent", None),
    ("message_sent", 5),
    ("message_sent", [("a", 1)]),
    ("message_sent", "text"),
    ("message_sent", {1: 2}),
    ("message_sent", {"x": object()}),
    (None, {}),
    ([], {}),
    (5, {}),
    ("nonsense", {}),
]


@pytest.mark.parametrize("place", range(len(PRICES)))
def test_a_price_that_cannot_be_is_refused_in_a_dict_and_in_a_token_price(place: int) -> None:
    price = PRICES[place]
    for prices in ({"input": 1, "output": price}, asm.TokenPrice(input=price, output=Decimal(1))):
        with pytest.raises(asm.ValidationError):
            check_pricing_table({"p": {"m": prices}})


def test_prices_may_be_decimals_integers_and_texts() -> None:
    table = check_pricing_table({"p": {"m": {"input": "0.5", "output": 3}}})
    assert table == {"p": {"m": asm.TokenPrice(input=Decimal("0.5"), output=Decimal(3))}}


@pytest.mark.parametrize(("kind", "data"), EMITTED)
def test_what_a_provider_emits_is_checked(kind: Any, data: Any) -> None:
    store = asm.MemoryBackend().session_store
    run = asm.Run.new(session_id=store.save_session(asm.Session.new(agent_id="a")).id)
    recorder = Recorder(store, patience=0, on_stored=lambda _: None, on_failure=lambda _: None)
    with recorder, pytest.raises(asm.ValidationError):
        Emitter(run, recorder, Meter(run), lambda: asm.read_messages(store, run.session_id))(kind, data)


@pytest.fixture
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(_thread: threading.Thread) -> None:
        message = "can't start new thread"
        raise RuntimeError(message)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        yield


class Echo:
    name = "echo"

    def execute(self, _run: asm.Run, _session: asm.Session, _emit: Any) -> asm.ProviderResult:
        return asm.ProviderResult()

    def cancel(self, _run_id: str) -> None:
        """Do nothing."""


def test_a_waiter_that_gets_no_thread_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[list[str]] = []

    def look(session_ids: Any) -> dict[str, Head]:
        looks.append(sorted(session_ids))
        return dict.fromkeys(session_ids, Head(1, "log"))

    watcher = Watcher(look)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda _: _cannot_start())
        with pytest.raises(asm.StorageConnectionError, match="can't start new thread") as caught:
            watcher.wait("refused", (), 5)
        assert caught.value.retryable
    assert watcher.wait("accepted", (), 5) == Head(1, "log")
    assert looks == [["accepted"]]


def _cannot_start() -> None:
    message = "can't start new thread"
    raise RuntimeError(message)


@pytest.mark.usefixtures("_no_threads")
def test_an_execution_without_a_thread_raises() -> None:
    backend = asm.MemoryBackend()
    manager = asm.SessionManager(backend.session_store, Echo())
    session = backend.session_store.save_session(asm.Session.new(agent_id="a"))
    with pytest.raises(asm.StorageConnectionError, match="can't start new thread"):
        manager.run_once(agent_id=session.agent_id, input={})


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "sqlite+aiosqlite:///asm.db",
            "aiosqlite' is for asyncio.*asm_core.aio|aiosqlite is for asyncio.*asm_core.aio",
        ),
        ("postgresql+asyncpg://host/db", "asyncpg is for asyncio.*asm_core.aio"),
        ("postgresql+pg8000://host/db", "names the driver 'pg8000'.*Write postgresql://"),
        ("sqlite+psycopg:///asm.db", "names the driver 'psycopg'.*Write sqlite://"),
        (5, "must be a string"),
    ],
)
@pytest.mark.parametrize("backend", ["sqlmodel", "peewee", "pony"])
def test_an_url_for_asyncio_or_with_another_driver_is_refused(backend: str, url: Any, message: str) -> None:
    with pytest.raises(asm.ValidationError, match=message):
        asm.open_backend(backend, url=url, migrate=True)


def test_the_usual_synchronous_drivers_may_be_named() -> None:
    urls = ["sqlite+pysqlite:///asm.db", "postgresql+psycopg://h/d", "postgresql+psycopg2://h/d"]
    assert [dialect_of(url, backend="any") for url in urls] == ["sqlite", "postgresql", "postgresql"]
