"""Conversion of the entities, and the relations that are not Pony relations."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from asm_backend_pony.columns import plain
from asm_core import Artifact, Event, Run, Session
from asm_core.models.base import Model
from asm_core.sql.rows.row_models import ARTIFACT_SHAPE, EVENT_SHAPE, RUN_SHAPE, SESSION_SHAPE, RowModel

M = TypeVar("M", bound=Model)


class Methods(RowModel[M]):
    """Converts an entity. The entity of `from_model` is stored with the `db_session`, like any new entity."""

    __slots__ = ()

    def column_value(self, column: str) -> Any:
        """Return what a column holds."""
        return plain(getattr(self, column))


class _OfSession(Methods[M]):
    """Converts an entity with a Pony relation to its session."""

    __slots__ = ()

    row_names: ClassVar = {"session_id": "session"}

    @property
    def session_id(self) -> Any:
        """The id of the session, also in queries."""
        return self.session.id  # type: ignore[attr-defined]  # the entity's


class SessionMethods(Methods[Session]):
    """A session."""

    __slots__ = ()

    row_shape = SESSION_SHAPE


class RunMethods(_OfSession[Run]):
    """A run."""

    __slots__ = ()

    row_shape = RUN_SHAPE

    @property
    def events(self) -> Any:
        """The query for the events that name the run, in the order of their log."""
        rows = self._database_.EventRow  # type: ignore[attr-defined]  # Pony's
        return rows.select().where(run_id=self.id).order_by(rows.sequence_number)  # type: ignore[attr-defined]


class EventMethods(_OfSession[Event]):
    """An event. Its run need not be stored, so it cannot be a Pony relation."""

    __slots__ = ()

    row_shape = EVENT_SHAPE

    @property
    def run(self) -> Any:
        """The run that the event names, if it is stored."""
        run_id = self.run_id  # type: ignore[attr-defined]  # the entity's
        return None if run_id is None else self._database_.RunRow.get(id=run_id)  # type: ignore[attr-defined]


class ArtifactMethods(Methods[Artifact]):
    """The metadata of an artifact."""

    __slots__ = ()

    row_shape = ARTIFACT_SHAPE
