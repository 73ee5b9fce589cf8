"""Row models of an ORM and core's models: the conversion of one into the other, on core's own mapping of fields.

A connector publishes a row model for each table, for queries of the application. Each derives from `RowModel`, has the
shape of its table, and so converts both ways. The codec maps the fields, as it does for the ports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

import msgspec

from asm_core.errors import ValidationError, short_repr
from asm_core.models import Artifact, Event, Run, Session
from asm_core.models.base import Model
from asm_core.sql.rows.codec import Codec
from asm_core.sql.schema.tables import ARTIFACT_COLUMNS, EVENT_COLUMNS, RUN_COLUMNS, SESSION_COLUMNS
from asm_core.values.payloads import decode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

M = TypeVar("M", bound=Model)

_JSON: Final = frozenset(
    {"context", "data", "error", "input", "metadata", "output", "provider_metadata", "tags", "token_usage"}
)


def _same(value: Any) -> Any:
    return value


_CODEC: Final = Codec(_same, _same, _same, repr)
"""Decodes columns that an ORM has decoded already, and encodes times as they are."""


class RowShape(Generic[M]):
    """The columns of a table, each with a Python value, and the model that they hold.

    Times are aware, payloads are dicts, tags a list; all else is as a driver returns it.

    Attributes:
        kind: the class of the model.
        columns: in the order of the codec.
    """

    def __init__(
        self,
        kind: type[M],
        columns: Sequence[str],
        decode: Callable[[Sequence[Any]], M],
        encode: Callable[[M], Sequence[Any]],
    ) -> None:
        """Map the fields as `decode` and `encode` of the codec do."""
        self.kind = kind
        self.columns = columns
        self._decode = decode
        self._encode = encode

    def values(self, model: object) -> dict[str, Any]:
        """Return what the columns of a model's row hold, those for totals included.

        Raises:
            ValidationError: `model` is of another class, has a value that cannot be kept, or is an event without a
                number, which only an append gives it.
        """
        if not isinstance(model, self.kind):
            message = f"from_model takes a model of class {self.kind.__name__}, not {short_repr(model)}."
            raise ValidationError(message)
        checked = model.checked()
        if isinstance(checked, Event) and checked.sequence_number is None:
            message = (
                f"Event {checked.id} has no sequence_number: append it with append_event, which numbers it, and take "
                "the event that this returns."
            )
            raise ValidationError(message)
        kept: Any = checked
        if not getattr(kept, "revision", 1):  # was never saved, so this row is its first save
            kept = msgspec.structs.replace(kept, revision=1)
        row = zip(self.columns, self._encode(kept), strict=True)
        return {name: decode_json(value) if name in _JSON and value is not None else value for name, value in row}

    def model(self, values: Mapping[str, Any]) -> M:
        """Return the model of a row, as the ports read it, with each field checked.

        Raises:
            StorageError: the row has a status or a type that does not exist.
            ValidationError: a column has no value, or one that cannot be kept.
        """
        missing = [name for name in self.columns if name not in _OPTIONAL[self.kind] and values[name] is None]
        if missing:
            message = (
                f"This row of a {self.kind.__name__.lower()} has no value for {', '.join(missing)}: select the whole "
                "row, or set them."
            )
            raise ValidationError(message)
        return self._decode([values[name] for name in self.columns]).checked()


_OPTIONAL: Final[Mapping[type, frozenset[str]]] = {
    Session: frozenset({"parent_session_id", "deleted_at", "user_id", "title", "title_folded"}),
    # The columns for totals are not fields of a run.
    Run: frozenset({"input", "output", "error", "ended_at", "provider", "cost_nanos", *RUN_COLUMNS[-8:]}),
    Event: frozenset({"run_id", "provider", "correlation_id"}),
    Artifact: frozenset({"session_id", "run_id", "content_type", "deleted_at"}),
}

SESSION_SHAPE: Final = RowShape(Session, SESSION_COLUMNS, _CODEC.session, _CODEC.session_row)
RUN_SHAPE: Final = RowShape(Run, RUN_COLUMNS, _CODEC.run, _CODEC.run_row)
EVENT_SHAPE: Final = RowShape(Event, EVENT_COLUMNS, _CODEC.event, _CODEC.event_row)
ARTIFACT_SHAPE: Final = RowShape(Artifact, ARTIFACT_COLUMNS, _CODEC.artifact, _CODEC.artifact_row)


class RowModel(Generic[M]):
    """A row model that converts to core's models and back. An ORM's own class stands beside it among the bases.

    Attributes:
        row_shape: the columns of its table.
        row_names: the attributes that are not named after their column, by column.
    """

    __slots__ = ()

    row_shape: ClassVar[RowShape[Any]]
    row_names: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def from_model(cls, model: M) -> Self:
        """Return a row that holds `model`; once the ORM has stored it, the ports read the same model.

        The row is one row. It makes no counter, gives no event a number, and notifies no watcher: what is to be
        recorded is written with the ports.

        Raises:
            ValidationError: `model` is of another class, has a value that cannot be kept, or is an event without a
                number.
        """
        values = cls.row_shape.values(model)
        return cls(**{cls.row_names.get(column, column): value for column, value in values.items()})

    def to_model(self) -> M:
        """Return the model that the row holds, as the ports read it.

        Raises:
            StorageError: the row has a status or a type that does not exist.
            ValidationError: a column has no value, or one that cannot be kept.
        """
        model: M = self.row_shape.model({column: self.column_value(column) for column in self.row_shape.columns})
        return model

    def column_value(self, column: str) -> Any:
        """Return what a column holds."""
        return getattr(self, self.row_names.get(column, column))
