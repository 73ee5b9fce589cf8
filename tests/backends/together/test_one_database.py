"""Backends of several ORMs at once on one live database keep every promise (G11)."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice, permutations
from typing import TYPE_CHECKING

import pytest
from several import TakingTurns

import asm_core as asm
from asm_contract_tests import (
    OpenBackend,
    ProcessesContract,
    StateMachineContract,
    TransactionsContract,
)
from asm_contract_tests.making import a_run, a_session, an_artifact, numbers, some_events
from asm_contract_tests.rules.backend.migrations import MigrationsContract
from asm_contract_tests.together import begun

if TYPE_CHECKING:
    from collections.abc import Callable

BACKENDS = ("sqlmodel", "peewee", "pony")
PAIRS = pytest.mark.parametrize(("first", "second"), list(permutations(BACKENDS, 2)))


class TestTakingTurns(TransactionsContract, ProcessesContract, MigrationsContract, StateMachineContract):
    """Whichever of them is called, by chance, the database does as under one: also from eight processes at once."""

    @pytest.fixture
    def open_backend(self, url: str) -> OpenBackend:
        return lambda: TakingTurns([asm.open_backend(name, url=url, migrate=True) for name in BACKENDS])


def opener(name: str, url: str, *, migrate: bool = False) -> Callable[[], asm.Backend]:
    return lambda: asm.open_backend(name, url=url, migrate=migrate)


@PAIRS
def test_one_reads_what_another_wrote(url: str, first: str, second: str) -> None:
    data = {"b": 1, "a": [1.5, -(2**63), {"nul": "\0", "é": "🙂"}, None, True]}
    with opener(first, url, migrate=True)() as writer:
        session = writer.session_store.save_session(a_session(metadata=data, context=data, tags=["x", "é"]))
        run = writer.session_store.save_run(a_run(session, input=data, cost_usd=Decimal("0.000000001"), provider="p"))
        events = writer.session_store.append_events(some_events(session, 600, data=data, run_id=run.id))
        artifact = writer.artifact_registry.register(an_artifact(session_id=session.id, metadata=data))
    with opener(second, url)() as reader:
        exported = reader.query_api.export_session(session.id, include_artifacts=True)
        assert repr(exported.session) == repr(session)
        assert repr(exported.runs) == repr([run])
        assert repr(exported.events) == repr(events)
        assert repr(exported.artifacts) == repr([artifact])
        assert reader.query_api.search_sessions(tags=["x"], provider="p").items == [session]
        assert reader.maintenance.health_check() == []


@PAIRS
def test_one_migrates_and_the_other_opens(url: str, first: str, second: str) -> None:
    with opener(first, url, migrate=True)() as older:
        newest = older.schema_version()
        session = older.session_store.save_session(a_session())
        older.migrate(newest - 1)
        with pytest.raises(asm.MigrationRequiredError):
            opener(second, url)()
        with opener(second, url, migrate=True)() as newer:
            assert (newer.schema_version(), older.schema_version()) == (newest, newest)
            assert older.session_store.list_sessions() == newer.session_store.list_sessions() == [session]


@PAIRS
def test_one_prunes_while_the_other_follows(url: str, first: str, second: str) -> None:
    policy = asm.RetentionPolicy(max_events_per_session=5, batch_size=2)
    with opener(first, url, migrate=True)() as writer, opener(second, url)() as follower:
        session = writer.session_store.save_session(a_session())
        following = follower.session_store.follow_events(session.id)
        with begun(lambda: list(islice(following, 50))) as followed:
            for event in some_events(session, 50):
                writer.session_store.append_event(event)
            assert numbers(followed.result(60)) == list(range(1, 51))
        assert writer.maintenance.execute(policy).events_pruned == 45
        assert numbers(follower.session_store.get_events(session.id)) == list(range(46, 51))
        assert follower.maintenance.health_check() == []


@PAIRS
def test_an_artifact_registered_by_both_is_one(url: str, first: str, second: str) -> None:
    with opener(first, url, migrate=True)() as one, opener(second, url)() as other:
        artifact = one.artifact_registry.register(an_artifact(key="report"))
        assert other.artifact_registry.register(artifact) == artifact
        with pytest.raises(asm.AlreadyExistsError):
            other.artifact_registry.register(an_artifact(key="report"))
        other.artifact_registry.delete("report")
        assert one.artifact_registry.get_by_key("report") is None
