"""The base of all contracts: fixtures, capabilities, and the guard against lost tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import pytest

from asm_contract_tests.guard import check_complete, check_gaps
from asm_contract_tests.making import a_session
from asm_core import ArtifactRegistry, Backend, Maintenance, QueryAPI, Session, SessionStore, StateStore

OpenBackend = Callable[[], Backend]
"""Opens another handle on the same store at each call."""

CallersTransaction = Callable[[], AbstractContextManager[Any]]
"""Begins a transaction of the caller, yields the argument of `Backend.bind`, and commits or rolls back at its end."""


class Contract:
    """The base of all contracts. A subclass names its backend with the fixture `open_backend`.

    Attributes:
        known_gaps: the reasons of tests that are expected to fail, by test name; the suite fails when one passes.
    """

    known_gaps: ClassVar[Mapping[str, str]] = {}
    _asm_contract: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        """Reject a subclass that loses tests."""
        super().__init_subclass__()
        ours = __name__.partition(".")[0]
        contracts = [base for base in cls.__mro__ if issubclass(base, Contract)]
        check_complete(cls, [base for base in contracts if base.__module__.partition(".")[0] == ours])
        check_gaps(cls, cls.known_gaps)

    @pytest.fixture
    def open_backend(self) -> OpenBackend:
        """Override this: return a function that opens another handle on the test's store."""
        message = (
            f"{type(self).__name__} needs a fixture open_backend, which returns a function that opens its backend."
        )
        raise NotImplementedError(message)

    @pytest.fixture
    def callers_transaction(self) -> CallersTransaction:
        """Override this if the backend declares `bind`: return a function that begins a transaction of the caller.

        It returns a context manager, which yields the argument of `Backend.bind`, commits at its end and rolls back on
        an exception.
        """
        message = f"{type(self).__name__} declares bind, so it needs a fixture callers_transaction."
        raise NotImplementedError(message)

    @pytest.fixture(autouse=True)
    def _capable(self, request: pytest.FixtureRequest) -> None:
        markers = list(request.node.iter_markers("requires"))
        if not markers:
            return
        if "backend" in request.fixturenames:
            _need_all(markers, request.getfixturevalue("backend"))
        else:
            with request.getfixturevalue("open_backend")() as opened:
                _need_all(markers, opened)

    @pytest.fixture
    def backend(self, open_backend: OpenBackend) -> Iterator[Backend]:
        """Return the main handle."""
        with open_backend() as backend:
            yield backend

    @pytest.fixture
    def other_backend(self, open_backend: OpenBackend, backend: Backend) -> Iterator[Backend]:
        """Return a second handle on the same store."""
        with open_backend() as other:
            assert other is not backend, "open_backend must open a new handle at each call"
            yield other

    @pytest.fixture
    def store(self, backend: Backend) -> SessionStore:
        """Return the session store."""
        return backend.session_store

    @pytest.fixture
    def query(self, backend: Backend) -> QueryAPI:
        """Return the query API."""
        return backend.query_api

    @pytest.fixture
    def maintenance(self, backend: Backend) -> Maintenance:
        """Return the maintenance port."""
        return backend.maintenance

    @pytest.fixture
    def artifacts(self, backend: Backend) -> ArtifactRegistry:
        """Return the artifact registry."""
        return backend.artifact_registry

    @pytest.fixture
    def state(self, backend: Backend) -> StateStore:
        """Return the state store."""
        return backend.state_store

    @pytest.fixture
    def session(self, store: SessionStore) -> Session:
        """Return a stored session."""
        return store.save_session(a_session())


def _need_all(markers: list[pytest.Mark], backend: Backend) -> None:
    for marker in markers:
        if marker.args[0] not in backend.capabilities:
            pytest.skip(f"{backend.name} does not declare the capability {marker.args[0]}")
