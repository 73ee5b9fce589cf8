"""Backends as a whole: ports, capabilities, handles, durability."""

from __future__ import annotations

from typing import Any

import pytest

from asm_contract_tests.contract import Contract, OpenBackend
from asm_contract_tests.making import a_run, a_session, an_artifact, an_event, numbers, soft_deleted, some_events
from asm_core import (
    ArtifactRegistry,
    Backend,
    Capability,
    ExecutionResult,
    Maintenance,
    QueryAPI,
    RetentionPolicy,
    SessionStore,
    StateStore,
    UnsupportedCapabilityError,
)


class BackendShapeContract(Contract):
    """A backend has a name, ports and declared capabilities."""

    def test_a_backend_has_a_name(self, backend: Backend) -> None:
        """Check `name`: it is the name in the configuration."""
        assert isinstance(backend, Backend)
        assert isinstance(backend.name, str)
        assert backend.name

    def test_a_backend_has_the_ports(self, backend: Backend) -> None:
        """Check the attributes of the backend: each port is an adapter of its abstract class."""
        assert isinstance(backend.session_store, SessionStore)
        assert isinstance(backend.query_api, QueryAPI)
        assert isinstance(backend.maintenance, Maintenance)
        assert isinstance(backend.artifact_registry, ArtifactRegistry)
        assert isinstance(backend.state_store, StateStore)

    @pytest.mark.parametrize("port", [SessionStore, QueryAPI, Maintenance, ArtifactRegistry, StateStore])
    def test_no_public_method_of_a_port_is_overridden(self, backend: Backend, port: type) -> None:
        """Check the classes of the ports: they implement primitives, and leave the public methods to core."""
        stores = (backend.session_store, backend.artifact_registry, backend.state_store)
        ports = (*stores, backend.query_api, backend.maintenance)
        adapter = next(type(one) for one in ports if isinstance(one, port))
        public = [name for name in vars(port) if not name.startswith("_")]
        assert [name for name in public if getattr(adapter, name) is not getattr(port, name)] == []

    def test_capabilities_are_known_ones(self, backend: Backend) -> None:
        """Check `capabilities`: a frozenset of `Capability`."""
        assert isinstance(backend.capabilities, frozenset)
        assert backend.capabilities <= set(Capability)

    @pytest.mark.parametrize(
        ("capability", "call"),
        [
            ("transactions", lambda backend: backend.transaction()),
            ("bind", lambda backend: backend.bind(object())),
            ("migrations", lambda backend: backend.migrate()),
            ("migrations", lambda backend: backend.schema_version()),
            ("global_event_ids", lambda backend: backend.session_store.get_event("evt_1")),
        ],
        ids=["transaction", "bind", "migrate", "schema_version", "get_event"],
    )
    def test_what_is_not_declared_is_refused(self, backend: Backend, capability: str, call: Any) -> None:
        """Check the method: without its capability it raises UnsupportedCapabilityError, as `Backend` does."""
        if capability in backend.capabilities:
            pytest.skip(f"{backend.name} declares the capability {capability}")
        with pytest.raises(UnsupportedCapabilityError) as caught:
            call(backend)
        assert caught.value.details == {"backend": backend.name, "capability": capability}

    def test_a_backend_may_be_closed_twice(self, open_backend: OpenBackend) -> None:
        """Check `close`: a second call is a no-op."""
        backend = open_backend()
        backend.close()
        backend.close()

    def test_a_backend_is_closed_at_the_end_of_its_context(self, open_backend: OpenBackend) -> None:
        """Check `__enter__`, which returns the backend, and `__exit__`, which closes it and hides no error."""
        handle = open_backend()
        with handle as backend:
            assert backend is handle
        with pytest.raises(LookupError), open_backend():
            raise LookupError


class SeveralHandlesContract(Contract):
    """Several handles on one store see the same data, at once."""

    def test_closing_one_handle_leaves_the_others(self, open_backend: OpenBackend, backend: Backend) -> None:
        """Check `close`: it releases the resources of this handle only."""
        with open_backend() as other:
            session = other.session_store.save_session(a_session())
        assert backend.session_store.get_session(session.id) == session
        backend.session_store.append_event(an_event(session))

    @pytest.mark.guarantee("G6")
    def test_what_one_handle_stores_the_next_read_of_another_sees(
        self, backend: Backend, other_backend: Backend
    ) -> None:
        """Look for a cache, or a snapshot that a handle keeps open between reads."""
        mine, theirs = backend.session_store, other_backend.session_store
        session = mine.save_session(a_session())
        assert theirs.get_session(session.id) == session
        for place in range(1, 4):
            event = mine.append_event(an_event(session))
            assert theirs.get_latest_sequence(session.id) == place
            assert theirs.get_events(session.id, after=place - 1) == [event]
            changed_session = theirs.save_session(session.with_metadata({"place": place}))
            assert mine.get_session(session.id) == changed_session
        theirs.delete_session(session.id)
        assert mine.list_sessions() == []

    @pytest.mark.guarantee("G6")
    def test_every_port_sees_what_another_stored(self, backend: Backend, other_backend: Backend) -> None:
        """Look for ports of one backend that read from different places."""
        session = backend.session_store.save_session(a_session())
        backend.session_store.append_events(some_events(session, 3))
        backend.artifact_registry.register(an_artifact(session_id=session.id))
        for one in (backend, other_backend):
            assert one.query_api.get_session_stats(session.id).event_count == 3
            assert len(one.query_api.export_session(session.id, include_artifacts=True).artifacts) == 1
        other_backend.maintenance.prune_session_events(session.id, RetentionPolicy(max_events_per_session=1))
        assert numbers(backend.session_store.get_events(session.id)) == [3]

    @pytest.mark.guarantee("G1")
    def test_handles_share_the_counter(self, backend: Backend, other_backend: Backend) -> None:
        """Look for numbers that a handle keeps to itself."""
        session = backend.session_store.save_session(a_session())
        stores = [backend.session_store, other_backend.session_store] * 5
        assert numbers([store.append_event(an_event(session)) for store in stores]) == list(range(1, 11))

    @pytest.mark.guarantee("G3")
    def test_an_event_appended_by_two_handles_is_stored_once(self, backend: Backend, other_backend: Backend) -> None:
        """Look for idempotency that a handle keeps to itself."""
        session = backend.session_store.save_session(a_session())
        event = an_event(session)
        assert backend.session_store.append_event(event) == other_backend.session_store.append_event(event)

    @pytest.mark.requires("durable")
    @pytest.mark.guarantee("G12")
    def test_what_was_stored_is_there_when_the_store_is_opened_again(self, open_backend: OpenBackend) -> None:
        """Check `close` and `open_backend`: all data must persist, counters included."""
        session = a_session(tags=["a"], metadata={"nul": "\0"})
        with open_backend() as first:
            run = a_run(session)
            events = first.session_store.flush(ExecutionResult(session, run, some_events(session, 3)))
            session, run = first.session_store.get_session(session.id), first.session_store.get_run(run.id)
            gone = soft_deleted(first.session_store, a_session())
            artifact = first.artifact_registry.register(an_artifact(session_id=session.id))
        with open_backend() as second:
            assert second.session_store.list_sessions() == [session]
            assert second.session_store.list_runs(session.id) == [run]
            assert second.session_store.get_events(session.id) == events
            assert second.session_store.get_session(gone.id) == gone
            assert second.artifact_registry.get_by_key(artifact.key) == artifact
            assert second.session_store.append_event(an_event(session)).sequence_number == 4
            assert second.maintenance.health_check() == []
