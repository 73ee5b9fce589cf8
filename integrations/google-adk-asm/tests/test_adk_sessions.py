"""The service against the framework's own in memory, and its guarantees."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest
from google.adk.errors import StaleSessionError
from google.adk.errors.already_exists_error import AlreadyExistsError
from google.adk.errors.session_not_found_error import SessionNotFoundError
from google.adk.platform import time as platform_time
from google.adk.sessions import BaseSessionService, InMemorySessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig
from pydantic import BaseModel
from scripted import changing, said

import asm_core
from google_adk_asm import AsmSessionService, shared
from google_adk_asm.keys import name_of

if TYPE_CHECKING:
    from asm_core import Backend

pytestmark = pytest.mark.asyncio
KEY: Any = {"app_name": "app", "user_id": "ada", "session_id": "s"}


@pytest.fixture
def service(backend: Backend) -> AsmSessionService:
    return AsmSessionService(backend)


async def loaded(service: BaseSessionService, **key: str) -> Session:
    session = await service.get_session(**{**KEY, **key})
    assert session is not None
    return session


def texts(session: Session) -> list[str]:
    return [event.content.parts[0].text for event in session.events]  # type: ignore[index, misc, union-attr]


def dumped(outcome: Any) -> Any:
    """Return what can be compared: sessions have the private marker of their service."""
    return outcome.model_dump() if isinstance(outcome, BaseModel) else outcome


class Pair:
    """Does the same with two services, and compares what they return."""

    def __init__(self, ours: BaseSessionService, seed: int) -> None:
        self.services: list[BaseSessionService] = [ours, InMemorySessionService()]
        self.random = random.Random(seed)  # noqa: S311  repeatable
        self.now = 1_700_000_000.0
        self.number = 0
        platform_time.set_time_provider(lambda: self.now)

    def key(self) -> Any:
        choose = self.random.choice
        return {
            "app_name": choose(["a", "b:c"]),
            "user_id": choose(["u", "v%"]),
            "session_id": choose(["1", " 2", "3"]),
        }

    def state(self) -> dict[str, Any]:
        prefixes = ["", "app:", "user:", "temp:"]
        return {
            f"{self.random.choice(prefixes)}k{self.random.randrange(3)}": self.random.choice(
                [None, 1, "x", {"y": [2.5]}]
            )
            for _ in range(self.random.randrange(3))
        }

    async def compare(self, method: str, **arguments: Any) -> list[Any]:
        outcomes: list[Any] = []
        for service in self.services:
            try:
                outcomes.append(await getattr(service, method)(**arguments))
            except AlreadyExistsError as error:
                outcomes.append(str(error))
        assert dumped(outcomes[0]) == dumped(outcomes[1]), (method, arguments)
        return outcomes

    async def append(self) -> None:
        sessions = await self.compare("get_session", **self.key())
        if sessions[0] is None:
            return
        self.number += 1
        for service, session in zip(self.services, sessions, strict=True):
            event = said(self.number, id=str(self.number), timestamp=self.now)
            event.actions.state_delta = dict(self.delta)
            await service.append_event(session, event)
            if self.number % 5 == 0:
                await service.append_event(session, event)
        assert dumped(sessions[0]) == dumped(sessions[1])

    async def step(self) -> None:
        self.now += self.random.choice([0, 0.25, 1.1])
        self.delta = self.state()
        match self.random.randrange(9):
            case 0:
                await self.compare("create_session", **self.key(), state=self.state())
            case 1:
                await self.compare("delete_session", **self.key())
            case 2:
                key = self.key()
                await self.compare("list_sessions", app_name=key["app_name"], user_id=key["user_id"])
            case 3:
                await self.compare("list_sessions", app_name=self.key()["app_name"])
            case 4:
                key = self.key()
                await self.compare("get_user_state", app_name=key["app_name"], user_id=key["user_id"])
            case 5:
                config = GetSessionConfig(
                    num_recent_events=self.random.choice([None, 0, 1, 4]),
                    after_timestamp=self.random.choice([None, self.now - 2.1]),
                )
                await self.compare("get_session", **self.key(), config=config)
            case _:
                await self.append()


@pytest.mark.parametrize("seed", [1, 2])
async def test_service_is_equal_to_the_one_in_memory(service: AsmSessionService, seed: int) -> None:
    pair = Pair(service, seed)
    try:
        for _ in range(300):
            await pair.step()
    finally:
        platform_time.reset_time_provider()
    assert pair.number > 20


async def test_created_sessions_get_an_id_unless_one_is_given(service: AsmSessionService) -> None:
    given = await service.create_session(**KEY)
    made = [await service.create_session(app_name="app", user_id="ada", session_id=name) for name in (None, "", "  ")]
    assert given.id == "s"
    assert len({session.id for session in made}) == 3
    assert all(session.id.strip() for session in made)


@pytest.mark.parametrize("name", ["s", " s "])
async def test_an_id_that_is_in_use_is_refused(service: AsmSessionService, name: str) -> None:
    await service.create_session(**KEY, state={"app:x": 1})
    with pytest.raises(AlreadyExistsError, match="Session with id s already exists"):
        await service.create_session(**{**KEY, "session_id": name}, state={"app:x": 2})
    assert (await loaded(service, session_id=name)).state == {"app:x": 1}


async def test_of_concurrent_creations_one_succeeds(service: AsmSessionService) -> None:
    outcomes = await asyncio.gather(*(service.create_session(**KEY) for _ in range(8)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Session) == 1
    assert [type(outcome) for outcome in outcomes].count(AlreadyExistsError) == 7


async def test_stale_sessions_are_refused_and_change_nothing(service: AsmSessionService) -> None:
    first = await service.create_session(**KEY)
    second = await loaded(service)
    await service.append_event(first, said(1))
    await service.append_event(first, said(2))
    with pytest.raises(StaleSessionError, match="reload"):
        await service.append_event(second, changing(app__x=1, y=1))
    assert second.events == []
    found = await loaded(service)
    assert (texts(found), found.state) == (["text 1", "text 2"], {})
    await service.append_event(found, said(3))
    with pytest.raises(StaleSessionError):
        await service.append_event(first, said(4))


async def test_a_session_that_was_created_again_makes_older_ones_stale(service: AsmSessionService) -> None:
    old = await service.create_session(**KEY)
    await service.delete_session(**KEY)
    with pytest.raises(SessionNotFoundError, match="Session s not found"):
        await service.append_event(old, said(1))
    await service.create_session(**KEY)
    with pytest.raises(StaleSessionError):
        await service.append_event(old, said(1))


async def test_a_session_without_marker_is_judged_by_its_last_event(service: AsmSessionService) -> None:
    session = await service.create_session(**KEY)
    await service.append_event(session, said(1, timestamp=session.last_update_time + 5))

    def rebuilt(**fields: Any) -> Session:
        return Session.model_validate({**session.model_dump(), **fields})

    with pytest.raises(StaleSessionError):
        await service.append_event(rebuilt(events=[], last_update_time=1.0), said(2))
    with pytest.raises(StaleSessionError):
        await service.append_event(rebuilt(events=[said(0)], last_update_time=1.0), said(2))
    same = rebuilt(last_update_time=1.0)
    await service.append_event(same, said(2))
    await service.append_event(same, said(3))
    assert texts(await loaded(service)) == texts(same) == ["text 1", "text 2", "text 3"]


async def test_events_keep_their_order_whatever_their_times(service: AsmSessionService) -> None:
    session = await service.create_session(**KEY)
    for number, time in enumerate([30.0, 10.0, 20.0, 20.0, 10.0]):
        await service.append_event(session, said(number, timestamp=time, id=f"{9 - number}"))
    assert texts(await loaded(service)) == [f"text {number}" for number in range(5)]

    async def texts_of(**fields: Any) -> list[str]:
        found = await service.get_session(**KEY, config=GetSessionConfig(**fields))
        assert found is not None
        return texts(found)

    assert await texts_of(num_recent_events=2) == ["text 3", "text 4"]
    assert await texts_of(after_timestamp=20.0) == ["text 0", "text 2", "text 3"]
    assert await texts_of(after_timestamp=20.0, num_recent_events=2) == ["text 2", "text 3"]
    assert await texts_of(after_timestamp=float("inf")) == []


async def test_recent_events_with_many_parts_are_counted_once(service: AsmSessionService) -> None:
    session = await service.create_session(**KEY)
    for number in range(6):
        event = said(number)
        event.content.parts *= 1 + number  # type: ignore[union-attr, operator]
        event.content.parts += [*_calls(number)]  # type: ignore[union-attr, operator]
        await service.append_event(session, event)
    found = await service.get_session(**KEY, config=GetSessionConfig(num_recent_events=4))
    assert found is not None
    assert found.events == session.events[-4:]


def _calls(number: int) -> list[Any]:
    from google.genai import types  # noqa: PLC0415

    return [types.Part(function_call=types.FunctionCall(id=str(each), name="f", args={})) for each in range(number)]


async def test_nothing_else_is_listed(service: AsmSessionService, backend: Backend) -> None:
    store = backend.session_store
    session = await service.create_session(**KEY, state={"app:x": 1, "user:y": 2, "z": 3})
    await service.append_event(session, said(1))
    await service.create_session(app_name="app2", user_id="ada")
    store.save_session(asm_core.Session.new(agent_id="app", user_id="ada"))
    store.save_session(asm_core.Session.new(agent_id="app", user_id="ada", tags=["adk"], metadata={"adk_state": {}}))
    store.fork_session("adk:app:ada:s")
    deleted = await service.create_session(app_name="app", user_id="ada", session_id="deleted")
    backend.maintenance.soft_delete_session("adk:app:ada:deleted")
    for user_id in (None, "ada"):
        (listed,) = (await service.list_sessions(app_name="app", user_id=user_id)).sessions
        assert (listed.id, listed.events) == ("s", [])
        assert listed.state == {"app:x": 1, "user:y": 2, "z": 3}
    assert await service.get_session(app_name="app", user_id="ada", session_id=deleted.id) is None
    with pytest.raises(SessionNotFoundError):
        await service.append_event(deleted, said(1))
    with pytest.raises(AlreadyExistsError):
        await service.create_session(app_name="app", user_id="ada", session_id="deleted")
    assert len(backend.query_api.search_sessions(limit=50).items) == 5


async def test_a_repeated_event_changes_nothing(service: AsmSessionService, backend: Backend) -> None:
    session = await service.create_session(**KEY)
    event = changing("e", n=1, app__n=1)
    await service.append_event(session, event)
    await service.append_event(session, changing(n=2, app__n=2))
    await service.append_event(await loaded(service), event)
    await service.append_event(session, event)
    assert len(session.events) == 2
    assert (await loaded(service)).state == {"n": 2, "app:n": 2}
    assert backend.session_store.get_latest_sequence("adk:app:ada:s") == 2
    for other in (changing("e", n=3), event.model_copy(update={"timestamp": 1.0})):
        with pytest.raises(AlreadyExistsError, match="Another event with id e"):
            await service.append_event(session, other)


async def test_branches_append_to_one_session_object(service: AsmSessionService) -> None:
    session = await service.create_session(**KEY)
    await asyncio.gather(*(service.append_event(session, said(number)) for number in range(20)))
    assert session.events == (await loaded(service)).events
    assert len(session.events) == 20


async def test_cancelled_appends_are_whole_or_undone(service: AsmSessionService) -> None:
    session = await service.create_session(**KEY)
    for number in range(20):
        task = asyncio.ensure_future(service.append_event(session, changing(str(number), **{f"app__k{number}": 1})))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # The session is not stale: it has what was stored.
    await service.append_event(session, said("last"))
    found = await loaded(service)
    assert [event.id for event in found.events] == [event.id for event in session.events]
    assert found.state == {f"app:k{event.id}": 1 for event in found.events[:-1]}


async def test_a_write_that_fails_leaves_the_session_as_it_was(
    service: AsmSessionService, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await service.create_session(**KEY, state={"n": 0})

    def fail(*_: object) -> None:
        message = "the disk is full"
        raise asm_core.StorageError(message)

    with monkeypatch.context() as patch:
        # The last of what an append stores.
        patch.setattr(shared, "save", fail)
        with pytest.raises(asm_core.StorageError, match="full"):
            await service.append_event(session, changing(n=1, app__n=1))
    assert (session.events, session.state) == ([], {"n": 0})
    assert backend.session_store.get_events("adk:app:ada:s") == []
    assert backend.session_store.list_runs("adk:app:ada:s") == []
    await service.append_event(session, changing(n=2))
    assert (await loaded(service)).state == {"n": 2}


async def test_user_state_outlives_sessions_until_it_is_deleted(service: AsmSessionService, backend: Backend) -> None:
    await service.create_session(**KEY, state={"user:x": 1, "app:y": 2})
    await service.delete_session(**KEY)
    assert await service.get_user_state(app_name="app", user_id="ada") == {"x": 1}
    await service.delete_user_state(app_name="app", user_id="ada")
    await service.delete_user_state(app_name="app", user_id="ada")
    assert await service.get_user_state(app_name="app", user_id="ada") == {}
    backend.state_store.delete_all("adk:app")
    session = await service.create_session(**KEY)
    assert session.state == {}
    await service.append_event(session, changing(app__z=3, user__z=4))
    assert (await loaded(service)).state == {"app:z": 3, "user:z": 4}


@pytest.mark.parametrize("user_id", ["ada", "a:d/a", "\ud800", "é" * 300])
async def test_erasure_of_a_user_removes_sessions_and_state_of_all_apps(
    service: AsmSessionService, backend: Backend, user_id: str
) -> None:
    for app_name in ("app", "other"):
        for name in (user_id, "bob"):
            await service.create_session(app_name=app_name, user_id=name, state={"user:x": 1, "app:y": 2})
    report = backend.maintenance.erase_user(name_of(user_id))
    assert (report.sessions_hard_deleted, report.records_removed) == (2, 2)
    for app_name in ("app", "other"):
        assert await service.get_user_state(app_name=app_name, user_id=user_id) == {}
        (session,) = (await service.list_sessions(app_name=app_name)).sessions
        assert (session.user_id, session.state) == ("bob", {"user:x": 1, "app:y": 2})


async def test_sessions_change_shared_state_at_once(service: AsmSessionService) -> None:
    async def change(number: int) -> None:
        key: Any = {**KEY, "session_id": str(number)}
        session = await service.create_session(**key, state={f"app:a{number}": 1, f"user:a{number}": 2})
        for each in range(3):
            await service.append_event(session, changing(**{f"app__{number}": each, f"user__{number}": each}))

    await asyncio.gather(*(change(number) for number in range(8)))
    numbers = range(8)
    expected = {f"app:a{number}": 1 for number in numbers} | {f"user:a{number}": 2 for number in numbers}
    expected |= {f"{scope}:{number}": 2 for number in numbers for scope in ("app", "user")}
    assert (await loaded(service, session_id="0")).state == expected


async def test_service_works_on_the_memory_backend() -> None:
    async with AsmSessionService.open(backend="memory") as service:
        session = await service.create_session(**KEY, state={"user:x": 1})
        await service.append_event(session, changing(user__x=2))
        assert (await loaded(service)).state == {"user:x": 2}
        await service.flush()
