"""Migrations up and down, also by many processes concurrently."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from asm_contract_tests.contract import Contract
from asm_contract_tests.making import a_session, an_artifact, an_event, some_events
from asm_contract_tests.rules.backend.workload import everything
from asm_contract_tests.together import Child, in_processes, need_fork
from asm_core import TextIndex, ValidationError

if TYPE_CHECKING:
    from asm_contract_tests.contract import OpenBackend
    from asm_core import Backend

PROCESSES = 6
ROUNDS = 2
A_MOMENT = 0.03
"""Seconds for opening a store; the kill comes at a random instant in them."""


def use(backend: Backend, *, turn: int, place: int) -> tuple[int, int | None]:
    """Write to a newly opened store; return the version of its schema, and the number of the first event."""
    session = backend.session_store.save_session(a_session(id=f"ses_{turn}_{place}"))
    backend.artifact_registry.register(an_artifact(key=session.id))
    return backend.schema_version(), backend.session_store.append_event(an_event(session)).sequence_number


def open_at_once(open_backend: OpenBackend, turn: int) -> list[Any]:
    """Open and use a store in several processes concurrently."""
    return in_processes(open_backend, *(partial(use, turn=turn, place=place) for place in range(PROCESSES)))


class MigrationsContract(Contract):
    """A schema is migrated up and down by numbered steps."""

    @pytest.mark.requires("migrations")
    @pytest.mark.guarantee("G13")
    def test_a_schema_that_is_up_to_date_is_left_alone(self, backend: Backend) -> None:
        """Check `migrate`: with nothing to do it does nothing."""
        version = backend.schema_version()
        assert version >= 1
        assert backend.migrate() == []
        assert backend.migrate(version) == []
        assert backend.schema_version() == version

    @pytest.mark.requires("migrations")
    @pytest.mark.guarantee("G13")
    def test_a_schema_goes_down_and_up_again(self, backend: Backend) -> None:
        """Check the downgrade of each migration: after it, the upgrade must work again, on an empty store."""
        version = backend.schema_version()
        backend.session_store.save_session(a_session())
        down = backend.migrate(0)
        assert backend.schema_version() == 0
        up = backend.migrate()
        assert (len(down), len(up)) == (version, version)
        assert backend.schema_version() == version
        assert backend.session_store.list_sessions() == []
        session = backend.session_store.save_session(a_session())
        assert backend.session_store.append_event(an_event(session)).sequence_number == 1

    @pytest.mark.requires("migrations")
    @pytest.mark.parametrize("partitions", [0, 1, -2, True, 1025, 2.0, "16"])
    def test_a_wrong_number_of_partitions_is_refused(self, backend: Backend, partitions: Any) -> None:
        """Check `migrate`: it changes nothing, also where the store could have partitions."""
        session = backend.session_store.save_session(a_session())
        with pytest.raises(ValidationError):
            backend.migrate(partitions=partitions)
        assert backend.session_store.list_sessions() == [session]

    @pytest.mark.requires("migrations")
    @pytest.mark.parametrize("text_search", [0, 1, "yes", 1.0])
    def test_a_wrong_choice_of_a_text_index_is_refused(self, backend: Backend, text_search: Any) -> None:
        """Check `migrate`: it changes nothing, also where the store could have a text index."""
        session = backend.session_store.save_session(a_session())
        with pytest.raises(ValidationError):
            backend.migrate(text_search=text_search)
        assert backend.session_store.list_sessions() == [session]
        assert backend.text_index() in TextIndex

    @pytest.mark.requires("migrations")
    def test_a_text_index_that_is_not_wanted_is_absent(self, backend: Backend) -> None:
        """Check `migrate` and `text_index`: removing an index works where there is none."""
        assert backend.migrate(text_search=False) == []
        assert backend.text_index() is TextIndex.ABSENT

    @pytest.mark.requires("migrations")
    @pytest.mark.guarantee("G13")
    def test_handles_see_each_others_migrations(self, backend: Backend, other_backend: Backend) -> None:
        """Look for a version that a handle caches."""
        version = backend.schema_version()
        other_backend.migrate(0)
        assert backend.schema_version() == 0
        backend.migrate()
        assert other_backend.schema_version() == version
        other_backend.session_store.save_session(a_session())

    @pytest.mark.requires("migrations")
    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G13")
    def test_processes_may_bring_a_fresh_store_up_at_once(self, open_backend: OpenBackend, soak: int) -> None:
        """Check opening of a store without a schema: one process migrates it, and the others wait."""
        need_fork()
        with open_backend() as backend:
            newest = backend.schema_version()
        for turn in range(ROUNDS if soak == 1 else 5 * soak):
            with open_backend() as backend:
                backend.migrate(0)
            assert open_at_once(open_backend, turn) == [(newest, 1)] * PROCESSES
            with open_backend() as backend:
                assert len(backend.session_store.list_sessions()) == PROCESSES
                assert backend.maintenance.health_check() == []

    @pytest.mark.requires("migrations")
    @pytest.mark.requires("multi_process")
    @pytest.mark.guarantee("G13")
    def test_processes_may_bring_an_old_store_up_at_once(self, open_backend: OpenBackend, soak: int) -> None:
        """Check concurrent opening of a store that is one version older."""
        need_fork()
        with open_backend() as backend:
            newest = backend.schema_version()
            session = backend.session_store.save_session(a_session())
            backend.session_store.append_events(some_events(session, 3))
        for turn in range(ROUNDS if soak == 1 else 5 * soak):
            with open_backend() as backend:
                backend.migrate(newest - 1)
                backend.migrate()
                kept = everything(backend)
                backend.migrate(newest - 1)
            assert open_at_once(open_backend, turn) == [(newest, 1)] * PROCESSES
            with open_backend() as backend:
                for place in range(PROCESSES):
                    backend.session_store.delete_session(f"ses_{turn}_{place}")
                assert everything(backend) == kept
                assert backend.maintenance.health_check() == []

    @pytest.mark.requires("migrations")
    @pytest.mark.requires("multi_process")
    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    @pytest.mark.guarantee("G13")
    def test_a_process_killed_while_it_brings_a_store_up_does_no_harm(
        self, open_backend: OpenBackend, soak: int
    ) -> None:
        """Check the transaction around all steps: the next process finds all of them or none."""
        need_fork()
        random = Random(20261122)  # noqa: S311  no secrets
        for turn in range(4 * soak):
            with open_backend() as backend:
                backend.migrate(0)
            killed = Child(open_backend, lambda *_: None)
            killed.awake()
            killed.go()
            killed.opens_within(random.uniform(0, A_MOMENT))
            killed.end()
            with open_backend() as backend:
                assert use(backend, turn=turn, place=0)[1] == 1
                assert backend.maintenance.health_check() == []
